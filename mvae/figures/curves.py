"""Training curves: every metric its panel, every seed its line."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mvae.figures.drawing import style

_LABELS = {
    "loss": "loss (nats)",
    "elbo": "ELBO (nats)",
    "kl": "KL (nats)",
    "reconstruction": "reconstruction (nats)",
    "log_likelihood": "log-likelihood (nats)",
    "mse": "mean squared error",
    "time": "diffusion time $t$",
}
_PANEL = (2.2, 1.5)  # inches
_DECADES = 1.0
_TRANSIENT = 0.2  # share of a stage that does not decide the limits
_LETTER = 0.06  # inches


class _Curve(NamedTuple):
    """One metric: steps (n,), values (n, seeds), each point's stage, and whether its transient is over."""

    steps: np.ndarray
    values: np.ndarray
    stage: np.ndarray
    settled: np.ndarray


class _Span(NamedTuple):
    """A stage's place on the axis of steps; its own count of steps is `offset` behind."""

    offset: int
    begin: int
    end: int


@style.styled
def training_curves(records: Sequence[Mapping[str, Any]], *, title: str | None = None) -> Figure:
    """Draws one panel for each metric: a thin line for each seed, a bold one for their mean.

    Every key but "stage" and "step" whose value is a number or a list of numbers is a metric. A vertical
    axis covers what comes after the transients (see `robust_limits`); it is logarithmic for a positive
    quantity that shows more than a decade, unless the quantity is in nats, of which differences count and
    not ratios. Dashed lines part the stages. A stage that counts its steps from the start again is put
    behind the one before it; a step that was logged twice, as by a run that was resumed, counts as it was
    logged last.

    Args:
        records: Lines of metrics.jsonl, as {"stage": "train", "step": 100, "elbo": [one number a seed], ...}.
        title: Above the panels.

    Raises:
        ValueError: If there are no records or metrics, a record has no step, seeds differ in number, or for
            NaNs.
    """
    stages = _stages(records)
    spans = _line_up(stages)
    curves = _curves(stages, spans)
    columns = min(len(curves), 2 if len(curves) == 4 else 3)
    rows = -(-len(curves) // columns)
    height = rows * _PANEL[1] + 0.25 + (0.2 if title else 0.0)
    figure = style.new_figure(max(columns * _PANEL[0], 2.8), height, title)
    for k, (name, curve) in enumerate(curves.items()):
        ax = figure.add_subplot(rows, columns, k + 1)
        _panel(ax, name, curve)
        _mark_stages(ax, spans, named=k < columns)
        if k + columns >= len(curves):
            ax.set_xlabel("step")
    seeds = max(curve.values.shape[1] for curve in curves.values())
    if seeds > 1:
        lines = [
            Line2D([], [], color=style.ACCENT, linewidth=0.5, alpha=0.55, label="one seed"),
            Line2D([], [], color=style.ACCENT, linewidth=1.4, label=f"mean of {seeds} seeds"),
        ]
        figure.legend(handles=lines, loc="outside lower center", ncols=2)
    return figure


def robust_limits(values: Any, settled: Any = None) -> tuple[float, float]:
    """Returns limits of an axis that a transient or a lone spike does not squash.

    They hold the 1 % to 99 % quantiles of the values that have settled, and all values where that makes the
    range at most three times as wide; then 5 % more on both sides.

    Args:
        values: Any shape, finite.
        settled: True where a value is past the transient, broadcast against `values`; everywhere, if None.

    Returns:
        The lower and the upper limit, the first less than the second.

    Raises:
        ValueError: If `values` is empty or holds NaNs.

    >>> low, high = robust_limits([-9000.0, -10.0, -9.0, -8.5, -8.0], [False, True, True, True, True])
    >>> -11 < low < -9.5 and -8.1 < high < -7
    True
    """
    values = np.asarray(values, dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError("values must be finite and not empty")
    late = values if settled is None else values[np.broadcast_to(np.asarray(settled, dtype=bool), values.shape)]
    low, high = np.quantile(late if late.size else values, [0.01, 0.99])
    least, greatest = float(values.min()), float(values.max())
    if greatest - least <= 3.0 * (high - low):
        low, high = least, greatest
    span = high - low
    margin = 0.05 * span if span > 1e-9 * max(abs(low), abs(high)) else 0.05 * max(abs(low), 1e-3)
    return float(low - margin), float(high + margin)


def _stages(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, dict[str, np.ndarray]]]:
    """Returns stage -> step -> metric -> values (seeds,)."""
    if len(records) == 0:
        raise ValueError("records must not be empty")
    stages: dict[str, dict[int, dict[str, np.ndarray]]] = {}
    for k, record in enumerate(records):
        if "step" not in record:
            raise ValueError(f"records[{k}] must have a step, got the keys {sorted(record)}")
        metrics = {
            name: _values(f"records[{k}][{name!r}]", value)
            for name, value in record.items()
            if name not in ("stage", "step") and not isinstance(value, str)
        }
        stages.setdefault(str(record.get("stage", "")), {}).setdefault(int(record["step"]), {}).update(metrics)
    return stages


def _values(name: str, value: Any) -> np.ndarray:
    array = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if array.ndim > 1 or array.size == 0:
        raise ValueError(f"{name} must be a number or a list of one number a seed, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {value!r}")
    return array


def _line_up(stages: Mapping[str, Mapping[int, Any]]) -> dict[str, _Span]:
    """Puts the stages one behind the other."""
    spans: dict[str, _Span] = {}
    end = 0
    for name, steps in stages.items():
        offset = end if spans and min(steps) <= end else 0
        begin, end = (end if spans else min(steps)), offset + max(steps)
        spans[name] = _Span(offset, begin, end)
    return spans


def _curves(
    stages: Mapping[str, Mapping[int, Mapping[str, np.ndarray]]], spans: Mapping[str, _Span]
) -> dict[str, _Curve]:
    points: dict[str, list[tuple[int, np.ndarray, int, bool]]] = {}
    for k, (stage, steps) in enumerate(stages.items()):
        offset, begin, end = spans[stage]
        for step, metrics in sorted(steps.items()):
            at = offset + step
            for name, values in metrics.items():
                points.setdefault(name, []).append((at, values, k, at >= begin + _TRANSIENT * (end - begin)))
    if not points:
        raise ValueError("records must hold a metric: a key other than stage and step")
    known = list(_LABELS)
    order = sorted(points, key=lambda name: (known.index(name) if name in known else len(known), name))
    curves = {}
    for name in order:
        steps_, values, stage, settled = zip(*points[name], strict=True)
        if len({len(v) for v in values}) > 1:
            raise ValueError(f"records must have equally many seeds of {name!r}, got {sorted({*map(len, values)})}")
        curves[name] = _Curve(np.array(steps_), np.stack(values), np.array(stage), np.array(settled))
    return curves


def _panel(ax: Axes, name: str, curve: _Curve) -> None:
    values, settled = curve.values, curve.settled
    breaks = np.flatnonzero(np.diff(curve.stage)) + 1  # no line joins two stages
    steps = np.insert(curve.steps.astype(np.float64), breaks, np.nan)
    lines = np.insert(values, breaks, np.nan, axis=0)
    marker = "o" if len(values) == 1 else None
    if values.shape[1] > 1:
        ax.plot(steps, lines, color=style.ACCENT, linewidth=0.5, alpha=0.55, marker=marker, markersize=1.5)
    ax.plot(steps, lines.mean(axis=1), color=style.ACCENT, linewidth=1.4, marker=marker, markersize=3)
    text = _LABELS.get(name, name.replace("_", " "))
    ax.set_ylabel(text)
    ratios = "nats" not in text and values.min() > 0
    low, high = robust_limits(np.log10(values), settled[:, None]) if ratios else (0.0, 0.0)
    if high - low > _DECADES:
        ax.set_yscale("log")
        ax.set_ylim(10.0**low, 10.0**high)
    else:
        ax.set_ylim(*robust_limits(values, settled[:, None]))
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    ax.spines[["top", "right"]].set_visible(False)


def _mark_stages(ax: Axes, spans: Mapping[str, _Span], *, named: bool) -> None:
    first, *_, last = [span.begin for span in spans.values()] + [span.end for span in spans.values()]
    pad = 0.02 * (last - first) or 0.5
    ax.set_xlim(first - pad, last + pad)
    if len(spans) == 1:
        return
    level = 0
    for k, (name, span) in enumerate(spans.items()):
        if k > 0:
            ax.axvline(span.begin, color=style.MUTED, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0)
        if named:
            where = {"transform": ax.get_xaxis_transform(), "va": "bottom"}
            ax.text(span.begin, 1.02 + 0.11 * level, f" {name}", fontsize=7.5, color=style.MUTED, **where)
            room = (span.end - span.begin) / (last - first) * _PANEL[0] * 0.8
            level = 1 - level if len(name) * _LETTER > room else 0

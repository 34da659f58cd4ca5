"""The table of a sweep in Markdown, from the run folders alone."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mvae.errors import UsageError, unknown

MISSING = "–"
METRICS = ("elbo", "log_likelihood")


class _Row(NamedTuple):
    """A run folder: its name, its overrides by dotted key as text, its results if it is finished."""

    name: str
    overrides: dict[str, str]
    results: dict[str, Any] | None


def render(workdir: Path, metrics: Sequence[str] = METRICS, names: Sequence[str] | None = None) -> str:
    """Returns the table: name, overrides, number of seeds, mean ± standard deviation over seeds of each metric.

    Overrides that all members have alike stand above it.

    Args:
        workdir: Folder of the run folders.
        metrics: Names of numbers in results.json.
        names: Members, in this order; None for all run folders there are, by their names.

    Raises:
        UsageError: If there is no run folder, a file in one cannot be read, or no finished member has the metric.
    """
    if names is None:
        names = sorted((path.parent.name for path in workdir.glob("*/config.json")), key=_natural)
    rows = [_row(workdir / name) for name in names]
    if not rows:
        raise UsageError(f"--workdir={workdir} holds no run folder")
    results = [row.results for row in rows if row.results is not None]
    known = sorted({name for each in results for name in each["mean"]})
    for name in metrics:
        if results and name not in known:
            raise unknown("metric", name, known)
    keys, common = _columns([row for row in rows if row.overrides])
    header = ["name", *keys, "seeds", *metrics]
    lines = [f"All with {', '.join(common)}.", ""] if common else []
    lines += [line(header), "|" + "---|" * len(header)]
    for row in rows:
        changed = [row.overrides.get(key, "") for key in keys]
        lines.append(line([row.name, *changed, *_cells(row.results, metrics)]))
    return "\n".join(lines)


def _columns(rows: Sequence[_Row]) -> tuple[list[str], list[str]]:
    """Keys that differ between members, and KEY=VALUE of those that several members all have alike."""
    keys = list(dict.fromkeys(key for row in rows for key in row.overrides))
    alike = [key for key in keys if len(rows) > 1 and len({row.overrides.get(key) for row in rows}) == 1]
    return [key for key in keys if key not in alike], [f"{key}={rows[0].overrides[key]}" for key in alike]


def _row(folder: Path) -> _Row:
    if not (folder / "config.json").exists():
        return _Row(folder.name, {}, None)
    recorded = _read(folder / "config.json").get("overrides", [])
    pairs = (text.removeprefix("--config.").partition("=") for text in recorded)
    results = _read(folder / "results.json") if (folder / "results.json").exists() else None
    return _Row(folder.name, {key: value for key, _, value in pairs}, results)


def _cells(results: dict[str, Any] | None, metrics: Sequence[str]) -> list[str]:
    if results is None:
        return ["not finished", *[MISSING] * len(metrics)]
    return [str(results["num_seeds"]), *(number(results, name) for name in metrics)]


def number(results: dict[str, Any], name: str) -> str:
    """Returns "mean ± std" of a metric with two digits of the standard deviation, or the mean alone of one seed.

    >>> number({"mean": {"elbo": -3772.0561}, "std": {"elbo": 0.01234}}, "elbo")
    '-3772.056 ± 0.012'
    """
    mean, std = results["mean"].get(name), results["std"].get(name)
    if mean is None:
        return MISSING
    if std is None:
        return f"{mean:.6g}"
    digits = min(10, max(0, 1 - int(f"{std:e}".partition("e")[2]))) if std else 6
    return f"{mean:.{digits}f} ± {std:.{digits}f}"


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise UsageError(f"{path} cannot be read ({error})") from error


def line(cells: Sequence[str]) -> str:
    r"""Returns a row of a table in Markdown.

    >>> line(["a|b", "1"])
    '| a\\|b | 1 |'
    """
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _natural(name: str) -> list[tuple[int, str]]:
    """Order in which seed_2 comes before seed_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]

"""What codes are coloured by: classes, numbers, angles and pairs of angles, and what the colours mean."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from mvae.explore.sheets import packed
from mvae.figures import PALETTE, periodic_colours
from mvae.figures.drawing.colours import hue_ring

OTHER = "#8a8f98"  # of classes beyond those that have colours of their own


def columns_of(
    rows: Mapping[str, np.ndarray], names: Mapping[str, Sequence[str]], angles: Sequence[str], error: np.ndarray | None
) -> list[dict[str, Any]]:
    """Returns what codes may be coloured by, for each its name, texts, a colour for each code, and a legend.

    Args:
        rows: What is known of each code, (n, ...), by name.
        names: Texts of the values of a column, by its name.
        angles: Columns that are angles in radians.
        error: Squared error of the reconstruction of each, (n,), where it is known.
    """
    found = []
    for name, column in rows.items():
        if name == "translation" and column.ndim == 2 and column.shape[1] == 2:
            found.append(_pair(name, column))
        elif (column.ndim == 1 and column.dtype.kind in "biuf") or name in names:
            found.append(_column(name, column, names.get(name), angle=name in angles))
        elif column.ndim == 2 and column.shape[1] <= 4:
            found += [_column(f"{name} {k + 1}", column[:, k], None, angle=False) for k in range(column.shape[1])]
    if error is not None:
        found.append(_column("squared error", error, None, angle=False))
    first = ("label", "translation", "angle", "azimuth")
    found = [column for column in found if len(set(column["texts"])) > 1]
    return sorted(found, key=lambda column: first.index(column["name"]) if column["name"] in first else len(first))


def _column(name: str, values: np.ndarray, texts: Sequence[str] | None, *, angle: bool) -> dict[str, Any]:
    unique, index = np.unique(values, return_inverse=True)
    if texts is not None or (len(unique) <= len(PALETTE) and values.dtype.kind in "biu"):
        labels = [str(texts[int(value)]) if texts is not None else str(value) for value in unique]
        return _classes(name, labels, index)
    values = np.asarray(values, np.float64)
    shown = [f"{value:.3g}" for value in values]
    if angle:
        colours, legend = (
            hue_ring(values),
            {"stops": _hex(hue_ring(np.linspace(0, 2 * np.pi, 17))), "ends": ["0", "2π"]},
        )
    else:
        low, high = (float(value) for value in np.quantile(values, [0.01, 0.99]))  # a few that are far off are the ends
        share = np.clip((values - low) / (high - low if high > low else 1.0), 0, 1)
        viridis = colormaps["viridis"]
        colours = viridis(share)[:, :3]
        legend = {"stops": _hex(viridis(np.linspace(0, 1, 17))[:, :3]), "ends": [f"{low:.3g}", f"{high:.3g}"]}
    return {"name": name, "texts": shown, "colours": packed(np.round(255 * colours), "u1"), "legend": legend}


def _classes(name: str, labels: list[str], index: np.ndarray) -> dict[str, Any]:
    """Ten classes have colours of their own; of more, the nine that are most frequent, the others are grey."""
    order = np.argsort(-np.bincount(index), kind="stable")
    own = np.sort(order if len(order) <= len(PALETTE) else order[: len(PALETTE) - 1])
    colours = dict(zip(own.tolist(), PALETTE, strict=False))
    legend = [[labels[k], colour] for k, colour in colours.items()]
    legend += [] if len(own) == len(labels) else [[f"{len(labels) - len(own)} others", OTHER]]
    rgb = np.array([to_rgb(colours.get(k, OTHER)) for k in range(len(labels))])[index]
    texts = [labels[k] for k in index]
    return {"name": name, "texts": texts, "colours": packed(np.round(255 * rgb), "u1"), "legend": {"classes": legend}}


def _pair(name: str, angles: np.ndarray) -> dict[str, Any]:
    side = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    square = periodic_colours(np.stack(np.meshgrid(side, side[::-1]), axis=-1))
    texts = [f"{a:.2f}, {b:.2f}" for a, b in angles]
    colours = packed(np.round(255 * periodic_colours(angles)), "u1")
    return {"name": name, "texts": texts, "colours": colours, "legend": {"square": [_hex(row) for row in square]}}


def _hex(colours: np.ndarray) -> list[str]:
    return ["#" + "".join(f"{round(255 * float(part)):02x}" for part in colour) for colour in colours]

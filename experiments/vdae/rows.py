"""Tables of the comparison, in Markdown, from the folders of the runs alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from measures import MEASURED, REFERENCE
from methods import DATA, METHODS

from mvae.sweep import line

UNIT = 1000  # G-W is printed in thousandths
MISSING = "-"


def render(workdir: Path, data: list[str], methods: list[str]) -> str:
    """Returns the tables of all runs that are there."""
    tables = [
        _table("G-W x 1000, mean (std)", workdir, data, methods, "gromov_wasserstein", 0),
        _table("median bi-Lipschitz, mean (std)", workdir, data, methods, "bilipschitz", 1),
        _table(
            "the same after one scaling of all latent distances", workdir, data, methods, "bilipschitz_rescaled", None
        ),
        _table("MMD² x 1000, mean (std)", workdir, data, methods, "mmd", None),
    ]
    return "\n\n".join(tables)


def _table(title: str, workdir: Path, data: list[str], methods: list[str], name: str, published: int | None) -> str:
    """One measure: a row for each data set, the least in bold, the published figures behind a slash."""
    unit = UNIT if name in ("gromov_wasserstein", "mmd") else 1
    with_reference = name == "gromov_wasserstein"
    header = [title, *(METHODS[method] for method in methods), *(["two samples of the data"] if with_reference else [])]
    lines = [line(header), line(["---"] * len(header))]
    for key in data:
        values = [_values(workdir / key / method / MEASURED, name) for method in methods]
        means = [float(np.mean(each)) if len(each) else np.inf for each in values]
        cells = []
        for index, (method, each) in enumerate(zip(methods, values, strict=True)):
            cell = MISSING if not len(each) else _number(unit * each)
            cell = f"**{cell}**" if len(each) and means[index] == min(means) else cell
            printed = DATA[key].published[published] if published is not None else ()
            cells.append(cell + (f" / {printed[list(METHODS).index(method)]}" if printed else ""))
        if with_reference:
            cells.append(_number(unit * _reference(workdir / key / REFERENCE)))
        lines.append(line([DATA[key].title, *cells]))
    return "\n".join(lines)


def _number(values: np.ndarray) -> str:
    if not len(values):
        return MISSING
    deviation = f" ({values.std(ddof=1):.2g})" if len(values) > 1 and np.isfinite(values).all() else ""
    return f"{values.mean():.3g}{deviation}"


def _values(path: Path, name: str) -> np.ndarray:
    if not path.exists():
        return np.zeros(0)
    members: list[dict[str, Any]] = json.loads(path.read_text())["members"]
    return np.array([member[name] for member in members])


def _reference(path: Path) -> np.ndarray:
    return np.array(json.loads(path.read_text())["gromov_wasserstein"]) if path.exists() else np.zeros(0)

"""Rows of two tables [perezrey2019, Tables 1 and 2]: configs, what is printed, and the tables made from run folders."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from mvae.runs import load_config
from mvae.sweep import line


class Numbers(NamedTuple):
    """Printed numbers of a row: nats per image, MSE per pixel times 100."""

    log_likelihood: str
    elbo: str
    kl: str
    mse: str


class Row(NamedTuple):
    """A latent space, what both tables print for it, and how the published KL differs from the exact one."""

    title: str
    manifold: dict[str, Any]
    printed: dict[str, Numbers]
    shift: float = 0.0  # nats
    slope: float = 0.0  # nats per unit of time


class Finished(NamedTuple):
    """A row that is finished: what its results.json holds, and how long it trained."""

    results: dict[str, Any]
    num_epochs: int


_LOG_TURN = math.log(2 * math.pi)
ROWS = {
    "sphere2": Row(
        "S²",
        {"name": "sphere", "dim": 2},
        {
            "1": Numbers("-738.76 ± 0.08", "-739.25 ± 0.09", "5.16 ± 0.13", "3.48 ± 0.05"),
            "2": Numbers("-3779.75 ± 2.25", "-3825.11 ± 4.21", "3.45 ± 0.01", "2.82 ± 0.21"),
        },
    ),
    "embedded_torus": Row(
        "embedded torus",
        {"name": "embedded_torus", "dim": 2},
        {
            "1": Numbers("-738.58 ± 0.08", "-740.97 ± 0.10", "6.57 ± 0.01", "3.55 ± 0.02"),
            "2": Numbers("-3787.34 ± 11.8", "-3809.33 ± 23.0", "11.2 ± 1.20", "1.85 ± 1.18"),
        },
        shift=_LOG_TURN + math.log(2 / math.pi),
    ),
    "flat_torus": Row(
        "flat torus",
        {"name": "flat_torus", "dim": 2},
        {
            "1": Numbers("-738.97 ± 0.08", "-741.37 ± 0.11", "6.42 ± 0.00", "3.70 ± 0.02"),
            "2": Numbers("-3773.99 ± 1.70", "-3813.00 ± 5.16", "6.42 ± 0.00", "0.90 ± 0.25"),
        },
        shift=_LOG_TURN,
    ),
    "projective3": Row(
        "RP³",
        {"name": "projective_space", "dim": 3},
        {
            "1": Numbers("-738.81 ± 0.02", "-739.32 ± 0.03", "5.65 ± 0.08", "3.37 ± 0.02"),
            "2": Numbers("-3774.61 ± 0.53", "-3821.25 ± 2.44", "3.70 ± 0.00", "2.62 ± 0.12"),
        },
        slope=6 / 24,  # ((d + 4) / 24 - 1/4) Sc with Sc = 6
    ),
    "projective2": Row(
        "RP²",
        {"name": "projective_space", "dim": 2},
        {
            "1": Numbers("-740.17 ± 0.35", "-741.19 ± 0.53", "3.15 ± 0.56", "4.49 ± 0.02"),
            "2": Numbers("-3789.13 ± 8.36", "-3850.19 ± 33.7", "3.92 ± 1.97", "4.02 ± 1.74"),
        },
    ),
    "so3": Row("SO(3)", {"name": "so3", "dim": 3}, {}, slope=0.75 / 24),
    "euclidean3": Row(
        "R³",
        {"name": "euclidean", "dim": 3},
        {
            "1": Numbers("-738.27 ± 0.03", "-738.85 ± 0.04", "5.74 ± 0.05", "3.23 ± 0.02"),
            "2": Numbers("-3779.67 ± 4.06", "-3783.03 ± 5.71", "9.73 ± 0.45", "0.46 ± 0.26"),
        },
    ),
    "euclidean2": Row(
        "R²",
        {"name": "euclidean", "dim": 2},
        {
            "1": Numbers("-738.83 ± 0.08", "-739.35 ± 0.11", "4.95 ± 0.04", "3.56 ± 0.04"),
            "2": Numbers("-3785.64 ± 5.26", "-3789.60 ± 6.19", "8.26 ± 0.53", "0.85 ± 0.28"),
        },
    ),
}


def members(table: str, seeds: int, epochs: int, data_dir: str | None) -> Iterator[tuple[str, ConfigDict]]:
    """Yields the name of each row and its whole config."""
    path = Path(__file__).parents[2] / "configs" / {"1": "dvae_mnist.py", "2": "dvae_torus.py"}[table]
    for name, row in ROWS.items():
        config = load_config(path)
        config.manifold.update(row.manifold)
        config.model.location = "projected"  # as in the paper, on projective spaces too
        config.num_seeds, config.num_epochs, config.data.dir = seeds, epochs, data_dir
        yield name, config


def render(table: str, workdir: Path) -> str:
    """Returns the table in Markdown, from the results and configs in the run folders under `workdir`."""
    found = {}
    for name in ROWS:
        folder = workdir / name
        if (folder / "results.json").exists():
            config = json.loads((folder / "config.json").read_text())["config"]
            found[name] = Finished(json.loads((folder / "results.json").read_text()), config["num_epochs"])
    return table_of(table, found)


def table_of(table: str, found: Mapping[str, Finished]) -> str:
    """Returns the table in Markdown, from the rows that are finished, by their names."""
    lines = [
        "| latent space | seeds × epochs | LL | ELBO | KL | MSE × 100 | KL by the published formula "
        "| published LL | ELBO | KL | MSE × 100 |",
        "|" + "---|" * 11,
    ]
    for name, row in ROWS.items():
        ours = _ours(row, *found[name]) if name in found else ["not run"] + ["–"] * 5
        printed = row.printed.get(table, Numbers("–", "–", "–", "–"))
        lines.append(line([row.title, *ours, *printed]))
    return "\n".join(lines)


def _ours(row: Row, results: dict[str, Any], num_epochs: int) -> list[str]:
    def number(name: str, factor: float = 1, digits: int = 2) -> str:
        mean, std = results["mean"][name], results["std"][name]
        text = f"{factor * mean:.{digits}f}"
        return text if std is None else f"{text} ± {factor * std:.{digits}f}"

    length = f"{results['num_seeds']} × {num_epochs}"
    formula = results["mean"]["kl"] + row.shift + row.slope * results["mean"]["time"]
    return [
        length,
        number("log_likelihood"),
        number("elbo"),
        number("kl"),
        number("mse", 100, 3),
        f"{formula:.2f}",
    ]


def worst_identity(workdir: Path, num_pixels: int) -> float:
    """Largest |ELBO + (D/2) log 2 pi + (D/2) MSE + KL| over all members under `workdir`, in nats."""
    worst = 0.0
    for path in sorted(workdir.glob("*/results.json")):
        for member in json.loads(path.read_text())["members"]:
            rest = member["elbo"] + num_pixels / 2 * (_LOG_TURN + member["mse"]) + member["kl"]
            worst = max(worst, abs(rest))
    return worst

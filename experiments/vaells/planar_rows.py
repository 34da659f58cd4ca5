"""Table and figure of the four methods on curves of the plane, from their run folders."""

import json
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from planar_methods import MEASURED, METHODS

from mvae.data import load
from mvae.errors import UsageError
from mvae.evaluation import class_separation, trustworthiness
from mvae.figures import PlanarPanel, planar_latent_space

NUM_NEIGHBOURS = 5
COLUMNS = {
    "elbo": ("ELBO", 2),
    "log_likelihood": ("log-likelihood", 2),
    "mse": ("MSE × 10³", 3),
    "separation": ("class separation", 3),
    "gap": ("gap", 2),
    "truth": ("truth recovered", 4),
}


def true_distances(data: str, label: np.ndarray, parameter: np.ndarray) -> Float[np.ndarray, "n n"]:
    """Distances along the curve that the data come from, infinite between its parts.

    Args:
        data: "swiss_roll", where it is the length of the spiral between two points, or "concentric_circles", where it
            is the shorter arc, in turns.
        label: The circle, (n,).
        parameter: u of the roll or angle / 2π of the circle, (n,).
    """
    if data == "swiss_roll":
        angle = 1.5 * np.pi * (1 + 2 * np.asarray(parameter, np.float64))
        length = (angle * np.sqrt(1 + angle**2) + np.arcsinh(angle)) / 2  # of r = angle, from the centre
        return np.abs(length[:, None] - length)
    turns = np.asarray(parameter, np.float64)
    apart = np.abs(turns[:, None] - turns)
    return np.where(label[:, None] == label, np.minimum(apart, 1 - apart), np.inf)


def numbers_of(data: str, folder: Path, test: dict[str, np.ndarray]) -> dict[str, float]:
    """Returns the entries of `COLUMNS` of one run.

    Args:
        data: Name of the data set.
        folder: The run's folder.
        test: "label" and "parameter" of its test set.
    """
    with np.load(folder / MEASURED) as measured:
        codes = measured["codes"]
        found = {name: float(measured[name]) for name in ("elbo", "log_likelihood", "mse")}
    found["mse"] *= 1e3
    if len(np.unique(test["label"])) > 1:
        found["separation"], found["gap"] = class_separation(codes, test["label"])
    distances = true_distances(data, test["label"], test["parameter"])
    return found | {"truth": trustworthiness(codes, distances, num_neighbours=NUM_NEIGHBOURS)}


def render(data: str, workdir: Path, methods: list[str], num_seeds: int) -> str:
    """Returns the table in Markdown, means ± standard deviations over the seeds that are there."""
    rows = {}
    for name in methods:
        folders = [workdir / name / f"seed_{seed}" for seed in range(num_seeds)]
        if done := [folder for folder in folders if (folder / MEASURED).exists()]:
            rows[name] = done
    if not rows:
        return "nothing has been run"
    test = test_set(data)
    runs = {name: [numbers_of(data, folder, test) for folder in folders] for name, folders in rows.items()}
    columns = [name for name in COLUMNS if name in next(iter(runs.values()))[0]]
    lines = ["| method | seeds × steps | " + " | ".join(COLUMNS[name][0] for name in columns) + " |"]
    lines.append("|" + "---|" * (2 + len(columns)))
    for name, members in runs.items():
        cells = [_cell([member[column] for member in members], COLUMNS[column][1]) for column in columns]
        steps = json.loads((rows[name][0] / "results.json").read_text())["num_steps"]
        lines.append(f"| {METHODS[name].title} | {len(members)} × {steps} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(data: str, workdir: Path, methods: list[str]) -> Figure:
    """Draws the codes of the test set, of seed 0, beside the truth.

    Raises:
        UsageError: If no run of seed 0 is there.
    """
    test = test_set(data)
    if data == "swiss_roll":
        colour: dict[str, np.ndarray] = {"parameter": test["parameter"]}
    else:
        colour = {"label": np.array(["inner", "outer"])[test["label"]]}
    panels = [PlanarPanel("Truth", test["latent"], **colour)]
    for name in methods:
        path = workdir / name / "seed_0" / MEASURED
        if path.exists():
            with np.load(path) as measured:
                panels.append(PlanarPanel(METHODS[name].title, measured["codes"], **colour))
    if len(panels) == 1:
        raise UsageError(f"--figures: no run of seed 0 in {workdir}")
    return planar_latent_space(panels)


def test_set(data: str) -> dict[str, np.ndarray]:
    """Returns the rows of the test set of a data set as numpy arrays."""
    return {name: np.asarray(jax.device_get(array)) for name, array in load(data).test.items()}


def _cell(values: list[float], digits: int) -> str:
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"

"""The figures of [li2020, Figs. 2 to 6] from the run folders of compare.py.

    python experiments/vdae/draw.py --workdir=W --data_dir=DIR --figures=experiments/vdae/figures

walk_loop: a walk on the loop (Fig. 2). codes_turntable and codes_coil20_object: images at their codes, four methods
(Fig. 3). single_seed: twenty steps from one seed, and many single steps from it (Fig. 4). walk_mnist: samples after a
few steps from a digit of each kind (Fig. 5). samples_gaussian_grid: samples of three methods beside the data (Fig. 6).
What has not been run is left out, and said.
"""

import logging
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from matplotlib.figure import Figure
from measures import generate, load_member
from methods import DATA, METHODS
from walk_measures import figure_of, walk_from

from mvae import figures
from mvae.errors import UsageError
from mvae.figures import PointPanel
from mvae.programs import launch
from mvae.runs import log_to_console

LOGGER = logging.getLogger("mvae.experiments")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run folders of compare.py.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder with the folders of real data.")
_FIGURES = flags.DEFINE_string("figures", None, "Folder of the figures.", required=True)

NUM_POINTS = 2000
NUM_CODES = 300
FAR_STEPS = 20
TURNED = {"loop": 0.0, "sphere": 0.0, "bunny": math.pi / 6 - 0.3}  # about the third axis, to be seen from the front
_KEY = 0x9C7


def _member(data: str, method: str) -> tuple[Any, Any]:
    """Experiment and parameters of the first seed of a run.

    Raises:
        FileNotFoundError: If it has not been run.
    """
    return load_member(
        Path(_WORKDIR.value).expanduser() / data / method, data_dir=_DATA_DIR.value, folder_of_data=DATA[data].folder
    )


def single_seed() -> Figure:
    """Twenty steps from a seed, and single steps from it, on three data sets."""
    panels: list[PointPanel] = []
    for data, angle in TURNED.items():
        experiment, params = _member(data, "vdae")
        cloud = np.asarray(experiment.dataset.train["x"])[:NUM_POINTS].reshape(NUM_POINTS, -1)
        seed = experiment.dataset.train["x"][:1]
        path = walk_from(experiment, params, jnp.repeat(seed, NUM_POINTS, axis=0), FAR_STEPS)
        path = path.reshape(*path.shape[:2], -1)
        for steps, label in ((FAR_STEPS, f"{data}, {FAR_STEPS} steps"), (1, f"{data}, one step")):
            points, beneath, start = (_turned(each, angle) for each in (path[steps], cloud, path[0, 0]))
            panels.append(PointPanel(label, points, data=beneath, seed=start))
    order = [panels[index] for index in (0, 2, 4, 1, 3, 5)]
    return figures.sample_panels(order, same_limits=False, columns=3)


def _turned(points: np.ndarray, angle: float) -> np.ndarray:
    """Points turned about the third axis."""
    cos, sin = math.cos(angle), math.sin(angle)
    return points @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def codes_of(data: str) -> Figure:
    """Samples of four methods as thumbnails at their codes."""
    codes, pictures, names = [], [], []
    for method, title in METHODS.items():
        experiment, params = _member(data, method)
        found = generate(experiment.model, params, jax.random.key(_KEY), NUM_CODES)
        codes.append(found.code)
        pictures.append(np.clip(found.decoded, 0, 1))
        names.append(title)
    return figures.images_at_codes(np.stack(codes), np.stack(pictures), names, columns=2, max_images=150, overlap=0.5)


def samples_of_clusters() -> Figure:
    """Samples of the methods beside the data."""
    panels: dict[str, Any] = {}
    for method in ("wgan", "vae", "vdae"):
        experiment, params = _member("gaussian_grid", method)
        if not panels:
            panels["data"] = np.asarray(experiment.dataset.test["x"])[:NUM_POINTS].reshape(-1, 2)
        found = generate(experiment.model, params, jax.random.key(_KEY), len(panels["data"]))
        panels[METHODS[method]] = found.image.reshape(-1, 2)
    return figures.sample_panels(panels, limits_of="data", columns=4)


def _walk_of(data: str) -> Figure:
    experiment, params = _member(data, "vdae")
    return figure_of(experiment, params, data)


PICTURES = {
    "walk_loop": lambda: _walk_of("loop"),
    "codes_turntable": lambda: codes_of("turntable"),
    "codes_coil20_object": lambda: codes_of("coil20_object"),
    "single_seed": single_seed,
    "walk_mnist": lambda: _walk_of("mnist"),
    "samples_gaussian_grid": samples_of_clusters,
}


def main(argv: list[str]) -> None:
    """Draws what can be drawn."""
    del argv
    log_to_console()
    drawn = 0
    for name, draw in PICTURES.items():
        try:
            figure = draw()
        except FileNotFoundError as error:
            LOGGER.warning("%s is left out: %s has not been run", name, error.filename)
            continue
        figures.save(figure, Path(_FIGURES.value).expanduser() / f"{name}.png")
        drawn += 1
    if not drawn:
        raise UsageError(f"--workdir={_WORKDIR.value} holds no runs of compare.py")


if __name__ == "__main__":
    launch(main)

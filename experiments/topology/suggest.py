"""Is the right manifold suggested? Clouds of nine spaces in R^50 with noise, turning objects, and cells.

    python -m experiments.topology.suggest [--clouds=20] [--coil=DIR] [--cells=FILE] [--spaces=torus,sphere]

Printed is a line for each cloud, then a table: how often the true space came first, how often it was called certain,
how often another was, and the longest time. Run time on two CPU cores: 15 minutes for 20 clouds of each space.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from absl import flags
from scipy.spatial.transform import Rotation

from mvae.data import from_file, load
from mvae.programs import launch
from mvae.topology import suggest_manifold

_CLOUDS = flags.DEFINE_integer("clouds", 20, "Clouds of each space; 0 for none.", lower_bound=0)
_SPACES = flags.DEFINE_list("spaces", [], "Which spaces; all if empty.")
_NOISE = flags.DEFINE_float("noise", 0.05, "Standard deviation of each feature, in units of the radius.")
_SEED = flags.DEFINE_integer("seed", 2024, "Of the clouds; those that the rule was chosen on had 1, 2 and 7.")
_COIL = flags.DEFINE_string("coil", None, "Folder with COIL-20; none if not given.")
_CELLS = flags.DEFINE_string("cells", None, "File of cells with X_pca, .h5ad; none if not given.")
FEATURES = 50


def _angle(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.uniform(0, 2 * np.pi, n)


def _around_tube(rng: np.random.Generator, n: int) -> np.ndarray:
    """Angles around a tube of radius 1 about a circle of radius 2, uniform by area."""
    drawn = _angle(rng, 4 * n)
    return drawn[rng.uniform(size=4 * n) < (2 + np.cos(drawn)) / 3][:n]


def _interval(rng: np.random.Generator, n: int, *, curved: bool = False) -> np.ndarray:
    t = rng.uniform(-1, 1, n)
    turn = 0.6 * np.pi * t
    return np.stack([np.cos(turn), np.sin(turn), t / 2], axis=1) if curved else t[:, None]


def _disc(rng: np.random.Generator, n: int, *, curved: bool = False) -> np.ndarray:
    radius, angle = np.sqrt(rng.uniform(size=n)), _angle(rng, n)
    flat = [radius * np.cos(angle), radius * np.sin(angle)]
    return np.stack([*flat, radius**2 / 2] if curved else flat, axis=1)


def _circle(rng: np.random.Generator, n: int, *, curved: bool = False) -> np.ndarray:
    angle = _angle(rng, n)
    if curved:
        return np.stack([1.5 * np.cos(angle), np.sin(angle), np.cos(2 * angle) / 2], axis=1)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _sphere(rng: np.random.Generator, n: int, *, curved: bool = False) -> np.ndarray:
    z = rng.normal(size=(n, 3))
    return z / np.linalg.norm(z, axis=1, keepdims=True) * (np.array([1.3, 1, 0.9]) if curved else 1)


def _torus(rng: np.random.Generator, n: int, *, curved: bool = False) -> np.ndarray:
    a = _angle(rng, n)
    if curved:
        b = _around_tube(rng, n)
        return np.stack([(2 + np.cos(b)) * np.cos(a), (2 + np.cos(b)) * np.sin(a), np.sin(b)], axis=1)
    b = _angle(rng, n)
    return np.stack([np.cos(a), np.sin(a), np.cos(b), np.sin(b)], axis=1)


def _projective_plane(rng: np.random.Generator, n: int, *, curved: bool = False) -> np.ndarray:
    z = _sphere(rng, n)
    products = z[:, :, None] * z[:, None, :] * (np.array([1, 1, 1.2]) if curved else 1)
    return products.reshape(n, 9)


def _klein_bottle(rng: np.random.Generator, n: int, *, curved: bool = False) -> np.ndarray:
    a, b = _angle(rng, n), _around_tube(rng, n)
    wide = 1.2 if curved else 1.0
    ring = [(2 + np.cos(b)) * np.cos(a), wide * (2 + np.cos(b)) * np.sin(a)]
    return np.stack([*ring, np.sin(b) * np.cos(a / 2), np.sin(b) * np.sin(a / 2)], axis=1)


def _rotations(rng: np.random.Generator, n: int, *, curved: bool = False) -> np.ndarray:
    matrices = Rotation.random(n, rng).as_matrix()
    return (matrices * (np.array([1, 1.1, 0.9]) if curved else 1)).reshape(n, 9)


def _two_circles(rng: np.random.Generator, n: int, *, curved: bool = False) -> np.ndarray:
    a, second = _angle(rng, n), rng.integers(0, 2, n)
    if not curved:
        return np.stack([np.cos(a) + 3 * second, np.sin(a)], axis=1)
    first = np.stack([np.cos(a), np.sin(a), 0 * a], axis=1)
    return np.where(second[:, None] == 0, first, np.stack([1 + np.cos(a), 0 * a, np.sin(a)], axis=1))  # linked


class _Kind(NamedTuple):
    """A space: its name among the suggestions, and (generator, n, curved=bent more) -> points."""

    name: str
    points: Callable[..., np.ndarray]


KINDS = {
    "interval": _Kind("interval", _interval),
    "circle": _Kind("circle", _circle),
    "disc": _Kind("disc", _disc),
    "sphere": _Kind("sphere", _sphere),
    "torus": _Kind("torus", _torus),
    "projective_plane": _Kind("projective plane", _projective_plane),
    "klein_bottle": _Kind("Klein bottle", _klein_bottle),
    "rotations": _Kind("rotations SO(3)", _rotations),
    "two_circles": _Kind("2 parts: circle, circle", _two_circles),
}


def cloud(kind: str, index: int, num: int, noise: float, seed: int) -> np.ndarray:
    """Returns cloud `index` of `num` of a space: 500 to 2000 points in R^50, a random isometry, and noise.

    The radius is the root mean square distance of the points from their mean. Clouds of odd index are bent more.
    """
    rng = np.random.default_rng([seed, list(KINDS).index(kind), index])
    points = KINDS[kind].points(rng, round(500 + 1500 * index / max(num - 1, 1)), curved=index % 2 == 1)
    points = points - points.mean(axis=0)
    radius = np.sqrt(np.square(points).sum(axis=1).mean())
    frame = np.linalg.qr(rng.normal(size=(FEATURES, points.shape[1])))[0]
    return points @ frame.T + noise * radius * rng.normal(size=(len(points), FEATURES))


class _Row(NamedTuple):
    """What was suggested for one cloud."""

    right: bool
    certain: bool
    seconds: float


def _try(label: str, x: np.ndarray, wanted: str) -> _Row:
    begin = time.perf_counter()
    first, second = suggest_manifold(x)[:2]
    row = _Row(first.name == wanted, first.certain, time.perf_counter() - begin)
    verdict = f"{first.name}{', certain' if first.certain else ''}"
    print(
        f"{label}: {verdict} ({first.agreement:.3f}; then {second.name}, {second.agreement:.3f}; {row.seconds:.0f} s)"
    )
    return row


def _line(name: str, rows: list[_Row]) -> str:
    right = [row for row in rows if row.right]
    wrong = sum(row.certain and not row.right for row in rows)
    certain, longest = sum(row.certain for row in right), max(row.seconds for row in rows)
    return f"| {name} | {len(right)} of {len(rows)} | {certain} | {wrong} | {longest:.0f} |"


def _rows_of_data(path: str) -> np.ndarray:
    dataset = from_file(path, layer="X_pca", scale="none")
    return np.concatenate([np.asarray(part["x"]) for part in (dataset.train, dataset.test)])


def _views(folder: str, number: int) -> np.ndarray:
    """All 72 views of an object, shuffled."""
    dataset = load("coil20", dir=folder, size=32, object=number)
    images = np.concatenate([np.asarray(part["x"]) for part in (dataset.train, dataset.test)]).astype(np.float64)
    return images[np.random.default_rng(number).permutation(len(images))]


def main(argv: list[str]) -> None:
    """Suggests, and prints the table."""
    del argv
    table = {}
    for kind in _SPACES.value or KINDS if _CLOUDS.value else ():
        clouds = (cloud(kind, i, _CLOUDS.value, _NOISE.value, _SEED.value) for i in range(_CLOUDS.value))
        table[KINDS[kind].name] = [_try(f"{kind} {i}", x, KINDS[kind].name) for i, x in enumerate(clouds)]
    if _COIL.value:
        table["COIL-20"] = [_try(f"object {i}", _views(_COIL.value, i), "circle") for i in range(1, 21)]
    if _CELLS.value:
        table["cells"] = [_try("cells", _rows_of_data(_CELLS.value), "none of these")]
    print("\n| space | first | of these certain | another certain | longest (s) |\n|---|---|---|---|---|")
    for name, rows in table.items():
        print(_line(name, rows))


if __name__ == "__main__":
    launch(main)

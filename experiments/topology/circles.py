"""Turning objects with a near symmetry: does a coordinate of the views turn once with the object?

    python -m experiments.topology.circles [--views=72] [--objects=10]

An object is a sphere with bumps that repeat 2, 3 or 4 times around its axis, and bumps of a given share of their height
that do not. It is rendered at even or random azimuths, and the views are shuffled. Printed is, for each object and
share, how many views have one of a symmetric azimuth nearer than both neighbours, or nearer than the farther one, how
often the coordinate turns with the object, and how often the class does that it comes from. Run time on two CPU cores:
10 minutes.
"""

import itertools
import time

import numpy as np
from absl import flags

from mvae.data.factors import rotations
from mvae.data.meshes import Mesh, icosphere, in_unit_ball, render_views
from mvae.programs import launch
from mvae.topology import circular_coordinates, winding_matrix

_VIEWS = flags.DEFINE_integer("views", 72, "Views of each object.", lower_bound=16)
_OBJECTS = flags.DEFINE_integer("objects", 10, "Objects of each share.", lower_bound=1)
_SHARES = flags.DEFINE_list("shares", ["0.3", "0.1", "0.03"], "Heights of the bumps that break the symmetry.")
_AZIMUTHS = flags.DEFINE_enum("azimuths", "even", ("even", "random"), "Of the views.")
SIDE = 32
ELEVATION = 0.3  # radians


def object_of(index: int, share: float) -> tuple[Mesh, int]:
    """Returns an object and the order of its near symmetry: 2, 3 or 4."""
    rng, fold = np.random.default_rng([24, index]), 2 + index % 3
    sphere = icosphere(4)
    directions = rng.normal(size=(2, 4, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    heights, sharpness = rng.uniform(0.3, 0.7, (2, 4)), rng.uniform(6, 14, (2, 4))
    around = rotations(np.zeros(fold), 2 * np.pi * np.arange(fold) / fold)

    def bumps(kind: int, direction: np.ndarray, bump: int) -> np.ndarray:
        return heights[kind, bump] * np.exp(sharpness[kind, bump] * (sphere.vertices @ direction - 1))

    repeated = np.sum([bumps(0, turn @ directions[0, b], b) for b in range(4) for turn in around], axis=0)
    others = np.sum([bumps(1, directions[1, b], b) for b in range(4)], axis=0)
    return in_unit_ball(Mesh((1 + repeated + share * others)[:, None] * sphere.vertices, sphere.faces)), fold


def azimuths_of(index: int) -> np.ndarray:
    """Returns the azimuths of the views of an object in radians, in random order."""
    rng, num = np.random.default_rng([25, index]), _VIEWS.value
    if _AZIMUTHS.value == "random":
        return rng.uniform(0, 2 * np.pi, num)
    return 2 * np.pi * rng.permutation(num) / num


def confused(views: np.ndarray, azimuths: np.ndarray) -> tuple[int, int]:
    """Returns how many views have one over 30° away nearer than both neighbours, and than the farther of the two."""
    distances = np.linalg.norm(views[:, None] - views[None], axis=-1)
    order = np.argsort(azimuths)
    steps = distances[order, np.roll(order, -1)]
    both = np.stack([steps, np.roll(steps, 1)])
    apart = np.abs((azimuths[:, None] - azimuths[None] + np.pi) % (2 * np.pi) - np.pi)
    far = np.where(apart > np.pi / 6, distances, np.inf).min(axis=1)[order]
    return int((far < both.min(axis=0)).sum()), int((far < both.max(axis=0)).sum())


def line(index: int, share: float) -> str:
    """Returns the row of an object."""
    mesh, fold = object_of(index, share)
    azimuths = azimuths_of(index)
    images = render_views(mesh, rotations(np.full(len(azimuths), ELEVATION), azimuths), SIDE)
    views = images.reshape(len(images), -1) / 255.0
    begin = time.perf_counter()
    found = circular_coordinates(views, num_landmarks=100, num_classes=3, covers=(1, 2, 3, 4, 6))
    seconds = time.perf_counter() - begin
    winding, consistent = winding_matrix(found.angles[np.argsort(azimuths)][:, None])
    both, farther = confused(views, azimuths)
    turns = f"{abs(winding[0, 0])}{'' if consistent == 1 else ' (torn)'}"
    return (
        f"| {index + 1} | {fold} | {share:g} | {both} | {farther} | {turns} | {found.chosen.winding} | {seconds:.0f} |"
    )


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    print("| object | fold | share | confused with both | with the farther | turns | of the class | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for share, index in itertools.product(map(float, _SHARES.value), range(_OBJECTS.value)):
        print(line(index, share), flush=True)


if __name__ == "__main__":
    launch(main)

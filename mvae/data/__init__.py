"""Data sets by name: arrays on the device and a pure function that renders batches."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from mvae.data.dataset import Dataset, Scaling
from mvae.data.digits.mnist import mnist, mnist_of_records
from mvae.data.digits.rotated_mnist import rotated_mnist
from mvae.data.digits.rotation import rotate
from mvae.data.factors.cars3d import cars3d
from mvae.data.factors.coil20 import coil20
from mvae.data.factors.dsprites import dsprites
from mvae.data.factors.shapes3d import shapes3d
from mvae.data.factors.smallnorb import smallnorb
from mvae.data.factors.tumbled import tumbled
from mvae.data.factors.turntable import turntable
from mvae.data.frey import frey
from mvae.data.graph import rendered, with_graph
from mvae.data.lifted import lifted
from mvae.data.meshes.mesh_points import bunny
from mvae.data.meshes.surface_distance import surface_distance
from mvae.data.neurons import LATTICE, Population, grid_cells, head_direction_cells, population
from mvae.data.own.arrays import NAME as ARRAYS
from mvae.data.own.arrays import from_arrays, from_file
from mvae.data.pictures import (
    Picture,
    fourier_picture,
    fourier_pictures,
    random_translations,
    simple_picture,
    simple_pictures,
    translate,
    translation_grid,
)
from mvae.data.planar import PlanarManifold, concentric_circles, planar_manifold, swiss_roll
from mvae.data.point_clouds import circle, gaussian_grid, loop, sphere, torus, two_moons
from mvae.data.stream import on_host
from mvae.data.tree import binary_tree, tree_distances, tree_nodes
from mvae.errors import UsageError, unknown

__all__ = [
    "ARRAYS",
    "BUILDERS",
    "LATTICE",
    "Dataset",
    "Picture",
    "PlanarManifold",
    "Population",
    "Scaling",
    "fourier_picture",
    "from_arrays",
    "from_file",
    "load",
    "load_streamed",
    "planar_manifold",
    "population",
    "random_translations",
    "rendered",
    "rotate",
    "simple_picture",
    "surface_distance",
    "translate",
    "translation_grid",
    "tree_distances",
    "tree_nodes",
    "with_graph",
]

BUILDERS: dict[str, Callable[..., Dataset]] = {
    "binary_tree": binary_tree,
    "bunny": bunny,
    "cars3d": cars3d,
    "circle": circle,
    "coil20": coil20,
    "concentric_circles": concentric_circles,
    "dsprites": dsprites,
    "file": from_file,
    "fourier_picture": fourier_pictures,
    "frey": frey,
    "gaussian_grid": gaussian_grid,
    "grid_cells": grid_cells,
    "head_direction_cells": head_direction_cells,
    "lifted": lifted,
    "loop": loop,
    "mnist": mnist,
    "rotated_mnist": rotated_mnist,
    "shapes3d": shapes3d,
    "simple_picture": simple_pictures,
    "smallnorb": smallnorb,
    "sphere": sphere,
    "swiss_roll": swiss_roll,
    "torus": torus,
    "tumbled": tumbled,
    "turntable": turntable,
    "two_moons": two_moons,
}
# Those that can leave their training rows in a file, with the same options; all others keep them in memory.
OF_RECORDS: dict[str, Callable[..., Dataset]] = {"mnist": mnist_of_records}


def load(name: str, **options: Any) -> Dataset:
    """Returns the data set of that name, its arrays on the default device.

    Args:
        name: One of `BUILDERS`.
        **options: Options of that builder; those left out keep their defaults.

    Raises:
        UsageError: If the name or an option is not known, an option is out of range, or data are missing or damaged.

    >>> dataset = load("simple_picture", size=16, num_train=100)
    >>> dataset.event_shape, dataset.train["translation"].shape
    ((16, 16, 1), (100, 2))
    """
    return _build(BUILDERS, name, options)


def load_streamed(name: str, **options: Any) -> Dataset:
    """Returns the data set of that name, its training rows on the host for `mvae.engine` to stream.

    Those of MNIST without the option `dir` stay in the file that tensorflow-datasets has prepared; those of other data
    sets, and of MNIST in a folder, lie in the memory of the host. Test rows are on the default device.

    Args:
        name: One of `BUILDERS`.
        **options: As for `load`.

    Raises:
        UsageError: As for `load`, and if jax has been told to leave the CPU alone.

    >>> dataset = load_streamed("simple_picture", size=16, num_train=100)
    >>> dataset.num_train, type(dataset.train["translation"]).__name__
    (100, 'ndarray')
    """
    return on_host(lambda: _build(BUILDERS | OF_RECORDS, name, options))


def given() -> NoReturn:
    """Stands for the data of a run that were given as arrays.

    Raises:
        UsageError: Always; there is no loading them by a name.
    """
    raise UsageError("the data 'arrays' were given to mvae.train, which reads them from no file: call it with the same")


def _build(builders: Mapping[str, Callable[..., Dataset]], name: str, options: Mapping[str, Any]) -> Dataset:
    if name == ARRAYS:
        given()
    if name not in builders:
        raise unknown("data set", name, builders)
    builder = builders[name]
    known = inspect.signature(builder).parameters
    for option in options:
        if option not in known:
            raise unknown(f"option of the data set {name}", option, known)
    return builder(**options)

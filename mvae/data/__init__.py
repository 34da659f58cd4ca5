"""Data sets by name: arrays on the device and a pure function that renders batches."""

import inspect
from collections.abc import Callable
from typing import Any

from mvae.data.cars3d import cars3d
from mvae.data.coil20 import coil20
from mvae.data.dataset import Dataset
from mvae.data.dsprites import dsprites
from mvae.data.frey import frey
from mvae.data.lifted import lifted
from mvae.data.mesh_points import bunny
from mvae.data.mnist import mnist
from mvae.data.pictures import fourier_pictures, simple_pictures
from mvae.data.planar import PlanarManifold, concentric_circles, planar_manifold, swiss_roll
from mvae.data.point_clouds import circle, gaussian_grid, loop, sphere, torus, two_moons
from mvae.data.rotated_mnist import rotated_mnist
from mvae.data.rotation import rotate
from mvae.data.shapes3d import shapes3d
from mvae.data.smallnorb import smallnorb
from mvae.data.surface_distance import surface_distance
from mvae.data.turntable import turntable
from mvae.errors import unknown

__all__ = ["BUILDERS", "Dataset", "PlanarManifold", "load", "planar_manifold", "rotate", "surface_distance"]

BUILDERS: dict[str, Callable[..., Dataset]] = {
    "bunny": bunny,
    "cars3d": cars3d,
    "circle": circle,
    "coil20": coil20,
    "concentric_circles": concentric_circles,
    "dsprites": dsprites,
    "fourier_picture": fourier_pictures,
    "frey": frey,
    "gaussian_grid": gaussian_grid,
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
    "turntable": turntable,
    "two_moons": two_moons,
}


def load(name: str, **options: Any) -> Dataset:
    """Returns the data set of that name, its arrays on the default device.

    Args:
      name: one of `BUILDERS`.
      **options: options of that builder; those left out keep their defaults.

    Raises:
      UsageError: if the name or an option is not known, an option is out of range, or data are missing or
        damaged.

    >>> dataset = load("simple_picture", size=16, num_train=100)
    >>> dataset.image_shape, dataset.train["translation"].shape
    ((16, 16, 1), (100, 2))
    """
    if name not in BUILDERS:
        raise unknown("data set", name, BUILDERS)
    builder = BUILDERS[name]
    known = inspect.signature(builder).parameters
    for option in options:
        if option not in known:
            raise unknown(f"option of the data set {name}", option, known)
    return builder(**options)

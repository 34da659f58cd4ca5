"""Data sets by name: arrays on the device and a pure function that renders batches."""

import inspect
from collections.abc import Callable
from typing import Any

from mvae.data.cars3d import cars3d
from mvae.data.coil20 import coil20
from mvae.data.dataset import Dataset
from mvae.data.dsprites import dsprites
from mvae.data.mnist import mnist
from mvae.data.pictures import fourier_pictures, simple_pictures
from mvae.data.planar import PlanarManifold, concentric_circles, planar_manifold, swiss_roll
from mvae.data.rotated_mnist import rotated_mnist
from mvae.data.rotation import rotate
from mvae.data.shapes3d import shapes3d
from mvae.data.smallnorb import smallnorb
from mvae.data.turntable import turntable
from mvae.errors import unknown

__all__ = ["BUILDERS", "Dataset", "PlanarManifold", "load", "planar_manifold", "rotate"]

BUILDERS: dict[str, Callable[..., Dataset]] = {
    "cars3d": cars3d,
    "coil20": coil20,
    "concentric_circles": concentric_circles,
    "dsprites": dsprites,
    "fourier_picture": fourier_pictures,
    "mnist": mnist,
    "rotated_mnist": rotated_mnist,
    "shapes3d": shapes3d,
    "simple_picture": simple_pictures,
    "smallnorb": smallnorb,
    "swiss_roll": swiss_roll,
    "turntable": turntable,
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

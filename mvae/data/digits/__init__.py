"""MNIST and what is made of it."""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.data.digits.mnist import render
    from mvae.data.digits.mnist_builder import load_prepared
    from mvae.data.digits.mnist_files import FILES, locate

__all__ = [
    "FILES",
    "load_prepared",
    "locate",
    "render",
]

__getattr__ = lazily(
    __name__,
    {
        "mvae.data.digits.mnist": ("render",),
        "mvae.data.digits.mnist_builder": ("load_prepared",),
        "mvae.data.digits.mnist_files": ("FILES", "locate"),
    },
)

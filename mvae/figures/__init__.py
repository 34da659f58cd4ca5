"""Pictures of latent spaces, decoded grids, reconstructions and training curves: arrays in, `Figure` out."""

from mvae.figures.colours import PALETTE, periodic_colours
from mvae.figures.curves import robust_limits, training_curves
from mvae.figures.decoded_grid import decoded_grid, latent_grid
from mvae.figures.latent_space import latent_space
from mvae.figures.mosaic import mosaic
from mvae.figures.reconstructions import reconstructions
from mvae.figures.style import save

__all__ = [
    "PALETTE",
    "decoded_grid",
    "latent_grid",
    "latent_space",
    "mosaic",
    "periodic_colours",
    "reconstructions",
    "robust_limits",
    "save",
    "training_curves",
]

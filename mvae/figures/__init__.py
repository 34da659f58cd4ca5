"""Pictures of latent spaces, walks, orbits, decoded grids, samples and training curves: arrays in, `Figure` out."""

from mvae.figures.colours import PALETTE, periodic_colours
from mvae.figures.curves import robust_limits, training_curves
from mvae.figures.decoded_grid import decoded_grid, latent_grid
from mvae.figures.extrapolated_rows import extrapolated_rows
from mvae.figures.inferred_paths import inferred_paths
from mvae.figures.latent_space import latent_space
from mvae.figures.mosaic import mosaic
from mvae.figures.operator_orbits import operator_orbits
from mvae.figures.pictures_at_codes import pictures_at_codes
from mvae.figures.planar_latent_space import PlanarPanel, planar_latent_space
from mvae.figures.point_panels import PointPanel
from mvae.figures.prior_samples import prior_samples
from mvae.figures.reconstructions import reconstructions
from mvae.figures.reparametrization import reparametrization
from mvae.figures.sample_panels import sample_panels
from mvae.figures.samples_around import samples_around
from mvae.figures.seeded_pictures import seeded_grids, seeded_walks
from mvae.figures.style import save
from mvae.figures.walk_steps import walk_steps

__all__ = [
    "PALETTE",
    "PlanarPanel",
    "PointPanel",
    "decoded_grid",
    "extrapolated_rows",
    "inferred_paths",
    "latent_grid",
    "latent_space",
    "mosaic",
    "operator_orbits",
    "periodic_colours",
    "pictures_at_codes",
    "planar_latent_space",
    "prior_samples",
    "reconstructions",
    "reparametrization",
    "robust_limits",
    "sample_panels",
    "samples_around",
    "save",
    "seeded_grids",
    "seeded_walks",
    "training_curves",
    "walk_steps",
]

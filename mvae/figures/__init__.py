"""Figures of latent spaces, walks, orbits, decoded grids, samples and training curves: arrays in, `Figure` out."""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.figures.curves import robust_limits, training_curves
    from mvae.figures.drawing.colours import PALETTE, periodic_colours
    from mvae.figures.drawing.mosaic import mosaic, shown_images
    from mvae.figures.drawing.style import save
    from mvae.figures.images.decoded_grid import Grid, decoded_grid, grid, latent_grid
    from mvae.figures.images.extrapolated_rows import extrapolated_rows
    from mvae.figures.images.images_at_codes import images_at_codes
    from mvae.figures.images.lines import lines_grid, reconstructed_lines
    from mvae.figures.images.prior_samples import prior_samples
    from mvae.figures.images.reconstructions import reconstructions
    from mvae.figures.images.samples_around import samples_around
    from mvae.figures.images.seeded_images import seeded_grids, seeded_walks
    from mvae.figures.paths.inferred_paths import inferred_paths
    from mvae.figures.paths.operator_orbits import operator_orbits
    from mvae.figures.paths.walk_steps import walk_steps
    from mvae.figures.persistence import persistence_diagrams
    from mvae.figures.spaces.latent_space import Chart, Cloud, chart, latent_space
    from mvae.figures.spaces.planar_latent_space import PlanarPanel, planar_latent_space
    from mvae.figures.spaces.point_panels import PointPanel
    from mvae.figures.spaces.reparametrization import reparametrization
    from mvae.figures.spaces.sample_panels import sample_panels
    from mvae.figures.spaces.surface import Solid, solid

__all__ = [
    "PALETTE",
    "Chart",
    "Cloud",
    "Grid",
    "PlanarPanel",
    "PointPanel",
    "Solid",
    "chart",
    "decoded_grid",
    "extrapolated_rows",
    "grid",
    "images_at_codes",
    "inferred_paths",
    "latent_grid",
    "latent_space",
    "lines_grid",
    "mosaic",
    "operator_orbits",
    "periodic_colours",
    "persistence_diagrams",
    "planar_latent_space",
    "prior_samples",
    "reconstructed_lines",
    "reconstructions",
    "reparametrization",
    "robust_limits",
    "sample_panels",
    "samples_around",
    "save",
    "seeded_grids",
    "seeded_walks",
    "shown_images",
    "solid",
    "training_curves",
    "walk_steps",
]

__getattr__ = lazily(
    __name__,
    {
        "mvae.figures.curves": ("robust_limits", "training_curves"),
        "mvae.figures.drawing.colours": ("PALETTE", "periodic_colours"),
        "mvae.figures.drawing.mosaic": ("mosaic", "shown_images"),
        "mvae.figures.drawing.style": ("save",),
        "mvae.figures.images.decoded_grid": ("Grid", "decoded_grid", "grid", "latent_grid"),
        "mvae.figures.images.extrapolated_rows": ("extrapolated_rows",),
        "mvae.figures.images.lines": ("lines_grid", "reconstructed_lines"),
        "mvae.figures.images.images_at_codes": ("images_at_codes",),
        "mvae.figures.images.prior_samples": ("prior_samples",),
        "mvae.figures.images.reconstructions": ("reconstructions",),
        "mvae.figures.images.samples_around": ("samples_around",),
        "mvae.figures.images.seeded_images": ("seeded_grids", "seeded_walks"),
        "mvae.figures.paths.inferred_paths": ("inferred_paths",),
        "mvae.figures.paths.operator_orbits": ("operator_orbits",),
        "mvae.figures.paths.walk_steps": ("walk_steps",),
        "mvae.figures.persistence": ("persistence_diagrams",),
        "mvae.figures.spaces.latent_space": ("Chart", "Cloud", "chart", "latent_space"),
        "mvae.figures.spaces.planar_latent_space": ("PlanarPanel", "planar_latent_space"),
        "mvae.figures.spaces.point_panels": ("PointPanel",),
        "mvae.figures.spaces.reparametrization": ("reparametrization",),
        "mvae.figures.spaces.sample_panels": ("sample_panels",),
        "mvae.figures.spaces.surface": ("Solid", "solid"),
    },
)

"""What a model decodes: reconstructions, a grid of latent points, or samples of one without an encoder."""

from collections.abc import Iterator

import jax
import numpy as np

from mvae import figures
from mvae.reports.report import Drawing, Figure, Report, View

NUM_RECONSTRUCTIONS = 20
GRID_SIZE = 15
FIGURE_SEED = 0


def draw_decoded(view: View) -> Iterator[tuple[str, Drawing]]:
    """Reconstructions of the first test examples, and a grid of latent points, decoded by the first member."""
    member = view.members[0]

    def reconstructions() -> Figure:
        x, decoded = member.reconstructions(NUM_RECONSTRUCTIONS)
        if view.shows == "line":
            return figures.reconstructed_lines(x.reshape(len(x), -1), decoded.reshape(len(x), -1))
        x, decoded = figures.shown_images(x, decoded)
        return figures.reconstructions(x, decoded)

    def grid() -> Figure:
        manifold = view.model.manifold
        points = figures.latent_grid(manifold, GRID_SIZE, GRID_SIZE, key=jax.random.key(FIGURE_SEED))
        decoded = member.decode(points)
        if view.shows == "line":
            return figures.lines_grid(decoded.reshape(GRID_SIZE, GRID_SIZE, -1))
        (images,) = figures.shown_images(decoded)
        return figures.decoded_grid(images, manifold=manifold)

    yield "reconstructions.png", reconstructions
    # Where a prior is not known to lie, no grid covers it; orbits and walks do.
    if not view.model.capabilities.keys() & {"operators", "walk"}:
        yield "decoded_grid.png", grid


def draw_samples(view: View) -> Iterator[tuple[str, Drawing]]:
    """Samples of the first member, side by side."""

    def samples() -> Figure:
        member = view.members[0]
        sample = view.programs.jit("sample", view.model.sample, static_argnums=2)
        drawn = np.asarray(sample(member.params, jax.random.key(FIGURE_SEED), GRID_SIZE**2))
        drawn = drawn.reshape(GRID_SIZE, GRID_SIZE, *view.dataset.event_shape)
        if view.shows == "line":
            return figures.lines_grid(drawn.reshape(GRID_SIZE, GRID_SIZE, -1))
        (images,) = figures.shown_images(drawn)
        return figures.decoded_grid(images)

    yield "samples.png", samples


DECODED = Report("decoded", lambda view: view.has() and view.shows != "point", figures=draw_decoded)
SAMPLES = Report("samples", lambda view: not view.has() and view.shows != "point", figures=draw_samples)

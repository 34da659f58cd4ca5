"""What a model decodes: reconstructions, a grid of latent points, or samples of one without an encoder."""

import math
from collections.abc import Iterator

import jax
import numpy as np

from mvae import figures
from mvae.reports.report import Drawing, Figure, Report, View

NUM_RECONSTRUCTIONS = 20
GRID_SIZE = 15
FIGURE_SEED = 0


def _side(view: View) -> int:
    """How many examples a grid has along a side: all of them are no more than a batch."""
    return min(GRID_SIZE, math.isqrt(view.programs.batch_size))


def draw_decoded(view: View) -> Iterator[tuple[str, Drawing]]:
    """Reconstructions of the first test examples, and a grid of latent points, decoded by the first member."""
    member, side = view.members[0], _side(view)

    def reconstructions() -> Figure:
        x, decoded = member.reconstructions(min(NUM_RECONSTRUCTIONS, view.programs.batch_size))
        if view.shows == "line":
            return figures.reconstructed_lines(x.reshape(len(x), -1), decoded.reshape(len(x), -1))
        x, decoded = figures.shown_images(x, decoded)
        return figures.reconstructions(x, decoded)

    def grid() -> Figure:
        manifold = view.model.manifold
        points = figures.latent_grid(manifold, side, side, key=jax.random.key(FIGURE_SEED))
        decoded = member.decode(points)
        if view.shows == "line":
            return figures.lines_grid(decoded.reshape(side, side, -1))
        (images,) = figures.shown_images(decoded)
        return figures.decoded_grid(images, manifold=manifold)

    yield "reconstructions.png", reconstructions
    # Where a prior is not known to lie, no grid covers it; orbits and walks do.
    if not view.model.capabilities.keys() & {"operators", "walk"}:
        yield "decoded_grid.png", grid


def draw_samples(view: View) -> Iterator[tuple[str, Drawing]]:
    """Samples of the first member, side by side."""
    side = _side(view)

    def samples() -> Figure:
        member = view.members[0]
        sample = view.programs.jit("sample", view.model.sample, static_argnums=2)
        drawn = np.asarray(sample(member.params, jax.random.key(FIGURE_SEED), side**2))
        drawn = drawn.reshape(side, side, *view.dataset.event_shape)
        if view.shows == "line":
            return figures.lines_grid(drawn.reshape(side, side, -1))
        (images,) = figures.shown_images(drawn)
        return figures.decoded_grid(images)

    yield "samples.png", samples


DECODED = Report("decoded", lambda view: view.has() and view.shows != "point", figures=draw_decoded)
SAMPLES = Report("samples", lambda view: not view.has() and view.shows != "point", figures=draw_samples)

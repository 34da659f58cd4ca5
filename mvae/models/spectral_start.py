"""Spectral initialisation of an encoder's last layer: a diffusion map of the data, laid around the manifold."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.manifolds import Manifold
from mvae.models.location import EmbeddedSpace
from mvae.models.principal_start import prior_scale, turn_to_manifold
from mvae.spectral import diffusion_map, squared_distances

MAX_NEIGHBORS = 5  # more join what a symmetry of the images brings near
MODES_PER_COORDINATE = 2  # modes offered for each ambient coordinate: the first ones may be harmonics of each other
RIDGE = 1e-3
NUM_COMPARED = 512
NEAR = 0.1  # relative squared distances from the manifold well below this one count as equal


def fit_spectral_head(
    key: Key[Array, ""],
    manifold: Manifold | EmbeddedSpace,
    hidden: Float[Array, "b k"],
    x: Float[Array, "b *event"],
) -> tuple[Float[Array, "k n"], Float[Array, " n"]]:
    """Returns kernel and bias of a linear layer whose output lies on the manifold as a diffusion map of the data does.

    1. The slowest 2n modes of the random walk on the batch (`mvae.spectral.diffusion_map`), n the ambient dimension.
       On data that vary along a manifold they are near the first eigenfunctions of its Laplace operator, which embed a
       circle, sphere or flat torus as they lie in R^n, whatever the examples look like.
    2. The turn of these modes into R^n that brings them onto the manifold, by `turn_to_manifold`. Harmonics of one
       direction lie on the manifold too and cover it badly or twice: of all starts that one is taken for which
       (0.1 + E|y - P(y)|² / E|y|²) · E|x - x'|² is smallest, x' the example whose point on the manifold is next to that
       of x.
    3. Ridge regression of the projected points on the hidden layer.

    Args:
        key: Source of the random starts.
        manifold: The latent space.
        hidden: Last hidden layer over a batch.
        x: The batch; the walk costs O(b³).

    Returns:
        Kernel (k, n) and bias (n,).

    Raises:
        ValueError: For a batch of one example.
    """
    n, num = manifold.ambient_dim, hidden.shape[0]
    if num < 2:
        raise ValueError(f"a spectral start needs a batch of two examples or more (init_batch_size), got {num}")
    moment_key, start_key = jax.random.split(key)
    flat = x.reshape(num, -1)
    num_neighbors = max(1, min(MAX_NEIGHBORS, 2 * manifold.dim, num // 10))
    num_modes = min(MODES_PER_COORDINATE * n, num - 1)
    # Images in groups give modes too, those that tell the groups apart; compiled code could not refuse them.
    modes = diffusion_map(flat, num_modes, num_neighbors=num_neighbors, allow_disconnected=True).eigenvectors
    modes = jnp.pad(modes, ((0, 0), (0, max(0, n - modes.shape[1]))))
    scale = prior_scale(moment_key, manifold)
    turns, distances = turn_to_manifold(start_key, manifold, scale * modes)
    compared = slice(None, NUM_COMPARED)
    between = squared_distances(flat[compared])

    def roughness(turn: Array) -> Array:
        """Mean squared difference of examples that are neighbours on the manifold."""
        apart = squared_distances(manifold.project(scale * modes[compared] @ turn))
        nearest = jnp.argmin(jnp.where(jnp.eye(len(apart), dtype=bool), jnp.inf, apart), axis=1)
        return jnp.mean(jnp.take_along_axis(between, nearest[:, None], axis=1))

    relative = distances / (n * scale**2)
    best = jnp.argmin((NEAR + relative) * jax.lax.map(roughness, turns))
    target = manifold.project(scale * modes @ turns[best])
    return _ridge(hidden, target)


def _ridge(hidden: Float[Array, "b k"], target: Float[Array, "b n"]) -> tuple[Float[Array, "k n"], Float[Array, " n"]]:
    """Least squares with an intercept; the penalty is a share of the mean variance of the hidden units."""
    mean, target_mean = jnp.mean(hidden, axis=0), jnp.mean(target, axis=0)
    centred = hidden - mean
    gram = centred.T @ centred
    penalty = RIDGE * jnp.trace(gram) / len(gram) + jnp.finfo(gram.dtype).tiny
    factor = jax.scipy.linalg.cho_factor(gram + penalty * jnp.eye(len(gram)))
    kernel = jax.scipy.linalg.cho_solve(factor, centred.T @ (target - target_mean))
    return kernel, target_mean - mean @ kernel

"""Data-dependent initialisation of an encoder's last layer: the data start out spread over the manifold."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.manifolds import Implicit, Manifold, Product, safe_math
from mvae.models.location import EmbeddedSpace

RESTARTS = 32
ITERATIONS = 60
LEAST_ITERATIONS = 1
WORK = 130_000_000  # of all decompositions, rows · columns · the lesser of both: some ten seconds on a core
SEARCHED_ROWS = 128  # examples that are turned onto a space whose projection may be a search of its own
TIE = 0.01
MOMENT_DRAWS = 4096
SUBSPACE_ITERATIONS = 40
SPARE_DIRECTIONS = 8


@functools.partial(safe_math.inlined, static_argnums=1)
def fit_principal_head(
    key: Key[Array, ""], manifold: Manifold | EmbeddedSpace, hidden: Float[Array, "b k"]
) -> tuple[Float[Array, "k n"], Float[Array, " n"]]:
    """Returns kernel and bias of a linear layer whose output lies around the manifold as the prior does.

    With mean μ and covariance U Λ Uᵀ of the hidden layer over a batch, the layer is
    y = (h - μ) U_n Λ_n^(-1/2) σ R: the n leading principal components, brought to the mean variance σ² of the
    prior's coordinates, and turned by the R in O(n) for which E|y - P(y)|² is smallest, see `turn_to_manifold`.

    Why: a random layer sends all data near one point of the manifold or folds them over it, and a map that
    starts folded hardly ever unfolds. If some linear image of the hidden layer looks like the manifold, this
    starts with it; if none does, the data still start centred and spread. It knows nothing of the data but
    a batch of them.

    Args:
        key: Source of the random starts.
        manifold: The latent space, ambient dimension n.
        hidden: Last hidden layer over a batch, (b, k).

    Returns:
        Kernel (k, n) and bias (n,).
    """
    moment_key, subspace_key, start_key = jax.random.split(key, 3)
    scale = prior_scale(moment_key, manifold)
    directions = _principal_directions(subspace_key, hidden, manifold.ambient_dim)
    mean = jnp.mean(hidden, axis=0)
    rotations, distances = turn_to_manifold(start_key, manifold, scale * (hidden - mean[None]) @ directions)
    # Symmetries of the manifold make many starts end equally near: take the first, not the one rounding favours.
    best = jnp.argmax(distances <= (1 + TIE) * jnp.min(distances))
    kernel = scale * directions @ rotations[best]
    return kernel, -mean @ kernel


def prior_scale(key: Key[Array, ""], manifold: Manifold | EmbeddedSpace) -> Float[Array, ""]:
    """Returns σ, where σ² is the mean variance of the ambient coordinates under the prior; by sampling."""
    return jnp.sqrt(jnp.mean(manifold.uniform(key, (MOMENT_DRAWS,)) ** 2))


def turn_to_manifold(
    key: Key[Array, ""], manifold: Manifold | EmbeddedSpace, x: Float[Array, "b m"]
) -> tuple[Float[Array, "r m n"], Float[Array, " r"]]:
    """Returns matrices R with orthonormal columns that bring x R near the manifold, and the distances E|y - P(y)|².

    Each is the end of an alternation between the projection P and the orthogonal Procrustes problem
    max_R tr(Rᵀ Σ_b x_b P(y_b)ᵀ), one for each of `RESTARTS` random starts, `ITERATIONS` steps long. In many dimensions,
    where a step is a decomposition of a large matrix, there are fewer starts, then fewer steps: see `effort`. Of
    spaces whose projection may be a search, `is_searched`, the first `SEARCHED_ROWS` points are looked at.

    Args:
        key: Source of the random starts.
        manifold: The manifold, of ambient dimension n ≤ m.
        x: Points, centred.
    """
    if is_searched(manifold):
        x = x[:SEARCHED_ROWS]
    restarts, iterations = effort(x.shape[1], manifold.ambient_dim)

    def nearest_turn(target):
        left, _, right = jnp.linalg.svd(x.T @ target, full_matrices=False)
        return left @ right

    def turn(start_key):
        def improve(rotation, _):
            return nearest_turn(manifold.project(x @ rotation)), None

        # Towards noise, not a matrix drawn as such: so the result does not hang on signs and order of the directions.
        start = nearest_turn(jax.random.normal(start_key, (len(x), manifold.ambient_dim)))
        rotation, _ = jax.lax.scan(improve, start, None, length=iterations)
        y = x @ rotation
        return rotation, jnp.mean(jnp.sum((y - manifold.project(y)) ** 2, axis=-1))

    return jax.vmap(turn)(jax.random.split(key, restarts))


def is_searched(manifold: Manifold | EmbeddedSpace) -> bool:
    """Returns whether the projection onto a space may take an iteration: embedded spaces, surfaces of an equation."""
    if isinstance(manifold, Product):
        return any(is_searched(factor) for factor in manifold.factors)
    return isinstance(manifold, EmbeddedSpace | Implicit)


def effort(rows: int, columns: int) -> tuple[int, int]:
    """Returns the starts and the steps of each for matrices of a size, so that the time of all is bounded.

    >>> effort(20, 20), effort(100, 100), effort(2000, 2000)
    ((32, 60), (2, 60), (1, 1))
    """
    steps = WORK // (rows * columns * min(rows, columns))
    restarts = min(max(steps // ITERATIONS, 1), RESTARTS)
    return restarts, min(max(steps // restarts, LEAST_ITERATIONS), ITERATIONS)


def _principal_directions(key: Key[Array, ""], hidden: Float[Array, "b k"], n: int) -> Float[Array, "k n"]:
    """Leading principal directions over their standard deviations; zeros where there are fewer than n.

    By subspace iteration with a few directions to spare and a Rayleigh-Ritz step: on CPU a full
    eigendecomposition of 512 × 512 takes jax seconds. Directions with less than 1e-6 of the largest variance are
    not blown up beyond that bound.
    """
    centred = hidden - jnp.mean(hidden, axis=0, keepdims=True)
    covariance = centred.T @ centred / hidden.shape[0]
    width = hidden.shape[-1]
    start = jax.random.normal(key, (width, min(n + SPARE_DIRECTIONS, width)))

    def iterate(basis, _):
        return jnp.linalg.qr(covariance @ basis)[0], None

    basis, _ = jax.lax.scan(iterate, jnp.linalg.qr(start)[0], None, length=SUBSPACE_ITERATIONS)
    variances, coordinates = jnp.linalg.eigh(basis.T @ covariance @ basis)
    variances, directions = variances[::-1][:n], (basis @ coordinates)[:, ::-1][:, :n]
    bounded = jnp.maximum(variances, 1e-6 * variances[0] + jnp.finfo(hidden.dtype).tiny)
    return jnp.pad(directions / jnp.sqrt(bounded)[None], ((0, 0), (0, n - directions.shape[1])))

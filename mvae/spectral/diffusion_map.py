"""Diffusion maps of point clouds, by dense eigendecomposition."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.spectral.affinity import gaussian_affinity


class DiffusionMap(NamedTuple):
    """The slowest modes of the random walk on a point cloud, the constant one left out.

    Attributes:
        eigenvalues: λ_1 ≥ λ_2 ≥ … of the Markov matrix, below λ_0 = 1.
        eigenvectors: ψ_j in column j, with Σ_i π_i ψ_j(x_i) ψ_k(x_i) = δ_jk for the stationary distribution π: of mean
            square about 1.
        stationary: π, which sums to 1.
    """

    eigenvalues: Float[Array, " k"]
    eigenvectors: Float[Array, "n k"]
    stationary: Float[Array, " n"]

    def coordinates(self, time: float = 1.0) -> Float[Array, "n k"]:
        """Returns the diffusion coordinates λ_j^t ψ_j(x_i) after t steps of the walk."""
        return self.eigenvalues**time * self.eigenvectors


def diffusion_map(
    x: Float[Array, "n d"],
    num_components: int,
    *,
    num_neighbors: int = 10,
    bandwidth: float | None = None,
    alpha: float = 1.0,
) -> DiffusionMap:
    """Returns the eigenvectors of the random walk P on the points, the constant one left out.

    W is `gaussian_affinity`; with q_i = Σ_j W_ij its density is divided out to the power α,
    W'_ij = W_ij / (q_i q_j)^α, and P = D⁻¹ W' with D = diag(Σ_j W'_ij). P has the eigenvalues of the symmetric
    D^(-1/2) W' D^(-1/2), which is decomposed; that costs O(n³). A graph that falls into parts has one more eigenvalue
    of 1 for each part.

    For many points of density p on a manifold of dimension d, and small scales, 1 - P is proportional to

    - Δ + (2 - 2α) ∇log p · ∇ with one bandwidth: the Laplace operator for α = 1, whatever the density;
    - Δ + (1 - 2/d) ∇log p · ∇ with local scales, where the sums q are all about equal and α does next to nothing.

    Args:
        x: Points, one a row.
        num_components: k, from 1 to n - 1.
        num_neighbors: Which neighbour gives a point its local scale.
        bandwidth: One scale for all points, in units of length, in place of the local ones.
        alpha: α in [0, 1].

    Raises:
        ValueError: For arguments out of range, or x not a matrix of floats.

    Source: Coifman & Lafon, Diffusion maps, 2006, sections 2 and 3; the limit with local scales after Berry & Harlim,
    Variable bandwidth diffusion kernels, 2016, with β = -1/d.
    """
    x = jnp.asarray(x)
    affinity = gaussian_affinity(x, num_neighbors=num_neighbors, bandwidth=bandwidth)
    if not 1 <= num_components < len(x):
        raise ValueError(f"num_components must lie in [1, n - 1] with n = {len(x)} points, got {num_components}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie in [0, 1], got {alpha}")
    density = jnp.sum(affinity, axis=1) ** alpha
    affinity = affinity / (density[:, None] * density[None, :])
    degree = jnp.sum(affinity, axis=1)
    root = jnp.sqrt(degree)
    values, vectors = jnp.linalg.eigh(affinity / (root[:, None] * root[None, :]))
    slowest = slice(-2, -2 - num_components, -1)
    total = jnp.sum(degree)
    return DiffusionMap(values[slowest], vectors[:, slowest] * jnp.sqrt(total) / root[:, None], degree / total)

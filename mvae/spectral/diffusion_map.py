"""Diffusion maps of point clouds, by dense or sparse eigendecomposition."""

import functools
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.sparse
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from mvae.spectral.affinity import affinity_and_scales
from mvae.spectral.checks import check_count, check_points
from mvae.spectral.modes import Modes, SparseMethod, slowest_modes
from mvae.spectral.sparse_affinity import SparseAffinity, connected_components, sparse_gaussian_affinity

METHODS = ("dense", "lanczos", "inverse", "lobpcg")
_LINKS = 4  # neighbours linked for each that the local scale counts: weights beyond are below e^-4 in two dimensions


class DiffusionMap(NamedTuple):
    """The slowest modes of the random walk on a point cloud, the constant one left out.

    Attributes:
        eigenvalues: λ_1 ≥ λ_2 ≥ … of the Markov matrix, below λ_0 = 1.
        eigenvectors: ψ_j in column j, with Σ_i π_i ψ_j(x_i) ψ_k(x_i) = δ_jk for the stationary distribution π: of mean
            square about 1.
        stationary: π, which sums to 1.
        scales: s_i of the affinity, in the unit of x.
        density: q_i^α, by which the affinity was divided.
        radii: Distance up to which x_i is linked to others, and further where they reach it; on the complete graph
            the largest number there is.
    """

    eigenvalues: Float[Array, " k"]
    eigenvectors: Float[Array, "n k"]
    stationary: Float[Array, " n"]
    scales: Float[Array, " n"]
    density: Float[Array, " n"]
    radii: Float[Array, " n"]

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
    method: Literal["dense"] | SparseMethod = "dense",
    graph_neighbors: int | None = None,
    allow_disconnected: bool = False,
    tolerance: float | None = None,
    max_iterations: int | None = None,
) -> DiffusionMap:
    """Returns the eigenvectors of the random walk P on the points, the constant one left out.

    W is `gaussian_affinity`, or `sparse_gaussian_affinity` for the sparse methods; with q_i = Σ_j W_ij its density is
    divided out to the power α, W'_ij = W_ij / (q_i q_j)^α, and P = D⁻¹ W' with D = diag(Σ_j W'_ij). P has the
    eigenvalues of the symmetric S = D^(-1/2) W' D^(-1/2), which is decomposed. A graph that falls into parts has one
    more eigenvalue of 1 for each further part, whose modes tell the parts apart and nothing else.

    - "dense": all of S, O(n³), in the precision of x; the one method for compiled code.
    - "lanczos": products with a sparse S, float64 on the host. Modes near 1 take about (1 - λ)^(-1/2) products each.
    - "inverse": Lanczos with the inverse, from a sparse factorisation. By far the fastest on curves and surfaces, where
      the factors stay sparse; on data of many dimensions they fill the memory.
    - "lobpcg": products with blocks of vectors, in the precision of x on the device. In float32 it tells modes apart
      where 1 - λ is above about 1e-3.

    For many points of density p on a manifold of dimension d, and small scales, 1 - P is proportional to

    - Δ + (2 - 2α) ∇log p · ∇ with one bandwidth: the Laplace operator for α = 1, whatever the density;
    - Δ + (1 - 2/d) ∇log p · ∇ with local scales, where the sums q are all about equal and α does next to nothing.

    Args:
        x: Points, one a row.
        num_components: k, from 1 to n - 1.
        num_neighbors: Which neighbour gives a point its local scale.
        bandwidth: One scale for all points, in units of length, in place of the local ones.
        alpha: α in [0, 1].
        method: How S is made and decomposed, see above.
        graph_neighbors: For the sparse methods, how many nearest points each one is linked to; None for four times
            num_neighbors, all others at most.
        allow_disconnected: Whether to accept a graph in parts. In compiled code it is always accepted.
        tolerance: For the sparse methods, the bound on |S v - λ v| / (1 - λ); None for 1e-6, or 1e-2 with LOBPCG in
            float32.
        max_iterations: Restarts of Lanczos or steps of LOBPCG; None for 1000.

    Raises:
        ValueError: For arguments out of range, x not a matrix of floats; outside of compiled code also for x not
            finite, or a graph in parts that was not allowed.
        RuntimeError: If a sparse method did not reach the tolerance, with the residuals.

    Source: [coifman2006, Secs. 2 and 3]; the limit with local scales after [berry2016] with β = -1/d.
    """
    x = check_points("x", x)
    if not 1 <= num_components < len(x):
        raise ValueError(f"num_components must lie in [1, n - 1] with n = {len(x)} points, got {num_components}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie in [0, 1], got {alpha}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if method == "dense":
        if not (graph_neighbors is None and tolerance is None and max_iterations is None):
            raise ValueError(
                "graph_neighbors, tolerance and max_iterations are for the sparse methods, not for 'dense'"
            )
        return _dense(x, num_components, num_neighbors, bandwidth, alpha, allow_disconnected=allow_disconnected)
    affinity = _sparse_affinity(x, num_neighbors, bandwidth, graph_neighbors)
    parts = connected_components(affinity.matrix)
    _check_parts(parts, allow_disconnected=allow_disconnected)
    solver = functools.partial(
        slowest_modes, method=method, dtype=x.dtype, tolerance=tolerance, max_iterations=max_iterations
    )
    return _sparse(affinity, parts, num_components, alpha, solver, x.dtype)


def _sparse_affinity(
    x: Float[Array, "n d"], num_neighbors: int, bandwidth: float | None, graph_neighbors: int | None
) -> SparseAffinity:
    check_count("num_neighbors", num_neighbors, len(x) - 1, f"{len(x)} points of which each leaves itself out")
    links = min(_LINKS * num_neighbors, len(x) - 1) if graph_neighbors is None else graph_neighbors
    scale = None if bandwidth is not None else num_neighbors
    return sparse_gaussian_affinity(x, num_neighbors=links, scale_neighbor=scale, bandwidth=bandwidth)


def _sparse(
    graph: SparseAffinity,
    parts: Int[np.ndarray, " n"],
    num_components: int,
    alpha: float,
    solver: Callable[[scipy.sparse.csr_array, np.ndarray, int], Modes],
    dtype: jnp.dtype,
) -> DiffusionMap:
    """The modes of a sparse graph; those that tell its parts apart are known beforehand."""
    symmetric, density, degree = _normalised(graph.matrix, alpha)
    root = np.sqrt(degree)
    known = _part_modes(root, parts)
    values, vectors = np.ones(known.shape[1] - 1), known[:, 1:]
    rest = num_components - len(values)
    if rest > 0:
        slowest = solver(symmetric, known, rest)
        values, vectors = np.append(values, slowest[0]), np.concatenate([vectors, slowest[1]], axis=1)
    total = np.sum(degree)
    vectors = vectors[:, :num_components] * np.sqrt(total) / root[:, None]
    leaves = (values[:num_components], vectors, degree / total, graph.scales, density, graph.radii)
    return DiffusionMap(*(jnp.asarray(leaf, dtype) for leaf in leaves))


def _dense(
    x: Float[Array, "n d"],
    num_components: int,
    num_neighbors: int,
    bandwidth: float | None,
    alpha: float,
    *,
    allow_disconnected: bool,
) -> DiffusionMap:
    affinity, scales = affinity_and_scales(x, num_neighbors, bandwidth)
    if not (allow_disconnected or isinstance(affinity, Tracer)):
        # Parts that are linked by less than rounding have an eigenvalue that cannot be told from 1.
        linked = np.asarray(affinity) > float(jnp.finfo(x.dtype).eps)
        _check_parts(connected_components(linked), allow_disconnected=False)
    density = jnp.sum(affinity, axis=1) ** alpha
    affinity = affinity / (density[:, None] * density[None, :])
    degree = jnp.sum(affinity, axis=1)
    root = jnp.sqrt(degree)
    values, vectors = jnp.linalg.eigh(affinity / (root[:, None] * root[None, :]))
    slowest = slice(-2, -2 - num_components, -1)
    total = jnp.sum(degree)
    vectors = vectors[:, slowest] * jnp.sqrt(total) / root[:, None]
    radii = jnp.full_like(scales, jnp.finfo(x.dtype).max)
    return DiffusionMap(values[slowest], vectors, degree / total, scales, density, radii)


def _check_parts(parts: Int[np.ndarray, " n"], *, allow_disconnected: bool) -> None:
    sizes = np.bincount(parts)
    if len(sizes) > 1 and not allow_disconnected:
        raise ValueError(
            f"x falls into {len(sizes)} parts that nothing links, the smallest of {np.min(sizes)} of {len(parts)}"
            f" points: the eigenvalue 1 is repeated and the first {len(sizes) - 1} modes only tell the parts apart."
            " Too few neighbours or too small a bandwidth do this;"
            " allow_disconnected=True accepts it"
        )


def _normalised(
    affinity: scipy.sparse.csr_array, alpha: float
) -> tuple[scipy.sparse.csr_array, Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """S, q^α and the degrees."""
    density = np.asarray(affinity.sum(axis=1)).ravel() ** alpha
    inverse = scipy.sparse.diags_array(1 / density)
    affinity = inverse @ affinity @ inverse
    degree = np.asarray(affinity.sum(axis=1)).ravel()
    inverse_root = scipy.sparse.diags_array(1 / np.sqrt(degree))
    return scipy.sparse.csr_array(inverse_root @ affinity @ inverse_root), density, degree


def _part_modes(root: Float[np.ndarray, " n"], parts: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n c"]:
    """Orthonormal eigenvectors of the eigenvalue 1, the first one √D itself: one for each part."""
    modes = np.where(parts[:, None] == np.arange(parts.max() + 1), root[:, None], 0)
    weights = np.linalg.norm(modes, axis=0)
    # Householder's reflection that takes the first axis to the direction of √D among the parts.
    direction = weights / np.linalg.norm(weights)
    axis = direction + np.copysign(1, direction[0]) * np.eye(len(weights))[0]
    turn = 2 * np.outer(axis, axis) / (axis @ axis) - np.eye(len(weights))
    return (modes / weights) @ turn

"""The largest eigenvalues of a sparse symmetric Markov matrix, and how each solver says that it failed."""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from jax.experimental import sparse as jax_sparse
from jax.experimental.sparse.linalg import lobpcg_standard
from jaxtyping import Float

SparseMethod = Literal["lanczos", "inverse", "lobpcg"]
Modes = tuple[Float[np.ndarray, " k"], Float[np.ndarray, "n k"]]
_SHIFT = 1e-7  # keeps 1 + shift - S positive definite; far below it modes still stand apart from all others
_BASIS = 40  # Lanczos vectors at least: with fewer, modes near 1 take many more restarts


def slowest_modes(
    matrix: scipy.sparse.csr_array,
    known: Float[np.ndarray, "n c"],
    num: int,
    *,
    method: SparseMethod,
    dtype: np.dtype,
    tolerance: float | None = None,
    max_iterations: int | None = None,
) -> Modes:
    """Returns the largest eigenvalues of S, in descending order, and unit eigenvectors that are orthogonal to `known`.

    Args:
        matrix: S, symmetric, with eigenvalues up to 1.
        known: Orthonormal eigenvectors of the eigenvalue 1, which are taken out of S first: it is then not mistaken
            for a mode, however often it is repeated, and does not slow the iteration down.
        num: How many.
        method: Which solver; `diffusion_map` compares them.
        dtype: What LOBPCG computes in; the others compute in float64.
        tolerance: Bound on |S v - λ v| / (1 - λ); None for 1e-6, or 1e-2 where LOBPCG computes in float32.
        max_iterations: Restarts of Lanczos, or steps of LOBPCG; None for 1000.

    Raises:
        ValueError: If n is too small for the solver.
        RuntimeError: If a residual is above the tolerance.
    """
    n = len(known)
    smallest = 5 * num + 1 if method == "lobpcg" else num + 2
    if n < smallest:
        raise ValueError(f"method {method!r} needs {smallest} points or more for {num} modes, got {n}; use 'dense'")
    steps = 1000 if max_iterations is None else max_iterations
    solve = {"lanczos": _lanczos, "inverse": _inverse, "lobpcg": _lobpcg}[method]
    if tolerance is None:
        tolerance = 1e-2 if method == "lobpcg" and dtype == np.float32 else 1e-6
    values, vectors = solve(matrix, known, num, dtype, tolerance, steps)
    gap = np.maximum(1 - values, np.finfo(np.float64).eps)
    residuals = np.linalg.norm(matrix @ vectors - vectors * values, axis=0) / gap
    if not np.all(residuals <= tolerance):
        raise RuntimeError(
            f"{method} did not converge in {steps} iterations or fewer: |S v - λ v| / (1 - λ) is {_listed(residuals)}"
            f" for 1 - λ = {_listed(1 - values)}, above the tolerance {tolerance:g}"
        )
    return values, vectors


def _listed(numbers: Float[np.ndarray, " k"]) -> str:
    return "[" + " ".join(f"{number:.1e}" for number in numbers) + "]"


def _start(n: int, num: int) -> Float[np.ndarray, "n k"]:
    """The same at each call, so that results are reproducible."""
    return np.random.default_rng(0).normal(size=(n, num))


def _arpack(apply: Callable[[np.ndarray], np.ndarray], n: int, num: int, method: str, steps: int) -> np.ndarray:
    """Unit eigenvectors of the largest eigenvalues."""
    operator = scipy.sparse.linalg.LinearOperator((n, n), matvec=apply, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    try:
        _, vectors = scipy.sparse.linalg.eigsh(
            operator, k=num, which="LA", ncv=min(n, max(_BASIS, 2 * num + 1)), v0=_start(n, 1)[:, 0], maxiter=steps
        )
    except scipy.sparse.linalg.ArpackNoConvergence as error:
        found = len(error.eigenvalues)
        raise RuntimeError(f"{method} did not converge in {steps} restarts: {found} of {num} modes found") from error
    return vectors


def _ordered(matrix: scipy.sparse.csr_array, vectors: Float[np.ndarray, "n k"]) -> Modes:
    values = np.sum(vectors * (matrix @ vectors), axis=0)
    order = np.argsort(-values)
    return values[order], vectors[:, order]


def _lanczos(
    matrix: scipy.sparse.csr_array, known: np.ndarray, num: int, dtype: np.dtype, tolerance: float, steps: int
) -> Modes:
    del dtype, tolerance  # ARPACK's own is relative to λ, about 1, and left at rounding

    def apply(v: np.ndarray) -> np.ndarray:
        v = v.ravel()
        return matrix @ v - known @ (known.T @ v)

    return _ordered(matrix, _arpack(apply, len(known), num, "lanczos", steps))


def _inverse(
    matrix: scipy.sparse.csr_array, known: np.ndarray, num: int, dtype: np.dtype, tolerance: float, steps: int
) -> Modes:
    """Lanczos with (1 + shift - S)⁻¹, for which the slowest modes are the largest by far."""
    del dtype, tolerance
    n = len(known)
    shifted = scipy.sparse.csc_array((1 + _SHIFT) * scipy.sparse.eye_array(n) - matrix)
    factors = scipy.sparse.linalg.splu(
        shifted, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )

    def apply(v: np.ndarray) -> np.ndarray:
        v = v.ravel()
        v = factors.solve(v - known @ (known.T @ v))
        return v - known @ (known.T @ v)

    return _ordered(matrix, _arpack(apply, n, num, "inverse", steps))


def _lobpcg(
    matrix: scipy.sparse.csr_array, known: np.ndarray, num: int, dtype: np.dtype, tolerance: float, steps: int
) -> Modes:
    """Blocks of vectors on the device."""
    entries = matrix.tocoo()
    places = jnp.stack([jnp.asarray(entries.row), jnp.asarray(entries.col)], axis=1)
    weights = jax_sparse.BCOO(
        (jnp.asarray(entries.data, dtype), places),
        shape=(len(known), len(known)),
        indices_sorted=True,
        unique_indices=True,
    )
    basis = jnp.asarray(known, dtype)
    exact = jax.lax.Precision.HIGHEST

    def apply(v: jax.Array) -> jax.Array:
        return weights @ v - jnp.matmul(basis, jnp.matmul(basis.T, v, precision=exact), precision=exact)

    # It compares residuals with 20 n times what it is given. How small 1 - λ will be is not known: 1e-5 is a guess,
    # and rounding a bound.
    target = max(1e-5 * tolerance, 10 * float(jnp.finfo(dtype).eps)) / (20 * len(known))
    start = jnp.asarray(_start(len(known), num), dtype)
    with jax.default_matmul_precision("highest"):  # a sparse product is one of dense rows underneath
        _, vectors, _ = lobpcg_standard(apply, start, m=steps, tol=target)
    vectors = np.asarray(vectors, np.float64)
    if not np.isfinite(vectors).all():
        raise RuntimeError("lobpcg did not converge: its vectors are not finite")
    return _ordered(matrix, vectors / np.linalg.norm(vectors, axis=0))

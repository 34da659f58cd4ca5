"""Transport coefficients inferred per second, beside scipy's conjugate gradient, and the objectives of both.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m experiments.benchmarks.coefficient_inference [--problems=8192]

Random problems: operators of the given Frobenius norm, pairs of points that two of them connect with coefficients in
[-1.5, 1.5], noise of 0.05 added. Both methods take the published starts, one in [-2.5, 0] and one in [0, 2.5] for each
problem, and keep the better result. The reference is scipy.optimize.minimize with method "CG", 50 iterations at most
and an analytic gradient, in float64, one problem after the other; as in the published code no tolerance ends it (pass
--gtol=1e-5 for scipy's own). Its matrices are so small that threads of BLAS only slow it down, hence the environment
variables above. It is given a few of the problems, in turns with the library, which takes all of them at once in
float32. Objectives are compared on those few, evaluated by the reference's function in float64.
"""

import statistics
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.optimize
from absl import flags

from experiments.benchmarks.problems import random_problems
from experiments.benchmarks.timing import seconds
from mvae.programs import launch
from mvae.transport import Inference, infer_coefficients

SIZES = ((2, 4), (6, 8), (10, 8))

_PROBLEMS = flags.DEFINE_integer("problems", 8192, "Problems that the library solves at once.", lower_bound=1)
_COMPARED = flags.DEFINE_integer("compared", 60, "Problems that the reference solves too.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds; medians of the rates are printed.", lower_bound=1)
_NORM = flags.DEFINE_float("norm", 1.0, "Frobenius norm of each operator.", lower_bound=0.0)
_WEIGHTS = flags.DEFINE_list("weights", ["1e-6", "1e-2"], "Weights of the l1 term.")
_GTOL = flags.DEFINE_float("gtol", 0.0, "Size of the gradient at which the reference ends.", lower_bound=0.0)


def objective(
    c: np.ndarray, operators: np.ndarray, z0: np.ndarray, z1: np.ndarray, weight: float
) -> tuple[float, np.ndarray]:
    """Value and gradient, the latter from one Fréchet derivative by the exponential of a block triangular matrix."""
    matrix, dim = np.tensordot(c, operators, 1), len(z0)
    residual = scipy.linalg.expm(matrix) @ z0 - z1
    block = np.zeros((2 * dim, 2 * dim))
    block[:dim, :dim] = block[dim:, dim:] = matrix.T
    block[:dim, dim:] = np.outer(residual, z0)
    gradient = np.tensordot(operators, scipy.linalg.expm(block)[:dim, dim:], 2) + weight * np.sign(c)
    return residual @ residual / 2 + weight * np.abs(c).sum(), gradient


def conjugate_gradient(
    starts: np.ndarray, operators: np.ndarray, z0: np.ndarray, z1: np.ndarray, weight: float
) -> np.ndarray:
    """Least objectives, problem by problem; `starts` has shape (problems, restarts, operators)."""
    options = {"maxiter": 50, "gtol": _GTOL.value}
    solve = partial(scipy.optimize.minimize, objective, method="CG", jac=True, options=options)
    with np.errstate(all="ignore"):  # the line search tries steps that overflow
        return np.array(
            [
                min(solve(start, (operators, *ends, weight)).fun for start in own)
                for own, *ends in zip(starts, z0, z1, strict=True)
            ]
        )


@jax.jit
def infer(operators: jax.Array, z0: jax.Array, z1: jax.Array, weight: float) -> Inference:
    """The library's inference."""
    return infer_coefficients(jax.random.key(0), operators, z0, z1, l1_weight=weight)


def row(dim: int, size: int, weight: float) -> str:
    """Measures one setting."""
    operators, z0, z1 = random_problems(dim, size, _PROBLEMS.value, _NORM.value)
    count, rounds = min(_COMPARED.value, _PROBLEMS.value), _ROUNDS.value
    starts = np.random.default_rng(1).uniform(0, 2.5, (count, 2, size)) * [[-1], [1]]
    arrays = [jnp.asarray(x, jnp.float32) for x in (operators, z0, z1)]
    found = infer(*arrays, weight)
    own = np.asarray(found.coefficients[:count], float)
    ours = np.array([objective(c, operators, a, b, weight)[0] for c, a, b in zip(own, z0, z1, strict=False)])
    references, times = [], []
    for part in np.array_split(np.arange(count), rounds):
        few = partial(conjugate_gradient, starts[part], operators, z0[part], z1[part], weight)
        began = time.perf_counter()
        references.append(few())
        elapsed = time.perf_counter() - began
        times.append((seconds(partial(infer, *arrays, weight)) / _PROBLEMS.value, elapsed / max(len(part), 1)))
    reference = np.concatenate(references)
    rate, reference_rate = (1 / statistics.median(column) for column in zip(*times, strict=True))
    return (
        f"{dim:2d} {size:2d} {weight:8.0e} {rate:11.0f} {reference_rate:7.1f} {rate / reference_rate:7.0f} "
        f"{ours.mean():10.3e} {reference.mean():10.3e} {np.mean(ours <= 1.01 * reference):6.2f} "
        f"{np.mean(found.converged):6.3f} {np.mean(found.num_iterations):6.1f}"
    )


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    print(f"device {jax.devices()[0].device_kind}, {_PROBLEMS.value} problems, operators of norm {_NORM.value:g}")
    print(" d  M   weight  problems/s      CG   ratio  objective       of CG  <=1%  conv.  steps")
    for dim, size in SIZES:
        for weight in _WEIGHTS.value:
            print(row(dim, size, float(weight)), flush=True)


if __name__ == "__main__":
    launch(main)

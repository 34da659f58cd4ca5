"""Random problems of coefficient inference, and the published way to solve them: scipy's conjugate gradient."""

import numpy as np
import scipy.linalg
import scipy.optimize


def random_problems(seed, count, dim, num_operators):
    """Operators of Frobenius norm 1, and pairs of points that two of them connect, up to noise."""
    rng = np.random.default_rng(seed)
    operators = rng.normal(size=(num_operators, dim, dim))
    operators /= np.linalg.norm(operators, axis=(1, 2), keepdims=True)
    coefficients = np.zeros((count, num_operators))
    for row in coefficients:
        row[rng.choice(num_operators, 2, replace=False)] = rng.uniform(-1.5, 1.5, 2)
    z0 = rng.normal(size=(count, dim))
    z1 = np.stack([scipy.linalg.expm(np.tensordot(c, operators, 1)) @ z for c, z in zip(coefficients, z0, strict=True)])
    return operators, z0, z1 + 0.05 * rng.normal(size=(count, dim))


def objective(c, operators, z0, z1, weight):
    """Value and gradient; the latter from the Fréchet derivative in one direction, by the block triangular matrix."""
    matrix, dim = np.tensordot(c, operators, 1), len(z0)
    residual = scipy.linalg.expm(matrix) @ z0 - z1
    zero = np.zeros((dim, dim))
    block = scipy.linalg.expm(np.block([[matrix.T, np.outer(residual, z0)], [zero, matrix.T]]))
    gradient = np.tensordot(operators, block[:dim, dim:], 2) + weight * np.sign(c)
    return residual @ residual / 2 + weight * np.abs(c).sum(), gradient


def solve(starts, operators, z0, z1, weight):
    """Least objective that 50 iterations from any of the starts lead to."""
    options = {"maxiter": 50, "gtol": 0.0}
    runs = (
        scipy.optimize.minimize(objective, start, (operators, z0, z1, weight), "CG", jac=True, options=options)
        for start in starts
    )
    with np.errstate(all="ignore"):  # its line search tries steps that overflow
        return min(run.fun for run in runs)

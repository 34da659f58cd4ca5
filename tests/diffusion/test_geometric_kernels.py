"""Heat kernels beside those of GeometricKernels, an independent library (its Matérn kernel with nu = infinity).

Its k(x, y) = sum_l exp(-lengthscale^2 lambda_l / 2) sum_s f_ls(x) f_ls(y) has eigenvalues lambda of -Laplacian and
eigenfunctions f that are orthonormal for the uniform distribution of total mass one, hence

  q(t; x, y) = k(x, y) / Vol  with  lengthscale^2 = t.

On SO(3) it has lambda_l = l (l + 1), the metric in which a rotation by an angle a is at distance a: lengths here
are sqrt(2) times those there, times twice.

Times are so late that the levels left out weigh less than 1e-12 of the largest value (it has 25 levels of SO(3)), and
densities below a thousandth of that are left out, which bounds the cancellation in its sum. Early times and far points
are what it cannot check.
"""

import math
import warnings

import jax
import numpy as np
import pytest

from mvae.diffusion import log_heat_kernel
from mvae.manifolds import SO3, FlatTorus, Sphere

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    spaces = pytest.importorskip("geometric_kernels.spaces", exc_type=ImportError)
    kernels = pytest.importorskip("geometric_kernels.kernels", exc_type=ImportError)

CASES = {  # our space, theirs, the number of levels, their squared lengths over ours, our points as theirs
    "S2": (Sphere(2), lambda: spaces.Hypersphere(2), 40, 1.0, np.asarray),
    "S5": (Sphere(5), lambda: spaces.Hypersphere(5), 30, 1.0, np.asarray),
    "circle": (FlatTorus(1), spaces.Circle, 40, 1.0, FlatTorus(1).angles),
    "torus": (
        FlatTorus(2),
        lambda: spaces.ProductDiscreteSpectrumSpace(spaces.Circle(), spaces.Circle(), num_levels=300),
        300,
        1.0,
        FlatTorus(2).angles,
    ),
    "SO3": (SO3(), lambda: spaces.SpecialOrthogonal(3), 25, 0.5, lambda z: np.reshape(z, (-1, 3, 3))),
}


@pytest.mark.filterwarnings("ignore:Fundamental system")  # of single harmonics, which are not used
@pytest.mark.parametrize("case", CASES)
def test_density_is_theirs(case):
    manifold, space, levels, ratio, convert = CASES[case]
    kernel = kernels.MaternKarhunenLoeveKernel(space(), levels, normalize=False)
    with jax.enable_x64(True):
        z, w = (manifold.uniform(jax.random.key(seed), (size,)) for seed, size in ((0, 6), (1, 7)))
        times = np.array([0.3, 1.0])
        ours = np.exp(log_heat_kernel(manifold, times[:, None, None], z[:, None], w))
        pairs = [np.asarray(convert(x)) for x in (z, w)]
    for t, density in zip(times, ours, strict=True):
        params = {"nu": np.array([np.inf]), "lengthscale": np.array([math.sqrt(ratio * t)])}
        expected = kernel.K(params, *pairs) / manifold.volume
        resolved = expected > 1e-3 * expected.max()
        assert resolved.sum() > 5
        np.testing.assert_allclose(density[resolved], expected[resolved], rtol=1e-11)

"""The VDAE: its KL against closed forms, its neighbours by brute force, its step's covariance, its walk."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import load
from mvae.data.graph import with_graph
from mvae.manifolds import Euclidean
from mvae.methods.vdae.model import VDAEConfig, lower_inverse, nearest_code, step_factor, step_kl, vdae
from mvae.methods.vdae.spectral_net import SpectralNetConfig
from tests.methods.vdae.test_spectral_net import BASE

OPTIONS = {
    "event_shape": (2,),
    "net": "mlp",
    "encoder_widths": (16,),
    "decoder_widths": (16,),
    "likelihood": "gaussian",
    "beta": 1.0,
    "min_capacity": 0.0,
    "max_capacity": None,
    "capacity_steps": None,
    "manifold": Euclidean(2),
    "spectral": SpectralNetConfig(**(BASE | {"widths": (16,)})),
    "num_neighbors": 8,
    "radius": None,
    "step_scale": 2.0,
    "covariance_floor": 1e-3,
    "walk_steps": 3,
    "sample_noise": "none",
}


@pytest.fixture(scope="module")
def circle():
    return with_graph(load("circle", num_train=60, num_test=20))


def build(circle, **options):
    config = VDAEConfig(**(OPTIONS | options))
    method = vdae(config, circle.num_train)
    batch = circle.render(circle.train)
    return config, method, method.model.init(jax.random.key(0), batch), batch


def covariances(key, num, dim):
    root = jax.random.normal(key, (num, dim, dim)) + 2 * jnp.eye(dim)
    return jnp.linalg.cholesky(root @ jnp.swapaxes(root, 1, 2))


def test_kl_is_that_of_two_gaussians_with_one_mean():
    factor, target = covariances(jax.random.key(0), 5, 4), covariances(jax.random.key(1), 5, 4)
    c, s = (np.asarray(x @ jnp.swapaxes(x, 1, 2), np.float64) for x in (factor, target))
    found = step_kl(factor, lower_inverse(target))
    for k in range(5):
        ratio = np.linalg.solve(s[k], c[k])
        truth = 0.5 * (np.trace(ratio) - 4 - np.linalg.slogdet(ratio)[1])
        np.testing.assert_allclose(found[k], truth, rtol=1e-3)
    np.testing.assert_allclose(step_kl(factor, lower_inverse(factor)), 0, atol=1e-5)
    # The published nuclear norm would be the same only where S⁻¹C is symmetric.
    gradient = jax.grad(lambda x: jnp.sum(step_kl(x, lower_inverse(target))))(target)
    np.testing.assert_allclose(gradient * np.tri(4), 0, atol=1e-4)


def test_inverses_of_triangular_factors_are_those_of_lapack():
    factor = covariances(jax.random.key(2), 30, 7)
    found = np.asarray(lower_inverse(factor))
    np.testing.assert_array_equal(found, np.tril(found))
    truth = np.linalg.inv(np.asarray(factor, np.float64))
    np.testing.assert_allclose(found, truth, atol=1e-4 * np.abs(truth).max())


def test_the_nearest_code_is_the_nearest():
    codes, z = jax.random.normal(jax.random.key(0), (50, 3)), jax.random.normal(jax.random.key(1), (20, 3))
    distance = np.linalg.norm(np.asarray(z)[:, None] - np.asarray(codes), axis=-1)
    np.testing.assert_array_equal(nearest_code(codes, z), distance.argmin(1))
    nearest = distance.argmin(1)
    excluded = np.where(np.arange(20) < 15, nearest, 50)  # none for the last five
    truth = np.where((np.arange(50) == nearest[:, None]) & (np.arange(20) < 15)[:, None], np.inf, distance).argmin(1)
    np.testing.assert_array_equal(nearest_code(codes, z, jnp.asarray(excluded)), truth)


@pytest.mark.parametrize("num", [1, 128, 129, *(pytest.param(num, marks=pytest.mark.slow) for num in (100, 1000))])
def test_the_nearest_code_is_found_whatever_their_number(num):
    codes, z = jax.random.normal(jax.random.key(0), (num, 3)), jax.random.normal(jax.random.key(1), (20, 3))
    distance = np.linalg.norm(np.asarray(z)[:, None] - np.asarray(codes), axis=-1)
    np.testing.assert_array_equal(nearest_code(codes, z), distance.argmin(1))


def test_step_factors_are_of_the_scaled_covariance_of_neighbours():
    codes = jax.random.normal(jax.random.key(0), (40, 2))
    config = VDAEConfig(**OPTIONS)
    factor = np.asarray(step_factor(config, codes), np.float64)
    distance = np.linalg.norm(np.asarray(codes)[:, None] - np.asarray(codes), axis=-1)
    for row in (0, 17):
        near = np.argsort(distance[row])[: config.num_neighbors]
        scaled = 2 * np.cov(np.asarray(codes)[near].T, bias=True)
        truth = scaled + 1e-3 * np.trace(scaled) / 2 * np.eye(2)
        np.testing.assert_allclose(factor[row] @ factor[row].T, truth, rtol=1e-4, atol=1e-5)


def test_the_step_from_copies_alone_has_the_extent_of_the_floor():
    codes = jax.random.normal(jax.random.key(0), (40, 2))
    config = VDAEConfig(**OPTIONS)
    plain = np.asarray(step_factor(config, codes))
    factor = np.asarray(step_factor(config, jnp.concatenate([codes, jnp.broadcast_to(codes[:1], (9, 2))])))
    mean = np.mean(np.sum(factor[1:40] ** 2, axis=(1, 2)) / 2)
    square = factor[0] @ factor[0].T
    np.testing.assert_allclose(square, square[0, 0] * np.eye(2), atol=1e-3 * square[0, 0])
    assert 0.3e-3 * mean < square[0, 0] < 1.2e-3 * mean
    np.testing.assert_array_equal(factor[-9:], np.broadcast_to(factor[0], (9, 2, 2)))
    far = np.argsort(np.linalg.norm(np.asarray(codes) - np.asarray(codes[0]), axis=1))[-5:]
    np.testing.assert_allclose(factor[far], plain[far], rtol=1e-4)


def test_an_example_is_never_its_own_neighbour(circle):
    _, method, params, batch = build(circle, step_scale=1e-6)  # z' lies at ψ(x) itself
    still = params | {"reference": params["reference"] | {"scale": jnp.float32(1e-6)}}
    zero = jax.tree.map(jnp.zeros_like, params["decoder"])  # decodes to 0, so that the loss tells who x' is
    terms = method.model.loss_terms(still | {"decoder": zero}, jax.random.key(1), batch, None)
    assert bool(jnp.all(jnp.isfinite(terms.loss)))
    code = np.asarray(method.model.encode(params, batch["x"]).location, np.float64)
    distance = np.linalg.norm(code[:, None] - code, axis=-1)
    np.fill_diagonal(distance, np.inf)
    neighbor = np.asarray(batch["x"])[distance.argmin(1)]
    np.testing.assert_allclose(terms.mse, np.mean(neighbor**2, axis=1), rtol=1e-3)


def test_draws_have_the_covariance_of_the_posterior(circle):
    _, method, params, batch = build(circle)
    q = method.model.encode(params, batch["x"][:1])
    lower = q.factor.at[:, 1, 0].set(0.3)
    draws = np.asarray(method.model.sample_posterior(jax.random.key(0), q._replace(factor=lower), (40000,)))[:, 0]
    truth = np.asarray(lower[0] @ lower[0].T)
    error = np.abs(np.cov(draws.T) - truth) / np.sqrt(np.outer(np.diag(truth), np.diag(truth)))
    assert np.all(error < 4 * np.sqrt(2 / 40000))
    assert np.all(np.abs(draws.mean(0) - np.asarray(q.location[0])) < 4 * np.sqrt(np.diag(truth) / 40000))


@pytest.mark.slow
def test_gradients_reach_decoder_and_covariance_and_are_finite(circle):
    _, method, params, batch = build(circle)

    def loss(params):
        return jnp.mean(method.model.loss_terms(params, jax.random.key(1), batch, None).loss)

    gradient = jax.grad(loss, allow_int=True)(params)
    for name in ("decoder", "covariance"):
        leaves = jax.tree.leaves(gradient[name])
        assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in leaves)
        assert any(bool(jnp.any(leaf != 0)) for leaf in leaves)


def test_samples_and_walks_have_their_shapes_and_noise_its_size(circle):
    _, method, params, batch = build(circle, likelihood="gaussian_learned_variance", sample_noise="likelihood")
    params = params | {"likelihood": {"log_std": jnp.log(jnp.float32(0.2))}}
    zero = params | {"decoder": jax.tree.map(jnp.zeros_like, params["decoder"])}
    path = method.model.capabilities["walk"](zero, jax.random.key(0), batch["x"], 5)
    assert path.shape == (6, 60, 2)
    np.testing.assert_array_equal(path[0], batch["x"])
    assert abs(float(jnp.std(path[1:])) - 0.2) < 4 * 0.2 / np.sqrt(2 * path[1:].size)
    assert method.model.sample(params, jax.random.key(1), 7).shape == (7, 2)
    with pytest.raises(NotImplementedError, match="stationary"):
        method.model.log_likelihood(params, jax.random.key(0), batch, 5)


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"radius": 0.5}, "num_neighbors or radius"),
        ({"num_neighbors": None}, "num_neighbors or radius"),
        ({"num_neighbors": 1}, "num_neighbors"),
        ({"step_scale": 0.0}, "step_scale"),
        ({"covariance_floor": 0.0}, "covariance_floor"),
        ({"walk_steps": 0}, "walk_steps"),
        ({"sample_noise": "other"}, "sample_noise"),
        ({"sample_noise": "likelihood", "likelihood": "bernoulli"}, "likelihood"),
        ({"max_capacity": 1.0}, "max_capacity"),
    ],
)
def test_values_out_of_range_are_named(options, culprit):
    with pytest.raises(ValueError, match=culprit):
        VDAEConfig(**(OPTIONS | options))

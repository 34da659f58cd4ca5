"""SpectralNet: an unbiased loss, the modes of the dense diffusion map, closed forms on the circle."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.linalg

from mvae.data import load
from mvae.data.graph import with_graph
from mvae.methods.vdae.spectral_net import SpectralNetConfig, dirichlet_form, ritz_modes, spectral_net
from mvae.spectral import PointwiseGraph, diffusion_map, pair_affinities, pointwise_graph

BASE = {
    "num_neighbors": None,
    "scale_neighbor": 10,
    "density_power": 1.0,
    "laplacian": "random_walk",
    "net": "mlp",
    "widths": (256, 256),
    "num_extra": 4,
    "diffusion_time": 0.0,
    "separate_batch": True,
    "num_steps": 1000,
    "learning_rate": 3e-3,
}


def learned(name, dim, num_train=2000, **options):
    """Trains on a data set; returns the data with their graph, the network and its fitted parameters."""
    config = SpectralNetConfig(**(BASE | options))
    data = load(name, num_train=num_train)
    data = with_graph(
        data, num_neighbors=config.num_neighbors, scale_neighbor=config.scale_neighbor, alpha=config.density_power
    )
    net = spectral_net(config, dim, data.event_shape, data.num_train)
    whole = data.render(data.train)
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.num_steps))
    params = net.init(jax.random.key(0), whole)

    def step(carry, key):
        params, state = carry
        rows = jax.random.permutation(key, data.num_train)[: num_train // 4]
        gradient = jax.grad(lambda p: net.loss(p, {k: v[rows] for k, v in whole.items()}).loss)(params)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, updates), state), None

    keys = jax.random.split(jax.random.key(1), config.num_steps)
    (params, _), _ = jax.jit(lambda c: jax.lax.scan(step, c, keys))((params, optimizer.init(params)))
    return data, net, net.fit(params, whole)


def sine_squares(found, truth, weight):
    """Mean squared sine of the principal angles of two subspaces, squares averaged with a weight."""
    root = np.sqrt(np.asarray(weight, np.float64))[:, None]
    angles = scipy.linalg.subspace_angles(np.asarray(found) * root, np.asarray(truth) * root)
    return np.mean(np.sin(angles) ** 2)


# Dimensions at which a group of equal eigenvalues ends.
@pytest.mark.parametrize(
    ("name", "dim", "steps"),
    [
        pytest.param("circle", 4, 600, marks=pytest.mark.slow, id="circle"),
        pytest.param("torus", 4, 1000, marks=pytest.mark.slow, id="torus"),
        pytest.param("sphere", 3, 1000, marks=pytest.mark.slow, id="sphere"),
        pytest.param("sphere", 8, 1000, marks=pytest.mark.slow, id="sphere_8"),
        pytest.param("two_moons", 3, 4000, marks=pytest.mark.slow, id="two_moons"),
    ],
)
def test_it_spans_the_dense_eigenvectors(name, dim, steps):
    data, net, params = learned(name, dim, num_steps=steps)
    x = data.train["x"].reshape(data.num_train, -1)
    truth = diffusion_map(x, dim, num_neighbors=BASE["scale_neighbor"])
    found = net.embed(params, data.train["x"])
    assert sine_squares(found, truth.eigenvectors, data.train["weight"]) < 0.02
    # Rayleigh-Ritz values lie above the true rates, and near them.
    rates, true_rates = 1 - np.asarray(params["eigenvalues"]), 1 - np.asarray(truth.eigenvalues)
    assert np.all(rates > true_rates - 2e-5)
    assert np.sum(rates) < 1.25 * np.sum(true_rates) + 1e-4


@pytest.mark.slow
def test_the_unnormalised_laplacian_has_the_distribution_of_the_data_for_its_measure():
    data, net, params = learned("two_moons", 3, num_train=600, num_steps=2000, laplacian="unnormalized")
    whole = data.render(data.train)
    graph = PointwiseGraph(*(whole[name] for name in PointwiseGraph._fields))
    edges = np.asarray(pair_affinities(whole["x"].reshape(600, -1), graph), np.float64)
    _, vectors = scipy.linalg.eigh(np.diag(edges.sum(1)) - edges, subset_by_index=[1, 3])
    assert sine_squares(net.embed(params, whole["x"]), vectors, np.ones(600)) < 0.02


@pytest.mark.slow
def test_with_all_functions_the_modes_are_those_of_the_diffusion_map():
    x = jax.random.normal(jax.random.key(0), (60, 2))
    graph = pointwise_graph(x, scale_neighbor=10)
    form = dirichlet_form(jnp.eye(60), pair_affinities(x, graph), 60)
    share = graph.weight / 60
    rates, _ = ritz_modes(form, jnp.diag(share) - jnp.outer(share, share), 5)  # functions made orthogonal to 1
    truth = diffusion_map(x, 5, num_neighbors=10).eigenvalues
    np.testing.assert_allclose(1 - rates, truth, atol=2e-4)


@pytest.mark.slow
def test_on_a_circle_coordinates_of_new_points_are_cosine_and_sine():
    data, net, params = learned("circle", 2, num_train=600, num_steps=300, widths=(64, 64))
    x = data.train["x"].reshape(600, -1)
    modes = diffusion_map(x, 2, num_neighbors=BASE["scale_neighbor"]).eigenvectors
    assert sine_squares(net.embed(params, data.train["x"]), modes, data.train["weight"]) < 0.02
    angle = jnp.linspace(0, 2 * jnp.pi, 50, endpoint=False)
    z = np.asarray(net.embed(params, jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1).reshape(50, 2)))
    # The density is divided out, so that the angle moves evenly: one turn, and a radius of √2.
    turned = np.unwrap(np.arctan2(z[:, 1], z[:, 0]))
    slope = np.polyfit(angle, turned, 1)[0]
    assert abs(abs(slope) - 1) < 0.03
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), np.sqrt(2), rtol=0.15)


def test_the_form_is_exact_on_all_points_and_unbiased_on_some():
    x = jax.random.normal(jax.random.key(0), (6, 2))
    y = jax.random.normal(jax.random.key(1), (6, 3))
    graph = pointwise_graph(x, scale_neighbor=2)
    edges = pair_affinities(x, graph)
    exact = np.zeros((3, 3))
    for i, j in itertools.product(range(6), range(6)):
        difference = np.asarray(y[i] - y[j])
        exact += float(edges[i, j]) * np.outer(difference, difference) / (2 * 36)
    np.testing.assert_allclose(dirichlet_form(y, edges, 6), exact, rtol=1e-4, atol=1e-5)
    parts = [
        dirichlet_form(y[np.array(some)], edges[np.ix_(some, some)], 6) for some in itertools.combinations(range(6), 3)
    ]
    np.testing.assert_allclose(np.mean(parts, axis=0), exact, rtol=1e-4, atol=1e-5)


def test_ritz_modes_are_those_of_the_generalised_problem():
    key_a, key_b = jax.random.split(jax.random.key(0))
    a, b = jax.random.normal(key_a, (9, 5)), jax.random.normal(key_b, (9, 5))
    form, square = a.T @ a / 40, b.T @ b
    rates, turn = ritz_modes(form, square, 3)
    truth = scipy.linalg.eigh(np.asarray(form, np.float64), np.asarray(square, np.float64), eigvals_only=True)
    np.testing.assert_allclose(rates, truth[:3], rtol=1e-3)
    np.testing.assert_allclose(turn.T @ square @ turn, np.eye(3), atol=1e-4)


def test_modes_that_the_outputs_lack_are_zero_and_not_nan():
    y = jax.random.normal(jax.random.key(0), (50, 1)) * jnp.ones((1, 4))  # four equal outputs
    rates, turn = ritz_modes(0.1 * jnp.eye(4), y.T @ y / 50, 3)
    np.testing.assert_array_equal(rates[1:], 1)
    np.testing.assert_array_equal(turn[:, 1:], 0)
    assert 0 < rates[0] < 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_neighbors", 0),
        ("num_extra", -1),
        ("density_power", 2.0),
        ("laplacian", "other"),
        ("net", "other"),
        ("widths", ()),
        ("diffusion_time", -1.0),
        ("learning_rate", 0.0),
    ],
)
def test_values_out_of_range_are_named(field, value):
    with pytest.raises(ValueError, match=field):
        SpectralNetConfig(**(BASE | {field: value}))

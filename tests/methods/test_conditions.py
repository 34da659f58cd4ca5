"""Conditions and counts through the methods: training, bound, log-likelihood, decoding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import Dataset
from mvae.errors import UsageError
from mvae.manifolds import FlatTorus, ProjectiveSpace, Sphere
from mvae.methods.dvae import DVAEConfig, dvae
from mvae.methods.method import check_counts
from mvae.runs import build_experiment, default_config

SMALL = {"encoder_widths": (16,), "decoder_widths": (16,), "num_walk_steps": 2, "encoder_init": "random"}


def test_a_conditional_model_decodes_for_each_condition():
    config = DVAEConfig(manifold=ProjectiveSpace(2), event_shape=(5,), num_conditions=2, **SMALL)
    model = dvae(config)
    assert model.given == ("condition",)
    batch = {"x": jax.random.normal(jax.random.key(0), (8, 5)), "condition": jnp.arange(8) % 2}
    params = model.init(jax.random.key(1), batch)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # away from an output of zeros
    q = model.encode(params, batch["x"], condition=batch["condition"])
    other = model.encode(params, batch["x"], condition=1 - batch["condition"])
    assert np.abs(q.location - other.location).max() > 1e-3
    z = q.location
    one, two = (model.decode(params, z, condition=jnp.full(8, c)) for c in (0, 1))
    assert np.abs(one - two).max() > 1e-3
    np.testing.assert_array_equal(model.decode(params, z), one)
    np.testing.assert_allclose(model.decode(params, -z, condition=jnp.ones(8, jnp.int32)), two, rtol=1e-5, atol=1e-6)
    terms = model.loss_terms(params, jax.random.key(2), batch, None)
    swapped = model.loss_terms(params, jax.random.key(2), batch | {"condition": 1 - batch["condition"]}, None)
    assert np.abs(terms.reconstruction - swapped.reconstruction).max() > 1e-3


@pytest.mark.parametrize("likelihood", ["poisson", "negative_binomial"])
def test_the_log_likelihood_of_counts_bounds_the_elbo(likelihood):
    """E[log p̂] >= E[elbo]; and the size factor scales the mean."""
    config = DVAEConfig(manifold=FlatTorus(1), event_shape=(4,), likelihood=likelihood, **SMALL)
    model = dvae(config)
    assert model.given == ("size_factor",)
    rng = np.random.default_rng(0)
    sizes = jnp.asarray(rng.uniform(0.5, 2.0, 32), jnp.float32)
    batch = {"x": jnp.asarray(rng.poisson(3.0, (32, 4)), jnp.float32), "size_factor": sizes}
    params = model.init(jax.random.key(1), batch)
    elbo = jnp.mean(model.loss_terms(params, jax.random.key(2), batch, None).elbo)
    assert float(jnp.mean(model.log_likelihood(params, jax.random.key(3), batch, 64))) > float(elbo)
    z = model.encode(params, batch["x"], size_factor=sizes).location
    np.testing.assert_allclose(
        model.decode(params, z, size_factor=sizes), sizes[:, None] * model.decode(params, z), rtol=1e-5
    )


def dataset_of(x, **columns):
    rows = {"x": jnp.asarray(x), **{name: jnp.asarray(value) for name, value in columns.items()}}
    return Dataset("own", rows, rows, lambda rows: rows, x.shape[1:])


def test_what_are_no_counts_is_refused():
    check_counts(dataset_of(np.asarray([[0.0, 3.0]], np.float32)), "poisson")
    for wrong, named in ((-1.0, "-1"), (0.5, "0.5")):
        with pytest.raises(UsageError, match=f"own has {named}"):
            check_counts(dataset_of(np.asarray([[0.0, wrong]], np.float32)), "poisson")


def test_methods_without_conditions_refuse_data_that_have_one():
    x = np.zeros((32, 4), np.float32)
    dataset = dataset_of(x, condition=np.arange(32) % 2)._replace(condition_names=("a", "b"))
    for method, manifold in (("vamp", "euclidean:2"), ("er", "sphere:2")):
        config = default_config(method, data="sphere", manifold=manifold).to_dict() | {"num_steps": 1, "batch_size": 8}
        with pytest.raises(UsageError, match=f"{method} knows no condition, which own has; use dvae, svae, vae"):
            build_experiment(config, load=lambda **options: dataset)
    config = default_config("dvae", data="sphere", manifold="sphere:2").to_dict() | {"num_steps": 1, "batch_size": 8}
    assert build_experiment(config, load=lambda **options: dataset).model.given == ("condition",)
    assert build_experiment(config, load=lambda **options: dataset).model.manifold == Sphere(2)

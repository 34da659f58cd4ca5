"""The ΔVAE on quotients and hyperbolic space: representatives do not matter, the sampled KL is the exact one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.diffusion import kl_to_uniform
from mvae.manifolds import Hyperbolic, KleinBottle, LensSpace, ProjectiveSpace, RotationQuotient, symmetry_group
from mvae.manifolds.quotient.space import orbit
from mvae.methods.dvae import DVAEConfig, dvae

BATCH = {"x": jax.random.normal(jax.random.key(0), (24, 6))}


def build(manifold, **changes):
    widths = {"encoder_widths": (16,), "decoder_widths": (16,), "encoder_init": "random", "initial_time": 0.1}
    model = dvae(DVAEConfig(manifold=manifold, event_shape=(6,), **(widths | changes)))
    params = model.init(jax.random.key(1), BATCH)
    noise = iter(jax.random.split(jax.random.key(2), 100))  # the decoder starts at zero: give it something to say
    decoder = jax.tree.map(lambda leaf: leaf + 0.3 * jax.random.normal(next(noise), leaf.shape), params["decoder"])
    return model, params | {"decoder": decoder}


SPACES = [ProjectiveSpace(2), KleinBottle(), pytest.param(RotationQuotient("octahedral"), marks=pytest.mark.slow)]


@pytest.mark.parametrize("manifold", SPACES, ids=repr)
def test_codes_are_points_and_decoders_do_not_tell_representatives_apart(manifold):
    model, params = build(manifold, sampler="exact", kl="sampled")
    group = symmetry_group(manifold)

    @jax.jit
    def found(params):
        location = model.encode(params, BATCH["x"]).location
        images = jnp.stack([model.decode(params, z) for z in orbit(group, location)[:4]])
        slopes = jax.grad(lambda p: jnp.mean(model.loss_terms(p, jax.random.key(3), BATCH).loss))(params)
        return manifold.contains(location, 1e-4), images, slopes

    inside, images, slopes = found(params)
    assert np.all(inside)
    np.testing.assert_allclose(images, np.broadcast_to(images[:1], images.shape), atol=1e-4)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slopes))
    assert np.any(slopes["encoder"]["params"]["head"]["kernel"] != 0)


@pytest.mark.parametrize("manifold", [KleinBottle(), Hyperbolic(2, prior_time=2.0)], ids=repr)
def test_sampled_divergence_is_the_exact_one_on_the_mean(manifold):
    model, params = build(manifold, sampler="exact", kl="sampled")
    keys = jax.random.split(jax.random.key(4), 400)

    @jax.jit
    def exact_and_sampled(keys):
        posterior = model.encode(params, BATCH["x"])
        exact = kl_to_uniform(manifold, posterior.time, posterior.location)
        return exact, jax.vmap(lambda key: model.loss_terms(params, key, BATCH).kl)(keys)

    exact, found = exact_and_sampled(keys)
    error = np.std(found, axis=0) / len(keys) ** 0.5
    assert np.all(np.abs(np.mean(found, axis=0) - exact) < 5 * error)


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="kl = 'sampled' needs sampler = 'exact'"):
        build(LensSpace(5, 2), kl="sampled")
    with pytest.raises(ValueError, match="location must be one of embedded, projected"):
        build(ProjectiveSpace(2), location="lines")
    model, params = build(ProjectiveSpace(2), location="projected", kl="asymptotic")
    assert params["encoder"]["params"]["head"]["kernel"].shape == (16, 4)
    assert model.manifold == ProjectiveSpace(2)

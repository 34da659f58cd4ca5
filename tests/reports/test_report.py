"""The summary of a run, where some numbers are not known, and what colours its latent space."""

import jax.numpy as jnp
import numpy as np

from mvae.main import _table
from mvae.reports.report import _colour, summarize

REST = {"num_steps": 7, "num_test": 20}


def test_mean_and_std_over_members():
    members = [{"seed": 0, "elbo": 1.0, "degree": 1}, {"seed": 1, "elbo": 3.0, "degree": -1}]
    summary = summarize(members)
    assert summary["mean"] == {"elbo": 2.0}
    np.testing.assert_allclose(summary["std"]["elbo"], np.sqrt(2.0))
    assert summary["unavailable"] == {}
    assert summarize(members[:1])["std"] == {"elbo": None}


def test_numbers_that_are_not_known_are_listed_with_the_reason():
    reason = {"log_likelihood": "no log-likelihood on this manifold"}
    members = [{"seed": i, "elbo": 1.0 * i, "log_likelihood": None, "unavailable": reason} for i in range(2)]
    summary = summarize(members)
    assert summary["mean"]["log_likelihood"] is None
    assert summary["std"]["log_likelihood"] is None
    assert summary["unavailable"] == reason
    table = _table(summary | REST)
    assert "log_likelihood       not available: no log-likelihood on this manifold" in table
    assert "elbo                          0.5 ± 0.71" in table


def test_one_object_is_coloured_by_its_azimuth_several_by_their_label():
    azimuth = jnp.array([0.0, 1.0, 2.0])
    assert _colour({"label": jnp.array([4, 4, 4]), "azimuth": azimuth}).keys() == {"angle"}
    assert _colour({"label": jnp.array([4, 4, 5]), "azimuth": azimuth}).keys() == {"label"}
    turned = {"label": jnp.array([4, 4, 5]), "azimuth": azimuth, "elevation": azimuth}
    assert _colour(turned).keys() == {"angle"}
    assert _colour({"translation": jnp.zeros((3, 2))}).keys() == {"translation"}
    assert _colour({"x": jnp.zeros((3, 2))}) == {}

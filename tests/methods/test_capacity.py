"""A capacity that the space cannot give is named before anything is trained."""

import pytest

from mvae.manifolds import Euclidean, FlatTorus, Product, Sphere
from mvae.methods.method import capacity_limit
from tests import programs


@pytest.mark.parametrize("config", [pytest.param("svae", marks=pytest.mark.slow), "dvae_torus"])
def test_fifteen_nats_are_too_much_for_a_circle(config, tmp_path):
    outcome = programs.call(
        "mvae/main.py", f"--config=configs/{config}.py:quick", f"--workdir={tmp_path}",
        "--config.manifold=sphere:1", "--config.model.max_capacity=15.0",
    )  # fmt: skip
    programs.assert_refused(
        outcome, "config.model.max_capacity = 15 nats: Sphere(dim=1, radius=1.0) gives 11.8 at most"
    )


def test_the_limit_adds_up_over_dimensions():
    assert capacity_limit(FlatTorus(3)) == pytest.approx(3 * capacity_limit(Sphere(1)))
    assert capacity_limit(Product((Sphere(1), Euclidean(1)))) == float("inf")

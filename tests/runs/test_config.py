"""The seam names the key that is wrong, and what it may be."""

import pytest

from mvae.errors import UsageError
from mvae.manifolds import SO3, EmbeddedTorus, FlatTorus, Implicit, Product, Sphere
from mvae.manifolds.surfaces import genus_two
from mvae.runs.config import OptimizerConfig, RunConfig, build_manifold, typed

RUN = {
    "seed": 0,
    "num_seeds": 1,
    "batch_size": 8,
    "init_batch_size": 8,
    "num_epochs": 2,
    "num_steps": None,
    "log_every": 1,
    "checkpoint_every": 1,
}


def test_steps_from_epochs_count_whole_batches():
    config = typed(RunConfig, RUN, "config")
    assert config.steps(100) == 2 * 12
    assert typed(RunConfig, RUN | {"num_steps": 7}, "config").steps(100) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"num_epochs": -1}, "num_epochs must be at least 1, got -1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"seed": -1}, r"seed must lie in \[0"),
        ({"seed": 1.5}, "config.seed must be int, got 1.5"),
        ({"num_seeds": True}, "config.num_seeds must be int, got True"),
        ({"batchsize": 8}, "unknown key of config 'batchsize': known are batch_size"),
    ],
)
def test_run_errors_name_the_key(change, message):
    with pytest.raises(UsageError, match=message):
        typed(RunConfig, RUN | change, "config")


def test_missing_key_is_named():
    block = {name: value for name, value in RUN.items() if name != "log_every"}
    with pytest.raises(UsageError, match="config lacks log_every"):
        typed(RunConfig, block, "config")


def test_batch_larger_than_the_data():
    with pytest.raises(ValueError, match="batch_size = 8 is larger than the 7 training examples"):
        typed(RunConfig, RUN, "config").steps(7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"encoder_warmup_steps": -1}, "encoder_warmup_steps"),
        ({"final_learning_rate": 1.0}, "final_learning_rate"),
        ({"decay_fraction": 1.5}, "decay_fraction"),
    ],
)
def test_optimizer_errors_name_the_key(change, message):
    block = {"learning_rate": 1e-3, "encoder_warmup_steps": 0, "final_learning_rate": 0.0, "decay_fraction": 0.5}
    with pytest.raises(UsageError, match=f"config.optimizer: {message}"):
        typed(OptimizerConfig, block | change, "config.optimizer")


def test_whole_numbers_pass_for_floats():
    block = {"learning_rate": 1, "encoder_warmup_steps": 0, "final_learning_rate": 0.0, "decay_fraction": 0.5}
    assert typed(OptimizerConfig, block, "config.optimizer").learning_rate == 1.0


def test_manifolds_by_name():
    assert build_manifold({"name": "flat_torus", "dim": 3, "radius": None}) == FlatTorus(3)
    assert build_manifold({"name": "sphere", "dim": 2, "radius": 2.0}) == Sphere(2, 2.0)


def test_products_by_their_factors():
    factors = ["sphere:2:radius=2", "flat_torus:1", "so3", "embedded_torus:minor_radius=0.5"]
    expected = Product((Sphere(2, 2.0), FlatTorus(1), SO3(), EmbeddedTorus(minor_radius=0.5)))
    assert build_manifold({"name": "product", "factors": factors, "surface": None}) == expected
    assert build_manifold({"name": "product", "factors": tuple(factors), "dim": 8}) == expected
    assert build_manifold({"name": "product", "factors": ("sphere:dim=1",)}) == Product((Sphere(1),))


def test_implicit_surfaces_by_name():
    genus_2 = Implicit(genus_two, dim=2, ambient_dim=3)
    assert build_manifold({"name": "implicit", "surface": "genus_two", "dim": 2, "factors": None}) == genus_2
    assert build_manifold({"name": "product", "factors": ("implicit:surface=genus_two",)}) == Product((genus_2,))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"name": "spere", "dim": 2}, "unknown manifold 'spere': known are sphere"),
        ({"name": "flat_torus", "dim": 2, "radius": 2.0}, "config.manifold.radius = 2.0 does not apply"),
        ({"name": "sphere", "dim": 0}, r"config.manifold \(sphere\): .*dim"),
        ({"name": "sphere", "dim": 2, "radius": -1.0}, r"config.manifold \(sphere\): .*radius"),
        ({"name": "embedded_torus", "dim": 2, "major_radius": 1.0, "minor_radius": 2.0}, "minor_radius"),
        ({"name": "embedded_torus", "dim": 3}, "config.manifold.dim = 3: embedded_torus has dimension 2"),
        ({"name": "sphere"}, r"config.manifold \(sphere\) lacks dim"),
        ({"name": "product"}, r"config.manifold \(product\) lacks factors"),
        ({"name": "product", "factors": ()}, "factors must be one string or more"),
        ({"name": "product", "factors": "so3"}, "factors must be one string or more, .* got 'so3'"),
        ({"name": "product", "factors": (2,)}, "factors must be one string or more"),
        ({"name": "product", "factors": ("so3",), "dim": 2}, "config.manifold.dim = 2: product has dimension 3"),
        ({"name": "product", "factors": ("so3",), "radius": 1.0}, "radius = 1.0 does not apply: product has factors"),
        ({"name": "product", "factors": ("so3", "spere:2")}, "unknown manifold 'spere': known are sphere"),
        ({"name": "product", "factors": ("product",)}, "factors, 'product': write the factors"),
        ({"name": "product", "factors": ("sphere",)}, r"factors, 'sphere' \(sphere\) lacks dim"),
        ({"name": "product", "factors": ("sphere:0",)}, r"factors, 'sphere:0' \(sphere\): .*dim"),
        ({"name": "product", "factors": ("sphere:two",)}, "dim must be a whole number, got 'two'"),
        ({"name": "product", "factors": ("sphere:2:radius=big",)}, "radius must be a number, got 'big'"),
        ({"name": "product", "factors": ("sphere:2:3",)}, "write name, name:dim or name:dim:option=value"),
        ({"name": "product", "factors": ("sphere:2:dim=3",)}, "write name, name:dim"),
        ({"name": "product", "factors": ("sphere:",)}, "write name, name:dim"),
        ({"name": "product", "factors": ("so3:radius=2",)}, "'so3:radius=2': radius = 2.0 does not apply: so3 has no"),
        ({"name": "product", "factors": ("so3:2",)}, "'so3:2': dim = 2: so3 has dimension 3"),
        ({"name": "implicit"}, r"config.manifold \(implicit\) lacks surface"),
        ({"name": "implicit", "surface": "genus_to"}, "unknown surface 'genus_to': known are genus_two"),
        ({"name": "implicit", "surface": "genus_two", "dim": 3}, "dim = 3: implicit has dimension 2"),
        ({"name": "sphere", "dim": 2, "surface": "genus_two"}, "surface = 'genus_two' does not apply"),
        ({"name": "sphere", "dim": 2, "factors": ("so3",)}, r"factors = \('so3',\) does not apply"),
    ],
)
def test_manifold_errors(block, message):
    with pytest.raises(UsageError, match=message):
        build_manifold(block)

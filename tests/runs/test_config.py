"""The seam names the key that is wrong, and what it may be."""

import dataclasses

import pytest

from mvae.errors import UsageError
from mvae.manifolds import Sphere
from mvae.methods import METHODS
from mvae.models.optimizer import OptimizerConfig
from mvae.reports import EvaluationConfig
from mvae.runs.config import RunConfig, default_config, is_quick
from mvae.typed import typed

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


@pytest.mark.parametrize("method", METHODS)
def test_default_config_of_every_method_has_all_that_its_dataclasses_have(method):
    config = default_config(method, data="simple_picture", manifold="sphere:2").to_dict()
    given = ("event_shape", "dim", "manifold", "num_conditions")  # by the data or the manifold
    fields = {field.name for field in dataclasses.fields(METHODS[method].config) if field.name not in given}
    assert set(config["model"]) == fields
    assert typed(RunConfig, {name: config[name] for name in RunConfig.__dataclass_fields__}, "config") == RunConfig()
    assert typed(OptimizerConfig, config["optimizer"], "config.optimizer") == OptimizerConfig()
    assert typed(EvaluationConfig, config["evaluation"], "config.evaluation") == EvaluationConfig()
    assert config["data"] == {"name": "simple_picture"}
    assert config["manifold"] == {"name": "sphere", "dim": 2}


def test_default_config_takes_texts_blocks_and_manifolds():
    config = default_config("dvae", data={"name": "mnist", "dir": None}, manifold=Sphere(2, 0.5))
    assert config.data.to_dict() == {"name": "mnist"}
    assert config.manifold.to_dict() == {"name": "sphere", "dim": 2, "radius": 0.5}
    with pytest.raises(UsageError, match="unknown method 'vea': known are vae"):
        default_config("vea")


def test_quick_or_nothing():
    assert [is_quick(argument) for argument in ("", "quick")] == [False, True]
    with pytest.raises(ValueError, match="'quick' or none, got 'fast'"):
        is_quick("fast")

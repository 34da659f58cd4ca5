"""Overrides of a config: texts and values, other methods and data, errors that name the key and what there is."""

import itertools

import numpy as np
import pytest
from ml_collections import ConfigDict

from mvae.errors import UsageError
from mvae.manifolds import SO3, Euclidean, FlatTorus, Product, Sphere
from mvae.methods import METHODS
from mvae.runs.config import default_config
from mvae.runs.config_file import load_config
from mvae.runs.overrides import resolve, split_overrides
from tests import paths

TORUS = default_config("dvae", data="simple_picture:size=32:num_train=100", manifold="flat_torus:2")


@pytest.mark.parametrize(
    ("overrides", "manifold"),
    [
        ({}, FlatTorus(2)),
        ({"manifold": "sphere:2"}, Sphere(2)),
        ({"manifold": "sphere:2:radius=0.5"}, Sphere(2, 0.5)),
        ({"manifold": "so3"}, SO3()),
        ({"manifold": Sphere(4)}, Sphere(4)),
        ({"manifold": {"name": "sphere", "dim": 3}}, Sphere(3)),
        ({"manifold": ConfigDict({"name": "sphere", "dim": 3})}, Sphere(3)),
        ({"manifold": "product(sphere:2, so3)"}, Product((Sphere(2), SO3()))),
        ({"manifold.dim": "3"}, FlatTorus(3)),
        ({"manifold.dim": np.int64(3)}, FlatTorus(3)),
        ({"manifold.name": "sphere"}, Sphere(2)),
        ({"manifold.radius": "0.5", "manifold.name": "sphere"}, Sphere(2, 0.5)),
        ({"manifold.radius": "2", "manifold": "sphere:1"}, Sphere(1, 2.0)),
        (
            {"manifold.name": "product", "manifold.factors": "('sphere:2','so3')", "manifold.dim": "5"},
            Product((Sphere(2), SO3())),
        ),
        ({"manifold": "sphere:3:radius=2", "manifold.radius": "None"}, Sphere(3)),
    ],
)
def test_manifolds(overrides, manifold):
    assert resolve(TORUS, overrides).manifold == manifold


@pytest.mark.parametrize(
    ("overrides", "data"),
    [
        ({}, {"name": "simple_picture", "size": 32, "num_train": 100}),
        ({"data": "coil20:object=1"}, {"name": "coil20", "object": 1}),
        ({"data.name": "coil20", "data.object": "1"}, {"name": "coil20", "size": 32, "object": 1}),
        ({"data.object": 1, "data.name": "coil20", "data.size": None}, {"name": "coil20", "object": 1}),
        ({"data.seed": "3"}, {"name": "simple_picture", "size": 32, "num_train": 100, "seed": 3}),
        ({"data.name": "coil20", "data.objects": "1,2"}, {"name": "coil20", "size": 32, "objects": (1, 2)}),
        ({"data.name": "coil20", "data.dir": "/a:b"}, {"name": "coil20", "size": 32, "dir": "/a:b"}),
    ],
)
def test_data(overrides, data):
    assert resolve(TORUS, overrides).block["data"] == data


def test_options_that_another_data_set_does_not_have_are_left_out_and_named():
    base = default_config("vae", data="turntable:mesh=horn:test_every=3:size=16", manifold="euclidean:2")
    resolved = resolve(base, {"data.name": "mnist"})
    assert resolved.block["data"] == {"name": "mnist"}
    assert resolved.notes == ("config.data.name = mnist: without mesh, size, test_every of turntable",)
    assert resolve(base, {"data.name": "turntable"}).notes == ()
    assert resolve(TORUS, {"manifold.name": "so3"}).notes == ("config.manifold.name = so3: without dim of flat_torus",)


def test_values_have_the_types_of_their_entries_and_defaults_are_filled_in():
    resolved = resolve(
        {"method": "vdae", "data": "circle", "manifold": "euclidean:2"},
        {"model.spectral.widths": "8,4", "model.beta": "2", "num_steps": np.int64(3), "evaluation.scores": "('mig',)"},
    )
    block = resolved.block
    assert block["model"]["spectral"]["widths"] == (8, 4)
    assert block["model"]["spectral"]["num_extra"] == 4
    assert (block["model"]["beta"], type(block["model"]["beta"])) == (2.0, float)
    assert (resolved.run.num_steps, type(resolved.run.num_steps)) == (3, int)
    assert resolved.evaluation.scores == ("mig",)
    assert resolve(block).block == block
    assert resolve(resolve(TORUS, {"num_steps": 5}).block, {"num_steps": "None"}).run.num_steps is None


def test_the_config_is_not_changed():
    before = TORUS.to_dict()
    resolve(TORUS, {"model.beta": 3.0, "manifold.dim": 4, "data.size": 8, "method": "vae"})
    assert TORUS.to_dict() == before


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.bta": 1.0}, "unknown config key 'config.model.bta': known are config.model.beta"),
        ({"modl.beta": 1.0}, "unknown config key 'config.modl.beta': known are config.model.beta"),
        ({"seeds": 1}, "unknown config key 'config.seeds': known are config.seed"),
        ({"seed.x": 1}, "unknown config key 'config.seed.x'"),
        ({"model.beta.x": 1}, "unknown config key 'config.model.beta.x'"),
        ({"model": {"beta": 1.0}}, "config.model is a block: override its entries, such as config.model.NAME"),
        ({"model.event_shape": (1,)}, "unknown config key 'config.model.event_shape'"),
        ({"model.beta": "much"}, "config.model.beta must be float, got 'much'"),
        ({"seed": True}, "config.seed must be int, got True"),
        ({"manifold.nam": "x"}, "config.manifold.nam = 'x' does not apply: flat_torus has dim only"),
        ({"manifold": "spere:2"}, "unknown manifold 'spere': known are sphere"),
        ({"manifold.dim": "two"}, "config.manifold.dim must be int, got 'two'"),
        ({"manifold.name": "embedded_torus", "manifold.dim": 3}, "config.manifold.dim = 3: embedded_torus has dim"),
        (
            {"data.objct": 1, "data.name": "coil20"},
            "coil20 has dir, object, objects, size, test_every, split, seed",
        ),
        ({"data.name": "mnst"}, "unknown data set 'mnst': known are mnist"),
        ({"data.size": 1.5}, "config.data.size must be int, got 1.5"),
        ({"data": 3}, "config.data must be a text or a block of keys, got 3"),
        ({"method": "vea"}, "unknown method 'vea': known are vae"),
        ({"method": "vae", "model.kl": "exact"}, "unknown config key 'config.model.kl': known are"),
        ({3: 1}, "unknown config key 3: keys are texts"),
        ({"evaluation.scores": "mug"}, "config.evaluation: scores must be of mig"),
    ],
)
def test_errors_name_the_key_and_what_there_is(overrides, message):
    with pytest.raises(UsageError, match=message):
        resolve(TORUS, overrides)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "config lacks method"),
        ({"method": "vae"}, "config lacks data, manifold: give --config.data=NAME"),
        ({"method": "vae", "data": "circle", "manifold": "euclidean:2", "sed": 1}, "unknown key of config 'sed'"),
        (
            {"method": "vae", "data": "circle", "manifold": "euclidean:2", "model": {"bta": 1}},
            "key of config.model 'bta'",
        ),
        ({"method": "vae", "data": "circle", "manifold": "euclidean:2", "optimizer": 3}, "optimizer must be a block"),
    ],
)
def test_configs_that_are_refused(config, message):
    with pytest.raises(UsageError, match=message):
        resolve(config)
    if "data" not in config and "method" in config:
        with pytest.raises(UsageError, match=r"config\.data\.size: config has no data: give config\.data\.name"):
            resolve(config, {"data.size": 3})


def test_another_method_keeps_what_it_has_too():
    base = load_config(paths.CONFIGS / "dvae_hypersphere.py", "quick")
    base.model.update({"encoder_widths": (7,), "beta": 2.5, "kl": "asymptotic"})
    resolved = resolve(base, {"method": "vae", "model.initial_variance": "0.5"})
    model = resolved.block["model"]
    assert (model["encoder_widths"], model["beta"], model["max_capacity"]) == ((7,), 2.5, 15.0)
    assert model["initial_variance"] == 0.5
    assert resolved.manifold == Euclidean(10)
    assert resolved.notes == (
        "config.method = vae: without config.model.encoder_init, initial_time, kl, location, num_walk_steps, sampler "
        "of dvae; with config.manifold = euclidean:10",
    )


def test_the_manifold_that_is_asked_for_stays():
    assert resolve(TORUS, {"method": "vae", "manifold.dim": 3}).manifold == Euclidean(3)
    assert resolve(TORUS, {"method": "vae", "manifold": "sphere:2"}).manifold == Sphere(2)
    assert resolve(TORUS, {"method": "vae", "manifold.name": "projective_space"}).manifold.dim == 2
    assert resolve(TORUS, {"method": "dvae"}).notes == ()
    assert resolve(TORUS, {"method": "svae"}).manifold == Sphere(2)


def test_what_a_method_needs_of_other_entries_is_set_and_named_unless_it_is_asked_for():
    base = load_config(paths.CONFIGS / "vae.py")
    resolved = resolve(base, {"method": "wgan"})
    assert resolved.optimizer.encoder_warmup_steps == 0
    assert "with config.optimizer.encoder_warmup_steps = 0" in resolved.notes[0]
    assert resolve(base, {"method": "wgan", "optimizer.encoder_warmup_steps": 5}).optimizer.encoder_warmup_steps == 5
    assert resolve(base, {"method": "vamp"}).block["model"]["max_capacity"] is None


def test_fields_of_the_same_name_and_another_type_are_left_out():
    base = default_config("wgan", data="circle", manifold="euclidean:2")
    resolved = resolve(base, {"method": "vaells"})
    assert resolved.block["model"]["prior"] == {"noise_scale": 0.05, "laplace_scale": 1.0, "l1_weight": None}
    assert "prior" in resolved.notes[0]


@pytest.mark.parametrize(("old", "new"), itertools.permutations(METHODS, 2))
def test_every_method_can_take_the_place_of_every_other(old, new):
    base = default_config(old, data="circle", manifold="sphere:2" if old == "svae" else "euclidean:2")
    resolved = resolve(base, {"method": new})
    assert resolve(resolved.block).block == resolved.block
    assert resolved.block["method"] == new


@pytest.mark.parametrize(
    ("arguments", "overrides", "rest"),
    [
        (["--config.seed=1", "--workdir=w"], {"seed": "1"}, ["--workdir=w"]),
        (["-config.seed=1"], {"seed": "1"}, []),
        (["--config.seed", "1", "--workdir", "w"], {"seed": "1"}, ["--workdir", "w"]),
        (["--config.seed", "-1"], {"seed": "-1"}, []),
        (["--config.data.dir=a=b"], {"data.dir": "a=b"}, []),
        (["--config.model.net="], {"model.net": ""}, []),
        (["--config.model.group", "--workdir=w"], {"model.group": True}, ["--workdir=w"]),
        (["--config.model.group"], {"model.group": True}, []),
        (["--noconfig.model.group"], {"model.group": False}, []),
        (["--config=a.py", "--configs.x=1", "config.x=1"], {}, ["--config=a.py", "--configs.x=1", "config.x=1"]),
        (["--config.seed=1", "--config.seed=2"], {"seed": "2"}, []),
        (["--", "--config.seed=1"], {}, ["--", "--config.seed=1"]),
    ],
)
def test_overrides_of_a_command_line(arguments, overrides, rest):
    assert split_overrides(arguments) == (overrides, rest)

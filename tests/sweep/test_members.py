"""Parsing of sweeps: what is applied, and what is refused with the member's and the key's name."""

import itertools

import pytest

from mvae.errors import UsageError
from mvae.runs.config_file import load_config
from mvae.sweep import build_members, load_sweep
from mvae.sweep.shard import parse_shard, shard_of
from tests.sweep.tiny import CONFIGS


@pytest.fixture(scope="module")
def config():
    return load_config(CONFIGS / "dvae_torus.py", "quick")


def test_overrides_have_the_types_of_their_entries(config):
    own = {"model.beta": 4, "model.encoder_widths": [8, 4], "manifold": "sphere:3", "num_steps": None}
    member = build_members(config, [("x", own)], {"seed": 3, "model.beta": 2.0})[0]
    assert (member.config["model"]["beta"], type(member.config["model"]["beta"])) == (4.0, float)
    assert member.config["seed"] == 3
    assert member.config["model"]["encoder_widths"] == (8, 4)
    assert member.config["manifold"] == {"name": "sphere", "dim": 3}
    assert member.overrides == {"seed": 3} | own
    assert (config.model.beta, config.seed, config.manifold.name) == (1.0, 0, "flat_torus")


def test_what_does_not_apply_is_logged_with_the_member(config, caplog):
    caplog.set_level("INFO", logger="mvae")
    build_members(config, [("plain", {"method": "vae"}), ("same", {})])
    assert [record.getMessage() for record in caplog.records] == [
        "plain: config.method = vae: without config.model.encoder_init, initial_time, kl, location, num_walk_steps, "
        "sampler of dvae; with config.manifold = euclidean:2"
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.beta": "much"}, "member x: config.model.beta must be float, got 'much'"),
        ({"seed": 1.5}, "member x: config.seed must be int, got 1.5"),
        ({"num_steps": "many"}, "member x: config.num_steps must be int or None, got 'many'"),
        ({"model.max_capacity": True}, "member x: config.model.max_capacity must be float or None, got True"),
        ({"seed": True}, "member x: config.seed must be int, got True"),
        ({"model.bta": 1.0}, "member x: unknown config key 'config.model.bta': known are config.model.beta"),
        (
            {"model": {"beta": 1.0}},
            r"member x: config.model is a block: override its entries, such as config.model.NAME",
        ),
        ({3: 1.0}, "member x: unknown config key 3: keys are texts"),
    ],
)
def test_bad_overrides_are_named(config, overrides, message):
    with pytest.raises(UsageError, match=message):
        build_members(config, [("fine", {}), ("x", overrides)])


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "..", "a b", 3])
def test_names_that_make_no_folder(config, name):
    with pytest.raises(UsageError, match="a name is letters"):
        build_members(config, [(name, {})])


def test_names_are_unique(config):
    with pytest.raises(UsageError, match="'a' is there twice"):
        build_members(config, [("a", {}), ("a", {"seed": 1})])


def test_members_keep_config_and_overrides(config):
    member = build_members(config, [("beta_4", {"model.beta": 4.0, "seed": 2})])[0]
    assert (member.config["model"]["beta"], member.config["seed"]) == (4.0, 2)
    assert member.recorded == ("--config.model.beta=4.0", "--config.seed=2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such Python file"),
        ("", r"has no function sweep\(\)"),
        ("sweep = 3", r"has no function sweep\(\)"),
        ("def sweep(): return []", "yields no member"),
        ("import nothing_such", r"sweep\.py:1: ModuleNotFoundError: No module named 'nothing_such'"),
        ("def sweep():\n    yield 'a', {}\n    yield 1 / 0", r"sweep\.py:3: ZeroDivisionError: division by zero"),
        ("def sweep(: pass", r"sweep\.py:1: SyntaxError"),
        ("def sweep(): return 3", r"sweep\.py:1: TypeError: 'int' object is not iterable"),
        ("def sweep(): yield 'a'", r"must yield \(name, overrides\), got 'a'"),
        ("def sweep(): yield 'a', 3", r"must yield \(name, overrides\), got \('a', 3\)"),
    ],
)
def test_bad_sweep_files(tmp_path, text, message):
    path = tmp_path / "sweep.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_sweep(path)


def test_sweep_file(tmp_path):
    path = tmp_path / "sweep.py"
    path.write_text("def sweep():\n    for seed in range(2):\n        yield f's{seed}', {'seed': seed}\n")
    assert load_sweep(path) == [("s0", {"seed": 0}), ("s1", {"seed": 1})]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("num", [0, 1, 6, 7, 13])
def test_shards_divide_the_members(num, n):
    shares = [list(shard_of(range(num), k, n)) for k in range(n)]
    assert list(itertools.chain(*shares)) == list(range(num))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("text", ["", "1", "1/1", "-1/2", "a/b", "0/0", "1/2/3", "0/2 "])
def test_shards_that_are_none(text):
    with pytest.raises(UsageError, match="write K/N with K from 0 to N - 1"):
        parse_shard(text)


def test_shards_are_counted_from_zero():
    assert parse_shard("0/4") == (0, 4)
    assert parse_shard("3/4") == (3, 4)

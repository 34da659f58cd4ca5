"""Who shares a program with whom, how many fit into memory, and who starts from where."""

import logging

import pytest

from mvae.engine.memory import SHARE, Need
from mvae.errors import UsageError
from mvae.sweep.check import check_members
from mvae.sweep.pack_sinks import starts
from mvae.sweep.packing import Job, differing, parts_that_fit, rows_of
from mvae.sweep.plan import plan
from tests.sweep.tiny import members

SWEEP = [
    ("a", {"model.beta": 1.0}),
    ("b", {"model.beta": 4.0, "seed": 3}),
    ("other", {"manifold.name": "sphere"}),
    ("c", {"optimizer.learning_rate": 2e-3, "optimizer.final_learning_rate": 1e-3, "num_seeds": 4}),
    ("d", {"model.initial_time": 0.1}),
]


def names(packs):
    return [[member.name for member in pack] for pack in packs]


def test_members_that_differ_in_seeds_and_traced_values_share_a_program():
    assert names(plan(members(SWEEP))) == [["a", "b", "c"], ["other"], ["d"]]


@pytest.mark.parametrize(("most", "expected"), [(1, [["a"], ["b"], ["c"]]), (5, [["a", "b"], ["c"]]), (6, None)])
def test_bounded_programs(most, expected):
    found = names(plan(members(SWEEP), most))[:-2]
    assert found == (expected or [["a", "b", "c"]])


def test_methods_with_constants_are_packed_by_seed_alone_and_the_log_says_why(caplog):
    sweep = [("a", {"seed": 0}), ("b", {"seed": 1}), ("c", {"optimizer.learning_rate": 2e-3})]
    found = members(sweep)
    for member in found:
        member.config["method"] = "vaells"
    with caplog.at_level(logging.INFO, "mvae"):
        assert names(plan(found)) == [["a", "b"], ["c"]]
    assert "the method vaells takes optimizer.learning_rate as constants" in caplog.text


def test_values_that_differ(tmp_path):
    jobs = [Job(member.config, tmp_path) for member in members(SWEEP)]
    assert differing([jobs[0], jobs[1]]) == ["model.beta"]
    assert differing([jobs[0], jobs[3]]) == ["optimizer.learning_rate", "optimizer.final_learning_rate"]
    with pytest.raises(ValueError, match="must have the same config"):
        differing([jobs[0], jobs[2]])


def test_parts_are_the_largest_that_fit():
    need = Need(fixed=100, per_seed=10)
    limit = 170  # 153 of it may be taken: five seeds
    assert SHARE == 0.9
    assert need.seeds_in(limit) == 5
    assert parts_that_fit([1] * 12, need, limit) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]
    assert parts_that_fit([2, 2, 2, 1, 5], need, limit) == [[0, 1], [2, 3], [4]]
    assert parts_that_fit([1] * 3, need, 10**9) == [[0, 1, 2]]


def test_members_that_do_not_fit_are_tried_one_by_one(caplog):
    assert Need(100, 10).seeds_in(50) == 0
    assert parts_that_fit([1, 3], Need(100, 10), 50) == [[0], [1]]
    assert "takes more than the memory there is" in caplog.text


def test_rows_of_members():
    assert rows_of([[0], [5, 6, 7], [1, 2]]) == [slice(0, 1), slice(1, 4), slice(4, 6)]


@pytest.mark.parametrize(("steps", "expected"), [([], {0}), ([4], {0, 4}), ([5], {5}), ([8, 4], {8, 4}), ([3], {0, 3})])
def test_who_has_little_to_lose_may_start_again(steps, expected):
    assert starts(steps, 4) == expected


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.beta": -1.0}, r"member bad: config.model: beta must be zero or more, got -1.0"),
        ({"model.beta": None}, r"member bad: config.model.beta must be float, got None"),
        ({"optimizer.learning_rate": 0.0}, "member bad: config.optimizer: learning_rate must be positive, got 0.0"),
        ({"optimizer.final_learning_rate": 1.0}, "member bad: config.optimizer: final_learning_rate must lie in"),
        ({"num_seeds": 0}, "member bad: config: num_seeds must be at least 1, got 0"),
        ({"manifold.name": "spere"}, "member bad: unknown manifold 'spere'"),
    ],
)
def test_every_member_is_checked_before_anything_is_trained(tmp_path, overrides, message):
    with pytest.raises(UsageError, match=message):
        check_members(members([("fine", {}), ("bad", overrides)]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_folders_of_another_config_are_refused_with_the_name(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"member b: .* holds files but no config.json"):
        check_members(members([("a", {}), ("b", {"seed": 1})]), tmp_path)

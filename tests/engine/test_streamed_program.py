"""Streamed training is training in memory: the same curve, resumed either way, with two blocks on the device."""

import functools
import itertools
import os
import signal

import jax
import numpy as np
import pytest

from mvae.data.rows import ArrayRows, RecordRows
from mvae.engine import loop
from mvae.engine.metrics import read_records
from mvae.engine.program import build_program
from mvae.engine.seeds import seed_keys
from mvae.engine.signals import Interrupted
from mvae.errors import UsageError
from mvae.runs.experiment import build_experiment
from mvae.runs.run_folder import RunFolder
from mvae.runs.running import run
from mvae.runs.sinks import folder_sinks
from tests.data.digits.digit_files import DigitFiles
from tests.engine.toy import BATCH, NUM_TRAIN, Toy, dataset, streamed
from tests.test_configs import TORUS, tiny

NUM_STEPS = 23  # six steps to an epoch; log lines every 5 and checkpoints every 7 fall elsewhere
CLOSE = {"rtol": 2e-5, "atol": 2e-6}  # rounding of float32 through some steps of Adam


def records(arrays):
    return RecordRows([{name: array[row] for name, array in arrays.items()} for row in range(NUM_TRAIN)])


@functools.cache
def trained_by(num_seeds, block_steps, source=ArrayRows, sequential=None):
    """The toy and a program of it, streamed, or in memory if `block_steps` is None; compiled once for all tests."""
    toy, keys = Toy(NUM_STEPS), seed_keys(3, num_seeds, 0)
    if block_steps is None:
        return toy, build_program(toy.stage, dataset(), BATCH, 16, keys)
    return toy, build_program(
        toy.stage, streamed(source), BATCH, 16, keys, block_steps=block_steps, sequential=sequential
    )


def losses(program, borders):
    """Progress after the last step, and the sum of losses at every border."""
    progress, orders, found = program.init(None), program.orders(0), []
    for start, stop in itertools.pairwise(borders):
        progress, orders = program.run(progress, orders, start, stop)
        found.append(np.asarray(progress.sums["loss"]))
    program.close()
    return progress, np.array(found)


def assert_close(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **CLOSE), one, other)


@pytest.mark.parametrize(
    ("num_seeds", "block_steps", "source", "sequential"),
    [
        (1, 4, records, None),
        pytest.param(3, 5, ArrayRows, True, marks=pytest.mark.slow),
        pytest.param(3, 5, ArrayRows, False, marks=pytest.mark.slow),
        pytest.param(3, 1, records, None, marks=pytest.mark.slow),
        pytest.param(1, 100, ArrayRows, None, marks=pytest.mark.slow),
    ],
)
def test_the_curve_is_that_in_memory_and_compiled_once(num_seeds, block_steps, source, sequential):
    borders = [0, 1, 3, 8, 9, NUM_STEPS]
    toy, there = trained_by(num_seeds, block_steps, source, sequential)
    found, expected = losses(there, borders), losses(trained_by(num_seeds, None)[1], borders)
    assert_close(expected, found)
    np.testing.assert_array_equal(expected[0].sums["first_row"], found[0].sums["first_row"])  # the very same examples
    assert toy.traces == 2  # one for the shapes of the metrics, one for the program


def test_the_device_gets_blocks_and_nothing_of_the_size_of_the_data():
    def shapes(program):
        init, steps, _ = program.lowered(None)
        return [leaf.shape for lowered in (init, steps) for leaf in jax.tree.leaves(lowered.in_avals)]

    assert any(shape[:1] == (NUM_TRAIN,) for shape in shapes(trained_by(1, None)[1]))
    there = shapes(trained_by(1, 4, records)[1])
    assert not any(NUM_TRAIN in shape for shape in there)
    rows = [shape for shape in there if shape[:3] == (1, 4, BATCH)]
    assert sorted(rows) == [(1, 4, BATCH), (1, 4, BATCH, 4)]


def test_two_blocks_at_a_time_are_on_the_device():
    _, there = trained_by(1, 4, records)

    def held():
        return sum(array.shape == (1, 4, BATCH, 4) for array in jax.live_arrays())

    progress, found = there.init(None), []
    for start, stop in ((0, 1), (1, 4), (4, 13), (13, NUM_STEPS)):
        progress, _ = there.run(progress, (), start, stop)
        found.append(held())
    assert found == [2, 2, 2, 1]  # after the last block there is none
    there.close()
    assert held() == 0


def stage_run(path, block_steps, *, stop_at=None):
    """Runs the toy stage streamed, or in memory for None; with `stop_at`, interrupted after that step."""
    toy, program = trained_by(3, block_steps)
    steps = program.run

    def run_and_signal(progress, orders, start, stop):
        if stop == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return steps(progress, orders, start, stop)

    with pytest.MonkeyPatch.context() as patch:
        if stop_at is not None:
            program = program._replace(run=run_and_signal)
            patch.setattr(loop, "CHUNK_SECONDS", 0.0)  # chunks of one step, so that every step is a border
        return loop.run_stage(toy.stage, program, None, folder_sinks(RunFolder(path)), log_every=5, checkpoint_every=7)


def metrics_of(path):
    return [record | {"seconds": None} for record in read_records(path / "metrics.jsonl")]


@pytest.mark.parametrize(
    ("before", "stop_at", "after"),
    [
        (5, 10, 5),
        (None, 6, 5),
        pytest.param(5, 13, 5, marks=pytest.mark.slow),
        pytest.param(5, 12, None, marks=pytest.mark.slow),
    ],
)
def test_interrupted_it_goes_on_exactly_and_either_way(tmp_path, before, stop_at, after):
    expected = stage_run(tmp_path / "whole", before)
    with pytest.raises(Interrupted):
        stage_run(tmp_path / "parts", before, stop_at=stop_at)
    found = stage_run(tmp_path / "parts", after)
    if before == after:
        jax.tree.map(np.testing.assert_array_equal, expected, found)
        assert metrics_of(tmp_path / "parts") == metrics_of(tmp_path / "whole")
    assert_close(expected, found)


def test_data_on_the_device_are_not_streamed():
    with pytest.raises(ValueError, match="dataset must have a source of rows to be streamed, got toy without"):
        build_program(Toy(1).stage, dataset(), BATCH, 16, seed_keys(0, 1, 0), block_steps=2)


def test_a_method_that_compares_all_data_says_so(tmp_path):
    config = tiny(TORUS.with_name("vdae.py"), "", tmp_path)
    with pytest.raises(UsageError, match="--stream: the method vdae needs all training data on the device"):
        build_experiment(config, streamed=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dvae_torus", "factors", "vaells_swiss_roll", "vaells_rotated_mnist", "vamp"])
def test_whole_runs_are_the_same(tmp_path, name):
    factors = name == "factors"
    path = TORUS if factors else TORUS.with_name(f"{name}.py")
    config = tiny(path, "", DigitFiles(tmp_path / "digits").folder)
    if factors:  # all of them are encoded for the scores
        turntable = {"name": "turntable", "mesh": "horn", "size": 8, "num_azimuths": 12, "num_elevations": 5}
        config["data"] |= turntable | {"num_train": None, "num_test": None}
        config["evaluation"]["scores"] = ("mig",)
    expected, found = run(config, tmp_path / "whole"), run(config, tmp_path / "streamed", stream=3)
    one, two = (read_records(tmp_path / folder / "metrics.jsonl") for folder in ("whole", "streamed"))
    np.testing.assert_allclose([line["loss"] for line in one], [line["loss"] for line in two], rtol=1e-4)
    for key, value in expected["mean"].items():
        if value is not None:
            np.testing.assert_allclose(found["mean"][key], value, rtol=1e-3, atol=1e-3)

"""The loop's promises: one compilation, exact resume from any step, seeds alone or together, safe stops."""

import os
import signal

import jax
import numpy as np
import pytest

from mvae.engine import loop
from mvae.engine.loop import Diverged
from mvae.engine.metrics import read_records
from mvae.engine.program import build_program
from mvae.engine.seeds import seed_keys
from mvae.engine.signals import Interrupted
from mvae.errors import UsageError
from mvae.runs.run_folder import RunFolder
from mvae.runs.sinks import folder_sinks
from tests.engine.toy import BATCH, Toy, dataset

NUM_STEPS = 23  # six steps to an epoch; log lines every 5 and checkpoints every 7 fall elsewhere
LOG_EVERY, CHECKPOINT_EVERY = 5, 7


def train(path, toy=None, *, seed=0, num_seeds=1, stop_at=None, number=signal.SIGTERM):
    """Runs the toy stage; with `stop_at`, this process gets a signal as soon as that step is done."""
    toy = toy or Toy(NUM_STEPS)
    program = build_program(toy.stage, dataset(), BATCH, 16, seed_keys(seed, num_seeds, 0))
    run = program.run

    def run_and_signal(progress, orders, start, stop):
        if stop == stop_at:
            os.kill(os.getpid(), number)
        return run(progress, orders, start, stop)

    monkeypatch = pytest.MonkeyPatch()
    if stop_at is not None:
        program = program._replace(run=run_and_signal)
        monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)  # chunks of one step, so that every step is a border
    try:
        return loop.run_stage(
            toy.stage,
            program,
            None,
            folder_sinks(RunFolder(path)),
            log_every=LOG_EVERY,
            checkpoint_every=CHECKPOINT_EVERY,
        )
    finally:
        monkeypatch.undo()


def assert_same(left, right):
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(np.asarray(a), np.asarray(b)), left, right)


def metrics_of(path):
    records = read_records(path / "metrics.jsonl")
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    return train(path), metrics_of(path)


@pytest.mark.parametrize(
    "stop_at", [6, *(pytest.param(step, marks=pytest.mark.slow) for step in (1, 5, 7, 11, 20, 22))]
)
def test_interrupted_and_resumed_is_the_uninterrupted_run(tmp_path, whole, stop_at):
    number = signal.SIGINT if stop_at % 2 else signal.SIGTERM
    with pytest.raises(Interrupted) as stop:
        train(tmp_path, stop_at=stop_at, number=number)
    assert stop.value.exit_code == 128 + number
    state, metrics = whole
    assert_same(train(tmp_path), state)
    assert metrics_of(tmp_path) == metrics


def test_finished_stage_is_restored_not_run(tmp_path, whole):
    train(tmp_path)
    toy = Toy(NUM_STEPS)
    state = train(tmp_path, toy)
    assert_same(state, whole[0])
    assert toy.traces == 1  # for the shapes of the metrics; the training program was never compiled


def test_one_compilation_whatever_the_chunks(tmp_path):
    toy = Toy(NUM_STEPS)
    train(tmp_path, toy)
    assert toy.traces == 2  # one for the shapes of the metrics, one for the program


def test_several_seeds_equal_seeds_alone():
    def parameters(first, num_seeds, sequential=None):
        program = build_program(
            Toy(NUM_STEPS).stage, dataset(), BATCH, 16, seed_keys(first, num_seeds, 0), sequential=sequential
        )
        carry = program.init(None), program.orders(0)
        for start, stop in ((0, 4), (4, NUM_STEPS)):
            carry = program.run(*carry, start, stop)
        return np.asarray(carry[0].state.params)

    alone = [parameters(5 + member, 1)[0] for member in (0, 2)]
    for sequential in (True, False):
        several = parameters(5, 3, sequential)
        np.testing.assert_allclose(several[[0, 2]], alone, rtol=2e-5, atol=2e-6, err_msg=f"{sequential=}")


def test_each_epoch_shows_every_example_at_most_once():
    toy = Toy(1)
    program = build_program(toy.stage, dataset(), BATCH, 16, seed_keys(0, 2, 0))
    orders = [np.asarray(program.orders(step)) for step in (0, 5, 6)]
    for order in orders:
        assert (np.sort(order, axis=1) == np.arange(50)).all()
    assert (orders[0] == orders[1]).all()  # same epoch
    assert (orders[0] != orders[2]).any()  # the next one
    assert (orders[0][0] != orders[0][1]).any()  # another seed


def test_metrics_are_means_over_their_interval(tmp_path):
    """The toy reports the row number of each example: its means follow from the order alone."""
    train(tmp_path)
    program = build_program(Toy(1).stage, dataset(), BATCH, 16, seed_keys(0, 1, 0))
    rows = []
    for step in range(NUM_STEPS):
        order = np.asarray(program.orders(step))[0]
        first = (step % 6) * BATCH
        rows.append(order[first : first + BATCH].mean())
    records = read_records(tmp_path / "metrics.jsonl")
    assert [record["step"] for record in records] == [5, 10, 15, 20, 23]
    for record, chunk in zip(records, (rows[:5], rows[5:10], rows[10:15], rows[15:20], rows[20:]), strict=True):
        np.testing.assert_allclose(record["first_row"], [np.mean(chunk)], rtol=1e-5)


@pytest.mark.parametrize(
    "damage",
    ["truncate", pytest.param("flip", marks=pytest.mark.slow), pytest.param("remove", marks=pytest.mark.slow)],
)
def test_damaged_newest_checkpoint_falls_back(tmp_path, whole, caplog, damage):
    with pytest.raises(Interrupted):
        train(tmp_path, stop_at=16)
    folder = tmp_path / "checkpoints" / "toy"
    assert sorted(path.name for path in folder.iterdir()) == ["14", "16"]
    files = [path for path in (folder / "16" / "tree").rglob("*") if path.is_file() and path.stat().st_size > 200]
    for path in files:
        content = bytearray(path.read_bytes())
        if damage == "flip":
            content[len(content) // 2] ^= 0xFF
        path.write_bytes(content[: len(content) // 2] if damage == "truncate" else content)
        if damage == "remove":
            path.unlink()
    with caplog.at_level("WARNING"):
        state = train(tmp_path)
    assert "checkpoint" in caplog.text
    assert "16 is damaged" in caplog.text
    assert_same(state, whole[0])
    assert metrics_of(tmp_path) == whole[1]


def test_nothing_but_damaged_checkpoints_is_an_error(tmp_path):
    with pytest.raises(Interrupted):
        train(tmp_path, stop_at=16)
    for path in (tmp_path / "checkpoints").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with pytest.raises(UsageError, match="none of the checkpoints"):
        train(tmp_path)


def test_non_finite_loss_names_member_and_steps_and_keeps_checkpoints(tmp_path):
    with pytest.raises(Diverged, match=r"between steps \d+ and \d+.*0 \(step 17\), 1 \(step 17\)"):
        train(tmp_path, Toy(NUM_STEPS, break_at=17), num_seeds=2)
    assert sorted(path.name for path in (tmp_path / "checkpoints" / "toy").iterdir()) == ["14", "7"]


def test_a_stage_starts_from_the_one_before():
    toy = Toy(1)
    program = build_program(toy.stage, dataset(), BATCH, 16, seed_keys(0, 3, 1))
    fresh = program.init(None)
    shifted = program.init(fresh.state.replace(params=10 + 0 * fresh.state.params))
    np.testing.assert_allclose(shifted.state.params, fresh.state.params + 10, rtol=1e-6)

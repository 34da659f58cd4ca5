"""Many devices and several processes give the numbers of one, and a run may move between them."""

import contextlib
import json
import signal
import socket
import time

import numpy as np
import pytest

from mvae.engine.metrics import read_records
from tests.processes import outcome, started
from tests.test_main import TINY

NUM_STEPS = 100
RUN = ["-m", "mvae.main", *TINY, f"--config.num_steps={NUM_STEPS}", "--config.num_seeds=2"]

pytestmark = pytest.mark.slow  # every process compiles for itself


def start(num_devices, *arguments):
    return started(*arguments, XLA_FLAGS=f"--xla_force_host_platform_device_count={num_devices}")


@pytest.mark.parametrize("part", ["curves", "communication", "silence", "checkpoints", "rows", "packs"])
def test_eight_devices_are_one(tmp_path, part):
    folder = [tmp_path] if part in ("checkpoints", "packs") else []
    code, _, errors = outcome(start(8, "-m", "tests.engine.eight_devices", part, *folder))
    assert code == 0, errors


@pytest.mark.parametrize("name", ["vaells_swiss_roll", "vdae", "wgan"])
def test_every_kind_of_stage_trains_on_eight_devices(tmp_path, name):
    code, _, errors = outcome(start(8, "-m", "tests.engine.eight_devices", "methods", tmp_path, name))
    assert code == 0, errors


def two_processes(*arguments):
    """Starts two processes of two devices each."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    shared = [*arguments, f"--coordinator=localhost:{port}", "--num_processes=2"]
    return [start(2, *shared, f"--process_id={number}") for number in range(2)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run on one device."""
    workdir = tmp_path_factory.mktemp("whole") / "run"
    code, _, errors = outcome(start(1, *RUN, f"--workdir={workdir}"))
    assert code == 0, errors
    return workdir


def assert_same_run(workdir, other):
    ours, theirs = read_records(workdir / "metrics.jsonl"), read_records(other / "metrics.jsonl")
    assert [record["step"] for record in ours] == [record["step"] for record in theirs]
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-4)
    one, two = (json.loads((path / "results.json").read_text())["mean"] for path in (workdir, other))
    np.testing.assert_allclose([one["elbo"], one["log_likelihood"]], [two["elbo"], two["log_likelihood"]], rtol=1e-3)


def test_the_cpu_counts_as_two_devices(tmp_path, whole):
    workdir = tmp_path / "run"
    code, _, errors = outcome(started(*RUN, f"--workdir={workdir}", "--cpu_devices=2"))
    assert code == 0, errors
    assert "training on 2 devices: replica 2, data 1" in errors
    assert_same_run(workdir, whole)


@pytest.mark.parametrize("replicas", [1, 2])
def test_two_processes_are_one(tmp_path, whole, replicas):
    workdir = tmp_path / "run"
    ends = [outcome(process) for process in two_processes(*RUN, f"--workdir={workdir}", f"--replicas={replicas}")]
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert "elbo" in ends[0][1]
    assert "elbo" not in ends[1][1] + ends[1][2]  # the lead alone speaks
    assert_same_run(workdir, whole)


def test_a_signal_to_one_process_stops_both_and_another_resumes(tmp_path, whole):
    workdir = tmp_path / "run"
    processes = two_processes(*RUN, f"--workdir={workdir}")
    metrics, deadline = workdir / "metrics.jsonl", time.monotonic() + 300
    while not metrics.exists() or not metrics.read_text():
        assert all(process.poll() is None for process in processes)
        assert time.monotonic() < deadline
        time.sleep(0.05)
    processes[1].send_signal(signal.SIGTERM)
    ends = [outcome(process) for process in processes]
    assert [code for code, _, _ in ends] == [128 + signal.SIGTERM] * 2, ends
    steps = [int(errors.split("stopped by SIGTERM at step ")[1].split()[0]) for _, _, errors in ends]
    assert steps[0] == steps[1] < NUM_STEPS
    assert (workdir / "checkpoints" / "train" / str(steps[0])).is_dir()
    code, _, errors = outcome(start(1, *RUN, f"--workdir={workdir}"))
    assert code == 0, errors
    assert f"resumes from step {steps[0]}" in errors
    assert_same_run(workdir, whole)


def test_a_second_pair_is_refused_and_the_lock_ends_with_the_first(tmp_path):
    workdir = tmp_path / "run"
    arguments = [*RUN, "--config.num_steps=1000000", f"--workdir={workdir}"]
    processes, deadline = two_processes(*arguments), time.monotonic() + 300
    while not (workdir / "config.json").exists():
        assert all(process.poll() is None for process in processes)
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ends = [outcome(process) for process in two_processes(*arguments)]
    assert [code for code, _, _ in ends] == [2, 2], ends
    assert f"{workdir} is in use by process {processes[0].pid} on " in ends[0][2]
    assert ends[1][2].strip().endswith("process 0 has stopped: its message says why")
    assert [process.poll() for process in processes] == [None, None]
    processes[0].send_signal(signal.SIGINT)
    ends = [outcome(process) for process in processes]
    assert [code for code, _, _ in ends] == [128 + signal.SIGINT] * 2, ends
    assert not (workdir / ".locks").exists()


def test_what_one_device_began_two_processes_finish(tmp_path, whole):
    """From the last checkpoint but one, as after a crash; and the folder of a finished run is left as it is."""
    workdir = tmp_path / "run"
    process = start(1, *RUN, f"--workdir={workdir}", "--config.checkpoint_every=20")
    code, _, errors = outcome(process)
    assert code == 0, errors
    (workdir / "results.json").unlink()
    for path in (workdir / "checkpoints" / "train" / str(NUM_STEPS)).rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    ends = [outcome(process) for process in two_processes(*RUN, f"--workdir={workdir}")]
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert "is damaged" in ends[0][2]
    assert f"resumes from step {NUM_STEPS - 20}" in ends[0][2]
    assert_same_run(workdir, whole)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--config.batch_size=30", "--config.num_seeds=1"], "4 devices, 1 seed(s) and batches of 30 do not divide"),
        (["--devices=2"], "several processes use all of their 4 devices"),
        (["--config.num_steps=7"], "num_steps: 100 there, 7 asked for"),
    ],
)
def test_bad_input_ends_both_processes(tmp_path, whole, extra, message):
    workdir = whole if "there" in message else tmp_path / "run"
    ends = [outcome(process) for process in two_processes(*RUN, f"--workdir={workdir}", *extra)]
    assert [code for code, _, _ in ends] == [2, 2], ends
    assert message in ends[0][2]
    assert "Traceback" not in ends[0][2] + ends[1][2]
    assert workdir == whole or not workdir.exists()

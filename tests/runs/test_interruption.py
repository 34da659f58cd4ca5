"""A run cannot be lost or doubled: one process a folder, a stop at any time, the data and precision it began with."""

import errno
import os
import signal
import threading
from typing import Any

import jax
import numpy as np
import pytest

from mvae.engine import loop
from mvae.engine.checkpoints import Checkpoints
from mvae.engine.metrics import MetricWriter
from mvae.engine.signals import Interrupted
from mvae.errors import UsageError
from mvae.runs import running as run_module
from mvae.runs.locks import LOCKS, locked
from mvae.runs.running import run
from tests.data.digits.digit_files import NUM, DigitFiles, idx_bytes
from tests.sweep.tiny import members

(MEMBER,) = members([("run", {"num_steps": 4})])


@pytest.fixture(autouse=True)
def concluded(monkeypatch):
    """Parameters of runs that came to their end, in place of evaluation and figures."""
    found = []

    def conclude(experiment, params, folder):
        found.append(jax.device_get(params))
        return {"seed": experiment.run.seed}

    monkeypatch.setattr(run_module, "conclude", conclude)
    return found


def test_a_folder_in_use_is_refused_and_nothing_is_touched(tmp_path, concluded):
    workdir = tmp_path / "run"
    with locked(workdir):
        with pytest.raises(UsageError, match=rf"run is in use by process {os.getpid()} on .* since "):
            run(MEMBER.config, workdir)
        assert [path.name for path in workdir.iterdir()] == [LOCKS]
    run(MEMBER.config, workdir)
    assert len(concluded) == 1
    assert not (workdir / LOCKS).exists()


def test_a_log_of_the_job_is_no_reason_to_refuse(tmp_path, concluded):
    (tmp_path / "run.log").write_text("tee")
    (tmp_path / "slurm-17.out").write_text("")
    run(MEMBER.config, tmp_path)
    assert len(concluded) == 1


def test_a_run_of_a_thread(tmp_path, concluded):
    errors = []

    def target():
        try:
            run(MEMBER.config, tmp_path)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    assert not errors
    assert len(concluded) == 1


@pytest.mark.parametrize("moment", ["build_experiment", "build_program", "conclude"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_data_load_programs_compile_or_the_run_is_evaluated(tmp_path, monkeypatch, moment, number):
    called = []

    def signalling(*_, **__):
        called.append(moment)
        os.kill(os.getpid(), number)
        pytest.fail("the signal was ignored")

    with monkeypatch.context() as patch:
        patch.setattr(run_module, moment, signalling)
        with pytest.raises(Interrupted, match=f"^stopped by {number.name}$") as stop:
            run(MEMBER.config, tmp_path / "run")
    assert stop.value.exit_code == 128 + number
    assert called == [moment]
    assert run(MEMBER.config, tmp_path / "run") == {"seed": 0}


def test_a_signal_in_the_last_chunk_of_a_stage_is_heeded(tmp_path, monkeypatch, concluded):
    def stop_at_the_end(bar, step):
        del bar
        if step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(loop.ProgressBar, "advance", stop_at_the_end)
        with pytest.raises(Interrupted, match=r"^stopped by SIGTERM at step 4 of stage train$"):
            run(MEMBER.config, tmp_path)
    assert not concluded
    run(MEMBER.config, tmp_path)
    assert len(concluded) == 1


@pytest.mark.parametrize(("owner", "method"), [(MetricWriter, "write"), (Checkpoints, "save")])
def test_a_disk_that_is_full_is_one_line_and_the_same_command_goes_on(tmp_path, monkeypatch, concluded, owner, method):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, full)
        with pytest.raises(UsageError, match=r"cannot be written: No space left on device; the same command goes on"):
            run(MEMBER.config, tmp_path)
    assert not (tmp_path / LOCKS).exists()
    run(MEMBER.config, tmp_path)
    assert len(concluded) == 1


def test_memory_that_does_not_suffice_is_one_line(tmp_path, monkeypatch):
    def greedy(*_, **__):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 4000 bytes.\nat length")

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "run_stage", greedy)
        with pytest.raises(UsageError, match=r"does not suffice for training \(RESOURCE_EXHAUSTED: Out of .*bytes\.\)"):
            run(MEMBER.config, tmp_path)
    with pytest.raises(UsageError, match=r"10000000 seed\(s\) of stage train take .* GB that there are: give fewer"):
        run(MEMBER.config | {"num_seeds": 10_000_000}, tmp_path / "many")
    assert not (tmp_path / "many").exists()


def test_other_data_behind_the_same_name_are_refused(tmp_path):
    config: Any = dict(MEMBER.config)
    digits, others = (DigitFiles(tmp_path / name) for name in ("digits", "others"))
    images = np.random.default_rng(1).integers(0, 256, (NUM["train"], 28, 28), np.uint8)
    others.write("train-images-idx3-ubyte", idx_bytes(images))
    mnist = dict.fromkeys(config["data"]) | {"name": "mnist", "dir": str(digits.folder)}
    config |= {"data": mnist, "num_steps": 2, "init_batch_size": 16}
    run(config, tmp_path / "run")
    run(config, tmp_path / "run")
    config["data"] = mnist | {"dir": str(others.folder)}
    with pytest.raises(UsageError, match=r"begun with other data of the name 'mnist' \(examples of x differ\): give"):
        run(config, tmp_path / "run")
    digits.folder.rename(tmp_path / "moved")
    config["data"] = mnist | {"dir": str(tmp_path / "moved")}
    run(config, tmp_path / "run")


def test_another_precision_is_refused_with_its_setting(tmp_path):
    run(MEMBER.config, tmp_path)
    with (
        jax.enable_x64(True),
        pytest.raises(UsageError, match="begun with JAX_ENABLE_X64=0, not 1: set that, or give another folder"),
    ):
        run(MEMBER.config, tmp_path)

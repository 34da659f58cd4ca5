"""The program as its user meets it: help, errors of one line and exit code 2, killed, shared out and resumed."""

import functools
import json
import os
import signal
import time

import pytest

from tests.processes import outcome, started
from tests.programs import assert_refused, call
from tests.sweep.tiny import TINY

CONFIG = "--config=configs/dvae_torus.py:quick"


start = functools.partial(started, "-m", "mvae.sweep")
main = functools.partial(call, "mvae/sweep/__main__.py")


def program(*arguments):
    return outcome(start(*arguments))


def sweep_file(tmp_path, entries):
    path = tmp_path / "sweep.py"
    path.write_text(f"def sweep():\n    return {entries!r}\n")
    return f"--sweep={path}"


def test_help_says_how_to_use_it():
    code, output, _ = program("--help")
    assert code == 0
    for text in ("def sweep():", "--shard", "--executor", "--memory_limit_gb", "--metrics"):
        assert text in output


def test_bad_member_is_named_and_nothing_is_trained(tmp_path):
    sweep = sweep_file(tmp_path, [("a", TINY), ("b", TINY | {"model.bta": 1.0})])
    outcome = main(CONFIG, sweep, f"--workdir={tmp_path / 'runs'}")
    assert_refused(outcome, "mvae.sweep: member b: unknown config key 'config.model.bta': known are config.model.beta")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --config; --help says how"),
        ([CONFIG], "give --sweep; --help says how"),
        (["--render"], "give --workdir; --help says how"),
        ([CONFIG, "--sweep=nowhere.py", "--workdir=x"], "--sweep=nowhere.py: no such Python file"),
        (["--config=configs/dvae_torus.py:fast", "--sweep=x", "--workdir=x"], "'quick' or none, got 'fast'"),
        (["--executor=slurm"], "executor"),
        (["torus"], "unexpected argument 'torus'"),
        ([CONFIG, "--sweep=configs/vae.py", "--workdir=x"], "has no function sweep()"),
        (["--seeds_per_program=0"], "seeds_per_program"),
        (["--executor=ray", "--cpu_devices=2"], "--cpu_devices is of --executor=local"),
    ],
)
def test_bad_command_lines(arguments, message):
    assert_refused(main(*arguments), message)


def newest(folder):
    saved = (folder / "checkpoints" / "train").glob("*")
    return max((int(path.name) for path in saved if path.name.isdecimal()), default=0)


@pytest.mark.slow
def test_killed_shared_out_resumed_and_rendered(tmp_path):
    """kill -9 amid a pack; then two shards at once, in one of which a member diverges; then the table alone."""
    common = TINY | {"num_steps": 3000, "log_every": 50, "checkpoint_every": 100}
    entries = [(f"beta_{beta}", common | {"model.beta": float(beta)}) for beta in (1, 2, 4)]
    entries += [("wild", common | {"optimizer.learning_rate": 1e30})]
    given = (CONFIG, sweep_file(tmp_path, entries), f"--workdir={tmp_path / 'runs'}")
    first = tmp_path / "runs" / "beta_1"
    process = start(*given, "--shard=0/2")
    deadline = time.monotonic() + 300
    while not all(newest(first.parent / name) >= 200 for name in ("beta_1", "beta_2")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    locks = [path.relative_to(first.parent).as_posix() for path in first.parent.rglob("*.lock")]
    assert sorted(locks) == ["beta_1/.locks/0.lock", "beta_2/.locks/0.lock"]

    both = [start(*given, f"--shard={k}/2") for k in (0, 1)]
    (_, errors), (_, others) = [process.communicate(timeout=500) for process in both]
    assert [process.returncode for process in both] == [0, 1], errors + others
    assert "stage train resumes from step" in errors
    assert "wild failed: Diverged: loss of stage train not finite" in others
    for name in ("beta_1", "beta_2", "beta_4"):
        records = [json.loads(line) for line in (first.parent / name / "metrics.jsonl").read_text().splitlines()]
        assert [record["step"] for record in records] == list(range(50, 3001, 50))
    code, table, _ = program("--render", given[2], "--metrics=elbo,kl")
    assert code == 0
    assert "| name | model.beta | optimizer.learning_rate | seeds | elbo | kl |" in table
    assert "| wild |  | 1e+30 | not finished | – | – |" in table

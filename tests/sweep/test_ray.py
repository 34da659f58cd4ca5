"""A worker of a Ray cluster is killed amid its pack: the sweep ends with every member there once."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.paths import ROOT
from tests.sweep.tiny import TINY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install mvae[ray]"),
]


def test_killed_worker_is_replaced_and_nothing_is_lost(tmp_path):
    common = TINY | {"num_steps": 3000, "log_every": 50, "checkpoint_every": 100}
    sweep = tmp_path / "sweep.py"
    sweep.write_text(
        f"common = {common!r}\n"
        "def sweep():\n"
        "    for beta in (0.5, 4.0):\n"
        "        yield f'beta_{beta:g}', common | {'model.beta': beta}\n"
        "    yield 'broken', common | {'optimizer.learning_rate': 1e30, 'model.initial_time': 0.1}\n"
    )
    workdir, log = tmp_path / "runs", tmp_path / "log"
    command = [sys.executable, "-m", "mvae.sweep", "--config=configs/dvae_torus.py:quick", f"--sweep={sweep}"]
    command += [f"--workdir={workdir}", "--executor=ray"]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"JAX_PLATFORMS": "cpu"}
        )
        try:
            worker = wait_for(lambda: killable(log, workdir / "beta_4"), process)
            os.kill(worker, signal.SIGKILL)
            assert process.wait(timeout=500) == 1, log.read_text()
        finally:
            process.kill()
    text = log.read_text()
    assert "broken failed: Diverged: loss of stage train not finite" in text
    assert len(set(re.findall(r"beta_0.5, beta_4 on \S+ process (\d+)", text))) == 2, text
    assert re.search(r"stage train resumes from step \d+00", text), text
    for name in ("beta_0.5", "beta_4"):
        records = [json.loads(line) for line in (workdir / name / "metrics.jsonl").read_text().splitlines()]
        assert [record["step"] for record in records] == list(range(50, 3001, 50))
        assert json.loads((workdir / name / "results.json").read_text())["num_steps"] == 3000
    assert sorted(path.name for path in workdir.iterdir()) == ["beta_0.5", "beta_4", "broken"]
    assert not list(workdir.rglob("*.lock"))


def killable(log, folder):
    """The worker of the pack, once two checkpoints are there, so that they have a common one, and training goes on."""
    found = re.search(r"beta_0.5, beta_4 on \S+ process (\d+)", log.read_text())
    saved = [path for path in (folder / "checkpoints" / "train").glob("*") if path.name.isdecimal()]
    return int(found[1]) if found and len(saved) > 1 and not (folder / "results.json").exists() else None


def wait_for(condition, process):
    deadline = time.monotonic() + 400
    while (found := condition()) is None:
        assert process.poll() is None, "the sweep ended"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found

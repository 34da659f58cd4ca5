"""Chaos: runs of all methods, each disturbed at a random moment; all end as if they had not been, or in one line.

A run is killed, stopped, doubled, or finds a disk that is full, a folder that is read-only or a file that is damaged,
while it starts, loads, compiles, trains, evaluates or draws. The same command then gives, bit for bit, the results and
metrics of a run that nobody disturbed, and all of its figures.
"""

import ctypes
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest

from tests.chaos import PHASES
from tests.data.digits.digit_files import DigitFiles
from tests.paths import CONFIGS, ROOT
from tests.test_configs import tiny

NUM_RUNS = 20
SECONDS = 400
METHODS = {
    "dvae": "dvae_torus",
    "vaells": "vaells_circles",
    "wgan": "wgan",
    "vdae": "vdae",
    "vae": "vae",
    "er": "er",
    "vamp": "vamp",
    "svae": "svae",
}
FAULTS = ("killed", "full disk", "stopped", "read-only", "damaged", "doubled", "interrupted")
CAP_DAC_OVERRIDE, PR_CAPBSET_DROP = 1, 24


class Case(NamedTuple):
    number: int
    method: str
    fault: str
    phase: str

    def __str__(self):
        return f"{self.number}-{self.method}-{self.fault}-{self.phase}".replace(" ", "_")


NAMES = tuple(METHODS)
CASES = [
    Case(i, NAMES[i % len(NAMES)], FAULTS[i % len(FAULTS)], PHASES[(i + i // 6) % len(PHASES)]) for i in range(NUM_RUNS)
]


def obey_permissions():
    """Lets root be refused what the permissions of a file refuse."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


class Run:
    """A process of the program, and when it said which phase it is in."""

    def __init__(self, config, workdir, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos", f"--config={config}", f"--workdir={workdir}", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
            preexec_fn=obey_permissions,
        )
        self.phases, self.output, self.errors = [], [], ""
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith("PHASE "):
                self.phases.append((line.split()[1], time.monotonic()))
            else:
                self.output.append(line)

    def _read_errors(self):
        self.errors = self.process.stderr.read()

    def wait_for(self, index):
        """Waits until so many phases were said before the last one, or the process has ended."""
        end = time.monotonic() + SECONDS
        while len(self.phases) <= index and self.process.poll() is None:
            assert time.monotonic() < end, self.phases
            time.sleep(0.005)

    def end(self):
        code = self.process.wait(timeout=SECONDS)
        for thread, pipe in zip(self._threads, (self.process.stdout, self.process.stderr), strict=True):
            thread.join()
            pipe.close()
        assert "Traceback" not in self.errors, self.errors
        assert "Fatal" not in self.errors, self.errors
        return code


class Whole(NamedTuple):
    """What a run that nobody disturbed leaves, and its phases with the seconds that each took."""

    config: object
    left: tuple
    phases: list


def left_by(workdir):
    """Results and metrics but for times, and the names of figures."""
    results = json.loads((workdir / "results.json").read_text())
    results.pop("train_seconds")
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    records = [{name: value for name, value in record.items() if name != "seconds"} for record in records]
    return results, records, sorted(path.name for path in (workdir / "figures").iterdir())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The undisturbed run of each method, in a future."""
    folder = tmp_path_factory.mktemp("whole")
    digits = DigitFiles(folder / "digits").folder

    def run(method):
        config = tiny(CONFIGS / f"{METHODS[method]}.py", "quick", digits)
        config |= {"num_steps": 60, "log_every": 6, "checkpoint_every": 15, "num_seeds": 1}
        path = folder / f"{method}.py"
        path.write_text(f"def get_config():\n    return {config!r}\n")
        process = Run(path, folder / method)
        assert process.end() == 0, process.errors
        times = [moment for _, moment in process.phases] + [time.monotonic()]
        phases = [(name, later - earlier) for (name, earlier), later in zip(process.phases, times[1:], strict=True)]
        print(method, [(name, round(seconds, 1)) for name, seconds in phases])
        return Whole(path, left_by(folder / method), phases)

    with ThreadPoolExecutor(1) as pool:
        yield {name: pool.submit(run, name) for name in NAMES}
        pool.shutdown(cancel_futures=True)


def refused(process, code):
    """Checks that a process which did not come to its end said why in one line."""
    assert code == 2, (code, process.errors)
    assert re.search(r"\Amvae: .+\Z", process.errors.strip().splitlines()[-1]), process.errors


def writable(folder, *, yes):
    """Lets the folders and files of a run be written, or not."""
    paths = [folder.parent, *(folder.rglob("*") if folder.exists() else ()), folder]
    for path in paths:
        if path.exists():
            mode = path.stat().st_mode
            path.chmod(mode | 0o200 if yes else mode & ~0o222)


def damage(workdir, rng):
    """Truncates a file of a run, or fills a part of it with zeros, as a crash of the machine may; returns what it was.

    The files of TensorBoard are left out: nothing reads them here.
    """
    files = [path for path in workdir.rglob("*") if path.is_file() and path.stat().st_size]
    files = sorted(path for path in files if "tensorboard" not in path.parts and ".locks" not in path.parts)
    if not files:
        return None
    path = files[rng.integers(len(files))]
    content = path.read_bytes()
    at = int(rng.integers(len(content)))
    path.write_bytes(content[:at] if rng.integers(2) else content[:at] + bytes(len(content) - at))
    return path, content


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.slow
def test_a_disturbed_run_ends_as_if_it_had_not_been(case, whole, tmp_path):
    rng = np.random.default_rng(case.number)
    config, expected, phases = whole[case.method].result()
    workdir = tmp_path / "folder" / "run"
    workdir.parent.mkdir()
    arguments = ["--compilation_cache=off"] if case.phase == "compiling" else []
    indices = [index for index, (name, _) in enumerate(phases) if name == case.phase]
    index = indices[rng.integers(len(indices))]
    delay = rng.uniform(0, 0.9) * phases[index][1]

    process = Run(config, workdir, *arguments)
    process.wait_for(index)
    time.sleep(delay)
    damaged = None
    if case.fault in ("killed", "damaged"):
        process.process.kill()
        assert process.end() in (-signal.SIGKILL, 0)
        damaged = damage(workdir, rng) if case.fault == "damaged" else None
    elif case.fault in ("stopped", "interrupted"):
        number = signal.SIGTERM if case.fault == "stopped" else signal.SIGINT
        process.process.send_signal(number)
        code = process.end()
        assert code in (128 + number, 0), (code, process.errors)
        assert not code or f"mvae: stopped by {number.name}" in process.errors.splitlines()[-1]
    elif case.fault == "full disk":
        room = int(rng.integers(3000))
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (room, room))
        if code := process.end():
            refused(process, code)
    elif case.fault == "read-only":
        writable(workdir, yes=False)
        if code := process.end():
            refused(process, code)
        writable(workdir, yes=True)
    else:
        second = Run(config, workdir, *arguments)
        codes = [each.end() for each in (process, second)]
        assert 0 in codes, (process.errors, second.errors)
        for each, code in zip((process, second), codes, strict=True):
            if code:
                refused(each, code)
                assert re.search(r"is in use by process \d+ on ", each.errors), each.errors

    again = Run(config, workdir)
    if code := again.end():
        refused(again, code)
        assert damaged is not None, again.errors  # nothing else stands in the way of the same command
        path, content = damaged
        assert str(path) in again.errors or str(path.relative_to(workdir)).startswith("checkpoints"), again.errors
        path.write_bytes(content)
        again = Run(config, workdir)
        assert again.end() == 0, again.errors
    assert left_by(workdir) == expected
    assert not (workdir / ".locks").exists()


def test_the_program_that_is_disturbed_has_all_phases():
    """They are put into functions of the package by name, which must be there."""
    code = "from tests import chaos; chaos.announce_phases()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=SECONDS)

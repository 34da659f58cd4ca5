"""One holder at a time: of threads, of processes, and after a holder died or fell silent."""

import json
import os
import subprocess
import sys
import threading

import pytest

from mvae.runs import locks
from mvae.runs.locks import Locks


@pytest.fixture
def pair(tmp_path):
    with Locks(tmp_path) as one, Locks(tmp_path) as other:
        yield one, other


def test_held_released_and_taken_again(pair, tmp_path):
    one, other = pair
    assert one.acquire("a")
    assert not other.acquire("a")
    assert f"process {os.getpid()}" in other.holder("a")
    assert other.acquire("b")
    one.release("a")
    assert other.holder("a") is None
    assert other.acquire("a")
    one.release("a")  # not its own any more
    assert not one.acquire("a")
    other.release("a")
    other.release("b")
    assert not list(tmp_path.iterdir())


def test_names_that_begin_alike_are_apart(pair):
    one, other = pair
    assert one.acquire("a")
    assert other.acquire("a.1")
    assert other.acquire("a.1.lock")
    assert one.holder("a") is not None


def test_left_at_the_end_of_the_context(tmp_path):
    with Locks(tmp_path) as one:
        assert one.acquire("a")
    with Locks(tmp_path) as other:
        assert other.acquire("a")


def test_dead_process_holds_nothing(pair, tmp_path):
    code = "import sys, os\nfrom pathlib import Path\nfrom mvae.runs.locks import Locks\n"
    code += "assert Locks(Path(sys.argv[1])).acquire('a')\nos._exit(0)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=120)
    assert (tmp_path / "a.0.lock").exists()
    one, other = pair
    assert one.acquire("a")
    assert not other.acquire("a")
    one.release("a")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("silent", "free"), [(locks.STALE_SECONDS + 5, True), (locks.STALE_SECONDS - 60, False)])
def test_silent_process_of_another_machine_holds_nothing(pair, tmp_path, silent, free):
    found = locks.owner() | {"machine": "elsewhere", "host": "node-3", "pid": 4711}
    path = tmp_path / "a.0.lock"
    path.write_text(json.dumps(found))
    now = path.stat().st_mtime
    os.utime(path, (now - silent, now - silent))
    assert (pair[0].holder("a") is None) == free
    assert pair[0].acquire("a") == free
    if not free:
        assert pair[0].holder("a") == "node-3, process 4711"


def test_reused_process_number_holds_nothing(pair, tmp_path):
    (tmp_path / "a.0.lock").write_text(json.dumps(locks.owner() | {"started": "1"}))
    assert pair[0].acquire("a")


def test_touched_as_long_as_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.01)
    with Locks(tmp_path) as one:
        assert one.acquire("a")
        path = tmp_path / "a.0.lock"
        os.utime(path, (0, 0))
        for _ in range(500):
            if path.stat().st_mtime > 0:
                break
            threading.Event().wait(0.01)
        assert path.stat().st_mtime > 0


@pytest.mark.parametrize("stale", [False, True])
def test_of_many_at_once_one_gets_it(tmp_path, stale):
    if stale:
        (tmp_path / "a.4.lock").write_text(json.dumps(locks.owner() | {"started": "1"}))
    racers = [Locks(tmp_path) for _ in range(8)]
    start, won = threading.Barrier(8), []

    def race(one):
        start.wait()
        while True:
            if one.acquire("a"):
                won.append(one)
            if won:
                return

    threads = [threading.Thread(target=race, args=(one,)) for one in racers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert [path.name for path in tmp_path.glob("*.lock") if path.name != "a.4.lock"] == [f"a.{5 if stale else 0}.lock"]

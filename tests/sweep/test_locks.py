"""One holder at a time: of threads, of processes, and after a holder died or fell silent."""

import json
import os
import subprocess
import sys
import threading

import pytest

from mvae.errors import UsageError
from mvae.sweep import locks
from mvae.sweep.locks import LOCKS, Locks, locked


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
    code = "import sys, os\nfrom pathlib import Path\nfrom mvae.sweep.locks import Locks\n"
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


def test_a_run_folder_is_locked_as_a_member_of_a_sweep_is(tmp_path):
    with locked(tmp_path / "run"), Locks(tmp_path / LOCKS) as sweep:
        assert not sweep.acquire("run")
        with pytest.raises(UsageError, match=rf"run is in use by .*process {os.getpid()}: wait .* another folder"):
            locked(tmp_path / "elsewhere" / ".." / "run").__enter__()
        with locked(tmp_path / "other"):
            assert sweep.holder("other") is not None
    with Locks(tmp_path / LOCKS) as sweep:
        assert sweep.acquire("run")
        with pytest.raises(UsageError, match="in use"), locked(tmp_path / "run"):
            pytest.fail("two hold it")
    assert not list((tmp_path / LOCKS).iterdir())


def test_errors_within_are_not_taken_for_those_of_the_lock(tmp_path):
    with pytest.raises(PermissionError), locked(tmp_path / "run"):
        raise PermissionError(13, "Permission denied", str(tmp_path / "run" / "config.json"))
    assert not list((tmp_path / LOCKS).iterdir())


def test_a_folder_that_others_may_write_has_locks_that_they_may_take(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with locked(shared / "run"):
        assert (shared / LOCKS).stat().st_mode & 0o7777 == 0o1777


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_locked_is_named(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(UsageError, match=f"run cannot be locked: {tmp_path}/.locks: Permission denied"):
        locked(tmp_path / "run").__enter__()

"""One holder at a time: of threads, of processes, and after a holder died or fell silent."""

import errno
import json
import os
import subprocess
import sys
import threading

import pytest

from mvae.errors import UsageError
from mvae.runs import locks
from mvae.runs.locks import LOCKS, Locks, locked


@pytest.fixture
def pair():
    with Locks() as one, Locks() as other:
        yield one, other


def left_behind(run, owner, number=0):
    """The lock that a process left in a run folder."""
    (run / LOCKS).mkdir(parents=True)
    lock = run / LOCKS / f"{number}.lock"
    lock.write_text(json.dumps(owner))
    return lock


def test_held_released_and_taken_again(pair, tmp_path):
    one, other = pair
    a, b = tmp_path / "a", tmp_path / "b"
    assert one.acquire(a)
    assert not other.acquire(a)
    assert f"process {os.getpid()} on " in other.holder(a)
    assert " since 2" in other.holder(a)
    assert other.acquire(b)
    one.release(a)
    assert other.holder(a) is None
    assert other.acquire(a)
    one.release(a)  # not its own any more
    assert not one.acquire(a)
    other.release(a)
    other.release(b)
    assert not list(tmp_path.iterdir())


def test_a_run_folder_stays_and_only_an_empty_one_made_for_the_lock_goes(tmp_path):
    empty, used = tmp_path / "empty", tmp_path / "used"
    empty.mkdir()
    with locked(empty), locked(used):
        (used / "config.json").write_text("{}")
    assert not list(empty.iterdir())
    assert [path.name for path in used.iterdir()] == ["config.json"]


def test_a_second_holder_is_refused_and_the_first_named(tmp_path):
    message = rf"run is in use by process {os.getpid()} on \S+ since \d{{4}}-.*: wait for its end, stop it or give"
    with locked(tmp_path / "run"), pytest.raises(UsageError, match=message), locked(tmp_path / "run"):
        pytest.fail("two hold it")
    with pytest.raises(PermissionError), locked(tmp_path / "run"):
        raise PermissionError(13, "not the lock's")
    assert not list(tmp_path.iterdir())


def test_left_at_the_end_of_the_context(tmp_path):
    with Locks() as one:
        assert one.acquire(tmp_path)
    with Locks() as other:
        assert other.acquire(tmp_path)


def test_dead_process_holds_nothing(pair, tmp_path):
    code = "import sys, os\nfrom pathlib import Path\nfrom mvae.runs.locks import Locks\n"
    code += "assert Locks().acquire(Path(sys.argv[1]))\nos._exit(0)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=300)
    assert (tmp_path / LOCKS / "0.lock").exists()
    one, other = pair
    assert one.acquire(tmp_path)
    assert not other.acquire(tmp_path)
    one.release(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("silent", "free"), [(locks.STALE_SECONDS + 5, True), (locks.STALE_SECONDS - 60, False)])
def test_silent_process_of_another_machine_holds_nothing(pair, tmp_path, silent, free):
    lock = left_behind(tmp_path, locks.owner() | {"machine": "elsewhere", "host": "node-3", "pid": 4711})
    now = lock.stat().st_mtime
    os.utime(lock, (now - silent, now - silent))
    assert (pair[0].holder(tmp_path) is None) == free
    assert pair[0].acquire(tmp_path) == free
    if not free:
        assert pair[0].holder(tmp_path).startswith("process 4711 on node-3 since ")


def test_reused_process_number_holds_nothing(pair, tmp_path):
    left_behind(tmp_path, locks.owner() | {"started": "1"})
    assert pair[0].acquire(tmp_path)


def test_touched_as_long_as_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.01)
    with Locks() as one:
        assert one.acquire(tmp_path)
        lock = tmp_path / LOCKS / "0.lock"
        os.utime(lock, (0, 0))
        for _ in range(500):
            if lock.stat().st_mtime > 0:
                break
            threading.Event().wait(0.01)
        assert lock.stat().st_mtime > 0


def no_links(*_):
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


@pytest.mark.parametrize(("stale", "links"), [(False, True), (True, True), (True, False)])
def test_of_many_at_once_one_gets_it(tmp_path, monkeypatch, stale, links):
    if stale:
        left_behind(tmp_path, locks.owner() | {"started": "1"}, 4)
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    racers = [Locks() for _ in range(8)]
    start, won = threading.Barrier(8), []

    def race(one):
        start.wait()
        while True:
            if one.acquire(tmp_path):
                won.append(one)
            if won:
                return

    threads = [threading.Thread(target=race, args=(one,)) for one in racers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    names = [path.name for path in (tmp_path / LOCKS).glob("*.lock") if path.name != "4.lock"]
    assert names == [f"{5 if stale else 0}.lock"]


def test_a_folder_that_others_may_write_has_locks_that_they_may_take(tmp_path):
    tmp_path.chmod(0o1777)
    with locked(tmp_path):
        assert (tmp_path / LOCKS).stat().st_mode & 0o7777 == 0o1777


def test_a_folder_that_cannot_be_locked_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"--workdir=.*run cannot be written: "), locked(tmp_path / "file" / "run"):
        pytest.fail("there is no such folder")


def test_a_lock_that_cannot_be_removed_does_not_hide_what_went_wrong(tmp_path, monkeypatch):
    def read_only(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    raised = pytest.raises(UsageError, match="the checkpoint")
    with monkeypatch.context() as patch, raised, locked(tmp_path / "run"):
        patch.setattr(locks.Path, "unlink", read_only)
        raise UsageError("the checkpoint")
    assert (tmp_path / "run" / LOCKS / "0.lock").exists()

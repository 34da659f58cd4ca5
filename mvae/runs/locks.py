"""Locks of run folders, so that of several processes that share a folder none runs what another is running.

A lock is a file in the run folder that is made by a hard link, which is atomic on network file systems too, or where
there are none by exclusive creation. The owner touches it as long as it lives. A lock is stale if its process is gone,
where that can be seen from here, or if it has not been touched for `STALE_SECONDS` by the clock of the file system. A
stale lock is not removed but outbid: locks of a folder are numbered, the highest rules, and of several who want the
next number one gets it.

A process that stood still for longer than `STALE_SECONDS` and then goes on does not notice that it was outbid.

No library for locks does all of this. Eight processes that found the lock of a dead one at the same time, as those of
a restarted job array do: one got it, in 15 trials of 15. With flufl.lock 10.0 two held it in 1 of 15, as it removes
stale locks by name. With `SoftFileLease` of filelock 4.3 nobody ever got it where the file system cannot exchange two
names in one step, as NFS cannot, and its `SoftReadWriteLock`, made for NFS, neither names the holder nor takes over
from a process of this machine before the lease runs out.
"""

import contextlib
import datetime
import json
import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mvae.errors import UsageError

LOGGER = logging.getLogger(__name__)

LOCKS = ".locks"
"""Name of the folder of locks in a run folder."""
BEAT_SECONDS = 30.0
STALE_SECONDS = 600.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Context in which this process alone holds the lock of a run folder.

    A folder that does not exist is made, and removed again if it is empty at the end.

    Raises:
        UsageError: If another process holds it, which is named, or a lock cannot be made.
    """
    with Locks() as locks:
        if not locks.acquire(path):
            holder = locks.holder(path) or "another process, by now ended"
            raise UsageError(f"{path} is in use by {holder}: wait for its end, stop it or give another folder")
        yield


class Locks:
    """The locks of run folders that this process holds; a context, at whose end they are released."""

    def __init__(self):
        self._owner = owner()
        self._held: dict[Path, Path] = {}  # run folder -> its lock
        self._made: set[Path] = set()  # run folders that were not there before
        self._guard = threading.Lock()
        self._end = threading.Event()
        self._beat: threading.Thread | None = None

    def __enter__(self) -> "Locks":
        self._beat = threading.Thread(target=self._touch, daemon=True)
        self._beat.start()
        return self

    def __exit__(self, *exception) -> None:
        self._end.set()
        for path in list(self._held):
            self.release(path)

    def _touch(self) -> None:
        while not self._end.wait(BEAT_SECONDS):
            with self._guard:
                held = list(self._held.values())
            for lock in held:
                with contextlib.suppress(OSError):  # released in the meantime, or the file system is away for a while
                    os.utime(lock)

    def acquire(self, path: Path) -> bool:
        """Takes the lock of a run folder, which is made if need be; returns whether the lock was free or stale.

        Raises:
            UsageError: If a lock cannot be made.
        """
        there = _files(path)  # read once: who makes a lock after this takes the number that is free here
        if any(self._lives(lock) for lock in there):
            return False
        made = not path.exists()
        lock = path / LOCKS / f"{max(map(_number, there), default=-1) + 1}.lock"
        try:
            if not self._create(lock):
                return False
        except OSError as error:
            raise UsageError(f"--workdir={path} cannot be written: {error.strerror}") from error
        if any(self._lives(other) for other in _files(path) if other != lock):
            lock.unlink()  # one came between who had seen an emptier folder
            return False
        with self._guard:
            self._held[path] = lock
            if made:
                self._made.add(path)
        return True

    def release(self, path: Path) -> None:
        """Gives the lock back, and removes a run folder that was made for it and is empty; else does nothing."""
        with self._guard:
            lock = self._held.pop(path, None)
        if lock is None:
            return
        try:
            for other in _files(path):
                if _number(other) < _number(lock) and not self._lives(other):
                    other.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
        except OSError as error:  # as in a folder that is read-only by now: it is stale once this process has ended
            LOGGER.warning("the lock %s cannot be removed: %s", lock, error.strerror or error)
        with contextlib.suppress(OSError):  # not empty, or gone
            lock.parent.rmdir()
            if path in self._made:
                path.rmdir()

    def holder(self, path: Path) -> str | None:
        """Returns who holds the lock, such as "process 4711 on node-3 since 2026-01-31 08:00"; None if it is free."""
        for lock in sorted(_files(path), key=_number, reverse=True):
            if self._lives(lock):
                found = _read(lock)
                if not found:
                    return "another process"
                return f"process {found['pid']} on {found['host']} since {found['since']}"
        return None

    def _create(self, lock: Path) -> bool:
        """Makes a lock with its owner in it, or finds that another did."""
        draft = lock.with_name(f".{self._owner['token']}.draft")
        text = json.dumps(self._owner)
        while True:
            _make_folder(lock.parent)
            try:
                draft.write_text(text)
                break
            except FileNotFoundError:  # one who gave its lock back has removed the folder
                continue
        try:
            os.link(draft, lock)
        except FileExistsError:
            return False
        except OSError:  # no hard links here
            try:
                with lock.open("x") as file:
                    file.write(text)
            except FileExistsError:
                return False
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _lives(self, lock: Path) -> bool:
        """Whether a lock is neither released nor stale."""
        found = _read(lock)
        if found is None:
            return False
        if found.get("machine") == self._owner["machine"] and started(found["pid"]) != found["started"]:
            return False
        try:
            return self._now(lock.parent) - lock.stat().st_mtime < STALE_SECONDS
        except FileNotFoundError:
            return False

    def _now(self, folder: Path) -> float:
        """The time by the clock that stamps files."""
        path = folder / f".{self._owner['token']}.{threading.get_ident()}.clock"
        path.write_text("")
        now = path.stat().st_mtime
        path.unlink()
        return now


def owner() -> dict[str, Any]:
    """Returns what a lock says of this process."""
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "machine": _machine(),
        "pid": pid,
        "started": started(pid),
        "since": f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
        "token": uuid.uuid4().hex,
    }


def _machine() -> str:
    """What process numbers hold for: the boot of the machine and the namespace of processes; else the name of it."""
    if _BOOT.exists() and _NAMESPACE.exists():
        return f"{_BOOT.read_text().strip()} {os.readlink(_NAMESPACE)}"
    return socket.gethostname()


def started(pid: int) -> str | None:
    """Returns when a process of this machine started, None if there is none; without /proc, only that it is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "unknown"
    return None if fields[0] == "Z" else fields[19]


def _make_folder(folder: Path) -> None:
    """Makes the folder of locks; who may write the run folder may lock it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        folder.mkdir()
        folder.chmod(folder.parent.stat().st_mode & 0o7777)


def _files(path: Path) -> list[Path]:
    return list((path / LOCKS).glob("*.lock"))


def _read(lock: Path) -> dict[str, Any] | None:
    """What a lock says; nothing while it is being written without a hard link, None if it is gone."""
    try:
        return json.loads(lock.read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}


def _number(lock: Path) -> int:
    return int(lock.name.removesuffix(".lock"))

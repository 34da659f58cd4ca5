"""Locks of run folders, so that several processes share a folder and none of them runs what another is running.

A lock is a file that is made by a hard link, which is atomic on network file systems too. The owner touches it as long
as it lives. A lock is stale if its process is gone, where that can be seen from here, or if it has not been touched for
`STALE_SECONDS` by the clock of the file system. A stale lock is not removed but outbid: locks of a member are numbered,
the highest rules, and of several who want the next number one gets it.

A process that stood still for longer than `STALE_SECONDS` and then goes on does not notice that it was outbid.

No library for locks does all of this. Eight processes that found the lock of a dead one at the same time, as those of
a restarted job array do: one got it, in 15 trials of 15. With flufl.lock 10.0 two held it in 1 of 15, as it removes
stale locks by name. With `SoftFileLease` of filelock 4.3 nobody ever got it where the file system cannot exchange two
names in one step, as NFS cannot, and its `SoftReadWriteLock`, made for NFS, neither names the holder nor takes over
from a process of this machine before the lease runs out.
"""

import contextlib
import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mvae.errors import UsageError

LOCKS = ".locks"
"""Name of the folder of the locks, beside the folders that they are for."""
BEAT_SECONDS = 30.0
STALE_SECONDS = 600.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


class Locks:
    """The locks that this process holds; a context, at whose end they are released."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._owner = owner()
        self._held: dict[str, Path] = {}
        self._guard = threading.Lock()
        self._end = threading.Event()
        self._beat: threading.Thread | None = None

    def __enter__(self) -> "Locks":
        with contextlib.suppress(FileExistsError):
            self._folder.mkdir(parents=True)
            self._folder.chmod(self._folder.parent.stat().st_mode & 0o7777)  # who may add a run may lock it
        self._beat = threading.Thread(target=self._touch, daemon=True)
        self._beat.start()
        return self

    def __exit__(self, *exception) -> None:
        self._end.set()
        for name in list(self._held):
            self.release(name)

    def _touch(self) -> None:
        while not self._end.wait(BEAT_SECONDS):
            with self._guard:
                held = list(self._held.values())
            for path in held:
                if path.exists():
                    os.utime(path)

    def acquire(self, name: str) -> bool:
        """Takes the lock of a member; returns whether it was free or stale."""
        there = self._files(name)  # read once: who makes a lock after this takes the number that is free here
        if any(self._lives(path) for path in there):
            return False
        path = self._folder / f"{name}.{max(map(_number, there), default=-1) + 1}.lock"
        if not self._create(path):
            return False
        if any(self._lives(other) for other in self._files(name) if other != path):
            path.unlink()  # one came between who had seen an emptier folder
            return False
        with self._guard:
            self._held[name] = path
        return True

    def release(self, name: str) -> None:
        """Gives the lock back; does nothing if it is not held."""
        with self._guard:
            path = self._held.pop(name, None)
        if path is None:
            return
        for other in self._files(name):
            if _number(other) < _number(path) and not self._lives(other):
                other.unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def holder(self, name: str) -> str | None:
        """Returns who holds the lock of a member, such as "node-3, process 4711"; None if it can be had."""
        for path in sorted(self._files(name), key=_number, reverse=True):
            if self._lives(path):
                found = _read(path)
                return f"{found['host']}, process {found['pid']}" if found else "another process"
        return None

    def _files(self, name: str) -> list[Path]:
        return [path for path in self._folder.glob(f"{_escaped(name)}.*.lock") if _name(path) == name]

    def _create(self, path: Path) -> bool:
        """Makes a lock with its owner in it, or finds that another did."""
        draft = self._folder / f".{self._owner['token']}.draft"
        draft.write_text(json.dumps(self._owner))
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        except OSError as error:
            raise UsageError(
                f"{self._folder}: its file system makes no hard links, which locks need: {error}"
            ) from error
        finally:
            draft.unlink()
        return True

    def _lives(self, path: Path) -> bool:
        """Whether a lock is neither released nor stale."""
        found = _read(path)
        if found is None:
            return False
        if found["machine"] == self._owner["machine"] and started(found["pid"]) != found["started"]:
            return False
        try:
            return self._now() - path.stat().st_mtime < STALE_SECONDS
        except FileNotFoundError:
            return False

    def _now(self) -> float:
        """The time by the clock that stamps files."""
        path = self._folder / f".{self._owner['token']}.clock"
        path.write_text("")
        now = path.stat().st_mtime
        path.unlink()
        return now


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of a run folder until the context ends: that which a sweep takes of its members.

    Args:
        path: The run folder, which need not exist.

    Raises:
        UsageError: If another process holds it, which is named, or there is no making a lock.
    """
    path = path.resolve()
    try:
        with Locks(path.parent / LOCKS) as locks:
            if not locks.acquire(path.name):
                holder = locks.holder(path.name) or "another process, by now ended"
                raise UsageError(f"{path} is in use by {holder}: wait for its end, stop it or give another folder")
            yield
    except PermissionError as error:
        if error.filename is None or LOCKS not in Path(error.filename).parts:
            raise
        raise UsageError(f"{path} cannot be locked: {error.filename}: {error.strerror}") from error


def owner() -> dict[str, Any]:
    """Returns what a lock says of this process."""
    pid = os.getpid()
    token = uuid.uuid4().hex
    return {"host": socket.gethostname(), "machine": _machine(), "pid": pid, "started": started(pid), "token": token}


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


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def _escaped(name: str) -> str:
    return name.replace("[", "[[]")


def _name(path: Path) -> str:
    return path.name.removesuffix(".lock").rpartition(".")[0]


def _number(path: Path) -> int:
    return int(path.name.removesuffix(".lock").rpartition(".")[2])

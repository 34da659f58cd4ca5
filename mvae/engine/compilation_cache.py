"""Compiled programs on disk, shared by all runs of a user: what was compiled once is loaded the next time."""

import hashlib
import logging
import os
import platform
import re
import sys
from pathlib import Path

import filelock
import jax

LOGGER = logging.getLogger(__name__)

MAX_BYTES = 4 << 30  # of all entries; those that were not used for longest go first
LEAST_SECONDS = 0.1  # of compilation, for a program to be kept
LOCK_SECONDS = 10.0
ENVIRONMENT = "JAX_COMPILATION_CACHE_DIR"


def use_compilation_cache(folder: str | None = None) -> Path | None:
    """Lets jax load compiled programs from a folder and keep new ones there; to be called before anything is compiled.

    A loaded program is the machine code that was compiled, so its numbers are the same bit for bit. Several processes
    may share the folder. A cache that cannot be had costs time and nothing else: the reason is logged as a warning.

    Args:
        folder: The folder, or "off" for none. None is for jax's own JAX_COMPILATION_CACHE_DIR if it is set, else for
            `default_folder`.

    Returns:
        The folder, None if there is no cache.
    """
    if folder == "off":
        jax.config.update("jax_enable_compilation_cache", False)
        return None
    if folder is None and os.environ.get(ENVIRONMENT):
        return Path(os.environ[ENVIRONMENT])  # jax has read it, and has settings of its own for all the rest
    path = default_folder() if folder is None else Path(folder).expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)  # who can write there can run code in our name
        _remove_torn(path)
    except (OSError, RuntimeError) as error:
        LOGGER.warning("no compilation cache in %s (%s): --compilation_cache=FOLDER names another", path, error)
        return None
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_compilation_cache_max_size", MAX_BYTES)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    return path


def default_folder() -> Path:
    """Returns mvae/ in the user's cache folder, and there the folder of this kind of machine.

    Machine code for one kind of processor may not run on another, and home folders are shared among machines.
    """
    return _user_cache() / "mvae" / "compiled" / _machine()


def _user_cache() -> Path:
    """The platform's folder for what a user's programs can make again."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"])
    given = os.environ.get("XDG_CACHE_HOME", "")
    return Path(given) if Path(given).is_absolute() else Path.home() / ".cache"


def _machine() -> str:
    """A name for the kind of processor: its architecture, model and instructions."""
    try:
        described = Path("/proc/cpuinfo").read_text()
    except OSError:
        described = platform.processor()
    lines = sorted(set(re.findall(r"(?m)^(?:model name|flags|Features|CPU part)\s*:.*$", described))) or [described]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
    return f"{platform.machine()}-{digest}"


def _remove_torn(folder: Path) -> None:
    """Removes entries whose process was killed while it wrote them: jax writes the time of use last, and needs it."""
    with filelock.FileLock(folder / ".lockfile", timeout=LOCK_SECONDS):  # the lock under which jax writes
        for entry in folder.glob("*-cache"):
            if not entry.with_name(f"{entry.name.removesuffix('-cache')}-atime").exists():
                entry.unlink()

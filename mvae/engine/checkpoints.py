"""Checkpoints of one stage: orbax underneath, a checksum on top, the one before as a fallback.

One that was saved on any number of devices and processes is restored on any other.
"""

import contextlib
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging as absl_logging

from mvae.engine.mesh import to_devices_like, to_host
from mvae.engine.processes import allgather
from mvae.errors import UsageError

LOGGER = logging.getLogger(__name__)

KEPT = 2


def _checksum(tree: Any) -> int:
    """CRC-32 over the bytes of all leaves, in tree order, whole ones whatever devices they lie on."""
    value = 0
    for leaf in jax.tree.leaves(tree):
        value = zlib.crc32(np.ascontiguousarray(to_host(leaf)).data, value)
    return value


def _leaves(tree: Any) -> dict[str, list[Any]]:
    """Type and shape of every leaf by its path, such as "state.params.kernel"."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): [str(leaf.dtype), list(leaf.shape)]
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _check_leaves(meta: dict[str, Any], like: Any, where: Path) -> None:
    """Raises if a checkpoint, which may be sound, is not of the structure and precision that is asked for.

    Raises:
        UsageError: Naming a leaf that differs and what makes it do so.
    """
    there, here = meta["leaves"], _leaves(like)
    differing = [name for name in there.keys() | here.keys() if there.get(name) != here.get(name)]
    if not differing:
        return
    name = min(differing)
    leaf = f"{_described(there.get(name))} there, {_described(here.get(name))} here"
    before, now = meta["jax_enable_x64"], jax.config.read("jax_enable_x64")
    if before != now:
        raise UsageError(
            f"the checkpoint {where} was written with JAX_ENABLE_X64={int(before)}, not {int(now)} ({name}: {leaf}): "
            "set that, or give another folder"
        )
    raise UsageError(
        f"the checkpoint {where} is of another model ({name}: {leaf}): go on with the config and the version of mvae "
        "that wrote it, or give another folder"
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _described(leaf: list[Any] | None) -> str:
    return "nothing" if leaf is None else f"{leaf[0]} of shape {tuple(leaf[1])}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Context in which the storage library says nothing of what is raised as well."""
    before = absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.FATAL)
    try:
        yield
    finally:
        absl_logging.set_verbosity(before)


def _is_not_raised_too(record: logging.LogRecord) -> bool:
    """Whether a message of the storage library is not that of an exception in one of its threads, which is raised."""
    return record.exc_info is None or "orbax" not in record.pathname


class Checkpoints:
    """The newest checkpoints of a stage, in a folder; writing is asynchronous and atomic."""

    def __init__(self, folder: Path):
        options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, cleanup_tmp_directories=True)
        self._folder = folder
        self._newest: int | None = None
        self._failed = False
        absl_logging.get_absl_logger().addFilter(_is_not_raised_too)
        with self._written(), _quiet():
            self._manager = ocp.CheckpointManager(folder.absolute(), options=options)

    @contextlib.contextmanager
    def _written(self) -> Iterator[None]:
        """Context in which whatever the storage library raises says that checkpoints cannot be written."""
        try:
            yield
        except UsageError:
            raise
        except Exception as error:  # errors of the library, its threads and its file formats have no common base
            self._failed = True
            failure = UsageError(
                f"no checkpoint can be written in {self._folder} ({_first_line(error)}): see that there is room "
                "and that it may be written; the same command goes on from the checkpoint before"
            )
            failure.abrupt = True
            raise failure from error

    def save(self, step: int, tree: Any) -> None:
        """Starts writing a tree of arrays as the state after `step` steps; does nothing if it is there.

        Of several processes each writes what lies on its devices.

        Raises:
            UsageError: If it, or the one before, cannot be written.
        """
        if step == self._newest:
            return
        if jax.process_count() == 1:
            tree = jax.device_get(tree)
        meta = {
            "checksum": _checksum(tree),
            "leaves": _leaves(tree),
            "jax_enable_x64": jax.config.read("jax_enable_x64"),
        }
        args = ocp.args.Composite(tree=ocp.args.StandardSave(tree), meta=ocp.args.JsonSave(meta))
        with self._written(), _quiet():
            self._manager.save(step, args=args)
        self._newest = step

    def restore(self, like: Any) -> tuple[int, Any] | None:
        """Returns (step, tree) of the newest checkpoint that is whole, or None if there is none at all.

        A damaged one is said to be so and the one before is taken. Every process reads all of it, so that all
        judge alike.

        Args:
            like: Tree of arrays with the expected structure, shapes, dtypes and devices.

        Raises:
            UsageError: If there are checkpoints and none of them can be read, or processes read different ones, or the
                newest is of another structure or precision.
        """
        steps = self.steps()
        found, host = -1, None
        for step in steps:
            host = self.restore_at(step, like)
            if host is not None:
                found = step
                break
        read = allgather(found)
        if len(set(read)) > 1:
            raise UsageError(
                f"the processes read different checkpoints in {self._folder}, of steps {read} (-1 for none): "
                "--workdir must be on a file system that all of them share"
            )
        if host is None and steps:
            raise UsageError(
                f"none of the checkpoints {steps} in {self._folder} can be read: "
                "remove the folder to train this stage again from its start"
            )
        if host is None:
            return None
        self.forget_after(found)
        return found, jax.tree.map(to_devices_like, host, like)

    def steps(self) -> list[int]:
        """Returns the steps that there are checkpoints of, newest first."""
        return sorted(self._manager.all_steps(), reverse=True)

    def restore_at(self, step: int, like: Any) -> Any | None:
        """Returns the tree of one checkpoint, arrays on the host; None, after a warning, if it is damaged.

        Raises:
            UsageError: If it is sound, but of another structure or precision.
        """
        target = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), like)
        try:
            with _quiet():
                args = ocp.args.Composite(meta=ocp.args.JsonRestore())
                meta = self._manager.restore(step, args=args)["meta"]
            _check_leaves(meta, like, self._folder / str(step))
            with _quiet():
                args = ocp.args.Composite(tree=ocp.args.StandardRestore(target))
                tree = self._manager.restore(step, args=args)["tree"]
            if _checksum(tree) != meta["checksum"]:
                raise ValueError("its checksum does not match")
        except UsageError:
            raise
        except Exception as error:
            LOGGER.warning(
                "checkpoint %s is damaged (%s); trying the one before", self._folder / str(step), _first_line(error)
            )
            return None
        return tree

    def forget_after(self, step: int) -> None:
        """Goes on from a step: removes the checkpoints that are newer."""
        self._newest = step
        with self._written():
            for newer in [other for other in self._manager.all_steps() if other > step]:
                self._manager.delete(newer)

    def wait(self) -> None:
        """Returns once everything saved is on disk.

        Raises:
            UsageError: If it cannot be written.
        """
        with self._written(), _quiet():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits and frees the manager's threads, but for those of what could not be written.

        Raises:
            UsageError: If what was saved cannot be written.
        """
        if self._failed:
            return
        with self._written(), _quiet():
            self._manager.close()

"""Checkpoints of one stage: orbax underneath, a checksum on top, the one before as a fallback."""

import logging
import zlib
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from mvae.errors import UsageError

LOGGER = logging.getLogger(__name__)

KEPT = 2


def _checksum(tree: Any) -> int:
    """CRC-32 over the bytes of all leaves, in tree order."""
    value = 0
    for leaf in jax.tree.leaves(tree):
        value = zlib.crc32(np.ascontiguousarray(leaf).data, value)
    return value


class Checkpoints:
    """The newest checkpoints of a stage, in a folder; writing is asynchronous and atomic."""

    def __init__(self, folder: Path):
        options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, cleanup_tmp_directories=True)
        self._folder = folder
        self._manager = ocp.CheckpointManager(folder.absolute(), options=options)

    def save(self, step: int, tree: Any) -> None:
        """Starts writing a tree of arrays as the state after `step` steps; does nothing if it is there."""
        if step in self._manager.all_steps():
            return
        host = jax.device_get(tree)
        args = ocp.args.Composite(
            tree=ocp.args.StandardSave(host), meta=ocp.args.JsonSave({"checksum": _checksum(host)})
        )
        self._manager.save(step, args=args)

    def restore(self, like: Any) -> tuple[int, Any] | None:
        """Returns (step, tree) of the newest checkpoint that is whole, or None if there is none at all.

        A damaged one is said to be so and the one before is taken.

        Args:
            like: Tree of arrays with the expected structure, shapes and dtypes.

        Raises:
            UsageError: If there are checkpoints and none of them can be read.
        """
        steps = self.steps()
        for step in steps:
            restored = self.restore_at(step, like)
            if restored is not None:
                self.forget_after(step)
                return step, restored
        if steps:
            raise UsageError(
                f"none of the checkpoints {steps} in {self._folder} can be read: "
                "remove the folder to train this stage again from its start"
            )
        return None

    def steps(self) -> list[int]:
        """Returns the steps that there are checkpoints of, newest first."""
        return sorted(self._manager.all_steps(), reverse=True)

    def restore_at(self, step: int, like: Any) -> Any | None:
        """Returns the tree of one checkpoint; None, after a warning, if it is damaged."""
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), like)
        try:
            args = ocp.args.Composite(tree=ocp.args.StandardRestore(shapes), meta=ocp.args.JsonRestore())
            restored: Any = self._manager.restore(step, args=args)
            if _checksum(jax.device_get(restored.tree)) != restored.meta["checksum"]:
                raise ValueError("its checksum does not match")
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            LOGGER.warning("checkpoint %s is damaged (%s); trying the one before", self._folder / str(step), reason)
            return None
        return restored.tree

    def forget_after(self, step: int) -> None:
        """Removes checkpoints that are newer than the one in use."""
        for newer in [other for other in self._manager.all_steps() if other > step]:
            self._manager.delete(newer)

    def wait(self) -> None:
        """Returns once everything saved is on disk."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits and frees the manager's threads."""
        self._manager.close()

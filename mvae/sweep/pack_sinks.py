"""Sinks of a pack: checkpoints and metrics of members that train in one program, each in a folder of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from mvae.engine import mesh
from mvae.engine.checkpoints import KEPT, Checkpoints
from mvae.engine.loop import Diverged, Sinks, check_finite
from mvae.engine.metrics import MetricWriter
from mvae.engine.program import Progress
from mvae.models.stage import Stage
from mvae.runs.run_folder import RunFolder


class Packed(NamedTuple):
    """State of a stage of a pack: the stage's own, and the values that members have of their own, by dotted name.

    Both have the seeds of all members on the first axis, so that whatever treats the one serves the other.
    """

    state: Any
    values: dict[str, Array]


class MemberRows(NamedTuple):
    """A member of a pack: its folder and its rows of the seed axis."""

    folder: RunFolder
    rows: slice


class PackDiverged(Exception):  # noqa: N818
    """Losses of some members of a pack were not finite; `members` maps their positions to what to say of it."""

    def __init__(self, members: dict[int, Diverged]):
        super().__init__(f"{len(members)} members of a pack diverged")
        self.members = members


class Unaligned(Exception):  # noqa: N818
    """The members of a pack have no whole checkpoint of the same step."""


def pack_sinks(members: Sequence[MemberRows], checkpoint_every: int) -> Sinks:
    """Returns the sinks of a pack.

    Args:
        members: The members.
        checkpoint_every: Steps between checkpoints; who is not further than that may start again with one who has none.
    """

    def check(progress: Progress, stage: Stage, chunk: tuple[int, int]) -> None:
        broken = {}
        for index, member in enumerate(members):
            try:
                check_finite(progress.non_finite[member.rows], stage, chunk, member.folder.checkpoints / stage.name)
            except Diverged as error:
                broken[index] = error
        if broken:
            raise PackDiverged(broken)

    return Sinks(
        checkpoints=lambda stage: PackCheckpoints(members, stage, checkpoint_every),
        writer=lambda stage, first_step: PackWriter(members, stage, first_step),
        check=check,
    )


class PackCheckpoints:
    """Checkpoints of a stage of a pack; a member's have the form they have in a run of its own."""

    def __init__(self, members: Sequence[MemberRows], stage: Stage, checkpoint_every: int):
        self._rows = [member.rows for member in members]
        self._members = [Checkpoints(member.folder.checkpoints / stage.name) for member in members]
        self._checkpoint_every = checkpoint_every

    def save(self, step: int, progress: Progress) -> None:
        """Starts writing the state of every member after `step` steps."""
        plain = jax.device_get(progress._replace(state=progress.state.state))
        for rows, member in zip(self._rows, self._members, strict=True):
            member.save(step, jax.tree.map(lambda leaf, rows=rows: leaf[rows], plain))

    def restore(self, like: Progress) -> tuple[int, Progress] | None:
        """Returns the newest step of which all members have a whole checkpoint, and their progress; None for step 0.

        Raises:
            Unaligned: If there is no such step.
        """
        plain = like._replace(state=like.state.state)
        common = set.intersection(*(starts(member.steps(), self._checkpoint_every) for member in self._members))
        for step in sorted(common, reverse=True):
            parts = self._restore_at(step, plain) if step else []
            if parts is None:
                continue
            for member in self._members:
                member.forget_after(step)
            if not step:
                return None
            joined = jax.tree.map(
                lambda onto, *leaves: mesh.to_devices_like(np.concatenate(leaves), onto), plain, *parts
            )
            return step, joined._replace(state=Packed(joined.state, like.state.values))
        raise Unaligned("no whole checkpoint of the same step")

    def _restore_at(self, step: int, plain: Progress) -> list[Any] | None:
        """What every member had at a step, None if one of them cannot be read."""
        parts = []
        for rows, member in zip(self._rows, self._members, strict=True):
            shapes = jax.eval_shape(lambda tree, rows=rows: jax.tree.map(lambda leaf: leaf[rows], tree), plain)
            restored = member.restore_at(step, shapes)
            if restored is None:
                return None
            parts.append(jax.device_get(restored))
        return parts

    def close(self) -> None:
        """Returns once everything saved is on disk."""
        for member in self._members:
            member.close()


class PackWriter:
    """Metrics of a stage of a pack, each member's in its own folder.

    A member's "seconds" are its share of the time of all, by its number of seeds.
    """

    def __init__(self, members: Sequence[MemberRows], stage: Stage, first_step: int):
        self._members = [
            (MetricWriter(member.folder.metrics, member.folder.tensorboard, stage.name, first_step), member.rows)
            for member in members
        ]

    def write(self, step: int, metrics: dict[str, np.ndarray], seconds: float) -> None:
        """Writes the means of an interval, arrays over the seeds of all members."""
        num_seeds = sum(rows.stop - rows.start for _, rows in self._members)
        for writer, rows in self._members:
            share = (rows.stop - rows.start) / num_seeds
            writer.write(step, {name: value[rows] for name, value in metrics.items()}, share * seconds)

    def close(self) -> None:
        """Closes the files."""
        for writer, _ in self._members:
            writer.close()


def starts(steps: Sequence[int], checkpoint_every: int) -> set[int]:
    """Returns the steps that a member can go on from: those of its checkpoints, and 0 where little is lost by it."""
    little = len(steps) < KEPT and max(steps, default=0) <= checkpoint_every
    return set(steps) | ({0} if little else set())


def saved_steps(folder: Path) -> list[int]:
    """Returns the steps of the checkpoints in a folder, without opening it; none where there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())

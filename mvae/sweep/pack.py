"""Members of a sweep in one program: what differs between them lies on the seed axis, and each leaves a run folder.

A pack is members that differ in their seed alone, or in the values of `mvae.models.traced.TRACED` too. A member's
folder is what a run of its own would have left, checkpoints among it: it goes on alone, or in any other pack.
"""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from mvae.engine.loop import run_stage
from mvae.engine.memory import is_out_of_memory, memory_limit, need_of
from mvae.engine.mesh import seeds_mesh, to_host
from mvae.engine.program import Program, build_program
from mvae.engine.seeds import keys_of_seeds
from mvae.engine.signals import Interrupted
from mvae.errors import UsageError
from mvae.models.stage import Batch, Metrics, Stage
from mvae.models.traced import value_of
from mvae.reports import Programs
from mvae.runs.experiment import Experiment, build_experiment
from mvae.runs.fingerprint import fingerprint
from mvae.runs.run_folder import RunFolder
from mvae.runs.running import conclude, finished_results
from mvae.sweep.pack_sinks import MemberRows, PackDiverged, Packed, Unaligned, pack_sinks, saved_steps, starts
from mvae.sweep.packing import Job, differing, parts_that_fit, rows_of

LOGGER = logging.getLogger(__name__)


Result = dict[str, Any] | Exception


def run_pack(jobs: Sequence[Job], *, limit: int | None = None, draw: bool = True) -> list[Result]:
    """Trains, evaluates and draws members, in as few programs as memory and their checkpoints allow.

    A member that fails does not stop the others.

    Args:
        jobs: The members. Their configs are the same but for the seeds and, where the method takes them as arrays,
            the values of `TRACED`.
        limit: Bytes that the programs may take; None for what the device has.
        draw: Whether members get their figures, which a table does not need.

    Returns:
        What results.json holds, or the error, in the order of the members.

    Raises:
        Interrupted: On SIGINT or SIGTERM, with checkpoints written.
        UsageError: If the first config names something unknown, missing or out of range.
        ValueError: If the configs differ in more than that.
    """
    results: dict[int, Result] = {}
    for index, job in enumerate(jobs):
        try:
            finished = finished_results(RunFolder(job.path), job.config)
        except UsageError as error:
            finished = error
        if finished is not None:
            results[index] = finished
    waiting = [index for index in range(len(jobs)) if index not in results]
    if not waiting:
        return [results[index] for index in range(len(jobs))]
    pack = Pack(jobs, draw=draw)
    pending = pack.aligned(waiting)
    while pending:
        group = pending.pop(0)
        try:
            pending = [*pack.run(group, results, limit), *pending]
        except Exception as error:
            LOGGER.exception("training %s failed", ", ".join(jobs[member].path.name for member in group))
            results |= dict.fromkeys(group, error)
    return [results[index] for index in range(len(jobs))]


class Pack:
    """Members with one experiment between them; groups are lists of their positions."""

    def __init__(self, jobs: Sequence[Job], *, draw: bool = True):
        self._jobs, self._draw = jobs, draw
        self._folders = [RunFolder(job.path) for job in jobs]
        self._experiment = build_experiment(jobs[0].config)
        self._programs_of_reports = Programs(self._experiment.model, self._experiment.dataset)
        self._fingerprint = fingerprint(self._experiment.dataset)
        self._names = differing(jobs)
        if self._names and self._experiment.stages_at is None:
            method = jobs[0].config["method"]
            raise ValueError(f"jobs differ in {', '.join(self._names)}, which {method} takes as constants")

    def aligned(self, members: Sequence[int]) -> list[list[int]]:
        """Returns groups of members that can go on together: in the same stage, from a common step."""
        groups: list[tuple[int, set[int], list[int]]] = []
        for member in members:
            stage, steps = self._position(member)
            for number, (other, common, group) in enumerate(groups):
                if other == stage and common & steps:
                    groups[number] = (stage, common & steps, [*group, member])
                    break
            else:
                groups.append((stage, steps, [member]))
        return [group for _, _, group in groups]

    def _position(self, member: int) -> tuple[int, set[int]]:
        """The stage that a member is in, and the steps of it that it can go on from."""
        every = self._experiment.run.checkpoint_every
        for number in reversed(range(len(self._experiment.stages))):
            steps = saved_steps(self._folders[member].checkpoints / self._experiment.stages[number].name)
            if steps:
                return number, starts(steps, every)
        return 0, {0}

    def run(self, group: list[int], results: dict[int, Result], limit: int | None) -> list[list[int]]:
        """Runs a group and notes the results of its members; returns the groups that are still to be run."""
        seeds = [self._seeds(member) for member in group]
        try:
            programs, first = self._programs(group)
            fitting = self._fitting(programs, first, seeds, limit)
            if len(fitting) > 1:
                return [[group[index] for index in part] for part in fitting]
            for member in group:
                job = self._jobs[member]
                self._folders[member].claim(dict(job.config), list(job.overrides), fingerprint=self._fingerprint)
            params = self._train(group, programs, first)
        except PackDiverged as diverged:
            for index, error in diverged.members.items():
                LOGGER.error("%s diverged: %s", self._jobs[group[index]].path.name, error)
                results[group[index]] = error
            rest = [member for member in group if member not in results]
            return [rest] if rest else []
        except jax.errors.JaxRuntimeError as error:
            if len(group) == 1 or not is_out_of_memory(error):
                raise
            LOGGER.warning("%d members do not fit into memory after all: they go on in halves", len(group))
            return [group[: len(group) // 2], group[len(group) // 2 :]]
        except UsageError as error:
            if len(group) == 1:
                raise
            LOGGER.warning("%s: %d members go on one by one", error, len(group))
            return [[member] for member in group]
        except Unaligned as error:
            if len(group) == 1:
                name = self._folders[group[0]].checkpoints
                results[group[0]] = UsageError(f"none of the checkpoints in {name} can be read: remove the folder")
                return []
            LOGGER.warning("%d members have %s: they go on one by one", len(group), error)
            return [[member] for member in group]
        for member, rows in zip(group, rows_of(seeds), strict=True):
            results[member] = self._conclude(member, jax.tree.map(lambda leaf, rows=rows: leaf[rows], params))
        return []

    def _seeds(self, member: int) -> np.ndarray:
        config = self._jobs[member].config
        return np.arange(config["seed"], config["seed"] + config["num_seeds"])

    def _programs(self, group: list[int]) -> tuple[list[Program], Packed]:
        """The programs of a group, one for each stage, and what the first one's init gets for a stage before."""
        run, seeds = self._experiment.run, np.concatenate([self._seeds(member) for member in group])
        programs = []
        for index in range(len(self._experiment.stages)):
            stage, keys = packed_stage(self._experiment, index), keys_of_seeds(seeds, index)
            programs.append(
                build_program(
                    stage,
                    self._experiment.dataset,
                    run.batch_size,
                    run.init_batch_size,
                    keys,
                    mesh=seeds_mesh(len(seeds)),
                )
            )
        values = {}
        for name in self._names:
            own = [
                np.full(len(self._seeds(member)), float(value_of(self._jobs[member].config, name))) for member in group
            ]
            values[name] = jnp.asarray(np.concatenate(own))
        return programs, Packed(None, values)

    def _fitting(
        self, programs: Sequence[Program], first: Packed, seeds: Sequence[np.ndarray], limit: int | None
    ) -> list[list[int]]:
        """Positions in a group, in parts that fit into memory; says what they take."""
        sizes = [len(each) for each in seeds]
        need = need_of(programs, self._experiment.dataset, sum(sizes), first)
        limit = memory_limit() if limit is None else limit
        parts = parts_that_fit(sizes, need, limit)
        LOGGER.info(
            "%d members, %d seeds on %d device(s): %.1f MB per seed, %.1f MB for all, of %.0f MB; %d program(s)",
            len(sizes),
            sum(sizes),
            1 if (mesh := seeds_mesh(sum(sizes))) is None else mesh.size,
            need.per_seed / 1e6,
            need.fixed / 1e6,
            limit / 1e6,
            len(parts),
        )
        return parts

    def _train(self, group: list[int], programs: Sequence[Program], first: Packed) -> Any:
        """Runs all stages of a group; returns the parameters, the seeds of all members on the first axis."""
        run = self._experiment.run
        rows = rows_of([self._seeds(member) for member in group])
        members = [MemberRows(self._folders[member], part) for member, part in zip(group, rows, strict=True)]
        sinks = pack_sinks(members, run.checkpoint_every)
        packed = first
        for stage, program in zip(self._experiment.stages, programs, strict=True):
            packed = run_stage(
                stage, program, packed, sinks, log_every=run.log_every, checkpoint_every=run.checkpoint_every
            )
        return jax.tree.map(lambda leaf: jnp.asarray(to_host(leaf)), self._experiment.params_of(packed.state))

    def _conclude(self, member: int, params: Any) -> Result:
        """Evaluates one member and draws it, if that is asked for.

        The model is that of the pack: what evaluation reads of it does not depend on the values of `TRACED`, which
        have their place in the loss alone, and one model is compiled once.
        """
        seeds = self._seeds(member)
        run = dataclasses.replace(self._experiment.run, seed=int(seeds[0]), num_seeds=len(seeds))
        LOGGER.info("%s is trained", self._jobs[member].path.name)
        try:
            experiment = self._experiment._replace(run=run, config=self._jobs[member].config)
            folder, programs = self._folders[member], self._programs_of_reports
            return conclude(experiment, params, folder, programs, draw=self._draw)
        except Interrupted:
            raise
        except Exception as error:
            LOGGER.exception("%s failed", self._jobs[member].path.name)
            return error


def packed_stage(experiment: Experiment, index: int) -> Stage:
    """Returns a stage whose state is `Packed` and whose step takes the values in it; init knows nothing of them."""
    plain, stages_at = experiment.stages[index], experiment.stages_at

    def init(key: Key[Array, ""], batch: Batch, previous: Packed) -> Packed:
        return Packed(plain.init(key, batch, previous.state), previous.values)

    def step(key: Key[Array, ""], packed: Packed, batch: Batch) -> tuple[Packed, Metrics]:
        stage = stages_at(packed.values)[index] if stages_at is not None and packed.values else plain
        state, metrics = stage.step(key, packed.state, batch)
        return Packed(state, packed.values), metrics

    return Stage(plain.name, plain.num_steps, init, step)

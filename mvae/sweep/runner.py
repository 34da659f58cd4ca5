"""Runs or resumes the members of a sweep that are not finished."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mvae.engine.signals import StopRequest
from mvae.runs.locks import Locks
from mvae.sweep.check import check_members, is_finished
from mvae.sweep.members import Member
from mvae.sweep.pack import run_pack
from mvae.sweep.packing import Job
from mvae.sweep.plan import plan

LOGGER = logging.getLogger(__name__)

Failures = list[str | None]  # of the jobs of a pack, in their order: what to say of a failure, None for success
Executor = Callable[[Iterable[list[Job]]], Iterator[tuple[list[Job], Failures]]]


class Outcome(NamedTuple):
    """What became of a member: "finished"; "failed", with the reason; or "held" by another process, with its name."""

    name: str
    status: str
    reason: str = ""


def in_process(packs: Iterable[list[Job]], limit: int | None = None) -> Iterator[tuple[list[Job], Failures]]:
    """Runs packs one after the other in this process, and yields each with its failures; `limit` see `run_pack`."""
    for jobs in packs:
        yield jobs, failures_of(jobs, limit)


def failures_of(jobs: list[Job], limit: int | None) -> Failures:
    """Runs a pack and returns what failed.

    Raises:
        Interrupted: On SIGINT or SIGTERM, with checkpoints of what was trained written.
    """
    try:
        results = run_pack(jobs, limit=limit)
    except Exception as error:
        LOGGER.exception("a pack failed")
        results = [error] * len(jobs)
    return [_described(result) if isinstance(result, Exception) else None for result in results]


def _described(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"


def run_members(
    members: Sequence[Member],
    workdir: Path,
    *,
    seeds_per_program: int | None = None,
    execute: Executor = in_process,
) -> list[Outcome]:
    """Runs or resumes what is missing of a sweep; a member that fails does not stop the others.

    Several processes may share a folder: what one of them runs, the others leave alone. What they were running when
    this one had nothing else to do is tried once more at the end.

    Args:
        members: The members.
        workdir: Folder of their run folders.
        seeds_per_program: Seeds trained in one program at most; None for as many as fit.
        execute: What runs the packs.

    Returns:
        The outcomes, in the order of the members.

    Raises:
        UsageError: For bad input, before anything is trained.
        Interrupted: On SIGINT or SIGTERM, with checkpoints of what was trained written.
    """
    check_members(members, workdir)
    outcomes = {member.name: Outcome(member.name, "finished") for member in members if is_finished(member, workdir)}
    LOGGER.info("%d members, %d of them finished", len(members), len(outcomes))
    with StopRequest(), Locks() as locks:
        for _ in range(2):
            waiting = [member for member in members if member.name not in outcomes]
            packs = _claimed(plan(waiting, seeds_per_program), workdir, locks)
            for jobs, failures in execute(packs):
                for job, failure in zip(jobs, failures, strict=True):
                    outcomes[job.path.name] = Outcome(job.path.name, "failed" if failure else "finished", failure or "")
                    locks.release(job.path)
                LOGGER.info("%d of %d members done", len(outcomes), len(members))
        held = {
            member.name: Outcome(
                member.name, "held", locks.holder(workdir / member.name) or "another process, by now ended"
            )
            for member in members
            if member.name not in outcomes
        }
    return [(outcomes | held)[member.name] for member in members]


def finished_members(members: Sequence[Member], workdir: Path, *, seeds_per_program: int | None = None) -> list[Member]:
    """Runs or resumes members, logs which are left out and why, and returns those that are finished.

    For programs that make a table or a figure of what there is. Arguments and errors are those of `run_members`.
    """
    outcomes = run_members(members, workdir, seeds_per_program=seeds_per_program)
    for outcome in outcomes:
        if outcome.status != "finished":
            LOGGER.error("%s is %s and is left out: %s", outcome.name, outcome.status, outcome.reason)
    return [member for member, outcome in zip(members, outcomes, strict=True) if outcome.status == "finished"]


def _claimed(packs: Sequence[Sequence[Member]], workdir: Path, locks: Locks) -> Iterator[list[Job]]:
    """Yields the jobs of each pack that no other process holds, with their locks taken."""
    for pack in packs:
        mine = [member for member in pack if locks.acquire(workdir / member.name)]
        LOGGER.info("in one program: %s", ", ".join(member.name for member in mine) or "nothing, others run it")
        if mine:
            yield [Job(member.config, workdir / member.name, member.recorded) for member in mine]

"""Sweeps: many members of one config, packed into programs, shared out among processes, their table in Markdown."""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.sweep.members import Member, build_members, load_sweep
    from mvae.sweep.runner import Outcome, finished_members, in_process, run_members
    from mvae.sweep.shard import parse_shard, shard_of
    from mvae.sweep.table import line, number, render

__all__ = [
    "Member",
    "Outcome",
    "build_members",
    "finished_members",
    "in_process",
    "line",
    "load_sweep",
    "number",
    "parse_shard",
    "render",
    "run_members",
    "shard_of",
]

__getattr__ = lazily(
    __name__,
    {
        "mvae.sweep.members": ("Member", "build_members", "load_sweep"),
        "mvae.sweep.runner": ("Outcome", "finished_members", "in_process", "run_members"),
        "mvae.sweep.shard": ("parse_shard", "shard_of"),
        "mvae.sweep.table": ("line", "number", "render"),
    },
)

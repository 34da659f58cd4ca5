"""Sweeps: many members of one config, packed into programs, shared out among processes, their table in Markdown."""

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

"""Sweeps: many members of one config, packed into programs, shared out among processes, their table in Markdown."""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.sweep.members import Member, build_members, load_sweep
    from mvae.sweep.runner import Outcome, finished_members, run_members
    from mvae.sweep.table import render

__all__ = [
    "Member",
    "Outcome",
    "build_members",
    "finished_members",
    "load_sweep",
    "render",
    "run_members",
]

__getattr__ = lazily(
    __name__,
    {
        "mvae.sweep.members": ["Member", "build_members", "load_sweep"],
        "mvae.sweep.runner": ["Outcome", "finished_members", "run_members"],
        "mvae.sweep.table": ["render"],
    },
)

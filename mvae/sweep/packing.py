"""Which members of a sweep may train in one program, and how many at a time."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mvae.engine.memory import Need
from mvae.models.traced import TRACED, value_of

LOGGER = logging.getLogger(__name__)


class Job(NamedTuple):
    """A member: its whole config as plain dicts, its run folder, and what to record as its overrides."""

    config: Mapping[str, Any]
    path: Path
    overrides: tuple[str, ...] = ()


def differing(jobs: Sequence[Job]) -> list[str]:
    """Returns which of `TRACED` have several values.

    Raises:
        ValueError: If the configs differ in anything but those, the seed and the number of seeds.
    """
    if any(structure(job.config) != structure(jobs[0].config) for job in jobs):
        raise ValueError("jobs of a pack must have the same config but for seeds and traced values")
    return [name for name in TRACED if len({value_of(job.config, name) for job in jobs}) > 1]


def structure(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config without what may differ within a pack: seeds, and the values of `TRACED` that are there."""
    rest = {name: value for name, value in config.items() if name not in ("seed", "num_seeds")}
    for name in TRACED:
        block, key = name.split(".")
        rest[block] = {entry: value for entry, value in rest.get(block, {}).items() if entry != key}
    return rest


def rows_of(seeds: Sequence[Sequence[int] | np.ndarray]) -> list[slice]:
    """Returns the rows of each member on the seed axis of all."""
    ends = np.cumsum([len(each) for each in seeds]).tolist()
    return [slice(end - len(each), end) for each, end in zip(seeds, ends, strict=True)]


def parts_that_fit(sizes: Sequence[int], need: Need, limit: int) -> list[list[int]]:
    """Returns positions of members in parts, in order, each with no more seeds than fit; a member is not divided.

    Args:
        sizes: Seeds of each member.
        need: What seeds take.
        limit: Bytes that there are.
    """
    most = need.seeds_in(limit)
    parts: list[list[int]] = []
    room = 0
    for index, size in enumerate(sizes):
        if size > most:
            LOGGER.warning("a member of %d seed(s) takes more than the memory there is, by the estimate", size)
        if not parts or size > room:
            parts.append([])
            room = max(most, size)
        parts[-1].append(index)
        room -= size
    return parts

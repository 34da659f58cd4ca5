"""Which members share a program, before anything is built."""

import json
import logging
from collections.abc import Sequence

from mvae.errors import UsageError
from mvae.methods import METHODS
from mvae.models.traced import TRACED, value_of
from mvae.sweep.members import Member
from mvae.sweep.packing import structure

LOGGER = logging.getLogger(__name__)


def plan(members: Sequence[Member], seeds_per_program: int | None = None) -> list[list[Member]]:
    """Returns the members in packs, in order of their first ones.

    Members are packed if their configs differ in seeds alone, or, for traceable methods, in the values of
    `TRACED` too. Memory is looked at later, where the device is.

    Args:
        members: The members.
        seeds_per_program: Seeds in a pack at most, though a member is not divided; None for no bound.
    """
    packs: dict[str, list[Member]] = {}
    for member in members:
        packs.setdefault(_signature(member), []).append(member)
    for pack in packs.values():
        _say_why_alone(pack, packs)
    return [part for pack in packs.values() for part in _bounded(pack, seeds_per_program)]


def _signature(member: Member) -> str:
    """What members of one pack have in common, as text."""
    common = structure(member.config)
    if not METHODS[member.config["method"]].traceable:
        common = {**common, "values": _values(member)}
    return json.dumps(common, sort_keys=True, default=str)


def _values(member: Member) -> dict[str, object]:
    return {name: value_of(member.config, name) for name in TRACED}


def _say_why_alone(pack: Sequence[Member], packs: dict[str, list[Member]]) -> None:
    """Logs that a method takes constants, where that alone keeps a pack from being larger."""
    first, method = pack[0], pack[0].config["method"]
    if METHODS[method].traceable:
        return
    alike = [other for other in packs.values() if structure(other[0].config) == structure(first.config)]
    if len(alike) > 1:
        names = [name for name in TRACED if len({_values(other[0])[name] for other in alike}) > 1]
        LOGGER.info(
            "%s is in a program of its own: the method %s takes %s as constants", first.name, method, ", ".join(names)
        )


def _bounded(pack: Sequence[Member], most: int | None) -> list[list[Member]]:
    """A pack in parts of no more than so many seeds."""
    parts: list[list[Member]] = []
    seeds = 0
    for member in pack:
        size = member.config.get("num_seeds", 1)
        if not isinstance(size, int):
            raise UsageError(f"member {member.name}: num_seeds must be int, got {size!r}")
        if not parts or (most is not None and seeds + size > most):
            parts.append([])
            seeds = 0
        parts[-1].append(member)
        seeds += size
    return parts

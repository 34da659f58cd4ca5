"""Members of a sweep: a config, and for each member the entries of it that are other."""

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mvae.errors import UsageError
from mvae.runs.config_file import load_function
from mvae.runs.overrides import as_arguments, resolve

LOGGER = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,=+-]*")


class Member(NamedTuple):
    """A member: the name of its run folder, its whole config as plain dicts, and what it overrides by dotted key."""

    name: str
    config: dict[str, Any]
    overrides: dict[str, Any]

    @property
    def recorded(self) -> tuple[str, ...]:
        """The overrides as a command line has them, for config.json."""
        return tuple(as_arguments(self.overrides))


def load_sweep(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """Returns what the file's function `sweep()` yields: (name, overrides) for each member.

    Args:
        path: A Python file. Overrides map dotted keys to values: {"manifold": "sphere:2", "model.beta": 4.0}.

    Raises:
        UsageError: If the file is not there, has no such function, raises anything, or yields something else or
            nothing.
    """
    try:
        entries = load_function(path, "sweep", finish=list)()
    except UsageError as error:
        raise UsageError(f"--sweep={error}; sweep() yields (name, overrides) for each member") from error
    for entry in entries:
        if not (isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], Mapping)):
            raise UsageError(f"--sweep={path}: sweep() must yield (name, overrides), got {entry!r}")
    if not entries:
        raise UsageError(f"--sweep={path}: sweep() yields no member")
    return entries


def build_members(
    config: Any,  # a ConfigDict, or plain dicts
    sweep: Iterable[tuple[str, Mapping[str, Any]]],
    common: Mapping[str, Any] | None = None,
) -> list[Member]:
    """Returns the members with their whole configs; what does not apply in one and is left out is logged.

    Args:
        config: What all members have in common; it is not changed.
        sweep: (name, overrides) of each member, as `mvae.runs.overrides.resolve` takes them.
        common: Overrides of all members, which their own come after.

    Raises:
        UsageError: For a name that makes no folder or is there twice, or a config or override that `resolve` refuses,
            naming the member.
    """
    members: dict[str, Member] = {}
    for name, own in sweep:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UsageError(f"member {name!r}: a name is letters, digits and . _ , = + -, and begins with one of them")
        if name in members:
            raise UsageError(f"member {name!r} is there twice: every member needs a name of its own")
        overrides = {**(common or {}), **own}
        try:
            resolved = resolve(config, overrides)
        except UsageError as error:
            raise UsageError(f"member {name}: {error}") from error
        for note in resolved.notes:
            LOGGER.info("%s: %s", name, note)
        members[name] = Member(name, resolved.block, overrides)
    return list(members.values())

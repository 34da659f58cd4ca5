"""Members of a sweep: a config, and for each member the entries of it that are other."""

import copy
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from mvae.errors import UsageError, unknown
from mvae.runs.config_file import dotted_keys, load_function

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,=+-]*")


class Member(NamedTuple):
    """A member: the name of its run folder, its whole config as plain dicts, and what it overrides by dotted key."""

    name: str
    config: dict[str, Any]
    overrides: dict[str, Any]

    @property
    def recorded(self) -> tuple[str, ...]:
        """The overrides as a command line has them, for config.json."""
        return tuple(f"--config.{key}={value}" for key, value in self.overrides.items())


def load_sweep(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """Returns what the file's function `sweep()` yields: (name, overrides) for each member.

    Args:
        path: A Python file. Overrides map dotted keys to values: {"manifold.name": "sphere", "model.beta": 4.0}.

    Raises:
        UsageError: If the file is not there, has no such function, or that yields something else or nothing.
    """
    try:
        sweep = load_function(path, "sweep")
    except UsageError as error:
        raise UsageError(f"--sweep={error}; it yields (name, overrides) for each member") from error
    entries = list(sweep())
    for entry in entries:
        if not (isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], Mapping)):
            raise UsageError(f"--sweep={path}: sweep() must yield (name, overrides), got {entry!r}")
    if not entries:
        raise UsageError(f"--sweep={path}: sweep() yields no member")
    return entries


def build_members(config: ConfigDict, sweep: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Member]:
    """Returns the members with their whole configs.

    Args:
        config: What all members have in common; it is not changed.
        sweep: (name, overrides) of each member.

    Raises:
        UsageError: For a name that makes no folder or is there twice, or an override that `apply_overrides` refuses,
            naming the member.
    """
    members: dict[str, Member] = {}
    for name, overrides in sweep:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UsageError(f"member {name!r}: a name is letters, digits and . _ , = + -, and begins with one of them")
        if name in members:
            raise UsageError(f"member {name!r} is there twice: every member needs a name of its own")
        try:
            changed = apply_overrides(config, overrides)
        except UsageError as error:
            raise UsageError(f"member {name}: {error}") from error
        members[name] = Member(name, changed.to_dict(), dict(overrides))
    return list(members.values())


def apply_overrides(config: Any, overrides: Mapping[str, Any]) -> Any:  # ConfigDicts, which pyright misreads
    """Returns a copy of a config with other values of some entries, each of the type that the entry has.

    >>> config = ConfigDict({"model": {"beta": 1.0}})
    >>> apply_overrides(config, {"model.beta": 4}).model.beta
    4.0

    Args:
        config: The config.
        overrides: Dotted key -> value.

    Raises:
        UsageError: For a key that the config does not have, a block, or a value of another type, naming the key.
    """
    changed: Any = copy.deepcopy(config)  # the types of entries that are None among it
    known = list(dotted_keys(changed))
    for key, value in overrides.items():
        if key not in known:
            if isinstance(key, str) and any(name.startswith(f"{key}.") for name in known):
                raise UsageError(f"{key} is a block: override its entries, such as {key}.NAME")
            raise unknown("config key", str(key), known)
        *path, last = key.split(".")
        block = changed
        for name in path:
            block = block[name]
        expected = block.get_type(last)
        try:
            if isinstance(value, bool) and expected is not bool:
                raise TypeError
            block[last] = value
        except (TypeError, ValueError):
            raise UsageError(f"{key} must be {expected.__name__}, got {value!r}") from None
    return changed

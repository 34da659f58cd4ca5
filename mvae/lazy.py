"""Packages whose names are imported when first asked for: programs start without what they do not use."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazily(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Returns the `__getattr__` of a package, which imports a name from the module that has it.

    >>> lazily("here", {"math": ["sqrt"]})("sqrt")(4.0)
    2.0

    Args:
        package: Name of the package, for the message.
        homes: Module -> names that are imported from it.

    Raises:
        AttributeError: By the function returned, for a name that no module has.
    """
    home_of = {name: module for module, names in homes.items() for name in names}

    def attribute(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(home_of[name]), name)

    return attribute

"""Config files as Python modules, for programs that run them; light to import."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from mvae.errors import UsageError


def load_function(path: Path, name: str) -> Any:
    """Returns the function of that name in a Python file.

    Raises:
        UsageError: If the file is not there, is not Python or has no such function.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise UsageError(f"{path}: no such Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, name, None)):
        raise UsageError(f"{path} has no function {name}()")
    return getattr(module, name)


def load_config(path: Path, argument: str = "") -> Any:  # a ConfigDict, whose own annotations know no attributes
    """Returns the ConfigDict that the file's `get_config(argument)` gives, or `get_config()` without an argument.

    Args:
        path: A config file, such as configs/dvae_torus.py.
        argument: What follows the colon in `--config=configs/dvae_torus.py:quick`.

    Raises:
        UsageError: If the file is not there, has no `get_config` or refuses the argument.
    """
    get_config = load_function(path, "get_config")
    try:
        return get_config(*([argument] if argument else []))
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error


def dotted_keys(config: ConfigDict, prefix: str = "") -> Iterator[str]:
    """Yields the names of all entries, those in blocks as BLOCK.NAME.

    >>> list(dotted_keys(ConfigDict({"model": {"beta": 1.0}, "seed": 0})))
    ['model.beta', 'seed']
    """
    for key in config:
        value = config[key]
        if isinstance(value, ConfigDict):
            yield from dotted_keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"

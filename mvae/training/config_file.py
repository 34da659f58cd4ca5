"""Config files as Python modules, for programs that run several of them."""

import importlib.util
from pathlib import Path
from typing import Any

from mvae.errors import UsageError


def load_config(path: Path, argument: str = "") -> Any:  # a ConfigDict, whose own annotations know no attributes
    """Returns the ConfigDict that the file's `get_config(argument)` gives.

    Args:
        path: A config file, such as configs/dvae_torus.py.
        argument: What follows the colon in `--config=configs/dvae_torus.py:quick`.

    Raises:
        UsageError: If the file is not there or has no `get_config`.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise UsageError(f"{path}: no such config file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
        raise UsageError(f"{path}: has no function get_config")
    return module.get_config(argument)

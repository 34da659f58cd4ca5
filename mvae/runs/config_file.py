"""Config files as Python modules, for programs that run them."""

import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

import mvae
from mvae.errors import UsageError, unknown

_NEIGHBOURS: set[str] = set()  # names of modules beside the files that were loaded


def load_function(path: Path, name: str, finish: Callable[[Any], Any] | None = None) -> Callable[..., Any]:
    """Returns the function of that name in a Python file, whose errors are told in one line with their place.

    While the file is loaded, and while the function runs, the file's folder and the one above can be imported from.

    Args:
        path: The file.
        name: The function.
        finish: What is made of what it returns, such as a list of the values of a generator.

    Raises:
        UsageError: If the file is not there, is not Python, raises anything or has no such function; the function, if
            it raises anything.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise UsageError(f"{path}: no such Python file")
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader
    with _importable(path, module):
        _call(path, 1, lambda: loader.exec_module(module))
    function = getattr(module, name, None)
    if not callable(function):
        raise UsageError(f"{path} has no function {name}()")

    made = finish or (lambda value: value)

    def call(*arguments: Any) -> Any:
        with _importable(path, module):
            return _call(path, first_line(function), lambda: made(function(*arguments)))

    return call


def find_config(path: str) -> Path:
    """Returns the config file of that path or, where there is none, the one of that name that mvae brings.

    >>> find_config("dvae_torus").name
    'dvae_torus.py'

    Args:
        path: Such as "configs/dvae_torus.py" or "dvae_torus".

    Raises:
        UsageError: If there is neither.
    """
    if Path(path).is_file():
        return Path(path)
    brought = {file.stem: file for folder in _brought() for file in folder.glob("*.py") if file.stem != "__init__"}
    if path.removesuffix(".py") in brought:
        return brought[path.removesuffix(".py")]
    available = sorted(str(file) for file in Path("configs").glob("*.py"))
    raise unknown("config file", path, available or brought)


def _brought() -> list[Path]:
    """Folders of the configs that mvae brings: in the wheel, or beside the package in a checkout."""
    package = Path(mvae.__file__).parent
    return [
        folder for folder in (package.parent / "configs", package / "configs") if (folder / "dvae_torus.py").exists()
    ]


def load_config(path: Path, argument: str = "") -> Any:  # a ConfigDict, whose own annotations know no attributes
    """Returns the ConfigDict that the file's `get_config(argument)` gives, or `get_config()` without an argument.

    Args:
        path: A config file, such as configs/dvae_torus.py.
        argument: What follows the colon in `--config=configs/dvae_torus.py:quick`.

    Raises:
        UsageError: As for `load_function`, if `get_config` refuses the argument or returns something else, and for data
            or a manifold that there are not.
    """
    from mvae.runs.config import DATA  # not before the file is known to be there: these import all methods
    from mvae.runs.manifolds import manifold_block
    from mvae.runs.notation import block_of

    def checked(config: Any) -> ConfigDict:
        if not isinstance(config, ConfigDict | dict):
            raise UsageError(f"get_config() must return a ConfigDict, got {config!r}")
        blocks: dict[str, Any] = dict(config.to_dict() if isinstance(config, ConfigDict) else config)
        if "data" in blocks:
            blocks["data"] = block_of(blocks["data"], DATA)
        if "manifold" in blocks:
            blocks["manifold"] = manifold_block(blocks["manifold"])
        return ConfigDict(blocks, type_safe=False)

    return load_function(path, "get_config", checked)(*([argument] if argument else []))


def first_line(function: Any) -> int:
    """Returns the line on which a function begins; 1 for what is not written in Python."""
    code = getattr(function, "__code__", None)
    return code.co_firstlineno if code is not None else 1


@contextlib.contextmanager
def _importable(path: Path, module: Any) -> Iterator[None]:
    """A context in which a file's folder and the one above can be imported from, and the file is a known module."""
    folder = path.resolve().parent
    for name in _NEIGHBOURS:
        sys.modules.pop(name, None)  # another folder may have a file of the same name
    _NEIGHBOURS.clear()
    before, known = list(sys.path), set(sys.modules)
    sys.path[:0] = [str(folder), str(folder.parent)]
    if module.__name__ not in known:
        sys.modules[module.__name__] = module  # dataclasses look up their own module
    try:
        yield
    finally:
        sys.path[:] = before
        roots = {child.stem for child in folder.glob("*.py")} | {folder.name}
        _NEIGHBOURS.update(name for name in set(sys.modules) - known if name.partition(".")[0] in roots)


def _call(path: Path, line: int, function: Callable[[], Any]) -> Any:
    """Calls a function of a file; what it raises is told in one line, with the innermost place in the file's folder."""
    try:
        return function()
    except (Exception, SystemExit) as error:
        folder, place = path.resolve().parent, f"{path}:{line}"
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename and Path(frame.filename).resolve().parent == folder:
                place = f"{_shown(Path(frame.filename), path)}:{frame.lineno}"
        if isinstance(error, SyntaxError) and error.filename:
            place = f"{_shown(Path(error.filename), path)}:{error.lineno}"
        message = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
        kind = "" if type(error) in (ValueError, UsageError) else f"{type(error).__name__}: "
        raise UsageError(f"{place}: {kind}{message}".removesuffix(": ")) from error


def _shown(found: Path, path: Path) -> Path:
    """A file beside a config file, named as that is."""
    with contextlib.suppress(ValueError):
        return path.parent / found.resolve().relative_to(path.resolve().parent)
    return found

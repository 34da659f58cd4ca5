"""From mappings to dataclasses: names and types are checked, what is left out has the dataclass's default."""

import ast
import collections.abc
import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from mvae.errors import UsageError, unknown

T = TypeVar("T")

OF_DATA = {"of data": True}  # metadata of a field that the data decide, not the config
_SEQUENCES = (tuple, list, collections.abc.Sequence)
_TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def typed(cls: type[T], block: Mapping[str, Any], where: str, **given: Any) -> T:
    """Builds a dataclass from a mapping, checking names and types; fields left out have their defaults.

    A whole number passes for a float, a scalar of numpy or jax for a number, a list for a tuple, a text for a tuple
    if it is the literal of one. A field that is a dataclass itself is built from a mapping in the same way.

    Args:
        cls: The dataclass.
        block: Field -> value; `given` fields are not read from it.
        where: Name of the block in messages, such as "config.model".
        **given: Fields that do not come from the block.

    Raises:
        UsageError: For an unknown or missing key, a value of another type, or one the dataclass refuses.
    """
    checked_mapping(block, where)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.name not in given}  # type: ignore[arg-type]
    for key in block:
        if key not in fields:
            raise unknown(f"key of {where}", str(key), fields)
    if missing := [name for name, field in fields.items() if name not in block and not has_default(field)]:
        raise UsageError(f"{where} lacks {', '.join(missing)}")
    hints = typing.get_type_hints(cls)
    values = {name: convert(value, hints[name], f"{where}.{name}") for name, value in block.items()}
    try:
        return cls(**values, **given)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error


def complete_block(cls: type, block: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Returns a block with its values checked and every default filled in, as plain dicts, in the fields' order.

    Fields without a default are not of the block: whoever builds the dataclass gives them.

    Raises:
        UsageError: For an unknown key or a value of another type, and for what a nested dataclass refuses.
    """
    checked_mapping(block, where)
    defaults = default_block(cls)
    for key in block:
        if key not in defaults:
            raise unknown(f"key of {where}", str(key), defaults)
    hints = typing.get_type_hints(cls)
    changed = {name: _plain(convert(value, hints[name], f"{where}.{name}")) for name, value in block.items()}
    return defaults | changed


def default_block(cls: type) -> dict[str, Any]:
    """Returns the defaults of a dataclass by field, those of dataclasses in it as dicts.

    Fields that have none, and those that the data decide, are left out.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Rates:
    ...     shape: tuple[int, ...]
    ...     beta: float = 1.0
    >>> default_block(Rates)
    {'beta': 1.0}
    """
    found = {}
    for field in dataclasses.fields(cls):
        if field.metadata == OF_DATA:
            continue
        if field.default_factory is not dataclasses.MISSING:
            found[field.name] = _plain(field.default_factory())
        elif field.default is not dataclasses.MISSING:
            found[field.name] = _plain(field.default)
    return found


def has_default(field: dataclasses.Field) -> bool:
    """Whether a field of a dataclass may be left out."""
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def checked_mapping(block: Any, where: str) -> None:
    """Raises a UsageError if a block is not a mapping."""
    if not isinstance(block, Mapping):
        raise UsageError(f"{where} must be a block of keys, got {block!r}")


def convert(value: Any, hint: Any, where: str) -> Any:
    """Returns a value as the annotated type.

    Raises:
        UsageError: If it is of another type, naming `where` and what was expected.
    """
    value, options = _as_number(value), options_of(hint)
    if value is None and type(None) in options:
        return None
    return _converted(value, options, hint, where)


def _converted(value: Any, options: tuple[Any, ...], hint: Any, where: str) -> Any:
    """The value as one of the types that an annotation allows."""
    for option in options:
        if option is Any:
            return value
        if dataclasses.is_dataclass(option):
            return (
                value
                if isinstance(value, typing.cast(type, option))
                else typed(typing.cast(type, option), value, where)
            )
        if (item := item_of(option)) is not None:
            entries = _as_entries(value)
            if entries is not None:
                return tuple(convert(entry, item, where) for entry in entries)
        elif typing.get_origin(option) is typing.Literal:
            if value in typing.get_args(option):
                return value
        elif _is_instance(value, option):
            return float(value) if option is float else value
    raise UsageError(f"{where} must be {name_of(hint)}, got {value!r}")


def from_text(text: str, hint: Any, where: str) -> Any:
    """Returns the value that a text of a command line stands for, by the annotated type.

    >>> from_text("mig,dci", tuple[str, ...], "scores"), from_text("None", int | None, "num_steps")
    (('mig', 'dci'), None)

    Raises:
        UsageError: If it stands for none.
    """
    options = options_of(hint)
    if text in ("None", "none") and type(None) in options:
        return None
    if str in options or any(typing.get_origin(option) is typing.Literal for option in options):
        return convert(text, hint, where)
    for option in options:
        if (item := item_of(option)) is not None:
            return _tuple_from_text(text, item, where)
        if option is bool and text.lower() in _TRUTH:
            return _TRUTH[text.lower()]
        if option is int or option is float:
            try:
                return option(text)
            except ValueError:
                continue
    if Any in options:
        return _literal(text, text)
    raise UsageError(f"{where} must be {name_of(hint)}, got {text!r}")


def options_of(hint: Any) -> tuple[Any, ...]:
    """Returns the types that an annotation allows, one by one."""
    union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    return typing.get_args(hint) if union else (hint,)


def item_of(option: Any) -> Any:
    """Returns the type of the entries of an annotated sequence; None for anything else."""
    if option in (tuple, list):
        return Any
    if typing.get_origin(option) in _SEQUENCES:
        return typing.get_args(option)[0]
    return None


def name_of(hint: Any) -> str:
    """Returns an annotation as a message names it.

    >>> name_of(int | None), name_of(tuple[str, ...])
    ('int or None', 'a sequence of str')
    """

    def one(option: Any) -> str:
        if option is type(None):
            return "None"
        if (item := item_of(option)) is not None:
            return f"a sequence of {name_of(item)}"
        if typing.get_origin(option) is typing.Literal:
            return "one of " + ", ".join(map(str, typing.get_args(option)))
        return getattr(option, "__name__", str(option))

    return " or ".join(one(option) for option in options_of(hint))


def _plain(value: Any) -> Any:
    """A dataclass as dicts; anything else as it is."""
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


def _as_number(value: Any) -> Any:
    """A scalar of numpy or jax as a number of Python, an array of one axis as a list; anything else as it is."""
    shape = getattr(value, "shape", None)
    if shape == () and hasattr(value, "item"):
        return value.item()
    if isinstance(shape, tuple) and len(shape) == 1 and hasattr(value, "tolist"):
        return value.tolist()
    return value


def _as_entries(value: Any) -> list | tuple | None:
    """The entries of a sequence, or of the text of one; None if it is neither."""
    if isinstance(value, str):
        value = _literal(value, None)
    return value if isinstance(value, list | tuple) else None


def _is_instance(value: Any, option: Any) -> bool:
    kind = typing.get_origin(option) or option
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float)
    return isinstance(value, kind)


def _literal(text: str, otherwise: Any) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return otherwise


def _tuple_from_text(text: str, item: Any, where: str) -> tuple:
    """A tuple from a literal, or from entries with commas between."""
    if (entries := _as_entries(text)) is None:
        parts = [part.strip() for part in text.split(",")] if text.strip() else []
        return tuple(from_text(part, item, where) for part in parts)
    return tuple(convert(entry, item, where) for entry in entries)

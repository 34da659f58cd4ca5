"""The text notation of manifolds and data: NAME[:FIRST][:KEY=VALUE]..., such as "sphere:2:radius=0.5"."""

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from mvae.errors import UsageError, unknown
from mvae.typed import convert, from_text

_OPENING, _CLOSING, _QUOTES = "([{", ")]}", "'\""
_FACTORS = "factors"  # the option whose values are between the parentheses of NAME(…)


class Catalogue(NamedTuple):
    """Things that have names, and options that are the arguments of what builds them.

    Attributes:
        noun: What they are, in messages.
        where: The entry of a config that holds one.
        builders: Name -> what builds it.
        first: The option that may follow the name without its key; None for none.
        kept: Options that mean the same of each of them, and stay when another is put in its place.
        firsts: Name -> the option that may follow it without its key, where that is another than `first`.
    """

    noun: str
    where: str
    builders: Mapping[str, Callable[..., Any]]
    first: str | None = None
    kept: tuple[str, ...] = ()
    firsts: Mapping[str, str] = {}

    def first_of(self, name: str) -> str | None:
        """Returns the option that may follow a name without its key."""
        return self.firsts.get(name, self.first)

    def options(self, name: Any) -> dict[str, inspect.Parameter]:
        """Returns the options of the thing of that name, with their defaults and annotated types.

        Raises:
            UsageError: If there is none of that name.
        """
        if name not in self.builders:
            raise unknown(self.noun, str(name), self.builders)
        return _parameters(self.builders[name])


def _parameters(builder: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        signature = inspect.signature(builder, eval_str=True)
    except NameError:  # annotations that only a type checker can resolve
        signature = inspect.signature(builder)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: parameter for name, parameter in signature.parameters.items() if parameter.kind in named}


def hint_of(parameter: inspect.Parameter) -> Any:
    """Returns the type of an option's value; `Any` where the builder does not annotate it."""
    hint = parameter.annotation
    return Any if hint is inspect.Parameter.empty or isinstance(hint, str) else hint


def parse(text: str, catalogue: Catalogue, where: str | None = None) -> dict[str, Any]:
    """Returns the block {"name": NAME, KEY: VALUE, ...} of a text, values of the types that the builder annotates.

    The value of an option may be quoted, which it must be where it has a colon or a parenthesis of its own. What
    follows a name in parentheses are the factors of a product, each a text.

    Args:
        text: Such as "sphere:2", "so3", "product(sphere:2, so3)", "coil20:object=1:size=32".
        catalogue: The names and their options.
        where: What holds the text, in messages; None for the catalogue's entry of the config.

    Raises:
        UsageError: For a text without a name, an unknown name or option, an option given twice or a value of another
            type.
    """
    where = f"{where or catalogue.where}, {text!r}"
    head, *parts = _split(text, ":", where)
    name, parenthesis, inside = head.partition("(")
    options = catalogue.options(name.strip())
    block: dict[str, Any] = {"name": name.strip()}
    if parenthesis:
        if not inside.endswith(")") or _FACTORS not in options:
            raise UsageError(f"{where}: {_form(catalogue)}; parentheses are for the factors of a product")
        block[_FACTORS] = tuple(part for part in _split(inside[:-1], ",", where) if part)
    for position, part in enumerate(parts):
        key, equals, value = part.partition("=")
        key, value = key.strip(), value.strip()
        first = catalogue.first_of(block["name"])
        if not equals and position == 0 and first is not None:
            key, value = first, part
        if not key or not value or key in block:
            raise UsageError(f"{where}: {_form(catalogue)}")
        block[key] = option_value(block["name"], key, _unquoted(value), catalogue, f"{where}: {key}")
    return {key: value for key, value in block.items() if value is not None}


def block_of(value: Any, catalogue: Catalogue) -> dict[str, Any]:
    """Returns the block of an entry that is a text or a block; an option of None is left out.

    Raises:
        UsageError: As for `parse`, and if it is neither.
    """
    if isinstance(value, str):
        return parse(value, catalogue)
    if not isinstance(value, Mapping | ConfigDict):
        raise UsageError(f"{catalogue.where} must be a text or a block of keys, got {value!r}")
    if "name" not in value:
        raise UsageError(f"{catalogue.where} lacks name")
    given: dict[str, Any] = dict(value.items())
    name = given.pop("name")
    catalogue.options(name)
    block: dict[str, Any] = {"name": name}
    for key, option in given.items():
        if option is not None:
            block[key] = option_value(name, key, option, catalogue, f"{catalogue.where}.{key}")
    return block


def option_value(name: str, key: str, value: Any, catalogue: Catalogue, where: str) -> Any:
    """Returns the value of an option as the type that the builder annotates; a text is read by that type.

    Raises:
        UsageError: If there is no such option, or the value is of another type.
    """
    options = catalogue.options(name)
    if key in options:
        hint = hint_of(options[key])
    elif key == catalogue.first:
        hint = int  # a dimension may be said of what has only one
    else:
        known = ", ".join(options) or "no options"
        raise UsageError(f"{where} = {value!r} does not apply: {name} has {known}" + (" only" if options else ""))
    if value is None or value == "None":
        return None
    return from_text(value, hint, where) if isinstance(value, str) else convert(value, hint, where)


def renamed(block: Mapping[str, Any], name: str, catalogue: Catalogue) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the block of another thing with the options that are `kept` and that it has, and those dropped."""
    if block.get("name") == name:
        return dict(block), {}
    options = catalogue.options(name)
    rest = {key: value for key, value in block.items() if key != "name"}
    kept = {key: value for key, value in rest.items() if key in catalogue.kept and key in options}
    return {"name": name} | kept, {key: value for key, value in rest.items() if key not in kept}


def text_of_block(block: Mapping[str, Any], catalogue: Catalogue) -> str:
    """Returns the text whose block is this one.

    >>> text_of_block({"name": "coil20", "size": 32}, Catalogue("data set", "data", {"coil20": lambda *, size: None}))
    'coil20:size=32'
    """
    text = block["name"]
    for key, value in block.items():
        if key == _FACTORS:
            text += f"({', '.join(value)})"
        elif key == catalogue.first_of(text.split(":")[0]):
            text += f":{repr(value).replace(' ', '')}"
        elif key != "name":
            text += f":{key}={_quoted(value) if isinstance(value, str) else repr(value).replace(' ', '')}"
    return text


def _form(catalogue: Catalogue) -> str:
    """How a text is written."""
    if catalogue.first is None:
        return "write NAME or NAME:OPTION=VALUE:…, such as mnist:dir=/data"
    return f"write name, name:{catalogue.first} or name:{catalogue.first}:option=value, such as sphere:2:radius=0.5"


def _split(text: str, separator: str, where: str) -> list[str]:
    """The parts of a text between separators, but for those in quotes or brackets."""
    parts, depth, quote, escaped = [""], 0, "", False
    for character in text:
        if quote:
            quote = "" if character == quote and not escaped else quote
            escaped = character == "\\" and not escaped
        elif character in _QUOTES:
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        if character == separator and not quote and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
        if depth < 0:
            break
    if depth or quote:
        raise UsageError(f"{where}: a bracket or quote is not closed, or closes nothing")
    return [part.strip() for part in parts]


def _quoted(value: str) -> str:
    """A text as a value, quoted where it would be read as something else."""
    plain = value and value == value.strip() and value != "None" and not set(value) & set(":,'\"\\()[]{}=")
    return value if plain and value.isprintable() else repr(value)


def _unquoted(value: str) -> Any:
    """A value without its quotes, if it has some."""
    if value[0] in _QUOTES and value[-1] == value[0] and len(value) > 1:
        try:
            return ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return value
    return value

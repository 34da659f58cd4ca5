"""What the entries of a config are, for --help: each with its value and the sentence of its docstring."""

import dataclasses
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from mvae.models.optimizer import OptimizerConfig
from mvae.reports import EvaluationConfig
from mvae.runs.config import RunConfig, model_config
from mvae.runs.notation import text_of_block
from mvae.runs.overrides import CATALOGUES, Resolved

_INDENT = " " * 8
_ENTRY = re.compile(r"^(\w+): (.*)$")
_DEFAULT = inspect.Parameter.empty


def config_help(resolved: Resolved) -> str:
    """Returns the entries of a config in lines, one for each with what it is below it.

    Options of data and manifold are those that the ones of the config have, set or not.
    """
    block = resolved.block
    lines = ["Entries of this config, set by --config.NAME=VALUE:", ""]
    lines += [f"  method = {block['method']}", *_wrapped("Another keeps the entries that it has too.")]
    lines += _entries(RunConfig, block, "")
    for name, catalogue in CATALOGUES.items():
        lines += [f"  {name} = {text_of_block(block[name], catalogue)}"]
        lines += _wrapped(f"A text NAME:OPTION=VALUE:…, or options one by one. Names: {', '.join(catalogue.builders)}.")
        builder = catalogue.builders[block[name]["name"]]
        described = described_names(builder, "Args")
        for key, parameter in catalogue.options(block[name]["name"]).items():
            value = block[name].get(key, None if parameter.default is _DEFAULT else parameter.default)
            lines += [f"  {name}.{key} = {value!r}", *_wrapped(described.get(key, ""))]
    lines += _entries(model_config(block["method"]), block["model"], "model.")
    lines += _entries(OptimizerConfig, block["optimizer"], "optimizer.")
    lines += _entries(EvaluationConfig, block["evaluation"], "evaluation.")
    return "\n".join(lines)


def described_names(thing: Any, section: str) -> dict[str, str]:
    """Returns what a docstring says of each name in a section such as "Attributes"; {} without one.

    >>> described_names(OptimizerConfig, "Attributes")["learning_rate"]
    'Rate until the decay begins.'
    """
    lines = (inspect.getdoc(thing) or "").splitlines()
    if f"{section}:" not in lines:
        return {}
    body = []
    for line in lines[lines.index(f"{section}:") + 1 :]:
        if line and not line.startswith(" "):
            break
        body.append(line)
    found: dict[str, str] = {}
    name = None
    for line in textwrap.dedent("\n".join(body)).splitlines():
        if entry := _ENTRY.match(line):
            name = entry[1]
            found[name] = entry[2]
        elif name is not None and line.strip():
            found[name] += f" {line.strip()}"
    return found


def _entries(cls: type, block: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """The lines of a dataclass, those of dataclasses in it after their names."""
    described: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        described |= described_names(base, "Attributes")
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.name not in block:
            continue
        if dataclasses.is_dataclass(hints[field.name]):
            yield from _entries(hints[field.name], block[field.name], f"{prefix}{field.name}.")
            continue
        yield f"  {prefix}{field.name} = {block[field.name]!r}"
        yield from _wrapped(described.get(field.name, ""))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent=_INDENT, subsequent_indent=_INDENT)

"""From a config and what overrides its entries to typed values, the same for command line, sweep and `mvae.train`."""

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from mvae.errors import UsageError, unknown
from mvae.manifolds import Manifold
from mvae.methods import METHODS
from mvae.models.optimizer import OptimizerConfig
from mvae.reports import EvaluationConfig
from mvae.runs.config import BLOCKS, DATA, RunConfig, model_config
from mvae.runs.manifolds import CATALOGUE, build_manifold, manifold_block, text_of
from mvae.runs.notation import Catalogue, block_of, option_value, renamed
from mvae.typed import complete_block, convert, default_block, from_text, typed

CATALOGUES: dict[str, Catalogue] = {"data": DATA, "manifold": CATALOGUE}


class Resolved(NamedTuple):
    """A config with nothing left out.

    Attributes:
        block: The whole config as plain dicts, for config.json.
        run: Seeds, batches, steps.
        optimizer: Rates.
        evaluation: How the run is judged.
        manifold: The latent space that is asked for.
        notes: What was left out or changed because it does not apply, a line each.
    """

    block: dict[str, Any]
    run: RunConfig
    optimizer: OptimizerConfig
    evaluation: EvaluationConfig
    manifold: Manifold
    notes: tuple[str, ...] = ()


def resolve(config: Any, overrides: Mapping[str, Any] | None = None) -> Resolved:
    """Returns a config with overrides applied, its values checked and every default filled in.

    Another method or data set keeps the entries that it has too; the others are left out and named in `notes`, and
    the latent space becomes one that the method takes unless an override says which.

    Args:
        config: The config of a file, a ConfigDict or plain dicts, whole or in part; `data` and `manifold` are texts or
            blocks. It is not changed.
        overrides: Dotted key -> value, such as {"manifold": "sphere:2", "data.object": 1, "model.beta": "4"}; a
            text stands for a value of the entry's type. Their order does not matter.

    Raises:
        UsageError: For anything unknown, missing or of another type, naming the key and what there is.
    """
    block = _as_dict(config)
    given = {_checked_key(key): value for key, value in (overrides or {}).items()}
    notes: list[str] = []
    if "method" in given:
        _change_method(block, given, notes)
    if "method" not in block:
        raise UsageError("config lacks method")
    cls = model_config(block["method"])
    for name, catalogue in CATALOGUES.items():
        _change_named(block, name, catalogue, given, notes)
    for key, value in given.items():
        _change(block, cls, key, value)
    if missing := [name for name in CATALOGUES if name not in block]:
        raise UsageError(f"config lacks {', '.join(missing)}: give --config.{missing[0]}=NAME")
    run = {name: value for name, value in block.items() if name not in BLOCKS}
    model = complete_block(cls, block.get("model", {}), "config.model")
    resolved = Resolved(
        {},
        typed(RunConfig, run, "config"),
        typed(OptimizerConfig, block.get("optimizer", {}), "config.optimizer"),
        typed(EvaluationConfig, block.get("evaluation", {}), "config.evaluation"),
        build_manifold(block["manifold"]),
        tuple(notes),
    )
    whole = {
        "method": block["method"],
        **dataclasses.asdict(resolved.run),
        "data": block_of(block["data"], DATA),
        "manifold": manifold_block(block["manifold"]),
        "model": model,
        "optimizer": dataclasses.asdict(resolved.optimizer),
        "evaluation": dataclasses.asdict(resolved.evaluation),
    }
    return resolved._replace(block=whole)


def split_overrides(arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Returns the overrides among a command line's arguments, and the other arguments.

    An override is --config.KEY=VALUE or --config.KEY VALUE; --config.KEY alone is True, --noconfig.KEY False.

    >>> split_overrides(["--workdir=w", "--config.seed=1", "--config.model.net", "conv", "--config.model.group"])
    ({'seed': '1', 'model.net': 'conv', 'model.group': True}, ['--workdir=w'])
    """
    overrides: dict[str, Any] = {}
    rest: list[str] = []
    remaining = list(arguments)
    while remaining:
        argument = remaining.pop(0)
        if argument == "--":
            return overrides, [*rest, argument, *remaining]
        name, equals, value = argument.partition("=")
        flag = name.lstrip("-")
        if name == flag or len(name) - len(flag) > 2 or not flag.startswith(("config.", "noconfig.")):
            rest.append(argument)
        elif flag.startswith("noconfig."):
            overrides[flag.removeprefix("noconfig.")] = False
        elif equals:
            overrides[flag.removeprefix("config.")] = value
        else:
            alone = not remaining or remaining[0].startswith("--")
            overrides[flag.removeprefix("config.")] = True if alone else remaining.pop(0)
    return overrides, rest


def as_arguments(overrides: Mapping[str, Any]) -> list[str]:
    """Returns overrides as a command line has them, for config.json."""
    return [f"--config.{key}={value}" for key, value in overrides.items()]


def _as_dict(config: Any) -> dict[str, Any]:
    """A config as plain dicts, a copy."""
    return {key: _as_dict(value) if isinstance(value, Mapping | ConfigDict) else value for key, value in config.items()}


def _checked_key(key: Any) -> str:
    if not isinstance(key, str):
        raise UsageError(f"unknown config key {key!r}: keys are texts, such as 'model.beta'")
    return key


def _change_method(block: dict[str, Any], given: dict[str, Any], notes: list[str]) -> None:
    """Puts another method in, with what of the model's block it has too."""
    old, new = block.get("method"), given.pop("method")
    cls = model_config(new)
    block["method"] = new
    if old is None or old == new:
        return
    model = block.get("model", {})
    before, after = typing.get_type_hints(model_config(old)), typing.get_type_hints(cls)
    defaults = default_block(cls)
    kept = {key: value for key, value in model.items() if key in defaults and before.get(key) == after[key]}
    block["model"] = kept
    done = []
    if dropped := [key for key in model if key not in kept]:
        done.append(f"without config.model.{', '.join(dropped)} of {old}")
    for key, value in getattr(cls, "needs", {}).items():
        name, _, entry = key.partition(".")
        if key not in given and block.get(name, {}).get(entry, value) != value:
            block[name] = block[name] | {entry: value}
            done.append(f"with config.{key} = {value}")
    if "manifold" in block and not {"manifold", "manifold.name"} & given.keys():
        asked = build_manifold(block["manifold"])
        if (latent := METHODS[new].latent(asked)) != asked:
            block["manifold"] = text_of(latent)
            done.append(f"with config.manifold = {block['manifold']}")
    if done:
        notes.append(f"config.method = {new}: {'; '.join(done)}")


def _change_named(
    block: dict[str, Any], name: str, catalogue: Catalogue, given: dict[str, Any], notes: list[str]
) -> None:
    """Applies the overrides of data or manifold: first the whole, then the name, then the options."""
    where = catalogue.where
    current = block_of(block[name], catalogue) if name in block else {}
    if name in given:
        value = given.pop(name)
        current = block_of(text_of(value) if isinstance(value, Manifold) else value, catalogue)
    if (key := f"{name}.name") in given:
        old = current.get("name")
        current, dropped = renamed(current, given.pop(key), catalogue)
        if dropped:
            notes.append(f"{where}.name = {current['name']}: without {', '.join(dropped)} of {old}")
    prefix = f"{name}."
    for key in [key for key in given if key.startswith(prefix)]:
        if not current:
            raise UsageError(f"config.{key}: config has no {name}: give config.{name}.name too")
        option = key.removeprefix(prefix)
        value = given.pop(key)
        value = option_value(current["name"], option, value, catalogue, f"config.{key}")
        current = {entry: old for entry, old in current.items() if entry != option}
        current |= {} if value is None else {option: value}
    if current:
        block[name] = current


def _change(block: dict[str, Any], cls: type, key: str, value: Any) -> None:
    """Sets the entry of a dotted key, of the type that its dataclass says."""
    blocks = {"model": cls, "optimizer": OptimizerConfig, "evaluation": EvaluationConfig}
    hints = {name: blocks.get(name, hint) for name, hint in typing.get_type_hints(RunConfig).items()} | blocks
    defaults: dict[str, Any] = default_block(RunConfig) | {name: default_block(each) for name, each in blocks.items()}
    *path, last = key.split(".")
    target = block
    for name in path:
        if name not in defaults or not isinstance(defaults[name], dict):
            raise _unknown_key(key, block, cls)
        hints, defaults = typing.get_type_hints(hints[name]), defaults[name]
        target[name] = dict(target.get(name, {}))
        target = target[name]
    if last not in defaults:
        raise _unknown_key(key, block, cls)
    if isinstance(defaults[last], dict):
        raise UsageError(f"config.{key} is a block: override its entries, such as config.{key}.NAME")
    read = from_text if isinstance(value, str) else convert
    target[last] = read(value, hints[last], f"config.{key}")


def _unknown_key(key: str, block: Mapping[str, Any], cls: type) -> UsageError:
    return unknown("config key", f"config.{key}", [f"config.{name}" for name in known_keys(block, cls)])


def known_keys(block: Mapping[str, Any], cls: type) -> list[str]:
    """Returns the dotted keys of all entries that a config can have with its data, manifold and method."""
    found = ["method", *default_block(RunConfig)]
    for name, catalogue in CATALOGUES.items():
        found += [name, f"{name}.name"]
        if name in block:
            found += [f"{name}.{key}" for key in catalogue.options(block_of(block[name], catalogue)["name"])]
    found += _dotted("model", default_block(cls))
    found += _dotted("optimizer", default_block(OptimizerConfig))
    return found + _dotted("evaluation", default_block(EvaluationConfig))


def _dotted(prefix: str, block: Mapping[str, Any]) -> list[str]:
    found = []
    for key, value in block.items():
        found += _dotted(f"{prefix}.{key}", value) if isinstance(value, dict) else [f"{prefix}.{key}"]
    return found

"""The seam: the ConfigDict of a run becomes typed, checked dataclasses here and nowhere else."""

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mvae import manifolds
from mvae.errors import UsageError, unknown
from mvae.manifolds import Manifold
from mvae.manifolds.surfaces import SURFACES

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """Adam at a constant rate that then falls along half a cosine; the encoder may start after the decoder.

    Attributes:
        learning_rate: Rate until the decay begins.
        encoder_warmup_steps: Steps until the encoder learns at the full rate: it stands still for half of
            them and its rate rises linearly over the other half; 0 for none.
        final_learning_rate: Rate at the last step.
        decay_fraction: Share of the steps, at the end, over which the rate falls; 0 for none.
    """

    learning_rate: float
    encoder_warmup_steps: int
    final_learning_rate: float
    decay_fraction: float

    def __post_init__(self):
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        if not 0 <= self.final_learning_rate <= self.learning_rate:
            raise ValueError(f"final_learning_rate must lie in [0, learning_rate], got {self.final_learning_rate}")
        if self.encoder_warmup_steps < 0:
            raise ValueError(f"encoder_warmup_steps must be zero or more, got {self.encoder_warmup_steps}")
        if not 0 <= self.decay_fraction <= 1:
            raise ValueError(f"decay_fraction must lie in [0, 1], got {self.decay_fraction}")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """What the loop needs to know, the same for every method.

    Attributes:
        seed: Seed of the first member; member i of the seed axis uses seed + i.
        num_seeds: Members trained in one program, on an axis of their own.
        batch_size: Examples per step.
        init_batch_size: Examples shown to data-dependent initialisation.
        num_epochs: Length of training in passes over the training set, whole batches only.
        num_steps: Length of training in steps, in place of `num_epochs`; None to leave it to that.
        log_every: Steps between lines of metrics.
        checkpoint_every: Steps between checkpoints.
    """

    seed: int
    num_seeds: int
    batch_size: int
    init_batch_size: int
    num_epochs: int
    num_steps: int | None
    log_every: int
    checkpoint_every: int

    def __post_init__(self):
        _positive(self, "num_seeds", "batch_size", "init_batch_size", "num_epochs", "log_every", "checkpoint_every")
        if self.num_steps is not None:
            _positive(self, "num_steps")
        if not 0 <= self.seed < 2**32 - self.num_seeds:
            raise ValueError(f"seed must lie in [0, 2^32 - num_seeds), got {self.seed}")

    def steps(self, num_examples: int) -> int:
        """Returns the number of steps for a training set of a given size.

        Raises:
            ValueError: If a batch is larger than the training set.
        """
        if self.batch_size > num_examples:
            raise ValueError(f"batch_size = {self.batch_size} is larger than the {num_examples} training examples")
        if self.num_steps is not None:
            return self.num_steps
        return self.num_epochs * (num_examples // self.batch_size)


def _positive(config: Any, *names: str) -> None:
    for name in names:
        if getattr(config, name) < 1:
            raise ValueError(f"{name} must be at least 1, got {getattr(config, name)}")


def typed(cls: type[T], block: Mapping[str, Any], where: str, **given: Any) -> T:
    """Builds a dataclass from a block of a config, checking names and types.

    Args:
        cls: The dataclass.
        block: The block; `given` fields are not read from it.
        where: Name of the block in messages, such as "config.model".
        **given: Fields that do not come from the block.

    Raises:
        UsageError: For an unknown or missing key, a value of another type, or one the dataclass refuses.
    """
    if not isinstance(block, Mapping):
        raise UsageError(f"{where} must be a block of keys, got {block!r}")
    hints = typing.get_type_hints(cls)
    fields = {field.name for field in dataclasses.fields(cls) if field.name not in given}  # type: ignore[arg-type]
    for key in block:
        if key not in fields:
            raise unknown(f"key of {where}", key, fields)
    if missing := sorted(fields - set(block)):
        raise UsageError(f"{where} lacks {', '.join(missing)}")
    values = {name: _convert(block[name], hints[name], f"{where}.{name}") for name in fields}
    try:
        return cls(**values, **given)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error


def _convert(value: Any, hint: Any, where: str) -> Any:
    """Returns the value as the annotated type, or says what was expected."""
    if dataclasses.is_dataclass(hint):
        return typed(typing.cast(type, hint), value, where)
    if typing.get_origin(hint) is tuple:
        item = typing.get_args(hint)[0]
        if not isinstance(value, list | tuple):
            raise UsageError(f"{where} must be a sequence of {item.__name__}, got {value!r}")
        return tuple(_convert(entry, item, where) for entry in value)
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    if float in options and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, options) or (isinstance(value, bool) and bool not in options):
        names = " or ".join("None" if option is type(None) else option.__name__ for option in options)
        raise UsageError(f"{where} must be {names}, got {value!r}")
    return value


def _product(*, factors: tuple[str, ...]) -> Manifold:
    """Builds a product of factors in the notation of `build_manifold`."""
    if not isinstance(factors, list | tuple) or not factors or not all(isinstance(text, str) for text in factors):
        raise ValueError(f"factors must be one string or more, such as ('sphere:2', 'so3'), got {factors!r}")
    return manifolds.Product(tuple(_factor(text) for text in factors))


def _implicit(*, surface: str) -> Manifold:
    """Builds one of the surfaces that are given by an equation."""
    if surface not in SURFACES:
        raise unknown("surface", surface, SURFACES)
    return SURFACES[surface]


MANIFOLDS: dict[str, Callable[..., Manifold]] = {
    "euclidean": manifolds.Euclidean,
    "sphere": manifolds.Sphere,
    "flat_torus": manifolds.FlatTorus,
    "embedded_torus": manifolds.EmbeddedTorus,
    "projective_space": manifolds.ProjectiveSpace,
    "so3": manifolds.SO3,
    "product": _product,
    "implicit": _implicit,
}


def build_manifold(block: Mapping[str, Any]) -> Manifold:
    """Builds the manifold of a block {name, options}; an option of None is the manifold's default.

    The option `factors` of a product is a sequence of strings, each the name of a manifold, then its dimension
    and its other options, with colons between: "sphere:2", "sphere:2:radius=0.5", "so3",
    "embedded_torus:major_radius=2", "implicit:surface=genus_two". The option `surface` of "implicit" is a name in
    `mvae.manifolds.surfaces.SURFACES`.

    >>> build_manifold({"name": "product", "factors": ("sphere:2", "flat_torus:1")})
    Product(factors=(Sphere(dim=2, radius=1.0), FlatTorus(dim=1)))

    Raises:
        UsageError: For an unknown name, an option this manifold does not have or lacks, or a value it refuses.
    """
    return _build(block, "config.manifold", ".")


def _build(block: Mapping[str, Any], where: str, separator: str) -> Manifold:
    """Builds a manifold; `where` and `separator` come before the name of an option in messages."""
    name = block["name"]
    if name not in MANIFOLDS:
        raise unknown("manifold", name, MANIFOLDS)
    make = MANIFOLDS[name]
    known = inspect.signature(make).parameters
    options = {key: value for key, value in block.items() if key != "name" and value is not None}
    asked_dim = options.pop("dim", None) if "dim" not in known else None
    for key in options:
        if key not in known:
            has = ", ".join(known) or "no options"
            raise UsageError(f"{where}{separator}{key} = {options[key]!r} does not apply: {name} has {has} only")
    needed = [key for key, parameter in known.items() if parameter.default is inspect.Parameter.empty]
    if missing := [key for key in needed if key not in options]:
        raise UsageError(f"{where} ({name}) lacks {', '.join(missing)}")
    try:
        manifold = make(**options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where} ({name}): {error}") from error
    if asked_dim not in (None, manifold.dim):
        raise UsageError(f"{where}{separator}dim = {asked_dim}: {name} has dimension {manifold.dim}")
    return manifold


def _factor(text: str) -> Manifold:
    """Builds one factor of a product from "name:dim:option=value:...", all but the name left out at will."""
    where = f"config.manifold.factors, {text!r}"
    name, *options = text.split(":")
    if name == "product":
        raise UsageError(f"{where}: write the factors of a product in a product as factors of the whole")
    block: dict[str, Any] = {"name": name}
    for position, option in enumerate(options):
        key, equals, value = option.partition("=")
        if not equals and position == 0:
            key, value = "dim", option
        if not key or not value or key in block:
            raise UsageError(f"{where}: write name, name:dim or name:dim:option=value, such as sphere:2:radius=0.5")
        block[key] = _option(key, value, where)
    return _build(block, where, ": ")


def _option(key: str, value: str, where: str) -> Any:
    """Reads the value of an option of a factor: a whole number for dim, a name for surface, else a number."""
    if key == "surface":
        return value
    try:
        return int(value) if key == "dim" else float(value)
    except ValueError:
        kind = "a whole number" if key == "dim" else "a number"
        raise UsageError(f"{where}: {key} must be {kind}, got {value!r}") from None

"""The config of a run: its blocks, their defaults, and the ConfigDict that a config file starts from.

The dataclasses have every default; a config file states what differs. Config files import from here, where the
blocks of a run meet: the methods' own configs are beside the methods, and know nothing of runs.
"""

import dataclasses
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from mvae import data as data_sets
from mvae.errors import unknown
from mvae.methods import METHODS
from mvae.models.optimizer import OptimizerConfig
from mvae.reports import EvaluationConfig
from mvae.runs.manifolds import manifold_block
from mvae.runs.notation import Catalogue, block_of
from mvae.typed import default_block

# Beside the data that have a name, those that were given to `mvae.train`: their config says no more than that.
NAMED: Mapping[str, Any] = ChainMap(data_sets.BUILDERS, {data_sets.ARRAYS: data_sets.given})
DATA = Catalogue("data set", "config.data", NAMED, kept=("dir", "seed", "num_train", "num_test", "size"))
BLOCKS = ("method", "data", "manifold", "model", "optimizer", "evaluation")


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

    seed: int = 0
    num_seeds: int = 1
    batch_size: int = 64
    init_batch_size: int = 1024
    num_epochs: int = 100
    num_steps: int | None = None
    log_every: int = 20
    checkpoint_every: int = 500

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


def model_config(method: Any) -> type:
    """Returns the dataclass of a method's block of the config.

    Raises:
        UsageError: If there is no such method.
    """
    if method not in METHODS:
        raise unknown("method", str(method), METHODS)
    return METHODS[method].config


def default_config(
    method: str, data: str | Mapping[str, Any] | None = None, manifold: str | Mapping[str, Any] | None = None
) -> Any:  # a ConfigDict, whose own annotations know no attributes
    """Returns the config of a method as a ConfigDict, every entry at its default.

    Types are checked when the config is resolved, against the dataclasses.

    Args:
        method: A name in `mvae.methods.METHODS`.
        data: The data as a text or block, such as "coil20:object=1:size=32"; None to leave them to the command line.
        manifold: The same of the latent space, such as "sphere:2".

    Raises:
        UsageError: For an unknown name or option, or a value of another type.
    """
    config: dict[str, Any] = {"method": method, **default_block(RunConfig)}
    if data is not None:
        config["data"] = block_of(data, DATA)
    if manifold is not None:
        config["manifold"] = manifold_block(manifold)
    config["model"] = default_block(model_config(method))
    config["optimizer"] = default_block(OptimizerConfig)
    config["evaluation"] = default_block(EvaluationConfig)
    return ConfigDict(config, type_safe=False)


def is_quick(argument: str) -> bool:
    """Returns whether the argument of a config file that knows "quick" alone is that.

    Raises:
        ValueError: For any other argument than "quick" and "".
    """
    if argument not in ("", "quick"):
        raise ValueError(f"the argument is 'quick' or none, got {argument!r}")
    return argument == "quick"

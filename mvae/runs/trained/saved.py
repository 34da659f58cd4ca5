"""model.npz of a run: all that its trained models are rebuilt from, without data, initialisation or training."""

import dataclasses
import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvae.data import Scaling
from mvae.data.own.arrays import row_sizes
from mvae.errors import UsageError
from mvae.methods import METHODS
from mvae.models import Model
from mvae.models.autoencoder import Networks
from mvae.models.model import Params
from mvae.reports import View
from mvae.reports.conclude import plain
from mvae.runs.experiment import Experiment
from mvae.runs.manifolds import build_manifold
from mvae.typed import typed

FILE = "model.npz"
FORMAT = 1  # of model.npz
LOOKED_AT = 4096  # training rows whose size is measured
_LEAF = "array"
REMEDY = "remove it and results.json, and the call or command that trained the run writes it again from the checkpoints"


@dataclasses.dataclass(frozen=True, eq=False)
class Saved:
    """What models of a run are rebuilt from.

    Attributes:
        config: The resolved config, as plain dicts.
        event_shape: Shape of an example.
        num_train: Number of training examples.
        scaling: What the model sees of an example.
        largest_row: Root mean square of the largest of the training rows looked at, as the model sees it.
        usual_row: The median of the same over rows, in units of the data.
        conditions: Categories of the condition that encoder and decoder are given.
        size_unit: What size factors are divided by.
        networks: Which of "encoder" and "decoder" are a user's own.
        params: Parameters, arrays of numpy with the seeds on the first axis.
        features: Names of the entries of an example, in their order, where the data had them.
    """

    config: Mapping[str, Any]
    event_shape: tuple[int, ...]
    num_train: int
    scaling: Scaling
    largest_row: float
    usual_row: float
    conditions: tuple[str, ...]
    size_unit: float
    networks: tuple[str, ...]
    params: Params
    features: tuple[str, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in their order."""
        return tuple(range(self.config["seed"], self.config["seed"] + self.config["num_seeds"]))

    def build(self, networks: Networks) -> Model:
        """Returns the model.

        Args:
            networks: The user's own, those that training had.

        Raises:
            UsageError: If they are not the ones that training had, or there is no such method or manifold here.
        """
        check_networks(self.networks, networks)
        config = self.config
        if config["method"] not in METHODS:
            raise UsageError(
                f"unknown method {config['method']!r}: import the module that adds it to mvae.methods.METHODS first"
            )
        method = METHODS[config["method"]]
        if method.model is None:
            raise UsageError(f"the method {method.name} says no `model` in its Method, by which a run could be loaded")
        manifold = build_manifold(config["manifold"])
        of_data: dict[str, Any] = {"event_shape": self.event_shape}
        if self.conditions:
            of_data["num_conditions"] = len(self.conditions)
        typed_config = typed(method.config, config["model"], "config.model", manifold=manifold, **of_data)
        return method.model(typed_config, self.num_train, networks)


def sizes_of(x: np.ndarray, scaling: Scaling) -> tuple[float, float]:
    """Returns `Saved.largest_row` and `Saved.usual_row` of examples as the model sees them."""
    return float(row_sizes(x).max()), float(np.median(row_sizes(scaling.undo(x))))


def own_names(networks: Networks) -> tuple[str, ...]:
    """Returns which networks are a user's own."""
    return tuple(name for name, network in networks._asdict().items() if network is not None)


def check_networks(there: tuple[str, ...], networks: Networks) -> None:
    """Raises unless the own networks that are given are those that training had.

    Raises:
        UsageError: Naming the argument to give or to leave out.
    """
    here = own_names(networks)
    if missing := [name for name in there if name not in here]:
        arguments = ", ".join(f"{name}=…" for name in there)
        raise UsageError(f"this run has networks of your own: give them again, {arguments} (lacking: {missing[0]})")
    if surplus := [name for name in here if name not in there]:
        raise UsageError(f"this run was trained with the config's {surplus[0]}: leave out {surplus[0]}=…")


def write_saved(path: Path, saved: Saved) -> None:
    """Writes model.npz in one step: a reader sees the old file or the new.

    Raises:
        OSError: If it cannot be written.
    """
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(saved.params)]
    about = {
        **{field.name: getattr(saved, field.name) for field in dataclasses.fields(saved)},
        "format": FORMAT,
        "scaling": saved.scaling.kind,
        "params": structure(saved.params),
        "dtypes": [leaf.dtype.name for leaf in leaves],
    }
    arrays: dict[str, Any] = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
    arrays |= {"shift": np.asarray(saved.scaling.shift), "scale": np.asarray(saved.scaling.scale)}
    for index, leaf in enumerate(leaves):  # numpy's format knows no dtypes but its own
        arrays[f"params/{index}"] = leaf.view(np.dtype(f"u{leaf.dtype.itemsize}")) if leaf.dtype.kind == "V" else leaf
    write_npz(path, arrays)


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays in one step, in numpy's format.

    Raises:
        OSError: If they cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_saved(path: Path, networks: Networks) -> Saved:
    """Returns what model.npz holds.

    Raises:
        UsageError: If it is damaged, or its parameters are of a precision that jax is not set to.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no archive of arrays" if path.exists() else "there is no such file")
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            if about.pop("format") != FORMAT:
                raise ValueError("it is of another version of mvae")
            scaling = Scaling(about["scaling"], file["shift"], file["scale"])
            leaves = [file[f"params/{index}"].view(jnp.dtype(name)) for index, name in enumerate(about.pop("dtypes"))]
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} is damaged ({' '.join(str(error).split())}): {REMEDY}") from error
    if any(leaf.dtype == np.float64 for leaf in leaves) and not jax.config.read("jax_enable_x64"):
        raise UsageError(f"{path} has parameters of 64 bits: set JAX_ENABLE_X64=1, with which they were trained")
    try:
        described = about.pop("params")
        names = ("event_shape", "conditions", "networks", "features")
        about |= {name: tuple(about.get(name, ())) for name in names} | {"scaling": scaling}
        saved = Saved(**about, params=None)
        params = None if described is None else assemble(described, iter(leaves))
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        reason = f"{type(error).__name__} {error}".strip()
        raise UsageError(f"{path} is damaged or of another version of mvae ({reason}): {REMEDY}") from error
    if described is None:
        params = jax.tree.unflatten(_structure_of_init(saved, networks), leaves)
    return dataclasses.replace(saved, params=params)


def structure(tree: Any) -> Any:
    """Returns the containers of a tree as JSON, from which `assemble` makes it again; None if it has others.

    >>> structure({"b": (1, [2]), "a": {}})
    {'dict': {'a': {'dict': {}}, 'b': {'tuple': ['array', {'list': ['array']}]}}}
    """
    try:
        return _structure(tree)
    except TypeError:
        return None


def _structure(tree: Any) -> Any:
    if type(tree) is dict and all(isinstance(key, str) for key in tree):
        return {"dict": {key: _structure(tree[key]) for key in sorted(tree)}}
    if type(tree) in (list, tuple):
        return {type(tree).__name__: [_structure(child) for child in tree]}
    if tree is None:
        return None
    if not jax.tree_util.all_leaves([tree]):
        raise TypeError(f"a container of type {type(tree).__name__}")
    return _LEAF


def assemble(described: Any, leaves: Iterator[Any]) -> Any:
    """Returns the tree of a structure with leaves in their order."""
    if described == _LEAF:
        return next(leaves)
    if described is None:
        return None
    ((kind, children),) = described.items()
    if kind == "dict":
        return {key: assemble(children[key], leaves) for key in sorted(children)}
    made = [assemble(child, leaves) for child in children]
    return tuple(made) if kind == "tuple" else made


def _structure_of_init(saved: Saved, networks: Networks) -> Any:
    """The structure of parameters with containers of a user's own, from the shapes that initialisation has."""
    model = saved.build(networks)
    rows = max(2, min(64, saved.num_train))
    batch = {"x": jax.ShapeDtypeStruct((rows, *saved.event_shape), jnp.float32)}
    return jax.tree.structure(jax.eval_shape(model.init, jax.random.key(0), batch))


def check_shape(saved: Saved, shape: tuple[int, ...], name: str) -> None:
    """Raises unless an array has examples of this run by rows.

    Raises:
        UsageError: With both shapes, and the remedy where it is plain.
    """
    event = saved.event_shape
    if shape[1:] == event and shape:
        return
    wanted = f"(n, {', '.join(map(str, event))})"
    if shape == event:
        remedy = f": that is one example, give {name}[None]"
    elif shape and math.prod(shape[1:]) == math.prod(event):
        remedy = f": give {name}.reshape(-1, {', '.join(map(str, event))})"
    else:
        remedy = ""
    raise UsageError(f"{name} has shape {shape}, the run was trained on {wanted}{remedy}")


def saved_of(experiment: Experiment, view: View) -> Saved:
    """Returns what the models of a trained experiment are rebuilt from."""
    dataset = experiment.dataset
    scaling = dataset.scaling or Scaling()
    largest, usual = sizes_of(np.asarray(view.spread(LOOKED_AT)), scaling)
    return Saved(
        config=plain(experiment.config),
        event_shape=tuple(dataset.event_shape),
        num_train=dataset.num_train,
        scaling=scaling,
        largest_row=largest,
        usual_row=usual,
        conditions=tuple(dataset.condition_names),
        size_unit=dataset.size_unit,
        networks=own_names(experiment.networks),
        features=tuple(dataset.feature_names),
        params=jax.tree.map(np.asarray, view.params),
    )

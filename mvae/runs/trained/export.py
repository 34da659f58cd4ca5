"""Encoder and decoder of a trained model as programs that run without mvae."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

import mvae
from mvae.engine.files import write_atomically
from mvae.errors import UsageError
from mvae.models import Model
from mvae.models.model import Params
from mvae.runs.manifolds import text_of
from mvae.runs.trained.saved import Saved

PLATFORMS = ("cpu", "cuda", "tpu")
SIGNATURE = "signature.json"
ENDING = ".jax_export"


def export(model: Model, saved: Saved, params: Params, seed: int, folder: Path) -> Path:
    """Writes what the model has of "encoder" and "decoder", and signature.json, which says what they take and give.

    Each is a program of `jax.export` with the parameters in it, for CPU, CUDA and TPU and for any number of rows, in
    units of the data on the outside. jax alone runs it:

        program = jax.export.deserialize(bytearray(pathlib.Path("encoder.jax_export").read_bytes()))
        program.call(x)["location"]                 # x float32 (n, *event)

    The encoder gives the fields of the posterior by name, "location" among them, the decoder the mean of p(x | z). How
    long a program can be read by later versions of jax is said in the documentation of `jax.export`.

    Args:
        model: The model.
        saved: What it was rebuilt from.
        params: Parameters of one seed.
        seed: The seed.
        folder: Where to.

    Raises:
        UsageError: If the folder holds something else than an export, or cannot be written, or flatbuffers is lacking.
    """
    if importlib.util.find_spec("flatbuffers") is None:
        raise UsageError("export needs flatbuffers, which jax writes programs with: pip install flatbuffers")
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / SIGNATURE).exists())):
        raise UsageError(f"{folder} holds something else than an export: give a new folder")
    scaling = saved.scaling
    programs: dict[str, tuple[Callable[[Array], dict[str, Array]], tuple[int, ...]]] = {}
    if "encoder" not in model.lacks:
        programs["encoder"] = (
            lambda x: _by_rows(lambda x: model.encode(params, scaling.apply(x)), x),
            saved.event_shape,
        )
    programs["decoder"] = (
        lambda z: {"x": scaling.undo(model.decode(params, z))},
        (model.manifold.ambient_dim,),
    )
    signature: dict[str, Any] = {
        "mvae": mvae.__version__,
        "jax": jax.__version__,
        "method": saved.config["method"],
        "manifold": text_of(model.manifold),
        "seed": seed,
        "lacking": dict(model.lacks),
        "programs": {},
    }
    written = {name: _written(*program) for name, program in programs.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (exported, blob) in written.items():
            (folder / f"{name}{ENDING}").write_bytes(blob)
            signature["programs"][name] = {"file": f"{name}{ENDING}", **_described(exported)}
        write_atomically(folder / SIGNATURE, json.dumps(signature, indent=2) + "\n")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder


def _by_rows(encode: Callable[[Array], Any], x: Array) -> dict[str, Array]:
    """The fields of a posterior that every example has its own of, by their names."""
    rows = [jax.eval_shape(encode, jax.ShapeDtypeStruct((size, *x.shape[1:]), x.dtype)) for size in (2, 3)]
    found, own = encode(x), jax.tree.map(lambda one, other: one.shape != other.shape, *rows)
    fields = jax.tree_util.tree_leaves_with_path(found)
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for (path, leaf), is_own in zip(fields, jax.tree.leaves(own), strict=True)
        if is_own
    }


def _written(function: Callable[[Array], dict[str, Array]], shape: tuple[int, ...]) -> tuple[Any, bytes]:
    """A function of float32 rows of a shape as a program, and its bytes."""
    (num,) = jax.export.symbolic_shape("n")
    exported = jax.export.export(jax.jit(function), platforms=PLATFORMS)(
        jax.ShapeDtypeStruct((num, *shape), jnp.float32)
    )
    return exported, bytes(exported.serialize())


def _described(exported: Any) -> dict[str, Any]:
    """What a program takes and gives, as JSON; n is the number of rows."""

    def leaf(aval: Any) -> dict[str, Any]:
        return {"shape": [int(size) if isinstance(size, int | np.integer) else str(size) for size in aval.shape]} | {
            "dtype": np.dtype(aval.dtype).name
        }

    outputs = jax.tree.unflatten(exported.out_tree, [leaf(aval) for aval in exported.out_avals])
    return {"input": leaf(exported.in_avals[0]), "outputs": outputs, "platforms": list(exported.platforms)}

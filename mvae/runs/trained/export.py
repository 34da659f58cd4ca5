"""Encoder and decoder of a trained model as programs that run without mvae."""

import importlib.util
import json
from collections.abc import Callable, Mapping
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
DTYPES = {"condition": jnp.int32, "size_factor": jnp.float32}  # of what is given beside x
ENDING = ".jax_export"


def export(model: Model, saved: Saved, params: Params, seed: int, folder: Path) -> Path:
    """Writes what the model has of "encoder" and "decoder", and signature.json, which says what they take and give.

    Each is a program of `jax.export` with the parameters in it, for CPU, CUDA and TPU and for any number of rows, in
    units of the data on the outside. What a model is given beside x and z, a condition or a size factor, comes after
    them. jax alone runs it:

        program = jax.export.deserialize(bytearray(pathlib.Path("encoder.jax_export").read_bytes()))
        program.call(x)["location"]                 # x float32 (n, *event)

    The encoder gives the fields of the posterior by name, "location" among them, the decoder the mean of p(x | z). How
    long a program can be read by later versions of jax is said in the documentation of `jax.export`.

    There is no ONNX. jax2onnx 0.17, the converter of jax programs that is kept up, writes integer powers of float32 as
    double, so that onnxruntime refuses the encoders onto spheres, and it holds orbax-checkpoint below 0.11.37.

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

    def encoder(x: Array, *beside: Array) -> dict[str, Array]:
        named = dict(zip(model.given, beside, strict=True))
        return _by_rows(lambda x, named: model.encode(params, scaling.apply(x), **named), x, named)

    def decoder(z: Array, *beside: Array) -> dict[str, Array]:
        return {"x": scaling.undo(model.decode(params, z, **dict(zip(model.given, beside, strict=True))))}

    programs: dict[str, tuple[Callable[..., dict[str, Array]], str, tuple[int, ...]]] = {}
    programs["decoder"] = decoder, "z", (model.manifold.ambient_dim,)
    if "encoder" not in model.lacks:
        programs["encoder"] = encoder, "x", saved.event_shape
    signature: dict[str, Any] = {
        "mvae": mvae.__version__,
        "jax": jax.__version__,
        "method": saved.config["method"],
        "manifold": text_of(model.manifold),
        "seed": seed,
        "conditions": list(saved.conditions),
        "lacking": dict(model.lacks),
        "programs": {},
    }
    beside = {name: ((), DTYPES[name]) for name in model.given}
    written = {
        name: _written(name, function, {first: (shape, jnp.float32)} | beside)
        for name, (function, first, shape) in programs.items()
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (description, blob) in written.items():
            (folder / f"{name}{ENDING}").write_bytes(blob)
            signature["programs"][name] = {"file": f"{name}{ENDING}", **description}
        write_atomically(folder / SIGNATURE, json.dumps(signature, indent=2) + "\n")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder


def _by_rows(encode: Callable[..., Any], *given: Any) -> dict[str, Array]:
    """The fields of a posterior that every example has its own of, by their names."""

    def shapes(size: int) -> Any:
        like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape[1:]), leaf.dtype), given)
        return jax.eval_shape(encode, *like)

    found, own = encode(*given), jax.tree.map(lambda one, other: one.shape != other.shape, shapes(2), shapes(3))
    fields = jax.tree_util.tree_leaves_with_path(found)
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for (path, leaf), is_own in zip(fields, jax.tree.leaves(own), strict=True)
        if is_own
    }


def _written(
    name: str, function: Callable[..., dict[str, Array]], inputs: Mapping[str, tuple[tuple[int, ...], Any]]
) -> tuple[dict[str, Any], bytes]:
    """A function of rows as a program: what it takes and gives, as JSON, n being the number of rows, and its bytes.

    Args:
        name: Of the program, for messages.
        function: Of arrays, in the order of the inputs.
        inputs: Name -> shape of a row and dtype.

    Raises:
        UsageError: If jax cannot write it down.
    """
    (num,) = jax.export.symbolic_shape("n")
    given = [jax.ShapeDtypeStruct((num, *shape), dtype) for shape, dtype in inputs.values()]
    try:
        exported = jax.export.export(jax.jit(function), platforms=PLATFORMS)(*given)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UsageError(
            f"the {name} cannot be exported for any number of rows and for {', '.join(PLATFORMS)} ({reason}); in "
            "networks of your own, x.shape[0] is such a number, len(x) is none"
        ) from error

    def leaf(aval: Any) -> dict[str, Any]:
        shape = [int(size) if isinstance(size, int | np.integer) else str(size) for size in aval.shape]
        return {"shape": shape, "dtype": np.dtype(aval.dtype).name}

    description = {
        "inputs": [{"name": name} | leaf(aval) for name, aval in zip(inputs, exported.in_avals, strict=True)],
        "outputs": jax.tree.unflatten(exported.out_tree, [leaf(aval) for aval in exported.out_avals]),
        "platforms": list(exported.platforms),
    }
    return description, bytes(exported.serialize())

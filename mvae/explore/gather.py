"""What an explorer shows of a run: codes and what is known of them, pictures, paths, curves and numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from mvae.data import load
from mvae.errors import UsageError
from mvae.explore import paths
from mvae.explore.columns import columns_of
from mvae.explore.scenes import Scene, scene, spread
from mvae.explore.sheets import Look, packed, tile_of
from mvae.manifolds import (
    SO3,
    Cylinder,
    EmbeddedTorus,
    Euclidean,
    FlatTorus,
    Hyperbolic,
    Implicit,
    Interval,
    KleinBottle,
    Manifold,
    MobiusBand,
    Product,
    ProjectiveSpace,
    Sphere,
)
from mvae.runs.trained import Run, Trained

MOST_CODES = 2000
MOST_NODES = 2600
BUDGET = 8_000_000  # pixels of the places that are decoded; numbers of vectors weigh as four
MOST_OF_CURVE = 300
ANGLES = ("angle", "azimuth", "elevation")
LEFT_OUT = ("x", "anchors", "index")


class Examples(NamedTuple):
    """Rows of data as a model sees them.

    Attributes:
        codes: Locations of their posteriors, (n, ambient_dim).
        x: In units of the data, (n, *event); None where the data are not at hand.
        rows: What is known of each, (n, ...), by name.
        given: What `decode` takes beside codes.
        names: Texts of the values of a column, by its name.
        angles: Columns that are angles in radians.
        note: Why there is no x; "" if there is.
    """

    codes: np.ndarray
    x: np.ndarray | None
    rows: Mapping[str, np.ndarray]
    given: Mapping[str, Any]
    names: Mapping[str, Sequence[str]]
    angles: tuple[str, ...] = ANGLES
    note: str = ""


def gather(
    run: Run, model: Trained, x: Any = None, columns: Mapping[str, Any] | None = None, *, share: float = 1.0
) -> dict[str, Any]:
    """Returns all that the page shows, as JSON.

    Args:
        run: The run.
        model: One of its models.
        x: Examples to show, in units of the data; None for those of the run's own data.
        columns: What is known of each, (n,): what the model is given beside x, and what else is to colour codes.
        share: Of the pictures and vectors that a page holds at most.

    Raises:
        UsageError: If the run has no data of its own and none are given, or the method has no encoder.
    """
    budget = share * BUDGET / tile_of(model.event_shape)
    try:
        examples = _examples(run, model, x, columns or {}, int(np.clip(budget / 2, 50, MOST_CODES)))
    except NotImplementedError as error:
        raise UsageError(f"{error}: there are no codes to show") from error
    codes, beside = examples.codes, {name: value for name, value in examples.given.items() if np.ndim(value) == 0}
    decoded = model.decode(codes, **examples.given)
    look = Look(model.event_shape, model.features, *([decoded] if examples.x is None else [examples.x, decoded]))
    space = scene(model.manifold, codes, int(np.clip(budget, 100, MOST_NODES)))
    places = spread(space, space.place(codes))
    sheets = {"decoded": look.sheet(decoded)}
    if examples.x is not None:
        sheets["originals"] = look.sheet(examples.x)
    if space.nodes is not None:
        sheets["nodes"] = look.sheet(model.decode(space.nodes, **_of_nodes(model, beside)))
    found = paths.paths_of(model, space, examples.codes, examples.x, _of_nodes(model, beside))
    if len(found.pictures):
        sheets["paths"] = look.sheet(found.pictures)
    return {
        "title": _title(run, model),
        "facts": _facts(run, model, examples, look, beside),
        "space": _space_facts(space),
        "codes": {
            "count": len(codes),
            "places": packed(places),
            "neighbours": packed(paths.neighbours(model.manifold, codes), "<i4"),
            "landmarks": [] if space.geodesic else paths.landmarks(codes).tolist(),
        },
        "columns": columns_of(examples.rows, examples.names, examples.angles, _errors(examples.x, decoded)),
        "look": look.facts(),
        "sheets": sheets,
        "paths": found.described,
        "curves": _curves(run),
        "numbers": _numbers(run),
    }


# --- examples ---


def _examples(run: Run, model: Trained, x: Any, columns: Mapping[str, Any], most: int) -> Examples:
    if x is not None:
        return _of_arrays(model, x, columns, most)
    if columns:
        raise UsageError(f"{next(iter(columns))} is given without examples: give x")
    try:
        dataset = load(**run.config["data"])
    except UsageError as error:
        if run.workdir is None:
            raise UsageError("this run has its data from arrays, which it has not kept: give them, x=…") from error
        return _of_codes(run, model, f"the data are not at hand ({error})", most)
    return _of_dataset(model, dataset, most)


def _of_arrays(model: Trained, x: Any, columns: Mapping[str, Any], most: int) -> Examples:
    given = {name: value for name, value in columns.items() if name in model.given}
    index = _evenly(len(x), most)
    x = np.asarray(x)[index]
    given = {name: value if np.ndim(value) == 0 else np.asarray(value)[index] for name, value in given.items()}
    rows, names = {}, {}
    for name, column in columns.items():
        if np.ndim(column) == 0:
            continue
        column = np.asarray(column)
        if column.ndim == 0 or len(column) <= index[-1]:
            raise UsageError(f"{name} has shape {column.shape}, x has more rows: give one entry for each")
        rows[name] = column[index]
        if column.dtype.kind in "OUS":
            names[name], rows[name] = np.unique(rows[name].astype(str), return_inverse=True)
    return Examples(model.embed(x, **given), x, rows, given, names)


def _of_dataset(model: Trained, dataset: Any, most: int) -> Examples:
    """Test rows, and training rows where there are few of those, evenly spread."""
    parts = {"test": _evenly(dataset.num_test, most)}
    if (lacking := most - len(parts["test"])) > 0:
        parts["train"] = _evenly(dataset.num_train, lacking)
    names = sorted(dataset.train.keys() & dataset.test.keys())
    rows = {
        name: np.concatenate([np.asarray(getattr(dataset, part)[name])[index] for part, index in parts.items()])
        for name in names
    }
    batch = {name: np.asarray(column) for name, column in jax.jit(dataset.render)(rows).items()}
    if dataset.scaling is not None:
        batch["x"] = rows["x"]  # in units of the data
    given: dict[str, Any] = {}
    if "condition" in model.given:
        given["condition"] = np.asarray(model.conditions)[batch["condition"]]
    if "size_factor" in model.given and "size_factor" in batch:
        given["size_factor"] = batch["size_factor"] * dataset.size_unit
    texts: dict[str, Sequence[str]] = {"part": list(parts)}
    texts |= {"label": dataset.label_names} if dataset.label_names else {}
    texts |= {"condition": dataset.condition_names} if dataset.condition_names else {}
    known = {name: column for name, column in rows.items() if name not in LEFT_OUT}
    if "factors" in known:
        factors = known.pop("factors")
        known |= {f"factor {name}": factors[:, k] for k, name in enumerate(dataset.factor_names)}
    known["part"] = np.repeat(np.arange(len(parts)), [len(index) for index in parts.values()])
    angles = ANGLES if dataset.angle is None else (*ANGLES, dataset.angle)
    return Examples(model.located(batch), batch["x"], known, given, texts, angles)


def _of_codes(run: Run, model: Trained, note: str, most: int) -> Examples:
    """The codes that the run has kept."""
    path_of = run.workdir / "codes.npz"  # type: ignore[operator]
    try:
        with np.load(path_of, allow_pickle=False) as file:
            seed = file["seeds"].tolist().index(model.seed)
            index = _evenly(file["test"].shape[1], most)
            codes = file["test"][seed][index]
            rows = {
                name.removeprefix("test_"): file[name][index]
                for name in file.files
                if name.startswith("test_") and name != "test_rows"
            }
            given = {}
            if "condition" in model.given:
                given["condition"] = np.asarray(model.conditions)[rows["condition"].astype(int)]
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path_of} cannot be read, and {note}: give examples, x=…") from error
    return Examples(codes, None, rows, given, {}, note=note)


def _evenly(num: int, most: int) -> np.ndarray:
    return np.linspace(0, num - 1, min(num, most)).astype(int)


def _of_nodes(model: Trained, beside: Mapping[str, Any]) -> dict[str, Any]:
    """What points without an example are decoded with: the one condition of all, or the first."""
    if "condition" in model.given and "condition" not in beside:
        return {**beside, "condition": model.conditions[0]}
    return dict(beside)


def _errors(x: np.ndarray | None, decoded: np.ndarray) -> np.ndarray | None:
    """Mean squared error of each reconstruction."""
    if x is None:
        return None
    return np.mean((x.astype(np.float64) - decoded) ** 2, axis=tuple(range(1, decoded.ndim)))


# --- what is said of the run ---

SYMBOLS = {"dvae": "ΔVAE", "vae": "VAE", "vdae": "VDAE", "vaells": "VAELLS", "svae": "hyperspherical VAE"}


LETTERS = {Sphere: "S", FlatTorus: "T", ProjectiveSpace: "RP", Euclidean: "R", Hyperbolic: "H"}
NAMES = {
    SO3: "SO(3)",
    KleinBottle: "the Klein bottle",
    MobiusBand: "the Möbius band",
    Cylinder: "the cylinder",
    Interval: "the interval",
    EmbeddedTorus: "the torus in space",
}
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _title(run: Run, model: Trained) -> str:
    method, manifold = run.config["method"], model.manifold
    return f"{SYMBOLS.get(method, method)} on {_space(manifold)}"


def _space(manifold: Manifold) -> str:
    if isinstance(manifold, Product):
        return " × ".join(map(_space, manifold.factors))
    if isinstance(manifold, Implicit):
        name = getattr(manifold.constraint, "__name__", "of an equation").replace("_", " ")
        return f"the {'surface' if manifold.dim == 2 else 'manifold'} {name}"
    letter = LETTERS.get(type(manifold))
    if letter is not None:
        return letter + str(manifold.dim).translate(RAISED)
    return NAMES.get(type(manifold), repr(manifold))


def _facts(run: Run, model: Trained, examples: Examples, look: Look, beside: Mapping[str, Any]) -> list[str]:
    found = [f"data: {run.config['data']['name']}", f"seed {model.seed} of {len(run)}", f"{len(examples.codes)} codes"]
    found += [f"shown of an example: {look.note}"] if look.note else []
    if "condition" in model.given:
        found.append(f"places decode with the condition {_of_nodes(model, beside)['condition']}")
    return found + ([f"no originals: {examples.note}"] if examples.note else [])


def _space_facts(space: Scene) -> dict[str, Any]:
    mesh = space.mesh
    return {
        "kind": space.kind,
        "caption": space.caption,
        "axes": space.axes,
        "geodesic": space.geodesic,
        "images": None if space.images is None else np.round(space.images, 9).ravel().tolist(),
        "sides": space.sides or None,
        "edges": space.edges or None,
        "nodes": None if mesh is None else packed(mesh.places),
        "cells": None if mesh is None else packed(mesh.cells, "<i4"),
        "corners": 0 if mesh is None else mesh.cells.shape[1],
        "normals": None if mesh is None or mesh.normals is None else packed(mesh.normals),
        "lines": None if space.lines is None else [packed(line) for line in space.lines],
    }


def _curves(run: Run) -> list[dict[str, Any]]:
    """What was logged: for every metric of every stage its steps, and values of every seed."""
    stages: dict[str, list[dict[str, Any]]] = {}
    for record in run.metrics():
        stages.setdefault(record["stage"], []).append(record)
    found = []
    for stage, records in stages.items():
        kept = [records[k] for k in _evenly(len(records), MOST_OF_CURVE)]
        for name in (name for name in kept[-1] if name not in ("stage", "step", "seconds")):
            values = np.array([record.get(name) for record in kept], np.float64)
            if values.ndim == 2 and np.isfinite(values).all():
                steps = [record["step"] for record in kept]
                rounded = [[float(f"{value:.5g}") for value in each] for each in values.T]
                found.append(
                    {"name": name if len(stages) == 1 else f"{stage}: {name}", "steps": steps, "values": rounded}
                )
    rank = {"elbo": 0, "loss": 1}
    found.reverse()  # the last stage first
    return sorted(found, key=lambda curve: rank.get(curve["name"].rpartition(" ")[2], 2))


def _numbers(run: Run) -> list[list[str]]:
    """What results.json says: name, mean over seeds with the deviation, or why there is none."""
    found = []
    for name, mean in sorted(run.results.get("mean", {}).items()):
        std = run.results["std"].get(name)
        if mean is None:
            found.append([name, f"not available: {run.results['unavailable'].get(name, 'not known')}"])
        else:
            found.append([name, f"{mean:.5g}" + (f" ± {std:.2g}" if std is not None else "")])
    return found

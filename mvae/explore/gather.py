"""What an explorer shows of a run: codes and what is known of them, pictures, paths, curves and numbers."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from scipy.spatial import KDTree

from mvae.data import load
from mvae.errors import UsageError
from mvae.explore.scenes import Scene, scene, spread
from mvae.explore.sheets import Look, packed, tile_of
from mvae.figures import PALETTE, periodic_colours
from mvae.figures.drawing.colours import hue_ring
from mvae.manifolds import SO3, Euclidean, FlatTorus, Manifold, Product, ProjectiveSpace, Sphere
from mvae.runs.trained import Run, Trained
from mvae.transport import path

LOGGER = logging.getLogger(__name__)

MOST_CODES = 2000
MOST_NODES = 2600
BUDGET = 8_000_000  # pixels of the places that are decoded; numbers of vectors weigh as four
NEIGHBOURS = 6
LANDMARKS = 16  # codes between which geodesics are computed beforehand
STRIP, FINE = 9, 33  # places of a geodesic, with pictures of their own and without
WALKS, WALK_STEPS = 6, 40
ORBITS, ORBIT_TIMES = 6, 33
ORBIT_ANGLE = math.pi  # coefficient at the ends, in turns by a radian
FAR = 2.0  # times the largest code: where orbits end
MOST_OF_CURVE = 300
ANGLES = ("angle", "azimuth", "elevation")
LEFT_OUT = ("x", "anchors", "index")
OTHER = "#8a8f98"


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
    paths, tiles = _paths(model, space, examples, _of_nodes(model, beside))
    if len(tiles):
        sheets["paths"] = look.sheet(tiles)
    return {
        "title": _title(run, model),
        "facts": _facts(run, model, examples, look, beside),
        "space": _space_facts(space),
        "codes": {
            "count": len(codes),
            "places": packed(places),
            "neighbours": packed(_neighbours(model.manifold, codes), "<i4"),
            "landmarks": _spread_out(codes, LANDMARKS).tolist() if not space.geodesic else [],
        },
        "columns": _columns(examples, decoded),
        "look": look.facts(),
        "sheets": sheets,
        "paths": paths,
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
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path_of} cannot be read, and {note}: give examples, x=…") from error
    given = {}
    if "condition" in model.given:
        given["condition"] = np.asarray(model.conditions)[rows["condition"].astype(int)]
    return Examples(codes, None, rows, given, {}, note=note)


def _evenly(num: int, most: int) -> np.ndarray:
    return np.linspace(0, num - 1, min(num, most)).astype(int)


def _of_nodes(model: Trained, beside: Mapping[str, Any]) -> dict[str, Any]:
    """What points without an example are decoded with: the one condition of all, or the first."""
    if "condition" in model.given and "condition" not in beside:
        return {**beside, "condition": model.conditions[0]}
    return dict(beside)


# --- columns and their colours ---


def _columns(examples: Examples, decoded: np.ndarray) -> list[dict[str, Any]]:
    """What codes may be coloured by: name, values, a colour for each code, and a legend."""
    found = []
    for name, column in examples.rows.items():
        if name == "translation" and column.ndim == 2 and column.shape[1] == 2:
            found.append(_pair(name, column))
        elif (column.ndim == 1 and column.dtype.kind in "biuf") or name in examples.names:
            found.append(_column(name, column, examples.names.get(name), angle=name in examples.angles))
        elif column.ndim == 2 and column.shape[1] <= 4:
            found += [_column(f"{name} {k + 1}", column[:, k], None, angle=False) for k in range(column.shape[1])]
    if examples.x is not None:
        rest = tuple(range(1, decoded.ndim))
        error = np.mean((examples.x.astype(np.float64) - decoded) ** 2, axis=rest)
        found.append(_column("squared error", error, None, angle=False))
    first = ("label", "translation", "angle", "azimuth")
    found = [column for column in found if len(set(column["texts"])) > 1]
    return sorted(found, key=lambda column: first.index(column["name"]) if column["name"] in first else len(first))


def _column(name: str, values: np.ndarray, texts: Sequence[str] | None, *, angle: bool) -> dict[str, Any]:
    unique, index = np.unique(values, return_inverse=True)
    if texts is not None or (len(unique) <= len(PALETTE) and values.dtype.kind in "biu"):
        labels = [str(texts[int(value)]) if texts is not None else str(value) for value in unique]
        return _classes(name, labels, index)
    values = np.asarray(values, np.float64)
    shown = [f"{value:.3g}" for value in values]
    if angle:
        colours, legend = (
            hue_ring(values),
            {"stops": _hex(hue_ring(np.linspace(0, 2 * np.pi, 17))), "ends": ["0", "2π"]},
        )
    else:
        low, high = (float(value) for value in np.quantile(values, [0.01, 0.99]))  # a few that are far off are the ends
        share = np.clip((values - low) / (high - low if high > low else 1.0), 0, 1)
        viridis = colormaps["viridis"]
        colours = viridis(share)[:, :3]
        legend = {"stops": _hex(viridis(np.linspace(0, 1, 17))[:, :3]), "ends": [f"{low:.3g}", f"{high:.3g}"]}
    return {"name": name, "texts": shown, "colours": packed(np.round(255 * colours), "u1"), "legend": legend}


def _classes(name: str, labels: list[str], index: np.ndarray) -> dict[str, Any]:
    """Ten classes have colours of their own; of more, the nine that are most frequent, the others are grey."""
    order = np.argsort(-np.bincount(index), kind="stable")
    own = np.sort(order if len(order) <= len(PALETTE) else order[: len(PALETTE) - 1])
    colours = dict(zip(own.tolist(), PALETTE, strict=False))
    legend = [[labels[k], colour] for k, colour in colours.items()]
    legend += [] if len(own) == len(labels) else [[f"{len(labels) - len(own)} others", OTHER]]
    rgb = np.array([to_rgb(colours.get(k, OTHER)) for k in range(len(labels))])[index]
    texts = [labels[k] for k in index]
    return {"name": name, "texts": texts, "colours": packed(np.round(255 * rgb), "u1"), "legend": {"classes": legend}}


def _pair(name: str, angles: np.ndarray) -> dict[str, Any]:
    side = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    square = periodic_colours(np.stack(np.meshgrid(side, side[::-1]), axis=-1))
    texts = [f"{a:.2f}, {b:.2f}" for a, b in angles]
    colours = packed(np.round(255 * periodic_colours(angles)), "u1")
    return {"name": name, "texts": texts, "colours": colours, "legend": {"square": [_hex(row) for row in square]}}


def _hex(colours: np.ndarray) -> list[str]:
    return ["#" + "".join(f"{round(255 * float(part)):02x}" for part in colour) for colour in colours]


# --- neighbours and paths ---


def _neighbours(manifold: Manifold, codes: np.ndarray) -> np.ndarray:
    """The codes nearest to each, (n, k): along the manifold where its distance has a formula, else through space."""
    num = min(NEIGHBOURS, len(codes) - 1)
    if not _has_formula(manifold):
        return KDTree(codes).query(codes, num + 1)[1].reshape(len(codes), -1)[:, 1:]
    points = jnp.asarray(codes, jnp.float32)

    @jax.jit
    def nearest(z: Any, row: Any) -> Any:
        distance = manifold.distance(z[None], points).at[row].set(jnp.inf)
        return jax.lax.top_k(-distance, num)[1]

    return np.asarray(jax.lax.map(lambda pair: nearest(*pair), (points, jnp.arange(len(codes))), batch_size=64))


def _has_formula(manifold: Manifold) -> bool:
    if isinstance(manifold, Product):
        return all(_has_formula(factor) for factor in manifold.factors)
    return isinstance(manifold, Euclidean | Sphere | ProjectiveSpace | FlatTorus | SO3)


def _spread_out(points: np.ndarray, num: int) -> np.ndarray:
    """Numbers of points, each the farthest from those before."""
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=-1)
    for _ in range(min(num, len(points)) - 1):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=-1))
    return np.array(chosen)


def _paths(
    model: Trained, space: Scene, examples: Examples, beside: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Paths that are played, and geodesics between landmarks where the page cannot find them; and their pictures."""
    found: list[dict[str, Any]] = []
    tiles: list[np.ndarray] = []

    def add(kind: str, name: str, places: np.ndarray, pictures: np.ndarray, **more: Any) -> None:
        first = sum(map(len, tiles))
        found.append(
            {"kind": kind, "name": name, "first": first, "places": packed(places), "count": len(places), **more}
        )
        tiles.append(pictures)

    for name, places, pictures in _walks(model, space, examples):
        add("walk", name, places, pictures)
    for name, z in _orbits(model, examples.codes):
        add("orbit", name, space.place(z), model.decode(z, **beside))
    if not space.geodesic:
        num = FINE if space.kind == "solid" else STRIP  # where the page has pictures all over the surface, of any place
        for one, other, z in _geodesics(model.manifold, examples.codes, num):
            pictures = np.empty((0, *model.event_shape)) if space.kind == "solid" else model.decode(z, **beside)
            add("geodesic", "", space.place(z), pictures, ends=[one, other])
    return found, np.concatenate(tiles) if tiles else np.empty((0, *model.event_shape))


def _walks(model: Trained, space: Scene, examples: Examples) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Walks from a few examples, of a model that generates by walking."""
    if examples.x is None:
        return []
    starts = _spread_out(examples.codes, WALKS)
    try:
        paths = model.walk(examples.x[starts], WALK_STEPS)
    except NotImplementedError:
        return []
    places = [space.place(model.embed(each)) for each in paths]
    return [(f"walk {k + 1}", place, each) for k, (place, each) in enumerate(zip(places, paths, strict=True))]


def _orbits(model: Trained, codes: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Orbits of a few codes under each operator, of a model that has operators, up to where codes are no more."""
    try:
        operators = model.operators
    except NotImplementedError:
        return []
    sizes = np.linalg.norm(operators, axis=(1, 2))
    unit = math.sqrt(operators.shape[-1]) / sizes.max()
    times = jnp.asarray(ORBIT_ANGLE * unit * np.linspace(-1, 1, ORBIT_TIMES), jnp.float32)
    found = []
    far = FAR * np.linalg.norm(codes, axis=1).max()
    for number in np.argsort(-sizes, kind="stable"):
        for code in _spread_out(codes, ORBITS):
            start = jnp.asarray(codes[code][None], jnp.float32)
            z = np.asarray(
                path(jnp.asarray(operators[number][None]), jnp.ones(1), start, jnp.asarray(times, jnp.float32))
            )
            z = z.reshape(len(times), -1)
            inside = np.linalg.norm(z, axis=1) <= far
            found.append((f"operator {number + 1}, code {code}", z[inside]))
    return [each for each in found if len(each[1]) > 1]


def _geodesics(manifold: Manifold, codes: np.ndarray, num: int) -> list[tuple[int, int, np.ndarray]]:
    """Geodesics between any two landmarks: both numbers, and points (t, n)."""
    marks = _spread_out(codes, LANDMARKS)
    pairs = [(int(one), int(other)) for k, one in enumerate(marks) for other in marks[:k]]
    if not pairs:
        return []
    starts, ends = (jnp.asarray(codes[[pair[side] for pair in pairs]], jnp.float32) for side in (0, 1))

    @jax.jit
    def points(z: Any, w: Any) -> Any:
        times = jnp.linspace(0, 1, num)[:, None]
        return manifold.exp(z[:, None], times * manifold.log(z, w)[:, None])

    return [(*pair, z) for pair, z in zip(pairs, np.asarray(points(starts, ends)), strict=True)]


# --- what is said of the run ---

SYMBOLS = {"dvae": "ΔVAE", "vae": "VAE", "vdae": "VDAE", "vaells": "VAELLS", "svae": "hyperspherical VAE"}


LETTERS = {Sphere: "S", FlatTorus: "T", ProjectiveSpace: "RP", Euclidean: "R"}
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _title(run: Run, model: Trained) -> str:
    method, manifold = run.config["method"], model.manifold
    letter = LETTERS.get(type(manifold))
    space = repr(manifold) if letter is None else letter + str(manifold.dim).translate(RAISED)
    return f"{SYMBOLS.get(method, method)} on {space}"


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
        "twice": space.twice,
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

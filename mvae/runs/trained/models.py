"""Run and Trained: what training and loading give back, functions of arrays with batches of a fixed size inside."""

import functools
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from mvae.data.own.arrays import CHECKED, check_finite, narrow, numeric, row_sizes
from mvae.data.own.table import aligned, dense
from mvae.errors import UsageError, check_count
from mvae.manifolds import Manifold
from mvae.models.autoencoder import Networks
from mvae.models.model import Batch, Params, given
from mvae.reports.report import EVALUATION_STREAM, batch_size
from mvae.runs.run_folder import RunFolder
from mvae.runs.trained.saved import Saved, check_shape

CONDITION, SIZE_FACTOR = "condition", "size_factor"
TOO_LARGE = 3.0  # times the largest row of training: no such examples were seen
TOO_SMALL = 0.02  # times the usual row of training


class Functions:
    """The functions of a run's models, each compiled once for batches of one size, for all seeds.

    Attributes:
        saved: What the models were rebuilt from.
        networks: A user's own.
        model: The model.
    """

    def __init__(self, saved: Saved, networks: Networks):
        self.saved, self.networks = saved, networks
        self.model = saved.build(networks)
        self._compiled: dict[str, Any] = {}

    def over_rows(
        self,
        name: str,
        function: Callable[..., Any],
        params: Params,
        arrays: Mapping[str, np.ndarray],
        *,
        key: Key[Array, ""] | None = None,
        size: int | None = None,
    ) -> Any:
        """Returns function(params, key of the batch, batch) over all rows of arrays, as arrays of numpy.

        The last batch is filled up with rows of its own. Leaves of the result that do not have the axis of the
        examples, as where posteriors share something, are those of the first batch.

        Args:
            name: Of the function: what it closes over is the same for all seeds.
            function: Its batch is a dict of arrays of `size` rows.
            params: Parameters of one seed.
            arrays: Columns, the examples first.
            key: Source of the batches' keys.
            size: Rows of a batch; None for as many as evaluations have.
        """
        size = size or batch_size(self.saved.event_shape)
        if name not in self._compiled:
            self._compiled[name] = jax.jit(
                lambda params, key, number, batch: function(params, jax.random.fold_in(key, number), batch)
            )
        compiled, num = self._compiled[name], len(next(iter(arrays.values())))
        key = jax.random.key(0) if key is None else key
        whole: Any = None
        for number, start in enumerate(range(0, num, size)):
            batch = {name: _batch(column[start : start + size], size) for name, column in arrays.items()}
            if whole is None:
                whole = _room(compiled, (params, key, np.int32(0), batch), num, size)
            found = compiled(params, key, np.int32(number), batch)
            jax.tree.map(functools.partial(_fill, start=start, size=size), whole, found)
        return jax.tree.map(lambda room: room[0], whole, is_leaf=lambda room: type(room) is _Room)


class _Room(tuple):
    """(array for all rows, whether it has an axis of rows); a leaf."""


def _room(compiled: Any, arguments: tuple, num: int, size: int) -> Any:
    """Arrays for the results of all rows; which of them have rows is seen by how their shapes follow the batch's."""
    *rest, batch = arguments
    larger = {name: jax.ShapeDtypeStruct((size + 1, *column.shape[1:]), column.dtype) for name, column in batch.items()}
    shapes = jax.eval_shape(compiled, *rest, batch), jax.eval_shape(compiled, *rest, larger)

    def room(one: Any, other: Any) -> _Room:
        has_rows = one.shape != other.shape
        return _Room((np.empty((num, *one.shape[1:]) if has_rows else one.shape, one.dtype), has_rows))

    return jax.tree.map(room, *shapes)


def _fill(room: _Room, found: Array, start: int, size: int) -> None:
    array, has_rows = room
    if has_rows:
        part = array[start : start + size]
        part[...] = np.asarray(found)[: len(part)]
    elif start == 0:
        array[...] = np.asarray(found)


def _batch(part: np.ndarray, size: int) -> np.ndarray:
    """Rows as a batch of one size; numbers of 32 bits, but for bytes, which take a quarter of the way."""
    if len(part) < size:
        part = part[np.arange(size) % len(part)]
    return narrow(part)


class Trained:
    """A trained model of one seed, as functions of arrays of any length.

    Arrays of numpy or jax and frames go in, arrays of numpy come out. Examples are in units of the data: scaling is
    applied on the way in and undone on the way out. Rows go through in batches of one size, so that a million of them
    take no more memory than a batch beside the result, and every function is compiled once. It can be pickled.

    What the method lacks, such as the encoder of a GAN, raises NotImplementedError with the reason.

    Attributes:
        params: Parameters, a tree of arrays.
        seed: The seed it was trained from.
    """

    def __init__(self, functions: Functions, params: Params, seed: int):
        self._functions, self.seed = functions, seed
        self.params = jax.tree.map(jnp.asarray, params)

    @property
    def manifold(self) -> Manifold:
        """The latent space."""
        return self._functions.model.manifold

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of an example."""
        return self._functions.saved.event_shape

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the entries of an example, in their order, where the data had them."""
        return self._functions.saved.features

    @property
    def given(self) -> tuple[str, ...]:
        """What `encode` and `decode` take beside x and z, by name; see `mvae.models.Model`."""
        return self._functions.model.given

    @property
    def conditions(self) -> tuple[str, ...]:
        """Categories of the condition that `encode` and `decode` take, where they do."""
        return self._functions.saved.conditions

    @property
    def operators(self) -> np.ndarray:
        """Transport operators of a VAELLS, (M, d, d).

        Raises:
            NotImplementedError: If the method has none.
        """
        return np.asarray(self._capability("operators")(self.params))

    @property
    def log_scale(self) -> float:
        """Σ log of the scale over the entries of an example: densities in units of the data have a factor e^-this."""
        scaling, shape = self._functions.saved.scaling, self.event_shape
        if scaling.kind == "none":
            return 0.0
        return float(np.sum(np.log(np.broadcast_to(np.asarray(scaling.scale, np.float64), shape))))

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved config, as plain dicts."""
        return self._functions.saved.config

    def encode(self, x: Any, **columns: Any) -> Any:
        """Returns the posteriors q(z | x) of examples.

        Args:
            x: Examples, (n, *event), in the units of the training data. Of a frame those columns are taken that the run
                was trained on, by their names, where it was trained on a table.
            **columns: What a model is given beside x, of each row or one for all: `condition`, the values that it was
                trained with, or numbers of categories where these are texts; `size_factor`, of counts, 1 if it is left
                out.

        Returns:
            A NamedTuple of arrays of numpy that begins with `location`, points of the manifold (n, ambient_dim); the
            other fields are those of the method, such as the `time` of a ΔVAE, (n,).

        Raises:
            UsageError: For another shape, entries that are no finite numbers, examples of a size that training has
                not seen, as 0 … 255 in place of 0 … 1, and for columns that are lacking or not known.
            NotImplementedError: If the method has no encoder.
        """
        return self._encoded("encode", lambda params, batch, posterior: posterior, x, columns)

    def embed(self, x: Any, **columns: Any) -> np.ndarray:
        """Returns the locations of the posteriors of examples, points of the manifold, (n, ambient_dim).

        Args:
            x: As for `encode`.
            **columns: As for `encode`.

        Raises:
            UsageError: As for `encode`.
            NotImplementedError: As for `encode`.
        """
        self._check_has("encoder")
        examples = self._examples(x, "x")
        return self.located({"x": examples} | self._columns(columns, examples.shape[:1], "x"))

    def located(self, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns what `embed` does, of rows that are known to be right.

        Args:
            batch: "x", and the columns that the model is given beside it; others are left alone.
        """
        arrays = {name: batch[name] for name in ("x", *self._functions.model.given) if name in batch}
        function = self._of_posteriors(lambda params, batch, posterior: posterior.location)
        return self._functions.over_rows(_named("embed", arrays), function, self.params, arrays)

    def decode(self, z: Any, **columns: Any) -> np.ndarray:
        """Returns the means of p(x | z), (..., *event), in units of the data.

        Args:
            z: Points of the manifold, (..., ambient_dim).
            **columns: As for `encode`, (...) or one for all.

        Raises:
            UsageError: For another last axis, entries that are no finite numbers, points off the manifold, and columns
                that are lacking or not known.
        """
        z = numeric(z, "z")
        check_finite(np.atleast_1d(z), "z")
        if z.ndim == 0 or z.shape[-1] != self.manifold.ambient_dim:
            raise UsageError(f"z has shape {z.shape}: points of {self.manifold} are (..., {self.manifold.ambient_dim})")
        flat = np.asarray(z.reshape(-1, z.shape[-1]), np.float32)
        for start in range(0, len(flat), CHECKED):
            try:
                self.manifold.check_on("z", jnp.asarray(flat[start : start + CHECKED]))
            except ValueError as error:
                raise UsageError(str(error)) from error
        beside = self._columns(columns, z.shape[:-1], "z")
        found = self._decode_rows({"z": flat} | {name: column.reshape(-1) for name, column in beside.items()})
        return found.reshape(*z.shape[:-1], *found.shape[1:])

    def _decode_rows(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        decode = lambda params, key, batch: self._decoded(params, batch["z"], batch)  # noqa: E731
        return self._functions.over_rows(_named("decode", arrays), decode, self.params, arrays)

    def _decoded(self, params: Params, z: Array, batch: Batch) -> Array:
        functions = self._functions
        mean = functions.model.decode(params, z, **given(functions.model.given, batch))
        return functions.saved.scaling.undo(mean)

    def reconstruct(self, x: Any, **columns: Any) -> np.ndarray:
        """Returns what the locations of the posteriors decode to, (n, *event), in units of the data.

        Args:
            x: As for `encode`.
            **columns: As for `encode`.

        Raises:
            UsageError: As for `encode`.
            NotImplementedError: As for `encode`.
        """
        decoded = lambda params, batch, posterior: self._decoded(params, posterior.location, batch)  # noqa: E731
        return self._encoded("reconstruct", decoded, x, columns)

    def _encoded(
        self, name: str, function: Callable[[Params, Batch, Any], Any], x: Any, columns: Mapping[str, Any]
    ) -> Any:
        """A function of (parameters, batch, posteriors), over examples."""
        self._check_has("encoder")
        return self._over(name, self._of_posteriors(function), x, columns)

    def _of_posteriors(self, function: Callable[[Params, Batch, Any], Any]) -> Callable[..., Any]:
        model = self._functions.model

        def of_batch(params: Params, key: Array, batch: Batch) -> Any:
            del key
            batch = self._seen(batch)
            return function(params, batch, model.encode(params, batch["x"], **given(model.given, batch)))

        return of_batch

    def sample(self, num: int, seed: int = 0) -> np.ndarray:
        """Returns examples drawn from the model, (num, *event): means of p(x | z), in units of the data.

        Of a model that is given a condition they are those of the first category, of counts those of size factor 1.

        Args:
            num: How many.
            seed: Of the draws; the first of more are those of fewer.

        Raises:
            UsageError: For a number of draws or a seed that is no count.
            NotImplementedError: If the method has no samples without data.
        """
        num, seed = _count("num", num, 1), _count("seed", seed, 0)
        self._check_has("sample")
        model, size = self._functions.model, batch_size(self.event_shape)

        def sample(params: Params, key: Array, batch: Batch) -> Array:
            return self._functions.saved.scaling.undo(model.sample(params, key, len(batch["row"])))

        rows = {"row": np.zeros(num, np.uint8)}
        return self._functions.over_rows("sample", sample, self.params, rows, key=jax.random.key(seed), size=size)

    def interpolate(self, x0: Any, x1: Any, num: int, **columns: Any) -> np.ndarray:
        """Returns what the geodesic from the code of one example to that of another decodes to.

        With z = location of x0 and w = location of x1 these are the means of p(x | exp(z, t log(z, w))) for num times
        t from 0 to 1.

        Args:
            x0: An example, (*event), or examples, (n, *event).
            x1: The same number of them.
            num: Points of each geodesic, both ends among them; at least 2.
            **columns: As for `encode`, for both ends and what is between alike.

        Returns:
            Examples in units of the data, (num, *event), or (n, num, *event).

        Raises:
            UsageError: As for `encode`, and if x0 and x1 differ in shape.
            NotImplementedError: If the method has no encoder, or the manifold no logarithm.
        """
        num = _count("num", num, 2)
        self._check_has("encoder")
        x0, x1 = numeric(x0, "x0"), numeric(x1, "x1")
        if x0.shape != x1.shape:
            raise UsageError(f"x0 has shape {x0.shape}, x1 {x1.shape}: give as many of both")
        alone = x0.shape == self.event_shape
        ends = [self._examples(x[None] if alone else x, name) for x, name in ((x0, "x0"), (x1, "x1"))]
        beside = self._columns(columns, ends[0].shape[:1], "x0")
        z, w = (self.located({"x": x} | beside) for x in ends)
        times, manifold = jnp.linspace(0, 1, num, dtype=jnp.float32), self.manifold

        def path(params: Params, key: Array, batch: Batch) -> Array:
            velocity = manifold.log(batch["z"], batch["w"])[:, None]
            return manifold.exp(batch["z"][:, None], times[None, :, None] * velocity)

        points = self._functions.over_rows(f"path {num}", path, self.params, {"z": z, "w": w})
        flat = {"z": points.reshape(-1, points.shape[-1])}
        flat |= {name: np.repeat(column, num) for name, column in beside.items()}
        found = self._decode_rows(flat).reshape(len(z), num, *self.event_shape)
        return found[0] if alone else found

    def walk(self, x: Any, num_steps: int, seed: int = 0) -> np.ndarray:
        """Returns paths of the random walk by which a VDAE generates, (n, num_steps + 1, *event), in units of the data.

        Args:
            x: Where they begin, (n, *event).
            num_steps: Steps of each.
            seed: Of the draws.

        Raises:
            UsageError: As for `encode`.
            NotImplementedError: If the method has no walk.
        """
        num_steps, seed = _count("num_steps", num_steps, 1), _count("seed", seed, 0)
        walk, scaling = self._capability("walk"), self._functions.saved.scaling

        def paths(params: Params, key: Array, batch: Batch) -> Array:
            return scaling.undo(jnp.moveaxis(walk(params, key, self._seen(batch)["x"], num_steps), 0, 1))

        size = min(batch_size(self.event_shape), max(1, len(np.asarray(x))))
        return self._over(f"walk {num_steps}", paths, x, {}, seed=seed, size=size)

    def elbo(self, x: Any, *, num_samples: int = 10, seed: int = 0, **columns: Any) -> np.ndarray:
        """Returns the evidence lower bound of each example, (n,), in nats, the mean over draws of the posterior.

        It is that of examples as the model sees them: where they are scaled, the density in units of the data has the
        sum of the logarithms of the scale less.

        Args:
            x: As for `encode`.
            num_samples: Draws per example.
            seed: Of the draws.
            **columns: As for `encode`, and what else the method reads of each row, such as the label of a VAELLS.

        Raises:
            UsageError: As for `encode`, and for columns that are lacking or not known.
            NotImplementedError: If the method has no bound.
        """
        num_samples, seed = _count("num_samples", num_samples, 1), _count("seed", seed, 0)
        self._check_has("bound")
        model = self._functions.model

        def bound(params: Params, key: Array, batch: Batch) -> Array:
            draw = lambda key: model.loss_terms(params, key, self._seen(batch), None).elbo  # noqa: E731
            return jnp.mean(jax.lax.map(draw, jax.random.split(key, num_samples)), axis=0)

        return self._over(f"elbo {num_samples}", bound, x, columns, model.columns, seed=seed)

    def log_likelihood(self, x: Any, num_samples: int = 100, *, seed: int = 0, **columns: Any) -> np.ndarray:
        """Returns the importance-sampled log p(x) of each example, (n,), in nats.

        log (1/L) Σ_l p(x | z_l) p(z_l) / q(z_l | x) with z_l from q(z | x): a lower bound in expectation, tight as L
        grows [burda2016]. As for `elbo`, it is that of examples as the model sees them.

        Args:
            x: As for `encode`.
            num_samples: Draws L per example.
            seed: Of the draws.
            **columns: As for `elbo`.

        Raises:
            UsageError: As for `elbo`.
            NotImplementedError: If the density is not known.
        """
        num_samples, seed = _count("num_samples", num_samples, 1), _count("seed", seed, 0)
        self._check_has("log_likelihood")
        model = self._functions.model

        def log_likelihood(params: Params, key: Array, batch: Batch) -> Array:
            return model.log_likelihood(params, key, self._seen(batch), num_samples)

        size = self.config["evaluation"]["batch_size"]
        name = f"log_likelihood {num_samples}"
        return self._over(name, log_likelihood, x, columns, model.columns, seed=seed, size=size)

    def export(self, folder: str | Path) -> Path:
        """Writes encoder and decoder as programs that run without mvae; see `mvae.runs.trained.export.export`.

        Args:
            folder: A new folder, or one that an export was written to before.

        Returns:
            The folder.

        Raises:
            UsageError: If the folder holds something else or cannot be written.
        """
        from mvae.runs.trained.export import export  # heavy, and seldom wanted

        return export(self._functions.model, self._functions.saved, self.params, self.seed, Path(folder))

    def __repr__(self) -> str:
        return f"Trained({self.config['method']}, {self.manifold}, seed={self.seed}, event_shape={self.event_shape})"

    def __reduce__(self) -> tuple:
        functions = self._functions
        _check_picklable(functions.networks)
        return _rebuilt, (functions.saved, functions.networks, jax.tree.map(np.asarray, self.params), self.seed)

    def _seen(self, batch: Batch) -> Batch:
        return batch | {"x": self._functions.saved.scaling.apply(batch["x"])}

    def _check_has(self, name: str) -> None:
        if (reason := self._functions.model.lacks.get(name)) is not None:
            raise NotImplementedError(f"the method {self.config['method']}: {reason}")

    def _capability(self, name: str) -> Any:
        found = self._functions.model.capabilities
        if name not in found:
            raise NotImplementedError(f"the method {self.config['method']} has no {name}")
        return found[name]

    def _over(
        self,
        name: str,
        function: Callable[..., Any],
        x: Any,
        columns: Mapping[str, Any],
        needed: tuple[str, ...] = (),
        *,
        seed: int = 0,
        size: int | None = None,
    ) -> Any:
        """A function of (parameters, key, batch) over examples and columns beside them."""
        key = jax.random.fold_in(jax.random.key(seed), EVALUATION_STREAM)
        x = self._examples(x, "x")
        arrays = {"x": x} | self._columns(columns, x.shape[:1], "x", needed)
        return self._functions.over_rows(_named(name, arrays), function, self.params, arrays, key=key, size=size)

    def _columns(
        self, columns: Mapping[str, Any], shape: tuple[int, ...], rows: str, needed: tuple[str, ...] = ()
    ) -> dict[str, np.ndarray]:
        """Checked columns beside x or z, whose leading axes have this shape."""
        method, given_names = self.config["method"], self._functions.model.given
        for name in (*needed, *(name for name in given_names if name == CONDITION)):
            if name not in columns:
                raise UsageError(f"this model of the method {method} needs the {name} of each row: give {name}=…")
        for name in columns:
            if name not in (*needed, *given_names):
                known = ", ".join((*needed, *given_names)) or f"{rows} alone"
                raise UsageError(f"unknown column {name}: this model of the method {method} reads {known}")
        return {name: self._column(name, column, shape, rows) for name, column in columns.items()}

    def _column(self, name: str, column: Any, shape: tuple[int, ...], rows: str) -> np.ndarray:
        column = self._categories(column) if name == CONDITION else numeric(column, name)
        check_finite(np.atleast_1d(column), name)
        if column.ndim == 0 and name in self._functions.model.given:
            column = np.broadcast_to(column, shape)
        if column.shape[: len(shape)] != shape or column.ndim < len(shape):
            raise UsageError(f"{name} has shape {column.shape}, but {rows} has rows {shape}: give one entry for each")
        if name == SIZE_FACTOR:
            if not (column > 0).all():
                raise UsageError(f"size_factor has {column.min():g}: size factors are positive")
            column = column / self._functions.saved.size_unit
        return column

    def _categories(self, condition: Any) -> np.ndarray:
        """Numbers of categories, of their values in training or, where these are texts, of the numbers themselves."""
        names = self._functions.saved.conditions
        array = np.asarray(condition.to_numpy() if hasattr(condition, "to_numpy") else condition)
        if array.dtype.kind in "bf" and (array == np.round(array)).all():
            array = array.astype(np.int64)
        if array.dtype.kind in "iu" and all(name.removeprefix("-").isdecimal() for name in names):
            array = array.astype(str)  # the values were whole numbers, such as those of batches
        if array.dtype.kind in "OUS":
            texts = array.astype(str)
            if wrong := sorted(set(np.unique(texts)) - set(names)):
                raise UsageError(f"unknown condition {str(wrong[0])!r}: the run was trained with {', '.join(names)}")
            numbers = {name: number for number, name in enumerate(names)}
            return np.array([numbers[text] for text in texts.ravel()], np.int32).reshape(texts.shape)
        if array.dtype.kind not in "iu" or (array.size and not 0 <= array.min() <= array.max() < len(names)):
            raise UsageError(
                f"condition must be names of categories, {', '.join(names)}, or their numbers, 0 to {len(names) - 1}"
            )
        return array

    def _examples(self, x: Any, name: str) -> np.ndarray:
        """Checked examples by rows."""
        x = self._by_name(x, name)
        check_shape(self._functions.saved, x.shape, name)
        check_finite(x, name)
        self._check_scale(x, name)
        return x

    def _by_name(self, x: Any, name: str) -> np.ndarray:
        """An array of whatever examples come in; of a frame the features of training, in their order."""
        wanted = self._functions.saved.features
        if hasattr(x, "tocsr"):  # a sparse matrix of scipy
            x = dense(x, name)
        if not (wanted and hasattr(x, "columns") and hasattr(x, "to_numpy")):
            return numeric(x, name)
        names = [str(column) for column in x.columns]
        if not set(wanted) & set(names) and len(names) == len(wanted):
            return numeric(x, name)  # of other names: their order is taken to be that of training
        positions = aligned(np.arange(len(names))[None], names, wanted, name)[0]
        return np.stack([numeric(x[x.columns[index]], f"{name}[{names[index]!r}]") for index in positions], axis=1)

    def _check_scale(self, x: np.ndarray, name: str) -> None:
        """Raises for examples much larger or smaller than those of training."""
        saved = self._functions.saved
        rows = x[np.linspace(0, len(x) - 1, min(len(x), CHECKED)).astype(int)]
        seen, plain = np.median(row_sizes(saved.scaling.apply(rows))), row_sizes(rows).max()
        if seen > TOO_LARGE * saved.largest_row > 0:
            what, there, here = "large", saved.largest_row, seen
        elif x.dtype.kind not in "biu" and 0 < plain < TOO_SMALL * saved.usual_row:
            what, there, here = "small", saved.usual_row, plain
        else:
            return
        raise UsageError(
            f"{name} is far too {what}: the root mean square of a row is {here:.3g}, that of training was {there:.3g}; "
            "give it in the units of the training data"
        )


def _named(name: str, arrays: Mapping[str, Any]) -> str:
    """A name of a compiled function, which takes these columns."""
    return " ".join((name, *sorted(arrays)))


def _rebuilt(saved: Saved, networks: Networks, params: Params, seed: int) -> Trained:
    return Trained(Functions(saved, networks), params, seed)


def _check_picklable(networks: Networks) -> None:
    """Raises for a user's own networks that pickle cannot take, such as Flax modules, which have functions in them.

    Raises:
        UsageError: Naming the remedy.
    """
    for name, network in networks._asdict().items():
        try:
            pickle.dumps(network)
        except Exception as error:
            raise UsageError(
                f"the {name} of your own cannot be pickled ({error}): give functions of a module as (init, apply), or "
                "keep the run in a folder and call mvae.load"
            ) from error


def _count(name: str, value: int, least: int) -> int:
    try:
        found = check_count(name, value, least)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if found >= 2**63:
        raise UsageError(f"{name} must be below 2^63, got {found}")
    return found


class Run(Sequence[Trained]):
    """A trained run: its models, one for each seed, and what is known of them. It can be pickled.

    Attributes:
        results: What results.json holds: per seed, mean and standard deviation.
        workdir: The run's folder; None where nothing was kept.
    """

    def __init__(
        self,
        functions: Functions,
        results: dict[str, Any],
        records: Sequence[dict[str, Any]] | None = None,
        workdir: Path | None = None,
    ):
        self._functions, self.results, self._records, self.workdir = functions, results, records, workdir
        self._members = [
            Trained(functions, jax.tree.map(lambda leaf, index=index: leaf[index], functions.saved.params), seed)
            for index, seed in enumerate(functions.saved.seeds)
        ]

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved config, as plain dicts."""
        return self._functions.saved.config

    def metrics(self) -> list[dict[str, Any]]:
        """Returns the means over each logging interval: "stage", "step", "seconds", and a list over seeds of each."""
        if self._records is None and self.workdir is not None:
            from mvae.engine.metrics import read_records  # slow to import

            self._records = read_records(RunFolder(self.workdir).metrics)
        return [dict(record) for record in self._records or ()]

    @property
    def best(self) -> Trained:
        """The model of the greatest ELBO on the test set, of the seeds that have one.

        Raises:
            UsageError: If there are several seeds and none has an ELBO.
        """
        elbos = [member.get("elbo") for member in self.results["members"]]
        known = [index for index, elbo in enumerate(elbos) if elbo is not None]
        if not known and len(self) > 1:
            reason = self.results["unavailable"].get("elbo", "it is not known")
            raise UsageError(f"no seed has an ELBO to be the best by ({reason}): take one of the {len(self)}, run[0]")
        return self[max(known, key=lambda index: elbos[index]) if known else 0]

    def explore(self, x: Any = None, **columns: Any) -> Any:
        """Returns a page of the best model's latent space, which a notebook displays; see `mvae.explore.explore`.

        Args:
            x: Examples to show, (n, *event), in units of the data; None for those of the run's own.
            **columns: What is known of each, (n,): what the model is given beside x, and what else is to colour codes.

        Returns:
            An `mvae.explore.Explorer`: `save(path)` writes it to a file.

        Raises:
            UsageError: As for `mvae.explore.explore`.
        """
        from mvae.explore.page import explore  # which needs matplotlib and pictures

        return explore(self, x, columns=columns)

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, index: Any) -> Any:
        return self._members[index]

    def __iter__(self) -> Iterator[Trained]:
        return iter(self._members)

    def __repr__(self) -> str:
        place = "in memory" if self.workdir is None else str(self.workdir)
        return f"Run({self.config['method']}, {self[0].manifold}, {len(self)} seed(s), {place})"

    def __reduce__(self) -> tuple:
        functions = self._functions
        _check_picklable(functions.networks)
        return _run_rebuilt, (functions.saved, functions.networks, self.results, self.metrics(), self.workdir)


def _run_rebuilt(
    saved: Saved, networks: Networks, results: dict[str, Any], records: list[dict[str, Any]], workdir: Path | None
) -> Run:
    return Run(Functions(saved, networks), results, records, workdir)

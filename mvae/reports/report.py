"""The nouns of reports: what one asks of a run, and the view of the run that all of them share."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.data import Dataset
from mvae.data.dataset import Rows
from mvae.evaluation import evaluate_bound, importance_log_likelihood
from mvae.evaluation.likelihood import map_batches
from mvae.evaluation.progress import with_progress
from mvae.models import LossTerms, Model
from mvae.models.model import Batch, Params, given
from mvae.reports.settings import EvaluationConfig

BATCH = 500  # examples at a time
BATCH_BYTES = 2**28  # at most, of the data of a batch
BATCHES_AT_A_TIME = 20  # that are sent to the device together, where they are on the host
EVALUATION_STREAM = 0xE7A1  # folded into a member's key, away from the small indices of the stages

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:
    Figure = Any  # matplotlib is imported when a figure is drawn
Drawing = Figure | Callable[[], Figure]


class Report(NamedTuple):
    """A question that a run answers.

    Attributes:
        name: A word for it, unlike those of other reports.
        applies: Whether the question can be asked of this model and these data.
        numbers: What it says of one seed: name -> float, int, text or list, or None, after `Member.undefined` has been
            told why. None for a report of figures alone.
        figures: Yields (file name, figure), or a function that draws the figure: one that raises does not stop those
            after it. None for a report of numbers alone.
        gives: Names of the numbers that it gives wherever it applies: they are None, with the reason, if it raises.
    """

    name: str
    applies: Callable[["View"], bool]
    numbers: Callable[["Member"], dict[str, Any]] | None = None
    figures: Callable[["View"], Iterable[tuple[str, Drawing]]] | None = None
    gives: tuple[str, ...] = ()


class Programs:
    """The functions of a model on its data, compiled: once for all seeds, and for all runs of one model."""

    def __init__(self, model: Model, dataset: Dataset):
        self.model, self.dataset = model, dataset
        self._kept: dict[str, Any] = {}
        self.batch_size = batch_size(dataset.event_shape)
        self._event_size = math.prod(dataset.event_shape)

    def jit(self, name: str, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """Returns `jax.jit(function, **options)`, the same one whenever it is asked for by this name.

        The function takes parameters as an argument; what it closes over must not depend on the seed.
        """
        if name not in self._kept:
            self._kept[name] = jax.jit(function, **options)
        return self._kept[name]

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Returns make(), the same one whenever it is asked for by this name."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def member(self, params: Params, index: int) -> Params:
        """Returns the parameters at a place of the seed axis."""
        take = self.jit("member", lambda params, index: jax.tree.map(lambda leaf: leaf[index], params))
        return take(params, np.int32(index))

    def encode_rows(self, params: Params, rows: Rows) -> Float[np.ndarray, "n k"]:
        """Returns the locations of the posteriors of all rows."""
        render, size = self.dataset.render, self.batch_size

        def encode(params: Params, rows: Rows) -> Array:
            def of_batch(key: Array, batch: Batch) -> Array:
                del key
                return self.model.encode(params, batch["x"], **given(self.model.given, batch)).location

            return map_batches(of_batch, jax.random.key(0), rows, render, size)

        encoded = self.jit("encode_rows", encode)
        at_a_time = size * max(1, min(BATCHES_AT_A_TIME, BATCH_BYTES // (4 * size * self._event_size)))
        parts = range(0, len(next(iter(rows.values()))), at_a_time)
        found = [
            np.asarray(encoded(params, {name: array[k : k + at_a_time] for name, array in rows.items()}))
            for k in with_progress(parts, f"codes, {at_a_time} examples at a time")
        ]
        return np.concatenate(found)

    def in_batches(self, name: str, function: Callable[..., Array], params: Params, array: Any) -> np.ndarray:
        """Returns function(params, array) of an array with the example axis first, in batches on the device."""
        compiled, array = self.jit(name, function), np.asarray(array)
        parts = with_progress(range(0, len(array), self.batch_size), f"{name}, {self.batch_size} at a time")
        return np.concatenate([np.asarray(compiled(params, array[k : k + self.batch_size])) for k in parts])


def batch_size(event_shape: tuple[int, ...]) -> int:
    """Returns how many examples are worked on together: fewer of those that are large."""
    return max(1, min(BATCH, BATCH_BYTES // (4 * math.prod(event_shape))))


class View:
    """A trained run, as reports see it.

    Attributes:
        model: The model.
        dataset: The data.
        settings: How it is judged.
        seeds: The seeds, in their order.
        records: Lines of metrics.jsonl.
        programs: Compiled functions.
        members: One for each seed.
    """

    def __init__(
        self,
        model: Model,
        dataset: Dataset,
        settings: EvaluationConfig,
        seeds: Sequence[int],
        params: Any,
        *,
        records: Sequence[dict[str, Any]] = (),
        programs: Programs | None = None,
    ):
        """Computes nothing yet; `params` has the seeds on the first axis."""
        self.model, self.dataset, self.settings, self.params = model, dataset, settings, params
        self.seeds, self.records = tuple(seeds), list(records)
        self.programs = programs or Programs(model, dataset)
        self.members = [Member(self, index) for index in range(len(self.seeds))]
        self._kept: dict[str, Any] = {}

    def kept(self, name: str, compute: Callable[[], Any]) -> Any:
        """Returns compute(), which does not depend on the seed, computed once by this name."""
        if name not in self._kept:
            self._kept[name] = compute()
        return self._kept[name]

    def has(self, *capabilities: str) -> bool:
        """Whether the model has all of these capabilities, and an encoder."""
        return "encoder" not in self.model.lacks and all(name in self.model.capabilities for name in capabilities)

    @property
    def shows(self) -> str:
        """As what an example is drawn: "image", "line" for longer vectors and images a pixel wide, or "point"."""
        shape = self.dataset.event_shape
        if len(shape) == 3 and min(shape[:2]) > 1 and max(shape[:2]) <= 32 * min(shape[:2]):
            return "image"
        return "line" if math.prod(shape) > 3 else "point"

    def first(self, part: str, num: int) -> Rows:
        """Returns the first rows of "train" or "test"."""
        rows = self.dataset.train if part == "train" else self.dataset.test
        return {name: array[:num] for name, array in rows.items()}

    def spread(self, num: int) -> Float[Array, "n *event"]:
        """Returns examples of the training set, evenly spread over it."""
        dataset = self.dataset
        rows = np.linspace(0, dataset.num_train - 1, min(num, dataset.num_train)).astype(int)
        chosen = {name: jnp.asarray(array[rows]) for name, array in dataset.train.items()}
        return self.programs.jit("render", dataset.render)(chosen)["x"]


class Member:
    """One seed of a run; what is computed of it is kept.

    Attributes:
        view: The run.
        seed: The seed.
        numbers: What reports have said of it so far.
    """

    def __init__(self, view: View, index: int):
        self.view, self.index, self.seed = view, index, view.seeds[index]
        self.numbers: dict[str, Any] = {}
        self.reasons: dict[str, str] = {}
        self._kept: dict[str, Any] = {}

    def kept(self, name: str, compute: Callable[[], Any]) -> Any:
        """Returns compute(), computed once by this name."""
        if name not in self._kept:
            self._kept[name] = compute()
        return self._kept[name]

    def say_why(self, name: str, reason: str) -> None:
        """Notes why a number is None."""
        self.reasons[name] = " ".join(reason.split())

    def undefined(self, names: Iterable[str], reason: str) -> dict[str, None]:
        """Returns numbers that are None, all for one reason."""
        names = tuple(names)
        for name in names:
            self.say_why(name, reason)
        return dict.fromkeys(names)

    @functools.cached_property
    def params(self) -> Params:
        """Its parameters."""
        return self.view.programs.member(self.view.params, self.index)

    def _keys(self) -> Array:
        """Sources of the draws: of the bound, and of the log-likelihood."""
        key = jax.random.fold_in(jax.random.key(np.uint32(self.seed)), EVALUATION_STREAM)
        return jax.random.split(key)

    def codes(self, part: str) -> Float[np.ndarray, "n k"]:
        """Returns the locations of the posteriors of all rows of "train" or "test"."""
        rows = self.view.dataset.train if part == "train" else self.view.dataset.test
        return self.kept(f"codes of {part}", lambda: self.encode(rows))

    def encode(self, rows: Rows) -> Float[np.ndarray, "n k"]:
        """Returns the locations of the posteriors of rows."""
        return self.view.programs.encode_rows(self.params, rows)

    def encode_x(self, x: Any) -> Float[np.ndarray, "n k"]:
        """Returns the locations of the posteriors of examples, (n, *event)."""
        model = self.view.model
        located = lambda params, x: model.encode(params, x).location  # noqa: E731
        return self.view.programs.in_batches("encode_x", located, self.params, x)

    def decode(self, z: Any) -> np.ndarray:
        """Returns what points decode to, (..., *event) of (..., k)."""
        z = np.asarray(z)
        decoded = self.view.programs.in_batches(
            "decode", self.view.model.decode, self.params, z.reshape(-1, z.shape[-1])
        )
        return decoded.reshape(*z.shape[:-1], *decoded.shape[1:])

    def bound(self) -> LossTerms:
        """Returns the loss terms of every test example, (n,), each the mean over draws."""
        samples, size = self.view.settings.bound_samples, self.view.programs.batch_size
        return self.kept("bound", lambda: self._evaluated(evaluate_bound, self._keys()[0], samples, size))

    def log_likelihood(self) -> Float[np.ndarray, " n"]:
        """Returns the importance-sampled log-likelihood of every test example, in nats."""
        settings, key = self.view.settings, self._keys()[1]
        given = (key, settings.importance_samples, settings.batch_size)
        return self.kept("log_likelihood", lambda: self._evaluated(importance_log_likelihood, *given))

    def _evaluated(self, evaluate: Callable[..., Any], key: Array, num_samples: int, size: int) -> Any:
        """Evaluates the test set."""
        model, dataset = self.view.model, self.view.dataset
        return evaluate(model, self.params, key, dataset.test, dataset.render, num_samples=num_samples, batch_size=size)

    def reconstructions(self, num: int) -> tuple[Float[np.ndarray, "n *event"], Float[np.ndarray, "n *event"]]:
        """Returns the first test examples and what the locations of their posteriors decode to."""
        view = self.view
        batch = view.programs.jit("render", view.dataset.render)(view.first("test", num))
        codes, beside = self.codes("test")[:num], given(view.model.given, batch)
        if not beside:
            return np.asarray(batch["x"]), self.decode(codes)
        decoded = view.programs.jit("decode given", view.model.decode)(self.params, codes, **beside)
        return np.asarray(batch["x"]), np.asarray(decoded)

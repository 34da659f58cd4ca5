"""A classifier trained on the data, which tells whether decoded images keep their class."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key
from numpy.typing import ArrayLike

from mvae.data.dataset import Batch, Rows
from mvae.errors import check_between, check_count
from mvae.evaluation.progress import progress
from mvae.nets import MLPClassifier

_AT_ONCE = 2000  # images
_STEPS_AT_ONCE = 250  # of one program, which a signal has to wait for


class Classifier(NamedTuple):
    """A trained classifier.

    Attributes:
        net: The network, images to logits.
        params: Its parameters.
        event_shape: (H, W, C) of the images it was trained on.
    """

    net: MLPClassifier
    params: Any
    event_shape: tuple[int, ...]

    def predict(self, images: ArrayLike) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n k"]]:
        """Returns the most probable class of each image, (n,), and the probabilities of all, (n, num_classes).

        Args:
            images: (n, H, W, C), in the range of the images that it was trained on.

        Raises:
            ValueError: For images of another shape.
        """
        x = jnp.asarray(images, jnp.float32)
        if x.ndim != 4 or x.shape[1:] != self.event_shape or len(x) == 0:
            wanted = ", ".join(map(str, self.event_shape))
            raise ValueError(f"images must have shape (n, {wanted}), not empty, got {x.shape}")
        parts = [
            np.asarray(_probabilities(self.net, self.params, x[k : k + _AT_ONCE])) for k in range(0, len(x), _AT_ONCE)
        ]
        probabilities = np.concatenate(parts)
        return probabilities.argmax(axis=-1), probabilities


def train_classifier(
    key: Key[Array, ""],
    rows: Rows,
    render: Callable[[Rows], Batch],
    *,
    num_classes: int,
    widths: Sequence[int] = (512, 512),
    num_steps: int = 3000,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
) -> Classifier:
    """Returns a multi-layer perceptron that was trained to tell the classes of a data set.

    The mean cross-entropy -log p(label | image) of batches drawn with replacement is minimised by Adam, in
    compiled loops. The batch of a step follows from the key and the step.

    Args:
        key: JAX key, of the parameters at initialisation and of the batches.
        rows: Arrays of the data set with the example axis first, as `Dataset.train`.
        render: Rows to a batch with "x", (b, H, W, C), and "label", (b,), integers from 0, as `Dataset.render`.
        num_classes: How many classes there are, at least 2.
        widths: Width of each hidden layer.
        num_steps: Steps of training.
        batch_size: Examples in a batch.
        learning_rate: Of Adam.

    Raises:
        ValueError: If `rows` is empty or its arrays differ in length, `render` gives no images or labels, labels are
            not in [0, num_classes), or for numbers out of range.
        FloatingPointError: If training ends in parameters that are not finite.
    """
    num_classes = check_count("num_classes", num_classes, 2)
    num_steps, batch_size = check_count("num_steps", num_steps, 1), check_count("batch_size", batch_size, 1)
    hidden = tuple(check_count("widths", width, 1) for width in widths)
    learning_rate = check_between("learning_rate", learning_rate, 0.0, float("inf"))
    event_shape = _event_shape(rows, render)
    labels = np.asarray(_labels(rows, render))
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"rows must have integer labels, got {labels.dtype}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"rows must have labels in [0, {num_classes}), as num_classes says, got {labels.min()} to {labels.max()}"
        )
    net = MLPClassifier(hidden, num_classes)
    key_params, key_batches = jax.random.split(key)
    state = _start(key_params, net, event_shape, learning_rate)
    with progress("classifier", num_steps, "step") as done:
        for first in range(0, num_steps, _STEPS_AT_ONCE):
            last = min(first + _STEPS_AT_ONCE, num_steps)
            bounds = (np.int32(first), np.int32(last))
            state = jax.block_until_ready(
                _steps(key_batches, state, rows, render, net, bounds, batch_size, learning_rate)
            )
            done(last - first)
    params = state[0]
    if not all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(params)):
        raise FloatingPointError("training ended in parameters that are not finite; a smaller learning_rate may help")
    return Classifier(net, params, event_shape)


def accuracy(classifier: Classifier, rows: Rows, render: Callable[[Rows], Batch]) -> float:
    """Returns the share of examples whose most probable class is their label.

    Args:
        classifier: A trained classifier.
        rows: Arrays of the data set with the example axis first, as `Dataset.test`.
        render: Rows to a batch with "x" and "label".

    Raises:
        ValueError: If `rows` is empty or its arrays differ in length, or the images have another shape than those the
            classifier was trained on.
    """
    num = _num_rows(rows)
    hits = 0
    for k in range(0, num, _AT_ONCE):
        batch = render({name: value[k : k + _AT_ONCE] for name, value in rows.items()})
        predicted, _ = classifier.predict(batch["x"])
        hits += int((predicted == np.asarray(batch["label"])).sum())
    return hits / num


def _num_rows(rows: Rows) -> int:
    sizes = {len(value) for value in rows.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(f"rows must be arrays of one length, not empty, got lengths {sorted(sizes)}")
    return sizes.pop()


def _event_shape(rows: Rows, render: Callable[[Rows], Batch]) -> tuple[int, ...]:
    """Shape of an image, found without making one."""
    num = _num_rows(rows)
    batch = jax.eval_shape(render, rows)
    if "x" not in batch or "label" not in batch:
        raise ValueError(f'render must give "x" and "label", got {", ".join(sorted(batch))}')
    if batch["x"].ndim != 4 or batch["label"].shape != (num,):
        shapes = f"{batch['x'].shape} and {batch['label'].shape}"
        raise ValueError(f"render must give images (b, H, W, C) and labels (b,), got {shapes} for {num} rows")
    height, width, channels = batch["x"].shape[1:]
    return height, width, channels


@functools.partial(jax.jit, static_argnums=1)
def _labels(rows: Rows, render: Callable[[Rows], Batch]) -> Int[Array, " n"]:
    """Labels of all examples; compiled, so that no image is made."""
    return render(rows)["label"]


@functools.partial(jax.jit, static_argnums=0)
def _probabilities(net: MLPClassifier, params: Any, images: Float[Array, "n *event"]) -> Float[Array, "n k"]:
    return jax.nn.softmax(net.apply(params, images), axis=-1)  # pyright: ignore[reportArgumentType]


@functools.partial(jax.jit, static_argnums=(1, 2))
def _start(
    key: Key[Array, ""], net: MLPClassifier, event_shape: tuple[int, ...], learning_rate: Float[Array, ""]
) -> tuple[Any, Any]:
    """Parameters before training, and the state of the optimiser."""
    params = net.init(key, jnp.zeros((1, *event_shape)))
    return params, optax.adam(learning_rate).init(params)


@functools.partial(jax.jit, static_argnums=(3, 4, 6))
def _steps(
    key: Key[Array, ""],
    state: tuple[Any, Any],
    rows: Rows,
    render: Callable[[Rows], Batch],
    net: MLPClassifier,
    bounds: tuple[Int[Array, ""], Int[Array, ""]],
    batch_size: int,
    learning_rate: Float[Array, ""],
) -> tuple[Any, Any]:
    """Parameters and state after the steps from one to before another."""
    optimizer = optax.adam(learning_rate)
    num = next(iter(rows.values())).shape[0]

    def loss(params: Any, batch: Batch) -> Array:
        logits = net.apply(params, batch["x"])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"]).mean()  # pyright: ignore

    def step(k: Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        params, state = carry
        index = jax.random.randint(jax.random.fold_in(key, k), (batch_size,), 0, num)
        batch = render({name: value[index] for name, value in rows.items()})
        updates, state = optimizer.update(jax.grad(loss)(params, batch), state, params)
        return optax.apply_updates(params, updates), state

    return jax.lax.fori_loop(*bounds, step, state)

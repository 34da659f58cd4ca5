"""Anchor points of a prior, chosen among the examples of each class."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

ANCHOR_CHOICES = ("random", "even", "batch")


def choose_anchors(
    key: Key[Array, ""],
    x: Float[Array, "b *event"],
    label: Int[Array, " b"],
    parameter: Float[Array, " b"] | None,
    *,
    num_classes: int,
    num_anchors: int,
) -> Float[Array, "K N *event"]:
    """Returns N examples of each of the classes 0 … K-1.

    Args:
        key: Source of a random choice, without repetition.
        x: Examples.
        label: Their classes; each class must have N examples at least, which `check_anchors` looks at.
        parameter: Where each example lies along the manifold of its class, in [0, 1). If given, anchor k is the example
            of the class nearest to (k + ½)/N; if None, the choice is random.
        num_classes: K.
        num_anchors: N.
    """
    other = label[None] != jnp.arange(num_classes)[:, None]
    if parameter is None:
        order = jnp.where(other, jnp.inf, jax.random.uniform(key, (num_classes, len(label))))
        rows = jnp.argsort(order, axis=1)[:, :num_anchors]
    else:
        targets = (jnp.arange(num_anchors, dtype=parameter.dtype) + 0.5) / num_anchors
        distance = jnp.abs(parameter[None] - targets[:, None])
        rows = jnp.argmin(jnp.where(other[:, None], jnp.inf, distance[None]), axis=-1)
    return x[rows]


def check_anchors(label: Int[Array, " b"], num_classes: int, num_anchors: int) -> None:
    """Raises ValueError unless labels are 0 … K-1 and each of them occurs N times at least.

    Args:
        label: Classes of the examples that anchors are chosen from.
        num_classes: K.
        num_anchors: N.
    """
    low, high = int(jnp.min(label)), int(jnp.max(label))
    if low < 0 or high >= num_classes:
        raise ValueError(f"num_classes = {num_classes}, but labels reach from {low} to {high}")
    counts = jnp.bincount(label, length=num_classes)
    least = int(jnp.argmin(counts))
    if int(counts[least]) < num_anchors:
        raise ValueError(
            f"num_anchors = {num_anchors}, but class {least} has {int(counts[least])} examples to choose from: "
            "ask for fewer anchors or raise init_batch_size"
        )

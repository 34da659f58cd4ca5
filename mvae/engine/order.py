"""Order of the examples: a function of (seed, step) alone, so that a resumed run sees the same batches."""

import jax
from jaxtyping import Array, Int, Key


def epoch_order(key: Key[Array, ""], epoch: Int[Array, ""] | int, num_examples: int) -> Int[Array, " n"]:
    """Returns the permutation of the examples in one epoch, (num_examples,)."""
    return jax.random.permutation(jax.random.fold_in(key, epoch), num_examples)


def batch_rows(order: Int[Array, " n"], step: Int[Array, ""], batch_size: int) -> Int[Array, " b"]:
    """Returns which examples step `step` sees; the remainder of n / batch_size sits this epoch out."""
    steps_per_epoch = order.shape[0] // batch_size
    return jax.lax.dynamic_slice_in_dim(order, (step % steps_per_epoch) * batch_size, batch_size)

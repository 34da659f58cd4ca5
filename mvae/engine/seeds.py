"""Random keys of the seeds of a run, and how one device trains several of them: sequentially or vmapped."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key


def seed_keys(seed: int, num_seeds: int, stage_index: int) -> tuple[Key[Array, " s"], ...]:
    """Returns keys for (init, order, steps), (num_seeds,) each; member i equals a lone run of seed + i."""
    return keys_of_seeds(np.arange(seed, seed + num_seeds), stage_index)


def keys_of_seeds(seeds: Int[np.ndarray, " s"], stage_index: int) -> tuple[Key[Array, " s"], ...]:
    """Returns the keys of `seed_keys` for any seeds, equal ones among them."""
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, dtype=jnp.uint32))
    keys = jax.vmap(lambda key: jax.random.split(jax.random.fold_in(key, stage_index), 3))(keys)
    return keys[:, 0], keys[:, 1], keys[:, 2]


def is_sequential(num_seeds: int, *, sequential: bool | None = None) -> bool:
    """Returns whether a device trains its seeds one after the other rather than vmapped.

    Vmapped, the small operations of many seeds become large ones, which an accelerator needs. On a CPU one seed fills
    the cores, the state of one stays in their caches, loops within a step do not wait for the slowest seed, and
    factorisations are of one matrix at a time: those of several share out their work among threads, and where more of
    them are due at once than there are threads, jaxlib 0.10 waits for ever.

    Args:
        num_seeds: How many it has.
        sequential: The choice if there are several; None for sequential on a CPU. A lone seed always is.
    """
    return num_seeds == 1 or (jax.default_backend() == "cpu" if sequential is None else sequential)


def sequential(function: Callable[[Any, Any], Any], carry: Any, given: Any) -> Any:
    """Returns `function(carry, given)` of every seed, one after the other; the seeds are on the first axis of both.

    The function sees one seed without the axis: so XLA updates the optimiser's state in place, which it does not do
    through an axis of length one (15.0 against 16.6 ms a step, measured on MNIST).

    Args:
        function: (carry, given) of one seed -> new carry.
        carry: What is replaced by the results.
        given: What is only read.
    """
    num_seeds = jax.tree.leaves(carry)[0].shape[0]

    def of(index: Int[Array, ""] | int, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf[index], tree)

    if num_seeds == 1:
        return jax.tree.map(lambda leaf: leaf[None], function(of(0, carry), of(0, given)))

    def body(index: Int[Array, ""], carry: Any) -> Any:
        one = function(of(index, carry), of(index, given))
        return jax.tree.map(lambda leaf, new: leaf.at[index].set(new), carry, one)

    return jax.lax.fori_loop(0, num_seeds, body, carry)


def vmapped(function: Callable[[Any, Any], Any], carry: Any, given: Any) -> Any:
    """Returns `function(carry, given)` of all seeds together, as `sequential` does one by one."""
    return jax.vmap(function)(carry, given)

"""Training rows on their way to the device: blocks of a few steps, read ahead in the background by grain."""

import functools
import importlib.util
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Int, Key

from mvae.data.rows import HostRows, RowSource
from mvae.data.stream import cpu
from mvae.engine.mesh import fetch
from mvae.engine.order import epoch_order
from mvae.errors import UsageError

READERS = 2  # threads; each reads a block of its own
READ_AHEAD = 2  # blocks on the host, beside the two on the device
EPOCHS_KEPT = 2  # orders; readers may be on both sides of an epoch's end


def check_stream(num_steps: int) -> None:
    """Raises unless streaming can be had.

    Raises:
        UsageError: If the number of steps in a block is not positive, or grain is not installed.
    """
    if num_steps < 1:
        raise UsageError(f"--stream={num_steps}: must be at least 1, the batches that go to the device together")
    if importlib.util.find_spec("grain") is None:
        raise UsageError("--stream needs grain: pip install 'mvae[stream]', or pip install grain")


class Blocks:
    """The rows that a stage's steps see, block after block: a sequence for grain, any part of which can be read alone.

    Block i holds those of the steps from i K to (i + 1) K - 1, entries (seeds, K, batch_size, ...). Which they are is
    the function of `mvae.engine.order`, computed on the CPU. The last block goes on beyond the last step.

    Args:
        source: The rows.
        order_keys: Key of each seed's order, (seeds,).
        batch_size: Examples per step and seed.
        num_steps: Steps of the stage.
        block_steps: K.
    """

    def __init__(
        self, source: RowSource, order_keys: Key[Array, " s"], batch_size: int, num_steps: int, block_steps: int
    ):
        self._source, self._batch_size, self.block_steps = source, batch_size, block_steps
        self._num_blocks = -(-num_steps // block_steps)
        self._steps_per_epoch = len(source) // batch_size
        data = np.asarray(fetch(jax.random.key_data(order_keys)))
        keys = jax.random.wrap_key_data(jax.device_put(data, cpu()), impl=jax.random.key_impl(order_keys))
        orders = jax.jit(jax.vmap(lambda key, epoch: epoch_order(key, epoch, len(source)), in_axes=(0, None)))

        @functools.lru_cache(maxsize=EPOCHS_KEPT)
        def orders_of(epoch: int) -> np.ndarray:
            return np.asarray(orders(keys, np.int32(epoch)))

        self._orders_of = orders_of

    def __len__(self) -> int:
        return self._num_blocks

    def __getitem__(self, index: int) -> HostRows:
        steps = range(index * self.block_steps, (index + 1) * self.block_steps)
        return self._source.take(np.stack([self.rows(step) for step in steps], axis=1))

    def rows(self, step: int) -> Int[np.ndarray, "s b"]:
        """Returns which examples each seed sees in a step."""
        epoch, position = divmod(step, self._steps_per_epoch)
        first = position * self._batch_size
        return self._orders_of(epoch)[:, first : first + self._batch_size]


class Feed:
    """Blocks on the host, read ahead; what is asked for out of turn is read anew from there."""

    def __init__(self, blocks: Blocks):
        self._blocks = blocks
        self._iterator: Any = None
        self._next = 0

    def block(self, index: int) -> HostRows:
        """Returns one block."""
        if self._iterator is None or index != self._next:
            self.close()
            self._iterator = read_ahead(self._blocks, index)
        self._next = index + 1
        return next(self._iterator)

    def close(self) -> None:
        """Ends the reading ahead."""
        if self._iterator is not None:
            self._iterator.close()
        self._iterator = None


def read_ahead(blocks: Blocks, first: int) -> Iterator[HostRows]:
    """Returns grain's iterator over the blocks from one on, in their order, read by threads of its own."""
    import grain  # an extra, and slow to import

    options = grain.ReadOptions(num_threads=READERS, prefetch_buffer_size=READ_AHEAD)
    return iter(grain.MapDataset.source(blocks)[first:].to_iter_dataset(options))

"""Batches of training: order of the examples, rows that are on the device, rows streamed to it from the host.

The order is a function of (seed, step) alone, so that a resumed run sees the same batches, on the device or streamed.
"""

import functools
import importlib.util
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, Key

from mvae.data import Dataset
from mvae.data.rows import HostRows, RowSource
from mvae.data.stream import cpu
from mvae.engine.mesh import DATA, EVERYWHERE, EXAMPLES, REPLICA, constrain, to_devices, to_host
from mvae.errors import UsageError

READERS = 2  # threads; each reads a block of its own
READ_AHEAD = 2  # blocks on the host, beside the two on the device
EPOCHS_KEPT = 2  # orders; readers may be on both sides of an epoch's end
BLOCK = PartitionSpec(REPLICA, None, DATA)  # rows of a block: seeds, steps, examples

Rows = dict[str, Array]


def epoch_order(key: Key[Array, ""], epoch: Int[Array, ""] | int, num_examples: int) -> Int[Array, " n"]:
    """Returns the permutation of the examples in one epoch, (num_examples,)."""
    return jax.random.permutation(jax.random.fold_in(key, epoch), num_examples)


def batch_rows(order: Int[Array, " n"], step: Int[Array, ""], batch_size: int) -> Int[Array, " b"]:
    """Returns which examples step `step` sees; the remainder of n / batch_size sits this epoch out."""
    steps_per_epoch = order.shape[0] // batch_size
    return jax.lax.dynamic_slice_in_dim(order, (step % steps_per_epoch) * batch_size, batch_size)


class Block(NamedTuple):
    """What some steps in a row read beside the arrays that stay on the device.

    Attributes:
        rows: Arrays with the seeds on the first axis; () if there is nothing.
        first: Step of the first rows.
        stop: Step after the last one that the block serves.
    """

    rows: Any
    first: int
    stop: int


@runtime_checkable
class Batches(Protocol):
    """A source of batches: functions that the compiled program calls, and what the host does between its calls.

    Attributes:
        arrays: What stays on the device, the same for all seeds; an argument of the program.
    """

    arrays: Rows

    def first(self, arrays: Rows) -> Rows:
        """Returns the rows that a stage's init sees; compiled."""
        ...

    def order(self, key: Key[Array, ""], step: Int[Array, ""]) -> Any:
        """Returns the order of the examples in a step's epoch, which steps carry along; compiled, for one seed."""
        ...

    def take(
        self, arrays: Rows, block: Any, key: Key[Array, ""], order: Any, step: Int[Array, ""], first: Int[Array, ""]
    ) -> tuple[Rows, Any]:
        """Returns the rows of a step and the order, anew at an epoch's start; compiled, for one seed."""
        ...

    def block(self, start: int, stop: int) -> Block:
        """Returns the block of the step `start` on the device; it may end before `stop`."""
        ...

    def prefetch(self, step: int, mark: Array) -> None:
        """Starts sending what comes after the steps before `step`; `mark` is ready when they are done."""
        ...

    def close(self) -> None:
        """Ends what reads ahead; `block` starts it again."""
        ...


class ResidentBatches:
    """Batches gathered on the device, which holds all training rows."""

    def __init__(self, dataset: Dataset, batch_size: int, init_batch_size: int, mesh: Mesh | None):
        arrays = dataset.train
        self.arrays = arrays if mesh is None else to_devices(arrays, NamedSharding(mesh, EVERYWHERE))
        self._batch_size, self._init_batch_size, self._mesh = batch_size, init_batch_size, mesh
        self._num_examples = dataset.num_train
        self._steps_per_epoch = self._num_examples // batch_size

    def first(self, arrays: Rows) -> Rows:
        """Returns the first rows."""
        return _gather(arrays, jnp.arange(self._init_batch_size))

    def order(self, key: Key[Array, ""], step: Int[Array, ""]) -> Int[Array, " n"]:
        """Returns the permutation of a step's epoch."""
        return epoch_order(key, step // self._steps_per_epoch, self._num_examples)

    def take(
        self, arrays: Rows, block: Any, key: Key[Array, ""], order: Any, step: Int[Array, ""], first: Int[Array, ""]
    ) -> tuple[Rows, Any]:
        """Returns the rows that the order has for a step."""
        del block, first
        new_epoch = step % self._steps_per_epoch == 0
        order = jax.lax.cond(new_epoch, lambda: self.order(key, step), lambda: order)
        rows = constrain(batch_rows(order, step, self._batch_size), EXAMPLES, self._mesh)
        return _gather(arrays, rows), order

    def block(self, start: int, stop: int) -> Block:
        """Returns an empty block for any number of steps."""
        del start
        return Block((), 0, stop)

    def prefetch(self, step: int, mark: Array) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


def _gather(arrays: Rows, rows: Int[Array, " b"]) -> Rows:
    """Rows of arrays; as rows of matrices, since XLA gathers those ten times faster than blocks on CPU."""
    return {
        name: array.reshape(array.shape[0], -1)[rows].reshape(rows.shape[0], *array.shape[1:])
        for name, array in arrays.items()
    }


class StreamedBatches:
    """Batches from blocks of rows that the host sends: the device has the one worked on and the next, no more.

    On a mesh each device gets the rows of its own seeds and share of the batch alone.

    Args:
        dataset: The data, with a source of rows.
        batch_size: Examples per step and seed.
        init_batch_size: Examples shown to the stage's init.
        mesh: The devices; None for one.
        order_keys: Key of each seed's order, (seeds,).
        num_steps: Steps of the stage.
        block_steps: Steps whose rows go to the device together.

    Raises:
        ValueError: If the training rows of the data set are on the device.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        init_batch_size: int,
        mesh: Mesh | None,
        order_keys: Key[Array, " s"],
        num_steps: int,
        block_steps: int,
    ):
        if dataset.source is None:
            raise ValueError(f"dataset must have a source of rows to be streamed, got {dataset.name} without")
        first: Any = dataset.source.take(np.arange(init_batch_size))
        self.arrays = first if mesh is None else to_devices(first, NamedSharding(mesh, EVERYWHERE))
        self._mesh = mesh
        self._blocks = Blocks(dataset.source, order_keys, batch_size, num_steps, block_steps)
        self._stream = BatchStream(self._blocks)
        self._held: dict[int, Any] = {}  # index -> block on the device: the one worked on and perhaps the next
        self._mark: Array | None = None

    def first(self, arrays: Rows) -> Rows:
        """Returns the first rows, which stay on the device."""
        return arrays

    def order(self, key: Key[Array, ""], step: Int[Array, ""]) -> tuple[()]:
        """Returns nothing: the host keeps the order."""
        del key, step
        return ()

    def take(
        self, arrays: Rows, block: Any, key: Key[Array, ""], order: Any, step: Int[Array, ""], first: Int[Array, ""]
    ) -> tuple[Rows, Any]:
        """Returns the rows that the block has for a step."""
        del arrays, key
        rows = jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, step - first, 0, False), block)
        return constrain(rows, EXAMPLES, self._mesh), order

    def block(self, start: int, stop: int) -> Block:
        """Returns the block of a step, waiting for it if it is not on the device."""
        size = self._blocks.block_steps
        index = start // size
        self._hold(index, index)
        return Block(self._held[index], index * size, min(stop, (index + 1) * size))

    def prefetch(self, step: int, mark: Array) -> None:
        """Starts sending the block after that of the last step, while the device works on that one.

        It has to be done with the block before, or the queue would hold the whole training set.
        """
        before, self._mark = self._mark, mark
        jax.block_until_ready(before)
        current = (step - 1) // self._blocks.block_steps
        if current + 1 < len(self._blocks):
            self._hold(current, current + 1)

    def _hold(self, current: int, wanted: int) -> None:
        """Has a block on the device, and beside it none but the one that is worked on and the one after that."""
        self._held = {index: block for index, block in self._held.items() if index in (current, current + 1)}
        if wanted not in self._held:
            block = self._stream.block(wanted)
            self._held[wanted] = (
                jax.device_put(block) if self._mesh is None else to_devices(block, NamedSharding(self._mesh, BLOCK))
            )

    def close(self) -> None:
        """Ends the reading ahead and frees the blocks."""
        self._stream.close()
        self._held, self._mark = {}, None


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
    the function `epoch_order`, computed on the CPU. The last block goes on beyond the last step.

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
        data = np.asarray(to_host(jax.random.key_data(order_keys)))
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


class BatchStream:
    """Prefetch of blocks to the host by grain; what is asked for out of turn is read anew from there."""

    def __init__(self, blocks: Blocks):
        self._blocks = blocks
        self._iterator: Any = None
        self._next = 0

    def block(self, index: int) -> HostRows:
        """Returns one block."""
        if self._iterator is None or index != self._next:
            self.close()
            self._iterator = _prefetched(self._blocks, index)
        self._next = index + 1
        return next(self._iterator)

    def close(self) -> None:
        """Ends the reading ahead."""
        if self._iterator is not None:
            self._iterator.close()
        self._iterator = None


def _prefetched(blocks: Blocks, first: int) -> Iterator[HostRows]:
    """Returns grain's iterator over the blocks from one on, in their order, read by threads of its own."""
    import grain  # an extra, and slow to import

    options = grain.ReadOptions(num_threads=READERS, prefetch_buffer_size=READ_AHEAD)
    return iter(grain.MapDataset.source(blocks)[first:].to_iter_dataset(options))

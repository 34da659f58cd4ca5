"""The compiled part of training for data that the device cannot hold: rows come to it a few steps at a time."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, Key

from mvae.data import Dataset
from mvae.engine.feed import Blocks, Feed
from mvae.engine.mesh import DATA, EVERYWHERE, EXAMPLES, REPLICA, SEEDS, on_each_replica, pinned, place
from mvae.engine.precision import products_in
from mvae.engine.program import Program, Progress, after_step, first_progress
from mvae.engine.turns import takes_turns, updated_in_turn
from mvae.models.stage import Stage

ROWS = PartitionSpec(REPLICA, None, DATA)  # of a block: seeds, steps, examples


def build_streamed_program(
    stage: Stage,
    dataset: Dataset,
    batch_size: int,
    init_batch_size: int,
    keys: tuple[Key[Array, " s"], ...],
    *,
    block_steps: int,
    mesh: Mesh | None = None,
    matmul_precision: str = "default",
    in_turn: bool | None = None,
) -> Program:
    """Compiles nothing yet: returns functions that train as those of `build_program` do, to rounding, on streamed rows.

    The device holds the rows of two blocks of `block_steps` steps of all seeds: while it works on one, the next one is
    on its way. On a mesh each device gets the rows of its own seeds and share of the batch alone. A seed sees the same
    examples in the same order, and draws the same, as with the data on the device; so a run may go on either way.

    Args:
        stage: The stage.
        dataset: The data, with a source of rows.
        batch_size: Examples per step and seed.
        init_batch_size: Examples shown to the stage's init (the first ones).
        keys: (init, order, step) keys from `seed_keys`.
        block_steps: Steps whose rows go to the device together.
        mesh: The devices, as from `mvae.engine.mesh.build_mesh`; None for one.
        matmul_precision: Of the steps; see `build_program`.
        in_turn: As for `build_program`.

    Raises:
        ValueError: If the training rows of the data set are on the device.
    """
    if dataset.source is None:
        raise ValueError(f"dataset must have a source of rows to be streamed, got {dataset.name} without")
    blocks = Blocks(dataset.source, keys[1], batch_size, stage.num_steps, block_steps)
    first_rows = dataset.source.take(np.arange(init_batch_size))
    if mesh is not None:
        keys = place(keys, NamedSharding(mesh, SEEDS))
        first_rows = place(first_rows, NamedSharding(mesh, EVERYWHERE))
    init_keys, _, step_keys = keys
    jit = jax.jit if mesh is None else partial(jax.jit, out_shardings=NamedSharding(mesh, SEEDS))

    @jit
    def init(keys, previous, rows) -> Progress:
        first = partial(first_progress, stage, in_turn=in_turn)
        return on_each_replica(first, mesh, (SEEDS, SEEDS, EVERYWHERE))(keys, previous, dataset.render(rows))

    run = partial(jit, donate_argnums=0)(
        _steps_of(stage, dataset, mesh, matmul_precision=matmul_precision, in_turn=in_turn)
    )
    driver = _Driver(run, step_keys, blocks, mesh)

    def lowered(previous):
        progress, step = jax.eval_shape(init, init_keys, previous, first_rows), jnp.int32(0)
        return (
            init.lower(init_keys, previous, first_rows),
            run.lower(progress, driver.on_device(blocks[0]), step_keys, step, step, step),
            progress.state,
        )

    return Program(
        init=lambda previous: init(init_keys, previous, first_rows),
        run=lambda progress, orders, start, stop: (driver.run(progress, start, stop), orders),
        orders=lambda step: None,
        lowered=lowered,
        close=driver.close,
    )


def _steps_of(stage: Stage, dataset: Dataset, mesh: Mesh | None, *, matmul_precision: str, in_turn: bool | None) -> Any:
    """The function of some steps within a block: (progress, block, step keys, step of its first rows, start, stop).

    It returns the progress and a mark of its own, which is ready when the progress is and is never donated.
    """

    def seed_step(rows, key, state, step):
        batch = pinned(dataset.render(pinned(rows, EXAMPLES, mesh)), EXAMPLES, mesh)
        with products_in(matmul_precision):
            return stage.step(jax.random.fold_in(key, step), state, batch)

    def loop(progress: Progress, given, first, start, stop) -> Progress:
        """Steps of all seeds together, or of one that has no axis."""
        block, step_keys = given
        one = step_keys.ndim == 0
        step_of = seed_step if one else jax.vmap(seed_step, in_axes=(0, 0, 0, None))

        def body(step: Int[Array, ""], progress: Progress) -> Progress:
            axis = 0 if one else 1
            rows = jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, step - first, axis, False), block)
            state, metrics = step_of(rows, step_keys, progress.state, step)
            return after_step(progress, pinned(state, EVERYWHERE, mesh), metrics, step)

        return jax.lax.fori_loop(start, stop, body, progress)

    def local(progress: Progress, block, step_keys, first, start, stop):
        steps, given = partial(loop, first=first, start=start, stop=stop), (block, step_keys)
        turns = takes_turns(len(step_keys), in_turn=in_turn)
        progress = updated_in_turn(steps, progress, given) if turns else steps(progress, given)
        return progress, jnp.full_like(progress.non_finite, stop)

    return on_each_replica(local, mesh, (SEEDS, SEEDS, SEEDS, EVERYWHERE, EVERYWHERE, EVERYWHERE))


class _Driver:
    """Takes steps through the blocks they lie in; the device has at most two blocks at a time."""

    def __init__(self, run: Any, step_keys: Key[Array, " s"], blocks: Blocks, mesh: Mesh | None):
        self._run, self._step_keys, self._blocks, self._mesh = run, step_keys, blocks, mesh
        self._feed = Feed(blocks)
        self._held: dict[int, Any] = {}  # index -> block on the device: the one worked on and perhaps the next
        self._mark: Any = None

    def run(self, progress: Progress, start: int, stop: int) -> Progress:
        """Returns the progress after the steps from `start` to `stop` - 1."""
        size = self._blocks.block_steps
        while start < stop:
            index = start // size
            self._hold(index, index)
            end = min(stop, (index + 1) * size)
            steps = (np.int32(step) for step in (index * size, start, end))
            before = self._mark
            progress, self._mark = self._run(progress, self._held[index], self._step_keys, *steps)
            # All of this is queued while the device works. It has to be done with the block before this one before it
            # gets the one after it, or the queue would hold the whole training set.
            jax.block_until_ready(before)
            if index + 1 < len(self._blocks):
                self._hold(index, index + 1)
            start = end
        return progress

    def _hold(self, current: int, wanted: int) -> None:
        """Has a block on the device, and beside it none but the one that is worked on and the one after that."""
        self._held = {index: block for index, block in self._held.items() if index in (current, current + 1)}
        if wanted not in self._held:
            self._held[wanted] = self.on_device(self._feed.block(wanted))

    def on_device(self, block: dict[str, np.ndarray]) -> Any:
        """Starts sending a block."""
        return jax.device_put(block) if self._mesh is None else place(block, NamedSharding(self._mesh, ROWS))

    def close(self) -> None:
        """Ends the reading ahead and frees the blocks."""
        self._feed.close()
        self._held, self._mark = {}, None

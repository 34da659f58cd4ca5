"""The compiled training program of a stage: any number of steps of all seeds, on resident or streamed batches."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jaxtyping import Array, Int, Key

from mvae.data import Dataset
from mvae.engine.batches import Batches, ResidentBatches, StreamedBatches
from mvae.engine.mesh import EVERYWHERE, EXAMPLES, SEEDS, constrain, on_each_replica, to_devices
from mvae.engine.precision import products_in
from mvae.engine.seeds import is_sequential, sequential, vmapped
from mvae.models.stage import Batch, Metrics, Stage

NEVER = np.iinfo(np.int32).max


class Progress(NamedTuple):
    """All that training carries from step to step, seeds on the first axis; what a checkpoint holds.

    Attributes:
        state: The stage's state.
        sums: Sum of each metric since the last line of metrics.jsonl, (seeds,).
        non_finite: First step whose loss was not finite, (seeds,); NEVER if there was none.
    """

    state: Any
    sums: Metrics
    non_finite: Int[Array, " seeds"]


class Program(NamedTuple):
    """The compiled functions of one stage.

    Attributes:
        init: Previous states or None -> Progress at step 0.
        run: (Progress, orders, start, stop) -> (Progress, orders); donates its first two arguments.
        orders: Step -> order of the examples in that step's epoch, (seeds, n); () where the host keeps it.
        lowered: Previous states or None -> (init, run, states), the first two lowered, the states as shapes.
        close: Ends what reads ahead of `run`, where something does; `run` starts it again.
    """

    init: Callable[..., Progress]
    run: Callable[..., tuple[Progress, Any]]
    orders: Callable[[int], Any]
    lowered: Callable[[Any], tuple[jax.stages.Lowered, jax.stages.Lowered, Any]]
    close: Callable[[], None]


def build_program(
    stage: Stage,
    dataset: Dataset,
    batch_size: int,
    init_batch_size: int,
    keys: tuple[Key[Array, " s"], ...],
    *,
    block_steps: int | None = None,
    mesh: Mesh | None = None,
    matmul_precision: str = "default",
    sequential: bool | None = None,
) -> Program:
    """Compiles nothing yet: returns the jitted functions of a stage.

    The number of steps of `run` is a traced number, so one compilation serves every chunk of every length and
    an interruption may fall on any step.

    On a mesh all that has a seed axis is shared out along "replica", and every batch along "data": each device renders
    its own rows and the compiler sums what is a mean over the batch; devices of other seeds are not waited for.
    Training arrays on the device are whole on every one, since an epoch's order is a permutation of all of them. Draws
    do not depend on the mesh.

    A seed sees the same examples in the same order, and draws the same, whether rows are on the device or streamed; so
    a run may go on either way.

    Args:
        stage: The stage.
        dataset: The data. The training arrays become arguments of the program and stay on the device, or its source of
            rows is streamed from.
        batch_size: Examples per step and seed.
        init_batch_size: Examples shown to the stage's init (the first ones).
        keys: (init, order, step) keys from `mvae.engine.seeds.seed_keys`.
        block_steps: None for all training rows on the device. Else they are streamed, and the device holds those of
            two blocks of so many steps of all seeds: while it works on one, the next one is on its way.
        mesh: The devices, as from `mvae.engine.mesh.build_mesh`; None for one.
        matmul_precision: Of the steps; initialisation, which fits and factorises, is not affected. See
            `mvae.engine.precision.products_in`.
        sequential: Whether a device takes its seeds one after the other, see `is_sequential`; None for its choice.

    Raises:
        ValueError: If rows are to be streamed and the data set has no source of them.
    """
    if block_steps is None:
        batches: Batches = ResidentBatches(dataset, batch_size, init_batch_size, mesh)
    else:
        batches = StreamedBatches(
            dataset, batch_size, init_batch_size, mesh, keys[1], num_steps=stage.num_steps, block_steps=block_steps
        )
    if mesh is not None:
        keys = to_devices(keys, NamedSharding(mesh, SEEDS))
    init_keys, *loop_keys = keys
    # Everything that a compiled function returns has the seeds on its first axis.
    jit = jax.jit if mesh is None else partial(jax.jit, out_shardings=NamedSharding(mesh, SEEDS))
    init, run, orders = (
        jit(_init_of(stage, dataset, batches, mesh, choice=sequential)),
        jit(_steps_of(stage, dataset, batches, mesh, matmul_precision, choice=sequential), donate_argnums=(0, 1)),
        jit(lambda keys, step: jax.vmap(batches.order, in_axes=(0, None))(keys, step)),
    )

    def run_blocks(progress: Progress, orders: Any, start: int, stop: int) -> tuple[Progress, Any]:
        while start < stop:
            block = batches.block(start, stop)
            steps = (np.int32(step) for step in (block.first, start, block.stop))
            progress, orders, mark = run(progress, orders, block.rows, loop_keys, batches.arrays, *steps)
            start = block.stop
            batches.prefetch(start, mark)
        return progress, orders

    def lowered(previous: Any) -> tuple[jax.stages.Lowered, jax.stages.Lowered, Any]:
        progress = jax.eval_shape(init, batches.arrays, init_keys, previous)
        first, step = jax.eval_shape(orders, loop_keys[0], jnp.int32(0)), jnp.int32(0)
        block = batches.block(0, 1)
        return (
            init.lower(batches.arrays, init_keys, previous),
            run.lower(progress, first, block.rows, loop_keys, batches.arrays, step, step, step),
            progress.state,
        )

    return Program(
        init=lambda previous: init(batches.arrays, init_keys, previous),
        run=run_blocks,
        orders=lambda step: orders(loop_keys[0], np.int32(step)),
        lowered=lowered,
        close=batches.close,
    )


def _init_of(stage: Stage, dataset: Dataset, batches: Batches, mesh: Mesh | None, *, choice: bool | None) -> Callable:
    """The function (arrays, keys of the seeds, previous states) -> Progress at step 0."""

    def init(arrays: Any, keys: Key[Array, " s"], previous: Any) -> Progress:
        batch = dataset.render(batches.first(arrays))
        first = partial(_first_progress, stage, choice=choice)
        return on_each_replica(first, mesh, (SEEDS, SEEDS, EVERYWHERE))(keys, previous, batch)

    return init


def _first_progress(
    stage: Stage, keys: Key[Array, " s"], previous: Any, batch: Batch, *, choice: bool | None
) -> Progress:
    """Returns where all seeds are before the first step of a stage."""
    over_seeds = jax.lax.map if is_sequential(len(keys), sequential=choice) else lambda init, of: jax.vmap(init)(of)
    state = over_seeds(lambda seed: stage.init(seed[0], batch, seed[1]), (keys, previous))
    _, shapes = jax.eval_shape(stage.step, keys[0], jax.tree.map(lambda x: x[0], state), batch)
    sums = {name: jnp.zeros((keys.shape[0], *leaf.shape)) for name, leaf in shapes.items()}
    return Progress(state, sums, jnp.full(keys.shape, NEVER, jnp.int32))


def _steps_of(
    stage: Stage, dataset: Dataset, batches: Batches, mesh: Mesh | None, matmul_precision: str, *, choice: bool | None
) -> Callable:
    """The function (progress, orders, block, keys, arrays, step of the block's first rows, start, stop) of some steps.

    It returns the progress, the orders, and a mark that is ready when they are and is never donated.
    """

    def steps(carry: Any, given: Any, arrays: Any, first: Any, start: Any, stop: Any) -> Any:
        """Steps of one seed, without the axis of the seeds."""
        block, (order_key, step_key) = given

        def body(step: Int[Array, ""], carry: Any) -> Any:
            progress, order = carry
            rows, order = batches.take(arrays, block, order_key, order, step, first)
            batch = constrain(dataset.render(rows), EXAMPLES, mesh)
            with products_in(matmul_precision):
                state, metrics = stage.step(jax.random.fold_in(step_key, step), progress.state, batch)
            return _after_step(progress, constrain(state, EVERYWHERE, mesh), metrics, step), order

        return jax.lax.fori_loop(start, stop, body, carry)

    def local(carry: Any, given: Any, arrays: Any, first: Any, start: Any, stop: Any) -> Any:
        over_seeds = sequential if is_sequential(len(given[1][0]), sequential=choice) else vmapped
        progress, orders = over_seeds(partial(steps, arrays=arrays, first=first, start=start, stop=stop), carry, given)
        return progress, orders, jnp.full_like(progress.non_finite, stop)

    specs = (SEEDS, SEEDS, EVERYWHERE, EVERYWHERE, EVERYWHERE, EVERYWHERE)

    def run(progress, orders, block, keys, arrays, first, start, stop):
        given = (block, tuple(keys))
        return on_each_replica(local, mesh, specs)((progress, orders), given, arrays, first, start, stop)

    return run


def _after_step(progress: Progress, state: Any, metrics: Metrics, step: Int[Array, ""]) -> Progress:
    """Returns the progress after a step that gave this state and these metrics."""
    sums = {name: progress.sums[name] + metrics[name] for name in progress.sums}
    broken = jnp.where(jnp.isfinite(metrics["loss"]), NEVER, step)
    return Progress(state, sums, jnp.minimum(progress.non_finite, broken))

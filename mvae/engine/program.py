"""The compiled part of training: any number of steps of all seeds, in one program per stage."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jaxtyping import Array, Int, Key

from mvae.data import Dataset
from mvae.engine.mesh import EVERYWHERE, EXAMPLES, SEEDS, on_each_replica, pinned, place
from mvae.engine.order import batch_rows, epoch_order
from mvae.engine.precision import products_in
from mvae.engine.turns import takes_turns, updated_in_turn
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
        init: previous states or None -> Progress at step 0.
        run: (Progress, orders, start, stop) -> (Progress, orders); donates its first two arguments.
        orders: step -> order of the examples in that step's epoch, (seeds, n); None where the host keeps it.
        lowered: previous states or None -> (init, run, states), the first two lowered, the states as shapes.
        close: Frees what reads ahead of `run`, where something does; `run` starts it again.
    """

    init: Callable[..., Progress]
    run: Callable[..., tuple[Progress, Any]]
    orders: Callable[[int], Any]
    lowered: Callable[[Any], tuple[jax.stages.Lowered, jax.stages.Lowered, Any]]
    close: Callable[[], None] = lambda: None


def seed_keys(seed: int, num_seeds: int, stage_index: int) -> tuple[Key[Array, " s"], ...]:
    """Returns keys for (init, order, steps), (num_seeds,) each; member i equals a lone run of seed + i."""
    return keys_of_seeds(np.arange(seed, seed + num_seeds), stage_index)


def keys_of_seeds(seeds: Int[np.ndarray, " s"], stage_index: int) -> tuple[Key[Array, " s"], ...]:
    """Returns the keys of `seed_keys` for any seeds, equal ones among them."""
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, dtype=jnp.uint32))
    keys = jax.vmap(lambda key: jax.random.split(jax.random.fold_in(key, stage_index), 3))(keys)
    return keys[:, 0], keys[:, 1], keys[:, 2]


def first_progress(
    stage: Stage, keys: Key[Array, " s"], previous: Any, batch: Batch, *, in_turn: bool | None = None
) -> Progress:
    """Returns where all seeds are before the first step of a stage.

    Args:
        stage: The stage.
        keys: Of its init, one for each seed.
        previous: Final states of the stage before, seeds on the first axis, or None.
        batch: The batch that init sees.
        in_turn: As for `takes_turns`.
    """
    over_seeds = jax.lax.map if takes_turns(len(keys), in_turn=in_turn) else lambda init, seeds: jax.vmap(init)(seeds)
    state = over_seeds(lambda seed: stage.init(seed[0], batch, seed[1]), (keys, previous))
    _, shapes = jax.eval_shape(stage.step, keys[0], jax.tree.map(lambda x: x[0], state), batch)
    sums = {name: jnp.zeros((keys.shape[0], *leaf.shape)) for name, leaf in shapes.items()}
    return Progress(state, sums, jnp.full(keys.shape, NEVER, jnp.int32))


def after_step(progress: Progress, state: Any, metrics: Metrics, step: Int[Array, ""]) -> Progress:
    """Returns the progress after a step that gave this state and these metrics."""
    sums = {name: progress.sums[name] + metrics[name] for name in progress.sums}
    broken = jnp.where(jnp.isfinite(metrics["loss"]), NEVER, step)
    return Progress(state, sums, jnp.minimum(progress.non_finite, broken))


def _take(array: Array, rows: Int[Array, " b"]) -> Array:
    """Rows of an array; as rows of a matrix, since XLA gathers those ten times faster than blocks on CPU."""
    return array.reshape(array.shape[0], -1)[rows].reshape(rows.shape[0], *array.shape[1:])


def build_program(
    stage: Stage,
    dataset: Dataset,
    batch_size: int,
    init_batch_size: int,
    keys: tuple[Key[Array, " s"], ...],
    *,
    mesh: Mesh | None = None,
    matmul_precision: str = "default",
    in_turn: bool | None = None,
) -> Program:
    """Compiles nothing yet: returns the jitted functions of a stage.

    The number of steps of `run` is a traced number, so one compilation serves every chunk of every length and
    an interruption may fall on any step.

    On a mesh all that has a seed axis is shared out along "replica", and every batch along "data": each device renders
    its own rows and the compiler sums what is a mean over the batch; devices of other seeds are not waited for. The
    training arrays are whole on every device, since an epoch's order is a permutation of all of them. Draws do not
    depend on the mesh.

    Args:
        stage: The stage.
        dataset: The data; its training arrays become arguments of the program and stay on the device.
        batch_size: Examples per step and seed.
        init_batch_size: Examples shown to the stage's init (the first ones).
        keys: (init, order, step) keys from `seed_keys`.
        mesh: The devices, as from `mvae.engine.mesh.build_mesh`; None for one.
        matmul_precision: Of the steps; initialisation, which fits and factorises, is not affected. See
            `mvae.engine.precision.products_in`.
        in_turn: Whether a device takes its seeds one after the other, see `takes_turns`; None for its choice.
    """
    arrays = dataset.train
    if mesh is not None:
        keys, arrays = place(keys, NamedSharding(mesh, SEEDS)), place(arrays, NamedSharding(mesh, EVERYWHERE))
    init_keys, order_keys, step_keys = keys
    # Everything that a compiled function returns has the seeds on its first axis.
    jit = jax.jit if mesh is None else partial(jax.jit, out_shardings=NamedSharding(mesh, SEEDS))
    num_examples = next(iter(arrays.values())).shape[0]
    steps_per_epoch = num_examples // batch_size

    def rows_to_batch(arrays, rows):
        return dataset.render({name: _take(array, rows) for name, array in arrays.items()})

    def seed_step(arrays, key, order, state, step):
        rows = pinned(batch_rows(order, step, batch_size), EXAMPLES, mesh)
        batch = pinned(rows_to_batch(arrays, rows), EXAMPLES, mesh)
        with products_in(matmul_precision):
            return stage.step(jax.random.fold_in(key, step), state, batch)

    def seed_order(key, step):
        return epoch_order(key, step // steps_per_epoch, num_examples)

    def loop(carry, keys, arrays, start, stop):
        """Steps of all seeds together, or of one that has no axis."""
        order_keys, step_keys = keys
        one = step_keys.ndim == 0
        order_of = seed_order if one else jax.vmap(seed_order, in_axes=(0, None))
        step_of = seed_step if one else jax.vmap(seed_step, in_axes=(None, 0, 0, 0, None))

        def body(step, carry):
            progress, orders = carry
            new_epoch = step % steps_per_epoch == 0
            orders = jax.lax.cond(new_epoch, lambda: order_of(order_keys, step), lambda: orders)
            state, metrics = step_of(arrays, step_keys, orders, progress.state, step)
            return after_step(progress, pinned(state, EVERYWHERE, mesh), metrics, step), orders

        return jax.lax.fori_loop(start, stop, body, carry)

    @jit
    def init(arrays, keys, previous) -> Progress:
        batch = rows_to_batch(arrays, jnp.arange(init_batch_size))
        first = partial(first_progress, stage, in_turn=in_turn)
        return on_each_replica(first, mesh, (SEEDS, SEEDS, EVERYWHERE))(keys, previous, batch)

    def local(carry, keys, arrays, start, stop):
        steps = partial(loop, arrays=arrays, start=start, stop=stop)
        turns = takes_turns(len(keys[0]), in_turn=in_turn)
        return updated_in_turn(steps, carry, keys) if turns else steps(carry, keys)

    @partial(jit, donate_argnums=(0, 1))
    def run(progress: Progress, orders, arrays, order_keys, step_keys, start, stop):
        of_replicas = on_each_replica(local, mesh, (SEEDS, SEEDS, EVERYWHERE, EVERYWHERE, EVERYWHERE))
        return of_replicas((progress, orders), (order_keys, step_keys), arrays, start, stop)

    @jit
    def orders(keys, step):
        return jax.vmap(seed_order, in_axes=(0, None))(keys, step)

    def lowered(previous):
        progress = jax.eval_shape(init, arrays, init_keys, previous)
        first = jax.eval_shape(orders, order_keys, jnp.int32(0))
        step = jnp.int32(0)
        return (
            init.lower(arrays, init_keys, previous),
            run.lower(progress, first, arrays, order_keys, step_keys, step, step),
            progress.state,
        )

    return Program(
        init=lambda previous: init(arrays, init_keys, previous),
        run=lambda progress, orders, start, stop: run(
            progress, orders, arrays, order_keys, step_keys, np.int32(start), np.int32(stop)
        ),
        orders=lambda step: orders(order_keys, np.int32(step)),
        lowered=lowered,
    )

"""Many runs of one model, as one program: nothing but the steps, for experiments that only look at what comes out."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from mvae.models import Model, OptimizerConfig, Params, adam

_BATCH, _INIT = 128, 512


def train(model: Model, x: jax.Array, seeds: int, steps: int) -> Params:
    """Returns the parameters of all runs, on a leading axis.

    Args:
        model: What is trained.
        x: Examples, (n, ...).
        seeds: Number of runs.
        steps: Steps of each, with batches of 128 drawn with replacement.
    """
    optimizer = adam(OptimizerConfig(), steps)

    def run(params: Params, loop_key: jax.Array, x: jax.Array) -> Params:
        def step(carry: tuple[Any, Any], number: jax.Array) -> tuple[tuple[Any, Any], None]:
            params, state = carry
            row_key, loss_key = jax.random.split(jax.random.fold_in(loop_key, number))
            batch = {"x": x[jax.random.randint(row_key, (_BATCH,), 0, len(x))]}
            slopes = jax.grad(lambda p: jnp.mean(model.loss_terms(p, loss_key, batch, number).loss))(params)
            updates, state = optimizer.update(slopes, state, params)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (params, optimizer.init(params)), jnp.arange(steps))[0][0]

    keys = jax.vmap(jax.random.split)(jax.random.split(jax.random.key(0), seeds))
    # In turn, since a start from a diffusion map factorises matrices, and with examples that are no constants of it.
    starts = jax.jit(lambda keys, x: jax.lax.map(lambda key: model.init(key, {"x": x}), keys))(keys[:, 0], x[:_INIT])
    return jax.jit(jax.vmap(run, in_axes=(0, 0, None)))(starts, keys[:, 1], x)

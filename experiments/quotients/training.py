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

    def one(key: jax.Array) -> Params:
        init_key, loop_key = jax.random.split(key)
        params = model.init(init_key, {"x": x[:_INIT]})

        def step(carry: tuple[Any, Any], number: jax.Array) -> tuple[tuple[Any, Any], None]:
            params, state = carry
            row_key, loss_key = jax.random.split(jax.random.fold_in(loop_key, number))
            batch = {"x": x[jax.random.randint(row_key, (_BATCH,), 0, len(x))]}
            slopes = jax.grad(lambda p: jnp.mean(model.loss_terms(p, loss_key, batch, number).loss))(params)
            updates, state = optimizer.update(slopes, state, params)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (params, optimizer.init(params)), jnp.arange(steps))[0][0]

    return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), seeds))

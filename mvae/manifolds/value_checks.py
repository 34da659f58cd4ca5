"""Checks of values inside compiled functions, switched on by `check_values`."""

import functools
import itertools
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# Part of the key of every cache of `jax.jit`, so that a function that was traced without checks is traced again.
_switch = jax.make_user_context(default_value=False)
_numbers = itertools.count()  # of the checks, in the order in which they were traced
_failures: list[tuple[int, str]] = []
_one_at_a_time = threading.Lock()  # failures are reported from threads of the runtime, without saying to whom


def checks_are_traced() -> bool:
    """Whether the code that runs was called by a function that `check_values` returned."""
    return bool(_switch.value)


def check_traced(good: Bool[Array, "..."], value: Float[Array, "..."], message: str) -> None:
    """Has the running `check_values` raise unless all of `good` holds.

    Callbacks carry the outcome to the host: unlike `jax.experimental.checkify` they pass through every
    transformation, a `while_loop` under `vmap` among them.

    Args:
        good: What must hold.
        value: What was given, of the shape of `good`; the first that is not good is reported.
        message: What to say, with `{value:.3g}` or the like in the place of that value, and other braces doubled.
    """
    if not good.size:
        return
    number = next(_numbers)

    def note(fine: Any, value: Any) -> None:
        if not fine:
            _failures.append((number, message.format(value=float(value))))

    good, value = jnp.ravel(good), jnp.ravel(value)
    jax.debug.callback(note, jnp.all(good), value[jnp.argmin(good)])


def check_values(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Switches the library's checks of values on inside compiled and otherwise transformed functions.

    Under `jax.jit` the values of arrays are not known, so that a time that is not positive or a point off its
    manifold gives a wrong number without a word. This finds them: the same call raises the `ValueError` that it
    would raise outside of `jax.jit`, from functions that were compiled without the checks too.

    >>> from mvae.manifolds.sphere import Sphere
    >>> distance = jax.jit(Sphere(dim=2).distance)
    >>> check_values(distance)(jnp.array([0.0, 0.0, 1.0]), jnp.array([0.0, 0.0, 1.5]))
    Traceback (most recent call last):
    ValueError: w must lie on the manifold, got a point at distance 0.5 from Sphere(dim=2, radius=1.0); project it first

    It goes outermost: `check_values(jax.grad(f))`, not `jax.grad(check_values(f))`. Everything is compiled once
    more, each check is a call of the host (under `vmap` one for each element), and the result is waited for: it
    is meant for finding errors, not for training. The computation runs to its end; of several failures the one that
    was traced first is raised. Both branches of a `lax.cond` under `vmap` are computed, hence checked.

    Args:
        function: Any function; `jax.jit`, `vmap`, `grad`, `lax.scan` and the like may be inside.

    Returns:
        The function with the checks.

    Raises:
        ValueError: From the function that is returned, if a check fails, or if that function is itself transformed.
    """

    @functools.wraps(function)
    def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if checks_are_traced():  # inside of another one, whose checks these are
            return function(*args, **kwargs)
        with _one_at_a_time, _switch(True):
            _failures.clear()
            result = function(*args, **kwargs)
            if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((args, kwargs, result))):
                raise ValueError("check_values must be the outermost transformation, as in check_values(jax.grad(f))")
            jax.block_until_ready(result)
            jax.effects_barrier()
            failures = sorted(_failures)
        if failures:
            raise ValueError(failures[0][1])
        return result

    return checked

"""Sums and products that keep their rounding errors, for sums of many terms that cancel.

A number is the unevaluated sum of two floats, the second below half a unit in the last place of the first
[dekker1971]. It rests on every operation being rounded as written. XLA leaves it so among variables, but folds
constants: (1 + x) - 1 becomes x.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Pair = tuple[Array, Array]

_LARGEST = 60


def two_sum(a: Float[Array, "..."], b: Float[Array, "..."]) -> Pair:
    """Returns a + b, rounded, and what rounding took away."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def two_product(a: Float[Array, "..."], b: Float[Array, "..."]) -> Pair:
    """Returns a b, rounded, and what rounding took away."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _halves(a: Float[Array, "..."]) -> Pair:
    """Splits the digits of a in two."""
    bits = jnp.finfo(a.dtype).nmant + 1
    scaled = (2.0 ** math.ceil(bits / 2) + 1) * a
    high = scaled - (scaled - a)
    return high, a - high


def plus(x: Pair, y: Pair) -> Pair:
    """Sum of two pairs."""
    total, rest = two_sum(x[0], y[0])
    return two_sum(total, rest + (x[1] + y[1]))


def times(x: Pair, y: Pair) -> Pair:
    """Product of two pairs."""
    product, rest = two_product(x[0], y[0])
    return two_sum(product, rest + (x[0] * y[1] + x[1] * y[0]))


def exp_minus(x: Pair) -> Pair:
    """exp(-x) for x from 0 to _LARGEST, beyond which it is exp(-_LARGEST).

    A table at multiples of 1/32 times the Taylor series of the rest, whose rounding is a 64th of a unit at most.
    """
    table = np.exp(-np.arange(32 * _LARGEST + 1).astype(np.longdouble) / 32)
    high = table.astype(np.float64)
    low = (table - high).astype(np.float64)
    place = jnp.clip(jnp.round(32 * x[0]), 0, 32 * _LARGEST)
    rest = jnp.where(x[0] < _LARGEST, (x[0] - place / 32) + x[1], 0)
    series = jnp.zeros_like(rest)
    for k in range(9, 0, -1):
        series = -rest / k * (1 + series)
    index = place.astype(int)
    one = jax.lax.optimization_barrier(jnp.ones_like(series))
    return times((jnp.asarray(high)[index], jnp.asarray(low)[index]), two_sum(one, series))


def powers(cosine: Float[Array, "*batch"], sine: Float[Array, "*batch"], count: int) -> tuple[Pair, Pair]:
    """Cosines and sines of k x for k = 0, ..., count - 1, on a new last axis, from those of x.

    The two are first brought to the unit circle: powers of a number beside it are no harmonics of any angle.
    """
    square, rest = plus(two_product(cosine, cosine), two_product(sine, sine))
    excess = ((square - 1) + rest) / 2
    one_real, one_imaginary = (two_sum(x, -excess * x) for x in (cosine, sine))
    minus = (-one_imaginary[0], -one_imaginary[1])

    def turn(power: tuple[Pair, Pair], _: None) -> tuple[tuple[Pair, Pair], tuple[Pair, Pair]]:
        real, imaginary = power
        following = (
            plus(times(real, one_real), times(imaginary, minus)),
            plus(times(real, one_imaginary), times(imaginary, one_real)),
        )
        return following, power

    zero = jnp.zeros_like(cosine)
    _, found = jax.lax.scan(turn, ((jnp.ones_like(cosine), zero), (zero, zero)), length=count)
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), found)


def total(terms: Float[Array, "*batch n"]) -> Pair:
    """Sum along the last axis, in pairs of halves."""
    high, low = terms, jnp.zeros_like(terms)
    while high.shape[-1] > 1:
        if high.shape[-1] % 2:
            high, low = (jnp.concatenate([x, jnp.zeros_like(x[..., :1])], axis=-1) for x in (high, low))
        half = high.shape[-1] // 2
        high, rest = two_sum(high[..., :half], high[..., half:])
        low = low[..., :half] + low[..., half:] + rest
    return two_sum(high[..., 0], low[..., 0])

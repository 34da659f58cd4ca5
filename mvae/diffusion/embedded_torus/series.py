"""Spectral series of the heat kernel of a torus of revolution, summed without losing its digits.

Far from its start the kernel is a small sum of large terms. What is common to many modes, cos(k x), exp(i m y) and
the partial sums, and the terms themselves are carried to twice the precision, or to that of
numpy.longdouble where they come from tables.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.diffusion import double_double
from mvae.diffusion.double_double import Pair
from mvae.diffusion.embedded_torus.spectrum import modes

_matmul = functools.partial(jnp.matmul, precision="highest")  # accelerators round the factors of a product otherwise

_CHUNK = 512
_BITS = 21


class _Chunks(NamedTuple):
    """Modes in chunks of one parity, (chunks, ..., modes of the chunk)."""

    values: Any
    orders: Any
    coarse: Any  # the first bits of the waves
    values_rest: Any
    fine: Any  # the others
    odd: Any  # (chunks,)


@functools.cache
def _chunks(ratio: float, earliest: float) -> _Chunks:
    """Modes padded with zeros to whole chunks."""
    parts = []
    for odd, spectrum in enumerate(modes(ratio, earliest)):
        coarse = _first_bits(spectrum.waves, _BITS)
        fine = (spectrum.waves - coarse) + spectrum.waves_rest
        count = -(-len(spectrum.values) // _CHUNK)
        extra = count * _CHUNK - len(spectrum.values)
        fields = (spectrum.values, spectrum.orders, coarse, spectrum.values_rest, fine)
        flat = (np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, extra)]) for x in fields)
        cut = [np.moveaxis(x.reshape(*x.shape[:-1], count, _CHUNK), -2, 0) for x in flat]
        parts.append((*cut, np.full(count, bool(odd))))
    return _Chunks(*(np.concatenate(pair) for pair in zip(*parts, strict=True)))


def _first_bits(x: Any, bits: int) -> Any:
    """Rounds to multiples of 2^-bits. Sums of products of such numbers are exact."""
    return (x * 2.0**bits).round() / 2.0**bits


def spectral_density(
    ratio: float,
    earliest: float,
    t: Float[Array, "*batch"],
    start: Float[Array, "*batch 2"],
    end: Float[Array, "*batch 2"],
    major: Float[Array, "*batch 2"],
    *,
    compensated: bool = True,
) -> Float[Array, "*batch"]:
    """Heat kernel with respect to area, lengths in units of c.

    The error is a part of the peak, not of the value: 1e-15 of it, and a few 1e-18 if compensated.

    Args:
        ratio: e = a/c.
        earliest: Least time of the tables.
        t: Times in units of c^2, from `earliest` on.
        start: Cosine and sine of the minor angle of the start.
        end: The same of the end.
        major: Cosine and sine of the turn of the major angle.
        compensated: Whether rounding errors are carried along; for values only, not for derivatives.
    """
    tables = _chunks(ratio, earliest)
    chunks = _Chunks(*(jnp.asarray(x) for x in tables))
    frequencies, orders = tables.coarse.shape[1], int(np.max(tables.orders)) + 1
    rows = _exact_rows if compensated else _rows
    first, last = (rows(x, frequencies) for x in (start, end))
    along = double_double.powers(major[..., 0], major[..., 1], orders)[0] if compensated else _rows(major, orders)[0]
    add = functools.partial(_add_compensated if compensated else _add, t, first, last, along)
    (high, low), _ = jax.lax.scan(jax.checkpoint(add), (jnp.zeros_like(t), jnp.zeros_like(t)), chunks)
    return (high + low) / scale(ratio, start[..., 0], end[..., 0])


def _rows(angle: Float[Array, "*batch 2"], count: int) -> Float[Array, "2 *batch count"]:
    """Cosines and sines of the multiples of an angle."""
    phase = jnp.arctan2(angle[..., 1], angle[..., 0])[..., None] * np.arange(count)
    return jnp.stack([jnp.cos(phase), jnp.sin(phase)])


def _exact_rows(angle: Float[Array, "*batch 2"], count: int) -> Float[Array, "2 3 *batch count"]:
    """The same to twice the precision, as sums of three numbers, the first two of few bits."""
    parts = []
    for high, low in double_double.powers(angle[..., 0], angle[..., 1], count):
        one = _first_bits(high, _BITS)
        two = _first_bits(high - one, 2 * _BITS)
        parts.append(jnp.stack([one, two, (high - one - two) + low]))
    return jnp.stack(parts)


def _add(t: Array, first: Array, last: Array, along: Array, sums: Pair, chunk: _Chunks) -> tuple[Pair, None]:
    waves = chunk.coarse + chunk.fine
    left, right = (_matmul(jnp.where(chunk.odd, x[1], x[0]), waves) for x in (first, last))
    weight = jnp.where(chunk.orders == 0, 1, 2) * jnp.exp(-chunk.values / 2 * t[..., None])
    terms = weight * left * right * along[..., chunk.orders]
    return (sums[0] + jnp.sum(terms, axis=-1), sums[1]), None


def _add_compensated(t: Array, first: Array, last: Array, along: Pair, sums: Pair, chunk: _Chunks) -> tuple[Pair, None]:
    def eigenfunctions(rows: Array) -> Pair:
        rows = jnp.where(chunk.odd, rows[1], rows[0])
        coarse, fine = _matmul(rows, chunk.coarse), _matmul(rows[:2], chunk.fine)
        return double_double.two_sum(coarse[0], coarse[1] + fine[0] + (coarse[2] + fine[1]))

    exponent, rest = double_double.two_product(chunk.values, t[..., None] / 2)
    rest = rest + chunk.values_rest * t[..., None] / 2
    both = jnp.where(chunk.orders == 0, 1, 2)  # of -m and m
    decay = double_double.exp_minus((exponent, rest))
    terms = double_double.times(eigenfunctions(first), eigenfunctions(last))
    terms = double_double.times(terms, (along[0][..., chunk.orders], along[1][..., chunk.orders]))
    terms = double_double.times(terms, (both * decay[0], both * decay[1]))
    high, low = double_double.total(terms[0])
    return double_double.plus(sums, (high, low + jnp.sum(terms[1], axis=-1))), None


def scale(ratio: float, first: Float[Array, "*batch"], last: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Factor 2 pi e sqrt(w w') between the kernel of u and the density, from the cosines of the minor angles."""
    return 2 * math.pi * ratio * jnp.sqrt((1 + ratio * first) * (1 + ratio * last))

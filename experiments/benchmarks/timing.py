"""Clocks of the benchmarks: rates measured in turns, so that a busy machine spoils both sides of a ratio alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp

from mvae.engine import products_in


def seconds(function: Callable[[], object]) -> float:
    """Wall time of a call, results waited for."""
    began = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - began


def calls_lasting(run: Callable[[int], object], wanted: float) -> int:
    """Returns for which n `run(n)` takes about `wanted` seconds; the calls that find it warm the machine up."""
    number = 1
    seconds(partial(run, number))
    while (taken := seconds(partial(run, number))) < wanted / 4:
        number *= 2
    return max(1, round(number * wanted / taken))


def in_turns(runs: Sequence[Callable[[int], object]], rounds: int, wanted: float) -> list[list[float]]:
    """Times things that can be done any number of times.

    Args:
        runs: Number -> anything; does its thing so many times.
        rounds: How often each is timed; in every round each of them once, one after the other.
        wanted: Seconds that one timing takes, about.

    Returns:
        Seconds of doing each thing once, a list over rounds for each.
    """
    numbers = [calls_lasting(run, wanted) for run in runs]
    table = [
        [seconds(partial(run, number)) / number for run, number in zip(runs, numbers, strict=True)]
        for _ in range(rounds)
    ]
    return [list(column) for column in zip(*table, strict=True)]


def repeated(function: Callable[..., object], *arguments: object) -> Callable[[int], object]:
    """Returns what calls a function, compiled, any number of times, results waited for."""
    compiled = jax.jit(function)

    def run(number: int) -> None:
        for _ in range(number):
            jax.block_until_ready(compiled(*arguments))

    return run


def products(size: int, precision: str = "default") -> tuple[Callable[[int], object], float]:
    """Returns what multiplies two float32 matrices of size × size any number of times, and the FLOP of one product.

    Args:
        size: Rows and columns.
        precision: To what the factors are rounded, see `mvae.engine.precision.products_in`.
    """
    left, right = jax.random.normal(jax.random.key(0), (2, size, size), jnp.float32)
    product = jax.jit(jnp.dot)

    def run(number: int) -> None:
        with products_in(precision):
            for _ in range(number):
                jax.block_until_ready(product(left, right))

    return run, 2.0 * size**3


def over_rounds(values: Sequence[float], digits: int = 2) -> str:
    """Returns the median, and smallest and largest behind it.

    >>> over_rounds([1.0, 3.0, 2.0])
    '2.00 (1.00 to 3.00)'
    """
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"

"""Compilation of tests."""

import contextlib

import jax


@contextlib.contextmanager
def without_optimizations():
    """A context in which XLA leaves out most of its optimisations, for tests whose time is compilation."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)

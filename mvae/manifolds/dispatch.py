"""Functions on manifolds that are open: a manifold, of this library or not, registers its own version beside itself."""

import functools
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from mvae.manifolds.manifold import Manifold

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class OpenFunction(Generic[P, R]):
    """A function with one implementation for each type of manifold.

    Calling it calls the function that was decorated, which checks its arguments and goes on with
    `of(manifold)`: the implementation registered for the manifold's type or the nearest of its bases.
    """

    def __init__(self, function: Callable[P, R], noun: str, remedy: str):
        self._function, self._noun, self._remedy = function, noun, remedy
        self._implementations = functools.singledispatch(_missing)
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the function."""
        return self._function(*args, **kwargs)

    def register(self, kind: type[Manifold]) -> Callable[[F], F]:
        """Decorates the implementation for a type of manifold, in place of one that was there; `Manifold` is for all.

        It takes the arguments that the function passes on, checked, and returns what the function returns.
        """

        def registered(implementation: F) -> F:
            self._implementations.register(kind, implementation)
            return implementation

        return registered

    def of(self, manifold: Manifold) -> Callable[..., Any]:
        """Returns the implementation for a manifold.

        Raises:
            NotImplementedError: If its type has none, naming the manifold and how to register one.
        """
        if not self.knows(manifold):
            raise self.lacking(manifold)
        return self._implementations.dispatch(type(manifold))

    def knows(self, manifold: Manifold) -> bool:
        """Whether there is an implementation for the type of a manifold; it may still refuse this one."""
        return self._implementations.dispatch(type(manifold)) is not _missing

    def lacking(self, manifold: Manifold) -> NotImplementedError:
        """Returns the error for a manifold without an implementation."""
        name = f"{self._function.__module__}.{self._function.__qualname__}.register({type(manifold).__name__})"
        return NotImplementedError(f"no {self._noun} for {manifold!r}: {self._remedy}, or give it one by {name}")


def open_function(noun: str, remedy: str) -> Callable[[Callable[P, R]], OpenFunction[P, R]]:
    """Makes a function open.

    >>> from mvae.manifolds import FlatTorus, Sphere
    >>> @open_function("name", "call it what you like")
    ... def name_of(manifold):
    ...     return name_of.of(manifold)(manifold)
    >>> @name_of.register(Sphere)
    ... def _(manifold):
    ...     return f"S^{manifold.dim}"
    >>> name_of(Sphere(2)), name_of.knows(FlatTorus(1))
    ('S^2', False)

    Args:
        noun: What it gives, in the message for manifolds that lack it: "no NOUN for MANIFOLD: REMEDY, or ...".
        remedy: What to do instead.

    Returns:
        A decorator.
    """
    return lambda function: OpenFunction(function, noun, remedy)


def _missing(*arguments: Any) -> Any:
    raise AssertionError(f"called for {arguments}, which have no implementation")

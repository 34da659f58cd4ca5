"""The interface that every latent space has."""

import abc
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from mvae.manifolds import safe_math
from mvae.manifolds.checks import check_pair, check_points, in_float32, is_half, widened
from mvae.manifolds.value_checks import check_traced, checks_are_traced

_ON = 1e-3  # distance from the manifold, over its size, that passes for rounding
_OF_POINTS = (  # methods that take arrays of 16 bits, here and in the manifolds that have them
    *("project", "to_tangent", "exp", "log", "distance", "scalar_curvature"),
    *("angles", "from_angles", "rotate", "angles_between", "circles", "from_quaternion", "nearest_representative"),
)

_OF_ENDS = ("log", "distance", "angles_between")  # of these, those whose arguments `check_on` sees
_MORE_OF_ARRAYS = (
    *("log_unchecked", "distance_unchecked", "orbit", "coordinates", "from_coordinates"),
    *("from_tangent", "to_origin", "carry", "norm", "poincare_disc"),
)


@jax.jit
def _farthest(off: Float[Array, "*batch"], allowed: Float[Array, ""] | float) -> Float[Array, ""]:
    """Largest finite distance beyond what is allowed, 0 if there is none."""
    return jnp.max(jnp.where((off > allowed) & (off < jnp.inf), off, 0), initial=0)


def _rounding(x: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
    """What points in a dtype of 16 bits may be off for their rounding."""
    return 4 * float(jnp.finfo(x.dtype).eps) * safe_math.norm(jax.lax.stop_gradient(widened(x)))


def _tolerant(contains: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a method `contains` for points in a dtype of 16 bits too."""

    @functools.wraps(contains)
    def tolerant(self: "Manifold", x: Float[Array, "*batch n"], atol: Any = 1e-5) -> Bool[Array, "*batch"]:
        return contains(self, widened(x), jnp.maximum(atol, _rounding(x)) if is_half(x) else atol)

    return tolerant


def _one_program(method: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a method of arrays that is one program where it is called outside of `jax.jit`, not one per operation.

    Inside, it is written out in what is being compiled, as if it were not decorated.
    """
    compiled = functools.partial(safe_math.inlined, static_argnums=0)(method)

    @functools.wraps(method)
    def called(self: "Manifold", *arrays: Any, **named: Any) -> Any:
        known = all(isinstance(x, jax.Array | np.ndarray) for x in (*arrays, *named.values()))
        if checks_are_traced() or not known:
            return method(self, *arrays, **named)  # which says what is wrong with anything else
        if method.__name__ in _OF_ENDS:
            self._ends(*arrays, **named)  # while their values are known
        return compiled(self, *arrays, **named)

    return called


class Manifold(abc.ABC):
    """A Riemannian manifold embedded in R^n, with the metric that the embedding induces.

    Subclasses are frozen dataclasses, hence hashable and fit to be static arguments of `jax.jit`. Points sit
    on the last axis, leading axes broadcast. Every method raises `ValueError` naming the argument for a wrong
    last axis, a dtype that is not floating, or shapes that do not broadcast; `log` and `distance` also for points
    off the manifold, as `check_on` says.

    Arrays of bfloat16 and float16 are computed with in float32, in all methods of a subclass that are named here, and
    give results of their dtype, good to its rounding; see `in_float32`.

    Values and first derivatives are finite everywhere. Where the mathematics leaves a choice (the projection
    of the origin, `log` on the cut locus, the derivative of `distance` where it has none) each manifold says
    which.
    """

    dim: int

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in (*_OF_POINTS, *_MORE_OF_ARRAYS):
            if name in cls.__dict__:
                method = _one_program(cls.__dict__[name])
                setattr(cls, name, in_float32(method) if name in _OF_POINTS else method)
        if "contains" in cls.__dict__:
            cls.contains = _tolerant(cls.__dict__["contains"])

    @property
    @abc.abstractmethod
    def ambient_dim(self) -> int:
        """Dimension n of the space R^n that the points live in."""

    @property
    @abc.abstractmethod
    def log_volume(self) -> float:
        """Logarithm of the Riemannian volume, which stays finite where the volume itself underflows."""

    @property
    def volume(self) -> float:
        """Riemannian volume."""
        return math.exp(self.log_volume)

    @abc.abstractmethod
    def project(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """Nearest point of the manifold.

        Args:
            x: Points of the ambient space, (..., n).

        Returns:
            Points of the manifold, (..., n).
        """

    @abc.abstractmethod
    def to_tangent(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Orthogonal projection of ambient vectors onto the tangent space.

        Args:
            z: Points of the manifold, (..., n).
            v: Vectors of the ambient space, (..., n).

        Returns:
            Tangent vectors at z, (..., n).
        """

    @abc.abstractmethod
    def exp(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Point reached from z in unit time by the geodesic of initial velocity v.

        Args:
            z: Points of the manifold, (..., n).
            v: Tangent vectors at z, (..., n); a normal component is not removed.

        Returns:
            Points of the manifold, (..., n).
        """

    @abc.abstractmethod
    def log(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Initial velocity v of a shortest geodesic from z to w.

        It satisfies exp(z, v) = w and |v| = distance(z, w).

        Args:
            z: Points of the manifold, (..., n).
            w: Points of the manifold, (..., n).

        Returns:
            Tangent vectors at z, (..., n).
        """

    @in_float32
    @_one_program
    def distance(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch"]:
        """Geodesic distance.

        Args:
            z: Points of the manifold, (..., n).
            w: Points of the manifold, (..., n).

        Returns:
            Distances, (...). Where w = z or w is on the cut locus of z the derivative is set to a finite value. Unless
            a manifold says otherwise they are lengths of `log`.
        """
        return safe_math.norm(self.log(z, w))

    @abc.abstractmethod
    def scalar_curvature(self, z: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """Scalar curvature at z, in units of one over length squared.

        Args:
            z: Points of the manifold, (..., n).

        Returns:
            Curvatures, (...).
        """

    @abc.abstractmethod
    def uniform(self, key: jax.Array, shape: tuple[int, ...] = ()) -> Float[Array, "*shape n"]:
        """Draws from the uniform distribution, the Riemannian volume divided by its total.

        Args:
            key: Typed key of `jax.random`.
            shape: Leading axes of the result.

        Returns:
            Points of the manifold, (*shape, n), in the default floating dtype.
        """

    @_tolerant
    def contains(self, x: Float[Array, "*batch n"], atol: float = 1e-5) -> Bool[Array, "*batch"]:
        """Whether each point satisfies the equations of the manifold up to `atol`.

        Args:
            x: Points of the ambient space, (..., n).
            atol: Largest deviation allowed, in units of length; for points in a dtype of 16 bits it is at least 4 eps
                of their norm.

        Returns:
            Booleans, (...); unless a manifold says otherwise, whether `project` moves the point by `atol` at most.
        """
        return self._off(self._points("x", x)) <= atol

    def check_on(self, name: str, x: Float[Array, "*batch n"]) -> None:
        """Refuses points that are further off the manifold than rounding explains.

        That is by a thousandth of its size (the radius of a sphere, a circle or a tube, 1 for rotations), or, in a
        dtype of 16 bits, by 4 eps of the point's norm where this is more. Points with an entry that is not finite pass:
        they stay NaN in what is computed from them. Under a transformation of JAX the values are not known and nothing
        is checked, except inside of `check_values`.

        Args:
            name: What the message calls the points.
            x: Points of the ambient space, (..., n).

        Raises:
            ValueError: Naming the argument and the largest distance of a point from the manifold.
        """
        known = not isinstance(x, Tracer)
        if not known and not checks_are_traced():
            return
        given = repr(self).replace("{", "{{").replace("}", "}}")
        message = (
            f"{name} must lie on the manifold, got a point at distance {{value:.3g}} from {given}; project it first"
        )
        x = self._points(name, x)
        allowed = _ON * self._size
        if is_half(x):
            allowed, x = jnp.maximum(allowed, _rounding(x)), widened(x)
        if not known:
            farthest = _farthest(self._off(jax.lax.stop_gradient(x)), allowed)
            check_traced(farthest == 0, farthest, message)
            return
        with jax.ensure_compile_time_eval():  # constants of a function that is being traced are known too
            farthest = float(_farthest(self._off(x), allowed))
        if farthest > 0:
            raise ValueError(message.format(value=farthest))

    @property
    def _size(self) -> float:
        """Length that the distance of a point from the manifold is compared with."""
        return 1.0

    def _off(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """Distance from the manifold, exact to first order."""
        return safe_math.norm(x - self.project(x))

    def _points(self, name: str, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        return check_points(name, x, self.ambient_dim)

    def _pair(
        self, names: tuple[str, str], z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]
    ) -> tuple[Float[Array, "*#batch n"], Float[Array, "*#batch n"]]:
        return check_pair(names, z, w, self.ambient_dim)

    def _ends(
        self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]
    ) -> tuple[Float[Array, "*#batch n"], Float[Array, "*#batch n"]]:
        """Returns both in their common dtype, once they are known to be points of the manifold."""
        z, w = self._pair(("z", "w"), z, w)
        self.check_on("z", z)
        self.check_on("w", w)
        return z, w

    def _constant(self, z: Float[Array, "*batch n"], value: float) -> Float[Array, "*batch"]:
        z = self._points("z", z)
        return jnp.full(z.shape[:-1], value, z.dtype)

"""Curves of the plane mapped linearly into R²⁰, with noise: a swiss roll and two concentric circles.

A point of the plane p is mapped to A p, with A of shape 20×2 and entries uniform on [-1, 1). The seed alone decides A:
training set, test set and the curve without noise share it, however many points there are. A vector of R²⁰ is
kept as an image of one row per entry and one column, `(20, 1, 1)` without its leading axis of length 1.

Source: [connor2021, Sec. 4] and the code published with it (`utils.py`).
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from mvae.data.dataset import Batch, Dataset, Rows, integer_option
from mvae.errors import unknown

AMBIENT_DIM = 20
RADII = (0.5, 1.0)
_NOISE = 0.01
_ROLL_SCALE = 10.0
_NAMES = ("concentric_circles", "swiss_roll")
_EXACT = jax.lax.Precision.HIGHEST  # the default rounds float32 products to 10 bits on some accelerators
_CURVE_POINTS = 500


class PlanarManifold(NamedTuple):
    """Points of a curve without noise, in data space.

    Attributes:
        points: The mapped points, `(n, 20)`.
        labels: `(n,)`: 0, or the circle, 0 the inner and 1 the outer one.
        parameters: `(n,)`: u of the roll, or angle / 2π of the circle.
    """

    points: Float[Array, "n 1 20 1"]
    labels: Int[Array, " n"]
    parameters: Float[Array, " n"]


def swiss_roll(*, num_train: int = 1000, num_test: int = 1000, seed: int = 0) -> Dataset:
    """Returns points of a spiral, x = (A τ (cos τ, sin τ) + 0.01 ε) / 10 with τ = (3π/2)(1 + 2u), u uniform on [0, 1).

    ε is standard normal in R²⁰. As in the published code it is added before the division: the noise of `"x"` has
    standard deviation 0.001 per entry, while the radius τ/10 of the spiral grows from 0.47 to 1.41.

    Batches have `"x"`, float32 `(B, 20)`; `"label"`, int32 `(B,)`, all 0; `"latent"`, float32 `(B, 2)`, the
    point of the plane τ (cos τ, sin τ) / 10; `"parameter"`, float32 `(B,)`, u.

    Args:
        num_train: Number of training points, at least 1.
        num_test: Number of test points, at least 1, drawn afresh and mapped alike.
        seed: Seed of the map and of the points, in [0, 2³²).

    Raises:
        UsageError: If an option is out of range.
    """
    return _planar("swiss_roll", num_train, num_test, seed)


def concentric_circles(*, num_train: int = 400, num_test: int = 400, seed: int = 0) -> Dataset:
    """Returns points of two circles, x = A r (cos θ, sin θ) + 0.01 ε with r ∈ {0.5, 1}, θ uniform on [0, 2π).

    ε is standard normal in R²⁰. The circles take turns: even examples are of the inner one.

    Batches have `"x"`, float32 `(B, 20)`; `"label"`, int32 `(B,)`, 0 for the inner and 1 for the outer
    circle; `"latent"`, float32 `(B, 2)`, the point of the plane r (cos θ, sin θ); `"parameter"`, float32 `(B,)`, θ/2π.

    Args:
        num_train: Number of training points of both circles together, at least 1.
        num_test: Number of test points of both circles together, at least 1, drawn afresh and mapped alike.
        seed: Seed of the map and of the points, in [0, 2³²).

    Raises:
        UsageError: If an option is out of range.
    """
    return _planar("concentric_circles", num_train, num_test, seed)


def planar_manifold(dataset_name: str, seed: int, num: int) -> PlanarManifold:
    """Returns the curve on which the data lie but for the noise, at evenly spaced parameters.

    Args:
        dataset_name: `"swiss_roll"` or `"concentric_circles"`.
        seed: The seed of the data set.
        num: Number of points of the roll, at u = 0, 1/(num - 1), ..., 1; or of each circle, at θ/2π = 0, 1/num, ..., 1
            - 1/num, all of the inner circle first. At least 2.

    Returns:
        `(points, labels, parameters)`.

    Raises:
        UsageError: If there is no such data set, or a number is out of range.

    >>> points, labels, parameters = planar_manifold("concentric_circles", 0, 3)
    >>> points.shape, labels.tolist()
    ((6, 20), [0, 0, 0, 1, 1, 1])
    """
    if dataset_name not in _NAMES:
        raise unknown("planar data set", dataset_name, _NAMES)
    integer_option("num", num, 2)
    _check_seed(seed)
    if dataset_name == "swiss_roll":
        labels, parameters = np.zeros(num), np.linspace(0.0, 1.0, num)
    else:
        labels, parameters = np.repeat([0, 1], num), np.tile(np.arange(num) / num, 2)
    labels, parameters = jnp.asarray(labels, jnp.int32), jnp.asarray(parameters, jnp.float32)
    latent = _latent(dataset_name, labels, parameters)
    return PlanarManifold(_mapped(_keys(seed)[0], latent), labels, parameters)


def render(rows: Rows) -> Batch:
    """Returns the rows as they are: they are finished."""
    return dict(rows)


def _planar(name: str, num_train: int, num_test: int, seed: int) -> Dataset:
    integer_option("num_train", num_train, 1)
    integer_option("num_test", num_test, 1)
    _check_seed(seed)
    key_map, key_train, key_test = _keys(seed)
    points, labels, parameters = planar_manifold(name, seed, _CURVE_POINTS)
    return Dataset(
        name=name,
        train=_draw(name, key_map, key_train, num_train),
        test=_draw(name, key_map, key_test, num_test),
        render=render,
        event_shape=(AMBIENT_DIM,),
        curves={"x": points, "label": labels, "parameter": parameters},
        closed_curves=name == "concentric_circles",
    )


def _check_seed(seed: int) -> None:
    integer_option("seed", seed, 0, 2**32 - 1)


def _keys(seed: int) -> tuple[Key[Array, ""], Key[Array, ""], Key[Array, ""]]:
    key_map, key_train, key_test = jax.random.split(jax.random.key(seed), 3)
    return key_map, key_train, key_test


@functools.partial(jax.jit, static_argnums=(0, 3))
def _draw(name: str, key_map: Key[Array, ""], key: Key[Array, ""], num: int) -> Rows:
    key_parameter, key_noise = jax.random.split(key)
    parameter = jax.random.uniform(key_parameter, (num,), jnp.float32)
    label = jnp.arange(num, dtype=jnp.int32) % len(RADII) if name == "concentric_circles" else jnp.zeros(num, jnp.int32)
    latent = _latent(name, label, parameter)
    noise = _NOISE * jax.random.normal(key_noise, (num, AMBIENT_DIM), jnp.float32)
    if name == "swiss_roll":
        noise = noise / _ROLL_SCALE
    return {"x": _mapped(key_map, latent) + noise, "label": label, "latent": latent, "parameter": parameter}


@functools.partial(jax.jit, static_argnums=0)
def _latent(name: str, label: Int[Array, " n"], parameter: Float[Array, " n"]) -> Float[Array, "n 2"]:
    if name == "swiss_roll":
        angle = 1.5 * math.pi * (1.0 + 2.0 * parameter)
        radius = angle / _ROLL_SCALE
    else:
        angle = 2.0 * math.pi * parameter
        radius = jnp.asarray(RADII, jnp.float32)[label]
    return radius[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)


@jax.jit
def _mapped(key_map: Key[Array, ""], latent: Float[Array, "n 2"]) -> Float[Array, "n 20"]:
    matrix = jax.random.uniform(key_map, (AMBIENT_DIM, 2), jnp.float32, minval=-1.0, maxval=1.0)
    return jnp.matmul(latent, matrix.T, precision=_EXACT)

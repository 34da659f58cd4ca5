"""Points of R² and R³ drawn from known distributions: curves, surfaces and clusters, as the VDAE is tried on.

A point of R^m is kept as an image of one row per coordinate and one column, `(m, 1, 1)` without its leading axis of
length 1. With the option `noise`, the standard deviation σ, x + σ ε is kept in place of x, ε standard normal in R^m;
the other entries of a batch are those of x. Training and test points are drawn afresh, each from a key of its own:
the test set does not depend on `num_train`.

Source: [li2020, Secs. 6.2 to 6.4] and the code published with it; `two_moons` as in scikit-learn's `make_moons`.
`mesh_points` has the bunny and `surface_distance` the distances from all of these.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from mvae.data.dataset import Batch, Dataset, Rows, integer_option, number_option
from mvae.manifolds import EmbeddedTorus, Sphere

TORUS = EmbeddedTorus(2.0, 1.0)
GRID_CENTRES = np.stack(np.meshgrid(np.arange(-2.0, 3.0), np.arange(-2.0, 3.0), indexing="ij"), axis=-1).reshape(25, 2)
GRID_NOISE = 0.1
LARGEST_SEED = 2**32 - 1

Draw = Callable[[Key[Array, ""], int], Rows]


def circle(*, num_train: int = 1024, num_test: int = 1000, seed: int = 0, noise: float = 0.0) -> Dataset:
    """Returns uniform points of the unit circle, x = (cos t, sin t), t uniform on [0, 2π).

    Batches have `"x"`, float32 `(B, 2)`, and `"parameter"`, float32 `(B,)`, t/2π.

    Args:
        num_train: Number of training points, at least 1.
        num_test: Number of test points, at least 1.
        seed: Seed of the points, in [0, 2³²).
        noise: Standard deviation of the noise, 0 or more.

    Raises:
        UsageError: If an option is out of range.
    """
    return dataset_of_points("circle", _circle, num_train, num_test, seed, noise)


def loop(*, num_train: int = 5000, num_test: int = 1000, seed: int = 0, noise: float = 0.0) -> Dataset:
    """Returns points of a closed curve without self-intersection, x = (cos t, sin 2t, sin 3t), t uniform on [0, 2π).

    The distribution is uniform in t, not in length. Batches have `"x"`, float32 `(B, 3)`, and `"parameter"`, float32
    `(B,)`, t/2π.

    Args:
        num_train: Number of training points, at least 1.
        num_test: Number of test points, at least 1.
        seed: Seed of the points, in [0, 2³²).
        noise: Standard deviation of the noise, 0 or more.

    Raises:
        UsageError: If an option is out of range.
    """
    return dataset_of_points("loop", _loop, num_train, num_test, seed, noise)


def torus(*, num_train: int = 2000, num_test: int = 1000, seed: int = 0, noise: float = 0.0) -> Dataset:
    """Returns points of a torus of revolution, uniform in area.

      x = ((2 + cos a) cos b, (2 + cos a) sin b, sin a).

    Batches have `"x"`, float32 `(B, 3)`, and `"latent"`, float32 `(B, 2)`, the angles (a, b) in (-π, π],
    radians.

    Args:
        num_train: Number of training points, at least 1.
        num_test: Number of test points, at least 1.
        seed: Seed of the points, in [0, 2³²).
        noise: Standard deviation of the noise, 0 or more.

    Raises:
        UsageError: If an option is out of range.
    """
    return dataset_of_points("torus", _torus, num_train, num_test, seed, noise)


def sphere(*, num_train: int = 2000, num_test: int = 1000, seed: int = 0, noise: float = 0.0) -> Dataset:
    """Returns points of the unit sphere of R³, uniform in area.

    Batches have `"x"`, float32 `(B, 3)`.

    Args:
        num_train: Number of training points, at least 1.
        num_test: Number of test points, at least 1.
        seed: Seed of the points, in [0, 2³²).
        noise: Standard deviation of the noise, 0 or more.

    Raises:
        UsageError: If an option is out of range.
    """
    return dataset_of_points("sphere", _sphere, num_train, num_test, seed, noise)


def two_moons(*, num_train: int = 2000, num_test: int = 1000, seed: int = 0, noise: float = 0.05) -> Dataset:
    """Returns noisy points of two half circles, each reaching into the other.

    Moon 0 is (cos t, sin t), moon 1 is (1 - cos t, ½ - sin t), t uniform on [0, π). The moons take turns: even
    examples are of moon 0. Batches have `"x"`, float32 `(B, 2)`; `"label"`, int32 `(B,)`, the moon;
    `"parameter"`, float32 `(B,)`, t/π.

    Args:
        num_train: Number of training points of both moons together, at least 1.
        num_test: Number of test points of both moons together, at least 1.
        seed: Seed of the points, in [0, 2³²).
        noise: Standard deviation of the noise, 0 or more.

    Raises:
        UsageError: If an option is out of range.
    """
    return dataset_of_points("two_moons", _two_moons, num_train, num_test, seed, noise)


def gaussian_grid(*, num_train: int = 7500, num_test: int = 1000, seed: int = 0, noise: float = GRID_NOISE) -> Dataset:
    """Returns points of 25 normal distributions around the centres {-2, -1, 0, 1, 2}², of standard deviation `noise`.

    The centres take turns: by default there are 300 training points and 40 test points of each. Batches have
    `"x"`, float32 `(B, 2)`, and `"label"`, int32 `(B,)`: 5i + j for the centre (i - 2, j - 2).

    Args:
        num_train: Number of training points of all centres together, at least 1.
        num_test: Number of test points of all centres together, at least 1.
        seed: Seed of the points, in [0, 2³²).
        noise: Standard deviation around the centres, 0 or more.

    Raises:
        UsageError: If an option is out of range.
    """
    return dataset_of_points("gaussian_grid", _gaussian_grid, num_train, num_test, seed, noise)


def render(rows: Rows) -> Batch:
    """Returns the rows as they are: they are finished."""
    return dict(rows)


def dataset_of_points(name: str, draw: Draw, num_train: int, num_test: int, seed: int, noise: float) -> Dataset:
    """Returns the data set of points drawn by a distribution, with what the module's docstring says of all of them.

    Args:
        name: The name of the data set.
        draw: (key, number) -> rows with the points as `"x"`, `(number, m)`, and any other entries.
        num_train: Number of training points, at least 1.
        num_test: Number of test points, at least 1.
        seed: Seed of the points, in [0, 2³²).
        noise: Standard deviation of the noise, 0 or more.

    Raises:
        UsageError: If an option is out of range.
    """
    integer_option("num_train", num_train, 1)
    integer_option("num_test", num_test, 1)
    integer_option("seed", seed, 0, LARGEST_SEED)
    noise = number_option("noise", noise, 0.0)
    key_train, key_test = jax.random.split(jax.random.key(seed))
    train = _rows(draw, num_train, key_train, noise)
    test = _rows(draw, num_test, key_test, noise)
    return Dataset(name=name, train=train, test=test, render=render, event_shape=train["x"].shape[1:])


@functools.partial(jax.jit, static_argnums=(0, 1))
def _rows(draw: Draw, num: int, key: Key[Array, ""], noise: Float[Array, ""] | float) -> Rows:
    key_point, key_noise = jax.random.split(key)
    rows = draw(key_point, num)
    points = rows["x"].astype(jnp.float32)
    points = points + jnp.asarray(noise, jnp.float32) * jax.random.normal(key_noise, points.shape, jnp.float32)
    return rows | {"x": points}


def _uniform(key: Key[Array, ""], num: int) -> Float[Array, " n"]:
    return jax.random.uniform(key, (num,), jnp.float32)


def _circle(key: Key[Array, ""], num: int) -> Rows:
    parameter = _uniform(key, num)
    t = 2 * math.pi * parameter
    return {"x": jnp.stack([jnp.cos(t), jnp.sin(t)], axis=1), "parameter": parameter}


def _loop(key: Key[Array, ""], num: int) -> Rows:
    parameter = _uniform(key, num)
    t = 2 * math.pi * parameter
    return {"x": jnp.stack([jnp.cos(t), jnp.sin(2 * t), jnp.sin(3 * t)], axis=1), "parameter": parameter}


def _torus(key: Key[Array, ""], num: int) -> Rows:
    points = TORUS.uniform(key, (num,))
    return {"x": points, "latent": TORUS.angles(points).astype(jnp.float32)}


def _sphere(key: Key[Array, ""], num: int) -> Rows:
    return {"x": Sphere(2).uniform(key, (num,))}


def _two_moons(key: Key[Array, ""], num: int) -> Rows:
    parameter, label = _uniform(key, num), jnp.arange(num, dtype=jnp.int32) % 2
    x, y = jnp.cos(math.pi * parameter), jnp.sin(math.pi * parameter)
    points = jnp.where(label[:, None] == 0, jnp.stack([x, y], axis=1), jnp.stack([1 - x, 0.5 - y], axis=1))
    return {"x": points, "label": label, "parameter": parameter}


def _gaussian_grid(key: Key[Array, ""], num: int) -> Rows:
    del key  # all that is random is the noise
    label = jnp.arange(num, dtype=jnp.int32) % len(GRID_CENTRES)
    return {"x": jnp.asarray(GRID_CENTRES, jnp.float32)[label], "label": label}

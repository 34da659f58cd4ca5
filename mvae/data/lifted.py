"""Points of a known latent space, carried to R^100 by a fixed random network: the toy task of the ER procedure.

The network has one hidden layer of ReLU units and no output bias,

  x = V max(W z/s + b, 0),   s² = E |z|²,

V and W with entries uniform on (-r, r), r² = 6 / (fan in + fan out) (Xavier-uniform). The division by s makes one
network's worth of curvature of every space: the latent points have unit mean square, whatever their coordinates, and
the unit circle of the paper is left as it is. The paper does not say what the biases are. Here b is drawn as W is.
Without it x would be homogeneous, x(c z) = c x(z) for c > 0: an interval would become two straight segments, and a
plane a cone. For `ambient_dim` ≥ `hidden`, V loses nothing.

The paper draws each batch afresh. A large fixed set of points stands in for that; `seed` draws the points and
`net_seed` the network, which training and test points share.

Source: [golikov2018, Sec. 4], after [davidson2018].
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.data.dataset import Dataset, Rows, integer_option
from mvae.data.point_clouds import LARGEST_SEED, dataset_of_points
from mvae.errors import unknown
from mvae.manifolds import SO3, Euclidean, FlatTorus, Manifold, Sphere

_EXACT = jax.lax.Precision.HIGHEST  # the default rounds float32 products to 10 bits on some accelerators
_NETWORK = 1  # folded into the key, so that equal seeds of points and network do not share draws
_HALF_LENGTH = math.sqrt(3)  # of the interval of unit mean square


class LiftingNetwork(NamedTuple):
    """x = V max(W z + b, 0).

    Attributes:
        hidden_weights: W, `(h, m)`.
        hidden_biases: b, `(h,)`.
        output_weights: V, `(n, h)`.
    """

    hidden_weights: Float[Array, "h m"]
    hidden_biases: Float[Array, " h"]
    output_weights: Float[Array, "n h"]


class _Space(NamedTuple):
    """A latent space: its distribution, the dimension m of its coordinates and E |z|².

    Attributes:
        draw: (key, number) -> rows with `"latent"`, `(number, m)`, and `"parameter"` for a curve.
        dim: m.
        mean_square: E |z|².
    """

    draw: Callable[[Key[Array, ""], int], Rows]
    dim: int
    mean_square: float


def lifted(
    *,
    space: str = "circle",
    ambient_dim: int = 100,
    hidden: int = 100,
    num_train: int = 65_536,
    num_test: int = 10_000,
    seed: int = 0,
    net_seed: int = 0,
    noise: float = 0.0,
) -> Dataset:
    """Returns points of a latent space, carried to R^n by a random network; see the module's docstring.

    The latent point z is uniform on

    - `interval`: [-√3, √3];
    - `circle`: the unit circle of R², (cos t, sin t);
    - `sphere`: the unit sphere of R³;
    - `torus`: the flat torus of R⁴, (cos a, sin a, cos b, sin b);
    - `so3`: the rotations of space, matrices row by row, in R⁹;

    and on R² for `plane` it is standard normal, N(0, I). Batches have `"x"`, float32 `(B, n)`; `"latent"`,
    float32 `(B, m)`, z; and for the interval and the circle `"parameter"`, float32 `(B,)`, the place along the
    interval from -√3 on, or t/2π. With noise, the standard deviation σ, x + σ ε is kept in place of x, ε standard
    normal in R^n. With the default sizes x has a total variance near 0.75 in every space (± 0.13 between networks): a
    standard deviation of 0.09 in each coordinate, to compare the noise and a likelihood's scale with.

    Args:
        space: The latent space, one of the above.
        ambient_dim: n, at least 1.
        hidden: Number of hidden units, at least 1.
        num_train: Number of training points, at least 1.
        num_test: Number of test points, at least 1.
        seed: Seed of the points and of the noise, in [0, 2³²).
        net_seed: Seed of the network, in [0, 2³²).
        noise: Standard deviation of the noise, 0 or more.

    Raises:
        UsageError: If the space is not known or an option is out of range.
    """
    if space not in _SPACES:
        raise unknown("space of the data set lifted", space, _SPACES)
    distribution = _SPACES[space]
    network = lifting_network(net_seed, distribution.dim, hidden=hidden, ambient_dim=ambient_dim)

    def draw(key: Key[Array, ""], num: int) -> Rows:
        rows = {name: array.astype(jnp.float32) for name, array in distribution.draw(key, num).items()}
        return rows | {"x": lift(network, rows["latent"] / jnp.float32(math.sqrt(distribution.mean_square)))}

    return dataset_of_points("lifted", draw, num_train, num_test, seed, noise)


def lifting_network(net_seed: int, dim: int, *, hidden: int = 100, ambient_dim: int = 100) -> LiftingNetwork:
    """Draws the network, float32.

    Args:
        net_seed: Seed of the network, in [0, 2³²).
        dim: m, the dimension of what it takes.
        hidden: Number of hidden units, at least 1.
        ambient_dim: n, the dimension of what it gives, at least 1.

    Raises:
        UsageError: If an option is out of range.
    """
    hidden, ambient_dim = integer_option("hidden", hidden, 1), integer_option("ambient_dim", ambient_dim, 1)
    key = jax.random.fold_in(jax.random.key(integer_option("net_seed", net_seed, 0, LARGEST_SEED)), _NETWORK)
    key_weights, key_biases, key_output = jax.random.split(key, 3)
    return LiftingNetwork(
        _xavier_uniform(key_weights, (hidden, dim), dim + hidden),
        _xavier_uniform(key_biases, (hidden,), dim + hidden),
        _xavier_uniform(key_output, (ambient_dim, hidden), hidden + ambient_dim),
    )


def lift(network: LiftingNetwork, z: Float[Array, "*batch m"]) -> Float[Array, "*batch n"]:
    """Returns V max(W z + b, 0).

    Args:
        network: The network.
        z: Points, already divided by the root of their mean square, `(..., m)`.
    """
    inner = jnp.matmul(z, network.hidden_weights.T, precision=_EXACT)
    inner = inner + jnp.expand_dims(network.hidden_biases, range(z.ndim - 1))
    return jnp.matmul(jax.nn.relu(inner), network.output_weights.T, precision=_EXACT)


def _xavier_uniform(key: Key[Array, ""], shape: tuple[int, ...], fans: int) -> Float[Array, "..."]:
    bound = math.sqrt(6 / fans)
    return jax.random.uniform(key, shape, jnp.float32, minval=-bound, maxval=bound)


def _interval(key: Key[Array, ""], num: int) -> Rows:
    parameter = jax.random.uniform(key, (num,), jnp.float32)
    return {"latent": _HALF_LENGTH * (2 * parameter[:, None] - 1), "parameter": parameter}


def _circle(key: Key[Array, ""], num: int) -> Rows:
    parameter = jax.random.uniform(key, (num,), jnp.float32)
    return {"latent": FlatTorus(1).from_angles(2 * math.pi * parameter[:, None]), "parameter": parameter}


def _uniform(manifold: Manifold, mean_square: float) -> _Space:
    return _Space(lambda key, num: {"latent": manifold.uniform(key, (num,))}, manifold.ambient_dim, mean_square)


_SPACES = {
    "interval": _Space(_interval, 1, 1.0),
    "circle": _Space(_circle, 2, 1.0),
    "sphere": _uniform(Sphere(2), 1.0),
    "torus": _uniform(FlatTorus(2), 2.0),
    "so3": _uniform(SO3(), 3.0),
    "plane": _uniform(Euclidean(2), 2.0),
}

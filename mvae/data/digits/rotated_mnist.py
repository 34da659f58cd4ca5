"""MNIST with every digit rotated by an angle of its own, and the same digit at other angles beside it."""

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.data.dataset import Batch, Dataset, Rows, integer_option
from mvae.data.digits.mnist import mnist
from mvae.data.digits.mnist import render as render_upright
from mvae.data.digits.mnist_files import SIDE
from mvae.data.digits.rotation import rotate
from mvae.errors import UsageError

PADDED_SIDE = 32
_FULL = 180.0


def rotated_mnist(
    *,
    dir: str = "",
    num_train: int = 0,
    num_test: int = 0,
    seed: int = 0,
    num_anchors: int = 3,
    max_angle: float = 180.0,
    anchor_spread: float = 180.0,
) -> Dataset:
    """Returns MNIST, padded by zeros to 32×32 pixels and rotated, with `num_anchors` further rotations of every digit.

    The angle of a digit is α, uniform on (-max_angle, max_angle]. Its anchors are at the angles

        α_k = α + anchor_spread · (2 (k + v) / N - 1),  k = 0, ..., N - 1,

    with v uniform on [0, 1): evenly spaced with a random phase, and with anchor_spread = 180 all the way round. α and v
    are drawn once for every digit: an epoch sees the angles that the one before saw. All angles are counter-clockwise
    as the image is displayed; `render` rotates, bilinearly and around the centre of the image (see
    `mvae.data.digits.rotation.rotate`).

    Rows have `"x"`, bytes `(28, 28, 1)`, neither padded nor rotated; `"label"`, int32; `"angle"`, α, and
    `"anchor_angles"`, `(N,)`, float32 in radians, the latter not reduced to (-π, π]. Batches have `"x"`, float32
    `(B, 32, 32, 1)` in [0, 1]; `"label"`, int32 `(B,)`; `"angle"`, float32 `(B,)`; `"anchors"`, float32
    `(B, N, 32, 32, 1)`.

    Args:
        dir: The folder of the four files of MNIST, as for `mvae.data.digits.mnist.mnist`.
        num_train: How many of the training images to keep, the first ones; 0 keeps all.
        num_test: How many of the test images to keep, the first ones; 0 keeps all.
        seed: Seed of the angles, in [0, 2³²).
        num_anchors: N, the number of anchors of a digit, at least 1.
        max_angle: The largest rotation, in degrees from 0 to 180.
        anchor_spread: The largest rotation from a digit to an anchor of it, in degrees from 0 to 180.

    Raises:
        UsageError: If an option is out of range, or the data are missing or damaged, or fewer than asked for.

    Source: after [connor2021, Sec. 4].
    The code published with it draws angles afresh in every epoch, from [0°, 350°) in training, and has the anchors of
    all digits at the same multiples of 360°/N.
    """
    integer_option("seed", seed, 0, 2**32 - 1)
    integer_option("num_anchors", num_anchors, 1)
    largest = _radians("max_angle", max_angle)
    spread = _radians("anchor_spread", anchor_spread)
    digits = mnist(dir=dir, num_train=num_train, num_test=num_test)
    key_train, key_test = jax.random.split(jax.random.key(seed))

    def with_angles(key: Key[Array, ""], rows: Rows) -> Rows:
        angle, anchor_angles = _angles(key, largest, spread, rows["label"].shape[0], num_anchors)
        return rows | {"angle": angle, "anchor_angles": anchor_angles}

    return Dataset(
        name="rotated_mnist",
        train=with_angles(key_train, digits.train),
        test=with_angles(key_test, digits.test),
        render=render,
        event_shape=(PADDED_SIDE, PADDED_SIDE, 1),
        rotated_by="angle",
    )


@functools.partial(jax.jit, static_argnums=(3, 4))
def _angles(
    key: Key[Array, ""], largest: Float[Array, ""] | float, spread: Float[Array, ""] | float, num: int, num_anchors: int
) -> tuple[Float[Array, " n"], Float[Array, "n N"]]:
    key_angle, key_phase = jax.random.split(key)
    angle = largest * (1.0 - 2.0 * jax.random.uniform(key_angle, (num,), jnp.float32))
    phase = jax.random.uniform(key_phase, (num, 1), jnp.float32)
    steps = (jnp.arange(num_anchors, dtype=jnp.float32) + phase) / num_anchors
    return angle, angle[:, None] + spread * (2.0 * steps - 1.0)


def _radians(option: str, degrees: float) -> float:
    if isinstance(degrees, bool) or not isinstance(degrees, int | float) or not 0 <= degrees <= _FULL:
        raise UsageError(f"data option {option}={degrees!r}: must be a number of degrees in [0, 180]")
    return math.radians(degrees)


def render(rows: Rows) -> Batch:
    """Returns the digits of bytes as images in [0, 1], padded and rotated, and their anchors; see `rotated_mnist`."""
    border = (PADDED_SIDE - SIDE) // 2
    image = render_upright(rows)["x"]
    image = jnp.pad(image, ((0, 0), (border, border), (border, border), (0, 0)))
    angles = jnp.concatenate([rows["angle"][:, None], rows["anchor_angles"]], axis=1)
    rotated = rotate(image[:, None], angles)
    return {"x": rotated[:, 0], "label": rows["label"], "angle": rows["angle"], "anchors": rotated[:, 1:]}

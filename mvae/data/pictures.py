"""Translations of one periodic picture on [-π, π]², drawn on the device [perezrey2019, Sec. 4.2].

A picture is a real trigonometric polynomial pic(θ, φ) = Σ_{pq} R_pq T_p(θ) T_q(φ) in the basis
T = (1, cos θ, ..., cos Nθ, sin θ, ..., sin Nθ). It is sampled at θ_i = -π + 2πi/S and φ_j = -π + 2πj/S with θ
along axis 0 of the image, downwards, and φ along axis 1, to the right. A translation (a, b) gives
pic(θ - a, φ - b), so that a moves the picture down and b moves it to the right.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Complex, Float

from mvae.data.dataset import Batch, Dataset, Rows, integer_option
from mvae.errors import UsageError

_EXACT = jax.lax.Precision.HIGHEST  # the default rounds float32 products to 10 bits on some accelerators


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Picture:
    """A periodic picture and the grid on which it is sampled.

    Attributes:
        coefficients: R, `(2N + 1, 2N + 1)`, in the basis of the module's docstring.
        size: S, pixels along a side.
    """

    coefficients: Float[Array, "K K"]
    size: int = dataclasses.field(metadata={"static": True})


def simple_picture(size: int = 64) -> Picture:
    """Returns pic(θ, φ) = (cos θ + cos φ) / 2, whose largest absolute value is 1.

    Args:
        size: Pixels along a side, at least 2.

    Returns:
        The picture. From size 3 on, the mean square of the difference of its translates by u and v is
        ¼ [(1 - cos(u₁ - v₁)) + (1 - cos(u₂ - v₂))]. It depends on u - v alone and is |u - v|²/8 for nearby
        ones: the translates form a flat torus, isometric up to a scaling.

    Source: [perezrey2019, Sec. 4.2], "Simple picture"; scaled.

    >>> round(float(jnp.abs(translate(simple_picture(8), jnp.zeros((1, 2)))).max()), 5)
    1.0
    """
    coefficients = np.zeros((3, 3), np.float32)
    coefficients[1, 0] = coefficients[0, 1] = 0.5
    return Picture(jnp.asarray(coefficients), size)


def fourier_picture(key: Array, max_frequency: int, gamma: ArrayLike, size: int = 64) -> Picture:
    """Draws a random picture from its Fourier coefficients.

    pic(θ, φ) = Re Σ_{k,l=-N}^{N} γ^{|k|+|l|-1} a_kl exp(i(kθ + lφ)), divided by max |pic| over the grid.

    The a_kl are independent standard complex normals: real and imaginary part are independent, of variance ½
    each, so that E|a_kl|² = 1. All (2N+1)² of them are drawn, the constant term (0, 0) included, to which the
    formula gives the weight γ⁻¹. A factor γ⁻¹ is common to all terms and drops out of the scaled picture, so
    the weights used here are γ^{|k|+|l|}.

    Args:
        key: Random key of the picture.
        max_frequency: N, the highest frequency in either direction. From size/2 on, the grid cannot tell a frequency
            from a lower one; translations remain exact.
        gamma: γ in (0, 1], the discount of a frequency.
        size: Pixels along a side, at least 2.

    Returns:
        The picture, with max |x| = 1 over the grid when it is not translated. Between the points of the grid,
        hence after a translation by a fraction of a pixel, |x| may exceed 1 slightly.

    Source: [perezrey2019, Sec. 4.2], "More complicated pictures"; scaled.
    """
    frequencies = np.arange(-max_frequency, max_frequency + 1)
    amplitudes = jax.random.normal(key, 2 * frequencies.shape, jnp.complex64)
    orders = np.abs(frequencies)[:, None] + np.abs(frequencies)[None, :]
    weights = jnp.asarray(gamma, jnp.float32) ** jnp.asarray(orders, jnp.float32)
    coefficients = _real_coefficients(amplitudes * weights.astype(jnp.complex64))
    image = translate(Picture(coefficients, size), jnp.zeros((1, 2), jnp.float32))
    return Picture(coefficients / jnp.max(jnp.abs(image)), size)


def _real_coefficients(c: Complex[Array, "K K"]) -> Float[Array, "K K"]:
    """Returns R with Re Σ_kl c_kl exp(i(kθ + lφ)) = Σ_pq R_pq T_p(θ) T_q(φ); k and l run from -N to N."""
    N = c.shape[0] // 2
    frequencies = np.arange(-N, N + 1)
    exponentials = np.zeros(c.shape, np.complex64)  # exp(ikθ) = cos |k|θ + i sign(k) sin |k|θ, in the basis T
    exponentials[frequencies + N, np.abs(frequencies)] = 1
    nonzero = frequencies[frequencies != 0]
    exponentials[nonzero + N, N + np.abs(nonzero)] = 1j * np.sign(nonzero)
    return jnp.einsum("kp,kl,lq->pq", exponentials, c, exponentials, precision=_EXACT).real


@jax.jit
def translate(picture: Picture, translations: Float[Array, "B 2"]) -> Float[Array, "B S S 1"]:
    """Draws translations of a picture: image_b[i, j] = pic(θ_i - a_b, φ_j - b_b).

    Exact for fractions of a pixel; by whole pixels, (a, b) = (2πm/S, 2πn/S), it equals
    `jnp.roll(image, (m, n), axis=(0, 1))`. Two products of small matrices per image; differentiable.

    Args:
        picture: The picture.
        translations: (a, b) in radians, `(B, 2)`, of any period.

    Returns:
        The images, in the dtype of `translations`.

    Raises:
        ValueError: If the translations do not have shape `(B, 2)` or are not floating-point numbers.
    """
    dtype = translations.dtype
    if translations.ndim != 2 or translations.shape[1] != 2 or not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"translations must be floats of shape (B, 2), got {dtype} {translations.shape}")
    grid = jnp.asarray(_angles(picture.size) - math.pi, dtype)
    coefficients = picture.coefficients.astype(dtype)
    max_frequency = coefficients.shape[0] // 2
    rows = _basis(grid[None] - translations[:, 0, None], max_frequency)
    columns = _basis(grid[None] - translations[:, 1, None], max_frequency)
    images = jnp.matmul(jnp.matmul(rows, coefficients, precision=_EXACT), columns.mT, precision=_EXACT)
    return images[..., None]


def _basis(angles: Float[Array, "B S"], max_frequency: int) -> Float[Array, "B S K"]:
    angles = angles[..., None]
    multiples = angles * jnp.arange(1, max_frequency + 1, dtype=angles.dtype)[None, None]
    return jnp.concatenate([jnp.ones_like(angles), jnp.cos(multiples), jnp.sin(multiples)], axis=-1)


def _angles(n: int) -> np.ndarray:
    return 2 * math.pi * np.arange(n) / n


def random_translations(key: Array, num: int) -> Float[Array, "N 2"]:
    """Returns independent translations, uniform on [0, 2π)², float32."""
    return jax.random.uniform(key, (num, 2), jnp.float32, maxval=2 * math.pi)


def translation_grid(n: int) -> Float[Array, "N 2"]:
    """Returns the regular grid of translations (2πi/n, 2πj/n), row by row: entry i·n + j belongs to (i, j).

    Args:
        n: Number of translations in either direction.

    >>> translation_grid(2).tolist()[1]
    [0.0, 3.1415927410125732]
    """
    a, b = np.meshgrid(_angles(n), _angles(n), indexing="ij")
    return jnp.asarray(np.stack([a, b], axis=-1).reshape(n * n, 2), jnp.float32)


def simple_pictures(*, size: int = 64, num_train: int = 13_056, num_test: int = 1000, seed: int = 0) -> Dataset:
    """Returns random translations of cos θ + cos φ.

    Args:
        size: Pixels along a side, at least 2.
        num_train: Number of training translations, at least 1; the default is 102 batches of 128.
        num_test: Number of test translations, at least 1, drawn afresh.
        seed: Seed of the translations, in [0, 2³²).

    Raises:
        UsageError: If an option is out of range.
    """
    _check_options(size, num_train, num_test, seed)
    return _translations_of("simple_picture", simple_picture(size), seed, num_train, num_test)


def fourier_pictures(
    *,
    size: int = 64,
    max_frequency: int = 2,
    gamma: float = 0.5,
    num_train: int = 13_056,
    num_test: int = 1000,
    seed: int = 0,
) -> Dataset:
    """Returns random translations of one random picture; see `fourier_picture`.

    Args:
        size: Pixels along a side, at least 2.
        max_frequency: N, the highest frequency in either direction, at least 1.
        gamma: γ in (0, 1], the discount of a frequency.
        num_train: Number of training translations, at least 1; the default is 102 batches of 128.
        num_test: Number of test translations, at least 1, drawn afresh.
        seed: Seed of the picture and of the translations, in [0, 2³²).

    Raises:
        UsageError: If an option is out of range.
    """
    _check_options(size, num_train, num_test, seed)
    integer_option("max_frequency", max_frequency, 1)
    if isinstance(gamma, bool) or not isinstance(gamma, int | float) or not 0 < gamma <= 1:
        raise UsageError(f"data option gamma={gamma!r}: must be a number in (0, 1]")
    picture = fourier_picture(_keys(seed)[0], max_frequency, gamma, size)
    return _translations_of("fourier_picture", picture, seed, num_train, num_test)


def _check_options(size: int, num_train: int, num_test: int, seed: int) -> None:
    integer_option("size", size, 2)
    integer_option("num_train", num_train, 1)
    integer_option("num_test", num_test, 1)
    if integer_option("seed", seed, 0) >= 2**32:
        raise UsageError(f"data option seed={seed!r}: must be less than 2**32")


def _keys(seed: int) -> tuple[Array, Array, Array]:
    key_picture, key_train, key_test = jax.random.split(jax.random.key(seed), 3)
    return key_picture, key_train, key_test


def _translations_of(name: str, picture: Picture, seed: int, num_train: int, num_test: int) -> Dataset:
    _, key_train, key_test = _keys(seed)

    def render(rows: Rows) -> Batch:
        return {"x": translate(picture, rows["translation"]), "translation": rows["translation"]}

    return Dataset(
        name=name,
        train={"translation": random_translations(key_train, num_train)},
        test={"translation": random_translations(key_test, num_test)},
        render=render,
        event_shape=(picture.size, picture.size, 1),
    )

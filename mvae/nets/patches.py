"""Convolutions of 4 × 4 filters with stride 2 as products of matrices.

XLA's convolution on CPU is slow, and several times slower still inside a loop (`lax.fori_loop`, `lax.scan`); its
products of matrices are fast in both places. On accelerators the convolution is the better choice. The patches take
memory: four times that of the images that go in.

Filters have the layout of Flax, `(4, 4, in, out)`, and what is computed is, to rounding, what `flax.linen.Conv` and
`flax.linen.ConvTranspose` compute with strides (2, 2).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

MODES = {"SAME": "constant", "CIRCULAR": "wrap"}


def conv4x4_stride2(
    x: Float[Array, "b *event"], kernel: Float[Array, "4 4 c f"], bias: Float[Array, " f"], padding: str
) -> Float[Array, "b h2 w2 f"]:
    """Returns y[i, j] = bias + Σ_{t,s=0}^{3} x[2i + t - 1, 2j + s - 1] kernel[t, s].

    Args:
        x: Images, (b, h, w, c).
        kernel: Filters, (4, 4, c, f).
        bias: What is added, (f,).
        padding: "SAME" continues x by zeros, "CIRCULAR" periodically.

    Returns:
        Images, (b, ⌈h/2⌉, ⌈w/2⌉, f).

    Raises:
        ValueError: If the filters are not 4 × 4 or not of as many channels as x, or the padding is unknown.
    """
    _check(x, kernel, padding)
    batch, height, width, channels = x.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    x = _pad(x, (1, 2 * rows + 1 - height), (1, 2 * columns + 1 - width), padding)
    cells = x.reshape(batch, rows + 1, 2, columns + 1, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    patches = _two_by_two(cells.reshape(batch, rows + 1, columns + 1, 4 * channels))
    matrix = kernel.reshape(2, 2, 2, 2, channels, -1).transpose(0, 2, 1, 3, 4, 5)  # cells first, pixels of one after
    return patches @ matrix.reshape(16 * channels, -1) + bias[None, None, None]


def conv_transpose4x4_stride2(
    x: Float[Array, "b *event"], kernel: Float[Array, "4 4 c f"], bias: Float[Array, " f"], padding: str
) -> Float[Array, "b 2h 2w f"]:
    """Returns y[i, j] = bias + Σ x[(i + t - 2)/2, (j + s - 2)/2] kernel[t, s], over the t and s that give integers.

    Args:
        x: Images, (b, h, w, c).
        kernel: Filters, (4, 4, c, f).
        bias: What is added, (f,).
        padding: "SAME" continues x by zeros, "CIRCULAR" periodically.

    Returns:
        Images, (b, 2h, 2w, f).

    Raises:
        ValueError: If the filters are not 4 × 4 or not of as many channels as x, or the padding is unknown.
    """
    _check(x, kernel, padding)
    batch, height, width, channels = x.shape
    filters = kernel.shape[-1]
    x = _pad(x, (1, 1), (1, 1), padding)
    # Row 2i + p has t = 2a + p for a = 0, 1, from row i + p + a of the padded x; columns alike.
    kernel = kernel.reshape(2, 2, 2, 2, channels, filters)  # a, p of the row, a, p of the column
    if 3 * filters < channels:  # whichever makes the smaller array: products to be added up, or patches
        products = x @ kernel.transpose(4, 0, 1, 2, 3, 5).reshape(channels, 16 * filters)
        products = products.reshape(batch, height + 2, width + 2, 2, 2, 2, 2, filters)
        products = products[:, :-1, :, 0] + products[:, 1:, :, 1]
        phases = products[:, :, :-1, :, 0] + products[:, :, 1:, :, 1]
    else:
        phases = _two_by_two(x) @ kernel.transpose(0, 2, 4, 1, 3, 5).reshape(4 * channels, 4 * filters)
        phases = phases.reshape(batch, height + 1, width + 1, 2, 2, filters)
    phases = jnp.stack([phases[:, :-1, :, 0], phases[:, 1:, :, 1]], axis=2)  # (b, h, 2, w + 1, 2, f)
    phases = jnp.stack([phases[:, :, :, :-1, 0], phases[:, :, :, 1:, 1]], axis=4)
    return phases.reshape(batch, 2 * height, 2 * width, filters) + bias[None, None, None]


def _check(x: Array, kernel: Array, padding: str) -> None:
    if padding not in MODES:
        raise ValueError(f"padding must be one of {', '.join(MODES)}, got {padding!r}")
    if x.ndim != 4 or kernel.ndim != 4 or kernel.shape[:3] != (4, 4, x.shape[3]):
        raise ValueError(f"x must have shape (b, h, w, c) and kernel (4, 4, c, f), got {x.shape} and {kernel.shape}")


def _pad(x: Array, rows: tuple[int, int], columns: tuple[int, int], padding: str) -> Array:
    return jnp.pad(x, ((0, 0), rows, columns, (0, 0)), mode=MODES[padding])


def _two_by_two(x: Float[Array, "b h1 w1 c"]) -> Float[Array, "b h w 4*c"]:
    """Every pixel beside its neighbours to the right, below, and below to the right."""
    return jnp.concatenate([x[:, :-1, :-1], x[:, :-1, 1:], x[:, 1:, :-1], x[:, 1:, 1:]], axis=-1)

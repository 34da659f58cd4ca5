"""Transport of points by the exponential of a weighted sum of operators."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.manifolds.checks import in_float32
from mvae.transport.checks import check_broadcast, check_floats, check_last, check_operators
from mvae.transport.exponential import expm_action


@in_float32
def transport(
    operators: Float[Array, "M d d"], coefficients: Float[Array, "*#batch M"], z: Float[Array, "*#batch d"]
) -> Float[Array, "*batch d"]:
    """Returns exp(Σ_m c_m Ψ_m) z.

    >>> import jax.numpy as jnp
    >>> shear = jnp.array([[[0.0, 1.0], [0.0, 0.0]]])
    >>> transport(shear, jnp.array([2.0]), jnp.array([1.0, 3.0])).tolist()
    [7.0, 3.0]

    Args:
        operators: Ψ, (M, d, d), the same for all points.
        coefficients: c, (..., M).
        z: Points, (..., d); leading axes broadcast.

    Returns:
        Points, (..., d), with the limits of `expm_action`.

    Raises:
        ValueError: For wrong shapes or dtypes, or a sum whose 1-norm is above that of `expm_action`.

    Source: [connor2021, Eqs. 1 and 2].
    """
    operators = check_operators(operators)
    coefficients = check_last("coefficients", coefficients, len(operators))
    z = check_last("z", z, operators.shape[-1])
    check_broadcast(coefficients=coefficients.shape[:-1], z=z.shape[:-1])
    return expm_action(_generator(operators, coefficients), z)


@in_float32
def path(
    operators: Float[Array, "M d d"],
    coefficients: Float[Array, "*#batch M"],
    z: Float[Array, "*#batch d"],
    times: Float[Array, " T"],
) -> Float[Array, "*batch T d"]:
    """Returns the points exp(t Σ_m c_m Ψ_m) z at the given times: z at t = 0, `transport` at t = 1.

    Args:
        operators: Ψ, (M, d, d).
        coefficients: c, (..., M).
        z: Points, (..., d); leading axes broadcast.
        times: t, (T,), of any sign and in any order.

    Raises:
        ValueError: For wrong shapes or dtypes, or too large a norm, as `transport`.

    Source: [connor2021, Sec. 4], paths between pairs of points.
    """
    times = check_floats("times", times, 1)
    if times.ndim != 1:
        raise ValueError(f"times must have shape (T,), got {times.shape}")
    coefficients = check_floats("coefficients", coefficients, 1)
    z = check_floats("z", z, 1)
    return transport(operators, times[:, None] * coefficients[..., None, :], z[..., None, :])


def _generator(operators: Float[Array, "M d d"], coefficients: Float[Array, "*batch M"]) -> Float[Array, "*batch d d"]:
    return jnp.einsum("...m,mij->...ij", coefficients, operators, precision=jax.lax.Precision.HIGHEST)

"""Derivatives of inferred coefficients in what they were inferred from."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from mvae.manifolds.checks import in_float32
from mvae.transport.checks import check_broadcast, check_last, check_operators
from mvae.transport.operators import transport


class ImplicitCoefficients(NamedTuple):
    """Coefficients as a function of what they were inferred from.

    Attributes:
        coefficients: c, with the values that were given.
        regular: Whether the Hessian on the coefficients that are not zero is positive definite beyond rounding. Where
            it is not, the minimum does not move smoothly, and c is constant.
    """

    coefficients: Float[Array, "*batch M"]
    regular: Bool[Array, "*batch"]


@in_float32
def implicit_coefficients(
    operators: Float[Array, "M d d"],
    coefficients: Float[Array, "*#batch M"],
    z0: Float[Array, "*#batch d"],
    z1: Float[Array, "*#batch d"],
    *,
    l1_weight: float | Float[Array, ""],
) -> ImplicitCoefficients:
    """Returns a minimum c of ½ |z1 - exp(Σ_m c_m Ψ_m) z0|² + λ|c|_1, differentiable in Ψ, z0, z1 and λ.

    On the set S of the coefficients that are not zero the gradient g_S of the first term is -λ sign(c_S), so that by
    the implicit function theorem dc_S = -H_SS⁻¹ (dg_S + dλ sign(c_S)), where H is the Hessian; the others stay zero.
    The value is c itself. First derivatives, forward and reverse, are right; second ones are not.

    Args:
        operators: Ψ, (M, d, d).
        coefficients: c, (..., M), as `infer_coefficients` returns them; derivatives in them are zero. The error of the
            derivatives is in proportion to that of c, so that a small tolerance may be wanted there.
        z0: Where the transport starts, (..., d).
        z1: Where it ends, (..., d); leading axes broadcast.
        l1_weight: λ.

    Raises:
        ValueError: For wrong shapes or dtypes.
    """
    operators = check_operators(operators)
    coefficients = jax.lax.stop_gradient(check_last("coefficients", coefficients, len(operators)))
    z0, z1 = (check_last(name, z, operators.shape[-1]) for name, z in (("z0", z0), ("z1", z1)))
    batch = check_broadcast(coefficients=coefficients.shape[:-1], z0=z0.shape[:-1], z1=z1.shape[:-1])
    arrays = [jnp.broadcast_to(x, (*batch, x.shape[-1])) for x in (coefficients, z0, z1)]

    def slope(c: Float[Array, "*batch M"]) -> Float[Array, "*batch M"]:
        """Gradient of the first term and the sign of the second."""
        point, pull = jax.vjp(lambda c: transport(operators, c, arrays[1]), c)
        return pull(point - arrays[2])[0] + l1_weight * jnp.sign(c)

    c = arrays[0]
    hessian = jax.lax.stop_gradient(jnp.stack([jax.jvp(slope, (c,), (e,))[1] for e in _directions(c)], axis=-1))
    active = c != 0
    both = active[..., :, None] & active[..., None, :]
    reduced = jnp.where(both, (hessian + jnp.swapaxes(hessian, -1, -2)) / 2, jnp.eye(c.shape[-1], dtype=c.dtype))
    curvatures, modes = jnp.linalg.eigh(reduced)
    least = 8 * c.shape[-1] * jnp.finfo(c.dtype).eps * jnp.max(jnp.abs(curvatures), axis=-1)
    regular = jnp.all(curvatures > least[..., None], axis=-1)
    change = slope(c)
    change = jnp.where(active & regular[..., None], change - jax.lax.stop_gradient(change), 0)
    weights = jnp.einsum("...ij,...i->...j", modes, change, precision="highest")
    weights = weights / jnp.where(regular[..., None], curvatures, 1)
    moved = jnp.einsum("...ij,...j->...i", modes, weights, precision="highest")
    return ImplicitCoefficients(c - moved, regular)


def _directions(c: Float[Array, "*batch M"]) -> Float[Array, "M *batch M"]:
    return jnp.moveaxis(jnp.broadcast_to(jnp.eye(c.shape[-1], dtype=c.dtype), (*c.shape, c.shape[-1])), -2, 0)

"""Random transport of a point along learned operators plus noise: its samples and density [connor2021, Sec. 2.3]."""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from mvae.models.likelihood import LOG_TWO_PI
from mvae.transport import implicit_coefficients, transport

COEFFICIENT_GRADIENTS = ("fixed", "implicit")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransportDistribution:
    """The distribution of z = exp(Σ_m c_m Ψ_m) μ + γ ε with c_m ~ Laplace(0, b) and ε ~ N(0, I), given μ.

    Attributes:
        noise_scale: γ.
        laplace_scale: b.
        l1_weight: Weight λ of |c|_1 when coefficients are inferred; None for γ²/b, which is what the distribution says.
    """

    noise_scale: float = 0.05
    laplace_scale: float = 1.0
    l1_weight: float | None = None

    def __post_init__(self):
        for name in ("noise_scale", "laplace_scale"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} must be a positive number, got {getattr(self, name)}")
        if self.l1_weight is not None and not (math.isfinite(self.l1_weight) and self.l1_weight >= 0):
            raise ValueError(f"l1_weight must be zero or more, got {self.l1_weight}")

    @property
    def weight(self) -> float:
        """λ."""
        return self.noise_scale**2 / self.laplace_scale if self.l1_weight is None else self.l1_weight


class Draw(NamedTuple):
    """A sample and what led there.

    Attributes:
        z: Points.
        coefficients: c.
        noise: ε.
    """

    z: Float[Array, "*batch d"]
    coefficients: Float[Array, "*batch M"]
    noise: Float[Array, "*batch d"]


def draw(
    key: Key[Array, ""],
    distribution: TransportDistribution,
    operators: Float[Array, "M d d"],
    location: Float[Array, "*#batch d"],
    shape: tuple[int, ...] = (),
) -> Draw:
    """Returns samples of the distribution, differentiable in operators and location.

    Args:
        key: Source of coefficients and noise.
        distribution: γ and b.
        operators: Ψ.
        location: μ, (..., d).
        shape: Samples for each location, on leading axes.

    Source: [connor2021, Eq. 5].
    """
    coefficient_key, noise_key = jax.random.split(key)
    batch = (*shape, *location.shape[:-1])
    coefficients = distribution.laplace_scale * jax.random.laplace(
        coefficient_key, (*batch, len(operators)), location.dtype
    )
    noise = jax.random.normal(noise_key, (*batch, location.shape[-1]), location.dtype)
    return Draw(drawn_by(distribution, operators, location, coefficients, noise), coefficients, noise)


def drawn_by(
    distribution: TransportDistribution,
    operators: Float[Array, "M d d"],
    location: Float[Array, "*#batch d"],
    coefficients: Float[Array, "*batch M"],
    noise: Float[Array, "*batch d"],
) -> Float[Array, "*batch d"]:
    """Returns exp(Σ_m c_m Ψ_m) μ + γ ε, the sample that coefficients c and noise ε make."""
    return transport(operators, coefficients, location) + distribution.noise_scale * noise


class Explained(NamedTuple):
    """Points as explained from some locations, a group of those for `log_densities`.

    Attributes:
        distribution: γ, b and λ.
        location: μ, (..., d).
        z: Points, (..., d).
        coefficients: c, inferred, (..., M).
    """

    distribution: TransportDistribution
    location: Float[Array, "*#batch d"]
    z: Float[Array, "*#batch d"]
    coefficients: Float[Array, "*#batch M"]


def log_densities(
    operators: Float[Array, "M d d"], groups: Sequence[Explained], *, gradient: str = "fixed"
) -> tuple[Float[Array, "..."], ...]:
    """Returns log q(z | c, μ) q(c) of each group in nats: log densities of z, integrals over c replaced by maxima.

    -|z - exp(Σ c_m Ψ_m) μ|²/(2γ²) - (d/2) log 2πγ² - |c|_1/b - M log 2b. All points are transported at once, so that
    this is compiled, with its derivatives, once for all groups.

    Derivatives are those with c held fixed. Where λ = γ²/b, c is a maximum of this very function, so that they are the
    derivatives of the maximum too, c moving along. With another λ they are not; gradient = "implicit" has c move.

    Args:
        operators: Ψ.
        groups: What is explained from where, of any shapes.
        gradient: "fixed" or "implicit".

    Source: [connor2021, Eqs. 6 and 7].
    """
    full = []
    for distribution, location, z, c in groups:
        if gradient == "implicit":
            c = implicit_coefficients(operators, c, location, z, l1_weight=distribution.weight).coefficients
        batch = jnp.broadcast_shapes(*(x.shape[:-1] for x in (location, z, c)))
        full.append(Explained(distribution, *(jnp.broadcast_to(x, (*batch, x.shape[-1])) for x in (location, z, c))))
    starts, _, coefficients = (
        jnp.concatenate([x.reshape(-1, x.shape[-1]) for x in arrays]) for arrays in list(zip(*full, strict=True))[1:]
    )
    borders = np.cumsum([group.z[..., 0].size for group in full])[:-1]
    moved = jnp.split(transport(operators, coefficients, starts), borders)
    return tuple(
        _log_density(group.distribution, group.z - reached.reshape(group.z.shape), group.coefficients)
        for group, reached in zip(full, moved, strict=True)
    )


def _log_density(
    distribution: TransportDistribution, residual: Float[Array, "*batch d"], coefficients: Float[Array, "*batch M"]
) -> Float[Array, "*batch"]:
    noise = -0.5 * jnp.sum(residual**2, axis=-1) / distribution.noise_scale**2
    noise -= residual.shape[-1] * (0.5 * LOG_TWO_PI + math.log(distribution.noise_scale))
    sparsity = jnp.sum(jnp.abs(coefficients), axis=-1) / distribution.laplace_scale
    return noise - sparsity - coefficients.shape[-1] * math.log(2 * distribution.laplace_scale)

"""Surfaces without closed-form geometry, as constraints for `Implicit`."""

import types
from collections.abc import Mapping

from jaxtyping import Array, Float

from mvae.manifolds.implicit.manifold import Implicit

_LEVEL = 0.12


def genus_two(x: Float[Array, "3"]) -> Float[Array, ""]:
    """The closed surface of genus 2, a thickened figure eight, on which this function vanishes.

      g^2 + z^2 / 4 = r^2,   g = (x/2)^4 - (x/2)^2 + (y/2)^2,   r = 0.12.

    The curve g = 0 is a lemniscate, and the surface goes around it at the levels |g| <= r. It is smooth: the
    gradient of the left-hand side vanishes on it only where that of g does with g = +-r, and the critical values
    of g are 0 and -1/4.

    >>> from mvae.manifolds import Implicit
    >>> Implicit(genus_two, dim=2, ambient_dim=3).dim
    2

    Args:
        x: A point, (3,).

    Returns:
        The value, (); its zeros are within |x| <= 2.11, |y| <= 1.22, |z| <= 0.24.
    """
    square = (x[0] / 2) ** 2
    level = square**2 - square + (x[1] / 2) ** 2
    return level**2 + x[2] ** 2 / 4 - _LEVEL**2


SURFACES: Mapping[str, Implicit] = types.MappingProxyType({"genus_two": Implicit(genus_two, dim=2, ambient_dim=3)})
"""The surfaces of this module by name."""

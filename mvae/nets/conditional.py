"""Networks that are given a known condition, such as the batch or the camera of an example, beside their input."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from mvae.manifolds import Group
from mvae.nets.build import Encoder, Network, Params, averaged


def conditional_encoder(
    encoder: Encoder, num_conditions: int, seen: Callable[[Array, Any], Array], *, channels: bool = False
) -> Encoder:
    """Returns an encoder whose functions of x take `condition` and `size_factor`, too.

    Its input is seen(x, size_factor) and the condition as numbers 0 and 1 beside it: more channels of an image, more
    entries of a vector.

    Args:
        encoder: The encoder.
        num_conditions: Categories of the condition; 0 for none.
        seen: (x, size factor) -> what the encoder is given of x.
        channels: Whether the condition is added as channels of images, (b, h, w, c + k); else x are flattened to
            vectors, (b, n + k).
    """

    def joined(x: Array, condition: Array | None = None, size_factor: Array | float = 1.0) -> Array:
        x = seen(x, size_factor)
        if not num_conditions:
            return x
        known = one_hot(condition, x.shape[0], num_conditions, x.dtype)
        if channels:
            known = jnp.broadcast_to(known[:, None, None], (*x.shape[:-1], num_conditions))
            return jnp.concatenate([x, known], axis=-1)
        return jnp.concatenate([x.reshape(x.shape[0], -1), known], axis=-1)

    def init(key: Key[Array, ""], x: Array, **given: Any) -> Params:
        return encoder.init(key, joined(x, **given))

    def hidden(params: Params, x: Array, **given: Any) -> Array:
        return encoder.hidden(params, joined(x, **given))

    def outputs(params: Params, x: Array, **given: Any) -> dict[str, Array]:
        return encoder.outputs(params, joined(x, **given))

    return Encoder(init, hidden, outputs, encoder.with_location)


def conditional_decoder(decoder: Network, num_conditions: int, symmetry: Group | None = None) -> Network:
    """Returns a decoder of points whose `apply` takes a `condition`, too: it sees (b, n + k).

    Args:
        decoder: The decoder.
        num_conditions: Categories k of the condition.
        symmetry: A group with f(g z, c) = f(z, c), by averaging over it.
    """

    def joined(z: Array, condition: Array | None) -> Array:
        return jnp.concatenate([z, one_hot(condition, z.shape[0], num_conditions, z.dtype)], axis=-1)

    def init(key: Key[Array, ""], z: Array) -> Params:
        return decoder.init(key, joined(z, None))

    copies = 1 if symmetry is None else symmetry.order

    def apply(params: Params, z: Float[Array, "b n"], condition: Int[Array, " b"] | None = None) -> Array:
        def at(points: Array) -> Array:
            given = condition if condition is None else jnp.tile(jnp.asarray(condition), copies)
            return decoder.apply(params, joined(points, given))

        return averaged(at, z, symmetry)

    return Network(init, apply)


def one_hot(condition: Array | None, num: int, num_conditions: int, dtype: Any) -> Float[Array, "b k"]:
    """Returns categories, (b,), as rows of zeros with a one; the first category if none are given."""
    categories = jnp.zeros(num, jnp.int32) if condition is None else jnp.asarray(condition, jnp.int32)
    return jax.nn.one_hot(categories, num_conditions, dtype=dtype)

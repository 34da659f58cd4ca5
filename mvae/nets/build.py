"""Encoder and decoder of a model: by the name of their architecture, or a user's own pair of functions."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.manifolds import Group
from mvae.manifolds.quotient.space import orbit
from mvae.nets.conv import ConvDecoder, ConvEncoder
from mvae.nets.head import HEAD, Head, apply_head, head_kernel, heads_of, num_columns, split_heads
from mvae.nets.mlp import MLPDecoder, MLPEncoder

NETS = ("mlp", "conv", "circular_conv")
Params = Any


class Network(NamedTuple):
    """A network as two pure functions; a Flax module has them as methods.

    Attributes:
        init: (key, input) -> parameters; the input has a batch axis.
        apply: (parameters, input) -> output. Of an encoder: x (b, *event) -> features, (b, k). Of a decoder: points of
            the latent space, (b, n) -> (b, *event), the parameter of p(x | z) before the likelihood's own function.
    """

    init: Callable[[Key[Array, ""], Array], Params]
    apply: Callable[..., Any]


class Encoder(NamedTuple):
    """An encoder with named heads.

    Attributes:
        init: (key, x) -> parameters.
        hidden: (parameters, x) -> the features that the heads read, (b, k).
        outputs: (parameters, x) -> each head's output by its name, (b, size).
        with_location: (parameters, kernel (k, size), bias (size,)) -> parameters in which the head "location" is this
            layer, and the others are as they start.
    """

    init: Callable[[Key[Array, ""], Array], Params]
    hidden: Callable[[Params, Array], Float[Array, "b k"]]
    outputs: Callable[[Params, Array], dict[str, Array]]
    with_location: Callable[[Params, Array, Array], Params]


def build_encoder(net: str, widths: tuple[int, ...], heads: Mapping[str, Head], own: Network | None = None) -> Encoder:
    """Returns the encoder of an architecture, or heads on a user's own network.

    Args:
        net: One of `NETS`.
        widths: Its widths, for convolutions channels.
        heads: What the latent space wants of it, by name; of these "location" comes first.
        own: A user's own network to features, in place of `net`.

    Raises:
        ValueError: For another name of an architecture.
    """
    _check_name(net)
    columns = heads_of(heads)
    if own is not None:
        return _on_features(own, heads)
    if net == "mlp":
        module: MLPEncoder | ConvEncoder = MLPEncoder(widths, columns)
    else:
        module = ConvEncoder(widths, columns, _padding(net))
    apply: Callable[..., Any] = module.apply

    def with_location(params: Params, kernel: Array, bias: Array) -> Params:
        return {"params": {**params["params"], HEAD: _padded(kernel, bias, num_columns(columns))}}

    return Encoder(
        module.init,
        lambda params, x: apply(params, x, method=module.hidden),
        lambda params, x: apply(params, x),
        with_location,
    )


def _on_features(own: Network, heads: Mapping[str, Head]) -> Encoder:
    """Heads on the features of a user's own network."""
    columns = heads_of(heads)

    def init(key: Key[Array, ""], x: Array) -> Params:
        network_key, head_key = jax.random.split(key)
        features = own.init(network_key, x)
        shape = jax.eval_shape(own.apply, features, x)
        if getattr(shape, "ndim", None) != 2 or shape.shape[0] != x.shape[0]:
            raise ValueError(f"encoder must give features (b, k) of x {x.shape}, it gives {shape}")
        kernel = head_kernel(head_key, shape.shape[1], columns)
        return {"features": features, HEAD: {"kernel": kernel, "bias": jnp.zeros(kernel.shape[1:])}}

    def hidden(params: Params, x: Array) -> Float[Array, "b k"]:
        return own.apply(params["features"], x)

    def outputs(params: Params, x: Array) -> dict[str, Array]:
        features = hidden(params, x)
        return split_heads(apply_head(params[HEAD], features), columns, features.shape[-1])

    def with_location(params: Params, kernel: Array, bias: Array) -> Params:
        return {**params, HEAD: _padded(kernel, bias, num_columns(columns))}

    return Encoder(init, hidden, outputs, with_location)


def _padded(kernel: Float[Array, "k size"], bias: Float[Array, " size"], size: int) -> dict[str, Array]:
    """A layer with columns of zeros for the heads that start at a value."""
    rest = size - bias.shape[0]
    return {"kernel": jnp.pad(kernel, ((0, 0), (0, rest))), "bias": jnp.pad(bias, (0, rest))}


def build_decoder(
    net: str,
    widths: tuple[int, ...],
    event_shape: tuple[int, ...],
    own: Network | None = None,
    *,
    symmetry: Group | None = None,
    zero_output: bool = True,
) -> Network:
    """Returns the decoder of an architecture, or a user's own.

    Args:
        net: One of `NETS`.
        widths: Its widths, for convolutions channels, from the latent space on.
        event_shape: Shape of an example; (height, width, channels) for convolutions.
        own: A user's own decoder, in place of `net`.
        symmetry: A group with f(g z) = f(z), by construction; a user's own is averaged over it.
        zero_output: Whether all that is decoded is zero at initialisation; a user's own starts as it does.

    Raises:
        ValueError: For another name of an architecture.
    """
    _check_name(net)
    if own is not None:
        return _checked(own, event_shape, symmetry)
    if net == "mlp":
        module: MLPDecoder | ConvDecoder = MLPDecoder(widths, event_shape, symmetry, zero_output)
    else:
        module = ConvDecoder(widths, event_shape, symmetry, _padding(net), zero_output)
    return Network(module.init, module.apply)


def averaged(
    apply: Callable[[Array], Array], z: Float[Array, "b n"], symmetry: Group | None
) -> Float[Array, "b *event"]:
    """Returns a function of points, or its mean over their images under a group."""
    if symmetry is None:
        return apply(z)
    output = apply(orbit(symmetry, z).reshape(-1, z.shape[-1]))
    return jnp.mean(output.reshape(symmetry.order, *z.shape[:1], *output.shape[1:]), axis=0)


def _checked(own: Network, event_shape: tuple[int, ...], symmetry: Group | None) -> Network:
    def init(key: Key[Array, ""], z: Array) -> Params:
        params = own.init(key, z)
        shape = jax.eval_shape(own.apply, params, z).shape
        if shape != (len(z), *event_shape):
            raise ValueError(f"decoder must give {(len(z), *event_shape)} of points {z.shape}, it gives {shape}")
        return params

    def apply(params: Params, z: Array) -> Array:
        return averaged(lambda points: own.apply(params, points), z, symmetry)

    return Network(init, apply)


def _check_name(net: str) -> None:
    if net not in NETS:
        raise ValueError(f"net must be one of {', '.join(NETS)}, got {net!r}")


def _padding(net: str) -> str:
    return "CIRCULAR" if net == "circular_conv" else "SAME"

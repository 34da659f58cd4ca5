"""Flax networks: encoders to a point and a time, decoders from the latent space to a picture."""

from mvae.nets.conv import ConvDecoder, ConvEncoder
from mvae.nets.mlp import MLPDecoder, MLPEncoder

__all__ = ["ConvDecoder", "ConvEncoder", "MLPDecoder", "MLPEncoder"]

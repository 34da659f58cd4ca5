"""Flax networks: encoders with named heads, decoders, covariances, a classifier; a user's own networks."""

from mvae.nets.build import NETS, Encoder, Network, build_decoder, build_encoder
from mvae.nets.classifier import MLPClassifier
from mvae.nets.conditional import conditional_decoder, conditional_encoder
from mvae.nets.conv import ConvDecoder, ConvEncoder
from mvae.nets.covariance import CovarianceNet
from mvae.nets.head import Head
from mvae.nets.mlp import MLPDecoder, MLPEncoder
from mvae.nets.smooth_mlp import SmoothMLP

__all__ = [
    "NETS",
    "ConvDecoder",
    "ConvEncoder",
    "CovarianceNet",
    "Encoder",
    "Head",
    "MLPClassifier",
    "MLPDecoder",
    "MLPEncoder",
    "Network",
    "SmoothMLP",
    "build_decoder",
    "build_encoder",
    "conditional_decoder",
    "conditional_encoder",
]

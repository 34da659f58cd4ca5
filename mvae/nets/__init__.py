"""Flax networks: encoders to points and times, decoders to pictures, covariances, a classifier."""

from mvae.nets.build import NETS, build_nets
from mvae.nets.classifier import MLPClassifier
from mvae.nets.conv import ConvDecoder, ConvEncoder
from mvae.nets.covariance import CovarianceNet
from mvae.nets.mlp import MLPDecoder, MLPEncoder
from mvae.nets.smooth_mlp import SmoothMLP

__all__ = [
    "NETS",
    "ConvDecoder",
    "ConvEncoder",
    "CovarianceNet",
    "MLPClassifier",
    "MLPDecoder",
    "MLPEncoder",
    "SmoothMLP",
    "build_nets",
]

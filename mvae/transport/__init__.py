"""Transport operators: the action of matrix exponentials, paths, and the inference of coefficients."""

from mvae.transport.exponential import expm_action
from mvae.transport.implicit import ImplicitCoefficients, implicit_coefficients
from mvae.transport.inference import Inference, Pairs, infer_coefficients, infer_jointly
from mvae.transport.operators import path, transport

__all__ = [
    "ImplicitCoefficients",
    "Inference",
    "Pairs",
    "expm_action",
    "implicit_coefficients",
    "infer_coefficients",
    "infer_jointly",
    "path",
    "transport",
]

"""Transport operators: the action of matrix exponentials, paths, and the inference of coefficients."""

from mvae.transport.exponential import expm_action
from mvae.transport.implicit import ImplicitCoefficients, implicit_coefficients
from mvae.transport.inference import Inference, infer_coefficients
from mvae.transport.operators import path, transport

__all__ = [
    "ImplicitCoefficients",
    "Inference",
    "expm_action",
    "implicit_coefficients",
    "infer_coefficients",
    "path",
    "transport",
]

"""Transport operators: the action of matrix exponentials, paths, and the inference of coefficients."""

from mvae.transport.exponential import expm_action
from mvae.transport.inference import Inference, infer_coefficients
from mvae.transport.operators import path, transport

__all__ = ["Inference", "expm_action", "infer_coefficients", "path", "transport"]

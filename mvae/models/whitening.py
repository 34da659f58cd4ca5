"""Data-dependent initialisation: the output of a linear head starts white over a batch."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.models.model import Params


def whiten_head(params: Params, head: str, output: Float[Array, "b n"]) -> Params:
    """Returns the parameters with one Dense layer changed so that its output has mean 0 and covariance I.

    With y = h W + b, mean μ and covariance C = U Λ Uᵀ of y over the batch: W ← W A, b ← (b - μ) A,
    A = U Λ^(-1/2) Uᵀ. Directions in which the batch does not vary (Λ below 1e-6 of its largest) are
    left at the scale of that bound.

    Why: a random network sends all of the data near one point of the manifold. Centred and white, the data
    start out around the whole of it, which a sphere, a torus or a Gaussian prior all want.

    Args:
        params: Variables of the network, {"params": {head: {"kernel", "bias"}, ...}}.
        head: Name of the Dense layer.
        output: Its output over a batch, (b, n).

    Returns:
        The variables, the named layer replaced.
    """
    mean = jnp.mean(output, axis=0)
    centred = output - mean
    covariance = centred.T @ centred / output.shape[0]
    eigenvalues, eigenvectors = jnp.linalg.eigh(covariance)
    bounded = jnp.maximum(eigenvalues, 1e-6 * eigenvalues[-1] + jnp.finfo(output.dtype).tiny)
    whitener = (eigenvectors / jnp.sqrt(bounded)) @ eigenvectors.T
    layer = params["params"][head]
    whitened = {"kernel": layer["kernel"] @ whitener, "bias": (layer["bias"] - mean) @ whitener}
    return {**params, "params": {**params["params"], head: whitened}}

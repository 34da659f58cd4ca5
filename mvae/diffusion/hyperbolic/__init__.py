"""Brownian motion on hyperbolic space: density, samples, and the divergence from the prior."""

from mvae.diffusion.hyperbolic import brownian

__all__ = ["brownian"]

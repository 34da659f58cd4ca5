"""Brownian motion on quotients: heat kernels, samples and divergences from those of the cover."""

from mvae.diffusion.quotient import kernel, kl

__all__ = ["kernel", "kl"]

"""Brownian motion on a manifold, with generator one half of the Laplacian: walks, samples, densities."""

from mvae.diffusion import hyperbolic, quotient  # noqa: F401 -- they register what they have
from mvae.diffusion.heat_kernel import is_expansion, log_heat_kernel
from mvae.diffusion.kl import asymptotic_kl, kl_to_uniform
from mvae.diffusion.prior import log_prior
from mvae.diffusion.random_walk import random_walk
from mvae.diffusion.sampling import sample

__all__ = ["asymptotic_kl", "is_expansion", "kl_to_uniform", "log_heat_kernel", "log_prior", "random_walk", "sample"]

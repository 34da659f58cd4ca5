"""Latent-variable models whose latent space is a manifold, in JAX."""

__version__ = "0.1.0"

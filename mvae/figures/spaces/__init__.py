"""Latent spaces and clouds of points."""

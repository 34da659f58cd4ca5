"""Spectral geometry of data: affinities and diffusion maps."""

from mvae.spectral.affinity import gaussian_affinity, squared_distances
from mvae.spectral.diffusion_map import DiffusionMap, diffusion_map

__all__ = ["DiffusionMap", "diffusion_map", "gaussian_affinity", "squared_distances"]

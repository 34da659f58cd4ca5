"""Spectral geometry of data: neighbours, affinities and diffusion maps."""

from mvae.spectral.affinity import gaussian_affinity, squared_distances
from mvae.spectral.diffusion_map import DiffusionMap, diffusion_map
from mvae.spectral.neighbors import Neighbors, nearest_neighbors

__all__ = [
    "DiffusionMap",
    "Neighbors",
    "diffusion_map",
    "gaussian_affinity",
    "nearest_neighbors",
    "squared_distances",
]

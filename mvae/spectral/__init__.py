"""Spectral geometry of data: neighbours, affinities and diffusion maps."""

from mvae.spectral.affinity import gaussian_affinity, squared_distances
from mvae.spectral.diffusion_map import DiffusionMap, diffusion_map
from mvae.spectral.neighbors import Neighbors, nearest_neighbors
from mvae.spectral.sparse_affinity import SparseAffinity, connected_components, sparse_gaussian_affinity

__all__ = [
    "DiffusionMap",
    "Neighbors",
    "SparseAffinity",
    "connected_components",
    "diffusion_map",
    "gaussian_affinity",
    "nearest_neighbors",
    "sparse_gaussian_affinity",
    "squared_distances",
]

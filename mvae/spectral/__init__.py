"""Spectral geometry of data: neighbours, affinities, diffusion maps, orthonormal functions, local covariance."""

from mvae.spectral.affinity import gaussian_affinity, squared_distances
from mvae.spectral.diffusion_map import DiffusionMap, diffusion_map
from mvae.spectral.local_covariance import local_covariance
from mvae.spectral.neighbors import Neighbors, nearest_neighbors
from mvae.spectral.nystrom import nystrom
from mvae.spectral.orthonormal import Orthonormal, orthonormalize
from mvae.spectral.sparse_affinity import SparseAffinity, connected_components, sparse_gaussian_affinity

__all__ = [
    "DiffusionMap",
    "Neighbors",
    "Orthonormal",
    "SparseAffinity",
    "connected_components",
    "diffusion_map",
    "gaussian_affinity",
    "local_covariance",
    "nearest_neighbors",
    "nystrom",
    "orthonormalize",
    "sparse_gaussian_affinity",
    "squared_distances",
]

"""Spectral geometry of data: neighbours, affinities, diffusion maps, orthonormal functions, local covariance."""

from mvae.spectral.affinity import gaussian_affinity
from mvae.spectral.copies import Distinct, distinct_points
from mvae.spectral.diffusion_map import DiffusionMap, diffusion_map
from mvae.spectral.distances import squared_distances
from mvae.spectral.local_covariance import local_covariance
from mvae.spectral.neighbors import Neighbors, nearest_neighbors
from mvae.spectral.nystrom import nystrom
from mvae.spectral.orthonormal import Orthonormal, orthonormalize
from mvae.spectral.pointwise_graph import (
    PointwiseGraph,
    cross_affinities,
    graph_of_neighbors,
    graph_sums,
    pair_affinities,
    pointwise_graph,
)
from mvae.spectral.sparse_affinity import SparseAffinity, connected_components, sparse_gaussian_affinity

__all__ = [
    "DiffusionMap",
    "Distinct",
    "Neighbors",
    "Orthonormal",
    "PointwiseGraph",
    "SparseAffinity",
    "connected_components",
    "cross_affinities",
    "diffusion_map",
    "distinct_points",
    "gaussian_affinity",
    "graph_of_neighbors",
    "graph_sums",
    "local_covariance",
    "nearest_neighbors",
    "nystrom",
    "orthonormalize",
    "pair_affinities",
    "pointwise_graph",
    "sparse_gaussian_affinity",
    "squared_distances",
]

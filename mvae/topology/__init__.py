"""Topology of maps and clouds: mapping degrees, Betti numbers, coordinates from persistent cohomology, manifolds."""

from mvae.topology.bundles import Lines, Strip, projective_coordinates, strip_coordinates
from mvae.topology.coordinates import (
    COVERS,
    Candidate,
    Coordinates,
    circular_coordinates,
    extend_coordinates,
    toroidal_coordinates,
)
from mvae.topology.distances import blurred_images, geodesic_distances, scaled_distances
from mvae.topology.evidence import Evidence
from mvae.topology.homology import Betti, betti_numbers
from mvae.topology.mapping_degree import Degree, mapping_degree, winding_matrix
from mvae.topology.persistence import Persistence, persistent_cohomology
from mvae.topology.silhouettes import ViewRotations, view_rotations
from mvae.topology.suggest import Suggestion, suggest_manifold

__all__ = [
    "COVERS",
    "Betti",
    "Candidate",
    "Coordinates",
    "Degree",
    "Evidence",
    "Lines",
    "Persistence",
    "Strip",
    "Suggestion",
    "ViewRotations",
    "betti_numbers",
    "blurred_images",
    "circular_coordinates",
    "extend_coordinates",
    "geodesic_distances",
    "mapping_degree",
    "persistent_cohomology",
    "projective_coordinates",
    "scaled_distances",
    "strip_coordinates",
    "suggest_manifold",
    "toroidal_coordinates",
    "view_rotations",
    "winding_matrix",
]

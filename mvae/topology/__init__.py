"""Topology of maps and clouds of points: mapping degrees, Betti numbers, coordinates from persistent cohomology."""

from mvae.topology.coordinates import (
    Candidate,
    Coordinates,
    circular_coordinates,
    extend_coordinates,
    toroidal_coordinates,
)
from mvae.topology.distances import blurred_images, geodesic_distances, scaled_distances
from mvae.topology.homology import Betti, betti_numbers
from mvae.topology.mapping_degree import Degree, mapping_degree
from mvae.topology.persistence import Persistence, persistent_cohomology

__all__ = [
    "Betti",
    "Candidate",
    "Coordinates",
    "Degree",
    "Persistence",
    "betti_numbers",
    "blurred_images",
    "circular_coordinates",
    "extend_coordinates",
    "geodesic_distances",
    "mapping_degree",
    "persistent_cohomology",
    "scaled_distances",
    "toroidal_coordinates",
]

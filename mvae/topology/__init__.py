"""Topology of maps and clouds of points: mapping degrees, winding numbers, Betti numbers."""

from mvae.topology.homology import Betti, betti_numbers
from mvae.topology.mapping_degree import Degree, mapping_degree

__all__ = ["Betti", "Degree", "betti_numbers", "mapping_degree"]

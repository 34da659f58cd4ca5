"""Manifolds given by an equation: projection, geodesics, volume."""

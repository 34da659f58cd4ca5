"""Paths: orbits of operators, inferred paths, walks."""

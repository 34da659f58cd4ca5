"""Manifolds modulo finite groups of isometries: spaces with boundary, without orientation, of symmetric objects."""

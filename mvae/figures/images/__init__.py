"""Grids and rows of decoded images."""

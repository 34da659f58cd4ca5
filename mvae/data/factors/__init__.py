"""Image data sets with known factors."""

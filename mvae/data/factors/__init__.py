"""Image data sets with known factors."""

from mvae.data.factors.turntable import rotations

__all__ = ["rotations"]

"""Geometry of the latent spaces, as pure functions of points on the last axis."""

from mvae.manifolds.euclidean import Euclidean
from mvae.manifolds.flat_torus import FlatTorus
from mvae.manifolds.manifold import Manifold
from mvae.manifolds.sphere import Sphere

__all__ = ["Euclidean", "FlatTorus", "Manifold", "Sphere"]

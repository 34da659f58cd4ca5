"""Geometry of the latent spaces, as pure functions of points on the last axis."""

from mvae.manifolds.embedded_torus import EmbeddedTorus
from mvae.manifolds.euclidean import Euclidean
from mvae.manifolds.flat_torus import FlatTorus
from mvae.manifolds.implicit.manifold import Implicit
from mvae.manifolds.implicit.surfaces import SURFACES
from mvae.manifolds.manifold import Manifold
from mvae.manifolds.product import Product
from mvae.manifolds.projective_space import ProjectiveSpace
from mvae.manifolds.pushforward import log_volume_element, metric_tensor, pushforward_log_density, uniform_map
from mvae.manifolds.so3 import SO3
from mvae.manifolds.sphere import Sphere
from mvae.manifolds.value_checks import check_values

__all__ = [
    "SO3",
    "SURFACES",
    "EmbeddedTorus",
    "Euclidean",
    "FlatTorus",
    "Implicit",
    "Manifold",
    "Product",
    "ProjectiveSpace",
    "Sphere",
    "check_values",
    "log_volume_element",
    "metric_tensor",
    "pushforward_log_density",
    "uniform_map",
]

"""Geometry of the latent spaces, as pure functions of points on the last axis."""

from mvae.manifolds.embedded_torus import EmbeddedTorus
from mvae.manifolds.euclidean import Euclidean
from mvae.manifolds.flat_torus import FlatTorus
from mvae.manifolds.hyperbolic.space import Hyperbolic
from mvae.manifolds.implicit.manifold import Implicit
from mvae.manifolds.implicit.surfaces import SURFACES
from mvae.manifolds.manifold import Manifold
from mvae.manifolds.product import Product
from mvae.manifolds.projective_space import ProjectiveSpace
from mvae.manifolds.pushforward import log_volume_element, metric_tensor, pushforward_log_density, uniform_map
from mvae.manifolds.quotient.flat import Cylinder, FlatQuotient, Interval, KleinBottle, MobiusBand
from mvae.manifolds.quotient.groups import Group, generated_by, rotation_group
from mvae.manifolds.quotient.space import Quotient, QuotientSpace
from mvae.manifolds.quotient.spherical import LensSpace, RotationQuotient
from mvae.manifolds.quotient.symmetry import symmetry_group
from mvae.manifolds.so3 import SO3
from mvae.manifolds.sphere import Sphere
from mvae.manifolds.value_checks import check_values

__all__ = [
    "SO3",
    "SURFACES",
    "Cylinder",
    "EmbeddedTorus",
    "Euclidean",
    "FlatQuotient",
    "FlatTorus",
    "Group",
    "Hyperbolic",
    "Implicit",
    "Interval",
    "KleinBottle",
    "LensSpace",
    "Manifold",
    "MobiusBand",
    "Product",
    "ProjectiveSpace",
    "Quotient",
    "QuotientSpace",
    "RotationQuotient",
    "Sphere",
    "check_values",
    "generated_by",
    "log_volume_element",
    "metric_tensor",
    "pushforward_log_density",
    "rotation_group",
    "symmetry_group",
    "uniform_map",
]

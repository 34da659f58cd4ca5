"""A manifold of one's own, an ellipsoid, as the latent space of a ΔVAE of points of the sphere.

    python -m mvae.main --config=examples/ellipsoid.py --workdir=runs/ellipsoid

It has its area and exact uniform draws, and is drawn as a surface. It registers no heat kernel: the KL is the expansion
for small times, and the results say why there is no log-likelihood. Run time on two CPU cores: 2 minutes.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import elliprg

from mvae.figures import Solid, solid
from mvae.manifolds import Implicit, Manifold, Sphere
from mvae.runs import MANIFOLDS, default_config


@dataclasses.dataclass(frozen=True)
class Ellipsoid(Manifold):
    """The surface (x/a)² + (y/b)² + (z/c)² = 1; closest points and geodesics are those of `Implicit`, by iteration."""

    a: float = 1.0
    b: float = 1.0
    c: float = 2.0
    dim, ambient_dim = 2, 3

    def __post_init__(self):
        if not (min(self.axes) > 0 and max(self.axes) < math.inf):
            raise ValueError(f"a, b and c are half axes, positive and finite, got {self.a}, {self.b}, {self.c}")

    axes = property(lambda self: np.array([self.a, self.b, self.c], np.float32))
    equation = property(lambda self: Implicit(self, dim=2, ambient_dim=3))
    log_volume = property(lambda self: math.log(4 * math.pi * elliprg(*(self.a * self.b * self.c / self.axes) ** 2)))

    def __call__(self, x):
        return jnp.sum((x / self.axes) ** 2, axis=-1) - 1

    def project(self, x):
        return self.equation.project(x)

    def to_tangent(self, z, v):
        normal = z / self.axes**2
        return v - normal * jnp.sum(normal * v, -1, keepdims=True) / jnp.sum(normal**2, -1, keepdims=True)

    def exp(self, z, v):
        return self.equation.exp(z, v)

    def log(self, z, w):
        return self.equation.log(z, w)

    def scalar_curvature(self, z):
        return 2 / (self.a * self.b * self.c * jnp.sum(z**2 / self.axes**4, axis=-1)) ** 2

    def uniform(self, key, shape=()):
        """Points of the sphere, stretched, are kept with a probability in proportion to the stretching of area."""

        def draw(carry):
            key, z, kept = carry
            key, where, whether = jax.random.split(key, 3)
            u = Sphere(2).uniform(where, shape)
            accepted = jax.random.uniform(whether, shape) < jnp.linalg.norm(u / self.axes, axis=-1) * min(self.axes)
            return key, jnp.where(kept[..., None], z, u * self.axes), kept | accepted

        none = jnp.zeros(shape, bool)
        return jax.lax.while_loop(lambda carry: ~jnp.all(carry[2]), draw, (key, jnp.zeros((*shape, 3)), none))[1]


MANIFOLDS["ellipsoid"] = Ellipsoid
solid.register(Ellipsoid)(lambda shape: Solid(-shape.axes, shape.axes, min(shape.axes), level=shape))


def get_config():
    config = default_config("dvae", data="sphere", manifold="ellipsoid:c=1.5")
    config.model.kl = "asymptotic"
    return config

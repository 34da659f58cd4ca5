"""Own networks and an own manifold: a Flax encoder and decoder around an ellipsoid.

    python examples/own_networks.py [PICTURE]

Run time on two CPU cores: 2 minutes.
"""

import sys
from pathlib import Path

import flax.linen as nn
import numpy as np

import mvae
from mvae import figures

sys.path.insert(0, str(Path(__file__).parent))
from ellipsoid import Ellipsoid  # the manifold of the example beside this one


class Features(nn.Module):
    """x (b, 10) -> features (b, 64); the heads that the posterior wants are added."""

    @nn.compact
    def __call__(self, x):
        return nn.silu(nn.Dense(64)(nn.silu(nn.Dense(64)(x))))


class Rows(nn.Module):
    """z (b, 3) -> x (b, 10)."""

    @nn.compact
    def __call__(self, z):
        return nn.Dense(10)(nn.silu(nn.Dense(64)(nn.silu(nn.Dense(64)(z)))))


def main(picture: str = "own_networks.png", **settings) -> mvae.Trained:
    """Trains on points of a sphere, lifted to ten dimensions with noise, and draws the codes by their height."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    x = points @ rng.normal(size=(3, 10)) + 0.05 * rng.normal(size=(2000, 10))
    own = {
        "num_steps": 1000,
        "encoder": Features(),
        "decoder": Rows(),
        "kl": "asymptotic",
        "likelihood": "gaussian_learned_variance",
    } | settings
    model = mvae.train("dvae", x, manifold=Ellipsoid(c=1.5), **own).best
    z = model.embed(x)
    figures.save(figures.latent_space(model.manifold, z, label=points[:, 2], title="height on the sphere"), picture)
    return model


if __name__ == "__main__":
    main(*sys.argv[1:])

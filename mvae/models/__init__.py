"""Models: one file per method, each a NamedTuple of pure functions."""

from mvae.models.dvae import DVAEConfig, dvae
from mvae.models.model import LossTerms, Model, Posterior
from mvae.models.vae import VAEConfig, vae

__all__ = ["DVAEConfig", "LossTerms", "Model", "Posterior", "VAEConfig", "dvae", "vae"]

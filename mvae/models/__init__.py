"""Models: one file per method, each a NamedTuple of pure functions."""

from mvae.models.dvae import DVAEConfig, dvae
from mvae.models.model import LossTerms, Model, Posterior
from mvae.models.svae import SVAEConfig, svae
from mvae.models.vae import VAEConfig, vae
from mvae.models.vamp import VampConfig, vamp
from mvae.models.vdae import VDAEConfig, vdae
from mvae.models.wgan import WGAN, WGANConfig, wgan

__all__ = [
    "WGAN",
    "DVAEConfig",
    "LossTerms",
    "Model",
    "Posterior",
    "SVAEConfig",
    "VAEConfig",
    "VDAEConfig",
    "VampConfig",
    "WGANConfig",
    "dvae",
    "svae",
    "vae",
    "vamp",
    "vdae",
    "wgan",
]

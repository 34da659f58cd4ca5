"""VDAE: the manifold is learned as a diffusion map, and the autoencoder around it generates by a random walk."""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.methods.vdae.spectral_net import SpectralNetConfig, spectral_net
    from mvae.methods.vdae.training import map_stage

__all__ = [
    "SpectralNetConfig",
    "map_stage",
    "spectral_net",
]

__getattr__ = lazily(
    __name__,
    {
        "mvae.methods.vdae.spectral_net": ("SpectralNetConfig", "spectral_net"),
        "mvae.methods.vdae.training": ("map_stage",),
    },
)

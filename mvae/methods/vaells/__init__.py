"""VAELLS: transport operators, learned with the networks, are posterior and prior of the latent space."""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.methods.vaells.model import VAELLSConfig, vaells
    from mvae.methods.vaells.training import alternating_stages

__all__ = [
    "VAELLSConfig",
    "alternating_stages",
    "vaells",
]

__getattr__ = lazily(
    __name__,
    {
        "mvae.methods.vaells.model": ("VAELLSConfig", "vaells"),
        "mvae.methods.vaells.training": ("alternating_stages",),
    },
)

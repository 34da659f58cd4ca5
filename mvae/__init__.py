"""Latent-variable models whose latent space is a manifold, in JAX."""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.runs.trained import Run, Trained, load, train

__version__ = "0.1.0"
__all__ = ["Run", "Trained", "load", "train"]

__getattr__ = lazily(__name__, {"mvae.runs.trained": ("Run", "Trained", "load", "train")})

"""What methods are made of: the nouns Model, LossTerms and Stage, likelihoods, objectives, starts of encoders."""

from mvae.models.autoencoder import Drawn, Latent, autoencoder
from mvae.models.model import LossTerms, Model, Params
from mvae.models.objective import VariationalConfig
from mvae.models.optimizer import OptimizerConfig, adam
from mvae.models.stage import Stage, TrainState, gradient_stage

__all__ = [
    "Drawn",
    "Latent",
    "LossTerms",
    "Model",
    "OptimizerConfig",
    "Params",
    "Stage",
    "TrainState",
    "VariationalConfig",
    "adam",
    "autoencoder",
    "gradient_stage",
]

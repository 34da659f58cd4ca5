"""What methods are made of: the nouns Model, LossTerms and Stage, likelihoods, objectives, starts of encoders."""

from mvae.models.model import LossTerms, Model
from mvae.models.stage import Stage, TrainState, gradient_stage

__all__ = ["LossTerms", "Model", "Stage", "TrainState", "gradient_stage"]

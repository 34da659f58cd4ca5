"""Evaluation of trained models: likelihood, topology and disentanglement."""

from mvae.evaluation.circular import AngleReadout, angle_readout, circular_correlation
from mvae.evaluation.codes import ambient_codes, angle_codes
from mvae.evaluation.disentanglement import DciScores, dci, irs, mig, sap
from mvae.evaluation.fixed_factor import beta_vae_score, factor_vae_score
from mvae.evaluation.homology import Betti, betti_numbers
from mvae.evaluation.likelihood import evaluate_bound, importance_log_likelihood
from mvae.evaluation.scores import SCORES, disentanglement_scores
from mvae.evaluation.topology import Degree, mapping_degree

__all__ = [
    "SCORES",
    "AngleReadout",
    "Betti",
    "DciScores",
    "Degree",
    "ambient_codes",
    "angle_codes",
    "angle_readout",
    "beta_vae_score",
    "betti_numbers",
    "circular_correlation",
    "dci",
    "disentanglement_scores",
    "evaluate_bound",
    "factor_vae_score",
    "importance_log_likelihood",
    "irs",
    "mapping_degree",
    "mig",
    "sap",
]

"""Evaluation of trained models: likelihood, topology, disentanglement, and what orbits and decoded pictures do."""

from mvae.evaluation.circular import AngleReadout, angle_readout, circular_correlation
from mvae.evaluation.class_separation import ClassSeparation, class_separation
from mvae.evaluation.classifier import Classifier, accuracy, train_classifier
from mvae.evaluation.codes import ambient_codes, angle_codes
from mvae.evaluation.disentanglement import DciScores, dci, irs, mig, sap
from mvae.evaluation.fixed_factor import beta_vae_score, factor_vae_score
from mvae.evaluation.homology import Betti, betti_numbers
from mvae.evaluation.likelihood import evaluate_bound, importance_log_likelihood
from mvae.evaluation.orbit_match import OrbitMatch, mean_orbit_match, orbit_match
from mvae.evaluation.rotation import RotationEstimate, rotation_angles, rotation_range, unwrap_rotation
from mvae.evaluation.scores import SCORES, disentanglement_scores
from mvae.evaluation.topology import Degree, mapping_degree
from mvae.evaluation.trustworthiness import trustworthiness

__all__ = [
    "SCORES",
    "AngleReadout",
    "Betti",
    "ClassSeparation",
    "Classifier",
    "DciScores",
    "Degree",
    "OrbitMatch",
    "RotationEstimate",
    "accuracy",
    "ambient_codes",
    "angle_codes",
    "angle_readout",
    "beta_vae_score",
    "betti_numbers",
    "circular_correlation",
    "class_separation",
    "dci",
    "disentanglement_scores",
    "evaluate_bound",
    "factor_vae_score",
    "importance_log_likelihood",
    "irs",
    "mapping_degree",
    "mean_orbit_match",
    "mig",
    "orbit_match",
    "rotation_angles",
    "rotation_range",
    "sap",
    "train_classifier",
    "trustworthiness",
    "unwrap_rotation",
]

"""Evaluation of trained models: likelihood, topology, comparison of samples, disentanglement, orbits and pictures."""

from mvae.evaluation.bilipschitz import bilipschitz
from mvae.evaluation.circular import AngleReadout, angle_readout, circular_correlation
from mvae.evaluation.class_separation import ClassSeparation, class_separation
from mvae.evaluation.classifier import Classifier, accuracy, train_classifier
from mvae.evaluation.codes import ambient_codes, angle_codes
from mvae.evaluation.disentanglement import DciScores, dci, irs, mig, sap
from mvae.evaluation.fixed_factor import beta_vae_score, factor_vae_score
from mvae.evaluation.gromov_wasserstein import GromovWassersteinPlan, gromov_wasserstein, gromov_wasserstein_plan
from mvae.evaluation.homology import Betti, betti_numbers
from mvae.evaluation.likelihood import evaluate_bound, importance_log_likelihood
from mvae.evaluation.mmd import MmdTest, mmd, mmd_test
from mvae.evaluation.orbit_match import OrbitMatch, mean_orbit_match, orbit_match
from mvae.evaluation.reparametrization import ReparametrizationQuality, reparametrization_quality
from mvae.evaluation.rotation import RotationEstimate, rotation_angles, rotation_range, unwrap_rotation
from mvae.evaluation.scores import SCORES, disentanglement_scores
from mvae.evaluation.topology import Degree, mapping_degree
from mvae.evaluation.trustworthiness import trustworthiness
from mvae.evaluation.uniformity import Uniformity, bingham_test, equal_area_test, rayleigh_test, watson_test

__all__ = [
    "SCORES",
    "AngleReadout",
    "Betti",
    "ClassSeparation",
    "Classifier",
    "DciScores",
    "Degree",
    "GromovWassersteinPlan",
    "MmdTest",
    "OrbitMatch",
    "ReparametrizationQuality",
    "RotationEstimate",
    "Uniformity",
    "accuracy",
    "ambient_codes",
    "angle_codes",
    "angle_readout",
    "beta_vae_score",
    "betti_numbers",
    "bilipschitz",
    "bingham_test",
    "circular_correlation",
    "class_separation",
    "dci",
    "disentanglement_scores",
    "equal_area_test",
    "evaluate_bound",
    "factor_vae_score",
    "gromov_wasserstein",
    "gromov_wasserstein_plan",
    "importance_log_likelihood",
    "irs",
    "mapping_degree",
    "mean_orbit_match",
    "mig",
    "mmd",
    "mmd_test",
    "orbit_match",
    "rayleigh_test",
    "reparametrization_quality",
    "rotation_angles",
    "rotation_range",
    "sap",
    "train_classifier",
    "trustworthiness",
    "unwrap_rotation",
    "watson_test",
]

"""Evaluation of trained models: likelihood, topology, comparison of samples, disentanglement, orbits and images."""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.evaluation.circular import AngleReadout, angle_readout, circular_correlation
    from mvae.evaluation.disentanglement.codes import ambient_codes, angle_codes
    from mvae.evaluation.disentanglement.fixed_factor import beta_vae_score, factor_vae_score
    from mvae.evaluation.disentanglement.metrics import DciScores, dci, irs, mig, sap
    from mvae.evaluation.disentanglement.scores import SCORES, disentanglement_scores
    from mvae.evaluation.likelihood import evaluate_bound, importance_log_likelihood
    from mvae.evaluation.maps.reparametrization import ReparametrizationQuality, reparametrization_quality
    from mvae.evaluation.maps.uniformity import Uniformity, bingham_test, equal_area_test, rayleigh_test, watson_test
    from mvae.evaluation.orbits.class_separation import ClassSeparation, class_separation
    from mvae.evaluation.orbits.classifier import Classifier, accuracy, train_classifier
    from mvae.evaluation.orbits.orbit_match import OrbitMatch, mean_orbit_match, orbit_match
    from mvae.evaluation.orbits.rotation import RotationEstimate, rotation_angles, rotation_range, unwrap_rotation
    from mvae.evaluation.samples.bilipschitz import bilipschitz
    from mvae.evaluation.samples.gromov_wasserstein import (
        GromovWassersteinPlan,
        gromov_wasserstein,
        gromov_wasserstein_plan,
    )
    from mvae.evaluation.samples.mmd import MmdTest, mmd, mmd_test
    from mvae.evaluation.samples.trustworthiness import trustworthiness
    from mvae.topology.homology import Betti, betti_numbers
    from mvae.topology.mapping_degree import Degree, mapping_degree

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

__getattr__ = lazily(
    __name__,
    {
        "mvae.evaluation.circular": ("AngleReadout", "angle_readout", "circular_correlation"),
        "mvae.evaluation.disentanglement.codes": ("ambient_codes", "angle_codes"),
        "mvae.evaluation.disentanglement.fixed_factor": ("beta_vae_score", "factor_vae_score"),
        "mvae.evaluation.disentanglement.metrics": ("DciScores", "dci", "irs", "mig", "sap"),
        "mvae.evaluation.disentanglement.scores": ("SCORES", "disentanglement_scores"),
        "mvae.evaluation.likelihood": ("evaluate_bound", "importance_log_likelihood"),
        "mvae.evaluation.maps.reparametrization": ("ReparametrizationQuality", "reparametrization_quality"),
        "mvae.evaluation.maps.uniformity": (
            "Uniformity",
            "bingham_test",
            "equal_area_test",
            "rayleigh_test",
            "watson_test",
        ),
        "mvae.evaluation.orbits.class_separation": ("ClassSeparation", "class_separation"),
        "mvae.evaluation.orbits.classifier": ("Classifier", "accuracy", "train_classifier"),
        "mvae.evaluation.orbits.orbit_match": ("OrbitMatch", "mean_orbit_match", "orbit_match"),
        "mvae.evaluation.orbits.rotation": ("RotationEstimate", "rotation_angles", "rotation_range", "unwrap_rotation"),
        "mvae.evaluation.samples.bilipschitz": ("bilipschitz",),
        "mvae.evaluation.samples.gromov_wasserstein": (
            "GromovWassersteinPlan",
            "gromov_wasserstein",
            "gromov_wasserstein_plan",
        ),
        "mvae.evaluation.samples.mmd": ("MmdTest", "mmd", "mmd_test"),
        "mvae.evaluation.samples.trustworthiness": ("trustworthiness",),
        "mvae.topology.homology": ("Betti", "betti_numbers"),
        "mvae.topology.mapping_degree": ("Degree", "mapping_degree"),
    },
)

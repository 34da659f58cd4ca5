"""Evaluation of trained models: likelihood and topology."""

from mvae.evaluation.likelihood import evaluate_bound, importance_log_likelihood
from mvae.evaluation.topology import Degree, mapping_degree

__all__ = ["Degree", "evaluate_bound", "importance_log_likelihood", "mapping_degree"]

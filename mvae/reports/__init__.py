"""What a run says of its models: one report for each question, of numbers for every seed and of figures.

`Report` says when it applies and what it gives; `View` has what reports share, computed once and compiled once for all
seeds; `conclude` writes the numbers before it draws, and sets aside what fails. `REPORTS` are those of every method,
to which a config file may add its own; a method brings its own beside them.
"""

from mvae.reports.bound import BOUND, LIKELIHOOD
from mvae.reports.codes import LABELS, LATENT_SPACE, SEPARATION
from mvae.reports.conclude import conclude, evaluate, finished
from mvae.reports.curves import CURVES
from mvae.reports.decoded import DECODED, SAMPLES
from mvae.reports.factors import ANGLE, AZIMUTH, DEGREE, POSE, SCORES
from mvae.reports.report import Member, Programs, Report, View
from mvae.reports.settings import EvaluationConfig, check_evaluation

REPORTS: dict[str, Report] = {
    report.name: report
    for report in (
        BOUND,
        LIKELIHOOD,
        DEGREE,
        AZIMUTH,
        ANGLE,
        POSE,
        LABELS,
        SCORES,
        SEPARATION,
        CURVES,
        LATENT_SPACE,
        DECODED,
        SAMPLES,
    )
}

__all__ = [
    "REPORTS",
    "EvaluationConfig",
    "Member",
    "Programs",
    "Report",
    "View",
    "check_evaluation",
    "conclude",
    "evaluate",
    "finished",
]

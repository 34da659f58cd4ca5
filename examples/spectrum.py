"""A measure and a figure of one's own: how many dimensions the codes of the test set fill.

    python -m mvae.main --config=examples/spectrum.py --workdir=runs/spectrum

results.json has "effective_dimension", (Σ λ)² / Σ λ² of the eigenvalues λ of the covariance of the codes, and figures/
has them drawn. Run time on two CPU cores: a minute.
"""

import numpy as np
from matplotlib.figure import Figure

from mvae.reports import REPORTS, Report
from mvae.runs import default_config


def variances(member):
    return np.linalg.eigvalsh(np.cov(member.codes("test").T))[::-1]


def numbers(member):
    found = variances(member)
    return {"effective_dimension": float(found.sum() ** 2 / (found**2).sum())}


def draw(view):
    def spectrum():
        figure = Figure((3, 2.5), layout="constrained")
        axes = figure.add_subplot(xlabel="direction", ylabel="variance of codes")
        for member in view.members:
            axes.semilogy(variances(member), marker="o", label=f"seed {member.seed}")
        axes.legend()
        return figure

    yield "spectrum.png", spectrum


REPORTS["spectrum"] = Report("spectrum", lambda view: view.has(), numbers, draw, gives=("effective_dimension",))


def get_config():
    return default_config("vae", data="simple_picture:size=16", manifold="euclidean:5")

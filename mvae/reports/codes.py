"""Where the test set lies in latent space: the figure of every seed, and how separate classes of curves are."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from mvae import figures
from mvae.data.dataset import Rows
from mvae.evaluation import class_separation
from mvae.reports.report import Drawing, Figure, Member, Report, View

NEIGHBOURS = 5
NUM_DRAWN = 5000  # points in a figure of the latent space; more hide each other


def colour(rows: Rows, angle: str | None = None) -> dict[str, np.ndarray]:
    """What colours the latent space.

    That is a known angle of a user's own data; else the label, but the azimuth of views of a single object; or the
    translation.
    """
    if angle is not None:
        return {"angle": np.asarray(rows[angle])}
    if "azimuth" in rows and ("elevation" in rows or "label" not in rows or np.ptp(np.asarray(rows["label"])) == 0):
        return {"angle": np.asarray(rows["azimuth"])}
    name = next((name for name in ("label", "translation") if name in rows), None)
    return {} if name is None else {name: np.asarray(rows[name])}


def latent_space(member: Member) -> Figure:
    """Draws the codes of the test set, with the ELBO and the degree where they are known."""
    numbers = member.numbers
    title = f"seed {member.seed}"
    title += f": ELBO {numbers['elbo']:.2f}" if numbers.get("elbo") is not None else ""
    title += f", degree {numbers['degree']:+d}" if numbers.get("degree") is not None else ""
    rows = member.view.first("test", NUM_DRAWN)
    codes = member.codes("test")[:NUM_DRAWN]
    return figures.latent_space(
        member.view.model.manifold, codes, **colour(rows, member.view.dataset.angle), title=title
    )


def draw(view: View) -> Iterator[tuple[str, Drawing]]:
    """The latent space of every member."""
    for member in view.members:
        yield f"latent_space_seed_{member.seed}.png", partial(latent_space, member)


def has_classes_of_curves(view: View) -> bool:
    """Whether the data lie on several curves."""
    dataset = view.dataset
    return view.has() and dataset.curves is not None and np.ptp(np.asarray(dataset.test["label"])) > 0


def separation_numbers(member: Member) -> dict[str, Any]:
    """`class_separation` of the codes of the test set, "separation_accuracy" and "separation_gap"."""
    labels = np.asarray(member.view.dataset.test["label"])
    separation = class_separation(member.codes("test"), labels)
    return {"separation_accuracy": float(separation.accuracy), "separation_gap": float(separation.gap)}


def label_numbers(member: Member) -> dict[str, Any]:
    """Share of the test set whose label is that of most of the 5 nearest codes of the training set."""
    from sklearn.neighbors import KNeighborsClassifier  # of the extra "eval"

    dataset = member.view.dataset
    train, test = (np.asarray(rows["label"][:]) for rows in (dataset.train, dataset.test))
    neighbours = KNeighborsClassifier(min(NEIGHBOURS, len(train))).fit(member.codes("train"), train)
    return {"label_accuracy": float(neighbours.score(member.codes("test"), test))}


LABELS = Report(
    "labels",
    lambda view: view.has() and len(view.dataset.label_names) > 1,
    label_numbers,
    gives=("label_accuracy",),
)
LATENT_SPACE = Report("latent_space", lambda view: view.has(), figures=draw)
SEPARATION = Report(
    "separation", has_classes_of_curves, separation_numbers, gives=("separation_accuracy", "separation_gap")
)

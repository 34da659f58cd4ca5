"""How a run is judged, and what of it cannot be had: said before anything is trained."""

import dataclasses
import importlib.util
import math

import jax
import numpy as np

from mvae.data import Dataset
from mvae.engine.memory import memory_limit
from mvae.errors import UsageError
from mvae.evaluation import SCORES
from mvae.evaluation.likelihood import DRAWN_BYTES
from mvae.manifolds import Manifold

MOST_SAMPLES = 100_000  # of a mean over draws: its error is then 0.3 % of the deviation of one
MOST_DRAWS = {"cpu": 10**8}  # decoded in all: hours
MOST_DRAWS_ELSEWHERE = 10**9
MOST_DEGREE_GRID = 2048  # four million images are encoded
COPIES = 3  # of the decoded images are in memory together: the output, the data beside it, the terms of the density


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How a finished run is judged, on the test set.

    Attributes:
        importance_samples: Draws L per example for the log-likelihood.
        bound_samples: Draws per example for ELBO, KL and MSE.
        batch_size: Examples at a time for the log-likelihood; bounds its memory.
        degree_grid: Translations per direction of the grid on which the degree is computed.
        scores: Disentanglement scores of data with known factors, of `mvae.evaluation.SCORES`.
        score_rows: Examples that the scores look at, drawn from all where there are more; the protocol of
            [locatello2019] has 15 000.

    Raises:
        ValueError: For a number that is out of range, or an unknown score, naming it.
    """

    importance_samples: int = 100
    bound_samples: int = 10
    batch_size: int = 100
    degree_grid: int = 64
    scores: tuple[str, ...] = ()
    score_rows: int = 15_000

    def __post_init__(self):
        for name, least in {"importance_samples": 1, "bound_samples": 1, "batch_size": 1, "score_rows": 100}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.bound_samples > MOST_SAMPLES:
            raise ValueError(f"bound_samples must be at most {MOST_SAMPLES}, got {self.bound_samples}")
        if not 8 <= self.degree_grid <= MOST_DEGREE_GRID:
            raise ValueError(f"degree_grid must be at least 8 and at most {MOST_DEGREE_GRID}, got {self.degree_grid}")
        if wrong := [name for name in self.scores if name not in SCORES]:
            raise ValueError(f"scores must be of {', '.join(SCORES)}, got {', '.join(wrong)}")


def check_evaluation(settings: EvaluationConfig, dataset: Dataset, manifold: Manifold) -> None:
    """Raises if the evaluation is known beforehand to be impossible.

    Args:
        settings: How the run is to be judged.
        dataset: The data.
        manifold: The latent space.

    Raises:
        UsageError: For draws that do not fit into memory or would never end, and for scores that the data, the latent
            space or the installation cannot have, naming the setting and the remedy.
    """
    _check_draws(settings, dataset)
    if settings.scores:
        _check_scores(settings.scores, dataset, manifold)


def _check_draws(settings: EvaluationConfig, dataset: Dataset) -> None:
    num, size = dataset.num_test, math.prod(dataset.event_shape)
    together = min(settings.batch_size, num)
    draws = max(1, min(settings.importance_samples, DRAWN_BYTES // (4 * together * size)))  # more are made in parts
    asked, limit = 4 * COPIES * draws * together * size, memory_limit()
    if asked > limit:
        raise UsageError(
            f"config.evaluation.batch_size = {settings.batch_size}: {draws} draws of {together} examples at a time "
            f"take about {asked / 1e9:.1f} GB, and there are {limit / 1e9:.1f}; take batch_size = "
            f"{max(1, limit // (4 * COPIES * size * draws))} or less"
        )
    most = MOST_DRAWS.get(jax.default_backend(), MOST_DRAWS_ELSEWHERE)
    for name in ("importance_samples", "bound_samples"):
        samples = getattr(settings, name)
        if samples * num > most:
            raise UsageError(
                f"config.evaluation.{name} = {samples}: {samples * num:.1g} draws for {num} test examples would take "
                f"days; take {most // num} or fewer"
            )


def _check_scores(scores: tuple[str, ...], dataset: Dataset, manifold: Manifold) -> None:
    where = "config.evaluation.scores"
    if not dataset.factor_names:
        raise UsageError(f"{where}: {dataset.name} has no known factors to score codes by")
    if importlib.util.find_spec("sklearn") is None:
        raise UsageError(f"{where} needs scikit-learn: pip install mvae[eval]")
    if manifold.ambient_dim < 2 and (wrong := [name for name in scores if name in ("mig", "sap", "dci")]):
        raise UsageError(
            f"{where}: {', '.join(wrong)} need codes of two columns or more, those of {manifold} have one; leave them "
            "out, or take a latent space of more dimensions"
        )
    factors = np.concatenate([np.asarray(rows["factors"][:]) for rows in (dataset.train, dataset.test)])
    varying = factors[:, np.ptp(factors, axis=0) > 0]
    if not varying.shape[1]:
        raise UsageError(f"{where}: no factor of {dataset.name} varies in these data; leave the scores out")
    if varying.shape[1] < 2 and (wrong := [n for n in scores if n in ("dci", "beta_vae", "factor_vae")]):
        raise UsageError(
            f"{where}: {', '.join(wrong)} need two factors that vary, {dataset.name} has one here; leave them out"
        )
    alone = [j for j, column in enumerate(varying.T) if (np.unique(column, return_counts=True)[1] < 2).any()]
    if alone and (wrong := [name for name in scores if name in ("beta_vae", "factor_vae")]):
        raise UsageError(
            f"{where}: {', '.join(wrong)} need each value of a factor in two examples or more, and {dataset.name} has "
            "a value in one only; leave them out, or take more examples"
        )

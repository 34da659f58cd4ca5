"""An estimator of scikit-learn: a manifold autoencoder that pipelines and grid searches can use.

model = ManifoldAutoencoder(manifold="sphere:2", num_steps=2000).fit(x)
codes = model.transform(new)
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from mvae.data import from_arrays
from mvae.errors import UsageError
from mvae.manifolds import Manifold
from mvae.runs.trained import fit

__all__ = ["ManifoldAutoencoder"]


class ManifoldAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Learns codes of rows on a manifold, and what points of the manifold decode to.

    All rows that `fit` is given are trained on. Nothing is written to disk.

    Args:
        method: A name in `mvae.methods.METHODS`, such as "dvae".
        manifold: The latent space, a `Manifold` or its text, such as "sphere:2" or "flat_torus:2".
        num_steps: Steps of training.
        batch_size: Rows per step; all of them where there are fewer.
        learning_rate: Of Adam.
        widths: Widths of the hidden layers of encoder and decoder.
        likelihood: Of a row given its code, one of `mvae.models.likelihood.LIKELIHOODS`.
        beta: Weight of the KL.
        scale: What the networks see of the rows, as for `mvae.data.from_arrays`.
        settings: Further settings by name, as for `mvae.train`.
        random_state: Seed, generator or None, as scikit-learn has it.

    Attributes:
        trained_: The model, a `mvae.runs.trained.Trained`.
        n_features_in_: Features of the rows of `fit`.
        feature_names_in_: Their names, where a frame has them.

    Raises:
        ValueError: By the methods, for rows or parameters that are wrong, naming them.

    >>> ManifoldAutoencoder(manifold="sphere:2")  # then fit(x), transform(x)
    ManifoldAutoencoder()
    """

    def __init__(
        self,
        method: str = "dvae",
        manifold: str | Manifold = "sphere:2",
        *,
        num_steps: int = 2000,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        widths: tuple[int, ...] = (256, 256),
        likelihood: str = "gaussian_learned_variance",
        beta: float = 1.0,
        scale: str = "standard",
        settings: Mapping[str, Any] | None = None,
        random_state: Any = None,
    ):
        self.method = method
        self.manifold = manifold
        self.num_steps = num_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.widths = widths
        self.likelihood = likelihood
        self.beta = beta
        self.scale = scale
        self.settings = settings
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "ManifoldAutoencoder":
        """Trains on rows.

        Args:
            X: Rows, (n, features), two or more.
            y: Ignored.

        Raises:
            ValueError: For rows that are no finite numbers, and parameters out of range.
        """
        del y
        X = validate_data(self, X, ensure_min_samples=2)
        if not isinstance(self.widths, Iterable) or isinstance(self.widths, str):
            raise ValueError(f"widths must be a sequence of widths of hidden layers, got {self.widths!r}")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        settings = {
            "num_steps": self.num_steps,
            "batch_size": min(self.batch_size, len(X)),
            "learning_rate": self.learning_rate,
            "encoder_widths": tuple(self.widths),
            "decoder_widths": tuple(reversed(self.widths)),
            "likelihood": self.likelihood,
            "beta": self.beta,
            "seed": seed,
        }
        try:
            # A copy of the first row is the test set, which nothing is asked of: all rows are trained on.
            dataset = from_arrays(np.concatenate([X[:1], X]), scale=self.scale, test=np.arange(len(X) + 1) == 0)
            self.trained_ = fit(self.method, dataset, self.manifold, {**settings, **(self.settings or {})})
        except UsageError as error:
            raise ValueError(str(error)) from error
        return self

    def transform(self, X: Any) -> Any:
        """Returns the codes of rows, points of the manifold, (n, ambient_dim).

        Args:
            X: Rows, (n, features).

        Raises:
            ValueError: For another number of features, or rows that are no finite numbers.
        """
        X = self._checked(X)
        try:
            return self.trained_.embed(X)
        except UsageError as error:
            raise ValueError(str(error)) from error

    def inverse_transform(self, Z: Any) -> np.ndarray:
        """Returns what points of the manifold decode to, (n, features), in units of the data.

        Args:
            Z: Points, (n, ambient_dim).

        Raises:
            ValueError: For points off the manifold.
        """
        check_is_fitted(self)
        try:
            return self.trained_.decode(np.asarray(Z))
        except UsageError as error:
            raise ValueError(str(error)) from error

    def score(self, X: Any, y: Any = None) -> float:
        """Returns the mean over rows of the bound on their log-likelihood, in nats, in units of the data.

        Compare manifolds by it, on rows that were not trained on.

        Args:
            X: Rows, (n, features).
            y: Ignored.

        Raises:
            ValueError: As for `transform`.
        """
        del y
        X = self._checked(X)
        try:
            bound = self.trained_.elbo(X)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return float(np.mean(bound, dtype=np.float64)) - self.trained_.log_scale

    @property
    def _n_features_out(self) -> int:
        return self.trained_.manifold.ambient_dim

    def _checked(self, X: Any) -> Any:
        check_is_fitted(self)
        return validate_data(self, X, reset=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # codes are float32, as the networks are
        tags.non_deterministic = False
        return tags

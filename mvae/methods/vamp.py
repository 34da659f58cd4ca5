"""VAE with a VampPrior [tomczak2018]: a mixture of the posteriors of learned inputs."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Key

from mvae.distributions.gaussian import GaussianPosterior, gaussian_log_prob, sample_gaussian
from mvae.methods.method import Method, MethodInputs, MethodOutputs, check_unit_range, euclidean, one_stage
from mvae.methods.vae import GaussianConfig, gaussian_latent
from mvae.models.autoencoder import Drawn, Encode, Latent, Networks, autoencoder
from mvae.models.model import Batch, Model, Params

PSEUDO_INPUTS = "pseudo_inputs"


@dataclasses.dataclass(frozen=True, kw_only=True)
class VampConfig(GaussianConfig):
    """Everything that makes a VAE with a VampPrior apart from the data, beside what `GaussianConfig` has.

    Attributes:
        num_pseudo_inputs: Number K of pseudo-inputs u_k; 500 in the paper.
        pseudo_input_noise: Standard deviation, in units of x, of what is added to training examples to start the
            pseudo-inputs; positive, so that those that start from one example are not one for ever.
        clip_pseudo_inputs: Whether u_k is what is learned clipped to [0, 1], for images there: the hard tanh of the
            authors' program. A pixel that leaves the range has no gradient that leads back. Otherwise u_k is any
            array of that shape.

    Raises:
        ValueError: For a value outside the ranges above, naming it, and for a `max_capacity`: the KL is one draw of
            log q(z | x) - log p(z), and the distance of a draw from the capacity is not that of the KL.
    """

    needs: ClassVar[Mapping[str, Any]] = {"model.max_capacity": None}  # what other entries must be

    num_pseudo_inputs: int = 100
    pseudo_input_noise: float = 0.01
    clip_pseudo_inputs: bool = True

    def __post_init__(self):
        if self.num_pseudo_inputs < 1:
            raise ValueError(f"num_pseudo_inputs must be at least 1, got {self.num_pseudo_inputs}")
        if not (math.isfinite(self.pseudo_input_noise) and self.pseudo_input_noise > 0):
            raise ValueError(f"pseudo_input_noise must be a positive number, got {self.pseudo_input_noise}")
        if self.max_capacity is not None:
            raise ValueError(
                "max_capacity must be None with a VampPrior, whose KL is known from single draws alone, "
                f"got {self.max_capacity}"
            )
        super().__post_init__()


def log_mixture(components: GaussianPosterior, z: Float[Array, "*batch d"]) -> Float[Array, "*batch"]:
    """Returns log (1/K) Σ_k N(z; m_k, diag v_k), in nats.

    Args:
        components: K components, (K, d).
        z: Points, (..., d).
    """
    each = gaussian_log_prob(components, z[..., None, :])
    return logsumexp(each, axis=-1) - math.log(components.location.shape[0])


def vamp(config: VampConfig, networks: Networks | None = None) -> Model:
    """Builds the VAE whose prior is p(z) = (1/K) Σ_k q(z | u_k), with pseudo-inputs u_k learned along with the rest.

    loss(x) = -log p(x | z) + β (log q(z | x) - log p(z)) for one z from q(z | x): no closed form of the KL is known.
    `LossTerms.kl` is that log ratio, negative for some draws; its mean is the KL. The term "variance" is the mean
    variance of the posterior.

    Pseudo-inputs start from the first examples of the initial batch, used in turn where it has fewer than K, each with
    noise of its own.

    Args:
        config: The typed configuration.
        networks: A user's own.

    Returns:
        The model; its parameters are a dict with "encoder", "decoder", "likelihood" and "pseudo_inputs",
        (K, *event).
    """

    def make_latent(encode: Encode) -> Latent:
        def init(key: Key[Array, ""], batch: Batch) -> dict[str, Array]:
            x = batch["x"]
            examples = x[jnp.arange(config.num_pseudo_inputs) % x.shape[0]]
            noisy = examples + config.pseudo_input_noise * jax.random.normal(key, examples.shape, examples.dtype)
            return {PSEUDO_INPUTS: jnp.clip(noisy, 0, 1) if config.clip_pseudo_inputs else noisy}

        def components(params: Params) -> GaussianPosterior:
            learned = params[PSEUDO_INPUTS]
            return encode(params, jnp.clip(learned, 0, 1) if config.clip_pseudo_inputs else learned)

        def log_ratio(params: Params, q: GaussianPosterior, drawn: Drawn) -> Float[Array, "*shape b"]:
            return log_mixture(components(params), drawn.z) - gaussian_log_prob(q, drawn.z)

        def sample(params: Params, key: Key[Array, ""], num: int) -> Float[Array, "num d"]:
            index_key, noise_key = jax.random.split(key)
            index = jax.random.randint(index_key, (num,), 0, config.num_pseudo_inputs)
            return sample_gaussian(noise_key, jax.tree.map(lambda leaf: leaf[index], components(params)))

        return gaussian_latent(
            config,
            kl=lambda params, q, drawn: -log_ratio(params, q, drawn),
            log_ratio=log_ratio,
            sample_prior=sample,
        )._replace(init=init)

    return autoencoder(config, make_latent, networks)


def _build(inputs: MethodInputs) -> MethodOutputs:
    if inputs.config.clip_pseudo_inputs:
        check_unit_range(inputs.dataset, "clip_pseudo_inputs = True", "set it to False")
    return one_stage(vamp, inputs)


METHOD = Method(
    "vamp",
    VampConfig,
    _build,
    latent=euclidean,
    traceable=True,
    model=lambda config, num_train, networks: vamp(config, networks),
)

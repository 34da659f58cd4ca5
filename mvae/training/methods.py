"""The methods by their names: what each makes of its block of the config."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from mvae.data import Dataset
from mvae.data.graph import with_graph
from mvae.diffusion import is_expansion, kl_to_uniform, log_heat_kernel, sample
from mvae.errors import UsageError
from mvae.manifolds import Euclidean, Manifold, Sphere
from mvae.models import DVAEConfig, Model, SVAEConfig, VAEConfig, VampConfig, dvae, svae, vae, vamp
from mvae.models.er import ERConfig, er
from mvae.models.spectral_net import SpectralNetConfig
from mvae.models.vaells import VAELLSConfig, vaells
from mvae.models.variational import VariationalConfig
from mvae.models.vdae import VDAEConfig, vdae
from mvae.models.wgan import WGANConfig, wgan
from mvae.training.adversarial import adversarial_stage
from mvae.training.alternating import AlternatingConfig, alternating_stages
from mvae.training.config import OptimizerConfig, typed
from mvae.training.optimizer import adam, adversarial_adam
from mvae.training.reparametrization_stages import reparametrization_stages
from mvae.training.spectral_stages import spectral_stages
from mvae.training.stage import Stage, gradient_stage
from mvae.training.traced import with_values

StagesAt = Callable[[Mapping[str, Any]], tuple[Stage, ...]]
C = TypeVar("C", bound=VariationalConfig)


class Built(NamedTuple):
    """What a method makes of its block of the config; see `Experiment`."""

    model: Model
    stages: tuple[Stage, ...]
    stages_at: StagesAt | None = None
    params_of: Callable[[Any], Any] = lambda state: state.params


def _build_dvae(
    block: Mapping[str, Any],
    manifold: Manifold,
    dataset: Dataset,
    optimizer: OptimizerConfig,
    num_steps: int,
) -> Built:
    """ΔVAE: one stage."""
    config = typed(DVAEConfig, block, "config.model", manifold=manifold, image_shape=dataset.image_shape)
    _check_densities(config)
    return _one_stage(dvae, _completed(config, dataset, num_steps), optimizer, num_steps)


def _build_vae(
    block: Mapping[str, Any],
    manifold: Manifold,
    dataset: Dataset,
    optimizer: OptimizerConfig,
    num_steps: int,
) -> Built:
    """VAE: one stage."""
    if not isinstance(manifold, Euclidean):
        raise UsageError(f"config.manifold: the method vae has a Euclidean latent space, got {manifold}")
    config = typed(VAEConfig, block, "config.model", dim=manifold.dim, image_shape=dataset.image_shape)
    return _one_stage(vae, _completed(config, dataset, num_steps), optimizer, num_steps)


def _build_vaells(
    block: Mapping[str, Any],
    manifold: Manifold,
    dataset: Dataset,
    optimizer: OptimizerConfig,
    num_steps: int,
) -> Built:
    """VAELLS: a warm-up, then networks and operators in turns."""
    config, training = read_vaells(block, manifold, dataset)
    config = _completed(config, dataset, num_steps)
    method = vaells(config)
    constant = dataclasses.replace(optimizer, decay_fraction=0.0)
    optimizers = (adam(constant, training.warm_up_steps), adam(optimizer, training.num_network_steps(num_steps)))
    stages = alternating_stages(method, training, optimizers, num_steps, config.beta)
    return Built(method.model, stages)


def _build_svae(
    block: Mapping[str, Any],
    manifold: Manifold,
    dataset: Dataset,
    optimizer: OptimizerConfig,
    num_steps: int,
) -> Built:
    """Hyperspherical VAE: one stage."""
    if not (isinstance(manifold, Sphere) and manifold.radius == 1):
        raise UsageError(
            f"config.manifold: the latent space of the method svae is a sphere of radius 1, got {manifold}"
        )
    config = typed(SVAEConfig, block, "config.model", dim=manifold.dim, image_shape=dataset.image_shape)
    return _one_stage(svae, _completed(config, dataset, num_steps), optimizer, num_steps)


def _build_vamp(
    block: Mapping[str, Any],
    manifold: Manifold,
    dataset: Dataset,
    optimizer: OptimizerConfig,
    num_steps: int,
) -> Built:
    """VAE with a VampPrior: one stage."""
    if not isinstance(manifold, Euclidean):
        raise UsageError(f"config.manifold: the method vamp has a Euclidean latent space, got {manifold}")
    config = typed(VampConfig, block, "config.model", dim=manifold.dim, image_shape=dataset.image_shape)
    if config.clip_pseudo_inputs:
        _check_unit_range(dataset, "clip_pseudo_inputs = True", "set it to False")
    return _one_stage(vamp, _completed(config, dataset, num_steps), optimizer, num_steps)


def _build_vdae(
    block: Mapping[str, Any],
    manifold: Manifold,
    dataset: Dataset,
    optimizer: OptimizerConfig,
    num_steps: int,
) -> Built:
    """VDAE: the diffusion map, then the autoencoder."""
    if not isinstance(manifold, Euclidean):
        raise UsageError(f"config.manifold: the codes of the method vdae lie in a Euclidean space, got {manifold}")
    if optimizer.encoder_warmup_steps:
        raise UsageError("config.optimizer.encoder_warmup_steps must be 0 for the method vdae: its encoder is fixed")
    config = typed(VDAEConfig, block, "config.model", dim=manifold.dim, image_shape=dataset.image_shape)
    config = _completed(config, dataset, num_steps)

    def at(values: Mapping[str, Any]) -> tuple[Model, tuple[Stage, ...]]:
        method = vdae(with_values(config, "model", values), dataset.num_train)
        rates = adam(with_values(optimizer, "optimizer", values), num_steps)
        return method.model, spectral_stages(method, config.spectral, rates, num_steps)

    return _traceable(at)


def _build_er(
    block: Mapping[str, Any],
    manifold: Manifold,
    dataset: Dataset,
    optimizer: OptimizerConfig,
    num_steps: int,
) -> Built:
    """ER: the reparametrisation, where it is learned, then the VAE."""
    config = typed(ERConfig, block, "config.model", manifold=manifold, image_shape=dataset.image_shape)
    config = _completed(config, dataset, num_steps)

    def at(values: Mapping[str, Any]) -> tuple[Model, tuple[Stage, ...]]:
        method = er(with_values(config, "model", values))
        rates = adam(with_values(optimizer, "optimizer", values), num_steps)
        return method.model, reparametrization_stages(method, config.reparametrization, rates, num_steps)

    try:
        return _traceable(at)
    except (NotImplementedError, ValueError) as error:
        raise UsageError(f"config.model: {error}") from error


def _build_wgan(
    block: Mapping[str, Any],
    manifold: Manifold,
    dataset: Dataset,
    optimizer: OptimizerConfig,
    num_steps: int,
) -> Built:
    """Wasserstein GAN: one stage, in which critic and generator take turns."""
    if not isinstance(manifold, Euclidean):
        raise UsageError(f"config.manifold: the method wgan has a Euclidean latent space, got {manifold}")
    if optimizer.encoder_warmup_steps:
        raise UsageError("config.optimizer.encoder_warmup_steps must be 0 for the method wgan, which has no encoder")
    config = typed(WGANConfig, block, "config.model", dim=manifold.dim, image_shape=dataset.image_shape)
    method = wgan(config)
    optimizers = (
        adversarial_adam(optimizer, num_steps, config.num_critic_steps),
        adversarial_adam(optimizer, num_steps, 1),
    )
    return Built(method.model, (adversarial_stage(method, optimizers, num_steps),))


def _with_graph(block: Mapping[str, Any], dataset: Dataset) -> Dataset:
    """The data with the graph that the first stage of a VDAE learns from."""
    if "spectral" not in block:
        raise UsageError("config.model lacks spectral")
    config = typed(SpectralNetConfig, block["spectral"], "config.model.spectral")
    return with_graph(
        dataset,
        num_neighbors=config.num_neighbors,
        scale_neighbor=config.scale_neighbor,
        alpha=config.density_power,
    )


def read_vaells(
    block: Mapping[str, Any], manifold: Manifold, dataset: Dataset
) -> tuple[VAELLSConfig, AlternatingConfig]:
    """Reads the model block of a VAELLS.

    Raises:
        UsageError: For another manifold, β = 0, or anything unknown, missing or out of range.
    """
    if not isinstance(manifold, Euclidean):
        raise UsageError(f"config.manifold: the method vaells has a Euclidean latent space, got {manifold}")
    if "training" not in block:
        raise UsageError("config.model lacks training")
    training = typed(AlternatingConfig, block["training"], "config.model.training")
    rest = {name: value for name, value in block.items() if name != "training"}
    config = typed(VAELLSConfig, rest, "config.model", dim=manifold.dim, image_shape=dataset.image_shape)
    if config.beta <= 0:
        raise UsageError("config.model.beta must be positive for the method vaells, whose operators need a prior")
    return config, training


def _completed(config: C, dataset: Dataset, num_steps: int) -> C:
    """Returns the config with the capacity rising over the whole training, if it does not say over what."""
    if config.likelihood == "bernoulli":
        _check_unit_range(dataset, "likelihood = 'bernoulli'", "use gaussian or gaussian_learned_variance")
    if config.max_capacity is not None and config.capacity_steps is None:
        return dataclasses.replace(config, capacity_steps=num_steps)
    return config


def _one_stage(make: Callable[[C], Model], config: C, optimizer: OptimizerConfig, num_steps: int) -> Built:
    """Returns a model and the one stage that minimises its loss."""

    def at(values: Mapping[str, Any]) -> tuple[Model, tuple[Stage, ...]]:
        model = make(with_values(config, "model", values))
        rates = adam(with_values(optimizer, "optimizer", values), num_steps)
        stage = gradient_stage(
            "train", num_steps, lambda key, batch, previous: model.init(key, batch), model.loss_terms, rates
        )
        return model, (stage,)

    return _traceable(at)


def _traceable(at: Callable[[Mapping[str, Any]], tuple[Model, tuple[Stage, ...]]]) -> Built:
    """Returns what `at`, values of `mvae.training.traced.TRACED` -> model and stages, gives for those of the config."""
    model, stages = at({})
    return Built(model, stages, lambda values: at(values)[1])


def _check_densities(config: DVAEConfig) -> None:
    """Raises if the manifold lacks what the objective needs, or a density that is not known to be missing."""
    z = jax.ShapeDtypeStruct((config.manifold.ambient_dim,), jnp.float32)
    try:
        jax.eval_shape(lambda z: kl_to_uniform(config.manifold, 1.0, z, method=config.kl), z)
        if not is_expansion(config.manifold):  # there the results say that they lack the log-likelihood
            jax.eval_shape(lambda z: log_heat_kernel(config.manifold, 1.0, z, z), z)
        if config.sampler == "exact":
            jax.eval_shape(lambda z: sample(jax.random.key(0), config.manifold, z, 1.0), z)
    except NotImplementedError as error:
        raise UsageError(f"config.manifold, config.model: {error}") from error


def _check_unit_range(dataset: Dataset, setting: str, remedy: str) -> None:
    """Raises if the first pictures leave [0, 1], which a setting of config.model needs; `remedy` ends the message."""
    image = dataset.render({name: jnp.asarray(array[:64]) for name, array in dataset.train.items()})["image"]
    low, high = float(jnp.min(image)), float(jnp.max(image))
    if low < 0 or high > 1:
        raise UsageError(
            f"config.model.{setting} needs pixels in [0, 1], those of {dataset.name} reach from {low:.2f} to "
            f"{high:.2f}: {remedy}"
        )


METHODS: dict[str, Callable[..., Built]] = {
    "dvae": _build_dvae,
    "er": _build_er,
    "svae": _build_svae,
    "vae": _build_vae,
    "vaells": _build_vaells,
    "vamp": _build_vamp,
    "vdae": _build_vdae,
    "wgan": _build_wgan,
}
# Methods whose stages take the values of TRACED as arrays: those that come with `stages_at`.
TRACEABLE = ("dvae", "er", "svae", "vae", "vamp", "vdae")
# What a method adds to the data before anything is built of them.
PREPARED: dict[str, Callable[[Mapping[str, Any], Dataset], Dataset]] = {"vdae": _with_graph}

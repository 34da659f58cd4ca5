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
from mvae.methods.dvae import DVAEConfig, dvae
from mvae.methods.er.model import ERConfig, er
from mvae.methods.er.training import reparametrization_stages
from mvae.methods.svae import SVAEConfig, svae
from mvae.methods.vae import VAEConfig, vae
from mvae.methods.vaells.anchors import check_anchor_choice
from mvae.methods.vaells.model import vaells
from mvae.methods.vaells.training import AlternatingVAELLSConfig, alternating_stages
from mvae.methods.vamp import VampConfig, vamp
from mvae.methods.vdae.model import VDAEConfig, vdae
from mvae.methods.vdae.spectral_net import SpectralNetConfig
from mvae.methods.vdae.training import check_sizes, spectral_stages
from mvae.methods.wgan.model import WGANConfig, wgan
from mvae.methods.wgan.training import adversarial_stage
from mvae.models import Model
from mvae.models.objective import VariationalConfig
from mvae.models.optimizer import OptimizerConfig, adam, adversarial_adam
from mvae.models.stage import Stage, gradient_stage
from mvae.models.traced import with_values
from mvae.typed import typed

StagesAt = Callable[[Mapping[str, Any]], tuple[Stage, ...]]
T = TypeVar("T")
C = TypeVar("C", bound=VariationalConfig)


class Given(NamedTuple):
    """What a method is built from: its block of the config, and what the other blocks became."""

    block: Mapping[str, Any]
    manifold: Manifold
    dataset: Dataset
    optimizer: OptimizerConfig
    num_steps: int
    batch_size: int
    init_batch_size: int

    def typed(self, kind: type[T], **values: Any) -> T:
        """Returns the block as a config of the given class, with the pictures' shape and `values` filled in.

        Raises:
            UsageError: For anything unknown, missing or out of range.
        """
        return typed(kind, self.block, "config.model", event_shape=self.dataset.event_shape, **values)


class Built(NamedTuple):
    """What a method makes of its block of the config; see `Experiment`."""

    model: Model
    stages: tuple[Stage, ...]
    stages_at: StagesAt | None = None
    params_of: Callable[[Any], Any] = lambda state: state.params


def _build_dvae(given: Given) -> Built:
    """ΔVAE: one stage."""
    config = given.typed(DVAEConfig, manifold=given.manifold)
    _check_densities(config)
    return _one_stage(dvae, config, given)


def _build_vae(given: Given) -> Built:
    """VAE: one stage."""
    return _one_stage(vae, given.typed(VAEConfig, dim=_euclidean_dim("vae", given.manifold)), given)


def _build_vaells(given: Given) -> Built:
    """VAELLS: a warm-up, then networks and operators in turns."""
    config = read_vaells(given.block, given.manifold, given.dataset)
    check_anchor_choice(
        config.anchors,
        given.dataset,
        given.init_batch_size,
        num_classes=config.num_classes,
        num_anchors=config.num_anchors,
    )
    config, training = _completed(config, given), config.training
    method = vaells(config)
    constant = dataclasses.replace(given.optimizer, decay_fraction=0.0)
    num_network_steps = training.num_network_steps(given.num_steps)
    optimizers = (adam(constant, training.warm_up_steps), adam(given.optimizer, num_network_steps))
    stages = alternating_stages(method, training, optimizers, given.num_steps, config.beta)
    return Built(method.model, stages)


def _build_svae(given: Given) -> Built:
    """Hyperspherical VAE: one stage."""
    manifold = given.manifold
    if not (isinstance(manifold, Sphere) and manifold.radius == 1):
        raise UsageError(
            f"config.manifold: the latent space of the method svae is a sphere of radius 1, got {manifold}"
        )
    return _one_stage(svae, given.typed(SVAEConfig, dim=manifold.dim), given)


def _build_vamp(given: Given) -> Built:
    """VAE with a VampPrior: one stage."""
    config = given.typed(VampConfig, dim=_euclidean_dim("vamp", given.manifold))
    if config.clip_pseudo_inputs:
        _check_unit_range(given.dataset, "clip_pseudo_inputs = True", "set it to False")
    return _one_stage(vamp, config, given)


def _build_vdae(given: Given) -> Built:
    """VDAE: the diffusion map, then the autoencoder."""
    dim = _euclidean_dim("vdae", given.manifold)
    if given.optimizer.encoder_warmup_steps:
        raise UsageError("config.optimizer.encoder_warmup_steps must be 0 for the method vdae: its encoder is fixed")
    config = _completed(given.typed(VDAEConfig, dim=dim), given)
    check_sizes(config, given.batch_size, given.init_batch_size)

    def at(values: Mapping[str, Any]) -> tuple[Model, tuple[Stage, ...]]:
        method = vdae(with_values(config, "model", values), given.dataset.num_train)
        rates = adam(with_values(given.optimizer, "optimizer", values), given.num_steps)
        return method.model, spectral_stages(method, config.spectral, rates, given.num_steps)

    return _traceable(at)


def _build_er(given: Given) -> Built:
    """ER: the reparametrisation, where it is learned, then the VAE."""
    config = _completed(given.typed(ERConfig, manifold=given.manifold), given)

    def at(values: Mapping[str, Any]) -> tuple[Model, tuple[Stage, ...]]:
        method = er(with_values(config, "model", values))
        rates = adam(with_values(given.optimizer, "optimizer", values), given.num_steps)
        return method.model, reparametrization_stages(method, config.reparametrization, rates, given.num_steps)

    try:
        return _traceable(at)
    except (NotImplementedError, ValueError) as error:
        raise UsageError(f"config.model: {error}") from error


def _build_wgan(given: Given) -> Built:
    """Wasserstein GAN: one stage, in which critic and generator take turns."""
    dim = _euclidean_dim("wgan", given.manifold)
    if given.optimizer.encoder_warmup_steps:
        raise UsageError("config.optimizer.encoder_warmup_steps must be 0 for the method wgan, which has no encoder")
    config = given.typed(WGANConfig, dim=dim)
    method = wgan(config)
    optimizers = (
        adversarial_adam(given.optimizer, given.num_steps, config.num_critic_steps),
        adversarial_adam(given.optimizer, given.num_steps, 1),
    )
    return Built(method.model, (adversarial_stage(method, optimizers, given.num_steps),))


def _with_graph(block: Mapping[str, Any], dataset: Dataset) -> Dataset:
    """The data with the graph that the first stage of a VDAE learns from."""
    config = typed(SpectralNetConfig, block.get("spectral", {}), "config.model.spectral")
    return with_graph(
        dataset,
        num_neighbors=config.num_neighbors,
        scale_neighbor=config.scale_neighbor,
        alpha=config.density_power,
    )


def read_vaells(block: Mapping[str, Any], manifold: Manifold, dataset: Dataset) -> AlternatingVAELLSConfig:
    """Reads the model block of a VAELLS.

    Raises:
        UsageError: For another manifold, β = 0, or anything unknown, missing or out of range.
    """
    dim = _euclidean_dim("vaells", manifold)
    config = typed(AlternatingVAELLSConfig, block, "config.model", dim=dim, event_shape=dataset.event_shape)
    if config.beta <= 0:
        raise UsageError("config.model.beta must be positive for the method vaells, whose operators need a prior")
    return config


def _euclidean_dim(method: str, manifold: Manifold) -> int:
    """Returns the dimension of the latent space of a method that needs a Euclidean one."""
    if not isinstance(manifold, Euclidean):
        raise UsageError(f"config.manifold: the method {method} has a Euclidean latent space, got {manifold}")
    return manifold.dim


def _completed(config: C, given: Given) -> C:
    """Returns the config with the capacity rising over the whole training, if it does not say over what."""
    if config.likelihood == "bernoulli":
        _check_unit_range(given.dataset, "likelihood = 'bernoulli'", "use gaussian or gaussian_learned_variance")
    if config.max_capacity is not None and config.capacity_steps is None:
        return dataclasses.replace(config, capacity_steps=given.num_steps)
    return config


def _one_stage(make: Callable[[C], Model], config: C, given: Given) -> Built:
    """Returns a model and the one stage that minimises its loss."""
    config = _completed(config, given)

    def at(values: Mapping[str, Any]) -> tuple[Model, tuple[Stage, ...]]:
        model = make(with_values(config, "model", values))
        rates = adam(with_values(given.optimizer, "optimizer", values), given.num_steps)
        stage = gradient_stage(
            "train", given.num_steps, lambda key, batch, previous: model.init(key, batch), model.loss_terms, rates
        )
        return model, (stage,)

    return _traceable(at)


def _traceable(at: Callable[[Mapping[str, Any]], tuple[Model, tuple[Stage, ...]]]) -> Built:
    """Returns what `at`, values of `mvae.models.traced.TRACED` -> model and stages, gives for those of the config."""
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
    image = dataset.render({name: jnp.asarray(array[:64]) for name, array in dataset.train.items()})["x"]
    low, high = float(jnp.min(image)), float(jnp.max(image))
    if low < 0 or high > 1:
        raise UsageError(
            f"config.model.{setting} needs pixels in [0, 1], those of {dataset.name} reach from {low:.2f} to "
            f"{high:.2f}: {remedy}"
        )


METHODS: dict[str, Callable[[Given], Built]] = {
    "dvae": _build_dvae,
    "er": _build_er,
    "svae": _build_svae,
    "vae": _build_vae,
    "vaells": _build_vaells,
    "vamp": _build_vamp,
    "vdae": _build_vdae,
    "wgan": _build_wgan,
}
CONFIGS: dict[str, type] = {
    "dvae": DVAEConfig,
    "er": ERConfig,
    "svae": SVAEConfig,
    "vae": VAEConfig,
    "vaells": AlternatingVAELLSConfig,
    "vamp": VampConfig,
    "vdae": VDAEConfig,
    "wgan": WGANConfig,
}
# What a method makes of the latent space of another method's config; those that are not here take it as it is.
LATENT_SPACES: dict[str, Callable[[Manifold], Manifold]] = {
    "svae": lambda manifold: Sphere(manifold.dim),
    "vae": lambda manifold: Euclidean(manifold.dim),
    "vaells": lambda manifold: Euclidean(manifold.dim),
    "vamp": lambda manifold: Euclidean(manifold.dim),
    "vdae": lambda manifold: Euclidean(manifold.dim),
    "wgan": lambda manifold: Euclidean(manifold.dim),
}
# Methods whose stages take the values of TRACED as arrays: those that come with `stages_at`.
TRACEABLE = ("dvae", "er", "svae", "vae", "vamp", "vdae")
# What a method adds to the data before anything is built of them.
PREPARED: dict[str, Callable[[Mapping[str, Any], Dataset], Dataset]] = {"vdae": _with_graph}

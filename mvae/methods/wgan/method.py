"""The method wgan: one stage, in which critic and generator take turns."""

from mvae.methods.method import Method, MethodInputs, MethodOutputs, check_no_warmup, euclidean
from mvae.methods.wgan.model import WGANConfig, wgan
from mvae.methods.wgan.training import adversarial_stage
from mvae.models.optimizer import adversarial_adam


def _build(inputs: MethodInputs) -> MethodOutputs:
    check_no_warmup(inputs, "wgan", ", which has no encoder")
    method = wgan(inputs.config, inputs.networks)
    optimizers = (
        adversarial_adam(inputs.optimizer, inputs.num_steps, inputs.config.num_critic_steps),
        adversarial_adam(inputs.optimizer, inputs.num_steps, 1),
    )
    return MethodOutputs(method.model, (adversarial_stage(method, optimizers, inputs.num_steps),))


METHOD = Method(
    "wgan",
    WGANConfig,
    _build,
    latent=euclidean,
    model=lambda config, num_train, networks: wgan(config, networks).model,
)

r"""Wasserstein GAN with gradient penalty, the baseline without an encoder beside configs/vae.py and configs/svae.py.

    python -m mvae.main --config=configs/wgan.py --workdir=runs/wgan
    python -m mvae.main --config=configs/wgan.py --config.data.name=mnist --config.data.dir=DIR \
        --workdir=runs/wgan_mnist

Critic and generator are the encoder and the decoder of the VAEs; a step is five steps of the critic and one of the
generator. Weight of the penalty, rate and moments are those of the paper [gulrajani2017].
results.json has neither bound nor likelihood, and figures/samples.png has samples.

Run time of quick (one seed, 300 steps) on two CPU cores beside other work: 2 minutes, 0.25 seconds a step at best.
Expected of quick: critic's estimate of the Wasserstein distance 7.0, penalty 0.08; samples are blurred views. The 1500
steps of the whole are few for a GAN, whose paper has 200000: give config.num_steps.
"""

from ml_collections import ConfigDict

from mvae.runs import default_config, is_quick


def get_config(arg: str = "") -> ConfigDict:
    quick = is_quick(arg)
    config = default_config("wgan", data="turntable", manifold="euclidean:10")
    config.num_seeds, config.num_epochs = (1, 30) if quick else (5, 150)
    config.optimizer.learning_rate = 1e-4
    return config

r"""ΔVAE on a hypersphere with annealed capacity, on views of an object [perezrey2019b].

    python -m mvae.main --config=configs/dvae_hypersphere.py --workdir=runs/hypersphere
    python -m mvae.main --config=configs/dvae_hypersphere.py --config.manifold.dim=20 --config.model.beta=2.5 \
        --config.data.name=coil20 --config.data.dir=DIR --workdir=runs/coil20

The objective is -log p(x | z) + β |KL - C|, in nats, with C rising linearly from 0 to 15 over the training. Published
are dimensions 10 and 20, β = 1, 2.5 and 10, a walk of 5 steps, and no scores. The KL is exact: the expansion for small
times, which is published, has a smallest value that is not zero, so that it cannot follow C from there.

Run time on two CPU cores: quick (one seed, 300 steps) 30 seconds. On COIL-20, five seeds, 6 minutes of training beside
other work.
Expected on COIL-20: ELBO -3795.7, KL 15.5, azimuth read from the codes with correlation 0.83; more in
experiments/hyperspherical_dvae.
"""

from ml_collections import ConfigDict

from mvae.runs import default_config, is_quick


def get_config(arg: str = "") -> ConfigDict:
    quick = is_quick(arg)
    config = default_config("dvae", data="turntable", manifold="sphere:10")
    config.num_seeds, config.num_epochs = (1, 30) if quick else (5, 150)
    config.model.num_walk_steps = 5
    config.model.initial_time = 0.3  # where the KL is near 0, as C is at step 0
    config.model.max_capacity = 15.0  # nats
    config.optimizer.update({"encoder_warmup_steps": 50, "final_learning_rate": 2e-5})
    return config

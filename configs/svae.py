r"""Hyperspherical VAE with a power spherical posterior, beside configs/dvae_hypersphere.py and configs/vae.py.

    python -m mvae.main --config=configs/svae.py --workdir=runs/svae
    python -m mvae.main --config=configs/svae.py --config.manifold.dim=2 --config.model.max_capacity=0.0 \
        --workdir=runs/svae_2

The manifold is a sphere of radius 1, of any dimension. Objective, networks and data are those of the other two configs:
-log p(x | z) + beta |KL - C|, with C rising to 15 nats. The paper [davidson2018] has the ELBO itself, C = 0.

Run time of quick (one seed, 300 steps) on two CPU cores beside other work: 55 seconds, that of configs/vae.py 71.
Expected of quick: ELBO -3793.5, KL 15.1, azimuth read from the codes with correlation 0.76; of configs/vae.py -3791.0,
15.1 and 0.72.
"""

from ml_collections import ConfigDict

from mvae.runs import default_config, is_quick


def get_config(arg: str = "") -> ConfigDict:
    quick = is_quick(arg)
    config = default_config("svae", data="turntable", manifold="sphere:10")
    config.num_seeds, config.num_epochs = (1, 30) if quick else (5, 150)
    config.model.max_capacity = 15.0  # nats
    config.optimizer.update({"encoder_warmup_steps": 50, "final_learning_rate": 2e-5})
    return config

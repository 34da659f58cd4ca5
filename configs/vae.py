"""β-VAE with a Gaussian posterior and annealed capacity, the usual baseline of configs/dvae_hypersphere.py.

    python -m mvae.main --config=configs/vae.py --workdir=runs/vae
    python -m mvae.main --config=configs/vae.py --config.data.name=mnist --config.data.dir=DIR --workdir=runs/vae_mnist

Run time on two CPU cores: quick (one seed, 300 steps) 25 seconds. On COIL-20, five seeds, 6 minutes of training beside
other work.
Expected on COIL-20: ELBO -3794.3, KL 15.3, azimuth read from the codes with correlation 0.79.
"""

from ml_collections import ConfigDict

from mvae.runs import default_config, is_quick


def get_config(arg: str = "") -> ConfigDict:
    quick = is_quick(arg)
    config = default_config("vae", data="turntable", manifold="euclidean:10")
    config.num_seeds, config.num_epochs = (1, 30) if quick else (5, 150)
    config.model.initial_variance = 0.9  # where the KL is near 0, as C is at step 0
    config.model.max_capacity = 15.0  # nats
    config.optimizer.update({"encoder_warmup_steps": 50, "final_learning_rate": 2e-5})
    return config

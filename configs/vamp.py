"""VAE with a VampPrior, a mixture of the posteriors of learned images, beside configs/vae.py.

    python -m mvae.main --config=configs/vamp.py --workdir=runs/vamp
    python -m mvae.main --config=configs/vamp.py --config.model.num_pseudo_inputs=500 --workdir=runs/vamp_500

The KL is known from single draws of the posterior, so that there is no capacity: the objective is the ELBO.

Run time of quick (one seed, 300 steps) on two CPU cores beside other work: 66 seconds, that of configs/vae.py 71.
Expected of quick: ELBO -3786.1, KL 6.8, azimuth read from the codes with correlation 0.76.
"""

from ml_collections import ConfigDict

from mvae.runs import default_config, is_quick


def get_config(arg: str = "") -> ConfigDict:
    quick = is_quick(arg)
    config = default_config("vamp", data="turntable", manifold="euclidean:10")
    config.num_seeds, config.num_epochs = (1, 30) if quick else (5, 150)
    config.optimizer.update({"encoder_warmup_steps": 50, "final_learning_rate": 2e-5})
    return config

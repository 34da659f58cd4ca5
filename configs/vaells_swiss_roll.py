"""VAELLS on a swiss roll: one transport operator learns the spiral [connor2021, Sec. 4].

    python -m mvae.main --config=configs/vaells_swiss_roll.py --workdir=runs/swiss_roll

Run time on two CPU cores: 53 seconds of training beside other work.
Expected: decoded orbit within 0.015 of the spiral relative to its size, MSE 4e-4.
"""

from ml_collections import ConfigDict

from mvae.runs import default_config, is_quick


def get_config(arg: str = "") -> ConfigDict:
    quick = is_quick(arg)
    config = default_config("vaells", data="swiss_roll", manifold="euclidean:2")
    config.num_steps = 3000 if quick else 10_000  # after the warm-up
    config.batch_size, config.init_batch_size = 30, 1000  # anchors are chosen among these
    config.log_every, config.checkpoint_every = 100, 1000
    config.model.encoder_widths = config.model.decoder_widths = (512,)
    config.model.beta = 2.5e-3  # variance of p(x | z)
    config.model.initial_operator_scale = 0.01
    config.model.num_anchors, config.model.anchors = 4, "even"
    config.model.posterior.noise_scale = config.model.prior.noise_scale = 0.02
    return config

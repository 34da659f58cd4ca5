"""VAELLS on two concentric circles: four transport operators, each circle with its own anchors [connor2021, Sec. 4].

    python -m mvae.main --config=configs/vaells_circles.py --workdir=runs/circles

Run time on two CPU cores: 1.5 to 2.5 minutes of training beside other work; a step takes 9.6 ms alone.
Expected: the circles apart (accuracy 1, gap 12), decoded orbits within 0.04 of them relative to their size.
"""

from ml_collections import ConfigDict

from mvae.runs import default_config, is_quick


def get_config(arg: str = "") -> ConfigDict:
    quick = is_quick(arg)
    config = default_config("vaells", data="concentric_circles", manifold="euclidean:2")
    config.num_steps = 3000 if quick else 8000  # after the warm-up
    config.batch_size, config.init_batch_size = 30, 400  # anchors are chosen among these
    config.log_every, config.checkpoint_every = 100, 1000
    config.model.encoder_widths = config.model.decoder_widths = (512,)
    config.model.beta = 2.5e-3  # variance of p(x | z)
    config.model.num_operators, config.model.initial_operator_scale = 4, 0.01
    config.model.num_classes, config.model.anchors = 2, "even"
    config.model.posterior.noise_scale = config.model.prior.noise_scale = 0.02
    return config

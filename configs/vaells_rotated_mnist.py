"""VAELLS on rotated digits: one transport operator learns to rotate them [connor2021, Sec. 4].

    python -m mvae.main --config=configs/vaells_rotated_mnist.py --config.data.dir=DIR --workdir=runs/rotated_mnist

Run time on two CPU cores: 9 minutes of training and 3 of evaluation beside other work.
Expected: angle error 1.5 degrees over the full turn, class kept over 300 degrees (median), MSE 0.0125.
"""

from ml_collections import ConfigDict

from mvae.runs import default_config, is_quick


def get_config(arg: str = "") -> ConfigDict:
    quick = is_quick(arg)
    config = default_config("vaells", data="rotated_mnist:num_anchors=3", manifold="euclidean:10")
    config.num_steps = 500 if quick else 6000  # after the warm-up
    config.log_every, config.checkpoint_every = 100, 1000
    config.model.encoder_widths = (512, 512)
    config.model.likelihood = "gaussian_sigmoid"
    config.model.anchors = "batch"  # each digit brings its own, other rotations of it
    config.model.training.operator_warm_up_steps = 200
    config.evaluation.update({"importance_samples": 20, "bound_samples": 2, "batch_size": 50})
    return config

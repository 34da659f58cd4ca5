"""VAELLS on MNIST: transformations within each class of digits [connor2021, Sec. 4, Table 2].

    python -m mvae.main --config=configs/vaells_mnist.py --config.data.dir=DIR --workdir=runs/vaells_mnist

Run time on two CPU cores: 19 minutes of training and 6 of evaluation beside other work.
Expected: log-likelihood -749.1, MSE 0.0207.
"""

from ml_collections import ConfigDict

from mvae.runs import default_config, is_quick


def get_config(arg: str = "") -> ConfigDict:
    quick = is_quick(arg)
    config = default_config("vaells", data="mnist", manifold="euclidean:6")
    config.num_steps = 500 if quick else 6000  # after the warm-up
    config.init_batch_size = 4096  # anchors are chosen among these
    config.log_every, config.checkpoint_every = 100, 1000
    config.model.encoder_widths = (512, 512)
    config.model.likelihood = "gaussian_sigmoid"
    config.model.num_operators = 8
    config.model.num_classes, config.model.num_anchors = 10, 8
    config.model.training.operator_warm_up_steps = 400
    config.evaluation.update({"importance_samples": 20, "bound_samples": 2, "batch_size": 50})
    return config

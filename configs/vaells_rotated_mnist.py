"""VAELLS on rotated digits: one transport operator learns to rotate them [connor2021, Sec. 4].

    python -m mvae.main --config=configs/vaells_rotated_mnist.py --config.data.dir=DIR --workdir=runs/rotated_mnist

Run time on two CPU cores: 9 minutes of training and 3 of evaluation beside other work.
Expected: angle error 1.5 degrees over the full turn, class kept over 300 degrees (median), MSE 0.0125.
"""

from ml_collections import ConfigDict, config_dict


def get_config(arg: str = "") -> ConfigDict:
    if arg not in ("", "quick"):
        raise ValueError(f"configs/vaells_rotated_mnist.py knows the argument 'quick' or none, got {arg!r}")
    quick = arg == "quick"
    config = ConfigDict()
    config.method = "vaells"
    config.seed = 0
    config.num_seeds = 1
    config.batch_size = 64
    config.init_batch_size = 1024
    config.num_epochs = 10
    config.num_steps = 500 if quick else 6000  # after the warm-up; None for num_epochs
    config.log_every = 100
    config.checkpoint_every = 1000

    # None leaves an entry at the data set's own default; giving one that the data set does not have is an error.
    config.data = ConfigDict()
    config.data.name = "rotated_mnist"
    config.data.dir = config_dict.placeholder(str)  # folder of the IDX files; None downloads them
    config.data.num_train = config_dict.placeholder(int)
    config.data.num_test = config_dict.placeholder(int)
    config.data.seed = config_dict.placeholder(int)  # draws the angles
    config.data.num_anchors = 3  # other rotations of each digit
    config.data.max_angle = config_dict.placeholder(float)  # of the digits, in degrees
    config.data.anchor_spread = config_dict.placeholder(float)  # of the anchors from their digit, in degrees

    config.manifold = ConfigDict()
    config.manifold.name = "euclidean"
    config.manifold.dim = 10

    config.model = ConfigDict()
    config.model.net = "mlp"
    config.model.encoder_widths = (512, 512)
    config.model.decoder_widths = (512, 512)
    config.model.likelihood = "gaussian_sigmoid"
    config.model.beta = 0.03  # variance of p(x | z)
    config.model.min_capacity = 0.0
    config.model.max_capacity = config_dict.placeholder(float)
    config.model.capacity_steps = config_dict.placeholder(int)
    config.model.num_operators = 1
    config.model.initial_operator_scale = 0.05
    config.model.operator_penalty = 0.01
    config.model.num_classes = 1
    config.model.num_anchors = 3
    config.model.anchors = "batch"  # each digit brings its own
    config.model.learn_anchors = True
    # The law of a transported point: exp(sum of c_m Psi_m) mu + noise_scale * normal, c_m ~ Laplace(laplace_scale).
    # l1_weight is that of the inference; None for noise_scale^2 / laplace_scale, which is what the law says.
    config.model.posterior = ConfigDict()
    config.model.posterior.noise_scale = 0.05
    config.model.posterior.laplace_scale = 0.05
    config.model.posterior.l1_weight = config_dict.placeholder(float)
    config.model.prior = ConfigDict()
    config.model.prior.noise_scale = 0.05
    config.model.prior.laplace_scale = 1.0
    config.model.prior.l1_weight = config_dict.placeholder(float)
    config.model.num_restarts = 2  # random starts of each inference
    config.model.max_iterations = 50
    config.model.coefficient_gradient = "fixed"  # or implicit
    config.model.training = ConfigDict()
    config.model.training.warm_up_steps = 500  # an autoencoder with noise, no operators
    config.model.training.operator_warm_up_steps = 200  # operators alone
    config.model.training.network_steps = 20  # then in turns
    config.model.training.operator_steps = 20
    config.model.training.network_rate = 1.0  # factor on the learning rate of the networks after the warm-up
    config.model.training.operator_rate = 4e-4  # gradient descent, on the loss in nats
    config.model.training.max_operator_rate = 0.1
    config.model.training.operator_factor = 0.95  # of the rate after a step that does not lower the loss

    config.optimizer = ConfigDict()
    config.optimizer.learning_rate = 1e-3
    config.optimizer.encoder_warmup_steps = 0
    config.optimizer.final_learning_rate = 1e-5
    config.optimizer.decay_fraction = 0.5

    config.evaluation = ConfigDict()
    config.evaluation.importance_samples = 20
    config.evaluation.bound_samples = 2
    config.evaluation.batch_size = 50
    config.evaluation.degree_grid = 64
    config.evaluation.scores = ()
    return config

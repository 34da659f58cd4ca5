r"""ER: a learned map from a cube onto a manifold, frozen, then a VAE whose latent variable is on that manifold.

    python -m mvae.main --config=configs/er.py:circle --workdir=runs/er
    python -m mvae.main --config=configs/er.py:sphere --config.model.group=True --workdir=runs/er_sphere

The argument is the manifold: circle, sphere, torus, so3, interval, plane; or quick, which is the circle with fewer
steps. Data are points of the same manifold, carried to R^100 by a fixed random network; --config.data.space has others.
Interval and plane have no map to learn: their latent spaces are [0, 1] with Beta posteriors and R^2 with Gaussian ones.
Paper: [golikov2018]; the rows of its Table 1 and the test of which manifold data come from are in experiments/er.

Run time of quick on two CPU cores: 23 seconds; of circle with ten seeds a little over a minute. Expected of quick:
ELBO 248, KL 4.3, map_coverage 0.97; of circle: ELBO 345 +- 33, and with --config.model.group=True 561 +- 105.
"""

from ml_collections import ConfigDict, config_dict

MANIFOLDS = {
    "circle": ("sphere", 1),
    "sphere": ("sphere", 2),
    "torus": ("flat_torus", 2),
    "so3": ("so3", None),
    "interval": ("euclidean", 1),
    "plane": ("euclidean", 2),
}


def get_config(arg: str = "") -> ConfigDict:
    quick = arg == "quick"
    space = "circle" if arg in ("", "quick") else arg
    if space not in MANIFOLDS:
        raise ValueError(f"configs/er.py knows the arguments quick, {', '.join(MANIFOLDS)}, got {arg!r}")
    config = ConfigDict()
    config.method = "er"
    config.seed = 0
    config.num_seeds = 1 if quick else 10
    config.batch_size = 128
    config.init_batch_size = 1024  # shown to the likelihood, whose variance starts at theirs
    config.num_epochs = 1
    config.num_steps = 500 if quick else 4000  # of the VAE
    config.log_every = 100
    config.checkpoint_every = 1000

    # None leaves an entry at the data set's own default; giving one that the data set does not have is an error.
    config.data = ConfigDict()
    config.data.name = "lifted"
    config.data.space = space
    config.data.ambient_dim = config_dict.placeholder(int)
    config.data.hidden = config_dict.placeholder(int)  # width of the network that carries the points
    config.data.noise = config_dict.placeholder(float)  # standard deviation of noise; none as published
    config.data.num_train = config_dict.placeholder(int)
    config.data.num_test = config_dict.placeholder(int)
    config.data.num_test = 2000
    config.data.seed = config_dict.placeholder(int)  # draws the points
    config.data.net_seed = config_dict.placeholder(int)  # draws the network

    config.manifold = ConfigDict()
    config.manifold.name, dim = MANIFOLDS[space]
    config.manifold.dim = config_dict.placeholder(int)
    config.manifold.dim = dim

    config.model = ConfigDict()
    config.model.net = "mlp"  # or conv, circular_conv; widths below are then channels
    config.model.encoder_widths = (128, 128)
    config.model.decoder_widths = (128, 128)
    config.model.likelihood = "gaussian_learned_variance"  # one variance for all coordinates; the paper does not say
    config.model.beta = 1.0  # weight of the KL
    config.model.min_capacity = 0.0
    config.model.max_capacity = config_dict.placeholder(float)
    config.model.capacity_steps = config_dict.placeholder(int)
    config.model.hidden = "gaussian" if space == "plane" else "beta"  # law on the space that f starts from
    config.model.group = False  # whether the encoder puts out an element of a group too
    config.model.initial_variance = 0.9 if space == "plane" else 0.05  # of the posterior, in that space

    config.model.reparametrization = ConfigDict()
    config.model.reparametrization.kind = "learned"  # or exact, the closed form
    config.model.reparametrization.project = False  # whether f ends with the projection onto the manifold
    config.model.reparametrization.widths = (64, 64) if space == "circle" else (128, 128)
    config.model.reparametrization.mmd_weight = 10.0  # lambda of the Wasserstein autoencoder
    config.model.reparametrization.manifold_weight = 30.0  # the published objective has 0
    config.model.reparametrization.batch_size = 128
    config.model.reparametrization.num_steps = 500 if quick else 4000
    config.model.reparametrization.learning_rate = 3e-3

    config.optimizer = ConfigDict()
    config.optimizer.learning_rate = 3e-3
    config.optimizer.encoder_warmup_steps = 0
    config.optimizer.final_learning_rate = 1e-5
    config.optimizer.decay_fraction = 0.5

    config.evaluation = ConfigDict()
    config.evaluation.importance_samples = 500
    config.evaluation.bound_samples = 10
    config.evaluation.batch_size = 100
    config.evaluation.degree_grid = 64
    config.evaluation.scores = ()
    return config

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

from ml_collections import ConfigDict, config_dict


def get_config(arg: str = "") -> ConfigDict:
    if arg not in ("", "quick"):
        raise ValueError(f"configs/svae.py knows the argument 'quick' or none, got {arg!r}")
    quick = arg == "quick"
    config = ConfigDict()
    config.method = "svae"
    config.seed = 0
    config.num_seeds = 1 if quick else 5
    config.batch_size = 64
    config.init_batch_size = 1024
    config.num_epochs = 30 if quick else 150
    config.num_steps = config_dict.placeholder(int)  # in place of num_epochs, if given
    config.log_every = 20
    config.checkpoint_every = 500

    # None leaves an entry at the data set's own default; giving one that the data set does not have is an error.
    config.data = ConfigDict()
    config.data.name = "turntable"
    config.data.dir = config_dict.placeholder(str)  # folder of the files; None downloads mnist or cars3d
    config.data.num_train = config_dict.placeholder(int)
    config.data.num_test = config_dict.placeholder(int)
    config.data.seed = config_dict.placeholder(int)  # draws the translations and the random picture, or the split
    config.data.size = config_dict.placeholder(int)  # pixels along a side
    config.data.max_frequency = config_dict.placeholder(int)  # fourier_picture: N
    config.data.gamma = config_dict.placeholder(float)  # fourier_picture: discount of higher frequencies
    config.data.object = config_dict.placeholder(int)  # coil20: the one object to keep, 1 to 20
    config.data.test_every = config_dict.placeholder(int)  # coil20, turntable: one view in so many is for the test
    config.data.mesh = config_dict.placeholder(str)  # turntable: blob, horn, bunny or a file NAME.obj in dir
    config.data.num_azimuths = config_dict.placeholder(int)  # turntable
    config.data.num_elevations = config_dict.placeholder(int)  # turntable
    config.data.max_elevation = config_dict.placeholder(float)  # turntable: degrees; 180 for the full turn

    config.manifold = ConfigDict()
    config.manifold.name = "sphere"
    config.manifold.dim = 10

    config.model = ConfigDict()
    config.model.net = "mlp"  # or conv, circular_conv; widths below are then channels
    config.model.encoder_widths = (512, 512, 512)
    config.model.decoder_widths = (512, 512)
    config.model.likelihood = "gaussian"  # unit variance; or gaussian_learned_variance, bernoulli
    config.model.initial_concentration = 3.0  # kappa at step 0, where the KL is near 0 as C is; free from there on
    config.model.beta = 1.0  # weight of the KL
    config.model.min_capacity = 0.0  # nats: C at step 0
    config.model.max_capacity = 15.0  # nats: the loss has beta |KL - C|, C rising to this
    config.model.capacity_steps = config_dict.placeholder(int)  # over which C rises; None for the whole training

    config.optimizer = ConfigDict()
    config.optimizer.learning_rate = 1e-3
    config.optimizer.encoder_warmup_steps = 50
    config.optimizer.final_learning_rate = 2e-5
    config.optimizer.decay_fraction = 0.5

    config.evaluation = ConfigDict()
    config.evaluation.importance_samples = 100
    config.evaluation.bound_samples = 10
    config.evaluation.batch_size = 100
    config.evaluation.degree_grid = 64
    config.evaluation.scores = ()  # such as ("mig", "dci"): of mig, sap, dci, irs, beta_vae, factor_vae
    return config

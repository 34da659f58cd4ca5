"""VAE with a VampPrior, a mixture of the posteriors of learned pictures, beside configs/vae.py.

    python -m mvae.main --config=configs/vamp.py --workdir=runs/vamp
    python -m mvae.main --config=configs/vamp.py --config.model.num_pseudo_inputs=500 --workdir=runs/vamp_500

The KL is known from single draws of the posterior, so that there is no capacity: the objective is the ELBO.

Run time of quick (one seed, 300 steps) on two CPU cores beside other work: 66 seconds, that of configs/vae.py 71.
Expected of quick: ELBO -3786.1, KL 6.8, azimuth read from the codes with correlation 0.76.
"""

from ml_collections import ConfigDict, config_dict


def get_config(arg: str = "") -> ConfigDict:
    if arg not in ("", "quick"):
        raise ValueError(f"configs/vamp.py knows the argument 'quick' or none, got {arg!r}")
    quick = arg == "quick"
    config = ConfigDict()
    config.method = "vamp"
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
    config.manifold.name = "euclidean"
    config.manifold.dim = 10

    config.model = ConfigDict()
    config.model.net = "mlp"  # or conv, circular_conv; widths below are then channels
    config.model.encoder_widths = (512, 512, 512)
    config.model.decoder_widths = (512, 512)
    config.model.likelihood = "gaussian"  # unit variance; or gaussian_learned_variance, bernoulli
    config.model.initial_variance = 0.1  # of the posterior at step 0; free from there on
    config.model.num_pseudo_inputs = (
        100  # components of the prior; 500 in the paper, for ten times the pictures or more
    )
    config.model.pseudo_input_noise = 0.01  # added to the training pictures that the pseudo-inputs start from
    config.model.clip_pseudo_inputs = True  # to [0, 1], where the pictures of turntable are; False for other pictures
    config.model.beta = 1.0  # weight of the KL
    config.model.min_capacity = 0.0
    config.model.max_capacity = config_dict.placeholder(float)  # None: a VampPrior has none
    config.model.capacity_steps = config_dict.placeholder(int)

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

r"""ΔVAE on a hypersphere with annealed capacity, on views of an object [perezrey2019b].

    python -m mvae.main --config=configs/dvae_hypersphere.py --workdir=runs/hypersphere
    python -m mvae.main --config=configs/dvae_hypersphere.py --config.manifold.dim=20 --config.model.beta=2.5 \
        --config.data.name=coil20 --config.data.dir=DIR --workdir=runs/coil20

The objective is -log p(x | z) + β |KL - C|, in nats, with C rising linearly from 0 to 15 over the training. Published
are dimensions 10 and 20, β = 1, 2.5 and 10, a walk of 5 steps, and no scores. The KL is exact: the expansion for small
times, which is published, has a smallest value that is not zero, so that it cannot follow C from there.

Run time on two CPU cores: quick (one seed, 300 steps) 30 seconds. On COIL-20, five seeds, 6 minutes of training beside
other work.
Expected on COIL-20: ELBO -3795.7, KL 15.5, azimuth read from the codes with correlation 0.83; more in
experiments/hyperspherical_dvae.
"""

from ml_collections import ConfigDict, config_dict


def get_config(arg: str = "") -> ConfigDict:
    if arg not in ("", "quick"):
        raise ValueError(f"configs/dvae_hypersphere.py knows the argument 'quick' or none, got {arg!r}")
    quick = arg == "quick"
    config = ConfigDict()
    config.method = "dvae"
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
    config.manifold.radius = config_dict.placeholder(float)  # sphere
    config.manifold.major_radius = config_dict.placeholder(float)  # embedded_torus: c
    config.manifold.minor_radius = config_dict.placeholder(float)  # embedded_torus: a < c
    config.manifold.factors = config_dict.placeholder(tuple)  # product: such as ("sphere:2", "flat_torus:1", "so3")
    config.manifold.surface = config_dict.placeholder(str)  # implicit: genus_two

    config.model = ConfigDict()
    config.model.net = "mlp"  # or conv, circular_conv; widths below are then channels
    config.model.encoder_widths = (512, 512, 512)
    config.model.decoder_widths = (512, 512)
    config.model.likelihood = "gaussian"  # unit variance; or gaussian_learned_variance, bernoulli
    config.model.sampler = "walk"  # the paper's projection walk; "exact" draws from the heat kernel itself
    config.model.num_walk_steps = 5  # of the walk
    config.model.kl = "exact"  # or "asymptotic", the expansion for small t
    config.model.encoder_init = "principal"  # fitted to the manifold; or spectral, random
    config.model.initial_time = 0.3  # t at step 0, where the KL is near 0 as C is; free from there on
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

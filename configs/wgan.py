r"""Wasserstein GAN with gradient penalty, the baseline without an encoder beside configs/vae.py and configs/svae.py.

    python -m mvae.main --config=configs/wgan.py --workdir=runs/wgan
    python -m mvae.main --config=configs/wgan.py --config.data.name=mnist --config.data.dir=DIR \
        --workdir=runs/wgan_mnist

Critic and generator are the encoder and the decoder of the VAEs; a step is five steps of the critic and one of the
generator. Weight of the penalty, rate and moments are those of the paper [gulrajani2017].
results.json has neither bound nor likelihood, and figures/samples.png has samples.

Run time of quick (one seed, 300 steps) on two CPU cores beside other work: 2 minutes, 0.25 seconds a step at best.
Expected of quick: critic's estimate of the Wasserstein distance 7.0, penalty 0.08; samples are blurred views. The 1500
steps of the whole are few for a GAN, whose paper has 200000: give config.num_steps.
"""

from ml_collections import ConfigDict, config_dict


def get_config(arg: str = "") -> ConfigDict:
    if arg not in ("", "quick"):
        raise ValueError(f"configs/wgan.py knows the argument 'quick' or none, got {arg!r}")
    quick = arg == "quick"
    config = ConfigDict()
    config.method = "wgan"
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
    config.model.prior = "normal"  # or uniform, on [-1, 1)^dim
    config.model.gradient_penalty = 10.0  # weight of (|gradient of the critic| - 1)^2
    config.model.num_critic_steps = 5  # before each step of the generator

    config.optimizer = ConfigDict()
    config.optimizer.learning_rate = 1e-4
    config.optimizer.encoder_warmup_steps = 0  # there is none
    config.optimizer.final_learning_rate = 1e-5
    config.optimizer.decay_fraction = 0.5

    config.evaluation = ConfigDict()
    config.evaluation.importance_samples = 100
    config.evaluation.bound_samples = 10
    config.evaluation.batch_size = 100
    config.evaluation.degree_grid = 64
    config.evaluation.scores = ()  # such as ("mig", "dci"): of mig, sap, dci, irs, beta_vae, factor_vae
    return config

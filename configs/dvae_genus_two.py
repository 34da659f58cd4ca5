"""ΔVAE on the closed surface of genus 2, trained on MNIST; the latent space is given by an equation.

    python -m mvae.main --config=configs/dvae_genus_two.py --config.data.dir=DIR --workdir=runs/genus_two
    python -m mvae.main --config=configs/dvae_genus_two.py:quick --workdir=runs/genus_two_quick

quick trains on translations of the simple picture, which needs no files. Run time on two CPU cores: 4 minutes for 40
epochs and the evaluation; quick 40 seconds, most of it compilation.
Expected after 40 epochs: test ELBO -741, KL 4.6, MSE 0.040, mean t 0.013.

The KL is the expansion for small times, so t must stay small: at t = 0.03 it is 0.02 nats off, and where the curvature
is negative it falls without bound as t grows. t starts at 0.05 and falls. The log-likelihood
is not available: there is no density to weigh its samples with, and the results say so.
"""

from ml_collections import ConfigDict, config_dict


def get_config(arg: str = "") -> ConfigDict:
    if arg not in ("", "quick"):
        raise ValueError(f"configs/dvae_genus_two.py knows the argument 'quick' or none, got {arg!r}")
    quick = arg == "quick"
    config = ConfigDict()
    config.method = "dvae"
    config.seed = 0
    config.num_seeds = 1
    config.batch_size = 128 if quick else 640
    config.init_batch_size = 1024
    config.num_epochs = 3 if quick else 40
    config.num_steps = config_dict.placeholder(int)  # in place of num_epochs, if given
    config.log_every = 20 if quick else 93
    config.checkpoint_every = 930

    # None leaves an entry at the data set's own default; giving one that the data set does not have is an error.
    config.data = ConfigDict()
    config.data.name = "simple_picture" if quick else "mnist"
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
    config.manifold.name = "implicit"
    config.manifold.dim = 2
    config.manifold.radius = config_dict.placeholder(float)  # sphere
    config.manifold.major_radius = config_dict.placeholder(float)  # embedded_torus: c
    config.manifold.minor_radius = config_dict.placeholder(float)  # embedded_torus: a < c
    config.manifold.factors = config_dict.placeholder(tuple)  # product: such as ("sphere:2", "flat_torus:1", "so3")
    config.manifold.surface = "genus_two"  # implicit: a name in mvae.manifolds.surfaces

    config.model = ConfigDict()
    config.model.net = "mlp"  # or conv, circular_conv; widths below are then channels
    config.model.encoder_widths = (512, 512, 512)
    config.model.decoder_widths = (512, 512)
    config.model.likelihood = "gaussian"  # unit variance; or gaussian_learned_variance, bernoulli
    config.model.sampler = "walk"  # the only one here: no exact sampler
    config.model.num_walk_steps = 10  # of the walk
    config.model.kl = "asymptotic"  # the expansion for small t, the only one here
    config.model.encoder_init = "principal"  # or spectral, random
    config.model.initial_time = 0.05
    config.model.beta = 1.0  # weight of the KL
    config.model.min_capacity = 0.0  # nats: C at step 0
    config.model.max_capacity = config_dict.placeholder(
        float
    )  # nats: with it the loss has beta |KL - C|, C rising to this
    config.model.capacity_steps = config_dict.placeholder(int)  # over which C rises; None for the whole training

    config.optimizer = ConfigDict()
    config.optimizer.learning_rate = 1e-3
    config.optimizer.encoder_warmup_steps = 100
    config.optimizer.final_learning_rate = 2e-5
    config.optimizer.decay_fraction = 0.5

    config.evaluation = ConfigDict()
    config.evaluation.importance_samples = 100
    config.evaluation.bound_samples = 10
    config.evaluation.batch_size = 100
    config.evaluation.degree_grid = 64
    config.evaluation.scores = ()  # of data with known factors: mig, sap, dci, irs, beta_vae, factor_vae
    return config

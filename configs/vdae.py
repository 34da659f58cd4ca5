r"""VDAE: a diffusion map learned by a network, and an autoencoder around it that generates by a random walk.

    python -m mvae.main --config=configs/vdae.py:sphere --workdir=runs/sphere
    python -m mvae.main --config=configs/vdae.py:bunny --config.data.dir=DIR --workdir=runs/bunny

The argument is the data set: circle, loop, torus, sphere, two_moons, gaussian_grid, bunny, frey, coil20,
coil20_object, turntable, mnist; or quick, which is the circle with fewer steps. What differs between them is in the
table below; everything else is shared. Paper: [li2020]; the measures of its Table 1 are in experiments/vdae.

Run time of sphere (five seeds) on one CPU core: 145 seconds of training; of quick on two: 21 seconds with evaluation
and figures. Expected of sphere: mixing_steps 4, self_mse 4e-5; of quick: mixing_steps 4, self_mse 2e-4.
"""

from ml_collections import ConfigDict, config_dict

# "dim": D; "graph": neighbours in the graph, None for all pairs; "scale": which of them gives a point its scale; "map"
# and "steps": steps of the two stages; "around": how many codes have the covariance Sigma*; "alpha": of Eq. 7. Walks on
# the circle and the sphere forget their seed within ten steps; those in clusters stay there.
POINTS = {
    "graph": None,
    "scale": 10,
    "map": 1500,
    "steps": 2000,
    "batch": 256,
    "whole_batch": False,
    "widths": (256, 256),
    "decoder": (256, 256, 256),
    "likelihood": "gaussian",
    "num": None,
}
PICTURES = POINTS | {
    "graph": 6,
    "scale": 3,
    "map": 1000,
    "steps": 1000,
    "widths": (512, 512),
    "decoder": (512, 512),
    "likelihood": "gaussian_sigmoid",
}
SETTINGS = {
    "circle": POINTS | {"dim": 2, "around": 1200, "alpha": 20.0, "num": 4096},
    "loop": POINTS | {"dim": 2, "around": 1000, "alpha": 4.0},
    "torus": POINTS | {"dim": 6, "around": 250, "alpha": 1.0, "num": 5000},
    "sphere": POINTS | {"dim": 3, "around": 1800, "alpha": 6.0, "num": 6000},
    "two_moons": POINTS | {"dim": 3, "around": 100, "alpha": 2.0},
    "bunny": POINTS | {"dim": 6, "around": 300, "alpha": 1.0, "graph": 64, "map": 2500},
    "gaussian_grid": POINTS | {"dim": 24, "around": 50, "alpha": 1.0, "graph": 30, "map": 2500},
    "frey": PICTURES | {"dim": 5, "around": 50, "alpha": 1.0, "graph": 20, "scale": 10},
    "coil20": PICTURES | {"dim": 10, "around": 8, "alpha": 1.0, "whole_batch": True, "batch": 270},
    "coil20_object": PICTURES | {"dim": 2, "around": 16, "alpha": 2.0, "whole_batch": True, "batch": 54, "steps": 1500},
    "turntable": PICTURES | {"dim": 2, "around": 40, "alpha": 2.0, "whole_batch": True, "batch": 150},
    "mnist": PICTURES | {"dim": 20, "around": 20, "alpha": 1.0, "graph": 30, "scale": 10},
}


def get_config(arg: str = "") -> ConfigDict:
    quick = arg == "quick"
    name = "circle" if arg in ("", "quick") else arg
    if name not in SETTINGS:
        raise ValueError(f"configs/vdae.py knows the arguments quick, {', '.join(SETTINGS)}, got {arg!r}")
    setting = SETTINGS[name]
    config = ConfigDict()
    config.method = "vdae"
    config.seed = 0
    config.num_seeds = 1 if quick else 5
    config.batch_size = setting["batch"]
    config.init_batch_size = 8192  # the training examples among which neighbours are sought
    config.num_epochs = 1
    config.num_steps = 300 if quick else setting["steps"]  # of the autoencoder
    config.log_every = 100
    config.checkpoint_every = 500

    # None leaves an entry at the data set's own default; giving one that the data set does not have is an error.
    config.data = ConfigDict()
    config.data.name = "coil20" if name == "coil20_object" else name
    config.data.dir = config_dict.placeholder(str)  # folder of the files of bunny, frey, coil20, mnist
    config.data.num_train = config_dict.placeholder(int)
    if setting["num"] is not None:
        config.data.num_train = setting["num"]
    config.data.num_test = config_dict.placeholder(int)
    config.data.seed = config_dict.placeholder(int)
    config.data.noise = config_dict.placeholder(float)  # points: standard deviation of noise
    config.data.size = config_dict.placeholder(int)  # coil20, turntable: pixels along a side
    config.data.object = config_dict.placeholder(int)  # coil20: the one object to keep, 1 to 20
    config.data.objects = config_dict.placeholder(tuple)  # coil20: the objects to keep
    config.data.test_every = config_dict.placeholder(
        int
    )  # coil20, frey, turntable: one picture in so many is for the test
    config.data.num_azimuths = config_dict.placeholder(int)  # turntable
    config.data.num_elevations = config_dict.placeholder(int)  # turntable
    config.data.mesh = config_dict.placeholder(str)  # turntable
    if name in ("coil20", "coil20_object"):
        config.data.size = 32
    if name == "coil20":
        config.data.objects = (1, 2, 3, 4, 5)
    if name == "coil20_object":
        config.data.object = 1
    if name == "turntable":
        config.data.num_azimuths, config.data.num_elevations, config.data.size = 200, 1, 32

    config.manifold = ConfigDict()
    config.manifold.name = "euclidean"
    config.manifold.dim = setting["dim"]  # D, diffusion coordinates

    config.model = ConfigDict()
    config.model.net = "mlp"  # of the decoder; or conv, circular_conv
    config.model.encoder_widths = (256, 256)  # of the network of C(x); the encoder is model.spectral
    config.model.decoder_widths = setting["decoder"]
    config.model.likelihood = setting["likelihood"]  # gaussian: c = 1
    config.model.beta = 1.0  # weight of the KL between steps
    config.model.min_capacity = 0.0
    config.model.max_capacity = config_dict.placeholder(float)
    config.model.capacity_steps = config_dict.placeholder(int)
    config.model.num_neighbors = config_dict.placeholder(int)  # Sigma* is the covariance of so many codes,
    config.model.num_neighbors = setting["around"]
    config.model.radius = config_dict.placeholder(float)  # or of those in a ball
    config.model.step_scale = setting["alpha"]  # alpha of Eq. 7
    config.model.covariance_floor = 1e-3
    config.model.walk_steps = 10
    config.model.sample_noise = "none"  # or likelihood: steps are drawn from p(x | z)

    config.model.spectral = ConfigDict()
    config.model.spectral.num_neighbors = config_dict.placeholder(int)
    config.model.spectral.num_neighbors = setting["graph"]
    config.model.spectral.scale_neighbor = setting["scale"]
    config.model.spectral.density_power = 1.0
    config.model.spectral.laplacian = "random_walk"  # or unnormalized
    config.model.spectral.net = "mlp"
    config.model.spectral.widths = setting["widths"]
    config.model.spectral.num_extra = 4
    config.model.spectral.diffusion_time = 1.0
    config.model.spectral.separate_batch = not setting["whole_batch"]
    config.model.spectral.num_steps = 500 if quick else setting["map"]
    config.model.spectral.learning_rate = 3e-3

    config.optimizer = ConfigDict()
    config.optimizer.learning_rate = 1e-3
    config.optimizer.encoder_warmup_steps = 0
    config.optimizer.final_learning_rate = 1e-5
    config.optimizer.decay_fraction = 0.8

    config.evaluation = ConfigDict()
    config.evaluation.importance_samples = 1
    config.evaluation.bound_samples = 10
    config.evaluation.batch_size = 100
    config.evaluation.degree_grid = 64
    config.evaluation.scores = ()
    return config

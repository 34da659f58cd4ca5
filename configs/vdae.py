r"""VDAE: a diffusion map learned by a network, and an autoencoder around it that generates by a random walk.

    python -m mvae.main --config=configs/vdae.py:sphere --workdir=runs/sphere
    python -m mvae.main --config=configs/vdae.py:bunny --config.data.dir=DIR --workdir=runs/bunny

The argument is the data set: circle, loop, torus, sphere, two_moons, gaussian_grid, bunny, frey, coil20,
coil20_object, turntable, mnist; or quick, which is the circle with fewer steps. What differs between them is in the
table below; everything else is shared. Paper: [li2020]; the measures of its Table 1 are in experiments/vdae.

Run time of sphere (five seeds) on one CPU core: 145 seconds of training; of quick on two: 21 seconds with evaluation
and figures. Expected of sphere: mixing_steps 4, self_mse 4e-5; of quick: mixing_steps 4, self_mse 2e-4.
"""

from ml_collections import ConfigDict

from mvae.runs import default_config

# "dim": D; "graph": neighbours in the graph, None for all pairs; "scale": which of them gives a point its scale; "map"
# and "steps": steps of the two stages; "around": how many codes have the covariance Sigma*; "alpha": of Eq. 7. Walks on
# the circle and the sphere forget their seed within ten steps; those in clusters stay there.
POINTS = {"graph": None, "scale": 10, "map": 1500, "steps": 2000, "batch": 256, "whole_batch": False, "alpha": 1.0}
POINTS |= {"widths": (256, 256), "decoder": (256, 256, 256), "likelihood": "gaussian"}
PICTURES = POINTS | {"graph": 6, "scale": 3, "map": 1000, "steps": 1000}
PICTURES |= {"widths": (512, 512), "decoder": (512, 512), "likelihood": "gaussian_sigmoid"}
VIEWS = PICTURES | {"whole_batch": True}
SETTINGS = {
    "circle": POINTS | {"data": "circle:num_train=4096", "dim": 2, "around": 1200, "alpha": 20.0},
    "loop": POINTS | {"data": "loop", "dim": 2, "around": 1000, "alpha": 4.0},
    "torus": POINTS | {"data": "torus:num_train=5000", "dim": 6, "around": 250},
    "sphere": POINTS | {"data": "sphere:num_train=6000", "dim": 3, "around": 1800, "alpha": 6.0},
    "two_moons": POINTS | {"data": "two_moons", "dim": 3, "around": 100, "alpha": 2.0},
    "bunny": POINTS | {"data": "bunny", "dim": 6, "around": 300, "graph": 64, "map": 2500},
    "gaussian_grid": POINTS | {"data": "gaussian_grid", "dim": 24, "around": 50, "graph": 30, "map": 2500},
    "frey": PICTURES | {"data": "frey", "dim": 5, "around": 50, "graph": 20, "scale": 10},
    "coil20": VIEWS | {"data": "coil20:size=32:objects=(1,2,3,4,5)", "dim": 10, "around": 8, "batch": 270},
    "coil20_object": VIEWS
    | {"data": "coil20:size=32:object=1", "dim": 2, "around": 16, "alpha": 2.0, "batch": 54, "steps": 1500},
    "turntable": VIEWS
    | {
        "data": "turntable:num_azimuths=200:num_elevations=1:size=32",
        "dim": 2,
        "around": 40,
        "alpha": 2.0,
        "batch": 150,
    },
    "mnist": PICTURES | {"data": "mnist", "dim": 20, "around": 20, "graph": 30, "scale": 10},
}


def get_config(arg: str = "") -> ConfigDict:
    quick = arg == "quick"
    name = "circle" if arg in ("", "quick") else arg
    if name not in SETTINGS:
        raise ValueError(f"the arguments are quick, {', '.join(SETTINGS)}, got {arg!r}")
    setting = SETTINGS[name]
    config = default_config("vdae", data=setting["data"], manifold=f"euclidean:{setting['dim']}")
    config.num_seeds = 1 if quick else 5
    config.batch_size = setting["batch"]
    config.init_batch_size = 8192  # the training examples among which neighbours are sought
    config.num_steps = 300 if quick else setting["steps"]  # of the autoencoder
    config.log_every = 100
    model = config.model
    model.decoder_widths, model.likelihood = setting["decoder"], setting["likelihood"]
    model.num_neighbors, model.step_scale = setting["around"], setting["alpha"]
    spectral = model.spectral
    spectral.num_neighbors, spectral.scale_neighbor = setting["graph"], setting["scale"]
    spectral.widths, spectral.separate_batch = setting["widths"], not setting["whole_batch"]
    spectral.num_steps = 500 if quick else setting["map"]
    config.optimizer.decay_fraction = 0.8
    config.evaluation.importance_samples = 1
    return config

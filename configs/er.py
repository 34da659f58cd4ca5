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

from ml_collections import ConfigDict

from mvae.runs import default_config

MANIFOLDS = {
    "circle": "sphere:1",
    "sphere": "sphere:2",
    "torus": "flat_torus:2",
    "so3": "so3",
    "interval": "euclidean:1",
    "plane": "euclidean:2",
}


def get_config(arg: str = "") -> ConfigDict:
    quick = arg == "quick"
    space = "circle" if arg in ("", "quick") else arg
    if space not in MANIFOLDS:
        raise ValueError(f"the arguments are quick, {', '.join(MANIFOLDS)}, got {arg!r}")
    config = default_config("er", data=f"lifted:space={space}:num_test=2000", manifold=MANIFOLDS[space])
    config.num_seeds = 1 if quick else 10
    config.num_steps = 500 if quick else 4000  # of the VAE
    config.batch_size = 128
    config.log_every, config.checkpoint_every = 100, 1000
    config.model.encoder_widths = config.model.decoder_widths = (128, 128)
    config.model.likelihood = "gaussian_learned_variance"  # one variance for all coordinates; the paper does not say
    if space == "plane":
        config.model.hidden, config.model.initial_variance = "gaussian", 0.9
    reparametrization = config.model.reparametrization
    reparametrization.widths = (64, 64) if space == "circle" else (128, 128)
    reparametrization.num_steps = 500 if quick else 4000
    config.optimizer.learning_rate = 3e-3
    config.evaluation.importance_samples = 500
    return config

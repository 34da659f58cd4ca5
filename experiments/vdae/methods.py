"""The four methods compared on the data sets of the paper [li2020, Table 1]: their configs."""

from pathlib import Path
from typing import Any, NamedTuple

from mvae.runs import load_config

CONFIGS = Path(__file__).parents[2] / "configs"


class Data(NamedTuple):
    """A data set of the table.

    Attributes:
        title: Name in the table.
        folder: Folder of its files in --data_dir, None for generated data.
        published: G-W and median bi-Lipschitz of WGAN, beta-VAE, SVAE and VDAE [li2020, Table 1]; empty for others.
    """

    title: str
    folder: str | None = None
    published: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


DATA = {
    "circle": Data(
        "Circle",
        published=(("14.9 (6.8)", "46.1 (9.7)", "7.9 (2.2)", "2.6 (1.3)"), ("4.6", "3.7", "3.6", "3.1")),
    ),
    "loop": Data("Loop in space"),
    "sphere": Data("Sphere"),
    "gaussian_grid": Data("5 × 5 Gaussians"),
    "torus": Data(
        "Torus",
        published=(("6.4 (1.9)", "11.7 (1.6)", "23.4 (2.8)", "4.9 (0.5)"), ("3.3", "7.9", "9.5", "4.8")),
    ),
    "bunny": Data(
        "Bunny",
        "bunny",
        (("11.4 (3.9)", "32.8 (5.9)", "14.3 (5.5)", "2.9 (1.1)"), ("5.6", "34.4", "35.6", "5.5")),
    ),
    "coil20_object": Data("Rotating object (COIL-20, object 1)", "coil20"),
    "turntable": Data(
        "Rotating object (rendered)",
        None,
        (("117.3 (8.4)", "61.3 (9.7)", "53.9 (7.6)", "15.3 (1.7)"), ("17.4", "7.6", "12.9", "6.8")),
    ),
    "frey": Data(
        "Frey faces",
        "frey",
        (("18.1 (2.9)", "19.8 (4.6)", "13.4 (3.6)", "9.7 (3.3)"), ("37", "33.3", "39.4", "29.7")),
    ),
    "mnist": Data(
        "MNIST",
        "mnist",
        (("3.6 (0.9)", "10.2 (3.3)", "15.2 (4.9)", "14.4 (3.5)"), ("1.9", "1.6", "6.7", "8.4")),
    ),
    "coil20": Data(
        "COIL-20, five objects",
        "coil20",
        (("16.5 (2.4)", "23.8 (5.9)", "32.1 (4.9)", "11.8 (2.1)"), ("4.7", "3.8", "8.4", "3.1")),
    ),
}
METHODS = {"wgan": "WGAN-GP", "vae": "β-VAE", "svae": "SVAE", "vdae": "VDAE"}
SHARED = (
    "batch_size",
    "init_batch_size",
    "num_epochs",
    "log_every",
    "checkpoint_every",
    "data",
    "optimizer",
    "evaluation",
)
WGAN_BATCH = 64  # at most, as it was published
INITIAL_VARIANCE = 0.01  # of the posterior of the VAE, near which the data are told apart from the first step on
INITIAL_CONCENTRATION = 100.0


def config_of(
    method: str, data: str, *, seeds: int, data_dir: str | None, beta: float = 1.0, num_steps: int | None = None
) -> dict[str, Any]:
    """Returns the whole config of a run, as plain dicts.

    The others have the data, decoder, batches and rates of the VDAE, an encoder as wide as its first stage, as many
    dimensions (a sphere as many ambient ones) and as many steps as its two stages together; a WGAN-GP as many
    generator steps as the second stage has, each after five of its critic, on batches of `WGAN_BATCH` at most.

    Args:
        method: Of `METHODS`.
        data: Of `DATA`.
        seeds: Seeds 0 and up, trained in one program.
        data_dir: Folder with the folders of the data.
        beta: Weight of the KL in the VAE and the SVAE.
        num_steps: In place of the steps above, for every stage.
    """
    ours = load_config(CONFIGS / "vdae.py", data).to_dict()
    ours["num_seeds"] = seeds
    folder = DATA[data].folder
    if folder is not None:
        ours["data"]["dir"] = str(Path(data_dir or ".") / folder)
    if num_steps is not None:
        ours["num_steps"] = ours["model"]["spectral"]["num_steps"] = num_steps
    if method == "vdae":
        return ours
    config = load_config(CONFIGS / f"{method}.py").to_dict()
    config |= {name: ours[name] for name in SHARED} | {"num_seeds": seeds}
    config["num_steps"] = ours["num_steps"]
    if method == "wgan":
        config["batch_size"] = min(config["batch_size"], WGAN_BATCH)
    else:
        config["num_steps"] += ours["model"]["spectral"]["num_steps"]
    dim = ours["manifold"]["dim"]
    config["manifold"] = {"name": "sphere", "dim": dim - 1} if method == "svae" else {"name": "euclidean", "dim": dim}
    model = {"net": "mlp", "encoder_widths": ours["model"]["spectral"]["widths"]}
    model["decoder_widths"] = ours["model"]["decoder_widths"]
    if method in ("vae", "svae"):
        model |= {"likelihood": ours["model"]["likelihood"], "beta": beta, "min_capacity": 0.0, "max_capacity": None}
        model["capacity_steps"] = None
        name = "initial_variance" if method == "vae" else "initial_concentration"
        model[name] = INITIAL_VARIANCE if method == "vae" else INITIAL_CONCENTRATION
    config["model"] |= model
    return config

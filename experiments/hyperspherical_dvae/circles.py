"""One object of COIL-20 on a circle: does the latent angle become the azimuth?

    python experiments/hyperspherical_dvae/circles.py --data_dir=DIR --workdir=runs/circles

For each object and each start of the encoder, a run of several seeds in a folder of its own; the same command runs
what is missing, and `--render` trains nothing. Printed are, per object, how many seeds wind once around the circle
(degree ±1) and the mean circular correlation of latent angle and azimuth over all 72 views, in absolute value: no map
is fitted. Likelihoods and splits have working folders of their own.
"""

import logging
from pathlib import Path

from absl import flags
from circle_table import table
from ml_collections import ConfigDict

from mvae.errors import UsageError
from mvae.methods.dvae import ENCODER_INITS
from mvae.programs import launch
from mvae.runs import load_config, log_to_console, run

INITIAL_TIME = 0.005  # a standard deviation of 4 degrees; steps from view to view are 5 and 10
WARMUP = 0.8  # of the steps: the encoder stands still for half of them
GAUSSIANS = ("gaussian", "gaussian_learned_variance")
LOGGER = logging.getLogger("mvae.experiments")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of COIL-20.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run folders.", required=True)
_STARTS = flags.DEFINE_list("starts", ["principal", "spectral"], f"Of {', '.join(ENCODER_INITS)}.")
_OBJECTS = flags.DEFINE_list("objects", [str(number) for number in range(1, 21)], "Objects, 1 to 20.")
_SEEDS = flags.DEFINE_integer("seeds", 5, "Members of each run.", lower_bound=1)
_LIKELIHOOD = flags.DEFINE_enum("likelihood", "gaussian", GAUSSIANS, "Of the pictures: variance 1, or learned.")
_SPLIT = flags.DEFINE_enum("split", "even", ["even", "random"], "Training views: all but each fourth, or 54 at random.")
_SPLIT_SEED = flags.DEFINE_integer("split_seed", 0, "Of the random split.", lower_bound=0)
_STEPS = flags.DEFINE_integer("steps", 500, "Steps of training.", lower_bound=1)
_RENDER = flags.DEFINE_bool("render", default=False, help="Print what is there and train nothing.")


CONFIGS = Path(__file__).parents[2] / "configs"


def config_of(number: int, start: str) -> ConfigDict:
    """Returns the config of an object: a ΔVAE on a circle, views of 32 × 32 pixels."""
    config = load_config(CONFIGS / "dvae_torus.py")
    config.manifold.update({"name": "sphere", "dim": 1})
    config.data.update({"name": "coil20", "dir": _DATA_DIR.value, "object": number, "size": 32})
    config.data.update({"split": _SPLIT.value, "seed": _SPLIT_SEED.value})
    config.model.update({"encoder_init": start, "likelihood": _LIKELIHOOD.value})
    config.model.update({"encoder_widths": (256, 256), "decoder_widths": (256, 256)})
    if start == "cohomology":
        # Else an object whose front and back are nearly alike loses the degree that its encoder starts with: decoders
        # learn alone for longer, from draws no wider than the step from view to view.
        config.model.initial_time = INITIAL_TIME
        config.optimizer.encoder_warmup_steps = round(WARMUP * _STEPS.value)
    config.update({"num_seeds": _SEEDS.value, "num_steps": _STEPS.value, "batch_size": 54, "checkpoint_every": 500})
    return config


def main(argv: list[str]) -> None:
    """Runs what is missing and prints the table."""
    del argv
    log_to_console()
    if wrong := set(_STARTS.value) - set(ENCODER_INITS):
        raise UsageError(f"--starts: no {', '.join(sorted(wrong))}; there are {', '.join(ENCODER_INITS)}")
    if wrong := [text for text in _OBJECTS.value if not (text.isdigit() and 1 <= int(text) <= 20)]:
        raise UsageError(f"--objects must be numbers from 1 to 20, got {', '.join(wrong)}")
    objects, workdir = [int(text) for text in _OBJECTS.value], Path(_WORKDIR.value).expanduser()
    if not _RENDER.value:
        for number in objects:
            for start in _STARTS.value:
                LOGGER.info("object %d, %s", number, start)
                run(config_of(number, start).to_dict(), workdir / start / f"object_{number}")
    print(table(workdir, objects, _STARTS.value))


if __name__ == "__main__":
    launch(main)

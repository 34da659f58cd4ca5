"""One object under random rotations: is SO(3) captured from pictures, and the pose read from the codes?

    python -m experiments.topology.rotations [--seeds=10] [--mesh=blob]

Each seed has rotations and a model of its own. The encoder starts from the rotations that `view_rotations` finds in
the pictures alone, `encoder_init="cohomology"`. Printed is, for each seed, the degree of these rotations, of the
training views, and of the encoder at the end, of the test views; and the median error of the pose in degrees that
either gives, after one rotation on either side that fits the training views. Run time on two CPU cores: 2 minutes a
seed.
"""

import time

import numpy as np
from absl import flags

import mvae
from mvae.data import load
from mvae.programs import launch

_SEEDS = flags.DEFINE_integer("seeds", 10, "Seeds of data and model.", lower_bound=1)
_FIRST = flags.DEFINE_integer("first_seed", 0, "The first of them.", lower_bound=0)
_MESH = flags.DEFINE_string("mesh", "blob", "The object: blob, horn, or bunny with --data_dir.")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "Folder of the mesh's file.")
_VIEWS = flags.DEFINE_integer("views", 4000, "Training views.", lower_bound=100)
_STEPS = flags.DEFINE_integer("num_steps", 2000, "Steps of training.", lower_bound=1)


def line(seed: int) -> str:
    """Trains on the views of a seed and returns a line of the table."""
    begin = time.perf_counter()
    run = mvae.train(
        "dvae",
        load("tumbled", mesh=_MESH.value, dir=_DATA_DIR.value, num_train=_VIEWS.value, seed=seed),
        manifold="so3",
        seed=seed,
        num_steps=_STEPS.value,
        batch_size=128,
        likelihood="gaussian_learned_variance",
        encoder_init="cohomology",
        encoder_warmup_steps=round(0.8 * _STEPS.value),
        initial_time=0.005,
        num_walk_steps=3,
        encoder_widths=(512, 512),
        decoder_widths=(512, 512),
    )
    found = run.results["members"][0]
    errors = [np.degrees(found[name]) for name in ("coordinate_pose_error", "pose_error")]
    seconds = time.perf_counter() - begin
    return (
        f"| {seed} | {found['coordinate_degree']} | {errors[0]:.1f} | {found['degree']} | {errors[1]:.1f} | "
        f"{seconds:.0f} |"
    )


def main(argv: list[str]) -> None:
    """Trains and prints the table."""
    del argv
    print("| seed | degree of the coordinate | its error | degree of the encoder | its error | seconds |")
    print("|---|---|---|---|---|---|", flush=True)
    for seed in range(_FIRST.value, _FIRST.value + _SEEDS.value):
        print(line(seed), flush=True)


if __name__ == "__main__":
    launch(main)

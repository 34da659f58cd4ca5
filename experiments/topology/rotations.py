"""One body under random rotations: is SO(3) captured from pictures, and the pose read from the codes?

    python -m experiments.topology.rotations [--seeds=10] [--mesh=blob]

Each seed has rotations and a model of its own. The encoder starts from the rotations that `view_rotations` finds in
the silhouettes alone, `encoder_init="silhouettes"`; with --start=principal, from principal components as usual. Printed
is, for each seed, what the rotations leave of how far silhouettes reach; the median error of these rotations, of the
training views, in degrees; the degree of the encoder, of the test views, and the median error of its codes; and the
seconds of processor time of the run without rendering. Poses are judged after one rotation on either side, which fits
the training views.
"""

import time
from typing import Any

import numpy as np
from absl import flags

import mvae
from mvae.data import load
from mvae.programs import launch

_SEEDS = flags.DEFINE_integer("seeds", 10, "Seeds of data and model.", lower_bound=1)
_FIRST = flags.DEFINE_integer("first_seed", 0, "The first of them.", lower_bound=0)
_MESH = flags.DEFINE_string("mesh", "blob", "The body: blob, horn, or bunny with --data_dir.")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "Folder of the mesh's file.")
_VIEWS = flags.DEFINE_integer("views", 8000, "Training views.", lower_bound=100)
_STEPS = flags.DEFINE_integer("num_steps", 1000, "Steps after the encoder has learned the rotations.", lower_bound=1)
_START = flags.DEFINE_enum("start", "silhouettes", ["silhouettes", "principal"], "Where the encoder starts.")


def line(seed: int) -> str:
    """Trains on the views of a seed and returns a line of the table."""
    dataset = load("tumbled", mesh=_MESH.value, dir=_DATA_DIR.value, num_train=_VIEWS.value, seed=seed)
    begin = time.process_time()
    settings: dict[str, Any] = {"encoder_widths": (512, 512), "decoder_widths": (512, 512)}
    settings["config"] = {"evaluation.importance_samples": 1, "evaluation.bound_samples": 1}
    run = mvae.train(
        "dvae",
        dataset,
        manifold="so3",
        seed=seed,
        num_steps=_STEPS.value,
        batch_size=128,
        likelihood="gaussian_learned_variance",
        encoder_init=_START.value,
        encoder_warmup_steps=_STEPS.value if _START.value == "silhouettes" else 0,
        initial_time=0.005,
        num_walk_steps=3,
        **settings,
    )
    seconds = time.process_time() - begin
    found = run.results["members"][0]
    first = ["–", "–"]
    if _START.value == "silhouettes":
        first = [f"{found['coordinate_residual']:.3f}", f"{np.degrees(found['coordinate_pose_error']):.1f}"]
    error = np.degrees(found["pose_error"])
    return f"| {seed} | {' | '.join(first)} | {found['degree']} | {error:.1f} | {seconds:.0f} |"


def main(argv: list[str]) -> None:
    """Trains and prints the table."""
    del argv
    print("| seed | left of the reach | error of the coordinate | degree | error of the codes | seconds |")
    print("|---|---|---|---|---|---|", flush=True)
    for seed in range(_FIRST.value, _FIRST.value + _SEEDS.value):
        print(line(seed), flush=True)


if __name__ == "__main__":
    launch(main)

"""One turning object, two cameras: is the latent circle free of the camera where the camera is given as a condition?

    python -m experiments.own_data.cameras [--seeds=5]

The generated object of `turntable` is seen from 144 azimuths by two cameras, the second with gain 0.6 and offset 0.25.
Printed, for one camera, two with the condition and two without it: the error of the azimuth read from the codes of the
test views, and the accuracy with which the 5 nearest codes tell the camera of a test view, 0.5 by chance. Run time on
two CPU cores: 3 minutes.
"""

from typing import Any

import numpy as np
from absl import flags
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

import mvae
from mvae.data import from_arrays, load
from mvae.programs import launch

GAIN, OFFSET = 0.6, 0.25

_SEEDS = flags.DEFINE_integer("seeds", 5, "How many models are trained.", lower_bound=1)
_STEPS = flags.DEFINE_integer("num_steps", 1500, "Steps of training.", lower_bound=1)
_SIZE = flags.DEFINE_integer("size", 24, "Pixels along a side of a view.", lower_bound=8)
_VIEWS = flags.DEFINE_integer("views", 144, "Azimuths.", lower_bound=16)


def views(size: int, num: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the views, (n, size, size, 1) in [0, 1], their azimuths, and which are the test set."""
    dataset = load("turntable", size=size, num_azimuths=num, num_elevations=1)
    parts = [dataset.render(rows) for rows in (dataset.train, dataset.test)]
    x, azimuth = (np.concatenate([np.asarray(part[name]) for part in parts]) for name in ("x", "azimuth"))
    return x, azimuth, np.arange(len(x)) >= dataset.num_train


def measure(name: str, cameras: int, *, known: bool) -> str:
    """Trains and returns a line of the table."""
    x, azimuth, is_test = views(_SIZE.value, _VIEWS.value)
    seen = [x, GAIN * x + OFFSET][:cameras]
    camera = np.repeat(np.arange(cameras), len(x))
    told: dict[str, Any] = {"condition": camera} if known else {}
    rows: dict[str, Any] = {"test": np.tile(is_test, cameras), "angle": np.tile(azimuth, cameras)}
    every = np.concatenate(seen)
    run = mvae.train(
        "dvae",
        from_arrays(every, scale="none", **rows, **told),
        manifold="sphere:1",
        seeds=_SEEDS.value,
        num_steps=_STEPS.value,
        encoder_init="spectral",
        likelihood="gaussian_learned_variance",
        encoder_widths=(128, 128),
        decoder_widths=(128, 128),
    )
    errors = [member["angle_error"] for member in run.results["members"]]
    line = f"| {name} | {np.degrees(np.mean(errors)):.2f} ± {np.degrees(np.std(errors)):.2f} |"
    if cameras == 1:
        return f"{line} – |"
    told_apart = []
    for model in run:
        codes = model.embed(every, **told)
        nearest = KNeighborsClassifier(5)
        order = np.random.default_rng(0).permutation(len(codes))  # whole views may be in one fold
        told_apart.append(cross_val_score(nearest, codes[order], camera[order], cv=10).mean())
    return f"{line} {np.mean(told_apart):.3f} ± {np.std(told_apart):.3f} |"


def main(argv: list[str]) -> None:
    """Trains and prints the table."""
    del argv
    print("| cameras | azimuth error, degrees | camera told from the codes |\n|---|---|---|", flush=True)
    print(measure("one", 1, known=False), flush=True)
    print(measure("two, given as condition", 2, known=True), flush=True)
    print(measure("two, not given", 2, known=False), flush=True)


if __name__ == "__main__":
    launch(main)

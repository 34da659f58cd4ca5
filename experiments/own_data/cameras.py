"""One turning object, two cameras: is the latent circle free of the camera where the camera is given as a condition?

    python -m experiments.own_data.cameras [--seeds=5]

The generated object of `turntable` is seen from 144 azimuths by two cameras, the second with gain 0.6 and offset 0.25.
Encoders start from a coordinate of the training views, `encoder_init="cohomology"`. Printed, for one camera, two with
the condition and two without it:

- the error of the azimuth read from the codes of the test views;
- the mean angle between the two cameras' codes of a view;
- the accuracy with which the 5 nearest codes tell the camera, ten-fold. Of each view the code of one camera is shown,
  drawn by a coin, and the accuracy is the mean over 20 such draws, 0.5 by chance. With the codes of both, the nearest
  code of a view is that of the same view by the other camera, and the accuracy falls to 0.1 where codes agree best.

Run time on two CPU cores: 3 minutes.
"""

from typing import Any

import numpy as np
from absl import flags
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

import mvae
from mvae.data import from_arrays, load
from mvae.programs import launch

GAIN, OFFSET, DRAWS = 0.6, 0.25, 20

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
        encoder_init="cohomology",
        encoder_warmup_steps=100,
        likelihood="gaussian_learned_variance",
        encoder_widths=(128, 128),
        decoder_widths=(128, 128),
    )
    columns = [np.degrees([member["angle_error"] for member in run.results["members"]])]
    if cameras == 2:
        codes = [model.embed(every, **told) for model in run]
        columns += [[np.degrees(between_cameras(each)) for each in codes], [camera_accuracy(each) for each in codes]]
    cells = [
        f"{np.mean(each):.{digits}f} ± {np.std(each):.{digits}f}"
        for each, digits in zip(columns, (2, 2, 3), strict=False)
    ]
    return f"| {' | '.join([name, *cells, '–', '–'][:4])} |"


def between_cameras(codes: np.ndarray) -> float:
    """Returns the mean angle between the codes of one view, (2 n, 2), those of the second camera last, in radians."""
    first, second = np.split(codes[:, 0] + 1j * codes[:, 1], 2)
    return float(np.abs(np.angle(second / first)).mean())


def camera_accuracy(codes: np.ndarray) -> float:
    """Returns the share of codes, one drawn for each view, whose 5 nearest tell the camera, (2 n, 2) as above."""
    rng, num, found = np.random.default_rng(0), len(codes) // 2, []
    for _ in range(DRAWS):
        camera, view = rng.integers(2, size=num), rng.permutation(num)
        shown = codes.reshape(2, num, -1)[camera, view]
        found.append(cross_val_score(KNeighborsClassifier(5), shown, camera, cv=10).mean())
    return float(np.mean(found))


def main(argv: list[str]) -> None:
    """Trains and prints the table."""
    del argv
    print(
        "| cameras | azimuth error, degrees | between the cameras' codes | camera told |\n|---|---|---|---|", flush=True
    )
    print(measure("one", 1, known=False), flush=True)
    print(measure("two, given as condition", 2, known=True), flush=True)
    print(measure("two, not given", 2, known=False), flush=True)


if __name__ == "__main__":
    launch(main)

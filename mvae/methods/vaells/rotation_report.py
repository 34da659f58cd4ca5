"""What a run says of rotated digits: how far and how evenly an operator turns them, and whether their class is kept."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from mvae import figures
from mvae.data import rotate
from mvae.data.dataset import Rows
from mvae.evaluation import Classifier, accuracy, rotation_angles, rotation_range, train_classifier
from mvae.models.model import Params
from mvae.runs.experiment import Experiment
from mvae.runs.run_folder import RunFolder
from mvae.transport import path
from mvae.transport.exponential import one_norm

NUM_DIGITS = 150
NUM_TIMES = 25  # from half a turn one way to half a turn the other way
NUM_ANGLES = 120
CLASSIFIER_STEPS = 4000
CLASSIFIER_SEED = 0
SYMMETRIC = (0, 1, 8)  # look much the same after half a turn: their angle is not known
SIX, NINE = 6, 9  # one class here: each is the other turned over
SMALL_ANGLE = 0.1
MOST_NORM = 30.0  # of what is exponentiated
NUM_ROWS = 10
NUM_COLUMNS = 13


class Turned(NamedTuple):
    """Digits along the orbits of an operator, upright ones in the middle.

    Attributes:
        times: Coefficients, (T,).
        pictures: Decoded orbits, (n, T, H, W, 1).
        label: Classes, (n,).
    """

    times: np.ndarray
    pictures: np.ndarray
    label: np.ndarray


def turns_digits(experiment: Experiment, params: Params) -> bool:
    """Whether the model has operators and the data are rotated digits."""
    return "operators" in params and experiment.dataset.name == "rotated_mnist"


def rotation_numbers(experiment: Experiment, params: Params) -> dict[str, Any]:
    """Numbers of rotated digits; empty for other data and models without operators.

    The operator of largest norm turns upright test digits, encoded, by coefficients c that are worth up to half a turn
    either way. A classifier trained on the rotated training digits says where the class is kept, 6 and 9 counting as
    one. Angles are those between a decoded picture and the decoded start, by correlation, for the digits that do not
    look the same upside down. With the one rate ω that fits the angle ω c best for all digits:

    "rotation_range": median over digits of the angle in degrees that is covered with the class kept;
    "rotation_half_turn": share of digits where that is 175 degrees or more, half a turn but for the error of an angle;
    "rotation_error": root mean square of angle - ω c, in degrees;
    "rotation_class_kept": share of all pictures of all digits that have the digit's class;
    "rotation_class_start": the same of the decoded starts alone, before any turn;
    "rotation_class_real": the same of the digits themselves, rotated by the same angles, not decoded;
    "classifier_accuracy": of the classifier on rotated test digits.
    """
    if not turns_digits(experiment, params):
        return {}
    dataset = experiment.dataset
    key = jax.random.key(CLASSIFIER_SEED)
    rows, test = dataset.train, dataset.test
    classifier = train_classifier(key, rows, dataset.render, num_classes=10, num_steps=CLASSIFIER_STEPS)
    turned = turn_digits(experiment, params, NUM_DIGITS, NUM_TIMES)
    kept = _class_kept(classifier, turned)
    plain = ~np.isin(turned.label, SYMMETRIC)
    angles = _angles(turned.pictures[plain])
    ranges = [rotation_range(angle, whole, NUM_TIMES // 2) for angle, whole in zip(angles, kept[plain], strict=True)]
    rate = np.sum(angles * turned.times) / np.sum(np.broadcast_to(turned.times**2, angles.shape))
    return {
        "rotation_range": float(np.median(ranges)),
        "rotation_half_turn": float(np.mean(np.array(ranges) >= 175)),
        "rotation_error": float(np.degrees(np.sqrt(np.mean((angles - rate * turned.times) ** 2)))),
        "rotation_class_kept": float(kept.mean()),
        "rotation_class_start": float(kept[:, NUM_TIMES // 2].mean()),
        "rotation_class_real": float(_class_kept(classifier, _really_turned(experiment)).mean()),
        "classifier_accuracy": float(accuracy(classifier, test, dataset.render)),
    }


def turn_digits(experiment: Experiment, params: Params, num_digits: int, num_times: int) -> Turned:
    """Decoded orbits of the first upright test digits under the operator of largest norm."""
    dataset, model = experiment.dataset, experiment.model
    rows = upright({name: array[:num_digits] for name, array in dataset.test.items()})
    batch = dataset.render(rows)
    start = model.encode(params, batch["x"]).location
    operators = params["operators"]
    index = int(jnp.argmax(jnp.sum(operators**2, axis=(1, 2))))
    operator = operators[index : index + 1]
    decode = jax.jit(model.decode)

    def decoded(times: np.ndarray) -> np.ndarray:
        latent = path(operator, jnp.ones(1), start, jnp.asarray(times, jnp.float32))
        pictures = decode(params, latent.reshape(-1, latent.shape[-1]))
        return np.asarray(pictures).reshape(len(start), len(times), *pictures.shape[1:])

    small = SMALL_ANGLE / float(jnp.linalg.norm(operator))
    few = decoded(np.array([0.0, small]))
    first = rotation_angles(few[:, 1], few[:, 0], num_angles=NUM_ANGLES).angle
    rate = np.median(np.angle(np.exp(1j * np.asarray(first)))) / small
    # An operator that hardly turns anything does not get to half a turn, which its angles will say.
    most = MOST_NORM / max(float(one_norm(operator[0])), 1e-30)
    half_turn = min(np.pi / max(abs(rate), 1e-30), most)
    times = np.copysign(half_turn, rate) * np.linspace(-1, 1, num_times)
    return Turned(times, decoded(times), np.asarray(batch["label"]))


def _really_turned(experiment: Experiment) -> Turned:
    """The same digits, rotated by the angles that the orbits should have."""
    dataset = experiment.dataset
    batch = dataset.render(upright({name: array[:NUM_DIGITS] for name, array in dataset.test.items()}))
    angles = np.linspace(-np.pi, np.pi, NUM_TIMES, dtype=np.float32)
    pictures = rotate(batch["x"][:, None], jnp.broadcast_to(angles, (len(batch["x"]), NUM_TIMES)))
    return Turned(angles, np.asarray(pictures), np.asarray(batch["label"]))


def upright(rows: Rows) -> Rows:
    """Returns the rows with the digits upright."""
    return rows | {"angle": jnp.zeros_like(rows["angle"])}


def _class_kept(classifier: Classifier, turned: Turned) -> Bool[np.ndarray, "n T"]:
    n, num_times = turned.pictures.shape[:2]
    found = classifier.predict(turned.pictures.reshape(n * num_times, *turned.pictures.shape[2:]))[0]
    merged = np.where(found == NINE, SIX, found).reshape(n, num_times)
    return merged == np.where(turned.label == NINE, SIX, turned.label)[:, None]


def _angles(pictures: Float[np.ndarray, "n T h w 1"]) -> Float[np.ndarray, "n T"]:
    """Angles of the pictures of each orbit from that in the middle, continuous along the orbit."""
    n, num_times = pictures.shape[:2]
    middle = num_times // 2
    references = np.repeat(pictures[:, middle], num_times, axis=0)
    flat = pictures.reshape(n * num_times, *pictures.shape[2:])
    angles = np.asarray(rotation_angles(flat, references, num_angles=NUM_ANGLES).angle, np.float64)
    unwrapped = np.unwrap(angles.reshape(n, num_times), axis=1)
    return unwrapped - unwrapped[:, middle : middle + 1]


def draw_rotation_figure(experiment: Experiment, params: Params, folder: RunFolder) -> None:
    """Draws the decoded orbits of one digit of each class [connor2021, Fig. 6]."""
    if not turns_digits(experiment, params):
        return
    turned = turn_digits(experiment, params, NUM_DIGITS, NUM_COLUMNS)
    rows = [np.flatnonzero(turned.label == k)[0] for k in np.unique(turned.label)][:NUM_ROWS]
    figure = figures.extrapolated_rows(turned.pictures[rows], NUM_COLUMNS // 2, turned.times)
    figures.save(figure, folder.figures / "rotations.png")

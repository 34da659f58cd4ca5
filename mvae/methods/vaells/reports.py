"""What a run says of transport operators: orbits on curves, what they do to images, how far they turn digits."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from mvae import figures
from mvae.data import rotate
from mvae.data.dataset import Rows
from mvae.evaluation import Classifier, accuracy, rotation_angles, rotation_range, train_classifier
from mvae.methods.vaells.orbits import ORBITS, operators_of
from mvae.reports import Member, Report, View
from mvae.reports.report import Drawing, Figure
from mvae.transport import path, transport
from mvae.transport.exponential import one_norm

# Samples around examples, and the path of each operator
NUM_LOOKED_AT = 200  # test examples among which one of each class is found
NUM_EXAMPLES = 3
SIDE = 5
SAMPLE_ANGLE = 0.8  # expected |c|_1 of random transports, in units of `_unit`
PATH_ANGLE = 1.0
FIGURE_SEED = 7

# Rotations
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

ROTATIONS = (
    "rotation_range",
    "rotation_half_turn",
    "rotation_error",
    "rotation_class_kept",
    "rotation_class_start",
    "rotation_class_real",
    "classifier_accuracy",
)


class Turned(NamedTuple):
    """Digits along the orbits of an operator, upright ones in the middle.

    Attributes:
        times: Coefficients, (T,).
        images: Decoded orbits, (n, T, H, W, 1).
        label: Classes, (n,).
    """

    times: np.ndarray
    images: np.ndarray
    label: np.ndarray


def draw_operators(view: View) -> Iterator[tuple[str, Drawing]]:
    """Images decoded from samples of posteriors and from the orbit of each operator [vaells, Figs. 5 and 7].

    Both reach further than the posteriors of the model, whose samples the eye could hardly tell from their centre.
    """
    member = view.members[0]
    operators = operators_of(member)
    label = np.asarray(view.first("test", NUM_LOOKED_AT)["label"])
    location = member.codes("test")[[np.flatnonzero(label == k)[0] for k in np.unique(label)]]
    few = location[2 : 2 + NUM_EXAMPLES] if len(location) > NUM_EXAMPLES + 1 else location[:NUM_EXAMPLES]

    def samples() -> Figure:
        draws = jax.random.laplace(jax.random.key(FIGURE_SEED), (len(few), SIDE, SIDE, len(operators)))
        coefficients = SAMPLE_ANGLE * _unit(operators) * draws / len(operators)
        moved = transport(jnp.asarray(operators), coefficients, jnp.asarray(few)[:, None, None])
        centres, around = figures.shown_images(member.decode(few), member.decode(moved))
        return figures.samples_around(centres, around)

    def paths() -> Figure:
        times = PATH_ANGLE * _unit(operators) * np.linspace(-1, 1, NUM_COLUMNS)  # exactly 0 in the middle
        many = jnp.eye(len(operators))
        orbits = path(jnp.asarray(operators), many, jnp.asarray(few[:1]), jnp.asarray(times, jnp.float32))
        (images,) = figures.shown_images(member.decode(orbits))
        return figures.extrapolated_rows(images, NUM_COLUMNS // 2, times)

    yield "posterior_samples.png", samples
    if len(operators) > 1:
        yield "operator_paths.png", paths


def _unit(operators: Float[np.ndarray, "M d d"]) -> float:
    """Coefficient with which the largest operator has the Frobenius norm of a turn by a radian in each plane, √d."""
    return float(np.sqrt(operators.shape[-1]) / np.linalg.norm(operators, axis=(1, 2)).max())


def turns_digits(view: View) -> bool:
    """Whether the model has operators and the data are grey images in classes that are turned by known angles."""
    dataset = view.dataset
    turned = dataset.rotated_by is not None and "label" in dataset.test
    return view.has("operators") and turned and view.shows == "image" and dataset.event_shape[2] == 1


def rotation_numbers(member: Member) -> dict[str, Any]:
    """Numbers of rotated digits.

    The operator of largest norm turns upright test digits, encoded, by coefficients c that are worth up to half a turn
    either way. A classifier trained on the rotated training digits says where the class is kept, 6 and 9 counting as
    one. Angles are those between a decoded image and the decoded start, by correlation, for the digits that do not
    look the same upside down. With the one rate ω that fits the angle ω c best for all digits:

    "rotation_range": median over digits of the angle in degrees that is covered with the class kept;
    "rotation_half_turn": share of digits where that is 175 degrees or more, half a turn but for the error of an angle;
    "rotation_error": root mean square of angle - ω c, in degrees;
    "rotation_class_kept": share of all images of all digits that have the digit's class;
    "rotation_class_start": the same of the decoded starts alone, before any turn;
    "rotation_class_real": the same of the digits themselves, rotated by the same angles, not decoded;
    "classifier_accuracy": of the classifier on rotated test digits.
    """
    view, dataset = member.view, member.view.dataset

    def train() -> Classifier:
        key = jax.random.key(CLASSIFIER_SEED)
        return train_classifier(key, dataset.train, dataset.render, num_classes=10, num_steps=CLASSIFIER_STEPS)

    classifier = view.kept("classifier", train)
    turned = turn_digits(member, NUM_DIGITS, NUM_TIMES)
    kept = _class_kept(classifier, turned)
    plain = ~np.isin(turned.label, SYMMETRIC)
    angles = _angles(turned.images[plain])
    ranges = [rotation_range(angle, whole, NUM_TIMES // 2) for angle, whole in zip(angles, kept[plain], strict=True)]
    rate = np.sum(angles * turned.times) / np.sum(np.broadcast_to(turned.times**2, angles.shape))
    found = (
        np.median(ranges),
        np.mean(np.array(ranges) >= 175),
        np.degrees(np.sqrt(np.mean((angles - rate * turned.times) ** 2))),
        kept.mean(),
        kept[:, NUM_TIMES // 2].mean(),
        view.kept("rotation_class_real", lambda: _class_kept(classifier, _really_turned(view)).mean()),
        view.kept("classifier_accuracy", lambda: accuracy(classifier, dataset.test, dataset.render)),
    )
    return {name: float(value) for name, value in zip(ROTATIONS, found, strict=True)}


def turn_digits(member: Member, num_digits: int, num_times: int) -> Turned:
    """Decoded orbits of the first upright test digits under the operator of largest norm."""
    batch = _upright_digits(member.view, num_digits)
    start = jnp.asarray(member.encode_x(batch["x"]))
    operators = operators_of(member)
    operator = operators[np.argmax(np.sum(operators**2, axis=(1, 2)))]

    def decoded(times: np.ndarray) -> np.ndarray:
        latent = path(jnp.asarray(operator[None]), jnp.ones(1), start, jnp.asarray(times, jnp.float32))
        return member.decode(latent)

    small = SMALL_ANGLE / float(np.linalg.norm(operator))
    few = decoded(np.array([0.0, small]))
    first = rotation_angles(few[:, 1], few[:, 0], num_angles=NUM_ANGLES).angle
    rate = np.median(np.angle(np.exp(1j * np.asarray(first)))) / small
    # An operator that hardly turns anything does not get to half a turn, which its angles will say.
    most = MOST_NORM / max(float(one_norm(jnp.asarray(operator))), 1e-30)
    half_turn = min(np.pi / max(abs(rate), 1e-30), most)
    times = np.copysign(half_turn, rate) * np.linspace(-1, 1, num_times)
    return Turned(times, decoded(times), np.asarray(batch["label"]))


def _really_turned(view: View) -> Turned:
    """The same digits, rotated by the angles that the orbits should have."""
    batch = _upright_digits(view, NUM_DIGITS)
    angles = np.linspace(-np.pi, np.pi, NUM_TIMES, dtype=np.float32)
    images = rotate(batch["x"][:, None], jnp.broadcast_to(angles, (len(batch["x"]), NUM_TIMES)))
    return Turned(angles, np.asarray(images), np.asarray(batch["label"]))


def _upright_digits(view: View, num: int) -> Rows:
    """The first test digits, not turned."""
    rows, column = view.first("test", num), view.dataset.rotated_by
    assert column is not None
    return view.programs.jit("render", view.dataset.render)(rows | {column: jnp.zeros_like(rows[column])})


def _class_kept(classifier: Classifier, turned: Turned) -> Bool[np.ndarray, "n T"]:
    n, num_times = turned.images.shape[:2]
    found = classifier.predict(turned.images.reshape(n * num_times, *turned.images.shape[2:]))[0]
    merged = np.where(found == NINE, SIX, found).reshape(n, num_times)
    return merged == np.where(turned.label == NINE, SIX, turned.label)[:, None]


def _angles(images: Float[np.ndarray, "n T h w 1"]) -> Float[np.ndarray, "n T"]:
    """Angles of the images of each orbit from that in the middle, continuous along the orbit."""
    n, num_times = images.shape[:2]
    middle = num_times // 2
    references = np.repeat(images[:, middle], num_times, axis=0)
    flat = images.reshape(n * num_times, *images.shape[2:])
    angles = np.asarray(rotation_angles(flat, references, num_angles=NUM_ANGLES).angle, np.float64)
    unwrapped = np.unwrap(angles.reshape(n, num_times), axis=1)
    return unwrapped - unwrapped[:, middle : middle + 1]


def draw_rotations(view: View) -> Iterator[tuple[str, Drawing]]:
    """The decoded orbits of one digit of each class [vaells, Fig. 6]."""

    def rotations() -> Figure:
        turned = turn_digits(view.members[0], NUM_DIGITS, NUM_COLUMNS)
        rows = [np.flatnonzero(turned.label == k)[0] for k in np.unique(turned.label)][:NUM_ROWS]
        return figures.extrapolated_rows(turned.images[rows], NUM_COLUMNS // 2, turned.times)

    yield "rotations.png", rotations


OPERATORS = Report(
    "operators",
    lambda view: view.has("operators") and view.shows == "image" and "label" in view.dataset.test,
    figures=draw_operators,
)
ROTATION = Report("rotation", turns_digits, rotation_numbers, draw_rotations, ROTATIONS)

REPORTS = (ORBITS, ROTATION, OPERATORS)

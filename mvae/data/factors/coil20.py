"""COIL-20: grey images of 20 objects on a turntable, 72 angles each [nene1996]."""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from mvae.data.dataset import Dataset, integer_option
from mvae.data.factors.known_factors import Images, find, make_dataset
from mvae.data.resize import area_average
from mvae.errors import UsageError, unknown

NUM_OBJECTS = 20
NUM_ANGLES = 72
SIDE = 128
ARCHIVE = "coil-20-proc.zip"
FOLDER = "coil-20-proc"
SPLITS = ("even", "random")
SIZES = {"object": NUM_OBJECTS, "azimuth": NUM_ANGLES}
REMEDY = (
    f"put the archive {ARCHIVE} of the processed images, or its folder {FOLDER}, into a folder DIR and pass "
    "--config.data.dir=DIR; the archive is on the page of the data set, "
    "https://www.cs.columbia.edu/CAVE/software/softlib/coil-20.php"
)
_NAME = re.compile(r"obj(\d+)__(\d+)\.png")
_FIRST = "obj1__0.png"
_DAMAGE = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)  # RuntimeError: marked as encrypted

ReadFile = Callable[[int, int], bytes]


def coil20(
    *,
    dir: str = "",
    object: int = 0,
    objects: Sequence[int] = (),
    size: int = 64,
    test_every: int = 4,
    split: str = "even",
    seed: int = 0,
) -> Dataset:
    """Returns COIL-20: 20 objects seen from 72 angles, 5° apart all the way round.

    Images are grey, 128×128 in the files and averaged over areas down to `size`; they stay on the device as
    bytes, and `render` divides them by 255. Of every object the angles test_every - 1, 2·test_every - 1, ...
    (counted from 0) are the test set, the others the training set: nothing is random. With the split "random" as many
    angles are drawn for the test, for every object anew, which leaves gaps of uneven width to train on. The factors are
    (object, azimuth), both counted from 0; `"label"` is the object, `"azimuth"` the angle in radians.

    Args:
        dir: The folder that holds `coil-20-proc.zip`, or the folder `coil-20-proc`, or the 1440 images themselves; or
            has one of these in a subfolder `coil20`.
        object: Which object to keep, 1 to 20 as in the names of the files; 0 keeps all.
        objects: Which objects to keep, in this order, in place of `object`; empty keeps what that says.
        size: Pixels along a side, from 1 to 128.
        test_every: Every how many angles one is kept for the test, from 2 to 72.
        split: "even" or "random".
        seed: Of the random split, in [0, 2³²).

    Raises:
        UsageError: If an option is out of range, or the data are missing or damaged.
    """
    integer_option("size", size, 1, SIDE)
    integer_option("test_every", test_every, 2, NUM_ANGLES)
    integer_option("seed", seed, 0, 2**32 - 1)
    if split not in SPLITS:
        raise unknown("data option split", split, SPLITS)
    numbers = _numbers(object, objects)
    loaded = read(find("COIL-20", "coil20", dir, (ARCHIVE, FOLDER, _FIRST), REMEDY), numbers, size)
    is_test = loaded.factors[:, 1] % test_every == test_every - 1
    if split == "random":
        is_test = np.concatenate([_drawn(number, NUM_ANGLES // test_every, seed) for number in numbers])
    train, test = (Images(loaded.images[part], loaded.factors[part]) for part in (~is_test, is_test))
    return make_dataset("coil20", train, test, sizes=SIZES, label="object", azimuth="azimuth")


def _drawn(number: int, num_test: int, seed: int) -> np.ndarray:
    """Returns which angles of an object are in a random test set: the same whatever other objects are kept."""
    ranks = np.random.default_rng([seed, number]).permutation(NUM_ANGLES)
    return ranks < num_test


def _numbers(object: int, objects: Sequence[int]) -> Sequence[int]:
    """Returns the objects to keep, 1 to 20, by the two options."""
    integer_option("object", object, 0, NUM_OBJECTS)
    if not isinstance(objects, list | tuple):
        raise UsageError(f"data option objects={objects!r}: must be a sequence of integers, such as (1, 2, 3)")
    for number in objects:
        integer_option("objects", number, 1, NUM_OBJECTS)
    if len(set(objects)) < len(objects):
        raise UsageError(f"data option objects={objects!r}: must not name an object twice")
    if objects and object:
        raise UsageError(f"data options object={object}, objects={objects!r}: only one of the two can be given")
    return objects or ([object] if object else range(1, NUM_OBJECTS + 1))


def read(source: Path, numbers: Iterable[int], size: int = SIDE) -> Images:
    """Returns the images of some objects, object by object, by growing angle.

    Args:
        source: The archive, the folder of the images, or an image in that folder.
        numbers: The objects, 1 to 20.
        size: Pixels along a side, from 1 to 128.

    Raises:
        UsageError: If the archive or an image is damaged, or there are not exactly 20·72 images.
    """
    if source.suffix == ".zip":
        try:
            with zipfile.ZipFile(source) as archive:
                members = {Path(name).name: name for name in archive.namelist()}
                _check_names(source, members)

                def read_member(number: int, angle: int) -> bytes:
                    return archive.read(members[f"obj{number}__{angle}.png"])

                return _read(source, read_member, numbers, size)
        except _DAMAGE as error:
            raise UsageError(f"{source}: cannot be read, or is damaged ({error}). To get it: {REMEDY}") from error
    folder = source if source.is_dir() else source.parent
    _check_names(folder, (path.name for path in folder.iterdir()))

    def read_file(number: int, angle: int) -> bytes:
        path = folder / f"obj{number}__{angle}.png"
        try:
            return path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror})") from error

    return _read(folder, read_file, numbers, size)


def _check_names(source: Path, names: Iterable[str]) -> None:
    expected = {f"obj{number}__{angle}.png" for number in range(1, NUM_OBJECTS + 1) for angle in range(NUM_ANGLES)}
    found = {name for name in names if _NAME.fullmatch(name)}
    if found != expected:
        faults = [
            f"{fault} {', '.join(sorted(part)[:3])}{', ...' if len(part) > 3 else ''}"
            for fault, part in (("missing", expected - found), ("unknown", found - expected))
            if part
        ]
        raise UsageError(
            f"{source}: expected {len(expected)} images, {_FIRST} to obj{NUM_OBJECTS}__{NUM_ANGLES - 1}.png, found "
            f"{len(found)} ({'; '.join(faults)}). To get it: {REMEDY}"
        )


def _read(source: Path, content_of: ReadFile, numbers: Iterable[int], size: int) -> Images:
    images, factors = [], []
    for number in numbers:
        files = [content_of(number, angle) for angle in range(NUM_ANGLES)]
        decoded = [_decode(content, f"{source}: obj{number}__{angle}.png") for angle, content in enumerate(files)]
        images.append(area_average(np.stack(decoded)[..., None], size))
        factors += [(number - 1, angle) for angle in range(NUM_ANGLES)]
    return Images(np.concatenate(images), np.array(factors, np.int32))


def _decode(content: bytes, where: str) -> np.ndarray:
    """Returns a grey image's bytes, `(128, 128)`."""
    try:
        with Image.open(BytesIO(content), formats=("PNG",)) as image:
            image.load()
            mode, array = image.mode, np.asarray(image)
    except (OSError, SyntaxError, ValueError, zlib.error) as error:  # what Pillow raises for a damaged file
        raise UsageError(f"{where}: damaged image ({error})") from error
    if mode != "L" or array.shape != (SIDE, SIDE):
        raise UsageError(
            f"{where}: expected a grey image of {SIDE}×{SIDE} pixels of a byte, found mode {mode}, {array.shape}"
        )
    return array

"""Cars3D: colour images of 183 cars from 24 azimuths and 4 elevations [reed2015]."""

import math

from mvae.data.dataset import Dataset, integer_option
from mvae.data.factors import cars3d_files
from mvae.data.factors.known_factors import Images, make_dataset, random_split


def cars3d(*, dir: str = "", size: int = 64, num_train: int = 0, num_test: int = 5000, seed: int = 0) -> Dataset:
    """Returns Cars3D: 17 568 colour images, 128×128 in the files and averaged over areas down to `size`.

    The images stay on the device as bytes; `render` divides them by 255. The published set has no split: the
    test set is drawn with the seed. The factors are (elevation, azimuth, object), counted from 0, the objects in
    the order of the names of their files; `"label"` is the object, `"azimuth"` the angle in radians, in steps of
    15°.

    Args:
        dir: The folder that holds `nips2015-analogy-data.tar.gz`, or a folder `data/cars` or `cars` of its `.mat`
            files, directly or in a subfolder `cars3d`. If empty, the data that tensorflow-datasets keeps under
            `TFDS_DATA_DIR`, or under its own default folder; the first use downloads and prepares them there.
        size: Pixels along a side, from 1 to 128.
        num_train: How many images to train on, drawn with the seed; 0 for all that are not in the test set.
        num_test: How many images to test on, at least 1.
        seed: Seed of the split, in [0, 2³²); see `random_split`.

    Raises:
        UsageError: If an option is out of range, or the data are missing or damaged.
    """
    integer_option("size", size, 1, cars3d_files.SIDE)
    sizes = cars3d_files.SIZES
    train, test = random_split(math.prod(sizes.values()), num_train, num_test, seed)
    if dir:
        loaded = cars3d_files.read(cars3d_files.locate(dir), size)
    else:
        from mvae.data.factors.cars3d_builder import load_prepared  # imports tensorflow_datasets, which takes seconds

        loaded = load_prepared(size)
    parts = [Images(loaded.images[part], loaded.factors[part]) for part in (train, test)]
    return make_dataset("cars3d", *parts, sizes=sizes, label="object", azimuth="azimuth")

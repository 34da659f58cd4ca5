"""Images of one object under rotations drawn uniformly from SO(3), rendered when they are asked for."""

import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation

from mvae.data.dataset import Dataset, Rows, integer_option
from mvae.data.factors.known_factors import render
from mvae.data.factors.turntable import named_mesh
from mvae.data.meshes.render import LARGEST, render_views
from mvae.data.point_clouds import LARGEST_SEED


def tumbled(
    *, mesh: str = "blob", dir: str = "", size: int = 32, num_train: int = 5000, num_test: int = 1000, seed: int = 0
) -> Dataset:
    """Returns grey images of one object under uniform random rotations; see `render_views` for how they are lit.

    A point p of the object lies at R p in the coordinates of the camera: x to the right of the image, z upward, and the
    camera looks along +y. Batches have `"x"`, float32 `(B, size, size, 1)` in [0, 1], and `"latent"`, float32
    `(B, 9)`, the entries of R row by row: a point of `mvae.manifolds.SO3`. Where the object has no symmetry, and no two
    of its views are alike, the images form a copy of SO(3). The light is fixed to the camera, so that a turn about its
    axis is more than a turn of the image.

    The test set does not depend on `num_train`. The images stay on the device as bytes.

    Args:
        mesh: As for `turntable`: `blob`, `horn`, `bunny`, or the name of a file of the format OBJ.
        dir: As for `turntable`.
        size: Pixels along a side, from 1 to 256.
        num_train: Number of training views, at least 1; 5000 of 32 × 32 pixels take ten seconds.
        num_test: Number of test views, at least 1.
        seed: Seed of the rotations, in [0, 2³²).

    Raises:
        UsageError: If an option is out of range, the mesh is not known, or its file is missing or damaged.
    """
    integer_option("size", size, 1, LARGEST)
    integer_option("num_train", num_train, 1)
    integer_option("num_test", num_test, 1)
    integer_option("seed", seed, 0, LARGEST_SEED)
    surface = named_mesh(mesh, dir)

    def rows(num: int, part: int) -> Rows:
        turns = Rotation.random(num, np.random.default_rng([seed, part])).as_matrix()
        images = render_views(surface, turns, size)
        return {"x": jnp.asarray(images), "latent": jnp.asarray(turns.reshape(num, 9), jnp.float32)}

    return Dataset(
        name="tumbled",
        train=rows(num_train, 0),
        test=rows(num_test, 1),
        render=render,
        event_shape=(size, size, 1),
    )

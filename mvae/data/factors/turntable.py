"""Images of one object from all round, rendered when they are asked for: the factors are elevation and azimuth.

The camera looks at the object after the rotation R = R_x(elevation) R_z(azimuth). x runs to the right of the image,
z upward, and the camera looks along +y; so R_z turns the object counter-clockwise, seen from above, about its own axis,
and R_x with an elevation above 0 tips its top towards the camera, which then sees it from above. R_x(e) R_z(a) differs
for every pair of e and a modulo a full turn: where both angles go all the way round, the rotations form a torus.
"""

import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from mvae.data.dataset import Dataset, Rows, integer_option
from mvae.data.factors.known_factors import Images, find, make_dataset
from mvae.data.meshes.mesh import Mesh, blob, horn, in_unit_ball
from mvae.data.meshes.render import LARGEST, render_views
from mvae.data.meshes.wavefront import read_obj
from mvae.errors import UsageError, unknown

GENERATED = {"blob": blob, "horn": horn}
BUNNY = ("stanford-bunny.obj.gz", "stanford-bunny.obj")
BUNNY_REMEDY = (
    f"put the Stanford bunny in the format OBJ, as {' or '.join(BUNNY)}, into a folder DIR and pass "
    "--config.data.dir=DIR; where it comes from, in the format PLY, is https://graphics.stanford.edu/data/3Dscanrep"
)
_FULL_TURN = 180.0


def turntable(
    *,
    mesh: str = "blob",
    dir: str = "",
    size: int = 64,
    num_azimuths: int = 72,
    num_elevations: int = 13,
    max_elevation: float = 60.0,
    test_every: int = 4,
) -> Dataset:
    """Returns grey images of one object from a grid of directions; see `render` for how they are lit.

    Azimuths are 2πj/num_azimuths. Elevations are num_elevations equal steps from -max_elevation to max_elevation, or,
    if max_elevation is 180, 2πi/num_elevations: the object is tumbled all the way round and the views form a torus.
    A single elevation is 0: the views form a circle.

    View (i, j) is in the test set if i + j leaves the remainder test_every - 1 when divided by test_every, so that
    every row and every column of the grid gives its share, and every test view lies between training views, but at
    the seam of an angle whose number of steps test_every does not divide. A random split would leave gaps of uneven
    width. Nothing is random.

    The factors are (elevation, azimuth), i and j; `"label"` is i, and `"elevation"`, in (-π, 2π), and `"azimuth"`
    are the angles in radians. The images stay on the device as bytes; `render` divides them by 255. `full_grid`
    of `known_factors` returns all of them in the order of the grid.

    Args:
        mesh: `blob` or `horn`, which are generated; `bunny`, the Stanford bunny; or the name of a file of the format
            OBJ, which ends in `.obj` or `.obj.gz`, or its absolute path. The object is moved and scaled into the unit
            ball.
        dir: The folder that holds the file, directly or in a subfolder `bunny` or, for other files, `turntable`. Not
            looked at for a generated mesh or an absolute path.
        size: Pixels along a side, from 1 to 256.
        num_azimuths: How many azimuths, at least 2.
        num_elevations: How many elevations, at least 1.
        max_elevation: In degrees, above 0, at most 180.
        test_every: One view in so many is kept for the test, from 2 to num_azimuths.

    Raises:
        UsageError: If an option is out of range, the mesh is not known, or its file is missing or damaged.
    """
    integer_option("size", size, 1, LARGEST)
    integer_option("num_azimuths", num_azimuths, 2)
    integer_option("num_elevations", num_elevations, 1)
    integer_option("test_every", test_every, 2, num_azimuths)
    if isinstance(max_elevation, bool) or not isinstance(max_elevation, int | float) or not 0 < max_elevation <= 180:
        raise UsageError(f"data option max_elevation={max_elevation!r}: must be a number of degrees in (0, 180]")
    elevations, azimuths = elevation_angles(num_elevations, max_elevation), _all_round(num_azimuths)
    factors = np.indices((num_elevations, num_azimuths)).reshape(2, -1).T
    turns = rotations(elevations[factors[:, 0]], azimuths[factors[:, 1]])
    images = render_views(named_mesh(mesh, dir), turns, size)
    is_test = factors.sum(axis=1) % test_every == test_every - 1
    train, test = (Images(images[part], factors[part]) for part in (~is_test, is_test))
    sizes = {"elevation": num_elevations, "azimuth": num_azimuths}
    dataset = make_dataset("turntable", train, test, sizes=sizes, label="elevation", azimuth="azimuth")

    def with_elevation(rows: Rows) -> Rows:
        return rows | {"elevation": jnp.asarray(elevations, jnp.float32)[rows["label"]]}

    periodic = ("elevation", "azimuth") if max_elevation == _FULL_TURN and num_elevations > 1 else ("azimuth",)
    train, test = with_elevation(dataset.train), with_elevation(dataset.test)
    return dataset._replace(train=train, test=test, periodic_factors=periodic)


def elevation_angles(num: int, max_elevation: float) -> np.ndarray:
    """Returns the elevations in radians, `(num,)`, from the lowest, or from 0 where they go all the way round.

    Args:
        num: How many, at least 1.
        max_elevation: In degrees, above 0; at 180 they go all the way round.

    >>> np.degrees(elevation_angles(3, 60.0)).round().tolist(), np.degrees(elevation_angles(4, 180.0)).tolist()
    ([-60.0, 0.0, 60.0], [0.0, 90.0, 180.0, 270.0])
    """
    if max_elevation == _FULL_TURN:
        return _all_round(num)
    largest = math.radians(max_elevation) if num > 1 else 0.0
    return np.linspace(-largest, largest, num)


def _all_round(num: int) -> np.ndarray:
    return 2 * math.pi * np.arange(num) / num


def rotations(elevations: np.ndarray, azimuths: np.ndarray) -> np.ndarray:
    """Returns R_x(elevation) R_z(azimuth), the axes those of the module's docstring.

    The entries are rounded to 14 decimals: a quarter of a turn is exact.

    Args:
        elevations: In radians, `(N,)`.
        azimuths: In radians, `(N,)`.

    Returns:
        `(N, 3, 3)`.
    """
    ce, se, ca, sa = np.cos(elevations), np.sin(elevations), np.cos(azimuths), np.sin(azimuths)
    zero = np.zeros_like(ce)
    rows = [[ca, -sa, zero], [ce * sa, ce * ca, -se], [se * sa, se * ca, ce]]
    return np.round(np.array(rows).transpose(2, 0, 1), 14)


def named_mesh(name: str, dir: str) -> Mesh:
    """Returns a mesh in the unit ball, by the options `mesh` and `dir` of `turntable`.

    Raises:
        UsageError: If the name is not known, or the file is missing or damaged.
    """
    if name in GENERATED:
        return GENERATED[name]()
    if name == "bunny":
        path = find(
            "the mesh bunny", "bunny", dir, BUNNY, f"{BUNNY_REMEDY}; the meshes {', '.join(GENERATED)} need no file"
        )
    elif name.lower().endswith((".obj", ".obj.gz")) and Path(name).is_absolute():
        path = Path(name)
    elif name.lower().endswith((".obj", ".obj.gz")):
        remedy = f"put {name} into a folder DIR and pass --config.data.dir=DIR"
        path = find(f"the mesh {name}", "turntable", dir, (name,), remedy)
    else:
        raise unknown("mesh", name, [*GENERATED, "bunny", "NAME.obj", "NAME.obj.gz"])
    return read_in_unit_ball(path)


def read_in_unit_ball(path: Path) -> Mesh:
    """Returns the mesh of a file of the format OBJ, moved and scaled by `in_unit_ball`.

    Raises:
        UsageError: If the file is damaged, or no triangle has an area.
    """
    try:
        return in_unit_ball(read_obj(path))
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error

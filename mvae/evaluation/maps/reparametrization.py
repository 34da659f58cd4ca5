"""Quality of a learned map of a cube, or of R^n, onto a manifold that carries a distribution to the uniform one.

The paper calls for such measures ("one can develop corresponding metrics to control the quality of mapping") and gives
none. A closed manifold has no chart that is injective, onto and continuous on a cube, so that every map fails in
something; the measures here say in what, and by how much.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float, Key

from mvae.errors import check_count
from mvae.evaluation.maps.latent_cube import check_latent, face_quantiles, from_cube, log_prior
from mvae.evaluation.maps.nearest_images import chord_coordinates, nearest_distances
from mvae.evaluation.maps.preimages import nearest_preimages
from mvae.evaluation.maps.seam import crossing_constant, face_images, gaps, torn_pairs
from mvae.evaluation.samples.mmd import median_bandwidth, mmd_test
from mvae.manifolds import Manifold, pushforward_log_density

POOL = 8
"""Points of the map's image, over the points of the manifold."""
QUANTILE = 0.99
"""Of the distances from uniform points to the nearest of as many others; it is the resolution."""
REACHED = 0.02
"""Of the resolution, how near the image must come."""
BANDWIDTHS = (1.0, 0.25, 0.0625)
"""Of the kernels of the test of uniformity, over the median distance."""


class ReparametrizationQuality(NamedTuple):
    """What a map f makes of the distribution of Z_hid; x = P(f(z)), with P the projection onto the manifold M.

    Attributes:
        off_median: Distance from f(z) to M, a length: the median over z.
        off_90: Its quantile of 90 %.
        off_99: Its quantile of 99 %.
        off_max: The largest.
        mmd: Unbiased MMD² of x and uniform points, at the median bandwidth (`mmd`).
        p_value: Of the hypothesis that x is uniform: permutation tests at three bandwidths, 1, 1/4 and 1/16 of the
            median, the least p-value times three (Bonferroni).
        kl: Mean over z of log p_M(x) + log Vol M, nats; p_M as in `pushforward_log_density`. KL(distribution of x ||
            uniform) where f is injective. Else it is less, by the entropy of z given x: below 0 only if f is not
            injective.
        kl_error: Its standard error; infinite where kl is.
        total_variation: Total variation distance of the distribution of x from uniform, E max(0, 1 - 1/(p_M(x) Vol M)),
            in [0, 1], where f is injective. Else a lower bound.
        area: Area of the image counted with multiplicity, over that of M: E 1/(p_M(x) Vol M), the mean number of
            preimages of a point of M.
        area_error: Its standard error.
        coverage: Share of N uniform points of M that are reached: that have x within ε/50, by descent from the nearest
            of 8 N samples (`nearest_preimages`), ε being `resolution`.
        coverage_error: Its standard error, 0 where all are reached.
        hole: Largest geodesic distance from one of those points to the nearest x: the radius of the largest hole.
        resolution: Chord ε such that 99 % of N uniform points of M have one of N others nearer than that.
        seam: Half of the (n - 1)-volume of P(f(faces of the cube)): the size of the cut along which M is torn, were
            it glued without gap or overlap. For n = 1 the number of cuts, 1.
        gap: Mean over the faces of the geodesic distance to the nearest image of a point of the faces that is
            more than a quarter of the cube's side away: the width of gap, or of overlap, at the cut. For n = 3 no
            less than what the number of points on the faces resolves.
        gap_max: The largest.
        torn_share: Share of the pairs of x within ε whose preimages are more than a quarter of the cube's side apart.
        torn_share_of_seam: The same of a map that is torn along a cut of size `seam`, closed and nowhere else.
    """

    off_median: float
    off_90: float
    off_99: float
    off_max: float
    mmd: float
    p_value: float
    kl: float
    kl_error: float
    total_variation: float
    area: float
    area_error: float
    coverage: float
    coverage_error: float
    hole: float
    resolution: float
    seam: float
    gap: float
    gap_max: float
    torn_share: float
    torn_share_of_seam: float

    @property
    def overlap(self) -> float:
        """Area less coverage: how often points of M are reached more than once, over the area of M."""
        return self.area - self.coverage


def reparametrization_quality(
    key: Key[Array, ""],
    f: Callable[[Float[Array, " n"]], Float[Array, " m"]],
    manifold: Manifold,
    *,
    latent: str = "uniform",
    num_points: int = 1024,
    num_permutations: int = 500,
) -> ReparametrizationQuality:
    """Measures how well f pushes the distribution of Z_hid forward to the uniform distribution on a manifold M.

    All but the distance to M is of P f, P the projection onto M, so that faults of different kinds stay apart: a circle
    that is drawn too large is off M, and uniform on it. On Z_hid distances are in the cube [0, 1]^n: for the normal
    distribution z = Φ⁻¹(u), and its faces are at the quantiles 0.001 and 0.999.

    Exact maps of the cube that preserve area have kl, total_variation and gap 0, area, coverage 1 and overlap 0. Their
    `seam` is 1 on the circle by its angle, π on the unit sphere by longitude and height (a meridian; the poles are
    points) and 4π on `FlatTorus(2)` by its angles (a circle of each); on `EmbeddedTorus`, cut along the inner equator
    and around the tube, it is 2πc. torn_share is then torn_share_of_seam up to noise and O(ε²). A share above that of
    the seam tells folds, or sheets that lie on each other; below, gaps.

    One function is compiled for each manifold, number of points and function. For a learned map pass
    `jax.tree_util.Partial(apply, parameters)` with one and the same function `apply(parameters, z)` of one point: maps
    that differ in parameters alone, as those of ten seeds, then share a program. A lambda that closes over them does
    not.

    >>> from mvae.manifolds import Sphere
    >>> def circle(turns, z):
    ...     return jnp.stack([jnp.cos(2 * jnp.pi * turns * z[0]), jnp.sin(2 * jnp.pi * turns * z[0])])
    >>> found = reparametrization_quality(jax.random.key(0), Partial(circle, 0.75), Sphere(1), num_points=100)
    >>> round(found.area, 3), round(found.gap / (2 * np.pi), 3), round(found.kl / math.log(4 / 3), 3)
    (0.75, 0.25, 1.0)

    Args:
        key: Source of all draws.
        f: Differentiable map of one point, (n,) -> (m,), n the dimension of M and m that of its ambient space.
        manifold: M, of finite volume.
        latent: Distribution of Z_hid: "uniform" on the cube [0, 1]^n or "normal", N(0, I) on R^n.
        num_points: N, 50 or more; a multiple of 64 compiles fastest.
        num_permutations: Of each test of uniformity.

    Raises:
        ValueError: Naming the argument, for a map between spaces of other dimensions or with values that are not
            finite, a manifold of infinite volume, an unknown distribution, too few points or permutations.

    Source: [golikov2018, Secs. 2.1 and 2.2, App. 5.1].
    """
    check_latent(latent)
    check_count("num_points", num_points, 50)
    check_count("num_permutations", num_permutations, 1)
    if not math.isfinite(manifold.log_volume):
        raise ValueError(f"manifold must have a finite volume, got {manifold!r}")
    f = f if isinstance(f, Partial) else Partial(f)
    check_map(f, manifold)
    measures_key, test_key = jax.random.split(key)
    measures, image, uniform = _measures(measures_key, f, manifold, latent, num_points)
    measures = {name: float(value) for name, value in measures.items()}
    wrong = [name for name, value in measures.items() if math.isnan(value)]
    if wrong:
        raise ValueError(f"f must have finite values and derivatives, the cube's faces included; {wrong[0]} is NaN")
    statistic, p_value = _uniformity(test_key, np.asarray(image), np.asarray(uniform), num_permutations)
    return ReparametrizationQuality(mmd=statistic, p_value=p_value, **measures)


def check_map(f: Callable[[Float[Array, " n"]], Float[Array, " m"]], manifold: Manifold) -> None:
    """Raises `ValueError` unless f takes points of R^n to R^m, n and m the manifold's dimension and ambient one."""
    point = jax.ShapeDtypeStruct((manifold.dim,), jnp.zeros(()).dtype)
    image = jax.eval_shape(f, point)
    if getattr(image, "shape", None) != (manifold.ambient_dim,):
        given = getattr(image, "shape", type(image))
        raise ValueError(f"f must take ({manifold.dim},) to ({manifold.ambient_dim},) for {manifold!r}, got {given}")


def log_density_ratio(
    f: Callable[[Float[Array, " n"]], Float[Array, " m"]],
    manifold: Manifold,
    latent: str,
    z: Float[Array, "*batch n"],
) -> Float[Array, "*batch"]:
    """Logarithm of the density of P f at z over the uniform one, log p_M(P f(z)) + log Vol M.

    Args:
        f: As in `reparametrization_quality`.
        manifold: M.
        latent: "uniform" or "normal".
        z: Points of Z_hid, (..., n).

    Returns:
        Logarithms, (...); +inf where P f is not an immersion.
    """

    def on(z: Float[Array, " n"]) -> Float[Array, " m"]:
        return manifold.project(f(z))

    return pushforward_log_density(on, functools.partial(log_prior, latent), z) + manifold.log_volume


@functools.partial(jax.jit, static_argnames=("manifold", "latent", "num_points"))
def _measures(
    key: Key[Array, ""], f: Partial, manifold: Manifold, latent: str, num_points: int
) -> tuple[dict[str, Float[Array, ""]], Float[Array, "N k"], Float[Array, "N k"]]:
    """All but the test of uniformity, and the samples it is made with, N of each."""
    cube_key, target_key, uniform_key, face_key = jax.random.split(key, 4)
    small = float(jnp.finfo(jnp.zeros(())).eps)
    u = jax.random.uniform(cube_key, (POOL * num_points, manifold.dim), minval=small, maxval=1 - small)
    z = from_cube(latent, u)
    raw = jax.vmap(f)(z)
    x = manifold.project(raw)
    chords = chord_coordinates(manifold, x)
    targets = manifold.uniform(target_key, (num_points,))
    uniform = chord_coordinates(manifold, manifold.uniform(uniform_key, (num_points,)))
    epsilon = jnp.quantile(nearest_distances(chord_coordinates(manifold, targets), uniform), QUANTILE)

    def on(u: Float[Array, " n"]) -> Float[Array, " m"]:
        return manifold.project(f(from_cube(latent, u)))

    faces = face_images(face_key, on, face_quantiles(latent), manifold.dim, num_points)
    gap = gaps(manifold, faces)
    tears = {
        "seam": faces.size,
        "gap": jnp.mean(gap),
        "gap_max": jnp.max(gap),
        "torn_share": torn_pairs(chords[:num_points], u[:num_points], chords, u, epsilon),
        "torn_share_of_seam": crossing_constant(manifold.dim) * epsilon * faces.size / manifold.volume,
    }
    density = _density(log_density_ratio(f, manifold, latent, z))
    reached = _reach(on, manifold, targets, u, chords, face_quantiles(latent), epsilon)
    measures = _off(jnp.linalg.norm(raw - x, axis=-1)) | density | reached | tears
    return measures, chords[:num_points], uniform


def _off(distance: Float[Array, " n"]) -> dict[str, Float[Array, ""]]:
    levels = {"off_median": 0.5, "off_90": 0.9, "off_99": 0.99, "off_max": 1.0}
    return dict(zip(levels, jnp.quantile(distance, jnp.asarray(list(levels.values()))), strict=True))


def _density(log_ratio: Float[Array, " n"]) -> dict[str, Float[Array, ""]]:
    """Divergence, total variation and area with standard errors, from log p_M Vol at samples of the prior."""
    element = jnp.exp(-log_ratio)
    root = math.sqrt(len(log_ratio))
    finite = jnp.all(jnp.isfinite(log_ratio))
    spread = jnp.std(jnp.where(finite, log_ratio, 0), ddof=1)
    return {
        "kl": jnp.mean(log_ratio),
        "kl_error": jnp.where(finite, spread / root, jnp.inf),
        "total_variation": jnp.mean(jnp.maximum(1 - element, 0)),
        "area": jnp.mean(element),
        "area_error": jnp.std(element, ddof=1) / root,
    }


def _reach(
    on: Callable[[Float[Array, " n"]], Float[Array, " m"]],
    manifold: Manifold,
    targets: Float[Array, "N m"],
    u: Float[Array, "M n"],
    chords: Float[Array, "M k"],
    bounds: tuple[float, float],
    epsilon: Float[Array, ""],
) -> dict[str, Float[Array, ""]]:
    """Share of the targets that a map of the cube onto the manifold reaches, and its largest hole."""
    found = nearest_preimages(
        lambda u: chord_coordinates(manifold, on(u)), chord_coordinates(manifold, targets), u, chords, bounds
    )
    coverage = jnp.mean(found.distances <= REACHED * epsilon)
    return {
        "coverage": coverage,
        "coverage_error": jnp.sqrt(coverage * (1 - coverage) / len(targets)),
        "hole": jnp.max(manifold.distance(targets, jax.vmap(on)(found.u))),
        "resolution": epsilon,
    }


def _uniformity(key: Key[Array, ""], x: np.ndarray, uniform: np.ndarray, num_permutations: int) -> tuple[float, float]:
    """MMD² at the median bandwidth, and the corrected p-value of the tests at all bandwidths."""
    median = median_bandwidth(x, uniform)
    keys = jax.random.split(key, len(BANDWIDTHS))
    tests = [
        mmd_test(test_key, x, uniform, num_permutations, bandwidth=scale * median)
        for test_key, scale in zip(keys, BANDWIDTHS, strict=True)
    ]
    return tests[0].statistic, min(1.0, len(tests) * min(test.p_value for test in tests))

"""Part b: float32 on the device against float64 on the CPU, under the library's own tolerances.

Products on accelerators round their factors by default, to 10 bits or 7. What the library promises to be exact has to
ask for more, and here it is seen whether it does.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.accelerator.cells import Cell, Setting
from experiments.benchmarks.problems import random_problems
from mvae import diffusion, spectral, transport
from mvae.manifolds import SO3, SURFACES, EmbeddedTorus, FlatTorus, Manifold, Product, ProjectiveSpace, Sphere

EPS = float(np.finfo(np.float32).eps)
DENSITY, LEAST = 1e-4, -30.0  # `log_heat_kernel`: relative error of densities in float32, where log q is not below this
KL = 1e-4  # nats; `kl_to_uniform`
GEOMETRY = 20 * EPS  # in units of the manifold's size; tests/manifolds/test_identities.py
SIGMAS = 5.0  # of moments of draws
EXPONENTIAL = 60 * EPS  # times max(1, |A|_1) and the size of exp|A| |z|; tests/transport/test_exponential.py
OBJECTIVE = 0.01  # by which a mean objective may be greater
SPECTRAL = 1e-4
TIMES = (0.03, 0.3, 2.0)

GEOMETRIES: dict[str, Manifold] = {
    "sphere2": Sphere(2),
    "sphere5": Sphere(5),
    "flat_torus": FlatTorus(2),
    "projective3": ProjectiveSpace(3),
    "so3": SO3(),
    "embedded_torus": EmbeddedTorus(),
    "product": Product((Sphere(2), FlatTorus(1))),
}
FIRST = ("sphere2", "so3")  # spaces whose cells are of rank 0
Check = dict[str, Any]


def truth_cells(setting: Setting) -> list[Cell]:
    """The cells of part b."""
    names = setting.choose(tuple(GEOMETRIES), ("sphere2",))
    kinds: dict[str, Callable[..., dict[str, Check]]] = {
        "density": densities,
        "kl": divergences,
        "geometry": geometry,
        "samples": samples,
        "walks": walks,
    }
    cells = [
        Cell(f"{kind}_{name}", partial(run, setting, name), 10, kind, 0 if name in FIRST else 1)
        for kind, run in kinds.items()
        for name in names
        if (kind, name) != ("samples", "embedded_torus")  # it has no exact sampler
    ]
    others = {"expm_action": exponentials, "coefficients": coefficients, "spectral": spectra}
    cells += [Cell(name, partial(run, setting), 15) for name, run in others.items()]
    return cells if setting.rehearse else [*cells, Cell("genus_two", partial(genus_two, setting), 15, rank=1)]


def in_float64(function: Callable[..., Any], *arrays: np.ndarray) -> Any:
    """Returns what a function gives in float64 on the CPU, as NumPy arrays; floating arguments are cast to it."""
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        return jax.tree.map(np.asarray, jax.jit(function)(*(np.asarray(x, np.float64) for x in arrays)))


def in_float32(function: Callable[..., Any], *arrays: np.ndarray) -> Any:
    """Returns what it gives in float32 on the device."""
    return jax.tree.map(np.asarray, jax.jit(function)(*(jnp.asarray(x, jnp.float32) for x in arrays)))


def check(error: float, tolerance: float, **more: Any) -> Check:
    """Returns a check's record; what is not a number has not passed."""
    error = float(error)
    passed = bool(error <= tolerance)
    return {"error": error if math.isfinite(error) else None, "tolerance": float(tolerance), "passed": passed} | more


def points_of(manifold: Manifold, count: int, seed: int = 0) -> np.ndarray:
    """Returns points that are on the manifold to float64."""
    x = np.random.default_rng(seed).normal(size=(count, manifold.ambient_dim))
    return in_float64(manifold.project, x)


def densities(setting: Setting, name: str) -> dict[str, Check]:
    """Log heat kernels at several times, from next to the start to far."""
    manifold, count = GEOMETRIES[name], setting.choose(2000, 50)
    z = points_of(manifold, count)
    steps = np.random.default_rng(1).normal(size=z.shape)
    t = np.repeat(TIMES, count)
    z, steps = np.tile(z, (len(TIMES), 1)), np.tile(steps, (len(TIMES), 1))
    w = in_float64(lambda z, v: manifold.project(z + v), z, np.sqrt(t)[:, None] * steps)
    ours, true = (run(partial(_density, manifold), t, z, w) for run in (in_float32, in_float64))
    found = {}
    for time in TIMES:
        counted = (true > LEAST) & (t == time)
        error = np.max(np.abs(np.expm1(ours - true)[counted]), initial=0)
        found[f"t={time}"] = check(error, DENSITY, points=int(counted.sum()))
    return found


def _density(manifold: Manifold, t: jax.Array, z: jax.Array, w: jax.Array) -> jax.Array:
    return diffusion.log_heat_kernel(manifold, t, z, w)


def divergences(setting: Setting, name: str) -> dict[str, Check]:
    """KLs to the uniform distribution and their derivatives in time."""
    manifold, count = GEOMETRIES[name], setting.choose(2000, 50)
    z, t = points_of(manifold, count), np.geomspace(1e-3, 3.0, count)

    def kl(t: jax.Array, z: jax.Array) -> jax.Array:
        return diffusion.kl_to_uniform(manifold, t, z)

    def slope(t: jax.Array, z: jax.Array) -> jax.Array:
        return t * jax.grad(lambda t: jnp.sum(kl(t, z)))(t)

    found = {}
    for title, function in (("kl", kl), ("t dkl/dt", slope)):
        ours, true = (run(function, t, z) for run in (in_float32, in_float64))
        found[title] = check(np.max(np.abs(ours - true)), KL * (1 if title == "kl" else 10))
    return found


def geometry(setting: Setting, name: str) -> dict[str, Check]:
    """Projections, tangents, exponentials, logarithms and distances."""
    manifold, count = GEOMETRIES[name], setting.choose(2000, 50)
    scale = float(np.max(np.abs(points_of(manifold, 100))))
    z = points_of(manifold, count)
    v = 0.4 * np.random.default_rng(1).normal(size=z.shape)
    w = in_float64(lambda z, v: manifold.exp(z, manifold.to_tangent(z, v)), z, v)
    functions: dict[str, tuple[Callable[..., jax.Array], Sequence[np.ndarray]]] = {
        "project": (manifold.project, (z + v,)),
        "to_tangent": (manifold.to_tangent, (z, v)),
        "exp": (lambda z, v: manifold.exp(z, manifold.to_tangent(z, v)), (z, v)),
        "log": (manifold.log, (z, w)),
        "distance": (manifold.distance, (z, w)),
    }
    found = {}
    for title, (function, arguments) in functions.items():
        ours, true = (run(function, *arguments) for run in (in_float32, in_float64))
        found[title] = check(np.max(np.abs(ours - true)) / scale, GEOMETRY)
    return found


def samples(setting: Setting, name: str) -> dict[str, Check]:
    """Exact samples from one point: means of an ambient inner product and of the distance, against float64's draws."""
    manifold, time = GEOMETRIES[name], 0.4
    counts = setting.choose((400_000, 100_000), (2000, 2000))
    start = points_of(manifold, 1)[0]

    def moments(z: jax.Array, count: int, seed: int) -> tuple[jax.Array, jax.Array]:
        ends = diffusion.sample(jax.random.key(seed), manifold, jnp.broadcast_to(z, (count, len(z))), time)
        return jnp.sum(ends * z, axis=-1), manifold.distance(z, ends)

    ours = in_float32(lambda z: moments(z, counts[0], 0), start)
    true = in_float64(lambda z: moments(z, counts[1], 1), start)
    return {title: _same_mean(a, b) for title, a, b in zip(("inner product", "distance"), ours, true, strict=True)}


def _same_mean(a: np.ndarray, b: np.ndarray) -> Check:
    """Difference of two means of independent draws, in its standard deviations."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    sigma = math.sqrt(a.var() / len(a) + b.var() / len(b))
    return check(abs(a.mean() - b.mean()) / sigma, SIGMAS, mean=float(a.mean()), mean_in_float64=float(b.mean()))


def walks(setting: Setting, name: str) -> dict[str, Check]:
    """Steps of both walks with noise given; and those of the library, which draw it, by their moments."""
    manifold, count, num_steps = GEOMETRIES[name], setting.choose(2000, 50), setting.choose(10, 2)
    z, scale = points_of(manifold, count), math.sqrt(0.3 / num_steps)
    noise = scale * np.random.default_rng(2).normal(size=(num_steps, *z.shape))
    size = float(np.max(np.abs(z)))

    def projected(z: jax.Array, noise: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda x, v: (manifold.project(x + v), None), z, noise)[0]

    def geodesic(z: jax.Array, noise: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda x, v: (manifold.exp(x, manifold.to_tangent(x, v)), None), z, noise)[0]

    found = {}
    for title, function in (("projection", projected), ("geodesic", geodesic)):
        ours, true = (run(function, z, noise) for run in (in_float32, in_float64))
        error = np.quantile(np.max(np.abs(ours - true), axis=-1), 0.99) / size  # a step near a cut is ill-conditioned
        found[f"{title}, same noise"] = check(error, num_steps * GEOMETRY)
        found[f"{title}, moments"] = _walk_moments(setting, manifold, title, z[0], num_steps)
    return found


def _walk_moments(setting: Setting, manifold: Manifold, kind: str, start: np.ndarray, num_steps: int) -> Check:
    counts = setting.choose((400_000, 50_000), (1000, 1000))

    def inner(z: jax.Array, count: int, seed: int) -> jax.Array:
        many = jnp.broadcast_to(z, (count, len(z)))
        ends = diffusion.random_walk(jax.random.key(seed), manifold, many, 0.3, num_steps=num_steps, kind=kind)
        return jnp.sum(jnp.asarray(ends) * z, axis=-1)

    ours = in_float32(lambda z: inner(z, counts[0], 0), start)
    return _same_mean(ours, in_float64(lambda z: inner(z, counts[1], 1), start))


def exponentials(setting: Setting) -> dict[str, Check]:
    """exp(A) z for matrices of 1-norms from small to large."""
    found = {}
    for dim in setting.choose((2, 6, 10), (3,)):
        rng = np.random.default_rng(dim)
        matrices = rng.normal(size=(setting.choose(4096, 64), dim, dim))
        norms = np.abs(matrices).sum(axis=1).max(axis=1)
        matrices *= (np.geomspace(1e-3, 20.0, len(norms)) / norms)[:, None, None]
        matrices, z = (x.astype(np.float32).astype(np.float64) for x in (matrices, rng.normal(size=(len(norms), dim))))
        ours, true = (run(transport.expm_action, matrices, z) for run in (in_float32, in_float64))
        size = np.linalg.norm(in_float64(transport.expm_action, np.abs(matrices), np.abs(z)), axis=-1)
        norms = np.maximum(1, np.abs(matrices).sum(axis=1).max(axis=1))
        error = np.linalg.norm(ours - true, axis=-1) / size / norms
        found[f"d={dim}"] = check(error.max(), EXPONENTIAL)
    return found


def coefficients(setting: Setting) -> dict[str, Check]:
    """Mean objectives that the inference reaches, both taken in float64: by how much ours is greater than the other."""
    found = {}
    for dim, size in setting.choose(((2, 4), (6, 8), (10, 8)), ((2, 3),)):
        operators, z0, z1 = random_problems(dim, size, setting.choose(2048, 32))
        weight = 1e-2

        def infer(operators: jax.Array, z0: jax.Array, z1: jax.Array, weight: float = weight) -> jax.Array:
            return transport.infer_coefficients(jax.random.key(0), operators, z0, z1, l1_weight=weight).coefficients

        def objective(
            c: jax.Array, operators: jax.Array, z0: jax.Array, z1: jax.Array, weight: float = weight
        ) -> jax.Array:
            rest = z1 - transport.transport(operators, c, z0)
            return jnp.mean(jnp.sum(rest**2, axis=-1) / 2 + weight * jnp.sum(jnp.abs(c), axis=-1))

        ours, true = (
            float(in_float64(objective, run(infer, operators, z0, z1), operators, z0, z1))
            for run in (in_float32, in_float64)
        )
        found[f"d={dim}, M={size}"] = check(ours / true - 1, OBJECTIVE, objective=ours, objective_in_float64=true)
    return found


def spectra(setting: Setting) -> dict[str, Check]:
    """Distances, affinities, orthonormal functions, covariances and sums over a graph."""
    count = setting.choose(2000, 60)
    x = np.random.default_rng(0).normal(size=(count, 12)).astype(np.float32).astype(np.float64)
    graph = spectral.pointwise_graph(jnp.asarray(x, jnp.float32), scale_neighbor=10)
    values = np.random.default_rng(1).normal(size=(count, 3))
    functions: dict[str, tuple[Callable[..., jax.Array], Sequence[np.ndarray]]] = {
        "distances": (lambda x: spectral.nearest_neighbors(x, 5).distances, (x,)),
        "squared_distances": (spectral.squared_distances, (x,)),
        "orthonormalize": (lambda x: spectral.orthonormalize(x).values, (x,)),
        "local_covariance": (lambda x: spectral.local_covariance(x, num_neighbors=20), (x,)),
        "graph_sums": (
            lambda x, values, *graph: spectral.graph_sums(x, spectral.PointwiseGraph(*graph), values),
            (x, values, *(np.asarray(leaf) for leaf in graph)),
        ),
    }
    found = {}
    for title, (function, arguments) in functions.items():
        ours, true = (run(function, *arguments) for run in (in_float32, in_float64))
        found[title] = check(np.max(np.abs(ours - true)) / np.max(np.abs(true)), SPECTRAL)
    return found


def genus_two(setting: Setting) -> dict[str, Check]:
    """Projections onto a surface given by an equation, which Newton's method finds."""
    del setting
    surface = SURFACES["genus_two"]
    z = points_of(surface, 500)
    v = 0.05 * np.random.default_rng(1).normal(size=z.shape)
    found = {}
    for title, function in (("project", lambda z, v: surface.project(z + v)), ("to_tangent", surface.to_tangent)):
        ours, true = (run(function, z, v) for run in (in_float32, in_float64))
        error = np.quantile(np.max(np.abs(ours - true), axis=-1), 0.99)
        found[title] = check(error / np.max(np.abs(z)), GEOMETRY)
    return found

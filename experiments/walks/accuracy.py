"""What a random walk of few steps gets wrong, against Brownian motion itself.

    python experiments/walks/accuracy.py [--samples=1000000] [--steps=10] [--figure=PATH]

Prints Markdown tables and draws the weak order. The moment of a space is the mean of its lowest harmonic f, with
f = 1 at the start: the cosine of the angle on spheres and on each circle of the torus, its second harmonic on
projective spaces, a third of the trace on rotations. Brownian motion takes it to exp(-rate t). A step of a walk
commutes with the symmetries that fix its start, so that N steps of length s = t/N take it to m(s)^N with m its value
after one step. m is a hypergeometric function, but for the projection to SO(3): there it is a mean over `samples`
draws, in antithetic pairs, with the squared length of the tangent part as a control variate.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator
from scipy.special import gammaln, hyp1f1

from mvae.diffusion import kl_to_uniform, random_walk, sample
from mvae.figures.drawing import FAINT, MUTED, PAGE, new_figure, save, styled
from mvae.manifolds import SO3, FlatTorus, Manifold, ProjectiveSpace, Sphere
from mvae.programs import launch

TIMES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
KINDS = ("projection", "geodesic")
ORDER_TIME = 0.3
ORDER_STEPS = (1, 2, 4, 8, 16, 32, 64)
FITTED = 8  # least number of steps that the slope is fitted to
CHUNK = 100_000

_SAMPLES = flags.DEFINE_integer("samples", 1_000_000, "Walks, exact samples and draws, of each.", lower_bound=CHUNK)
_STEPS = flags.DEFINE_integer("steps", 10, "Steps of the walks in the tables.", lower_bound=1)
_FIGURE = flags.DEFINE_string("figure", "experiments/walks/figures/weak_order.png", "Where the figure is written.")


class Space(NamedTuple):
    """A manifold with the lowest harmonic on it."""

    name: str
    symbol: str
    manifold: Manifold
    degree: int  # of the harmonic
    rate: float  # at which Brownian motion forgets it
    colour: str


SPACES = (
    Space("S²", "$S^2$", Sphere(2), 1, 1.0, "#1f5a96"),
    Space("S⁹", "$S^9$", Sphere(9), 1, 4.5, "#d1495b"),
    Space("T²", "$T^2$", FlatTorus(2), 1, 0.5, "#66a182"),
    Space("RP²", "$RP^2$", ProjectiveSpace(2), 2, 3.0, "#8d5a97"),
    Space("SO(3)", "$SO(3)$", SO3(), 1, 0.5, "#c98b1b"),
)


def projected_moment(size: int, degree: int, s: float) -> float:
    """Mean harmonic of degree k of the direction of e1 + sqrt(s) eps in R^n.

    It is x^(k/2) Gamma((n + k)/2) / Gamma(b) 1F1(k/2; b; -x) with x = 1/2s and b = n/2 + k.
    """
    x, b = 1 / (2 * s), size / 2 + degree
    scale = degree / 2 * math.log(x) + gammaln((size + degree) / 2) - gammaln(b)
    return math.exp(scale) * float(hyp1f1(degree / 2, b, -x))


def mean_cosine(dim: int, s: float) -> float:
    """Mean of cos(sqrt(s) |eps|) for a normal eps in R^d."""
    return float(hyp1f1(dim / 2, 0.5, -s / 2))


def geodesic_moment(space: Space, s: float) -> float:
    """Mean harmonic after one geodesic step."""
    dim = space.manifold.dim
    match space.manifold:
        case FlatTorus():
            return math.exp(-s / 2)
        case ProjectiveSpace():  # ((d + 1) cos^2 - 1) / d by the cosine of twice the angle
            return ((dim + 1) * (1 + mean_cosine(dim, 4 * s)) / 2 - 1) / dim
        case SO3():  # the length is sqrt(2) times the angle
            return (1 + 2 * mean_cosine(3, s / 2)) / 3
        case _:
            return mean_cosine(dim, s)


@functools.cache
def rotation_moment(s: float, samples: int) -> tuple[float, float]:
    """Mean harmonic after one projected step on SO(3), and its standard error."""
    with jax.enable_x64(True):
        one = jnp.eye(3).ravel()

        @jax.jit
        def draw(key: jax.Array) -> tuple[jax.Array, jax.Array]:
            noise = math.sqrt(s) * jax.random.normal(key, (CHUNK // 2, 9))
            traces = jnp.sum(one * SO3().project(one + jnp.stack([noise, -noise])), axis=(0, -1))
            return 1 - traces / 6, jnp.sum(SO3().to_tangent(one, noise) ** 2, axis=-1) - 3 * s

        parts = [draw(key) for key in jax.random.split(jax.random.key(0), samples // CHUNK)]
        loss, control = (np.concatenate(part) for part in zip(*parts, strict=True))
    slope = np.mean(loss * control) / np.mean(control**2)
    rest = loss - slope * control
    return 1 - float(rest.mean()), float(rest.std() / math.sqrt(len(rest)))


def step_moment(space: Space, kind: str, s: float, samples: int) -> tuple[float, float]:
    """Mean harmonic after one step, and its standard error."""
    if kind == "geodesic":
        return geodesic_moment(space, s), 0.0
    match space.manifold:
        case SO3():
            return rotation_moment(s, samples)
        case FlatTorus():
            return projected_moment(2, 1, s), 0.0
        case _:
            return projected_moment(space.manifold.ambient_dim, space.degree, s), 0.0


class Error(NamedTuple):
    """What a walk makes of the lowest harmonic."""

    moment: float  # minus that of Brownian motion
    deviation: float  # standard error of that
    time: float  # at which Brownian motion has the moment of the walk; NaN where that is negative


def error(space: Space, kind: str, t: float, steps: int, samples: int) -> Error:
    """Error of a walk of that many steps."""
    moment, deviation = step_moment(space, kind, t / steps, samples)
    return Error(
        moment**steps - math.exp(-space.rate * t),
        steps * abs(moment) ** (steps - 1) * deviation,
        -steps * math.log(moment) / space.rate if moment > 0 else math.nan,
    )


Draw = Callable[[jax.Array, Manifold, jax.Array, jax.Array], jax.Array]


def distances(space: Space, draw: Draw, seed: int, samples: int) -> list[np.ndarray]:
    """Sorted distances from the start, for each time."""
    start = space.manifold.uniform(jax.random.key(99))
    z = jnp.broadcast_to(start, (CHUNK, start.size))

    @jax.jit
    def measured(key: jax.Array, t: jax.Array) -> jax.Array:
        return space.manifold.distance(z, draw(key, space.manifold, z, t))

    def at(key: jax.Array, t: float) -> np.ndarray:
        keys = jax.random.split(key, samples // CHUNK)
        return np.sort(np.concatenate([measured(part, jnp.float32(t)) for part in keys]))

    return [at(key, t) for key, t in zip(jax.random.split(jax.random.key(seed), len(TIMES)), TIMES, strict=True)]


def kolmogorov_smirnov(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference of the two distribution functions, of sorted samples."""
    both = np.concatenate([one, other])
    levels = [np.searchsorted(x, both, side="right") / len(x) for x in (one, other)]
    return float(np.max(np.abs(levels[0] - levels[1])))


def distributions(space: Space, steps: int, samples: int) -> dict[str, list[float]]:
    """Kolmogorov-Smirnov distance of each kind of walk from exact samples, for each time."""
    exact = distances(space, sample, 0, samples)

    def of(kind: str, seed: int) -> list[float]:
        walked = distances(space, functools.partial(random_walk, num_steps=steps, kind=kind), seed, samples)
        return [kolmogorov_smirnov(*pair) for pair in zip(exact, walked, strict=True)]

    return {kind: of(kind, seed) for seed, kind in enumerate(KINDS, 1)}


def divergence(space: Space, t: float) -> float:
    """Exact divergence from the uniform distribution."""
    with jax.enable_x64(True):
        z = space.manifold.uniform(jax.random.key(0))
        return float(kl_to_uniform(space.manifold, t, z))


def row(cells: list[str]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


@styled
def draw_orders(errors: dict[tuple[str, str], list[Error]]) -> Figure:
    """Error of the moment against the number of steps, one panel for each kind of walk."""
    figure = new_figure(PAGE, 2.7)
    axes = figure.subplots(1, 2, sharey=True)
    steps = np.array(ORDER_STEPS)
    for ax, kind in zip(axes, KINDS, strict=True):
        for space in SPACES:
            values = np.array([abs(e.moment) for e in errors[space.name, kind]])
            if np.all(values > 1e-12):
                ax.plot(steps, values, color=space.colour, linewidth=1.2, marker="o", markersize=3)
        ax.plot(steps, 6e-3 / steps, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.set_xticks(steps, [str(n) for n in steps])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.grid(color=FAINT, linewidth=0.4)
        ax.set_axisbelow(True)
        ax.set_title(f"{kind} walk")
        ax.set_xlabel("steps $N$")
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    axes[1].text(0.98, 0.97, "exact on $T^2$", transform=axes[1].transAxes, ha="right", va="top", color=MUTED)
    axes[0].set_ylabel(f"|error of the moment| at $t = {ORDER_TIME}$")
    handles = [Line2D([], [], color=space.colour, marker="o", markersize=3, label=space.symbol) for space in SPACES]
    handles.append(Line2D([], [], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), label="slope −1"))
    figure.legend(handles=handles, loc="outside right center")
    return figure


def print_tables(samples: int, steps: int) -> None:
    """Prints what walks of that many steps get wrong at each time."""
    print(f"\nWalks of {steps} steps; error of the moment, walk minus exact:\n")
    print(row(["space", "walk", *(f"t = {t}" for t in TIMES)]))
    print("|---" * (2 + len(TIMES)) + "|")
    found = {
        (space, kind): [error(space, kind, t, steps, samples) for t in TIMES] for space in SPACES for kind in KINDS
    }
    for (space, kind), errors in found.items():
        cells = [f"{e.moment:+.1e}" + (f" ± {e.deviation:.0e}" if e.deviation else "") for e in errors]
        print(row([space.name, kind, *cells]))

    print("\nTime at which Brownian motion has the moment of the walk, t'/t - 1, in per cent:\n")
    print(row(["space", "walk", *(f"t = {t}" for t in TIMES)]))
    print("|---" * (2 + len(TIMES)) + "|")
    for (space, kind), errors in found.items():
        print(
            row(
                [
                    space.name,
                    kind,
                    *(
                        f"{100 * (e.time / t - 1):+.2f}".replace("-0.00", "+0.00")
                        for e, t in zip(errors, TIMES, strict=True)
                    ),
                ]
            )
        )

    print("\nKL at t' minus KL at t, in nats:\n")
    print(row(["space", "walk", *(f"t = {t}" for t in TIMES)]))
    print("|---" * (2 + len(TIMES)) + "|")
    for (space, kind), errors in found.items():
        gaps = [divergence(space, e.time) - divergence(space, t) for e, t in zip(errors, TIMES, strict=True)]
        print(row([space.name, kind, *(f"{gap:+.4f}".replace("-0.0000", "+0.0000") for gap in gaps)]))

    floor = 1.358 * math.sqrt(2 / samples)
    print(f"\nKolmogorov-Smirnov distance of radial distances; equal distributions are below {floor:.4f} in 95 %:\n")
    print(row(["space", "walk", *(f"t = {t}" for t in TIMES)]))
    print("|---" * (2 + len(TIMES)) + "|")
    for space in SPACES:
        for kind, gaps in distributions(space, steps, samples).items():
            print(row([space.name, kind, *(f"{gap:.4f}" for gap in gaps)]), flush=True)


def print_orders(errors: dict[tuple[str, str], list[Error]]) -> None:
    """Prints the error of the moment against the number of steps, and the slope."""
    print(f"\nWeak order: error of the moment at t = {ORDER_TIME}, slope fitted to N >= {FITTED}:\n")
    print(row(["space", "walk", *(f"N = {n}" for n in ORDER_STEPS), "slope"]))
    print("|---" * (3 + len(ORDER_STEPS)) + "|")
    used = [n >= FITTED for n in ORDER_STEPS]
    for (name, kind), found in errors.items():
        values = np.array([abs(e.moment) for e in found])
        if np.all(values < 1e-12):
            slope = "exact"
        else:
            slope = f"{np.polyfit(np.log(np.array(ORDER_STEPS)[used]), np.log(values[used]), 1)[0]:.3f}"
        print(row([name, kind, *(f"{e.moment:+.1e}" for e in found), slope]))


def main(_: list[str]) -> None:
    """Prints the tables and writes the figure."""
    samples = _SAMPLES.value // CHUNK * CHUNK
    errors = {
        (space.name, kind): [error(space, kind, ORDER_TIME, n, samples) for n in ORDER_STEPS]
        for space in SPACES
        for kind in KINDS
    }
    print_orders(errors)
    save(draw_orders(errors), _FIGURE.value)
    print_tables(samples, _STEPS.value)


if __name__ == "__main__":
    launch(main)

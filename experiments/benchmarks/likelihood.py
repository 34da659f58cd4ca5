"""Where the time of an importance-sampled log-likelihood goes: draws, density of the posterior, decoder, likelihood.

    taskset -c 0 python -m experiments.benchmarks.likelihood [--likelihoods=gaussian,bernoulli] [--rounds=5]

The ΔVAE of the MNIST experiment on S² with random parameters, 100 draws of each of 100 examples of 28 × 28, which is
one program of an evaluation, compiled, in turns in one run. The yardstick is the decoder's two large products of
matrices alone. The same file run with the source of another commit on the path gives its numbers.
"""

import jax
import jax.numpy as jnp
from absl import flags

from experiments.benchmarks.timing import in_turns, over_rounds, repeated
from mvae.diffusion import log_heat_kernel
from mvae.manifolds import Sphere
from mvae.methods.dvae import DVAEConfig, dvae
from mvae.programs import launch

EXAMPLES, DRAWS, SIDE = 100, 100, 28

_LIKELIHOODS = flags.DEFINE_list("likelihoods", ["gaussian", "bernoulli", "poisson", "negative_binomial"], "Families.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds over everything; medians are printed.", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", 0.5, "Seconds that one timing takes, about.", lower_bound=0.01)


def time_family(name: str) -> None:
    """Prints the lines of one likelihood."""
    space = Sphere(2)
    config = DVAEConfig(
        manifold=space, event_shape=(SIDE, SIDE, 1), likelihood=name, encoder_init="random", decoder_widths=(512, 512)
    )
    model, counts = dvae(config), name in ("poisson", "negative_binomial")
    x = jax.random.uniform(jax.random.key(0), (EXAMPLES, SIDE, SIDE, 1))
    x = jnp.round(10 * x) if counts else jnp.round(x)
    params = model.init(jax.random.key(1), {"x": x})
    params = jax.tree.map(lambda leaf: leaf + 0.01 * jax.random.normal(jax.random.key(2), leaf.shape), params)
    q = jax.jit(model.encode)(params, x)
    z = jax.jit(lambda key: model.sample_posterior(key, q, (DRAWS,)))(jax.random.key(3))
    width = jax.random.normal(jax.random.key(4), (DRAWS * EXAMPLES, 512))
    inner, outer = (jax.random.normal(jax.random.key(5), (512, size)) for size in (512, SIDE**2))

    whole = lambda key: model.log_likelihood(params, key, {"x": x}, DRAWS)  # noqa: E731
    cases = {
        "all": repeated(whole, jax.random.key(3)),
        "draw": repeated(lambda key: model.sample_posterior(key, q, (DRAWS,)), jax.random.key(3)),
        "density": repeated(lambda z: log_heat_kernel(space, q.time, q.location, z), z),
        "decode": repeated(lambda z: model.decode(params, z.reshape(-1, 3)), z),
        "products": repeated(lambda width: (width @ inner) @ outer, width),
    }
    table = dict(zip(cases, in_turns(list(cases.values()), _ROUNDS.value, _SECONDS.value), strict=True))
    for part, times in table.items():
        shares = [100 * taken / most for taken, most in zip(times, table["all"], strict=True)]
        print(
            f"{name:18s} {part:9s} {over_rounds([1e3 * taken for taken in times], 1)} ms, "
            f"{over_rounds(shares, 0)} % of all",
            flush=True,
        )


def main(argv: list[str]) -> None:
    """Prints the lines."""
    del argv
    print(f"device {jax.devices()[0].device_kind}, {DRAWS} draws of {EXAMPLES} examples")
    for name in _LIKELIHOODS.value:
        time_family(name)


if __name__ == "__main__":
    launch(main)

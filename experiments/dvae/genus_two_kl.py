"""The asymptotic KL on the genus-2 surface, beside an estimate from walks that knows nothing of it.

    python experiments/dvae/genus_two_kl.py

From each of eight points 20 000 walks are run for a time t. Their entropy is estimated from the distance to the
fifth nearest neighbour [kozachenko1987], and KL = log Vol - entropy. One minute on two CPU cores.
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial import KDTree
from scipy.special import digamma

from mvae.diffusion import kl_to_uniform, random_walk
from mvae.manifolds import SURFACES

STARTS, WALKS, NEIGHBOUR = 8, 20_000, 5


def entropy(points: np.ndarray) -> float:
    """Returns the estimate of the differential entropy of points on a surface, (n, 3), in nats."""
    radius = KDTree(points).query(points, NEIGHBOUR + 1)[0][:, NEIGHBOUR]
    return float(digamma(len(points)) - digamma(NEIGHBOUR) + np.log(np.pi) + 2 * np.mean(np.log(radius)))


def main() -> None:
    """Prints, for each time and number of steps, the mean and the largest difference."""
    surface = SURFACES["genus_two"]
    starts = surface.uniform(jax.random.key(0), (STARTS,))
    walk = jax.jit(
        lambda key, z, t, num_steps: random_walk(key, surface, jnp.broadcast_to(z, (WALKS, 3)), t, num_steps=num_steps),
        static_argnums=3,
    )
    for t in (0.0125, 0.03):
        asymptotic = np.asarray(kl_to_uniform(surface, t, starts, method="asymptotic"))
        for num_steps in (10, 40):
            ends = [np.asarray(walk(jax.random.key(i), z, t, num_steps)) for i, z in enumerate(starts)]
            difference = asymptotic - [surface.log_volume - entropy(end) for end in ends]
            print(
                f"t = {t}: KL {asymptotic.mean():.3f} on average; minus that of walks of {num_steps} steps: "
                f"{difference.mean():+.3f} on average, {difference[np.argmax(np.abs(difference))]:+.3f} at most"
            )


if __name__ == "__main__":
    main()

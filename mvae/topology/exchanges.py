"""Tours of points that come of a tour by the exchange of pieces."""

import functools
import itertools

import numpy as np
from jaxtyping import Float, Int

NUM_BREAKS = 48  # longest steps of a tour at which it may be cut
NUM_MOVES = 48  # shortest of the new tours, which are returned


@functools.cache
def _triples(num: int) -> Int[np.ndarray, "3 t"]:
    return np.array(list(itertools.combinations(range(num), 3))).reshape(-1, 3).T


def exchanges(distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " n"]) -> list[Int[np.ndarray, " n"]]:
    """Returns the shortest tours that come of cutting one at three of its longest steps and joining the pieces anew.

    So pieces are put back in another order or reversed [lin1965], single points among them.

    Args:
        distances: Symmetric, (n, n).
        order: Points of the tour in turn, (n,).
    """
    if len(order) < 5:
        return []
    following = np.roll(order, -1)
    longest = np.sort(np.argsort(-distances[order, following], kind="stable")[:NUM_BREAKS])
    i, j, k = longest[_triples(len(longest))]
    # the tour is ... a | b ... c | d ... e | f ...
    a, b, c, d, e, f = order[i], following[i], order[j], following[j], order[k], following[k]
    before = distances[a, b] + distances[c, d] + distances[e, f]
    joins = {
        "c b d e": (c, b, d, e),
        "b c e d": (b, c, e, d),
        "c b e d": (c, b, e, d),
        "d e b c": (d, e, b, c),
        "d e c b": (d, e, c, b),
        "e d b c": (e, d, b, c),
        "e d c b": (e, d, c, b),
    }
    changes = np.stack([distances[a, p] + distances[q, r] + distances[s, f] - before for p, q, r, s in joins.values()])
    found = []
    flat = changes.ravel()
    shortest = np.argpartition(flat, NUM_MOVES)[:NUM_MOVES] if flat.size > NUM_MOVES else np.arange(flat.size)
    for index in shortest[np.argsort(flat[shortest], kind="stable")]:
        kind, cut = np.unravel_index(index, changes.shape)
        pieces = {"b": order[i[cut] + 1 : j[cut] + 1], "d": order[j[cut] + 1 : k[cut] + 1]}
        pieces |= {"c": pieces["b"][::-1], "e": pieces["d"][::-1]}
        first, _, second, _ = list(joins)[kind].split()
        found.append(np.concatenate([order[: i[cut] + 1], pieces[first], pieces[second], order[k[cut] + 1 :]]))
    return found

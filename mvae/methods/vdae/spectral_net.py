"""SpectralNet: a network whose outputs span the slowest modes of the random walk on the data [li2020, Sec. 2]."""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.models.model import Batch, Params
from mvae.nets import NETS, Head, Network, build_encoder
from mvae.spectral import PointwiseGraph, graph_sums, orthonormalize, pair_affinities

LAPLACIANS = ("random_walk", "unnormalized")
GRAPH_ROWS = PointwiseGraph._fields
RANK_TOLERANCE = 1e-6  # directions of the outputs with less than this share of the largest variance are left out


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpectralNetConfig:
    """The graph on the data, the network, and how its outputs become coordinates.

    Attributes:
        num_neighbors: Neighbours of each point in the graph; None for all pairs.
        scale_neighbor: Which neighbour gives a point its scale.
        recall: Share of the true neighbours that the search must find, for some 10⁵ examples and more; None for all.
        density_power: α of [coifman2006], 1 for coordinates that do not depend on the density of the data.
        laplacian: "random_walk", modes of P with mean squares under its stationary distribution, or "unnormalized",
            under the distribution of the data, as in the code published with [li2020].
        net: "mlp", "conv" or "circular_conv".
        widths: Widths of its hidden layers.
        num_extra: Outputs beyond the coordinates; the slowest modes are sought in the span of all of them.
        diffusion_time: t, coordinates are λ^t ψ.
        separate_batch: Whether the outputs are orthonormal on one half of a batch while the other half has the edges,
            or both on the whole batch, which is for data of a few hundred examples.
        num_steps: Steps of training.
        learning_rate: Adam's rate at first; it falls to 0 along half a cosine.

    Raises:
        ValueError: For a value out of range, naming it.
    """

    num_neighbors: int | None = None
    scale_neighbor: int = 10
    recall: float | None = None
    density_power: float = 1.0
    laplacian: str = "random_walk"
    net: str = "mlp"
    widths: tuple[int, ...] = (256, 256)
    num_extra: int = 4
    diffusion_time: float = 1.0
    separate_batch: bool = True
    num_steps: int = 1500
    learning_rate: float = 3e-3

    def __post_init__(self):
        for name in ("num_neighbors", "scale_neighbor", "num_steps"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.recall is not None and not 0 < self.recall < 1:
            raise ValueError(f"recall must lie between 0 and 1, or be None for all neighbours, got {self.recall}")
        if self.recall is not None and self.num_neighbors is None:
            raise ValueError("recall is of neighbours: give num_neighbors too, or leave it None")
        if self.num_extra < 0:
            raise ValueError(f"num_extra must be zero or more, got {self.num_extra}")
        if not 0 <= self.density_power <= 1:
            raise ValueError(f"density_power must lie in [0, 1], got {self.density_power}")
        if self.laplacian not in LAPLACIANS:
            raise ValueError(f"laplacian must be one of {', '.join(LAPLACIANS)}, got {self.laplacian!r}")
        if self.net not in NETS:
            raise ValueError(f"net must be one of {', '.join(NETS)}, got {self.net!r}")
        if not self.widths or any(width < 1 for width in self.widths):
            raise ValueError(f"widths must be one or more positive widths, got {self.widths}")
        if not (math.isfinite(self.diffusion_time) and self.diffusion_time >= 0):
            raise ValueError(f"diffusion_time must be zero or more, got {self.diffusion_time}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate must be a positive number, got {self.learning_rate}")


class SpectralTerms(NamedTuple):
    """What a training step reports.

    Attributes:
        loss: Sum of the Rayleigh quotients of the outputs, each 1 - λ of a mode once they are learned.
        rank: How many outputs of the batch were linearly independent.
        fallback: 1 where they were nearly dependent, so that `orthonormalize` took them one by one.
    """

    loss: Float[Array, ""]
    rank: Float[Array, ""]
    fallback: Float[Array, ""]


class SpectralNet(NamedTuple):
    """The network as pure functions.

    Attributes:
        init: (key, batch) -> parameters {"net"}.
        loss: (params, batch) -> SpectralTerms.
        fit: (params, batch) -> parameters {"net", "mean", "turn", "eigenvalues"}: rotates the outputs to the modes
            that they span on these examples, the slowest first, and scales them.
        embed: (fitted params, x) -> diffusion coordinates λ_j^t ψ_j, (b, dim).
    """

    init: Callable[[Key[Array, ""], Batch], Params]
    loss: Callable[[Params, Batch], SpectralTerms]
    fit: Callable[[Params, Batch], Params]
    embed: Callable[[Params, Array], Float[Array, "b dim"]]


def spectral_net(
    config: SpectralNetConfig, dim: int, event_shape: tuple[int, ...], num_points: int, own: Network | None = None
) -> SpectralNet:
    """Builds the network that learns the diffusion map of data.

    For outputs y of a batch, centred so that the constant mode is gone, training minimises

        tr(T' A T),  A = ½ mean_ij W_ij (y_i - y_j)(y_i - y_j)',  T' B T = 1,  B = mean_i w_i y_i y_i',

    the sum of the Rayleigh quotients of the functions in the span of the outputs. Its minimum is Σ_j (1 - λ_j) over
    the slowest modes of the random walk on the whole graph: the affinities are those of the whole graph
    (`PointwiseGraph`), so that any batch gives an unbiased A. T comes from `orthonormalize` on a second batch. Any
    basis of the span has the same loss, and so `fit` turns the outputs to the modes by solving A u = (1 - λ) B u once.

    Against the code published with [li2020]: the constant mode is taken away instead of being learned; coordinates are
    rotated to the modes and scaled by λ^t; gradients go through the orthonormalisation; the head is linear.

    Args:
        config: The typed configuration.
        dim: D, how many coordinates.
        event_shape: Shape of an example.
        num_points: n, of the whole graph.
        own: A user's own network to features, in place of the config's.

    Source: [shaham2018; li2020, Sec. 2].
    """
    net = build_encoder(config.net, config.widths, {"location": Head(dim + config.num_extra)}, own)

    def outputs(params: Params, x: Array) -> Float[Array, "b k"]:
        return net.outputs(params["net"], x)["location"]

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        return {"net": net.init(key, batch["x"][:1])}

    def measure(batch: Batch) -> Float[Array, " b"]:
        """The distribution under which squares are averaged, of mean near 1."""
        return batch["weight"] if config.laplacian == "random_walk" else jnp.ones_like(batch["weight"])

    def loss(params: Params, batch: Batch) -> SpectralTerms:
        y, weight = outputs(params, batch["x"]), measure(batch)
        half = len(y) // 2 if config.separate_batch else len(y)
        other = slice(half, None) if config.separate_batch else slice(None)
        centred = y - _mean(y[other], weight[other])[None]
        frame = orthonormalize(centred[other], weights=weight[other])
        first = {name: array[:half] for name, array in batch.items()}
        edges = pair_affinities(_flat(first["x"]), _graph(first))
        form = dirichlet_form(jnp.matmul(centred[:half], frame.transform, precision="highest"), edges, num_points)
        return SpectralTerms(jnp.trace(form), frame.rank.astype(y.dtype), frame.fallback.astype(y.dtype))

    def fit(params: Params, batch: Batch) -> Params:
        y, weight = outputs(params, batch["x"]), measure(batch)
        mean = _mean(y, weight)
        y = y - mean
        square = y.T @ (y * (weight / jnp.sum(weight))[:, None])
        form = _whole_form(y, batch, num_points)
        rates, turn = ritz_modes(form, square, dim)
        eigenvalues = jnp.clip(1 - rates, 0, 1)
        return params | {"mean": mean, "turn": turn * eigenvalues**config.diffusion_time, "eigenvalues": eigenvalues}

    def embed(params: Params, x: Array) -> Float[Array, "b dim"]:
        return (outputs(params, x) - params["mean"]) @ params["turn"]

    return SpectralNet(init, loss, fit, embed)


def dirichlet_form(y: Float[Array, "m k"], edges: Float[Array, "m m"], num_points: int) -> Float[Array, "k k"]:
    """Returns an estimate of (1/2n²) Σ_ij W_ij (y_i - y_j)(y_i - y_j)' over n points from m of them.

    Args:
        y: Functions on the m points, one a column.
        edges: W between the m points, symmetric; its diagonal does not matter.
        num_points: n. The estimate is unbiased for m points drawn without replacement, and exact for m = n.
    """
    laplacian = jnp.diag(jnp.sum(edges, axis=1)) - edges
    form = jnp.matmul(jnp.matmul(y.T, laplacian, precision="highest"), y, precision="highest")
    return form / _pairs(len(y), num_points)


def _pairs(num: int, num_points: int) -> float:
    """By what a sum over pairs of m points is divided to estimate the mean over all n² pairs, i = j being 0."""
    return num * (num - 1) * num_points / max(num_points - 1, 1)


def _whole_form(y: Float[Array, "m k"], batch: Batch, num_points: int) -> Float[Array, "k k"]:
    """`dirichlet_form` in blocks of rows, never holding the whole W."""
    num = len(y)
    sums = graph_sums(_flat(batch["x"]), _graph(batch), jnp.concatenate([y, jnp.ones((num, 1), y.dtype)], axis=1))
    form = y.T @ (y * sums[:, -1:] - sums[:, :-1])
    return (form + form.T) / (2 * _pairs(num, num_points))


def ritz_modes(
    form: Float[Array, "k k"], square: Float[Array, "k k"], dim: int
) -> tuple[Float[Array, " dim"], Float[Array, "k dim"]]:
    """Returns the smallest rates r of form u = r square u, rising, and their u with u' square u = 1.

    Directions in which `square` has almost nothing, `RANK_TOLERANCE` of its largest eigenvalue, count as slower than
    none: they get rate 1 and u = 0, if no others are left.
    """
    sizes, axes = jnp.linalg.eigh(square)
    kept = sizes > RANK_TOLERANCE * sizes[-1]
    whiten = axes * jnp.where(kept, 1 / jnp.sqrt(jnp.where(kept, sizes, 1)), 0)
    inner = whiten.T @ form @ whiten + jnp.diag(jnp.where(kept, 0, 2.0))
    rates, turn = jnp.linalg.eigh(inner)
    rates, turn = rates[:dim], (whiten @ turn)[:, :dim]
    lost = rates > 1.5
    return jnp.where(lost, 1, jnp.maximum(rates, 0)), jnp.where(lost, 0, turn)


def _mean(y: Float[Array, "b k"], weight: Float[Array, " b"]) -> Float[Array, " k"]:
    return weight @ y / jnp.sum(weight)


def _flat(x: Array) -> Float[Array, "b d"]:
    return x.reshape(len(x), -1)


def _graph(batch: Batch) -> PointwiseGraph:
    return PointwiseGraph(*(batch[name] for name in GRAPH_ROWS))

"""The noun Model: pure functions closed over a typed config."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxtyping import Array, Float, Key

from mvae.manifolds import Manifold

Batch = dict[str, Array]
Params = Any


class Posterior(NamedTuple):
    """Brownian motion started at `location`, observed at `time`: the law q(z | x).

    Attributes:
        location: Points of the manifold, (..., n).
        time: Diffusion time t > 0, variance per tangent direction, (...).
    """

    location: Float[Array, "... n"]
    time: Float[Array, "..."]


class LossTerms(NamedTuple):
    """What a loss is made of, each per example, (b,), in nats; `mse` in squared pixel units, `time` bare.

    `loss` is what is minimised; `elbo` = -`reconstruction` - `kl` whatever the loss.
    """

    loss: Float[Array, " b"]
    elbo: Float[Array, " b"]
    reconstruction: Float[Array, " b"]
    kl: Float[Array, " b"]
    mse: Float[Array, " b"]
    time: Float[Array, " b"]


class Model(NamedTuple):
    """A latent-variable model as pure functions; a batch is a dict of arrays with at least "x".

    Attributes:
        manifold: The latent space.
        init: (key, batch) -> params. May look at the batch (data-dependent initialisation).
        encode: (params, image) -> q(z | x), as it is after training: a `Posterior`, or another NamedTuple of arrays
            that begins with `location`, points of the manifold, (b, n).
        decode: (params, z) -> picture, the mean of p(x | z), (b, *event).
        sample_posterior: (key, posterior, shape) -> points, (*shape, ..., n).
        loss_terms: (params, key, batch, step) -> LossTerms. `step` drives what is scheduled; None means
            the objective that the schedules end with.
        log_likelihood: (params, key, batch, num_samples) -> importance-sampled log p(x), (b,). Raises
            NotImplementedError with the reason if it is not known on this manifold.
        sample: (params, key, num) -> pictures drawn from the model, (num, *event).
        walk: (params, key, image, num_steps) -> paths of the random walk by which the model generates, from these
            pictures on, (num_steps + 1, b, *event); None for a model that draws from a prior.
        reparametrization: The map from a simple law to the manifold, where the model has one: a
            `mvae.methods.er.reparametrization.Reparametrization`, whose parameters have that name.
        capabilities: What only some models have, by name; reports ask `name in model.capabilities`. "walk", as above;
            "reparametrization", as above; "operators", params -> (M, d, d); "anchors", params -> codes of the anchors
            of each class, (K, N, d); "likelihood_std", params -> standard deviation of the likelihood.
        lacks: Why the model has no "encoder", "bound" or "log_likelihood": name -> reason; empty for one that has all.
    """

    manifold: Manifold
    init: Callable[[Key[Array, ""], Batch], Params]
    encode: Callable[[Params, Float[Array, "b *event"]], Any]
    decode: Callable[[Params, Float[Array, "b n"]], Float[Array, "b *event"]]
    sample_posterior: Callable[..., Float[Array, "... n"]]
    loss_terms: Callable[..., LossTerms]
    log_likelihood: Callable[..., Float[Array, " b"]]
    sample: Callable[[Params, Key[Array, ""], int], Float[Array, "num *event"]]
    walk: Callable[[Params, Key[Array, ""], Float[Array, "b *event"], int], Float[Array, "t b *event"]] | None = None
    reparametrization: Any = None
    capabilities: Mapping[str, Any] = {}
    lacks: Mapping[str, str] = {}

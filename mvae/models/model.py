"""The noun Model: pure functions closed over a typed config."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from jaxtyping import Array, Float, Key

from mvae.manifolds import Manifold

Batch = dict[str, Array]
Params = Any


class LossTerms(NamedTuple):
    """What a loss is made of, each per example, (b,), in nats; `mse` is the mean over the entries of x.

    Attributes:
        loss: What is minimised.
        elbo: -`reconstruction` - `kl`, whatever the loss.
        reconstruction: -log p(x | z).
        kl: KL(q(z | x) ‖ p(z)), or an unbiased estimate of it.
        mse: Squared error of the mean of p(x | z), in squared units of x.
        extra: Terms that a method has beside these, by name, such as "time" of Brownian motion, each (b,).
    """

    loss: Float[Array, " b"]
    elbo: Float[Array, " b"]
    reconstruction: Float[Array, " b"]
    kl: Float[Array, " b"]
    mse: Float[Array, " b"]
    extra: Mapping[str, Float[Array, " b"]] = {}


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A latent-variable model as pure functions; a batch is a dict of arrays with at least "x".

    Two models are equal if they are one, so that a model may be a static argument of jit.

    Attributes:
        manifold: The latent space.
        init: (key, batch) -> params. May look at the batch (data-dependent initialisation).
        encode: (params, x, **given) -> q(z | x), as it is after training: a NamedTuple of arrays that begins with
            `location`, points of the manifold, (b, n).
        decode: (params, z, **given) -> the mean of p(x | z), (b, *event).
        sample_posterior: (key, posterior, shape) -> points, (*shape, ..., n).
        loss_terms: (params, key, batch, step) -> LossTerms. `step` drives what is scheduled; None means
            the objective that the schedules end with.
        log_likelihood: (params, key, batch, num_samples) -> importance-sampled log p(x), (b,).
        sample: (params, key, num) -> examples drawn from the model, (num, *event).
        capabilities: What only some models have, by name:
            "walk": (params, key, x, num_steps) -> paths of the random walk by which the model generates, from these
            examples on, (num_steps + 1, b, *event);
            "reparametrization": the map from a simple distribution to the manifold, a
            `mvae.methods.er.reparametrization.Reparametrization`, whose parameters have that name;
            "operators": params -> transport operators, (M, d, d);
            "anchors": params -> codes of the anchor points of each class, (K, N, d);
            "likelihood_std": params -> standard deviation of p(x | z).
        lacks: Why the model has no "encoder", "bound", "log_likelihood" or "sample", by these names. The functions
            that need them raise NotImplementedError with the reason.
        columns: What `loss_terms` and `log_likelihood` read of a batch beside "x".
        given: What `encode` and `decode` are given beside x and z, by name, from the batch where it has them:
            "condition", a category of each example that is known, int (b,), without which the first is taken;
            "size_factor", what the counts of each example are in proportion to, (b,), 1 without it.
    """

    manifold: Manifold
    init: Callable[[Key[Array, ""], Batch], Params]
    encode: Callable[[Params, Float[Array, "b *event"]], Any]
    decode: Callable[[Params, Float[Array, "b n"]], Float[Array, "b *event"]]
    sample_posterior: Callable[..., Float[Array, "... n"]]
    loss_terms: Callable[..., LossTerms]
    log_likelihood: Callable[..., Float[Array, " b"]]
    sample: Callable[[Params, Key[Array, ""], int], Float[Array, "num *event"]]
    capabilities: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    lacks: Mapping[str, str] = dataclasses.field(default_factory=dict)
    columns: tuple[str, ...] = ()
    given: tuple[str, ...] = ()


def given(names: tuple[str, ...], batch: Batch) -> dict[str, Array]:
    """Returns what a batch has of what a model is given beside x, see `Model.given`."""
    return {name: batch[name] for name in names if name in batch}


def lacking(reason: str) -> Callable[..., Any]:
    """Returns a function of a model that has no such function: it raises NotImplementedError with the reason."""

    def missing(*arguments: Any) -> NoReturn:
        del arguments
        raise NotImplementedError(reason)

    return missing

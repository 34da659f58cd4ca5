"""The autoencoder that all variational methods share: networks, likelihood, ELBO, importance weights, samples."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Key

from mvae.manifolds import Group, Manifold
from mvae.models.likelihood import LIKELIHOODS, Likelihood
from mvae.models.location import AS_THEY_ARE, reading
from mvae.models.model import Batch, LossTerms, Model, Params, given, lacking
from mvae.models.objective import VariationalConfig
from mvae.nets import Encoder, Head, Network, build_decoder, build_encoder, conditional_decoder, conditional_encoder

Encode = Callable[[Params, Array], Any]
Start = Callable[[Key[Array, ""], Encoder, Params, Batch], Params]


class Networks(NamedTuple):
    """A user's own networks, in place of those that a config names.

    Attributes:
        encoder: x (b, *event) -> features (b, k); the heads are added. None for the config's.
        decoder: Points (b, n) -> (b, *event). None for the config's, which read points as `reading` says.
    """

    encoder: Network | None = None
    decoder: Network | None = None


class Drawn(NamedTuple):
    """Draws of a posterior.

    Attributes:
        z: Points of the latent space, (*shape, b, n).
        code: The variable whose density the posterior has, where it is another one, such as the point of a cube that
            is mapped to z; z itself for most.
    """

    z: Float[Array, "*shape b n"]
    code: Any


class Latent(NamedTuple):
    """A family of posteriors q(z | x) with its prior on one latent space.

    Attributes:
        manifold: The latent space.
        heads: What it wants of an encoder, by name; "location" among them.
        posterior: (params, outputs of the heads) -> q(z | x), a NamedTuple that begins with `location`.
        draw: (key, q, shape) -> `Drawn`, differentiable in q.
        kl: (params, q, drawn) -> KL(q(z | x) ‖ p(z)), or an unbiased estimate of it from one draw, (b,), in nats.
        log_ratio: (params, q, drawn) -> log p(z) - log q(z | x), (*shape, b), in nats.
        sample_prior: (params, key, num) -> points, (num, n).
        terms: q -> numbers of the posterior that training reports, by name, each (b,).
        init: (key, batch) -> parameters of its own.
        symmetry: The group whose elements take representatives of a point to each other, so that decoders do not change
            under it; None where each point has one.
        lacks: As of `Model`, such as the reason why `log_ratio` is not known.
    """

    manifold: Manifold
    heads: Mapping[str, Head]
    posterior: Callable[[Params, dict[str, Array]], Any]
    draw: Callable[..., Drawn]
    kl: Callable[[Params, Any, Drawn], Float[Array, " b"]]
    log_ratio: Callable[[Params, Any, Drawn], Float[Array, "*shape b"]]
    sample_prior: Callable[[Params, Key[Array, ""], int], Float[Array, "num n"]]
    terms: Callable[[Any], dict[str, Float[Array, " b"]]]
    init: Callable[[Key[Array, ""], Batch], dict[str, Any]] = lambda key, batch: {}
    symmetry: Group | None = None
    lacks: Mapping[str, str] = {}


class Core(NamedTuple):
    """Encoder, decoder and likelihood of a config, and what they make of draws.

    Attributes:
        encoder: With the heads that were asked for; its functions of x take what is given beside it by name, too.
        decoder: Points to the parameter of p(x | z); takes a condition by name, too.
        likelihood: p(x | z).
        given: Names of what encoder and decoder are given beside x, see `Model`.
        decode: (params, z, **given) -> mean of p(x | z), (b, *event).
        terms: (params, x, z, kl, step, extra, **given) -> `LossTerms` of one draw z (b, n) for each example.
        log_likelihood: (params, x, z, log_ratio, **given) -> log (1/L) Σ_l p(x | z_l) p(z_l) / q(z_l | x), (b,), of
            draws z (L, b, n) with log p(z) - log q(z | x), (L, b).
    """

    encoder: Encoder
    decoder: Network
    likelihood: Likelihood
    given: tuple[str, ...]
    decode: Callable[..., Array]
    terms: Callable[..., LossTerms]
    log_likelihood: Callable[..., Float[Array, " b"]]


def build_core(
    config: VariationalConfig,
    heads: Mapping[str, Head],
    networks: Networks | None = None,
    symmetry: Group | None = None,
) -> Core:
    """Builds the networks and writes down ELBO and importance weights.

    With f the decoder and z a draw of q(z | x),

        elbo(x) = log p(x | f(z)) - KL(q(z | x) ‖ p(z)),
        log p(x) ≈ log (1/L) Σ_l p(x | f(z_l)) p(z_l) / q(z_l | x),

    the latter a lower bound in expectation, tight as L grows.

    Args:
        config: Networks, likelihood and objective.
        heads: Of the encoder.
        networks: A user's own.
        symmetry: Under which the decoder does not change.

    Source: [kingma2014]; [burda2016, Eq. 8].
    """
    own = networks or Networks()
    likelihood, num_conditions = LIKELIHOODS[config.likelihood](), config.num_conditions
    encoder = build_encoder(config.net, config.encoder_widths, heads, own.encoder)
    if num_conditions or likelihood.counts:
        channels = len(config.event_shape) == 3 and (config.net != "mlp" or own.encoder is not None)
        encoder = conditional_encoder(encoder, num_conditions, likelihood.seen, channels=channels)
    points = AS_THEY_ARE if own.decoder else reading(config.manifold)
    symmetry = None if points.invariant else symmetry
    alone = None if num_conditions else symmetry
    decoder = build_decoder(config.net, config.decoder_widths, config.event_shape, own.decoder, symmetry=alone)
    if num_conditions:
        decoder = conditional_decoder(decoder, num_conditions, symmetry)
    decoder = _after(points.read, decoder)

    def output_of(params: Params, z: Array, condition: Array | None = None) -> Array:
        # one that knows no condition may be a user's own function, without such an argument
        options = {"condition": condition} if num_conditions else {}
        return decoder.apply(params["decoder"], z, **options)

    def decode(params: Params, z: Array, *, condition: Array | None = None, size_factor: Array | float = 1.0) -> Array:
        return likelihood.mean(params["likelihood"], output_of(params, z, condition), size_factor)

    def terms(
        params: Params,
        x: Array,
        z: Array,
        kl: Array,
        step: Array | None,
        extra: Mapping[str, Array],
        *,
        condition: Array | None = None,
        size_factor: Array | float = 1.0,
    ) -> LossTerms:
        output = output_of(params, z, condition)
        reconstruction = -likelihood.log_prob(params["likelihood"], x, output, size_factor)
        mean = likelihood.mean(params["likelihood"], output, size_factor)
        mse = jnp.mean((x - mean) ** 2, axis=tuple(range(1, x.ndim)))
        loss = config.loss(reconstruction, kl, step)
        return LossTerms(loss, -(reconstruction + kl), reconstruction, kl, mse, extra)

    def log_likelihood(
        params: Params,
        x: Array,
        z: Array,
        log_ratio: Array,
        *,
        condition: Array | None = None,
        size_factor: Array | float = 1.0,
    ) -> Float[Array, " b"]:
        num = z.shape[0]
        output = output_of(params, z.reshape(-1, z.shape[-1]), None if condition is None else jnp.tile(condition, num))
        # Mapped over the draws alone: what a likelihood makes of x and its parameters is made once for all of them.
        log_prob = jax.vmap(lambda drawn: likelihood.log_prob(params["likelihood"], x, drawn, size_factor))
        log_p = log_prob(output.reshape(num, *x.shape))
        return logsumexp(log_p + log_ratio, axis=0) - math.log(num)

    return Core(encoder, decoder, likelihood, config.given, decode, terms, log_likelihood)


def _after(read: Callable[[Array], Array], decoder: Network) -> Network:
    """A decoder of what a function makes of points."""

    def apply(params: Params, z: Array, **options: Array) -> Array:
        return decoder.apply(params, read(z), **options)

    return Network(lambda key, z: decoder.init(key, read(z)), apply)


def autoencoder(
    config: VariationalConfig,
    make_latent: Callable[[Encode], Latent],
    networks: Networks | None = None,
    *,
    start: Start | None = None,
) -> Model:
    """Builds the variational autoencoder of a family of posteriors.

    Args:
        config: Networks, likelihood and objective.
        make_latent: Returns the family, given the encoder as (params, x) -> q(z | x), for a prior made of posteriors.
        networks: A user's own.
        start: (key, encoder, its parameters, batch) -> parameters of the encoder where training starts; None for as
            they are.

    Returns:
        The model; its parameters are a dict with "encoder", "decoder", "likelihood" and those of the family.
    """

    def encode(params: Params, x: Array, **beside: Array) -> Any:
        return latent.posterior(params, core.encoder.outputs(params["encoder"], x, **beside))

    latent = make_latent(encode)
    core = build_core(config, latent.heads, networks, latent.symmetry)

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        x = batch["x"]
        if start is None:
            encoder_key, decoder_key = jax.random.split(key)
            encoder = core.encoder.init(encoder_key, x[:1])
        else:
            encoder_key, start_key, decoder_key = jax.random.split(key, 3)
            encoder = start(start_key, core.encoder, core.encoder.init(encoder_key, x[:1]), batch)
        nets = {
            "encoder": encoder,
            "decoder": core.decoder.init(decoder_key, jnp.zeros((1, latent.manifold.ambient_dim))),
            "likelihood": core.likelihood.start(x, *given(("size_factor",), batch).values()),
        }
        return nets | latent.init(jax.random.fold_in(key, 0), batch)

    def sample_posterior(key: Key[Array, ""], q: Any, shape: tuple[int, ...] = ()) -> Array:
        return latent.draw(key, q, shape).z

    def loss_terms(params: Params, key: Key[Array, ""], batch: Batch, step: Array | None = None) -> LossTerms:
        beside = given(core.given, batch)
        q = encode(params, batch["x"], **beside)
        drawn = latent.draw(key, q, ())
        kl = latent.kl(params, q, drawn)
        return core.terms(params, batch["x"], drawn.z, kl, step, latent.terms(q), **beside)

    def log_likelihood(params: Params, key: Key[Array, ""], batch: Batch, num_samples: int) -> Float[Array, " b"]:
        beside = given(core.given, batch)
        q = encode(params, batch["x"], **beside)
        drawn = latent.draw(key, q, (num_samples,))
        return core.log_likelihood(params, batch["x"], drawn.z, latent.log_ratio(params, q, drawn), **beside)

    def sample(params: Params, key: Key[Array, ""], num: int) -> Float[Array, "num *event"]:
        return core.decode(params, latent.sample_prior(params, key, num))

    reason = latent.lacks.get("log_likelihood")
    return Model(
        manifold=latent.manifold,
        init=init,
        encode=encode,
        decode=core.decode,
        sample_posterior=sample_posterior,
        loss_terms=loss_terms,
        log_likelihood=log_likelihood if reason is None else lacking(reason),
        sample=sample,
        capabilities=core.likelihood.capabilities,
        lacks=latent.lacks,
        given=core.given,
    )

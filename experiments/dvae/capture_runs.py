"""Many small ΔVAEs on a flat torus, each on translations of a random image of its own, in one program."""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Key

from mvae.data import Picture, fourier_picture, random_translations, simple_picture, translate, translation_grid
from mvae.diffusion import kl_to_uniform
from mvae.manifolds import FlatTorus
from mvae.methods.dvae import BrownianPosterior, DVAEConfig, dvae
from mvae.models import Model, OptimizerConfig, Params, adam
from mvae.topology import toroidal_coordinates

TORUS = FlatTorus(2)
SIZE = 24  # pixels along a side
LARGEST_FREQUENCY = 10  # below SIZE / 2
WEIGHT = (64 / SIZE) ** 2  # of the reconstruction, which then counts as that of an image of 64 × 64
BATCH = 64
INIT_BATCH = 1024
COORDINATE_BATCH = 8192  # pictures that have a coordinate
COORDINATE_BLUR = 0.7  # of the pictures that are compared for it, radians
GRID = 32  # translations per direction for the degree
LEARNING_RATE = 1e-3
NUM_STEPS = 1000
RAMP = 0.5  # share of the training over which a schedule ends


class Recipe(NamedTuple):
    """What may help a map to unfold; the fields' defaults are the paper's training.

    Attributes:
        net: See `DVAEConfig`.
        widths: Hidden layers of the encoder; those of the decoder are the same backwards, without the first.
        encoder_init: See `DVAEConfig`.
        warmup_steps: Steps until the encoder learns at the full rate, see `OptimizerConfig`.
        initial_time: Diffusion time at step 0.
        extra_time: Added to the posteriors' times at first, and then less: a factor of 10^-4 over half the training,
            nothing from there on.
        pretrain_steps: Steps on the simple image before the image itself.
        blur: Width σ in radians of a Gaussian filter on the images at first, falling linearly to 0 over half the
            training.
        coordinate_steps: Steps in which the encoder alone learns the `coordinates` of 8192 translations before the
            training; each step sees them with a filter of a width of its own, from 0 to `blur`.
    """

    net: str = "mlp"
    widths: tuple[int, ...] = (256, 256, 256)
    encoder_init: str = "random"
    warmup_steps: int = 0
    initial_time: float = 0.05
    extra_time: float = 0.0
    pretrain_steps: int = 0
    blur: float = 0.0
    coordinate_steps: int = 0


RECIPES = {
    "plain": Recipe(),
    "schedule": Recipe(extra_time=1.0),
    "pretrained": Recipe(pretrain_steps=300),
    "conv": Recipe(net="circular_conv", widths=(16, 32, 32)),
    "principal": Recipe(encoder_init="principal", warmup_steps=100),
    "spectral": Recipe(encoder_init="spectral", warmup_steps=100),
    "blurred": Recipe(blur=1.5),
    "principal_blurred": Recipe(encoder_init="principal", warmup_steps=100, blur=1.5),
    "spectral_blurred": Recipe(encoder_init="spectral", warmup_steps=100, blur=1.5),
    "cohomology": Recipe(warmup_steps=100, coordinate_steps=2000),
    "cohomology_blurred": Recipe(warmup_steps=100, coordinate_steps=2000, blur=1.5),
}


class Outcome(NamedTuple):
    """What is left of a run.

    Attributes:
        start: Encoded translations before training, (GRID, GRID, 4).
        end: The same after it.
        elbo: ELBO of images of 64 × 64 that the final model would have, nats.
        time: Mean diffusion time of the posteriors at the end.
    """

    start: Float[Array, "g g 4"]
    end: Float[Array, "g g 4"]
    elbo: Float[Array, ""]
    time: Float[Array, ""]


def coefficients(key: Key[Array, ""], max_frequency: int, gamma: float) -> Float[np.ndarray, "K K"]:
    """Returns the coefficients of a random image as those of one with `LARGEST_FREQUENCY`; 0 for the simple one."""
    picture = simple_picture(SIZE) if max_frequency == 0 else fourier_picture(key, max_frequency, gamma, SIZE)
    n = picture.coefficients.shape[0] // 2
    cosines = np.arange(n + 1)
    index = np.concatenate([cosines, LARGEST_FREQUENCY + cosines[1:]])
    padded = np.zeros((2 * LARGEST_FREQUENCY + 1,) * 2, np.float32)
    padded[np.ix_(index, index)] = picture.coefficients
    return padded


_SIMPLE = coefficients(jax.random.key(0), 0, 1.0)
_FREQUENCIES = np.concatenate([np.arange(LARGEST_FREQUENCY + 1), np.arange(1, LARGEST_FREQUENCY + 1)])
_SQUARES = (_FREQUENCIES[:, None] ** 2 + _FREQUENCIES[None, :] ** 2).astype(np.float32)


class Coordinates(NamedTuple):
    """What the encoder learns first; empty where a recipe has no coordinates.

    Attributes:
        shifts: Translations, (n, 2).
        points: Of the torus, one for the picture at each translation, (n, 4).
    """

    shifts: Float[Array, "n 2"]
    points: Float[Array, "n 4"]


def coordinates(recipe: Recipe, key: Key[Array, ""], target: Float[Array, "K K"]) -> Coordinates:
    """Finds toroidal coordinates of pictures at random translations, from the pictures alone."""
    if not recipe.coordinate_steps:
        return Coordinates(jnp.zeros((0, 2)), jnp.zeros((0, 4)))
    shifts = random_translations(key, COORDINATE_BATCH)
    images = np.asarray(translate(Picture(_blurred(target, COORDINATE_BLUR), SIZE), shifts))
    angles = toroidal_coordinates(images, fractions=(0.5,)).angles
    pairs = np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(len(angles), -1)
    return Coordinates(shifts, TORUS.project(jnp.asarray(pairs, jnp.float32)))


def _blurred(target: Float[Array, "K K"], width: ArrayLike) -> Float[Array, "K K"]:
    """Coefficients after a Gaussian filter."""
    return target * jnp.exp(-(jnp.asarray(width) ** 2) * _SQUARES / 2)


def _left(step: Array) -> Array:
    """What is left of a schedule: 1 at step 0, falling linearly to 0."""
    return jnp.maximum(1 - step / (RAMP * NUM_STEPS), 0.0)


def _build(recipe: Recipe) -> Model:
    return dvae(
        DVAEConfig(
            manifold=TORUS,
            event_shape=(SIZE, SIZE, 1),
            net=recipe.net,
            encoder_widths=recipe.widths,
            decoder_widths=recipe.widths[:0:-1],
            likelihood="gaussian",
            sampler="walk",
            num_walk_steps=10,
            kl="exact",
            encoder_init=recipe.encoder_init,
            initial_time=recipe.initial_time,
            beta=1.0,
            min_capacity=0.0,
            max_capacity=None,
            capacity_steps=None,
        )
    )


def _optimizer(recipe: Recipe) -> optax.GradientTransformation:
    settings = OptimizerConfig(LEARNING_RATE, recipe.warmup_steps, 0.02 * LEARNING_RATE, decay_fraction=0.5)
    return adam(settings, NUM_STEPS)


def _bound(model: Model, params: Params, key: Key[Array, ""], image: Array, extra_time: Array) -> tuple[Array, Array]:
    """ELBO without the constant, (b,), and the posterior's times, (b,)."""
    posterior = model.encode(params, image)
    time = posterior.time + extra_time
    z = model.sample_posterior(key, BrownianPosterior(posterior.location, time))
    error = jnp.sum((image - model.decode(params, z)) ** 2, axis=(1, 2, 3))
    return -WEIGHT * error / 2 - kl_to_uniform(TORUS, time, posterior.location), posterior.time


def _shown(recipe: Recipe, target: Float[Array, "K K"], step: Array) -> Picture:
    """The image that is shown at a step."""
    blurred = _blurred(target, recipe.blur * _left(step))
    return Picture(jnp.where(step < recipe.pretrain_steps, _SIMPLE, blurred), SIZE)


def _init(recipe: Recipe, key: Key[Array, ""], target: Float[Array, "K K"], learned: Coordinates) -> Params:
    init_key, batch_key, *_ = jax.random.split(key, 4)
    picture = _shown(recipe, target, jnp.zeros((), jnp.int32))
    model = _build(recipe)
    params = model.init(init_key, {"x": translate(picture, random_translations(batch_key, INIT_BATCH))})
    return _learn(recipe, model, params, jax.random.fold_in(init_key, 1), target, learned)


def _learn(
    recipe: Recipe, model: Model, params: Params, key: Key[Array, ""], target: Float[Array, "K K"], learned: Coordinates
) -> Params:
    """Encoder after its steps on the coordinates."""
    if not recipe.coordinate_steps:
        return params
    optimizer = adam(OptimizerConfig(LEARNING_RATE, 0, 0.0, decay_fraction=0.5), recipe.coordinate_steps)

    def body(carry: tuple[Params, optax.OptState], step: Array) -> tuple[tuple[Params, optax.OptState], None]:
        params, state = carry
        rows_key, blur_key = jax.random.split(jax.random.fold_in(key, step))
        rows = jax.random.randint(rows_key, (2 * BATCH,), 0, len(learned.shifts))
        picture = Picture(_blurred(target, recipe.blur * jax.random.uniform(blur_key)), SIZE)
        image = translate(picture, learned.shifts[rows])

        def loss(params: Params) -> Array:
            location = model.encode(params, image).location
            return jnp.mean(jnp.sum((location - learned.points[rows]) ** 2, axis=-1))

        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    (params, _), _ = jax.lax.scan(body, (params, optimizer.init(params)), jnp.arange(recipe.coordinate_steps))
    return params


def _train(recipe: Recipe, key: Key[Array, ""], target: Float[Array, "K K"], start: Params) -> Outcome:
    """One run."""
    model, optimizer = _build(recipe), _optimizer(recipe)
    *_, step_key, end_key = jax.random.split(key, 4)
    grid = translation_grid(GRID)

    def locations(params: Params, picture: Picture) -> Array:
        return model.encode(params, translate(picture, grid)).location.reshape(GRID, GRID, -1)

    def body(carry: tuple[Params, optax.OptState], step: Array) -> tuple[tuple[Params, optax.OptState], None]:
        params, state = carry
        translations_key, noise_key = jax.random.split(jax.random.fold_in(step_key, step))
        image = translate(_shown(recipe, target, step), random_translations(translations_key, BATCH))
        falling = recipe.extra_time * 10 ** (-4 * (1 - _left(step)))
        extra_time = jnp.where(_left(step) > 0, falling, 0.0)

        def loss(params: Params) -> Array:
            return -jnp.mean(_bound(model, params, noise_key, image, extra_time)[0])

        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    (params, _), _ = jax.lax.scan(body, (start, optimizer.init(start)), jnp.arange(NUM_STEPS))
    picture = Picture(target, SIZE)
    elbo, time = _bound(model, params, end_key, translate(picture, grid), jnp.zeros(()))
    constant = 64**2 / 2 * math.log(2 * math.pi)
    first = _shown(recipe, target, jnp.zeros((), jnp.int32))
    return Outcome(locations(start, first), locations(params, picture), jnp.mean(elbo) - constant, jnp.mean(time))


@partial(jax.jit, static_argnames=("recipe", "together"))
def train_all(
    recipe: Recipe, keys: Key[Array, " r"], targets: Float[Array, "r K K"], learned: Coordinates, together: int
) -> Outcome:
    """Trains one model per key and image, `together` of them vmapped at a time; axis r comes first in the outcome."""
    # One at a time: several eigendecompositions inside a loop block each other on CPU (jaxlib 0.10).
    starts = jax.lax.map(lambda run: _init(recipe, *run), (keys, targets, learned))
    return jax.lax.map(lambda run: _train(recipe, *run), (keys, targets, starts), batch_size=together)

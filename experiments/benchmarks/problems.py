"""What several benchmarks measure besides training: random transports, the VAELLS's steps, SpectralNets."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from experiments.benchmarks.workloads import config_of
from mvae import data
from mvae.data import Dataset
from mvae.engine import build_program, seed_keys
from mvae.methods.vaells import VAELLSConfig, alternating_stages, vaells
from mvae.methods.vdae import SpectralNetConfig, map_stage, spectral_net
from mvae.models import adam
from mvae.runs import resolve
from mvae.typed import typed

BATCH = 512  # of SpectralNets
NOISE = 0.05  # of the targets of random transports


def random_problems(dim: int, size: int, problems: int, norm: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns operators, starting points, and targets that two operators lead to, with noise.

    Args:
        dim: Dimension of the points.
        size: Number of operators.
        problems: Number of pairs of points.
        norm: Frobenius norm of each operator.
    """
    rng = np.random.default_rng(0)
    operators = rng.normal(size=(size, dim, dim))
    operators *= norm / np.linalg.norm(operators, axis=(1, 2), keepdims=True)
    coefficients = np.zeros((problems, size))
    for row in coefficients:
        row[rng.choice(size, 2, replace=False)] = rng.uniform(-1.5, 1.5, 2)
    z0 = rng.normal(size=(problems, dim))
    exponentials = scipy.linalg.expm(np.tensordot(coefficients, operators, 1))
    ends = np.einsum("bij,bj->bi", exponentials, z0)
    return operators, z0, ends + NOISE * rng.normal(size=z0.shape)


def vaells_steps(num_steps: int, trained: int) -> dict[str, Callable[[], object]]:
    """Returns functions that do `num_steps` network steps, operator steps and inferences of configs/vaells_circles.py.

    Args:
        num_steps: Of each kind.
        trained: Steps of the alternating stage before the first; 0 and the warm-up as short as can be for a rehearsal.
    """
    resolved = resolve(config_of("vaells_circles"))
    run, dataset = resolved.run, data.load(**resolved.block["data"])
    num_steps_of_run = run.steps(dataset.num_train)
    model_config = typed(
        VAELLSConfig,
        resolved.block["model"],
        "config.model",
        manifold=resolved.manifold,
        event_shape=dataset.event_shape,
    )
    turns = model_config.training
    method = vaells(model_config)
    optimizer = adam(resolved.optimizer, num_steps_of_run)
    stages = alternating_stages(method, turns, (optimizer, optimizer), num_steps_of_run, model_config.beta)
    state = None
    for index, (stage, count) in enumerate(zip(stages, (turns.warm_up_steps if trained else 1, trained), strict=True)):
        program = build_program(stage, dataset, run.batch_size, run.init_batch_size, seed_keys(0, 1, index))
        progress, _ = program.run(program.init(state), program.orders(0), 0, count)
        state = progress.state
    state = jax.tree.map(lambda leaf: leaf[0], state)
    batch = dataset.render({name: array[: run.batch_size] for name, array in dataset.train.items()})
    network_turn = turns.operator_warm_up_steps  # the number of a step, and so whose turn it is
    operator_turn = network_turn + turns.network_steps

    @jax.jit
    def steps(state, number):
        def body(index, state):
            key = jax.random.fold_in(jax.random.key(1), index)
            return stages[1].step(key, state.replace(step=number), batch)[0]

        return jax.lax.fori_loop(0, num_steps, body, state)

    @jax.jit
    def inferences(params):
        def body(index, total):
            found = method.infer(params, jax.random.fold_in(jax.random.key(1), index), batch)
            return total + jnp.sum(found.posterior_coefficients) + jnp.sum(found.prior_coefficients)

        return jax.lax.fori_loop(0, num_steps, body, jnp.zeros(()))

    return {
        "network step": lambda: steps(state, jnp.int32(network_turn)),
        "operator step": lambda: steps(state, jnp.int32(operator_turn)),
        "inference": lambda: inferences(state.params),
    }


class Learned(NamedTuple):
    """A trained SpectralNet.

    Attributes:
        seconds: Of training, compilation included.
        embed: Images to coordinates.
    """

    seconds: float
    embed: Any


def settings(num_steps: int, num_neighbors: int | None = None) -> SpectralNetConfig:
    """The configuration of all SpectralNets."""
    return SpectralNetConfig(
        num_neighbors=num_neighbors,
        scale_neighbor=10,
        density_power=1.0,
        laplacian="random_walk",
        net="mlp",
        widths=(256, 256),
        num_extra=4,
        diffusion_time=0.0,
        separate_batch=True,
        num_steps=num_steps,
        learning_rate=3e-3,
    )


def learn(data: Dataset, config: SpectralNetConfig, dim: int, seed: int, *, batch: int = BATCH) -> Learned:
    """Trains one SpectralNet on a data set with its graph."""
    net = spectral_net(config, dim, data.event_shape, data.num_train)
    began = time.perf_counter()
    program = build_program(map_stage(net, config), data, batch, min(data.num_train, 8192), seed_keys(seed, 1, 0))
    progress, _ = program.run(program.init(None), program.orders(0), 0, config.num_steps)
    params = jax.tree.map(lambda leaf: leaf[0], jax.block_until_ready(progress).state.params)
    first = data.render({name: array[:8192] for name, array in data.train.items()})
    fitted = jax.block_until_ready(jax.jit(net.fit)(params, first))
    return Learned(time.perf_counter() - began, lambda image: net.embed(fitted, image))

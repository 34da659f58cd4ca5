"""Ten seeds in one program are ten runs: seed by seed, to float32 rounding."""

import re

import jax
import numpy as np
import pytest

from mvae.engine.program import build_program
from mvae.engine.seeds import seed_keys
from mvae.runs.config_file import load_config
from mvae.runs.experiment import build_experiment
from tests.paths import CONFIGS

NUM_STEPS = 20


def experiment():
    path = CONFIGS / "dvae_torus.py"
    config = load_config(path, "quick")
    config.data.size = 12
    config.data.num_train = 200  # an epoch ends amid the steps
    config.batch_size = 16
    config.init_batch_size = 64
    config.model.encoder_widths = (32, 32)
    config.model.decoder_widths = (32,)
    config.optimizer.encoder_warmup_steps = 4
    return build_experiment(config.to_dict())


def parameters(experiment, seed, num_seeds):
    program = build_program(experiment.stages[0], experiment.dataset, 16, 64, seed_keys(seed, num_seeds, 0))
    progress, _ = program.run(program.init(None), program.orders(0), 0, NUM_STEPS)
    return jax.tree.map(np.asarray, progress.state.params)


def test_seeds_in_turn_factorise_one_matrix_at_a_time():
    """As a seed alone does: many at once may wait for each other for ever on a CPU."""
    built = experiment()

    def factorisations(num_seeds, **options):
        keys = seed_keys(0, num_seeds, 0)
        program = build_program(built.stages[0], built.dataset, 16, 64, keys, **options)
        texts = [lowered.as_text() for lowered in program.lowered(None)[:2]]
        return {call for text in texts for call in re.findall(r"custom_call @(lapack\w+).* -> (.*)", text)}

    alone = factorisations(1)
    assert {name for name, _ in alone} >= {"lapack_sgeqrf_ffi"}
    assert factorisations(3, sequential=True) == alone
    assert factorisations(3, sequential=False) != alone


@pytest.mark.slow  # test_loop.py has a small model
@pytest.mark.parametrize("num_seeds", [2, 10])
def test_seeds_together_are_seeds_alone(num_seeds):
    built = experiment()
    together = parameters(built, 7, num_seeds)
    for member in range(num_seeds):
        alone = parameters(built, 7 + member, 1)
        member_of = [np.asarray(leaf)[member] for leaf in jax.tree.leaves(together)]
        lone = [np.asarray(leaf)[0] for leaf in jax.tree.leaves(alone)]
        difference = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(member_of, lone, strict=True)))
        assert difference < 1e-4 * np.sqrt(sum(np.sum(b**2) for b in lone))
        # Adam turns the rounding of a gradient that is zero but for rounding into a step of some size: below one step
        assert max(np.abs(a - b).max() for a, b in zip(member_of, lone, strict=True)) < 1e-3

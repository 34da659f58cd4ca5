"""A member of a pack is the run of its own: numbers, files, checkpoints, whoever is beside it."""

import dataclasses
import json
import logging
import os
import signal
from pathlib import Path

import jax
import numpy as np
import pytest

from mvae.engine import loop
from mvae.engine.loop import Diverged
from mvae.engine.metrics import read_records
from mvae.engine.signals import Interrupted
from mvae.manifolds import Euclidean
from mvae.methods import METHODS
from mvae.methods.vae import VAEConfig
from mvae.models.optimizer import OptimizerConfig, decayed_rate
from mvae.models.traced import with_values
from mvae.runs.config_file import load_config
from mvae.runs.experiment import build_experiment
from mvae.runs.run_folder import RunFolder
from mvae.runs.running import run, train
from mvae.sweep import build_members, pack
from mvae.sweep.pack import run_pack
from mvae.sweep.packing import Job
from tests.sweep.tiny import CONFIGS, members

SWEEP = [
    ("plain", {}),
    ("beta", {"seed": 3, "model.beta": 4.0}),
    ("rates", {"seed": 1, "num_seeds": 2, "optimizer.learning_rate": 3e-3, "optimizer.final_learning_rate": 1e-3}),
]
OPTIMIZER = OptimizerConfig(1e-3, 0, 1e-4, 0.5)


def test_traced_rates_are_the_rates():
    """The schedule with tracers is the one with numbers, before, in and at the end of the decay."""

    def traced(values, step):
        return decayed_rate(with_values(OPTIMIZER, "optimizer", values), 20)(step)

    values = {"optimizer.learning_rate": 3e-3, "optimizer.final_learning_rate": 5e-4, "model.beta": 2.0}
    expected = decayed_rate(OptimizerConfig(3e-3, 0, 5e-4, 0.5), 20)
    for step in (0, 10, 15, 20):
        np.testing.assert_allclose(jax.jit(traced)(values, step), expected(step), rtol=1e-6)
    assert OPTIMIZER.learning_rate == 1e-3


def test_numbers_are_checked_and_tracers_are_not():
    config = VAEConfig(
        event_shape=(2, 2, 1), net="mlp", encoder_widths=(2,), decoder_widths=(2,), likelihood="gaussian", beta=1.0,
        min_capacity=0.0, max_capacity=None, capacity_steps=None, manifold=Euclidean(1), initial_variance=0.5,
    )  # fmt: skip
    with pytest.raises(ValueError, match="beta must be zero or more, got -1"):
        with_values(config, "model", {"model.beta": -1.0})
    loss = jax.jit(lambda beta: with_values(config, "model", {"model.beta": beta}).loss(1.0, 2.0, None))
    assert float(loss(3.0)) == 7.0


def jobs_of(path, sweep=SWEEP, config="dvae_torus.py"):
    return [Job(member.config, path / member.name, member.recorded) for member in members(sweep, config)]


@pytest.fixture
def parameters(monkeypatch):
    """Trained parameters by folder, in place of evaluation and figures, which take longest."""
    found = {}

    def keep(experiment, params, folder, programs, *, draw):
        del programs
        assert draw
        found[folder.path.name] = jax.device_get(params)
        settings = json.loads(json.dumps(dataclasses.asdict(experiment.evaluation)))
        folder.results.write_text(json.dumps({"seed": experiment.run.seed, "evaluation": settings}))
        return {"seed": experiment.run.seed}

    monkeypatch.setattr(pack, "conclude", keep)
    return found


def alone(job, path):
    experiment = build_experiment(job.config)
    return jax.device_get(train(experiment, RunFolder(path)))


def assert_alike(left, right):
    """To float32 rounding, which Adam may make as large as a small part of a step where a gradient is near zero."""
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


@pytest.mark.slow
def test_whole_pack_leaves_what_runs_of_their_own_leave(tmp_path):
    jobs = jobs_of(tmp_path / "together")
    results = run_pack(jobs)
    for job, result in zip(jobs, results, strict=True):
        lone = run(job.config, tmp_path / "alone" / job.path.name, list(job.overrides))
        assert isinstance(result, dict)
        assert result["mean"].keys() == lone["mean"].keys()
        for name, mean in lone["mean"].items():
            assert result["mean"][name] == pytest.approx(mean, rel=1e-4, abs=1e-5)
        assert [member["seed"] for member in result["members"]] == [member["seed"] for member in lone["members"]]
        other = tmp_path / "alone" / job.path.name
        for relative in ("figures", "checkpoints/train", "tensorboard"):
            assert names_in(job.path / relative) == names_in(other / relative)
        own, theirs = (json.loads((path / "config.json").read_text()) for path in (job.path, other))
        assert (own["config"], own["overrides"]) == (theirs["config"], theirs["overrides"])
        for left, right in zip(
            read_records(job.path / "metrics.jsonl"), read_records(other / "metrics.jsonl"), strict=True
        ):
            assert left.keys() == right.keys()
            np.testing.assert_allclose(left["elbo"], right["elbo"], rtol=1e-5)
            np.testing.assert_allclose(left["loss"], right["loss"], rtol=1e-5)
    before = [(job.path / "results.json").stat().st_mtime_ns for job in jobs]
    assert run_pack(jobs) == results
    assert [(job.path / "results.json").stat().st_mtime_ns for job in jobs] == before


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("config", ["dvae_torus.py", "vae.py", "svae.py"])
def test_packed_parameters_are_those_of_lone_runs(tmp_path, parameters, config):
    jobs = jobs_of(tmp_path, config=config)
    assert METHODS[jobs[0].config["method"]].traceable
    run_pack(jobs)
    for job in jobs:
        assert_alike(parameters[job.path.name], alone(job, tmp_path / "alone" / job.path.name))
    differences = [
        np.abs(a[0] - b[0]).max()
        for a, b in zip(*(jax.tree.leaves(parameters[name]["encoder"]) for name in ("plain", "rates")), strict=True)
    ]
    assert max(differences) > 1e-3  # they do not agree for want of a difference


@pytest.mark.slow
@pytest.mark.parametrize("resume", ["together", "alone", "in another pack"])
def test_stopped_pack_goes_on(tmp_path, parameters, monkeypatch, resume):
    jobs = jobs_of(tmp_path)
    run_pack(jobs_of(tmp_path / "whole"))
    whole = dict(parameters)
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)  # chunks of one step, so that every step is a border
    stop_at(monkeypatch, 7)
    with pytest.raises(Interrupted, match="at step 7 of stage train"):
        run_pack(jobs)
    assert all(names_in(job.path / "checkpoints" / "train") == {"4", "7"} for job in jobs)
    monkeypatch.undo()
    monkeypatch.setattr(pack, "conclude", keeping(parameters))
    if resume == "together":
        run_pack(jobs)
    elif resume == "alone":
        parameters |= {job.path.name: alone(job, job.path) for job in jobs}
    else:
        fresh = jobs_of(tmp_path, [("fresh", {"seed": 9, "model.beta": 2.0})])
        run_pack([jobs[0], *fresh, jobs[2]])
        run_pack([jobs[1]])
        assert_alike(parameters["fresh"], alone(fresh[0], tmp_path / "lone"))
    for job in jobs:
        assert_alike(parameters[job.path.name], whole[job.path.name])
        assert [record["step"] for record in read_records(job.path / "metrics.jsonl")] == [5, 10, 12]


@pytest.mark.slow
def test_both_stages_of_a_spectral_autoencoder_are_packed(tmp_path, parameters):
    """Against seeds of a run of two.

    A lone seed is no measure: its products round in another way, which the nearly equal modes of the first stage make
    into a hundredth of a coordinate.
    """
    small = {
        "data.num_train": 200,
        "batch_size": 64,
        "data.num_test": 32,
        "init_batch_size": 64,
        "model.num_neighbors": 8,
        "model.decoder_widths": (8,),
        "model.spectral.widths": (8,),
        "model.spectral.num_neighbors": 16,
        "model.spectral.num_steps": 8,
        "num_steps": 8,
    }
    config = load_config(CONFIGS / "vdae.py", "quick")
    sweep = [("one", small), ("other", small | {"seed": 4, "model.beta": 3.0, "optimizer.learning_rate": 2e-3})]
    jobs = [Job(member.config, tmp_path / member.name) for member in build_members(config, sweep)]
    run_pack(jobs)
    for job in jobs:
        pair = alone(job._replace(config={**job.config, "num_seeds": 2}), tmp_path / "pairs" / job.path.name)
        assert_alike(parameters[job.path.name], jax.tree.map(lambda leaf: leaf[:1], pair))
        assert names_in(job.path / "checkpoints") == {"spectral_map", "autoencoder"}


def keeping(parameters):
    def keep(experiment, params, folder, programs, *, draw):
        del programs
        assert draw
        parameters[folder.path.name] = jax.device_get(params)
        return {"seed": experiment.run.seed}

    return keep


def stop_at(monkeypatch, step):
    """Has this process get a SIGTERM as soon as that step is done."""
    build = pack.build_program

    def signalling(*arguments, **options):
        program = build(*arguments, **options)

        def run_and_signal(progress, orders, start, stop):
            if stop == step:
                os.kill(os.getpid(), signal.SIGTERM)
            return program.run(progress, orders, start, stop)

        return program._replace(run=run_and_signal)

    monkeypatch.setattr(pack, "build_program", signalling)


@pytest.mark.slow
def test_members_with_checkpoints_of_different_steps_meet_at_a_common_one(tmp_path, parameters):
    """As after a kill between two members' checkpoints, one of them damaged on top."""
    jobs = jobs_of(tmp_path)
    run_pack(jobs)
    whole = dict(parameters)
    for job in jobs:
        (job.path / "results.json").unlink()
    newest = jobs[0].path / "checkpoints" / "train" / "12"
    for path in newest.rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    run_pack(jobs)
    for job in jobs:
        assert_alike(parameters[job.path.name], whole[job.path.name])
        assert names_in(job.path / "checkpoints" / "train") == {"8", "12"}
        assert [record["step"] for record in read_records(job.path / "metrics.jsonl")] == [5, 10, 12]


@pytest.mark.slow
def test_diverged_member_is_left_out_and_the_others_go_on(tmp_path, parameters):
    jobs = jobs_of(tmp_path, [*SWEEP[:2], ("wild", {"optimizer.learning_rate": 1e30})])
    results = run_pack(jobs)
    assert isinstance(results[2], Diverged)
    assert "member of the seed axis (first step): 0" in str(results[2])
    assert not (jobs[2].path / "results.json").exists()
    assert [type(result) for result in results[:2]] == [dict, dict]
    for job in jobs[:2]:
        assert_alike(parameters[job.path.name], alone(job, tmp_path / "alone" / job.path.name))


@pytest.mark.slow
def test_what_does_not_fit_is_split(tmp_path, parameters, caplog):
    jobs = jobs_of(tmp_path, [(f"seed_{seed}", {"seed": seed, "model.beta": 1.0 + seed}) for seed in range(3)])
    with caplog.at_level(logging.INFO, "mvae"):
        run_pack(jobs, limit=1)
    assert "3 members, 3 seeds on 1 device(s): " in caplog.text
    assert "3 program(s)" in caplog.text
    assert len(parameters) == 3
    split = dict(parameters)
    caplog.clear()
    with caplog.at_level(logging.INFO, "mvae"):
        run_pack([job._replace(path=tmp_path / "roomy" / job.path.name) for job in jobs], limit=10**12)
    assert "1 program(s)" in caplog.text
    for name, params in parameters.items():
        assert_alike(params, split[name])


@pytest.mark.slow
def test_estimate_is_linear_in_seeds(tmp_path, caplog):
    """What programs of two and of eight seeds take per seed is the same, and more than their state."""
    needs = []
    for num in (2, 8):
        group = pack.Pack(jobs_of(tmp_path, [(f"m{index}", {"seed": index}) for index in range(num)]))
        programs, first = group._programs(list(range(num)))
        needs.append(pack.need_of(programs, group._experiment.dataset, num, first))
        state = programs[0].init(first)
        per_seed = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) / num
        assert needs[-1].per_seed > per_seed
        dataset = group._experiment.dataset
        assert needs[-1].fixed > sum(leaf.nbytes for leaf in jax.tree.leaves((dataset.train, dataset.test)))
    assert needs[0].fixed == needs[1].fixed
    assert needs[1].per_seed == pytest.approx(needs[0].per_seed, rel=0.15)

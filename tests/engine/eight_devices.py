"""What test_devices.py runs in processes of eight simulated devices."""

import shutil
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mvae.engine.checkpoints import Checkpoints
from mvae.engine.mesh import build_mesh, seeds_mesh
from mvae.engine.metrics import read_records
from mvae.engine.program import build_program
from mvae.engine.seeds import seed_keys
from mvae.runs.config_file import load_config
from mvae.runs.experiment import build_experiment
from mvae.runs.run_folder import RunFolder
from mvae.runs.running import run, train
from mvae.sweep.pack import run_pack
from mvae.sweep.packing import Job
from tests.paths import ROOT
from tests.sweep.tiny import members
from tests.test_configs import tiny

NUM_STEPS, BATCH = 30, 16


def experiment(**options):
    config: Any = load_config(ROOT / "configs" / "dvae_torus.py", "quick")
    config.data.size = 8
    config.data.num_train = 200  # an epoch ends amid the steps
    config.data.num_test = 16
    config.batch_size = BATCH
    config.init_batch_size = 64
    config.model.encoder_widths = (24,)
    config.model.decoder_widths = (24,)
    config.optimizer.encoder_warmup_steps = 4
    return build_experiment(config.to_dict(), **options)


def program(built, num_seeds, **of_mesh):
    keys = seed_keys(7, num_seeds, 0)
    mesh = build_mesh(num_seeds, BATCH, **of_mesh)
    return build_program(built.stages[0], built.dataset, BATCH, 64, keys, mesh=mesh)


def trained(program, progress=None, start=0, stop=NUM_STEPS):
    """Progress after the last step, and the loss of every step."""
    progress = program.init(None) if progress is None else progress
    orders, losses = program.orders(start), []
    before = np.asarray(progress.sums["loss"])
    for step in range(start, stop):
        progress, orders = program.run(progress, orders, step, step + 1)
        losses.append(np.asarray(progress.sums["loss"]) - before)
        before = np.asarray(progress.sums["loss"])
    return progress, np.array(losses)


def assert_same_training(one, other):
    """Equal to the rounding of sums in another order.

    Adam turns the rounding of a gradient that is zero but for rounding into a step of some size: below one step.
    """
    np.testing.assert_allclose(one[1], other[1], rtol=2e-5)
    left, right = (jax.tree.map(np.asarray, progress.state.params) for progress, _ in (one, other))
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)
        assert np.linalg.norm(a - b) <= 1e-4 * np.linalg.norm(a) + 1e-5


def curves():
    """Eight devices train as one does, and each has its share of the state."""
    built = experiment()
    for num_seeds, replicas, shape in ((1, None, (1, 8)), (8, None, (8, 1)), (8, 2, (2, 4)), (2, None, (2, 4))):
        alone = trained(program(built, num_seeds, num_devices=1))
        together = trained(program(built, num_seeds, replicas=replicas))
        assert_same_training(alone, together)
        leaf = jax.tree.leaves(together[0].state.params)[0]
        assert tuple(leaf.sharding.mesh.shape.values()) == shape
        assert leaf.addressable_shards[0].data.shape[0] == num_seeds // shape[0]


def communication():
    """Seeds need no word of each other; a batch's shares meet in one sum, and nothing else is sent."""
    built = experiment()
    for num_seeds, replicas, sums in ((8, None, 0), (1, None, 1), (8, 2, 1)):
        one = program(built, num_seeds, replicas=replicas)
        run = jax.jit(lambda progress, orders, one=one: one.run(progress, orders, 0, 3))
        text = run.lower(one.init(None), one.orders(0)).compile().as_text()
        counts = collectives(text)
        assert counts == dict.fromkeys(counts, 0) | {"all-reduce": sums}, counts


def collectives(text):
    """How often the compiled text of a program has each way of sending something."""
    names = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
    return {name: text.count(f" {name}(") + text.count(f" {name}-start(") for name in names}


def silence():
    """Not even loops whose length depends on the seed, as in the inference of coefficients, make seeds wait."""
    config: Any = load_config(ROOT / "configs" / "vaells_swiss_roll.py", "quick")
    built = build_experiment(config.to_dict())
    previous = None
    for index, stage in enumerate(built.stages):
        mesh = build_mesh(8, 32, replicas=8)
        program = build_program(stage, built.dataset, 32, 64, seed_keys(0, 8, index), mesh=mesh)
        *both, previous = program.lowered(previous)
        for lowered in both:
            assert not any(collectives(lowered.compile().as_text()).values())


def packs(folder: str):
    """Members on as many devices as divide their seeds: each the run of its own on one, also after a stop amid."""
    sweep = [("two", {"num_seeds": 2}), ("others", {"num_seeds": 2, "seed": 5, "model.beta": 2.0})]
    jobs = [Job(member.config, Path(folder) / member.name, member.recorded) for member in members(sweep)]
    assert seeds_mesh(4).size == 4
    assert seeds_mesh(9).size == 3
    alone = []
    for job in jobs:
        path = Path(folder) / f"{job.path.name}_alone"
        alone.append(
            (run(job.config, path, num_devices=1)["mean"], [r["loss"] for r in read_records(path / "metrics.jsonl")])
        )
    for _ in range(2):
        for job, found, (mean, losses) in zip(jobs, run_pack(jobs), alone, strict=True):
            np.testing.assert_allclose(found["mean"]["elbo"], mean["elbo"], rtol=1e-3)
            np.testing.assert_allclose([r["loss"] for r in read_records(job.path / "metrics.jsonl")], losses, rtol=1e-4)
            (job.path / "results.json").unlink()
            shutil.rmtree(job.path / "checkpoints" / "train" / "12")


def checkpoints(folder: str):
    """Saved on eight devices and resumed on one, and the other way round: the uninterrupted run."""
    built = experiment()
    one, eight = program(built, 8, num_devices=1), program(built, 8, replicas=2)
    whole = trained(one)
    for name, first, second in (("fewer", eight, one), ("more", one, eight), ("same", eight, eight)):
        saved, before = trained(first, stop=NUM_STEPS // 2)
        expected = jax.tree.map(np.asarray, saved)
        writer = Checkpoints(Path(folder) / name)
        writer.save(NUM_STEPS // 2, saved)
        writer.close()
        reader = Checkpoints(Path(folder) / name)
        like = second.init(None)
        step, restored = reader.restore(like)
        reader.close()
        assert step == NUM_STEPS // 2
        jax.tree.map(lambda a, b: np.testing.assert_array_equal(np.asarray(a), b), restored, expected)
        assert all(
            leaf.sharding == wanted.sharding
            for leaf, wanted in zip(jax.tree.leaves(restored), jax.tree.leaves(like), strict=True)
        )
        rest, after = trained(second, restored, start=step)
        assert_same_training(whole, (rest, np.concatenate([before, after])))


def rows():
    """Streamed to eight devices, each of which gets the rows of its seeds and share of the batch: as one in memory."""
    built = experiment()
    there = experiment(streamed=True)
    block_steps = 4
    for num_seeds, replicas, part in ((8, 2, (4, 4, BATCH // 4, 2)), (1, None, (1, 4, BATCH // 8, 2))):
        keys, mesh = seed_keys(7, num_seeds, 0), build_mesh(num_seeds, BATCH, replicas=replicas)
        eight = build_program(there.stages[0], there.dataset, BATCH, 64, keys, block_steps=block_steps, mesh=mesh)
        assert_same_training(trained(program(built, num_seeds, num_devices=1)), trained(eight))
        held = [array for array in jax.live_arrays() if array.shape == (num_seeds, block_steps, BATCH, 2)]
        assert held
        assert {shard.data.shape for array in held for shard in array.addressable_shards} == {part}
        eight.close()


def methods(folder: str, name: str):
    """Methods of several stages, and those that factorise a batch or solve for each example.

    Their losses are compared, since single parameters with next to no gradient go by the rounding under Adam: by 0.01
    in the spectral map, also where only the seeds are shared out.
    """
    config = tiny(ROOT / "configs" / f"{name}.py", "", Path(folder))
    built = build_experiment(config)
    seeds, batch = built.run.num_seeds, built.run.batch_size
    losses = []
    for devices in (1, 8):
        run_folder = RunFolder(Path(folder) / f"{name}_{devices}")
        params = train(built, run_folder, mesh=build_mesh(seeds, batch, num_devices=devices))
        assert all(len(leaf.devices()) == 1 for leaf in jax.tree.leaves(params))
        losses.append([record["loss"] for record in read_records(run_folder.metrics)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=2e-4)


PARTS = {
    "curves": curves,
    "communication": communication,
    "silence": silence,
    "packs": packs,
    "checkpoints": checkpoints,
    "rows": rows,
    "methods": methods,
}

if __name__ == "__main__":
    assert jax.device_count() == 8
    PARTS[sys.argv[1]](*sys.argv[2:])

"""Parts d and f: Table 1 of the ΔVAE at its published length, and what else is trained or inferred."""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from experiments.benchmarks.accelerator.cells import Cell, Setting, spread, times_of
from experiments.benchmarks.problems import learn, random_problems, settings, vaells_steps
from experiments.benchmarks.workloads import CONFIGS, config_of, random_digits, write_digits
from experiments.dvae import rows as dvae_rows
from experiments.er import rows as er_rows
from mvae import data
from mvae.data import Dataset, with_graph
from mvae.data.digits import locate
from mvae.errors import UsageError
from mvae.runs import load_config, resolve
from mvae.spectral import nearest_neighbors
from mvae.sweep import Member, in_process, run_members
from mvae.transport import Inference, infer_coefficients

SEEDS, EPOCHS = 10, 500
# Ten seeds with Adam's state are 190 MB a checkpoint. A third of a run is 10 to 30 seconds on one card, and what is
# written beside the steps then takes a hundredth of them; a line of metrics every ten epochs likewise.
LOG_EVERY, CHECKPOINT_EVERY = 930, 15_500
SMALL_DVAE = {
    "data.num_train": 320,
    "data.num_test": 50,
    "batch_size": 32,
    "init_batch_size": 64,
    "num_steps": 24,
    "log_every": 12,
    "checkpoint_every": 12,
    "model.encoder_widths": (16,),
    "model.decoder_widths": (16,),
    "model.num_walk_steps": 2,
    "optimizer.encoder_warmup_steps": 2,
    "evaluation.importance_samples": 4,
    "evaluation.bound_samples": 2,
    "evaluation.batch_size": 50,
}
SMALL_ER = {
    "data.num_train": 128,
    "data.num_test": 50,
    "batch_size": 32,
    "init_batch_size": 64,
    "num_steps": 20,
    "log_every": 10,
    "checkpoint_every": 20,
    "model.encoder_widths": (8,),
    "model.decoder_widths": (8,),
    "model.reparametrization.widths": (8,),
    "model.reparametrization.num_steps": 20,
    "evaluation.importance_samples": 4,
    "evaluation.bound_samples": 2,
}
SMALL_VDAE = {
    "data.num_train": 256,
    "data.num_test": 64,
    "batch_size": 64,
    "init_batch_size": 128,
    "num_seeds": 2,
    "num_steps": 20,
    "log_every": 10,
    "checkpoint_every": 20,
    "model.spectral.num_steps": 20,
    "model.spectral.widths": (8,),
    "model.num_neighbors": 20,
    "model.encoder_widths": (8,),
    "model.decoder_widths": (8,),
}


def trained(member: Member, folder: Path) -> dict[str, Any]:
    """Runs or resumes a member of a sweep, without figures, and returns what its results.json holds.

    Under "resumed" it says whether the run folder was there: then the seconds of the cell are those of the rest.

    Raises:
        RuntimeError: If it failed or another process has it.
    """
    resumed = (folder / member.name).exists()
    (outcome,) = run_members([member], folder, execute=partial(in_process, draw=False))
    if outcome.status != "finished":
        raise RuntimeError(f"{outcome.status}: {outcome.reason}")
    return json.loads((folder / member.name / "results.json").read_text()) | {"resumed": resumed}


def digits_folder(setting: Setting) -> str:
    """Returns the folder of MNIST's files; in a rehearsal without one, of random images that it writes.

    Raises:
        UsageError: If they are not there.
    """
    if setting.data_dir is not None:
        locate(str(setting.data_dir))
        return str(setting.data_dir)
    if not setting.rehearse:
        raise UsageError("parts d and f train on MNIST: give --data_dir=DIR, the folder of its four IDX files")
    folder = setting.scratch / "digits"
    if not (folder / "written").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_digits(folder, 400, 60)
        (folder / "written").touch()
    return str(folder)


def table_cells(setting: Setting) -> list[Cell]:
    """The cells of part d: a space each."""
    folder = digits_folder(setting)
    spaces = setting.choose(tuple(dvae_rows.ROWS), ("sphere2",))
    return [Cell(name, partial(table_row, setting, name, folder), 60, "space") for name in spaces]


def table_row(setting: Setting, name: str, digits: str) -> dict[str, Any]:
    """Trains a row of Table 1 and returns all that the table needs of it."""
    seeds, epochs = setting.choose((SEEDS, EPOCHS), (2, 1))
    config: Any = dict(dvae_rows.members("1", seeds, epochs, digits))[name]
    config.log_every, config.checkpoint_every = LOG_EVERY, CHECKPOINT_EVERY
    block = resolve(config, SMALL_DVAE if setting.rehearse else {}).block
    results = trained(Member(name, block, {}), setting.scratch / "table_1")
    return {"num_epochs": block["num_epochs"], "results": results}


def other_cells(setting: Setting) -> list[Cell]:
    """The cells of part f."""
    digits = digits_folder(setting)
    cells = [
        Cell(f"coefficients_d{dim}M{size}", partial(inference_rate, setting, dim, size), 25, "coefficients")
        for dim, size in setting.choose(((2, 4), (6, 8), (10, 8)), ((2, 3),))
    ]
    cells.append(Cell("vaells_circles", partial(vaells_rate, setting), 60))
    cells.append(Cell("neighbors", partial(neighbor_rate, setting, digits), 30))
    cells.append(Cell("spectral_net", partial(spectral_net_times, setting, digits), 60))
    rows = setting.choose(tuple(er_rows.PUBLISHED), ("learned",))
    cells += [Cell(f"er_{row}", partial(er_row, setting, row), 60, "er") for row in rows]
    return [*cells, Cell("vdae_sphere", partial(vdae_sphere, setting), 90)]


def inference_rate(setting: Setting, dim: int, size: int) -> dict[str, Any]:
    """Returns problems per second, two restarts each, for two weights of the l1 term."""
    found = {}
    for problems in setting.choose((8192, 65_536), (32,)):
        arrays = [jnp.asarray(x, jnp.float32) for x in random_problems(dim, size, problems)]
        for weight in setting.choose((1e-6, 1e-2), (1e-2,)):
            infer = jax.jit(partial(_infer, weight=weight))
            (times,) = times_of(setting, partial(infer, *arrays))
            one = infer(*arrays)
            found[f"{problems} problems, l1 {weight:g}"] = {
                "problems_per_second": spread([problems / taken for taken in times]),
                "converged": float(jnp.mean(one.converged)),
                "objective": float(jnp.mean(one.objective)),
            }
    return found


def _infer(operators: jax.Array, z0: jax.Array, z1: jax.Array, weight: float) -> Inference:
    return infer_coefficients(jax.random.key(0), operators, z0, z1, l1_weight=weight)


def vaells_rate(setting: Setting) -> dict[str, Any]:
    """Returns milliseconds of steps of the networks, of the operators, and of the inference alone."""
    steps, trained_steps = setting.choose((50, 2000), (2, 0))
    functions = vaells_steps(steps, trained_steps)
    times = times_of(setting, *functions.values())
    return {
        name: {"milliseconds": spread([1e3 * taken / steps for taken in taking])}
        for name, taking in zip(functions, times, strict=True)
    }


def _digits(setting: Setting, folder: str) -> Dataset:
    return data.load("mnist", dir=folder) if not setting.rehearse else random_digits(name="mnist", num_train=200)


def neighbor_rate(setting: Setting, folder: str) -> dict[str, Any]:
    """Returns seconds of the ten nearest neighbours of all digits, and of the exact products it needs."""
    dataset = _digits(setting, folder)
    x = jnp.asarray(dataset.train["x"], jnp.float32).reshape(dataset.num_train, -1) / 255

    @jax.jit
    def multiply(x: jax.Array) -> jax.Array:
        rows = x[: len(x) // 200 * 200].reshape(-1, 200, x.shape[1])
        exact = jax.lax.Precision.HIGHEST
        return jax.lax.map(lambda block: jnp.max(jnp.matmul(block, x.T, precision=exact), axis=1), rows)

    search, product = times_of(setting, lambda: nearest_neighbors(x, 10), lambda: multiply(x))
    return {
        "points": len(x),
        "seconds": spread(search),
        "product_seconds": spread(product),
        "of_product": spread([alone / whole for alone, whole in zip(product, search, strict=True)]),
    }


def spectral_net_times(setting: Setting, folder: str) -> dict[str, Any]:
    """Returns seconds of the graph of all digits, 30 neighbours each, and of training a SpectralNet on it."""
    plain = _digits(setting, folder)
    began = time.perf_counter()
    dataset = with_graph(plain, num_neighbors=setting.choose(30, 10), scale_neighbor=10)
    jax.block_until_ready(dataset.train)
    graph = time.perf_counter() - began
    steps, dim, batch = setting.choose((1000, 10, 512), (10, 2, 64))
    learned = learn(dataset, settings(steps, setting.choose(30, 10)), dim, 0, batch=batch)
    return {"points": plain.num_train, "graph_seconds": graph, "training_seconds": learned.seconds}


def er_row(setting: Setting, row: str) -> dict[str, Any]:
    """Trains a row of the toy task's table on the circle."""
    (member,) = er_rows.members("circle", [row], seeds=setting.choose(SEEDS, 2), num_steps=None)
    if setting.rehearse:
        member = _smaller(er_rows.CONFIG, "circle", er_rows.overrides(row, "circle") | SMALL_ER | {"num_seeds": 2}, row)
    return {"results": trained(member, setting.scratch / "er")}


def _smaller(path: Path, argument: str, overrides: dict[str, Any], name: str) -> Member:
    return Member(name, resolve(load_config(path, argument), overrides).block, {})


def vdae_sphere(setting: Setting) -> dict[str, Any]:
    """Trains the VDAE on the sphere."""
    if setting.rehearse:
        member = _smaller(CONFIGS / "vdae.py", "sphere", SMALL_VDAE, "sphere")
    else:
        member = Member("sphere", config_of("vdae:sphere"), {})
    return {"results": trained(member, setting.scratch / "vdae")}

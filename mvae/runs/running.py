"""One run, from its config to its results and figures; the same call on the same folder resumes it."""

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from mvae.data import Dataset
from mvae.engine.batches import check_stream
from mvae.engine.loop import Sinks, run_stage
from mvae.engine.memory import check_room, is_out_of_memory
from mvae.engine.mesh import DATA, REPLICA, build_mesh, to_host
from mvae.engine.metrics import read_records
from mvae.engine.precision import check_precision
from mvae.engine.processes import agree, allgather, is_lead, lead_first
from mvae.engine.program import Program, build_program
from mvae.engine.seeds import seed_keys
from mvae.engine.signals import Interrupted, StopRequest
from mvae.errors import UsageError
from mvae.kept import Kept
from mvae.methods import METHODS
from mvae.models.autoencoder import Networks
from mvae.reports import EvaluationConfig, Programs, View
from mvae.reports import conclude as conclude_view
from mvae.reports import finished as finished_view
from mvae.runs.experiment import Experiment, build_experiment
from mvae.runs.fingerprint import Fingerprint, fingerprint
from mvae.runs.locks import locked
from mvae.runs.overrides import resolve
from mvae.runs.run_folder import RunFolder
from mvae.runs.sinks import folder_sinks
from mvae.runs.trained.codes import write_codes
from mvae.runs.trained.models import Functions
from mvae.runs.trained.saved import FILE, own_names, saved_of, write_npz, write_saved
from mvae.typed import typed

LOGGER = logging.getLogger(__name__)


def run(
    config: Mapping[str, Any],
    workdir: Path,
    overrides: list[str] | None = None,
    *,
    num_devices: int | None = None,
    replicas: int | None = None,
    matmul_precision: str = "default",
    stream: int | None = None,
    dataset: Dataset | None = None,
    networks: Networks | None = None,
) -> dict[str, Any]:
    """Trains, evaluates and draws what the config says, or what is missing of it.

    Several processes joined by `mvae.engine.processes.connect` all call it with the same arguments. Each reads all
    of the data, streamed or not, and evaluates on a device of its own; process 0 alone writes, but for the checkpoints.

    Args:
        config: The config, whole or in part: see `mvae.runs.overrides.resolve`.
        workdir: The run's folder; made if it is not there, resumed if it is.
        overrides: The command line's overrides, recorded in config.json.
        num_devices: How many devices train; None for all of them. See `mvae.engine.mesh.mesh_shape` for how they
            share seeds and batches. The numbers are those of one device to rounding, so a run may go on with others.
        replicas: Devices along the seeds; None for that rule.
        matmul_precision: Of the products in steps of training, one of `mvae.engine.precision.PRECISIONS`. It
            belongs to the run: A run may not go on with another.
        stream: Where the training data are, a matter of the machine like the devices: None for on the device, whole;
            else they stay on the host, and so many batches at a time go to the device, read ahead by grain. The
            numbers are the same to rounding, so a run may go on either way.
        dataset: The data, where they are at hand; None to load those of the config.
        networks: A user's own, in place of those of the config.

    Returns:
        What results.json holds: per member of the seed axis, mean and standard deviation.

    Raises:
        UsageError: For bad input, a folder of another config or that another process is using, or checkpoints none
            of which can be read.
        Interrupted: On SIGINT or SIGTERM, with a checkpoint of what was trained written.
        Diverged: If a loss is not finite.
    """
    check_precision(matmul_precision)
    config = resolve(config).block
    if stream is not None:
        check_stream(stream)
    folder = RunFolder(workdir)
    known = None if dataset is None else fingerprint(dataset)
    load = None if dataset is None else lambda **options: dataset
    # Of several processes none may leave alone.
    with StopRequest(deferred=jax.process_count() > 1) as request, contextlib.ExitStack() as stack:
        if (finished := finished_results(folder, config, matmul_precision, known, networks)) is not None:
            return finished
        lead_first(lambda: _begin(folder, config, matmul_precision, stack))
        if (finished := finished_results(folder, config, matmul_precision, known, networks)) is not None:
            return finished  # by one that has ended between the two
        kept = Kept(folder.prepared)
        experiment = lead_first(
            lambda: build_experiment(config, load=load, streamed=stream is not None, networks=networks, kept=kept)
        )
        seeds, batch_size = experiment.run.num_seeds, experiment.run.batch_size
        mesh = build_mesh(seeds, batch_size, num_devices=num_devices, replicas=replicas)
        programs = build_programs(experiment, mesh=mesh, matmul_precision=matmul_precision, stream=stream)
        data = known or fingerprint(experiment.dataset)
        own = own_names(experiment.networks)
        lead_first(lambda: folder.claim(dict(config), overrides or [], matmul_precision, data, own))
        if is_lead() and kept.computed:
            _write_prepared(folder, kept)
        try:
            params = train(experiment, folder, mesh=mesh, programs=programs)
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise UsageError(
                f"the memory does not suffice for training ({str(error).splitlines()[0]}): give smaller batches, fewer "
                "seeds or smaller nets and another folder, or go on in this one on a larger device"
            ) from error
        except OSError as error:
            raise UsageError(
                f"--workdir={workdir} cannot be written: {error.strerror or error}; the same command goes on from the "
                "newest checkpoint"
            ) from error
        if (received := agree(1, request.received)[1]) is not None:
            raise Interrupted(received)
        return conclude(experiment, params, folder)


def _write_prepared(folder: RunFolder, kept: Kept) -> None:
    """Writes prepared.npz; a disk that is full costs that file, not the run."""
    try:
        write_npz(folder.prepared, kept.computed)
    except OSError as error:
        LOGGER.warning("%s cannot be written (%s): it will be made anew", folder.prepared, error.strerror or error)


def _begin(folder: RunFolder, config: Mapping[str, Any], matmul_precision: str, stack: contextlib.ExitStack) -> None:
    """Checks a folder before anything is loaded, and locks it until the stack ends: the lead for all processes."""
    folder.check(dict(config), matmul_precision)
    if is_lead():
        stack.enter_context(locked(folder.path))


def conclude(
    experiment: Experiment, params: Any, folder: RunFolder, programs: Programs | None = None, *, draw: bool = True
) -> dict[str, Any]:
    """Evaluates and draws what was trained, writes results.json and returns what it holds.

    Args:
        experiment: The experiment.
        params: Parameters of the model, seeds on the first axis.
        folder: The run's folder.
        programs: Compiled functions of this model and these data, where several runs share them.
        draw: Whether figures are drawn.
    """
    view = view_of(experiment, params, read_records(folder.metrics), programs)
    reports = experiment.reports if draw else tuple(report._replace(figures=None) for report in experiment.reports)
    if is_lead():
        _keep(experiment, view, folder)
    try:
        return conclude_view(view, reports, folder.path, facts_of(experiment, view))
    finally:
        allgather(0)  # one that left before the others are done would count as lost


def _keep(experiment: Experiment, view: View, folder: RunFolder) -> None:
    """Writes model.npz, which `mvae.load` reads, and codes.npz; without the latter a run is a run all the same.

    Raises:
        UsageError: If it cannot be written.
    """
    saved = saved_of(experiment, view)
    try:
        write_saved(folder.path / FILE, saved)
    except OSError as error:
        path = folder.path / FILE
        raise UsageError(f"{path} cannot be written: {error.strerror or error}; the same command goes on") from error
    try:
        if METHODS[saved.config["method"]].model is not None:
            functions = view.programs.once("functions", lambda: Functions(saved, experiment.networks))
            write_codes(folder.path, functions, view.params, saved.seeds, experiment.dataset)
    except Exception as error:
        LOGGER.warning("no codes.npz: %s", " ".join(f"{type(error).__name__}: {error}".split()))


def view_of(
    experiment: Experiment, params: Any, records: list[dict[str, Any]], programs: Programs | None = None
) -> View:
    """Returns what reports see of a trained run; `params` has the seeds on the first axis."""
    run = experiment.run
    seeds = range(run.seed, run.seed + run.num_seeds)
    return View(
        experiment.model, experiment.dataset, experiment.evaluation, seeds, params, records=records, programs=programs
    )


def facts_of(experiment: Experiment, view: View) -> dict[str, Any]:
    """Returns the entries of results.json that are no numbers of a report."""
    return {
        "num_steps": sum(stage.num_steps for stage in experiment.stages),
        "num_train": view.dataset.num_train,
        "num_test": view.dataset.num_test,
        "importance_samples": experiment.evaluation.importance_samples,
        "train_seconds": sum(record.get("seconds", 0.0) for record in view.records) if view.records else None,
    }


def finished_results(
    folder: RunFolder,
    config: Mapping[str, Any],
    matmul_precision: str = "default",
    data: Fingerprint | None = None,
    networks: Networks | None = None,
) -> dict[str, Any] | None:
    """Returns the results of a folder that is done with this config, None if there is work to do.

    Work is training, what of the evaluation or the figures failed, or an evaluation by other settings.
    """
    if not allgather(int(folder.has_results()))[0]:
        return None
    folder.claim(dict(config), [], matmul_precision, data, own_names(networks or Networks()))
    settings = typed(EvaluationConfig, config.get("evaluation", {}), "config.evaluation")
    results = finished_view(folder.path, settings)
    if results is not None:
        LOGGER.info("%s is finished: nothing to do", folder.path)
    return results


def build_programs(
    experiment: Experiment, *, mesh: Mesh | None = None, matmul_precision: str = "default", stream: int | None = None
) -> list[Program]:
    """Returns the program of each stage, none of them compiled yet; arguments as for `train`.

    Raises:
        UsageError: If what they carry from step to step does not fit into memory.
    """
    run_config = experiment.run
    programs = [
        build_program(
            stage,
            experiment.dataset,
            run_config.batch_size,
            run_config.init_batch_size,
            seed_keys(run_config.seed, run_config.num_seeds, index),
            block_steps=stream,
            mesh=mesh,
            matmul_precision=matmul_precision,
        )
        for index, stage in enumerate(experiment.stages)
    ]
    names = [stage.name for stage in experiment.stages]
    check_room(list(zip(names, programs, strict=True)), run_config.num_seeds, 1 if mesh is None else mesh.size)
    return programs


def train(
    experiment: Experiment,
    folder: RunFolder | None,
    *,
    mesh: Mesh | None = None,
    matmul_precision: str = "default",
    stream: int | None = None,
    programs: list[Program] | None = None,
    sinks: Sinks | None = None,
) -> Any:
    """Runs all stages on a mesh, or on one device if it is None; `stream` as for `run`.

    Args:
        experiment: The experiment.
        folder: The run's folder; None where sinks are given.
        mesh: The devices.
        matmul_precision: As for `run`.
        stream: Likewise.
        programs: Those of `build_programs`; None to build them here.
        sinks: Where checkpoints and metrics go; None for the folder.

    Returns:
        The parameters of the model, seeds on the first axis, on one device of this process.
    """
    run_config = experiment.run
    if mesh is not None:
        LOGGER.info("training on %d devices: replica %d, data %d", mesh.size, mesh.shape[REPLICA], mesh.shape[DATA])
    if sinks is None:
        if folder is None:
            raise ValueError("give a folder or sinks")
        sinks = folder_sinks(folder)
    if programs is None:
        programs = build_programs(experiment, mesh=mesh, matmul_precision=matmul_precision, stream=stream)
    state = None
    for stage, program in zip(experiment.stages, programs, strict=True):
        state = run_stage(
            stage,
            program,
            state,
            sinks,
            log_every=run_config.log_every,
            checkpoint_every=run_config.checkpoint_every,
        )
    params = experiment.params_of(state)
    return params if mesh is None else jax.tree.map(lambda leaf: jnp.asarray(to_host(leaf)), params)

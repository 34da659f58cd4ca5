"""Packs as tasks of a Ray cluster, one pack a task."""

import functools
import importlib.util
import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jax

from mvae.engine.compilation_cache import use_compilation_cache
from mvae.engine.signals import Interrupted, StopRequest
from mvae.errors import UsageError
from mvae.runs.config_file import load_config
from mvae.runs.console import log_to_console
from mvae.sweep.members import load_sweep
from mvae.sweep.packing import Job
from mvae.sweep.runner import Failures, failures_of

LOGGER = logging.getLogger(__name__)

POLL_SECONDS = 1.0
STOP_SECONDS = 120.0  # in which cancelled tasks write their checkpoints
MEMORY_SHARE = 0.9  # of a task's fraction of a GPU, for XLA's pool


def ray_executor(
    *,
    cpus: float = 1.0,
    gpus: float | None = None,
    retries: int = 3,
    limit: int | None = None,
    compilation_cache: str | None = None,
    config: tuple[Path, str] | None = None,
    sweep: Path | None = None,
) -> Callable[[Iterable[list[Job]]], Iterator[tuple[list[Job], Failures]]]:
    """Returns an executor that hands packs to the Ray cluster of this machine, or to one that it starts here.

    A task whose worker dies is run again and goes on from the checkpoints of its members. The locks are held by this
    process, whose end ends the tasks; it stays on CPU itself and leaves the accelerators to them. All machines of the
    cluster must see the sweep's folder under the same path.

    Args:
        cpus: Cores of a task.
        gpus: GPUs of a task, a fraction for several tasks on one; None for one where the cluster has any.
        retries: How often a task is run again after its worker died.
        limit: Bytes that programs may take; None for what a worker's device has.
        compilation_cache: The workers', as for `mvae.engine.compilation_cache.use_compilation_cache`.
        config: Config file and its argument, which workers that see the file load too: it may add a manifold or a
            method of its own.
        sweep: File of the sweep, which they load likewise.

    Raises:
        UsageError: If ray is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise UsageError("--executor=ray needs ray: pip install mvae[ray]")
    jax.config.update("jax_platforms", "cpu")
    ray = _connected()  # now, before JAX has threads, which do not survive a fork
    given = (limit, compilation_cache, config, sweep)
    return functools.partial(_execute, ray, cpus=cpus, gpus=gpus, retries=retries, given=given)


def _execute(
    ray: Any,
    packs: Iterable[list[Job]],
    *,
    cpus: float,
    gpus: float | None,
    retries: int,
    given: tuple[int | None, str | None, tuple[Path, str] | None, Path | None],
) -> Iterator[tuple[list[Job], Failures]]:
    """Submits all packs, each with what `_task` is given beside it, and yields each as it is done."""
    submitted = list(packs)
    if not submitted:
        return
    if gpus is None:
        gpus = 1.0 if ray.cluster_resources().get("GPU", 0) else 0.0
    options = {
        "num_cpus": cpus,
        "num_gpus": gpus,
        "max_retries": retries,
        "runtime_env": {"env_vars": _environment(gpus)},
    }
    remote = ray.remote(_task).options(**options)
    tasks = {remote.remote(jobs, *given): jobs for jobs in submitted}
    with StopRequest(deferred=True) as request:
        while tasks:
            done, _ = ray.wait(list(tasks), num_returns=1, timeout=POLL_SECONDS)
            if request.received is not None:
                _cancel(ray, list(tasks))
                raise Interrupted(request.received)
            for reference in done:
                jobs = tasks.pop(reference)
                yield jobs, _fetched(ray, reference, jobs)
        if request.received is not None:  # with the last task
            raise Interrupted(request.received)


def _connected() -> Any:
    """The module ray, connected to a cluster; nothing is reported to its makers unless the user asks for that."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray  # pyright: ignore[reportMissingImports] -- an extra

    if not ray.is_initialized():
        ray.init(include_dashboard=False, logging_level=logging.WARNING)
    return ray


def _environment(gpus: float) -> dict[str, str]:
    """Variables of the workers: this process's choice of platform, and the share of a GPU that XLA reserves."""
    names = ("JAX_PLATFORMS", "MVAE_DATA_DIR", "PYTHONPATH", "JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME")
    variables = {name: os.environ[name] for name in names if name in os.environ}
    if 0 < gpus < 1:
        variables["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{MEMORY_SHARE * gpus:.3f}"
    return variables


def _task(
    jobs: list[Job],
    limit: int | None,
    compilation_cache: str | None,
    config: tuple[Path, str] | None,
    sweep: Path | None = None,
) -> Failures:
    """Runs a pack in a worker."""
    log_to_console()
    use_compilation_cache(compilation_cache)
    if config is not None and config[0].is_file():
        load_config(*config)
    if sweep is not None and sweep.is_file():
        load_sweep(sweep)
    names = ", ".join(job.path.name for job in jobs)
    LOGGER.info("%s on %s, process %d", names, socket.gethostname(), os.getpid())
    try:
        return failures_of(jobs, limit)
    except Interrupted as stop:
        raise KeyboardInterrupt from stop  # which ray takes for the end of a cancelled task


def _fetched(ray: Any, reference: Any, jobs: list[Job]) -> Failures:
    """The failures that a task found; if it has none to tell because its worker died too often, that."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return [f"{type(error).__name__}: {reason}"] * len(jobs)


def _cancel(ray: Any, references: list[Any]) -> None:
    """Asks tasks to stop, as SIGINT does, and waits until they have written their checkpoints."""
    for reference in references:
        ray.cancel(reference, force=False)
    ray.wait(references, num_returns=len(references), timeout=STOP_SECONDS)

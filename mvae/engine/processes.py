"""Several processes of one run, on one host or many: who writes, and what all must decide alike."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from mvae.errors import UsageError

T = TypeVar("T")

WAIT_SECONDS = 300.0  # for process 0 of several


def connect(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    """Joins this process to the others of the run; to be called before anything else asks jax for devices.

    Args:
        coordinator: HOST:PORT at which process 0 listens. What is None comes from the environment: Slurm, Open MPI,
            Kubernetes, TPU pods, or JAX_COORDINATOR_ADDRESS and the like.
        num_processes: How many processes the run has.
        process_id: Which one this is, from 0.

    Raises:
        UsageError: If something is missing or out of range, or the others do not come.
    """
    if coordinator is not None and process_id != 0:
        _await_listener(coordinator)
    # The service would take SIGTERM for itself; `mvae.engine.signals` is to have it.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(coordinator, num_processes, process_id)
    except (ValueError, RuntimeError) as error:
        raise UsageError(
            f"--coordinator={coordinator} --num_processes={num_processes} --process_id={process_id}: "
            f"{str(error).splitlines()[0]}"
        ) from error


def _await_listener(coordinator: str) -> None:
    """Returns once somebody listens at HOST:PORT; jax, which waits too, hears no signals there and ends by a crash.

    Raises:
        UsageError: If nobody does for `WAIT_SECONDS`, or it is no such address.
    """
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UsageError(f"--coordinator={coordinator}: give HOST:PORT of process 0, such as node-1:12345")
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            return
        except socket.gaierror as error:
            raise UsageError(f"--coordinator={coordinator}: there is no host {host} ({error.strerror})") from error
        except OSError as error:
            if time.monotonic() > end:
                raise UsageError(
                    f"--coordinator={coordinator}: process 0 does not listen there ({error.strerror or error}): see "
                    "that it runs, and that its port can be reached from here"
                ) from error
        time.sleep(1.0)


def use_cpu_devices(number: int | None) -> None:
    """Makes the CPU count as so many devices, None for one; before anything asks jax for devices, but after `connect`.

    Seeds are shared out among them, and each works through its own on one core: small models gain by it, since their
    operations are too short for several cores.

    Raises:
        UsageError: If the number is not positive, devices were asked for before, or the run is not on the CPU.
    """
    if number is None:
        return
    if number < 1:
        raise UsageError(f"--cpu_devices={number}: must be at least 1; the cores of the machine are a good number")
    try:
        jax.config.update("jax_num_cpu_devices", number)
    except RuntimeError as error:
        raise UsageError(f"--cpu_devices={number}: {str(error).splitlines()[0]}") from error
    if jax.default_backend() != "cpu":
        raise UsageError(
            f"--cpu_devices={number}: this run is on {jax.default_backend()}; JAX_PLATFORMS=cpu keeps it on the CPU"
        )


def is_lead() -> bool:
    """Whether this process is the one that writes config.json, metrics, results and figures."""
    return jax.process_index() == 0


def allgather(value: int) -> list[int]:
    """Returns the values of all processes, in their order; a barrier, since all of them must call it together."""
    if jax.process_count() == 1:
        return [value]
    return multihost_utils.process_allgather(np.int32(value)).tolist()


def agree(length: int, received: int | None) -> tuple[int, int | None]:
    """Returns the shortest length and a signal that any process has received: every process gets the same."""
    if jax.process_count() == 1:
        return length, received
    pairs = multihost_utils.process_allgather(np.array([length, received or 0], np.int32))
    return int(pairs[:, 0].min()), int(pairs[:, 1].max()) or None


def lead_first(action: Callable[[], T]) -> T:
    """Returns action(), which the other processes begin after process 0 has done it, as where it makes files.

    Raises:
        UsageError: On the other processes if the action raised anything on process 0.
    """
    if jax.process_count() == 1:
        return action()
    if is_lead():
        try:
            result = action()
        except BaseException:
            allgather(int(False))
            raise
        allgather(int(True))
        return result
    if not allgather(int(True))[0]:
        raise UsageError("process 0 has stopped: its message says why")
    return action()

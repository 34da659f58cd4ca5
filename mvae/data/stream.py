"""Data sets whose training rows stay on the host, for those that the device cannot hold."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvae.data.dataset import Dataset
from mvae.data.rows import ArrayRows
from mvae.errors import UsageError


def on_host(make: Callable[[], Dataset]) -> Dataset:
    """Returns the data set that `make` makes, its training rows in the memory of the host.

    It is made there, so that the device never holds it; the test rows are on the device, as ever. One whose training
    rows are on the host already keeps them.

    Raises:
        UsageError: If jax has been told to leave the CPU alone.
    """
    with jax.default_device(cpu()):
        dataset = make()
    test, curves = (_on_device(rows) for rows in (dataset.test, dataset.curves))
    if dataset.source is not None:
        return dataset._replace(test=test, curves=curves)
    source = ArrayRows({name: np.asarray(array) for name, array in dataset.train.items()})
    return dataset._replace(train=source.columns, test=test, curves=curves, source=source)


def _on_device(rows: Any) -> Any:
    return jax.tree.map(lambda array: jnp.asarray(np.asarray(array)), rows)


def cpu() -> Any:
    """Returns jax's CPU device of this process.

    Raises:
        UsageError: If jax has been told to leave the CPU alone.
    """
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError as error:
        raise UsageError(
            "--stream needs the CPU beside the accelerator: leave JAX_PLATFORMS unset, or add ,cpu to it"
        ) from error

"""The devices of a run as one mesh, axes "replica" and "data": seeds shard over the first, batches over the second."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, Sharding
from jaxtyping import Array

from mvae.errors import UsageError

REPLICA, DATA = AXES = ("replica", "data")
SEEDS = PartitionSpec(REPLICA)  # arrays with the seeds on the first axis
EXAMPLES = PartitionSpec(DATA)  # of one seed's batch, on the first axis
EVERYWHERE = PartitionSpec()


class MeshShape(NamedTuple):
    """Devices along each axis."""

    replica: int
    data: int


def mesh_shape(num_devices: int, num_seeds: int, batch_size: int, replicas: int | None = None) -> MeshShape:
    """Returns how devices share a run: as many of them as possible along the seeds, the rest along the batch.

    Seeds need nothing of each other, while the shares of a batch are summed in every step. "replica" is the greatest
    divisor of the devices that divides the seeds and leaves a number of devices that divides the batch.

    Args:
        num_devices: All devices; none is left idle.
        num_seeds: Members of the seed axis.
        batch_size: Examples per step and seed.
        replicas: Devices along the seeds, if not that number.

    Raises:
        UsageError: If no such shape exists, or `replicas` is none.

    >>> mesh_shape(8, 10, 128)
    MeshShape(replica=2, data=4)
    """
    fitting = _replicas(num_devices, num_seeds, batch_size)
    given = f"{num_devices} devices, {num_seeds} seed(s) and batches of {batch_size}"
    if replicas is not None and replicas not in fitting:
        known = f"--replicas may be {', '.join(map(str, fitting))}" if fitting else "no --replicas would"
        raise UsageError(
            f"--replicas={replicas} does not divide devices and seeds, or leaves devices that do not divide the "
            f"batch: with {given} {known}"
        )
    if not fitting:
        fewer = next(n for n in range(num_devices - 1, 0, -1) if _replicas(n, num_seeds, batch_size))
        raise UsageError(
            f"{given} do not divide: take --devices={fewer}, or another config.batch_size or config.num_seeds"
        )
    replica = replicas or max(fitting)
    return MeshShape(replica, num_devices // replica)


def _replicas(num_devices: int, num_seeds: int, batch_size: int) -> list[int]:
    """Sizes of the first axis that divide evenly."""
    divisors = [n for n in range(1, num_devices + 1) if num_devices % n == 0]
    return [n for n in divisors if num_seeds % n == 0 and batch_size % (num_devices // n) == 0]


def build_mesh(
    num_seeds: int, batch_size: int, *, num_devices: int | None = None, replicas: int | None = None
) -> Mesh | None:
    """Returns the mesh over the devices of all processes, or None for a single device, which needs none.

    Args:
        num_seeds: Members of the seed axis.
        batch_size: Examples per step and seed.
        num_devices: How many devices to take, the first ones; None for all.
        replicas: Devices along the seeds; None for the rule of `mesh_shape`.

    Raises:
        UsageError: If there are not so many devices, or the seeds and the batch do not divide.
    """
    devices = jax.devices()
    if num_devices is not None:
        if not 1 <= num_devices <= len(devices):
            raise UsageError(f"--devices must be from 1 to {len(devices)}, the devices there are, got {num_devices}")
        if num_devices < len(devices) and jax.process_count() > 1:
            raise UsageError(f"--devices={num_devices}: several processes use all of their {len(devices)} devices")
        devices = devices[:num_devices]
    shape = mesh_shape(len(devices), num_seeds, batch_size, replicas)
    if len(devices) == 1:
        return None
    return _mesh(shape, devices)


def seeds_mesh(num_seeds: int) -> Mesh | None:
    """Returns the mesh over as many of this process's devices as divide the seeds evenly, None for a single one."""
    devices = jax.local_devices()
    number = max(n for n in range(1, len(devices) + 1) if num_seeds % n == 0)
    return None if number == 1 else _mesh(MeshShape(number, 1), devices[:number])


def _mesh(shape: MeshShape, devices: Sequence[Any]) -> Mesh:
    return jax.make_mesh(shape, AXES, (AxisType.Auto, AxisType.Auto), devices=devices)


def to_devices(tree: Any, sharding: Sharding) -> Any:
    """Returns arrays of that sharding with the values of `tree`, which every process has whole.

    Nothing is sent between processes; each puts its part onto its own devices.
    """
    return jax.tree.map(lambda leaf: _put(leaf, sharding), tree)


def to_devices_like(leaf: Any, onto: Array) -> Array:
    """Returns an array with the values of `leaf`, which every process has whole, where another array is.

    An array that is committed to its device is another argument to a compiled function than one that is not: it would
    compile once more for what was restored.
    """
    return _put(leaf, onto.sharding) if onto.committed else jax.device_put(leaf)


def _put(leaf: Any, sharding: Sharding) -> Array:
    if jax.process_count() == 1:
        return jax.device_put(leaf, sharding)
    if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        wrap = functools.partial(jax.random.wrap_key_data, impl=jax.random.key_impl(leaf))
        return jax.jit(wrap, out_shardings=sharding)(_put(jax.random.key_data(leaf), sharding))
    host = np.asarray(leaf)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def on_each_replica(function: Callable, mesh: Mesh | None, in_specs: tuple[PartitionSpec, ...]) -> Callable:
    """Returns a function that each device along "replica" runs on its own seeds, with no word of the others.

    A loop within it ends when those seeds are done. "data" is left to the compiler, see `constrain`.

    Args:
        function: Arrays in, arrays with the seeds on the first axis out.
        mesh: The devices; None for one, which is given all the seeds.
        in_specs: For each argument where the seeds are, `SEEDS`, or `EVERYWHERE` if it has none.
    """
    if mesh is None:
        return function
    return jax.shard_map(function, mesh=mesh, in_specs=in_specs, out_specs=SEEDS, axis_names={REPLICA}, check_vma=False)


def constrain(tree: Any, spec: PartitionSpec, mesh: Mesh | None) -> Any:
    """Returns arrays told to lie as `spec` says, `EXAMPLES` or `EVERYWHERE`; within `on_each_replica`."""
    return tree if mesh is None else jax.lax.with_sharding_constraint(tree, spec)


def to_host(array: Any) -> np.ndarray:
    """Returns the whole array on the host, on every process; all of them must call it together."""
    if isinstance(array, jax.Array) and not (array.is_fully_addressable or array.is_fully_replicated):
        assert isinstance(array.sharding, NamedSharding)
        array = _replicate(array.sharding.mesh)(array)
    return np.asarray(array)


@functools.cache
def _replicate(mesh: Any) -> Any:
    return jax.jit(lambda array: array, out_shardings=NamedSharding(mesh, EVERYWHERE))

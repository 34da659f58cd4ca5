"""How devices share seeds and batches, and what is said where they cannot."""

import jax
import numpy as np
import pytest
from jax.sharding import SingleDeviceSharding

from mvae.engine.mesh import build_mesh, mesh_shape, seeds_mesh, to_devices, to_host
from mvae.errors import UsageError


@pytest.mark.parametrize(
    ("num_devices", "num_seeds", "batch_size", "shape"),
    [
        (1, 1, 7, (1, 1)),
        (8, 1, 128, (1, 8)),
        (8, 8, 128, (8, 1)),
        (8, 8, 127, (8, 1)),
        (8, 10, 128, (2, 4)),
        (8, 16, 128, (8, 1)),
        (8, 4, 50, (4, 2)),
        (6, 10, 126, (2, 3)),
        (6, 6, 125, (6, 1)),
    ],
)
def test_seeds_come_first_and_no_device_is_idle(num_devices, num_seeds, batch_size, shape):
    found = mesh_shape(num_devices, num_seeds, batch_size)
    assert found == shape
    assert found.replica * found.data == num_devices
    assert num_seeds % found.replica == 0
    assert batch_size % found.data == 0


def test_replicas_are_taken_as_asked():
    assert mesh_shape(8, 8, 128, 2) == (2, 4)
    assert mesh_shape(8, 8, 128, 1) == (1, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((8, 1, 100), r"8 devices, 1 seed\(s\) and batches of 100 do not divide: take --devices=5"),
        ((3, 10, 128), "take --devices=2"),
        ((7, 1, 5, 7), "--replicas=7 does not divide.*no --replicas would"),
        ((8, 8, 128, 3), "--replicas=3 does not divide.*may be 1, 2, 4, 8"),
        ((8, 8, 4, 1), "may be 2, 4, 8"),
        ((8, 8, 4, 0), "--replicas=0 does not divide"),
    ],
)
def test_what_does_not_divide_is_refused_with_the_remedy(arguments, message):
    with pytest.raises(UsageError, match=message):
        mesh_shape(*arguments)


def test_one_device_needs_no_mesh():
    assert build_mesh(3, 7, num_devices=1) is None
    assert seeds_mesh(1) is None


@pytest.mark.parametrize("num_devices", [0, -1, 1 + jax.device_count()])
def test_devices_that_are_not_there_are_refused(num_devices):
    with pytest.raises(UsageError, match=f"--devices must be from 1 to {jax.device_count()}.*got {num_devices}"):
        build_mesh(1, 8, num_devices=num_devices)


def test_placed_arrays_keep_their_values():
    keys = jax.random.split(jax.random.key(0), 3)
    tree = {"x": np.arange(6.0, dtype=np.float32).reshape(2, 3), "keys": keys}
    placed = to_devices(tree, SingleDeviceSharding(jax.devices()[0]))
    np.testing.assert_array_equal(to_host(placed["x"]), tree["x"])
    np.testing.assert_array_equal(jax.random.key_data(placed["keys"]), jax.random.key_data(keys))

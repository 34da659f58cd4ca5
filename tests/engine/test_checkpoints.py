"""What is wrong with a checkpoint is said in one line: damage, another precision, another structure."""

import errno
import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import logging as absl_logging

from mvae.engine.checkpoints import Checkpoints
from mvae.errors import UsageError

TREE = {"params": {"kernel": jnp.arange(12.0).reshape(3, 4), "bias": jnp.ones(4)}, "count": jnp.int32(5)}


@pytest.fixture
def saved(tmp_path):
    """A folder with the checkpoints of two steps."""
    writer = Checkpoints(tmp_path)
    writer.save(1, TREE)
    writer.wait()
    writer.save(2, jax.tree.map(lambda leaf: leaf + 1, TREE))
    writer.close()
    return tmp_path


def restored(folder, like=TREE):
    reader = Checkpoints(folder)
    try:
        return reader.restore(like)
    finally:
        reader.close()


def test_the_newest_comes_back(saved):
    step, tree = restored(saved)
    assert step == 2
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b + 1), tree, TREE)


@pytest.mark.parametrize("part", ["tree", "meta"])
def test_damage_is_one_line_of_the_log(saved, part, caplog, capfd, monkeypatch):
    for name in ("mvae", "absl"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    for path in (saved / "2" / part).rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with caplog.at_level(logging.WARNING):
        assert restored(saved)[0] == 1
    assert len(caplog.records) == 1, caplog.text
    assert f"{saved / '2'} is damaged (" in caplog.text
    assert "Traceback" not in capfd.readouterr().err + caplog.text


def test_another_precision_is_named_and_nothing_is_called_damaged(saved, caplog):
    with jax.enable_x64(True):
        like = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), TREE | {"count": np.int32(5)})
        like["count"] = TREE["count"]
        message = r"written with JAX_ENABLE_X64=0, not 1 \(params.bias: float32 of shape \(4,\) there, float64 of shape"
        with pytest.raises(UsageError, match=message):
            restored(saved, like)
    assert "damaged" not in caplog.text
    assert restored(saved)[0] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": jnp.ones((3, 5))}, r"params.kernel: float32 of shape \(3, 4\) there, float32 of shape \(3, 5\)"),
        ({"scale": jnp.ones(4)}, r"params.scale: nothing there, float32 of shape \(4,\) here"),
        ({"bias": jnp.ones(4, jnp.bfloat16)}, r"params.bias: float32 of shape \(4,\) there, bfloat16"),
    ],
)
def test_another_structure_is_named(saved, change, message):
    with pytest.raises(UsageError, match=rf"is of another model \({message}"):
        restored(saved, TREE | {"params": TREE["params"] | change})
    assert restored(saved)[0] == 2


@pytest.mark.parametrize("method", ["save", "wait_until_finished"])
def test_what_cannot_be_written_is_one_line_that_nobody_waits_for(tmp_path, monkeypatch, method):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = Checkpoints(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(writer._manager, method, full)
        with pytest.raises(
            UsageError, match=rf"^no checkpoint can be written in {tmp_path} \(.*left on device\)"
        ) as raised:
            (writer.wait if method == "wait_until_finished" else lambda: writer.save(2, TREE))()
        assert raised.value.abrupt
        writer.close()
    writer._manager.close()


def test_what_threads_of_the_storage_library_raise_is_not_said_twice(tmp_path, caplog, monkeypatch):
    Checkpoints(tmp_path).close()
    logger = absl_logging.get_absl_logger()
    monkeypatch.setattr(logger, "propagate", True)
    for path, shown in (("/site-packages/orbax/checkpoint/future.py", False), ("/site-packages/jax/mesh.py", True)):
        record = logger.makeRecord("absl", logging.ERROR, path, 1, "raised", (), (OSError, OSError("full"), None))
        caplog.clear()
        logger.handle(record)
        assert ("raised" in caplog.text) == shown

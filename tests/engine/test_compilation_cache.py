"""Compiled programs on disk: used and bounded, never in the way, and the same bits as without."""

import re

import jax
import numpy as np
import pytest

from mvae.engine import compilation_cache
from mvae.engine.compilation_cache import default_folder, use_compilation_cache
from tests.processes import outcome, started

SETTINGS = (
    "jax_enable_compilation_cache",
    "jax_compilation_cache_dir",
    "jax_compilation_cache_max_size",
    "jax_persistent_cache_min_compile_time_secs",
)
# Compiled for 0.1 s at least; loops, draws and a factorisation, as in a step of training.
PROGRAM = """
import logging, sys
import jax, jax.numpy as jnp
from mvae.engine.compilation_cache import use_compilation_cache

logging.basicConfig()
use_compilation_cache(sys.argv[1])

@jax.jit
def steps(x, key):
    def step(i, x):
        noise = jax.random.normal(jax.random.fold_in(key, i), x.shape)
        return jnp.linalg.qr(jnp.tanh(x @ x) + noise)[0]
    return jax.lax.fori_loop(0, 50, step, x)

print(steps(jnp.eye(32), jax.random.key(0)).tobytes().hex())
"""


@pytest.fixture(autouse=True)
def settings_are_put_back():
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def entries(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*-cache")}


def test_loaded_programs_give_the_bits_of_compiled_ones_in_silence(tmp_path):
    bits = []
    for folder in ("off", tmp_path, tmp_path):
        before = entries(tmp_path)
        code, output, errors = outcome(started("-c", PROGRAM, folder, JAX_COMPILATION_CACHE_DIR="", XLA_FLAGS=""))
        assert (code, errors) == (0, "")
        bits.append(output)
    assert bits[0] == bits[1] == bits[2]
    assert len(np.frombuffer(bytes.fromhex(bits[0].strip()), np.float32)) == 32 * 32
    assert any(name.startswith("jit_steps") for name in before)
    assert entries(tmp_path) == before  # the third process compiled nothing


def test_the_user_s_folder_is_where_the_platform_has_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert default_folder().parent == tmp_path / ".cache" / "mvae" / "compiled"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the standard
    assert default_folder().parent == tmp_path / ".cache" / "mvae" / "compiled"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_folder().parent == tmp_path / "xdg" / "mvae" / "compiled"
    monkeypatch.setattr("sys.platform", "darwin")
    assert default_folder().parent == tmp_path / "Library" / "Caches" / "mvae" / "compiled"


def test_another_processor_has_another_folder(monkeypatch, tmp_path):
    names = set()
    for flags in ("avx2", "avx2 avx512f"):
        monkeypatch.setattr(compilation_cache.Path, "read_text", lambda path, flags=flags: f"flags\t\t: {flags}\n")
        names.add(default_folder().name)
    assert len(names) == 2
    assert all(re.fullmatch(r"\w+-[0-9a-f]{12}", name) for name in names)


def test_settings_and_whose_word_counts(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(compilation_cache.ENVIRONMENT, raising=False)
    assert use_compilation_cache() == default_folder()
    assert jax.config.jax_compilation_cache_dir == str(default_folder())
    assert jax.config.jax_compilation_cache_max_size == compilation_cache.MAX_BYTES
    assert default_folder().stat().st_mode & 0o077 == 0  # who writes there can run code in our name
    jax.config.update("jax_compilation_cache_dir", "/jax's own")
    monkeypatch.setenv(compilation_cache.ENVIRONMENT, "/jax's own")
    assert str(use_compilation_cache()) == jax.config.jax_compilation_cache_dir == "/jax's own"
    assert use_compilation_cache(str(tmp_path / "named")) == tmp_path / "named"
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "named")
    assert use_compilation_cache("off") is None
    assert not jax.config.jax_enable_compilation_cache


def test_a_folder_that_cannot_be_had_is_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    before = jax.config.jax_compilation_cache_dir
    assert use_compilation_cache(str(tmp_path / "file" / "cache")) is None
    assert jax.config.jax_compilation_cache_dir == before
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "--compilation_cache=FOLDER" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_entries_torn_by_a_kill_are_removed(tmp_path):
    for name in ("whole-cache", "whole-atime", "torn-cache"):
        (tmp_path / name).write_bytes(bytes(8))
    use_compilation_cache(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"whole-cache", "whole-atime", ".lockfile"}

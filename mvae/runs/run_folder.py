"""The folder of a run: what it holds, and that it belongs to one config and one data set."""

import contextlib
import json
import platform
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

import mvae
from mvae.engine.files import write_json
from mvae.engine.processes import is_lead
from mvae.errors import UsageError
from mvae.runs.fingerprint import Fingerprint, different
from mvae.runs.locks import LOCKS

RECORDED_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy")
# Where the data lie is a matter of the machine, not of the experiment.
MACHINE_KEYS = ("data.dir",)
# What is evaluated anew from the same training, and what results.json keeps the settings of.
EVALUATION = "evaluation."
# What may be in a folder that is not yet a run: logs of the job that makes it, and its lock.
LOG_SUFFIXES = (".log", ".out", ".err")


def _flat(block: dict, prefix: str = "") -> dict[str, Any]:
    """Flattens nested dicts to dotted keys."""
    flat = {}
    for key, value in block.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _git_revision() -> str | None:
    """Revision of the source tree, with "+dirty" where it was changed; None outside a checkout."""
    folder = Path(__file__).parent
    try:
        show = [
            "git",
            "-C",
            str(folder),
            "describe",
            "--always",
            "--dirty=+dirty",
            "--abbrev=40",
            "--exclude=*",
        ]
        return subprocess.run(show, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _version(package: str) -> str | None:
    """Version of an installed package, None for one that is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def environment() -> dict[str, Any]:
    """Returns the versions, the device and the source revision a run was made with.

    The library's version is that of the source that runs, which need not be installed.
    """
    return {
        "versions": {"mvae": mvae.__version__}
        | {name: _version(name) for name in RECORDED_PACKAGES}
        | {"python": platform.python_version()},
        "devices": [str(device.device_kind) for device in jax.devices()],
        "git_revision": _git_revision(),
    }


def _owned(networks: tuple[str, ...]) -> str:
    return f"your own {' and '.join(networks)}" if networks else "the networks of the config"


def _foreign(path: Path) -> bool:
    """Whether something in a folder without config.json speaks against making a run there."""
    return path.name != LOCKS and not (path.is_file() and path.suffix in LOG_SUFFIXES)


class RunFolder:
    """Paths of a run, and the promise that the folder belongs to one config."""

    def __init__(self, path: Path):
        path = path.expanduser()
        self.path = path
        self.config = path / "config.json"
        self.metrics = path / "metrics.jsonl"
        self.results = path / "results.json"
        self.figures = path / "figures"
        self.checkpoints = path / "checkpoints"
        self.tensorboard = path / "tensorboard"
        self.prepared = path / "prepared.npz"

    def claim(
        self,
        config: dict[str, Any],
        overrides: list[str],
        matmul_precision: str = "default",
        fingerprint: Fingerprint | None = None,
        networks: tuple[str, ...] = (),
    ) -> None:
        """Writes config.json, or checks that the one there says the same.

        Args:
            config: The resolved config, JSON types only.
            overrides: The command line's overrides, for the record.
            matmul_precision: See `mvae.runs.running.run`.
            fingerprint: Of the data that training goes on with, and with it the precision of arrays; None if nothing
                is to be trained.
            networks: Which of "encoder" and "decoder" are a user's own.

        Raises:
            UsageError: If the folder was made from another config (with the difference) or with other data, holds
                something else, or cannot be written.
        """
        config = json.loads(json.dumps(config))
        if self.check(config, matmul_precision):
            if fingerprint is not None:
                self._compare_data(fingerprint)
                self._compare_networks(networks)
            return
        if not is_lead():
            raise UsageError(
                f"--workdir={self.path} has no config.json, which process 0 has written: it must be on a file system "
                "that all processes share"
            )
        try:
            record = {"config": config, "overrides": overrides, "matmul_precision": matmul_precision}
            if fingerprint is not None:
                record |= {"data": fingerprint, "jax_enable_x64": jax.config.read("jax_enable_x64")}
                record |= {"networks": list(networks)}
            write_json(self.config, record | environment())
        except OSError as error:
            raise UsageError(f"--workdir={self.path} cannot be written: {error.strerror}") from error

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Context in which a path that no file can have, or that may not be read, is named."""
        try:
            yield
        except OSError as error:
            raise UsageError(
                f"--workdir={self.path} cannot be read: {error.strerror or error}: give another folder"
            ) from error

    def has_results(self) -> bool:
        """Returns whether there is a results.json.

        Raises:
            UsageError: If the folder cannot be read.
        """
        with self._reached():
            return self.results.exists()

    def check(self, config: dict[str, Any], matmul_precision: str = "default") -> bool:
        """Returns whether the folder was made from this config; False if it is not there or empty. Writes nothing.

        Raises:
            UsageError: If the folder was made from another config (with the difference), holds something else, or
                cannot be read.
        """
        with self._reached():
            return self._check(config, matmul_precision)

    def _check(self, config: dict[str, Any], matmul_precision: str) -> bool:
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"--workdir={self.path} is a file: give a folder")
        if self.config.exists():
            self._compare(json.loads(json.dumps(config)), matmul_precision)
            return True
        there = self.path.iterdir() if self.path.exists() else ()
        if is_lead() and (foreign := [path.name for path in there if _foreign(path)]):
            raise UsageError(
                f"--workdir={self.path} holds files but no config.json, such as {min(foreign)}: give a new folder"
            )
        return False

    def _compare_data(self, fingerprint: Fingerprint) -> None:
        """Raises if training would go on with other data or in another precision than it began with."""
        record = json.loads(self.config.read_text())
        before, now = record.get("jax_enable_x64"), jax.config.read("jax_enable_x64")
        if before not in (None, now):
            raise UsageError(
                f"--workdir={self.path} was begun with JAX_ENABLE_X64={int(before)}, not {int(now)}: set that, or give "
                "another folder"
            )
        if "data" in record and (difference := different(record["data"], fingerprint)):
            raise UsageError(
                f"--workdir={self.path} was begun with other data of the name {record['config']['data']['name']!r} "
                f"({difference}): give those, or another folder"
            )

    def _compare_networks(self, networks: tuple[str, ...]) -> None:
        """Raises if training would go on with a user's own networks where it began without, or the reverse."""
        before = tuple(json.loads(self.config.read_text()).get("networks", ()))
        if before != networks:
            raise UsageError(
                f"--workdir={self.path} was begun with {_owned(before)}, not with {_owned(networks)}: give mvae.train "
                "the same, or another folder"
            )

    def _compare(self, config: dict[str, Any], matmul_precision: str) -> None:
        try:
            record = json.loads(self.config.read_text())
            before = _flat(record["config"])
            precision = record.get("matmul_precision", "default")  # runs of 0.1.0 had no choice
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{self.config} cannot be read ({error}): restore it or give another --workdir") from error
        now = _flat(config)
        differing = [
            f"  {key}: {before.get(key, '(absent)')!r} there, {now.get(key, '(absent)')!r} asked for"
            for key in sorted(before.keys() | now.keys())
            if key not in MACHINE_KEYS
            and not key.startswith(EVALUATION)
            and before.get(key, "(absent)") != now.get(key, "(absent)")
        ]
        if differing:
            raise UsageError(
                f"--workdir={self.path} was made from another config; give another folder, or the same config:\n"
                + "\n".join(differing)
            )
        if precision != matmul_precision:
            raise UsageError(
                f"--workdir={self.path} was begun with --matmul_precision={precision}, not {matmul_precision}: give "
                "that, or another folder"
            )

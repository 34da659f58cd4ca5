"""Everything about a sweep that can be found wrong before anything is trained."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mvae import data
from mvae.data import Dataset
from mvae.errors import UsageError
from mvae.models.traced import TRACED, value_of
from mvae.runs.experiment import Experiment, build_experiment
from mvae.runs.overrides import resolve
from mvae.runs.run_folder import RunFolder
from mvae.sweep.members import Member
from mvae.sweep.plan import plan


def check_members(members: Sequence[Member], workdir: Path) -> None:
    """Checks the folders of all members, and the configs of those that are not finished.

    Members that would share a program are built once, and the values that they have of their own are checked in it.

    Raises:
        UsageError: For a folder of another config, or anything in a config that is unknown, missing or out of range,
            naming the member.
    """
    for member in members:
        with _naming(member):
            RunFolder(workdir / member.name).check(member.config)
    load = _LastLoaded()
    for first, *others in plan([member for member in members if not is_finished(member, workdir)]):
        with _naming(first):
            experiment = build_experiment(first.config, load=load)
        for member in others:
            with _naming(member):
                _check_alike(experiment, member.config)


def is_finished(member: Member, workdir: Path) -> bool:
    """Whether the member's folder has its results."""
    return RunFolder(workdir / member.name).has_results()


class _LastLoaded:
    """Loads data, those of the call before without another reading: neighbours in a sweep tend to share them."""

    def __init__(self):
        self._options: str | None = None
        self._dataset: Dataset | None = None

    def __call__(self, **options: Any) -> Dataset:
        asked = json.dumps(options, sort_keys=True, default=str)
        if self._dataset is None or asked != self._options:
            self._dataset = data.load(**options)
            self._options = asked
        return self._dataset


@contextlib.contextmanager
def _naming(member: Member) -> Iterator[None]:
    """A context whose UsageErrors get the member's name."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"member {member.name}: {error}") from error


def _check_alike(experiment: Experiment, config: Mapping[str, Any]) -> None:
    """Checks what a config has of its own beside another one that was built."""
    config = resolve(config).block
    if experiment.stages_at is None:
        return
    values = {name: value_of(config, name) for name in TRACED}
    try:
        experiment.stages_at(values)
    except ValueError as error:
        raise UsageError(f"config.model: {error}") from error

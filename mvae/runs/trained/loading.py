"""`mvae.load`: from a run's folder to its models, with next to nothing imported beside them."""

import json
from pathlib import Path
from typing import Any

from mvae.errors import UsageError
from mvae.models.autoencoder import Networks
from mvae.nets import Network
from mvae.runs.run_folder import RunFolder
from mvae.runs.trained.models import Functions, Run
from mvae.runs.trained.saved import FILE, read_saved


def load(workdir: str | Path, *, encoder: Any = None, decoder: Any = None) -> Run:
    """Returns the run in a folder: its models are rebuilt from what training left, without the data.

    Args:
        workdir: Folder of a run that was trained to its end, by `train`, the command line or a sweep.
        encoder: As for `train`, of a run that was trained with one.
        decoder: The same.

    Raises:
        UsageError: If there is no such run, it is not finished, or own networks are lacking.
    """
    folder = folder_of(workdir)
    networks = Networks(own_network(encoder, "encoder"), own_network(decoder, "decoder"))
    paths = RunFolder(folder)
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder")
    if not paths.config.exists():
        raise UsageError(f"{folder} is not the folder of a run: it has no config.json")
    if not (folder / FILE).exists():
        remedy = "remove results.json, and then " if paths.results.exists() else ""
        raise UsageError(f"{folder} has no {FILE}, as its training has not ended: {remedy}the same command goes on")
    if not paths.results.exists():
        raise UsageError(f"{folder} has no results.json, as its evaluation has not ended: the same command goes on")
    try:
        results = json.loads(paths.results.read_text())
    except ValueError as error:
        raise UsageError(f"{paths.results} cannot be read ({error}): remove it to evaluate again") from error
    if not isinstance(results, dict) or not isinstance(results.get("members"), list):
        raise UsageError(f"{paths.results} has no results of the seeds: remove it to evaluate again")
    return loaded(folder, networks, results)


def folder_of(workdir: Any) -> Path:
    """Returns the folder that a caller names.

    Raises:
        UsageError: If it is no path, or an empty one, which would be the folder that the program runs in.
    """
    if not isinstance(workdir, str | Path) or not str(workdir):
        raise UsageError(f"workdir must be the path of a folder, got {workdir!r}")
    return Path(workdir).expanduser()


def loaded(folder: Path, networks: Networks, results: dict[str, Any]) -> Run:
    """Returns the run in a folder whose results are at hand."""
    saved = read_saved(folder / FILE, networks)
    return Run(Functions(saved, networks), results, workdir=folder)


def own_network(given: Any, name: str) -> Network | None:
    """Returns a user's own network, from a Flax module or a pair of functions; None for none.

    Raises:
        UsageError: If it is neither.
    """
    if given is None:
        return None
    pair: Any = given if isinstance(given, tuple) else (getattr(given, "init", None), getattr(given, "apply", None))
    if len(pair) != 2 or not all(callable(function) for function in pair):
        raise UsageError(f"{name} must be a pair (init, apply) of functions or a Flax module, got {given!r}")
    return Network(*pair)

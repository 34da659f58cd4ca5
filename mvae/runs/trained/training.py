"""`mvae.train`: from a user's data to a trained run."""

import contextlib
import dataclasses
import difflib
import logging
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mvae import data as data_sets
from mvae.data import ARRAYS, Dataset, from_arrays
from mvae.engine.mesh import build_mesh
from mvae.engine.signals import Interrupted, StopRequest
from mvae.errors import UsageError
from mvae.manifolds import Manifold
from mvae.models.autoencoder import Networks
from mvae.models.optimizer import OptimizerConfig
from mvae.reports import evaluate
from mvae.runs.config import DATA, RunConfig, model_config
from mvae.runs.experiment import build_experiment, check_own_networks
from mvae.runs.manifolds import build_manifold, text_of
from mvae.runs.notation import block_of
from mvae.runs.overrides import as_arguments, resolve
from mvae.runs.running import facts_of, run, view_of
from mvae.runs.running import train as train_stages
from mvae.runs.sinks import memory_sinks
from mvae.runs.trained.loading import folder_of, loaded, own_network
from mvae.runs.trained.models import Functions, Run, Trained
from mvae.runs.trained.saved import saved_of
from mvae.typed import default_block

LOGGER = logging.getLogger(__name__)


def train(
    method: str,
    data: Any,
    *,
    manifold: Manifold | str | Mapping[str, Any] | None = None,
    workdir: str | Path | None = None,
    seeds: int = 1,
    encoder: Any = None,
    decoder: Any = None,
    config: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Run:
    """Trains a model on a user's data, evaluates it, and returns it.

    With a folder this is what the command line does with the same config: the same call on the same folder goes on
    where it was interrupted, as by Ctrl-C, and a finished run is only read. Without one nothing is written.

    Args:
        method: A name in `mvae.methods.METHODS`, such as "dvae".
        data: An array or frame of examples, (n, ...); a dict of them with "x" and other columns, as for
            `mvae.data.from_arrays`; a `Dataset`; the path of a file or folder, as for `mvae.data.from_file`, whose
            options are entries of the config, as in config={"data.label": "celltype"}; or the text of data that have a
            name, as "simple_picture:size=16".
        manifold: The latent space, a `Manifold` or its text, such as "sphere:2".
        workdir: Folder of the run; None to keep nothing on disk, figures neither.
        seeds: How many models to train, from the seeds `seed`, `seed` + 1, …
        encoder: A network of your own in place of the config's: a Flax module, or a pair (init, apply) of functions:
            init(key, x) -> parameters and apply(parameters, x) -> features (b, k), for x (b, *event).
        decoder: The same: apply(parameters, z) -> (b, *event) for points z (b, ambient_dim), the parameter of p(x | z)
            before the likelihood's own function.
        config: Entries by their dotted names, such as {"evaluation.importance_samples": 10}.
        **settings: Entries by the name of the field alone: of the method's config, of the run's (num_steps, batch_size,
            seed, …) and of the optimiser's (learning_rate, …).

    Returns:
        The run.

    Raises:
        UsageError: For anything that is unknown, missing or out of range, naming it; for a folder of another config,
            of other data, or that another process is using.
        KeyboardInterrupt: On Ctrl-C; with a folder, what was trained is in it.
        mvae.engine.loop.Diverged: If the loss is not finite.
    """
    block, dataset = _data(data)
    networks = Networks(own_network(encoder, "encoder"), own_network(decoder, "decoder"))
    overrides = _overrides(method, settings, config or {}, seeds)
    base = {"method": method, "data": block}
    if manifold is not None:
        base["manifold"] = text_of(manifold) if isinstance(manifold, Manifold) else manifold
    elif not any(key.partition(".")[0] == "manifold" for key in overrides):
        raise UsageError("give the latent space: manifold=, a Manifold or a text such as 'sphere:2'")
    if dataset is not None and "batch_size" not in overrides and dataset.num_train < RunConfig.batch_size:
        overrides["batch_size"] = dataset.num_train
        LOGGER.info("batch_size = %d, all training examples", dataset.num_train)
    resolved = resolve(base, overrides).block
    with _interruptible(workdir):
        if workdir is None:
            return _in_memory(resolved, dataset, networks)
        folder = folder_of(workdir)
        if dataset is not None:
            check_own_networks(networks, build_manifold(resolved["manifold"]), dataset)
        results = run(resolved, folder, as_arguments(overrides), dataset=dataset, networks=networks)
        return loaded(folder, networks, results)


def fit(method: str, dataset: Dataset, manifold: Manifold | str, settings: Mapping[str, Any]) -> Trained:
    """Trains one model without a folder and without an evaluation.

    Args:
        method: As for `train`.
        dataset: The data.
        manifold: As for `train`.
        settings: As for `train`.

    Raises:
        UsageError: As for `train`.
        KeyboardInterrupt: As for `train`.
    """
    space = text_of(manifold) if isinstance(manifold, Manifold) else manifold
    base = {"method": method, "data": {"name": ARRAYS}, "manifold": space}
    resolved = resolve(base, _overrides(method, settings, {}, 1)).block
    with _interruptible(None):
        return _in_memory(resolved, dataset, Networks(), judged=False)[0]


def _in_memory(config: Mapping[str, Any], dataset: Dataset | None, networks: Networks, *, judged: bool = True) -> Run:
    """Trains, and evaluates if it is to be judged, without a folder."""
    load = None if dataset is None else lambda **options: dataset
    records: list[dict[str, Any]] = []
    with StopRequest():
        experiment = build_experiment(config, load=load, networks=networks)
        mesh = build_mesh(experiment.run.num_seeds, experiment.run.batch_size)
        params = train_stages(experiment, None, mesh=mesh, sinks=memory_sinks(records))
        view = view_of(experiment, params, records)
        results = evaluate(view, experiment.reports if judged else (), facts_of(experiment, view))
    return Run(Functions(saved_of(experiment, view), networks), results, records)


@contextlib.contextmanager
def _interruptible(workdir: str | Path | None) -> Iterator[None]:
    """A context in which signals end a call as they end others: Ctrl-C by KeyboardInterrupt."""
    try:
        yield
    except Interrupted as stop:
        kept = "nothing was kept" if workdir is None else f"the same call goes on, from what is in {workdir}"
        if stop.exit_code == 128 + signal.SIGINT:
            raise KeyboardInterrupt(f"{stop}; {kept}") from stop
        raise SystemExit(stop.exit_code) from stop


def _data(data: Any) -> tuple[dict[str, Any], Dataset | None]:
    """The block of the config that stands for the data, and the data themselves where they are at hand."""
    if isinstance(data, Dataset):
        return {"name": ARRAYS}, data
    if isinstance(data, Path):
        return block_of({"name": "file", "path": str(data)}, DATA), None
    if isinstance(data, str):
        name = data.partition(":")[0]
        if name in data_sets.BUILDERS:
            return block_of(data, DATA), None
        if Path(data).suffix or "/" in data or Path(data).expanduser().exists():
            return block_of({"name": "file", "path": data}, DATA), None
        near = difflib.get_close_matches(name, data_sets.BUILDERS, n=3, cutoff=0.5)
        hint = f": near are {', '.join(near)}" if near else ", such as simple_picture"
        raise UsageError(f"data = {data!r}: there are no data of that name{hint}, nor such a file or folder")
    if isinstance(data, Mapping):
        if odd := [name for name in data if not isinstance(name, str)]:
            raise UsageError(f"data has the entry {odd[0]!r}: names of columns are texts")
        if "x" not in data:
            raise UsageError(f"data has no 'x': its entries are {', '.join(map(str, data)) or 'none'}")
        return {"name": ARRAYS}, from_arrays(**data)
    return {"name": ARRAYS}, from_arrays(data)


def _overrides(method: str, settings: Mapping[str, Any], config: Mapping[str, Any], seeds: int) -> dict[str, Any]:
    """Settings by their dotted names, and what the config says beside them."""
    if isinstance(seeds, bool) or not hasattr(seeds, "__index__") or seeds < 1:
        raise UsageError(f"seeds must be a number of 1 or more, of models to train, got {seeds!r}")
    if not isinstance(config, Mapping):
        raise UsageError(f"config must map dotted names to values, such as {{'model.beta': 4.0}}, got {config!r}")
    homes = _homes(method)
    found: dict[str, Any] = {"num_seeds": int(seeds)}
    for name, value in settings.items():
        found |= _flat(_place(name, homes, method), value)
    for key, value in config.items():
        if key in found and (key != "num_seeds" or seeds != 1):
            raise UsageError(f"{key} is given twice, as a setting and in config: leave one out")
        found |= _flat(key, value) if isinstance(key, str) else {key: value}
    return found


def _homes(method: str) -> dict[str, list[str]]:
    """Field -> dotted names of the entries that it may be."""
    homes: dict[str, list[str]] = {}
    blocks = (("model.", model_config(method)), ("", RunConfig), ("optimizer.", OptimizerConfig))
    for prefix, cls in blocks:
        for name in default_block(cls):
            if name != "num_seeds":
                homes.setdefault(name, []).append(f"{prefix}{name}")
    return homes


def _place(name: str, homes: Mapping[str, list[str]], method: str) -> str:
    """The dotted name of a setting."""
    places = homes.get(name, [])
    if len(places) == 1:
        return places[0]
    if places:
        raise UsageError(f"setting {name} may be {' or '.join(places)}: give config={{'{places[0]}': …}}")
    near = difflib.get_close_matches(name, [*homes, "seeds", "manifold", "workdir"], n=5, cutoff=0.5)
    hint = f"near are {', '.join(near)}" if near else f"there are {', '.join(sorted(homes))}"
    raise UsageError(f"unknown setting {name} of the method {method}: {hint}; other entries by config={{'a.b': …}}")


def _flat(key: str, value: Any) -> dict[str, Any]:
    """A block of entries, a dict or a dataclass, as entries by their dotted names."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Manifold):
        value = dataclasses.asdict(value)
    if not isinstance(value, Mapping) or key in ("data", "manifold"):
        return {key: value}
    return {name: entry for part, inner in value.items() for name, entry in _flat(f"{key}.{part}", inner).items()}

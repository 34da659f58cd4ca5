"""What programs are told on the command line of a run: a file of examples, and which of the models."""

from pathlib import Path

import numpy as np

from mvae.data.own.files import read_table
from mvae.data.own.table import aligned, choose, column_of, names_in
from mvae.errors import UsageError
from mvae.runs.trained.models import Run, Trained


def examples_of(source: Path, layer: str | None, run: Run) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the examples of a file, and the condition and the size factor of each where the run wants them.

    Where the run was trained on a file, columns have the names and roles that they had there.

    Raises:
        UsageError: For a file that cannot be read or that lacks a column.
    """
    wanted = run[0].features
    options = run.config["data"] if run.config["data"]["name"] == "file" else {}
    features = names_in(options.get("features", ""))
    archive = source.suffix.lower() == ".npz"
    cells = source.suffix.lower() == ".h5ad"
    of_cells = options.get("layer", "") if layer is None and cells else layer or ""
    size = run[0].event_shape[:2] if source.is_dir() else 0
    table = read_table(
        str(source), features=features if archive else _columns(source, wanted), layer=of_cells, size=size
    )
    roles = {role: options.get(role, "") for role in ("test", "label", "angle", "condition", "size_factor")}
    for role in run[0].given:
        roles[role] = roles[role] or (role if role in table.columns else "")  # of a run that was trained on arrays
    taken = [name for name in roles.values() if name in table.columns]
    x, names = choose(table, () if table.x is not None else wanted or features, taken)
    x = aligned(x, names, wanted, str(source))
    beside = {}
    for role in run[0].given:
        if roles.get(role) == "total":
            beside[role] = x.reshape(len(x), -1).sum(axis=1)
        elif roles.get(role):
            beside[role] = column_of(table, roles[role], role)
    return x, beside


def _columns(source: Path, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the columns that are read of a table, so that gaps in others do no harm."""
    return wanted if source.suffix.lower() in (".csv", ".tsv", ".parquet") else ()


def chosen(run: Run, seed: str) -> Trained:
    """Returns the model of a run that "best" or the number of a seed names.

    Raises:
        UsageError: If there is none of that seed.
    """
    if seed == "best":
        return run.best
    seeds = {str(model.seed): model for model in run}
    if seed not in seeds:
        raise UsageError(f"--seed={seed}: the run has the seeds {', '.join(seeds)}; give one, or best")
    return seeds[seed]

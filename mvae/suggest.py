"""Says which manifold the examples of a file may lie on, best first, and why.

  python -m mvae.suggest --data=cells.h5ad --layer=X_pca [--out=persistence.png]

The file is .npy, .npz, .csv, .tsv, .parquet, .h5ad, or a folder of images; with --distances it is a square array of
distances. Printed are the suggestions, each with what speaks for and against it. The figure shows the loops and
cavities that were found, beside those of a flat cloud of the same size.

Exit codes: 0 done; 2 bad input.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from mvae.errors import UsageError
from mvae.programs import launch

if TYPE_CHECKING:
    from mvae.topology import Suggestion

_DATA = flags.DEFINE_string("data", None, "File of examples.", required=True)
_OUT = flags.DEFINE_string("out", None, "File of the figure: .png, .pdf or .svg; none if not given.")
_FEATURES = flags.DEFINE_string("features", "", "Columns that are the examples, separated by commas; all if empty.")
_LAYER = flags.DEFINE_string("layer", "", "Of an .h5ad, what the examples are: X if empty, a layer, an entry of obsm.")
_DISTANCES = flags.DEFINE_bool("distances", False, "Whether the file holds distances between the examples.")
_SHOWN = flags.DEFINE_integer("shown", 3, "How many suggestions are printed.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of what is drawn.", lower_bound=0)
FIGURES = (".png", ".pdf", ".svg")


def suggest(
    data: str,
    out: str | None = None,
    *,
    features: str = "",
    layer: str = "",
    distances: bool = False,
    shown: int = 3,
    seed: int = 0,
) -> str:
    """Returns the suggestions for a file of examples as text, and draws the figure.

    Args:
        data: File of examples, see `mvae.data.own.files.read_table`.
        out: File of the figure; None for none.
        features: Names of the columns that are the examples.
        layer: Of an .h5ad.
        distances: Whether the file holds distances.
        shown: How many suggestions are returned.
        seed: Of what is drawn.

    Raises:
        UsageError: For whatever is wrong with these, before anything is written.
    """
    import numpy as np

    from mvae.data import from_file
    from mvae.data.own.files import read_table
    from mvae.data.own.table import choose, names_in
    from mvae.topology.evidence import cloud_of, measure
    from mvae.topology.suggest import judge

    target = _checked(out)
    if distances:
        x = choose(read_table(data, features=names_in(features), layer=layer), names_in(features), ())[0]
    else:
        dataset = from_file(data, features=features, layer=layer, scale="none")
        x = np.concatenate([np.asarray(part["x"]) for part in (dataset.train, dataset.test)])
    generator = np.random.default_rng(seed)
    try:
        cloud = cloud_of(x, "precomputed" if distances else "euclidean", generator)
        evidence = measure(cloud, generator=generator)
    except ValueError as error:
        raise UsageError(f"--data={data}: {error}") from error
    except ModuleNotFoundError as error:
        raise UsageError(str(error)) from error
    text = _table(judge(cloud, evidence, generator)[:shown])
    if target is not None:
        from mvae.figures import persistence_diagrams, save

        figure = persistence_diagrams(evidence.diagrams, evidence.band)
        try:
            save(figure, target)
        except OSError as error:
            raise UsageError(f"--out={target} cannot be written: {error.strerror or error}") from error
        text += f"\nThe figure is in {target}."
    return text


def _checked(out: str | None) -> Path | None:
    if out is None:
        return None
    target = Path(out).expanduser()
    if target.suffix.lower() not in FIGURES:
        raise UsageError(f"--out={out}: the figure goes to a file that ends in {', '.join(FIGURES)}")
    if target.is_dir():
        raise UsageError(f"--out={out} is a folder: give a file")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"--out={out}: there is no folder {target.parent}")
    return target


def _table(suggestions: Sequence["Suggestion"]) -> str:
    lines = []
    for rank, each in enumerate(suggestions, 1):
        manifold = f", {each.manifold}" if each.manifold is not None else ""
        certain = ", certain" if each.certain else ""
        lines.append(f"{rank}. {each.name}{manifold} (agreement {each.agreement:.2g}{certain})")
        lines += [f"   {reason}" for reason in each.reasons]
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Suggests as the flags say; returns the exit code.

    Raises:
        UsageError: For bad input.
    """
    del argv
    from mvae.runs.console import log_to_console

    log_to_console()
    print(
        suggest(
            str(_DATA.value),
            _OUT.value,
            features=_FEATURES.value,
            layer=_LAYER.value,
            distances=_DISTANCES.value,
            shown=_SHOWN.value,
            seed=_SEED.value,
        )
    )
    return 0


if __name__ == "__main__":
    launch(main, name="mvae.suggest")

"""Encodes the examples of a file by a trained run: their places in latent space, a row for each.

  python -m mvae.encode --workdir=runs/cells --data=new.npy --out=codes.npz

The file is .npy, .npz, .csv, .parquet or .h5ad, its examples in the units that the run was trained on. The codes go
to .npz (entries codes and seed), .npy, .csv or .parquet (columns z0, z1, ...), or to a copy of an .h5ad, as
obsm["X_mvae"]. Examples have the same order.

Exit codes: 0 done; 2 bad input.
"""

import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from mvae.errors import UsageError
from mvae.programs import HELP, launch, print_help

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.")
_DATA = flags.DEFINE_string("data", None, "File of examples.")
_OUT = flags.DEFINE_string("out", None, "File of codes: .npz, .npy, .csv, .parquet, or .h5ad where the data are one.")
_SEED = flags.DEFINE_string("seed", "best", "Which of the run's models: best, of the greatest ELBO, or a seed.")
_LAYER = flags.DEFINE_string("layer", None, "Layer of an .h5ad; X if not given.")
KEY = "X_mvae"  # in obsm


def encode(workdir: str, data: str, out: str, seed: str = "best", layer: str | None = None) -> str:
    """Writes the codes of a file's examples; returns what was done, in a line.

    Args:
        workdir: Folder of the run.
        data: File of examples, see `mvae.data.own.files.read_table`.
        out: File of codes.
        seed: "best" or the number of a seed.
        layer: Of an .h5ad; None for that of the run's own data.

    Raises:
        UsageError: For whatever is wrong with these, before anything is written.
    """
    import mvae
    from mvae.runs.trained.examples import chosen, examples_of

    target, source = Path(out).expanduser(), Path(data).expanduser()
    _check_target(target, source)
    run = mvae.load(workdir)
    model = chosen(run, seed)
    x, beside = examples_of(source, layer, run)
    try:
        codes = model.embed(x, **beside)
    except NotImplementedError as error:
        raise UsageError(f"--workdir={workdir}: {error}") from error
    try:
        _replace(target, lambda path: WRITERS[target.suffix.lower()](path, codes, model.seed, source))
    except OSError as error:
        raise UsageError(f"--out={out} cannot be written: {error.strerror or error}") from error
    return f"{len(codes)} codes of seed {model.seed} on {model.manifold} in {target}"


def _check_target(target: Path, source: Path) -> None:
    ending = target.suffix.lower()
    if ending not in WRITERS:
        raise UsageError(f"--out={target}: codes go to files that end in {', '.join(WRITERS)}")
    if ending == ".h5ad" and source.suffix.lower() != ".h5ad":
        raise UsageError(f"--out={target}: codes go to an .h5ad where the data are one, {source} is none")
    if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UsageError(f"--out={target} needs pyarrow: pip install pyarrow")
    if target.is_dir():
        raise UsageError(f"--out={target} is a folder: give a file")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"--out={target}: there is no folder {target.parent}")


def _replace(target: Path, write: Callable[[Path], None]) -> None:
    """Writes a file in one step; what was there stays if writing fails."""
    temporary = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        write(temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _npz(path: Path, codes: np.ndarray, seed: int, source: Path) -> None:
    del source
    with path.open("wb") as file:
        np.savez(file, codes=codes, seed=np.asarray(seed))


def _npy(path: Path, codes: np.ndarray, seed: int, source: Path) -> None:
    del seed, source
    with path.open("wb") as file:
        np.save(file, codes)


def _names(codes: np.ndarray) -> list[str]:
    return [f"z{column}" for column in range(codes.shape[1])]


def _csv(path: Path, codes: np.ndarray, seed: int, source: Path) -> None:
    del seed, source
    np.savetxt(path, codes, delimiter=",", header=",".join(_names(codes)), comments="", fmt="%.9g")


def _parquet(path: Path, codes: np.ndarray, seed: int, source: Path) -> None:
    del seed, source
    import pyarrow  # pyright: ignore[reportMissingImports]
    from pyarrow import parquet  # pyright: ignore[reportMissingImports]

    parquet.write_table(pyarrow.table(dict(zip(_names(codes), codes.T, strict=True))), path)


def _h5ad(path: Path, codes: np.ndarray, seed: int, source: Path) -> None:
    """A copy of the data with the codes, an array as anndata writes it."""
    import h5py  # pyright: ignore[reportMissingImports] -- it has read the data

    shutil.copyfile(source, path)
    with h5py.File(path, "r+") as file:
        obsm: Any = file.get("obsm")
        if isinstance(obsm, h5py.Dataset):  # a table of records, as anndata wrote it in 2018
            records = obsm[:]
            fields = [(name, records.dtype[name]) for name in records.dtype.names if name != KEY]
            wider = np.empty(len(records), [*fields, (KEY, codes.dtype, codes.shape[1:])])
            for name, _ in fields:
                wider[name] = records[name]
            wider[KEY] = codes
            del file["obsm"]
            file["obsm"] = wider
            return
        if obsm is None:
            obsm = file.create_group("obsm")
            obsm.attrs.update({"encoding-type": "dict", "encoding-version": "0.1.0"})
        if KEY in obsm:
            del obsm[KEY]
        array = obsm.create_dataset(KEY, data=codes)
        array.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0", "seed": seed})


WRITERS: dict[str, Callable[[Path, np.ndarray, int, Path], None]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".csv": _csv,
    ".parquet": _parquet,
    ".h5ad": _h5ad,
}


def _parse(argv: list[str]) -> list[str]:
    """Parses the command line and returns it.

    Raises:
        UsageError: For bad input, as flags.Error is raised.
    """
    if HELP & set(argv):
        print_help()
    rest = flags.FLAGS(argv)[1:]
    if rest:
        raise UsageError(f"unexpected argument {rest[0]!r}: flags start with --")
    for flag in (_WORKDIR, _DATA, _OUT):
        if not flag.value:
            raise UsageError(f"give --{flag.name}; --help says how")
    return argv


def main(argv: list[str]) -> int:
    """Encodes as the flags say; returns the exit code.

    Raises:
        UsageError: For bad input.
    """
    del argv
    from mvae.engine.compilation_cache import use_compilation_cache

    use_compilation_cache(None)
    print(encode(str(_WORKDIR.value), str(_DATA.value), str(_OUT.value), str(_SEED.value), _LAYER.value))
    return 0


if __name__ == "__main__":
    launch(main, name="mvae.encode", parse=_parse)

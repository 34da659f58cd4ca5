"""python -m mvae.encode: codes of a file's examples, in every format, and what is wrong with a call in one line."""

import shutil

import numpy as np
import pytest

import mvae
from tests.paths import arrays_in
from tests.programs import assert_refused, call
from tests.runs.trained.test_training import SMALL

PROGRAM = "mvae/encode.py"
X = np.random.default_rng(1).normal(size=(30, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("encode") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mvae.runs.running.conclude_view", _without_figures)
        mvae.train("vae", X, manifold="euclidean:2", seeds=2, workdir=path, **SMALL)
    return path


def _without_figures(view, reports, folder, facts):
    from mvae.reports import conclude

    return conclude(view, [report._replace(figures=None) for report in reports], folder, facts)


def write(path, x):
    """A file of examples in the format of its ending."""
    if path.suffix == ".npy":
        np.save(path, x)
    elif path.suffix == ".npz":
        np.savez(path, x=x, label=np.arange(len(x)))
    elif path.suffix == ".csv":
        np.savetxt(path, x, delimiter=",", header="height,width,depth", comments="", fmt="%.9g")
    elif path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({f"c{i}": x[:, i] for i in range(x.shape[1])}), path)
    elif path.suffix == ".h5ad":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            file["X"] = x
            file["layers/doubled"] = 2 * x
    return path


def read(path):
    """The codes in a file that the program wrote."""
    if path.suffix == ".npz":
        found = arrays_in(path)
        assert int(found["seed"]) in (0, 1)
        return found["codes"]
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".csv":
        assert path.read_text().startswith("z0,z1\n")
        return np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.float32)
    if path.suffix == ".parquet":
        from pyarrow import parquet

        table = parquet.read_table(path)
        return np.stack([table[name].to_numpy() for name in ("z0", "z1")], axis=1)
    import h5py

    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["X"], X)
        assert file["obsm/X_mvae"].attrs["encoding-type"] == "array"
        return np.asarray(file["obsm/X_mvae"])


@pytest.mark.parametrize(
    "data", [".npy", *(pytest.param(e, marks=pytest.mark.slow) for e in (".npz", ".csv", ".parquet")), ".h5ad"]
)
def test_codes_of_every_format_are_those_of_the_best_model(data, folder, tmp_path):
    source, out = write(tmp_path / f"new{data}", X), tmp_path / f"codes{data}"
    outcome = call(PROGRAM, f"--workdir={folder}", f"--data={source}", f"--out={out}")
    assert outcome.code == 0, outcome.errors
    best = mvae.load(folder).best
    assert f"30 codes of seed {best.seed} on Euclidean(dim=2)" in outcome.output
    np.testing.assert_allclose(read(out), best.embed(X), rtol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, out.name])


def test_a_seed_is_chosen_and_an_h5ad_gets_codes_in_place(folder, tmp_path):
    source = write(tmp_path / "cells.h5ad", X)
    for seed in (0, 1):
        outcome = call(PROGRAM, f"--workdir={folder}", f"--data={source}", f"--out={source}", f"--seed={seed}")
        assert outcome.code == 0, outcome.errors
        np.testing.assert_array_equal(read(source), mvae.load(folder)[seed].embed(X))


def test_sparse_counts_of_an_h5ad_are_read(folder, tmp_path):
    h5py = pytest.importorskip("h5py")
    from scipy import sparse

    from mvae.data.own.files import read_table

    counts = np.random.default_rng(0).poisson(0.5, (20, 3)).astype(np.float32)
    for kind in (sparse.csr_matrix, sparse.csc_matrix):
        matrix = kind(counts)
        path = tmp_path / f"{matrix.format}.h5ad"
        with h5py.File(path, "w") as file:
            group = file.create_group("X")
            group.attrs.update({"encoding-type": f"{matrix.format}_matrix", "shape": matrix.shape})
            for name in ("data", "indices", "indptr"):
                group[name] = getattr(matrix, name)
        np.testing.assert_array_equal(read_table(str(path)).x, counts)


WRONG = {
    "no workdir": ({"workdir": None}, "give --workdir; --help says how"),
    "no file": ({"data": "nothing.npy"}, "there is no nothing.npy"),
    "ending": ({"data": "README.md"}, "README.md has the ending '.md', data are read from .npy, .npz"),
    "out": ({"out": "codes.txt"}, "--out=codes.txt: codes go to files that end in .npz"),
    "out h5ad": ({"out": "codes.h5ad"}, "codes go to an .h5ad where the data are one"),
    "folder": ({"out": "no/such/codes.npz"}, "there is no folder no/such"),
    "run": ({"workdir": "tests"}, "tests is not the folder of a run"),
    "seed": ({"seed": "7"}, "--seed=7: the run has the seeds 0, 1; give one, or best"),
    "layer": ({"layer": "counts"}, "is of .h5ad files"),
    "flag": ({"sed": "7"}, "Unknown command line flag 'sed'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_one_line(name, folder, tmp_path):
    change, message = WRONG[name]
    source = write(tmp_path / "new.npy", X)
    flags = {"workdir": folder, "data": source, "out": tmp_path / "codes.npz"} | change
    outcome = call(PROGRAM, *(f"--{flag}={value}" for flag, value in flags.items() if value is not None))
    assert_refused(outcome, message)
    assert not (tmp_path / "codes.npz").exists()


FILES = {
    "texts": ("new.csv", lambda path: path.write_text("a,b,c\n1,2,x\n3,4,y\n"), "the run was trained on (n, 3)"),
    "empty": ("new.csv", lambda path: path.write_text("a,b,c\n"), "has 1 line(s)"),
    "ragged": ("new.csv", lambda path: path.write_text("1,2,3\n1,2\n"), "line 2: 2 entries, but there are 3 names"),
    "columns": ("new.csv", lambda path: path.write_text("1,2\n3,4\n"), "the run was trained on (n, 3)"),
    "damaged": ("new.npy", lambda path: path.write_bytes(b"\x93NUMPY\x01\x00v\x00"), "new.npy is no array of numbers"),
    "objects": ("new.npy", lambda path: np.save(path, np.array([None, 1])), "new.npy is no array of numbers"),
    "entries": ("new.npz", lambda path: np.savez(path, a=X, b=X), "has the arrays a, b: name that of the examples"),
    "not hdf5": ("new.h5ad", lambda path: path.write_text("x"), "new.h5ad is damaged or no file of HDF5"),
    "no layer": ("new.h5ad", lambda path: write(path, X), "'counts': known are doubled"),
    "scale": ("new.npy", lambda path: np.save(path, 255 * X), "x is far too large"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_file_is_one_line(name, folder, tmp_path):
    file, make, message = FILES[name]
    make(tmp_path / file)
    out = tmp_path / "codes.npz"
    arguments = [f"--workdir={folder}", f"--data={tmp_path / file}", f"--out={out}"]
    outcome = call(PROGRAM, *arguments, *(["--layer=counts"] if name == "no layer" else []))
    assert_refused(outcome, message)
    assert not out.exists()


def test_what_was_there_stays_if_nothing_can_be_written(folder, tmp_path):
    source, out = write(tmp_path / "new.npy", X), tmp_path / "codes.npz"
    out.write_text("before")
    shutil.copytree(folder, tmp_path / "run")
    (tmp_path / "run" / "model.npz").write_bytes(b"")
    assert_refused(
        call(PROGRAM, f"--workdir={tmp_path / 'run'}", f"--data={source}", f"--out={out}"), "model.npz is damaged"
    )
    assert out.read_text() == "before"


def test_a_table_of_records_gets_codes_as_another_field(folder, tmp_path):
    """As anndata wrote obsm in 2018."""
    h5py = pytest.importorskip("h5py")
    source = write(tmp_path / "old.h5ad", X)
    with h5py.File(source, "r+") as file:
        file["obsm"] = np.asarray([(row,) for row in X], [("X_pca", "<f4", (3,))])
    for _ in range(2):
        outcome = call(PROGRAM, f"--workdir={folder}", f"--data={source}", f"--out={source}")
        assert outcome.code == 0, outcome.errors
    with h5py.File(source) as file:
        np.testing.assert_array_equal(file["obsm"]["X_pca"], X)
        np.testing.assert_array_equal(file["obsm"]["X_mvae"], mvae.load(folder).best.embed(X))


def test_columns_keep_the_roles_that_they_had_in_training(tmp_path):
    """Labels and new columns are left out, conditions are the same values, and columns may come in another order."""
    rng = np.random.default_rng(0)
    x, camera = rng.normal(size=(40, 2)), np.asarray([1, 2] * 20)
    kind = np.arange(40) % 3
    lines = [f"{a},{k},{c},{b}" for (a, b), k, c in zip(x, kind, camera, strict=True)]
    (tmp_path / "own.csv").write_text("one,kind,camera,two\n" + "\n".join(lines))
    options = {"data.label": "kind", "data.condition": "camera"}
    settings = SMALL | {"config": SMALL.get("config", {}) | options}
    run = mvae.train("vae", tmp_path / "own.csv", manifold="euclidean:2", workdir=tmp_path / "run", **settings)
    (tmp_path / "new.csv").write_text(
        "camera,two,age,one\n" + "\n".join(f"{c},{b},NA,{a}" for (a, b), c in zip(x, camera, strict=True))
    )
    arguments = (f"--workdir={tmp_path / 'run'}", f"--data={tmp_path / 'new.csv'}", f"--out={tmp_path / 'codes.npy'}")
    assert call(PROGRAM, *arguments).code == 0
    codes = np.load(tmp_path / "codes.npy")
    np.testing.assert_allclose(codes, run[0].embed(x, condition=camera), rtol=1e-5, atol=1e-6)
    assert np.abs(codes - run[0].embed(x, condition=camera[::-1])).max() > 1e-4
    (tmp_path / "new.csv").write_text("camera,two\n1,2\n2,3\n")
    assert_refused(call(PROGRAM, *arguments), "unknown column of")


def test_a_run_of_arrays_takes_the_condition_of_a_file_by_that_name(tmp_path):
    condition = np.asarray([5, 7] * 15)
    data = {"x": X, "condition": condition}
    mvae.train("vae", data, manifold="euclidean:2", workdir=tmp_path / "run", **SMALL)
    np.savez(tmp_path / "new.npz", x=X, condition=condition)
    arguments = (f"--workdir={tmp_path / 'run'}", f"--data={tmp_path / 'new.npz'}", f"--out={tmp_path / 'codes.npy'}")
    assert call(PROGRAM, *arguments).code == 0
    codes = mvae.load(tmp_path / "run")[0].embed(X, condition=condition)
    np.testing.assert_allclose(np.load(tmp_path / "codes.npy"), codes, rtol=1e-5, atol=1e-6)

"""A user's own data: arrays, frames, tables, cells by genes, folders of images; and what is wrong with them."""

import h5py
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse
from PIL import Image
from pyarrow import parquet

from mvae.data import from_arrays, from_file
from mvae.errors import UsageError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
LABELS = np.asarray(["b", "a", "c", "a"] * 10)
COUNTS = RNG.poisson(3.0, (40, 6))


def both(dataset, name):
    """A column of training and test rows, in the order of the arrays: rows are found by x."""
    return np.concatenate([np.asarray(rows[name]) for rows in (dataset.train, dataset.test)])


def rows_of(dataset):
    batch = [dataset.render(rows)["x"] for rows in (dataset.train, dataset.test)]
    return np.concatenate([np.asarray(dataset.scaling.undo(x)) for x in batch])


def by_row(dataset, x):
    """For each row of a data set its place in x."""
    return np.argmin(
        np.abs(rows_of(dataset)[:, None] - np.asarray(x)[None]).reshape(len(x), len(x), -1).sum(-1), axis=1
    )


class Frame:
    """What pandas and polars share: named columns, each with to_numpy."""

    def __init__(self, columns):
        self._columns = {name: np.asarray(column) for name, column in columns.items()}
        self.columns = list(columns)

    def to_numpy(self):
        return np.stack([np.asarray(column, object) for column in self._columns.values()], axis=1)

    def __getitem__(self, name):
        class Column:
            to_numpy = lambda own: self._columns[name]  # noqa: E731

        return Column()


def test_columns_keep_their_rows_and_have_roles():
    angle = np.linspace(0, 360, 40, endpoint=False)
    dataset = from_arrays(X, label=LABELS, angle=angle, angle_period=360, condition=np.arange(40) % 2, weight=X[:, 0])
    place = by_row(dataset, X)
    assert sorted(place) == list(range(40))
    assert dataset.label_names == ("a", "b", "c")
    np.testing.assert_array_equal(np.asarray(dataset.label_names)[both(dataset, "label")], LABELS[place])
    np.testing.assert_allclose(both(dataset, "angle"), np.radians(angle)[place], rtol=1e-6)
    np.testing.assert_array_equal(both(dataset, "condition"), place % 2)
    assert (dataset.condition_names, dataset.angle) == (("0", "1"), "angle")
    np.testing.assert_allclose(both(dataset, "weight"), X[place, 0], rtol=1e-6)
    seen = np.asarray(dataset.render(dataset.train)["x"])
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(axis=0), 1, rtol=1e-4)


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (RNG.integers(0, 256, (9, 4, 4, 1), np.uint8), "unit"),
        (COUNTS, "none"),
        (X, "standard"),
        (RNG.uniform(size=(9, 4, 4, 3)), "none"),
    ],
)
def test_scale_auto_goes_by_the_dtype(x, kind):
    dataset = from_arrays(x)
    assert dataset.scaling.kind == kind
    np.testing.assert_allclose(
        np.sort(rows_of(dataset).ravel()), np.sort(x.ravel().astype(float)), rtol=1e-4, atol=1e-4
    )
    seen = np.asarray(dataset.render(dataset.train)["x"])
    assert kind != "unit" or (seen.min() >= 0 and seen.max() <= 1)


@pytest.mark.parametrize(
    "test", [np.arange(40) >= 30, (np.arange(40) >= 30).astype(int), ["train"] * 30 + ["test"] * 10]
)
def test_the_test_rows_can_be_told(test):
    dataset = from_arrays(X, test=test)
    np.testing.assert_array_equal(by_row(dataset, X), np.arange(40))
    assert (dataset.num_train, dataset.num_test) == (30, 10)


def test_size_factors_are_relative_to_the_training_rows():
    dataset = from_arrays(COUNTS, size_factor="total")
    place = by_row(dataset, COUNTS)
    totals = COUNTS.sum(axis=1)[place]
    np.testing.assert_allclose(both(dataset, "size_factor"), totals / totals[: dataset.num_train].mean(), rtol=1e-5)


def test_frames_and_sparse_matrices():
    frame = Frame({"one": X[:, 0], "two": X[:, 1], "kind": LABELS.astype(object), "note": LABELS})
    dataset = from_arrays(frame, label="kind")
    place = by_row(dataset, X[:, :2])
    np.testing.assert_array_equal(np.asarray(dataset.label_names)[both(dataset, "label")], LABELS[place])
    assert from_arrays(frame, features=["two"]).event_shape == (1,)
    np.testing.assert_array_equal(rows_of(from_arrays(scipy.sparse.csr_matrix(COUNTS))), rows_of(from_arrays(COUNTS)))
    np.testing.assert_array_equal(rows_of(from_arrays(jnp.asarray(X))), rows_of(from_arrays(X.astype(np.float32))))


def write_csv(path, delimiter=","):
    lines = ["index,one,two,kind,part".replace(",", delimiter)]
    for i, (x, kind) in enumerate(zip(X, LABELS, strict=True)):
        lines.append(
            delimiter.join([f'"row, {i}"', repr(float(x[0])), repr(float(x[1])), kind, "test" if i > 35 else "train"])
        )
    path.write_text("\ufeff" + "\n".join(lines) + "\n\n")
    return path


def old_cells(path):
    """As anndata wrote it in 2018: a table of records, its categories beside it, and a sparse raw matrix."""
    records = np.zeros(40, [("index", "S4"), ("kind", "i1"), ("depth", "<f4")])
    records["kind"], records["depth"] = [{"a": 0, "b": 1, "c": 2}[each] for each in LABELS], COUNTS.sum(axis=1)
    with h5py.File(path, "w") as file:
        file["X"], file["obs"], file["uns/kind_categories"] = (
            X.astype(np.float32),
            records,
            np.asarray([b"a", b"b", b"c"]),
        )
        file["obsm"] = np.asarray([(row,) for row in X[:, :2]], [("X_pca", "<f8", (2,))])
        write_sparse(file.create_group("raw.X"), "h5sparse_format", "csr", "h5sparse_shape")
    return path


def new_cells(path):
    """As anndata writes it today."""
    with h5py.File(path, "w") as file:
        write_sparse(file.create_group("X"), "encoding-type", "csc_matrix", "shape")
        file["layers/scaled"], file["obsm/X_pca"] = X, X[:, :2]
        file["obs/kind/codes"] = np.asarray([{"a": 0, "b": 1, "c": 2}[each] for each in LABELS], np.int8)
        file["obs/kind/categories"] = np.asarray([b"a", b"b", b"c"])
        file["obs/depth"] = COUNTS.sum(axis=1)
    return path


def write_sparse(group, key, kind, shape):
    matrix = scipy.sparse.csr_matrix(COUNTS.astype(np.float32))
    matrix = matrix.tocsc() if "csc" in kind else matrix
    group.attrs[key], group.attrs[shape] = kind, matrix.shape
    for name in ("data", "indices", "indptr"):
        group[name] = getattr(matrix, name)


def test_a_table_of_text(tmp_path):
    for path, delimiter in ((tmp_path / "own.csv", ","), (tmp_path / "own.tsv", "\t")):
        dataset = from_file(str(write_csv(path, delimiter)), label="kind", test="part")
        np.testing.assert_array_equal(by_row(dataset, X[:, :2]), np.arange(40))
        np.testing.assert_array_equal(np.asarray(dataset.label_names)[both(dataset, "label")], LABELS)
        assert (dataset.num_test, dataset.name) == (4, "file")


def test_arrays_by_name_and_parquet(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "x.npz", x=X, kind=LABELS)
    np.savez(tmp_path / "codes.npz", points=X, kind=LABELS)
    scipy.sparse.save_npz(tmp_path / "sparse.npz", scipy.sparse.csc_matrix(X))
    columns = {"one": X[:, 0], "two": X[:, 1], "three": X[:, 2], "kind": LABELS}
    parquet.write_table(pa.table(columns), tmp_path / "x.PARQUET")
    expected = rows_of(from_arrays(X))
    for name, options in (
        ("x.npy", {}),
        ("x.npz", {"label": "kind"}),
        ("codes.npz", {"label": "kind", "features": "points"}),
        ("sparse.npz", {}),
        ("x.PARQUET", {"label": "kind"}),
    ):
        dataset = from_file(str(tmp_path / name), **options)
        np.testing.assert_array_equal(rows_of(dataset), expected)
        if options:
            np.testing.assert_array_equal(
                np.asarray(dataset.label_names)[both(dataset, "label")], LABELS[by_row(dataset, X)]
            )


def test_a_test_set_of_its_own(tmp_path):
    np.savez(tmp_path / "train.npz", x=X[:30], kind=LABELS[:30])
    np.savez(tmp_path / "test.npz", x=X[30:], kind=LABELS[30:])
    dataset = from_file(str(tmp_path / "train.npz"), test_path=str(tmp_path / "test.npz"), label="kind")
    np.testing.assert_array_equal(by_row(dataset, X), np.arange(40))
    assert dataset.num_test == 10
    np.testing.assert_array_equal(np.asarray(dataset.label_names)[both(dataset, "label")], LABELS)


@pytest.mark.parametrize("write", [old_cells, new_cells])
def test_cells_by_genes(tmp_path, write):
    path = str(write(tmp_path / "own.h5ad"))
    layers = (
        {"": X, "raw": COUNTS, "X_pca": X[:, :2]}
        if write is old_cells
        else {"": COUNTS, "scaled": X, "X_pca": X[:, :2]}
    )
    for layer, expected in layers.items():
        dataset = from_file(path, layer=layer, label="kind", size_factor="depth")
        place = by_row(dataset, expected)
        assert sorted(place) == list(range(40))
        np.testing.assert_array_equal(np.asarray(dataset.label_names)[both(dataset, "label")], LABELS[place])


def image_folder(folder, **sizes):
    for index, (name, size) in enumerate(sizes.items()):
        (folder / name[0]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, size, np.uint8)).save(folder / name[0] / f"{index}.png")
    return str(folder)


def test_a_folder_of_images(tmp_path, caplog):
    caplog.set_level("INFO")
    path = image_folder(tmp_path, a1=(6, 8, 3), a2=(6, 8), b1=(6, 8, 4), b2=(12, 16, 3))
    dataset = from_file(path, label="folder", test_fraction=0.5)
    assert (dataset.event_shape, dataset.label_names, dataset.scaling.kind) == ((6, 8, 4), ("a", "b"), "unit")
    assert "1 of 4 images are resized to 8 × 6" in caplog.text
    assert from_file(path, size=5).event_shape == (5, 5, 4)
    deep = tmp_path / "deep"
    deep.mkdir()
    for index in range(3):
        Image.fromarray((X[:16].reshape(6, 8) * 9000 + 30000 + index).astype(np.uint16)).save(deep / f"{index}.png")
    dataset = from_file(str(deep))
    assert (dataset.event_shape, dataset.scaling.kind) == ((6, 8, 1), "none")
    assert 0 < float(dataset.train["x"].min()) < float(dataset.train["x"].max()) < 1


def with_nan(value=np.nan):
    x = X.copy()
    x[7, 2] = value
    return x


ARRAYS = {
    "empty": (lambda: from_arrays(np.zeros((0, 3))), "x is empty"),
    "no columns": (lambda: from_arrays(np.zeros((5, 0))), "x is empty"),
    "one row": (lambda: from_arrays(X[:1]), "1 row: two are needed"),
    "a vector": (lambda: from_arrays(X[:, 0]), r"numbers as \(n, 1\)"),
    "all rows alike": (lambda: from_arrays(np.ones((5, 3))), "all 5 rows are the same"),
    "NaN": (lambda: from_arrays(with_nan()), r"x\[7, 2\] is nan"),
    "infinity": (lambda: from_arrays(with_nan(np.inf)), r"x\[7, 2\] is inf"),
    "beyond float32": (lambda: from_arrays(with_nan(1e39)), r"x\[7, 2\] is 1e\+39"),
    "texts": (lambda: from_arrays(LABELS[:, None]), "x is of dtype <U1: give real numbers"),
    "objects": (lambda: from_arrays(np.asarray([[1, None], [2, 3]], object)), "entries of type NoneType, int"),
    "complex": (lambda: from_arrays(X + 1j), "complex128: give real numbers"),
    "ragged": (lambda: from_arrays([[1.0, 2.0], [3.0]]), "its rows differ in shape"),
    "ragged images": (lambda: from_arrays([np.zeros((4, 4, 1)), np.zeros((5, 4, 1))]), "its rows differ in shape"),
    "scale": (lambda: from_arrays(X, scale="minmax"), "scale must be one of auto, unit, standard, none, got 'minmax'"),
    "fraction": (lambda: from_arrays(X, test_fraction=1.0), "test_fraction must lie between 0 and 1"),
    "fraction of text": (lambda: from_arrays(X, test_fraction="some"), "test_fraction must lie between 0 and 1"),
    "label length": (lambda: from_arrays(X, label=LABELS[:9]), r"label has shape \(9,\), but x has 40 rows"),
    "label shape": (lambda: from_arrays(X, label=LABELS[:, None]), r"label has shape \(40, 1\)"),
    "label of fractions": (lambda: from_arrays(X, label=X[:, 0]), r"label\[0\] is .*: classes are texts or whole"),
    "label with gaps": (lambda: from_arrays(X, label=["", *LABELS[1:]]), r"label\[0\] is empty"),
    "label of objects": (lambda: from_arrays(X, label=np.asarray([None] * 40)), r"label\[0\] is None"),
    "angle of text": (lambda: from_arrays(X, angle=LABELS), "angle is of dtype <U1: give real numbers"),
    "angle with NaN": (lambda: from_arrays(X, angle=with_nan()[:, 2]), r"angle\[7\] is nan"),
    "period": (lambda: from_arrays(X, angle=X[:, 0], angle_period=0), "angle_period must be a positive number"),
    "condition of its own": (lambda: from_arrays(X, condition=np.arange(40)), "condition has 40 values in 40 rows"),
    "unseen condition": (
        lambda: from_arrays(X, condition=np.arange(40) // 30, test=np.arange(40) >= 30),
        "no training row has the condition '1'",
    ),
    "size of zero": (lambda: from_arrays(COUNTS, size_factor=np.arange(40)), r"size_factor\[0\] is 0"),
    "no test rows": (lambda: from_arrays(X, test=np.zeros(40)), "test says that no rows are the test set"),
    "only test rows": (lambda: from_arrays(X, test=np.ones(40, bool)), "test says that all rows are the test set"),
    "test of something": (lambda: from_arrays(X, test=["dev"] * 20 + ["eval"] * 20), "test has the values dev, eval"),
    "column length": (lambda: from_arrays(X, weight=np.ones(3)), r"weight has shape \(3,\), but x has 40 rows"),
    "name without names": (lambda: from_arrays(X, label="kind"), "label='kind': x has no named columns"),
    "nothing": (lambda: from_arrays(None), "x is None"),
    "a mask": (lambda: from_arrays(np.ma.masked_greater(X, 0)), "masked entries: fill them in"),
    "a mask of labels": (lambda: from_arrays(X, label=np.ma.masked_less(np.arange(40), 3)), "label has 3 masked"),
    "label of no end": (lambda: from_arrays(X, label=[np.inf] * 40), r"label\[0\] is inf: classes are"),
    "label of two kinds": (lambda: from_arrays(X, label=np.asarray(["a", 1] * 20, object)), "entries are of int, str"),
    "angles in the plane": (lambda: from_arrays(X, angle=X[:, :2]), r"angle has shape \(40, 2\).* one number for each"),
    "sizes of entries": (lambda: from_arrays(COUNTS, size_factor=COUNTS + 1), "size_factor has shape .*one number"),
    "a feature twice": (lambda: from_arrays(Frame({"one": X[:, 0]}), features=["one", "one"]), "'one': give each once"),
    "features of an array": (lambda: from_arrays(X, features=["one"]), "of which x has none"),
    "no such column": (
        lambda: from_arrays(Frame({"one": X[:, 0]}), label="kind"),
        "unknown column of the frame for label",
    ),
    "columns of one name": (lambda: from_arrays(doubled()), "several columns of the name 'one'"),
    "a frame of texts": (lambda: from_arrays(Frame({"kind": LABELS})), "no column of numbers"),
    "a feature of text": (lambda: from_arrays(Frame({"kind": LABELS}), features=["kind"]), "are no numbers"),
}


def doubled():
    frame = Frame({"one": X[:, 0], "two": X[:, 1]})
    frame.columns = ["one", "one"]
    return frame


@pytest.mark.parametrize("case", ARRAYS)
def test_bad_arrays_are_named(case):
    call, message = ARRAYS[case]
    with pytest.raises(UsageError, match=message):
        call()


FILES = {
    "no path": ({}, "data option path is empty"),
    "a typo": ({"path": "onw.csv"}, r"there is no .*onw.csv; beside it are .*own.csv"),
    "no folder": ({"path": "nowhere/own.csv"}, "nor anything in"),
    "another kind": ({"path": "notes.doc"}, "has the ending '.doc', data are read from .npy"),
    "one image": ({"path": "image.png"}, "is one image: give the folder"),
    "an empty file": ({"path": "empty.csv"}, "is empty"),
    "a pickle": ({"path": "pickled.npy"}, "no array of numbers that numpy reads"),
    "no npz": ({"path": "damaged.npz"}, "no archive of arrays"),
    "which array": ({"path": "two.npz"}, "has the arrays one, two: name that of the examples by features="),
    "no such array": ({"path": "two.npz", "features": "three"}, "unknown array of .*'three'"),
    "names of one kind": ({"path": "repeated.csv"}, "several columns of the name 'a'"),
    "a short line": ({"path": "short.csv"}, "line 3: 1 entries, but there are 2 names"),
    "a gap": ({"path": "gap.csv"}, "line 3: the column 'b' has '' among numbers"),
    "nan in a table": ({"path": "nan.csv"}, "line 2: the column 'b' has 'nan' among numbers"),
    "a label that is not there": (
        {"path": "own.csv", "label": "knid"},
        "unknown column .* for label 'knid': known are kind",
    ),
    "two roles": ({"path": "own.csv", "label": "one", "features": "one,two"}, "has another role, too"),
    "binary text": ({"path": "binary.csv"}, "cannot be read as text"),
    "no parquet": ({"path": "damaged.parquet"}, "damaged or no file of parquet"),
    "no cells": ({"path": "damaged.h5ad"}, "damaged or no file of HDF5"),
    "no such layer": ({"path": "own.h5ad", "layer": "spliced"}, "unknown layer of .*'spliced': known are .*scaled"),
    "a layer of a table": ({"path": "own.csv", "layer": "raw"}, "is of .h5ad files"),
    "no images": ({"path": "folder"}, "has no images"),
    "a damaged image": ({"path": "images"}, "2.png is no image that can be read"),
    "size of a table": ({"path": "own.csv", "size": 3}, "is of folders of images"),
    "features of an array": ({"path": "x.npy", "features": "one"}, "features='one' is of tables and .npz, not of"),
    "features of cells": ({"path": "own.h5ad", "features": "gene"}, "of an .h5ad, layer= says what the examples are"),
    "a feature twice": ({"path": "own.csv", "features": "one,one"}, "'one': give each once"),
    "mostly gaps": ({"path": "gaps.csv"}, "line 3: the column 'b' has 'NA' among numbers"),
    "semicolons": ({"path": "semicolons.csv"}, "separated by ';'"),
    "an archive by another name": ({"path": "archive.npy"}, "is an archive of arrays: let its name end in .npz"),
    "an array by another name": ({"path": "array.npz"}, "no archive of arrays"),
    "a cut archive": ({"path": "cut.npz"}, "no archive of arrays"),
    "a changed byte": ({"path": "changed.npz"}, "no archive of arrays .*Bad CRC-32"),
    "a number for a table": ({"path": "obs.h5ad"}, "damaged or no file of HDF5"),
    "two test sets": ({"path": "own.csv", "test": "part", "test_path": "own.csv"}, "both say what the test set is"),
    "another test set": ({"path": "x.npy", "test_path": "wide.npy"}, r"has examples of shape \(3,\), .* of \(4,\)"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_csv(folder / "own.csv")
    new_cells(folder / "own.h5ad")
    np.save(folder / "x.npy", X)
    np.save(folder / "wide.npy", RNG.normal(size=(5, 4)))
    np.save(folder / "pickled.npy", np.asarray([None, 1], object), allow_pickle=True)
    np.savez(folder / "two.npz", one=X, two=X)
    texts = {"repeated.csv": "a,a\n1,2\n", "short.csv": "a,b\n1,2\n3\n"}
    texts |= {"gap.csv": "a,b\n1,2\n3,\n4,5\n", "nan.csv": "a,b\n1,nan\n2,3\n4,5\n", "empty.csv": "", "notes.doc": "x"}
    for name, text in texts.items():
        (folder / name).write_text(text)
    for name in ("damaged.npz", "damaged.parquet", "damaged.h5ad", "binary.csv"):
        (folder / name).write_bytes(b"\xff\xfe\x00\x81" * 50)
    (folder / "gaps.csv").write_text("a,b\n1,2\n3,NA\n4,NA\n5,\n")
    (folder / "semicolons.csv").write_text("a;b\n1;2\n3;4\n")
    np.savez(folder / "one.npz", x=X)
    whole = (folder / "one.npz").read_bytes()
    (folder / "archive.npy").write_bytes(whole)
    (folder / "array.npz").write_bytes((folder / "x.npy").read_bytes())
    (folder / "cut.npz").write_bytes(whole[:-60])
    (folder / "changed.npz").write_bytes(whole[:300] + bytes([whole[300] ^ 255]) + whole[301:])
    with h5py.File(folder / "obs.h5ad", "w") as file:
        file["X"], file["obs"] = X, 3
    (folder / "folder").mkdir()
    image_folder(folder / "images", a1=(4, 4), a2=(4, 4))
    (folder / "images" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\nnot")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "image.png")
    return folder


@pytest.mark.parametrize("case", FILES)
def test_bad_files_are_named(files, case):
    options, message = FILES[case]
    options = {name: str(files / value) if "path" in name else value for name, value in options.items()}
    with pytest.raises(UsageError, match=message):
        from_file(**options)


def test_numbers_beyond_32_bits_keep_their_order():
    x = np.arange(40, dtype=np.int64)[:, None] * 10**11
    dataset = from_arrays(x, test=np.arange(40) >= 30)
    np.testing.assert_allclose(np.asarray(dataset.train["x"]), x[:30], rtol=1e-6)
    exact = from_arrays(x // 10**11, test=np.arange(40) >= 30)
    assert exact.train["x"].dtype == np.int32


def test_what_float32_cannot_hold_is_said(caplog):
    time = 1.7e9 + np.arange(40.0)
    from_arrays(Frame({"time": time, "one": X[:, 0].astype(np.float64), "tiny": np.full(40, 0.1)}))
    assert "(column 'time') varies by 11.5 around 1.70000002e+09" in caplog.text
    assert "so do" not in caplog.text


def test_labels_and_features_come_in_many_kinds():
    assert from_arrays(X > 0).scaling.kind == "none"
    for label in (LABELS.astype(bytes), LABELS.astype(object), np.asarray(LABELS, np.dtypes.StringDType())):
        assert from_arrays(X, label=label).label_names == from_arrays(X, label=LABELS).label_names
    assert from_arrays(X, label=np.asarray([3, 7] * 20, object)).label_names == ("3", "7")
    assert from_arrays(X.astype(object)).scaling.kind == "standard"
    frame = Frame({"one": X[:, 0], "two": X[:, 1], "3": np.arange(40) % 2, "odd": X[:, 2].astype(object)})
    for features in (["two", "one"], np.asarray(["two", "one"]), "two, one"):
        dataset = from_arrays(frame, features=features, label=3)
        assert (dataset.feature_names, dataset.label_names) == (("two", "one"), ("0", "1"))
    assert from_arrays(frame).feature_names == ("one", "two", "3", "odd")
    dataset = from_arrays(X, angle=np.arange(40), angle_period=np.float32(20), test_fraction=np.float32(0.25))
    assert dataset.num_test == 10


def test_gaps_of_columns_that_are_not_asked_for_do_no_harm(tmp_path):
    path = tmp_path / "gaps.csv"
    path.write_text("a,b,c\n1,2,3\n3,NA,4\n5,6,4\n")
    assert from_file(str(path), features="a,c").event_shape == (2,)
    with pytest.raises(UsageError, match=r"label\[1\] is nan"):
        from_file(str(path), features="a,c", label="b")


def test_a_test_set_has_the_features_of_training_by_name(tmp_path):
    (tmp_path / "one.csv").write_text("a,b\n" + "".join(f"{i},{10 * i}\n" for i in range(5)))
    (tmp_path / "other.csv").write_text("b,a\n" + "".join(f"{10 * i},{i}\n" for i in range(5)))
    dataset = from_file(str(tmp_path / "one.csv"), test_path=str(tmp_path / "other.csv"))
    np.testing.assert_array_equal(dataset.test["x"], dataset.train["x"])
    (tmp_path / "third.csv").write_text("b,c\n1,2\n2,3\n")
    with pytest.raises(UsageError, match=r"third\.csv lacks the feature 'a' of the training data"):
        from_file(str(tmp_path / "one.csv"), test_path=str(tmp_path / "third.csv"))

import functools
import hashlib
import http.server
import os
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import load
from mvae.data.digits import mnist_files
from mvae.errors import UsageError
from tests.data.digits.digit_files import idx_bytes
from tests.paths import SHARED

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def test_reads_the_folder_of_the_original_files(digit_files):
    dataset = load("mnist", dir=str(digit_files.folder))
    assert dataset.event_shape == (28, 28, 1)
    for split, arrays in (("train", dataset.train), ("test", dataset.test)):
        digit_files.assert_equal(split, arrays["x"], arrays["label"])
        assert arrays["x"].dtype == jnp.uint8
        assert arrays["label"].dtype == jnp.int32
    image = dataset.render(dataset.test)["x"]
    np.testing.assert_allclose(image[..., 0], digit_files.images["test"] / 255, atol=1e-7)


def test_finds_a_subfolder_and_uncompressed_files(digit_files):
    (digit_files.folder / IMAGES).write_bytes(digit_files.content(IMAGES))
    digit_files.path(IMAGES).unlink()
    digit_files.folder.rename(digit_files.folder.with_name("mnist"))
    dataset = load("mnist", dir=str(digit_files.folder.parent))
    digit_files.assert_equal("train", dataset.train["x"], dataset.train["label"])


@pytest.mark.parametrize("place", ["", "mnist", "MNIST", "raw", "mnist/raw", "MNIST/raw"])
@pytest.mark.parametrize("spelt", ["{}.gz", "{}", "stop.gz", "stop", "{}/{}", "{}.gz/{}", "{}/stop"])
def test_files_are_found_as_people_have_them(digit_files, place, spelt):
    """Of this project, of torchvision, unpacked by hand, each from an archive of its own."""
    folder = digit_files.folder.parent
    for name in mnist_files.FILES:
        path = folder / place / spelt.replace("stop", name.replace("-idx", ".idx")).replace("{}", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = digit_files.path(name).read_bytes() if spelt.endswith(".gz") else digit_files.content(name)
        path.write_bytes(content)
        digit_files.path(name).unlink()
    dataset = load("mnist", dir=str(folder))
    digit_files.assert_equal("train", dataset.train["x"], dataset.train["label"])
    digit_files.assert_equal("test", dataset.test["x"], dataset.test["label"])


def test_another_set_of_the_same_names_beside_it_is_left_alone(digit_files, tmp_path):
    """Torchvision's folder of Fashion-MNIST has files of the same names as that of MNIST beside it."""
    root = tmp_path / "torchvision"
    for name in ("FashionMNIST", "MNIST"):
        (root / name / "raw").mkdir(parents=True)
    for name in mnist_files.FILES:
        (root / "FashionMNIST" / "raw" / name).write_bytes(b"other")
    with pytest.raises(UsageError, match="MNIST not found"):
        load("mnist", dir=str(root))
    for name in mnist_files.FILES:
        (root / "MNIST" / "raw" / name).write_bytes(digit_files.content(name))
    digit_files.assert_equal("train", *load("mnist", dir=str(root)).train.values())


def test_subsets_are_the_first_ones(digit_files):
    dataset = load("mnist", dir=str(digit_files.folder), num_train=7, num_test=20)
    assert (dataset.num_train, dataset.num_test) == (7, 20)
    np.testing.assert_array_equal(dataset.train["x"][..., 0], digit_files.images["train"][:7])
    np.testing.assert_array_equal(dataset.train["label"], digit_files.labels["train"][:7])
    with pytest.raises(UsageError, match="data option num_test=21: there are only 20 images; 0 keeps all"):
        load("mnist", dir=str(digit_files.folder), num_test=21)


def test_missing_files_are_named_with_every_place_and_the_remedy(digit_files, tmp_path):
    digit_files.path(LABELS).unlink()
    with pytest.raises(UsageError) as raised:
        load("mnist", dir=str(digit_files.folder))
    message = str(raised.value)
    assert f"{digit_files.folder} (missing {LABELS}[.gz])" in message
    assert f"{digit_files.folder / 'mnist'} (no such folder)" in message
    assert all(f"{name}.gz" in message for name in mnist_files.FILES)
    assert "--config.data.dir=DIR" in message
    assert "network" in message
    assert "\n" not in message
    with pytest.raises(
        UsageError, match=r"absent \(no such folder\); .*absent/mnist \(no such folder\); .*absent/MNIST/raw \("
    ):
        load("mnist", dir=str(tmp_path / "absent"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (LABELS, idx_bytes(np.zeros(49)), "expected 50 labels, as many as .*images-idx3-ubyte.gz, found 49"),
        (LABELS, idx_bytes(np.full(50, 10)), "expected labels 0 to 9, found 10"),
        (LABELS, idx_bytes(np.zeros((50, 28, 28))), "expected an array of 1 dimensions, found 3"),
        (IMAGES, idx_bytes(np.zeros(50)), "expected an array of 3 dimensions, found 1"),
        (IMAGES, idx_bytes(np.zeros((50, 32, 28))), "expected images of 28×28 pixels, found 32×28"),
        (IMAGES, idx_bytes(np.zeros((0, 28, 28))), "expected images, found none"),
        (
            IMAGES,
            idx_bytes(np.zeros((50, 28, 28)), b"\0\0\x09\x03"),
            "expected entries of type uint8, found int8",
        ),
        (IMAGES, idx_bytes(np.zeros((50, 28, 28)))[:-5], "truncated"),
    ],
)
def test_damaged_files_are_named(digit_files, name, content, message):
    digit_files.write(name, content)
    with pytest.raises(UsageError, match=f"^{digit_files.path(name)}: {message}"):
        load("mnist", dir=str(digit_files.folder))


# The builder. tensorflow_datasets is imported in the tests that need it: it takes seconds.


@pytest.fixture
def load_prepared(tmp_path):
    from mvae.data.digits.mnist_builder import load_prepared

    return functools.partial(load_prepared, data_dir=str(tmp_path / "tfds"))


@pytest.fixture
def prepared(tmp_path):
    return tmp_path / "tfds" / "mnist_idx" / "2.0.0"


def assert_holds(digit_files, splits):
    for split, digits in splits.items():
        digit_files.assert_equal(split, digits.images, digits.labels)
        assert (digits.images.dtype, digits.labels.dtype) == (np.uint8, np.int32)


def test_builder_prepares_once_and_reads_back_in_order(digit_files, load_prepared, prepared):
    assert_holds(digit_files, load_prepared(idx_dir=str(digit_files.folder)))
    before = {path: path.stat().st_mtime_ns for path in prepared.iterdir()}
    assert any("array_record" in path.name for path in before)
    assert_holds(digit_files, load_prepared(idx_dir=str(digit_files.folder / "absent")))  # not looked at any more
    assert before == {path: path.stat().st_mtime_ns for path in prepared.iterdir()}


def test_prepares_and_finds_prepared_data_without_tensorflow(digit_files, tmp_path):
    trap = tmp_path / "site" / "tensorflow"
    trap.mkdir(parents=True)
    (trap / "__init__.py").write_text("raise AssertionError('TensorFlow was imported')")
    program = (
        "import sys\n"
        "from mvae.data import load\n"
        "assert 'tensorflow_datasets' not in sys.modules\n"
        "from mvae.data.digits.mnist_builder import load_prepared\n"
        f"load_prepared(idx_dir={str(digit_files.folder)!r})\n"
        "digits = load('mnist', num_test=3)\n"
        "assert 'tensorflow' not in sys.modules\n"
        "print(digits.train['x'].sum(), digits.train['label'].sum(), digits.num_test, file=sys.stderr)\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(trap.parent), *sys.path]),
        "TFDS_DATA_DIR": str(tmp_path / "elsewhere"),
        "JAX_PLATFORMS": "cpu",
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    images, labels = digit_files.images["train"], digit_files.labels["train"]
    sums = [str(images.sum(dtype=int)), str(labels.sum(dtype=int)), "3"]
    assert done.stderr.split()[-3:] == sums
    assert (tmp_path / "elsewhere" / "mnist_idx" / "2.0.0").is_dir()


@pytest.mark.parametrize("fault", ["foreign file only", "shard lost", "metadata lost"])
def test_half_prepared_folder_is_made_again(digit_files, load_prepared, prepared, fault):
    if fault == "foreign file only":
        prepared.mkdir(parents=True)
        (prepared / "mnist_idx-train.array_record-00000-of-00001").write_bytes(b"half")
    else:
        load_prepared(idx_dir=str(digit_files.folder))
        pattern = "*test.array_record*" if fault == "shard lost" else "dataset_info.json"
        next(prepared.glob(pattern)).unlink()
    assert_holds(digit_files, load_prepared(idx_dir=str(digit_files.folder)))


def test_failed_preparation_leaves_nothing_that_looks_finished(digit_files, load_prepared, prepared):
    good = digit_files.content(LABELS)
    digit_files.write(LABELS, good[:-1])
    with pytest.raises(UsageError, match=rf"holds no prepared MNIST.* {digit_files.path(LABELS)}: truncated"):
        load_prepared(idx_dir=str(digit_files.folder))
    assert not prepared.exists()
    digit_files.write(LABELS, good)
    assert_holds(digit_files, load_prepared(idx_dir=str(digit_files.folder)))


def test_damaged_prepared_file_is_reported(digit_files, load_prepared, prepared):
    load_prepared(idx_dir=str(digit_files.folder))
    shard = next(prepared.glob("*test.array_record*"))
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(UsageError, match=f"cannot be prepared or read in .*or delete {prepared.parent} to have it"):
        load_prepared()


def test_folder_that_cannot_be_written_is_reported(digit_files, load_prepared, tmp_path):
    (tmp_path / "tfds").write_text("a file where the folder should be")
    with pytest.raises(UsageError, match=r"cannot be prepared or read in .*tfds .*--config\.data\.dir=DIR"):
        load_prepared(idx_dir=str(digit_files.folder))


# Downloads: the real download manager, and mirrors served by this test.


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves tmp_path over HTTP; `server(*folders)` makes them the mirrors."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = functools.partial(_Handler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()

        def use(*folders):
            mirrors = tuple(f"http://127.0.0.1:{running.server_port}/{folder}/" for folder in folders)
            monkeypatch.setattr(mnist_files, "MIRRORS", mirrors)

        yield use
        running.shutdown()


@pytest.fixture
def checksums(digit_files, monkeypatch):
    sums = {name: hashlib.sha256(digit_files.content(name)).hexdigest() for name in mnist_files.FILES}
    monkeypatch.setattr(mnist_files, "SHA256", sums)


def test_downloads_and_prepares(digit_files, load_prepared, server, checksums):
    server("original")
    assert_holds(digit_files, load_prepared())


def test_next_mirror_is_tried_and_a_damaged_download_is_not_kept(
    digit_files, load_prepared, server, checksums, tmp_path, prepared
):
    bad = tmp_path / "bad"
    bad.mkdir()
    for name in mnist_files.FILES:
        (bad / f"{name}.gz").write_bytes(digit_files.path(name).read_bytes())
    content = bytearray(digit_files.content(IMAGES))
    content[100] ^= 1  # one bit of one pixel
    (bad / f"{IMAGES}.gz").write_bytes(content)
    server("bad", "absent")
    with pytest.raises(UsageError) as raised:
        load_prepared()
    message = str(raised.value)
    assert f"/bad/ (UsageError: {tmp_path}" in message
    assert f"expected the content of {IMAGES} with SHA-256 {mnist_files.SHA256[IMAGES]}, found " in message
    assert "/absent/ (HTTPError: HTTP Error 404" in message
    assert not prepared.exists()

    (bad / f"{IMAGES}.gz").write_bytes(digit_files.path(IMAGES).read_bytes())  # repaired: fetched anew
    server("absent", "bad")
    assert_holds(digit_files, load_prepared())


def test_no_network_is_one_message(load_prepared, monkeypatch):
    def no_network(*_args, **_kwargs):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    with pytest.raises(UsageError) as raised:
        load_prepared()
    message = str(raised.value)
    assert all(f"{mirror} (URLError: " in message for mirror in mnist_files.MIRRORS)
    assert all(f"{name}.gz" in message for name in mnist_files.FILES)
    assert "--config.data.dir=DIR" in message
    assert "\n" not in message


# The real files.


def test_real_digits():
    folder = Path(os.environ.get("MVAE_DATA_DIR") or SHARED)
    try:
        paths = mnist_files.locate(str(folder))
    except UsageError:
        pytest.skip(f"needs the four MNIST files in {folder} (or in the folder that MVAE_DATA_DIR names)")
    for name, path in paths.items():
        mnist_files.check_content(name, path)
    dataset = load("mnist", dir=str(folder))
    assert (dataset.num_train, dataset.num_test) == (60_000, 10_000)
    np.testing.assert_allclose(np.asarray(dataset.train["x"]).mean() / 255, 0.1307, atol=5e-5)
    assert dataset.train["label"][:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(dataset.test["label"]).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]

import numpy as np
import pytest

from mvae.figures import latent_space, save
from mvae.manifolds import Euclidean


def figure():
    return latent_space(Euclidean(2), np.arange(10.0).reshape(5, 2))


@pytest.mark.parametrize(("ending", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_saves_what_the_ending_says_and_nothing_else(tmp_path, ending, magic):
    path = tmp_path / "new" / f"image.{ending}"
    save(figure(), path)
    assert path.read_bytes().startswith(magic)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_png_is_fit_for_print(tmp_path):
    picture = figure()
    width = picture.get_figwidth()
    save(picture, str(tmp_path / "a.png"))
    data = (tmp_path / "a.png").read_bytes()
    assert int.from_bytes(data[16:20], "big") == int(width * 200)


def test_saved_figure_is_emptied(tmp_path):
    picture = figure()
    save(picture, tmp_path / "a.png")
    assert picture.axes == []


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_equal_figures_give_equal_bytes(tmp_path, ending):
    for name in "ab":
        save(figure(), tmp_path / f"{name}.{ending}")
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_failure_leaves_the_old_file_and_no_half_one(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    picture = figure()

    def break_off(where, **_):
        with open(where, "wb") as file:
            file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(picture, "savefig", break_off)
    with pytest.raises(OSError, match="disk full"):
        save(picture, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["figure", "figure.docx"])
def test_unknown_ending_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"^path "):
        save(figure(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []

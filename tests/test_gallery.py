"""tools/gallery.py: its runs are ones that the program takes, and the site shows every one of them."""

import importlib.util
import re
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.programs import call

spec = importlib.util.spec_from_file_location("gallery", ROOT / "tools" / "gallery.py")
gallery = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gallery)


@pytest.fixture
def data(tmp_path):
    for entry in gallery.GALLERY.values():
        path = tmp_path / "data" / entry.data
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir(exist_ok=True)
    return tmp_path / "data"


@pytest.mark.parametrize("name", list(gallery.GALLERY))
def test_runs_are_ones_that_the_program_takes(name, data):
    train, explore = gallery.commands(name, Path("run"), Path("page.html"), data)
    assert train[1:3] == ["-m", "mvae.main"]
    outcome = call("mvae/main.py", *train[3:], "--help")
    assert outcome.code == 0, outcome.errors
    assert call("mvae/explore/__main__.py", *explore[3:], "--help").code == 0


def test_runs_whose_data_are_not_there_are_refused(tmp_path):
    for folder in (None, tmp_path):
        with pytest.raises(gallery.Wrong, match="digits needs mnist: give --data"):
            gallery.commands("digits", Path("run"), Path("page.html"), folder)


def test_the_site_shows_all_in_both_themes():
    shown = re.findall(r"\]\(figures/gallery/(\w+)\.webp\)", (ROOT / "docs/gallery.md").read_text())
    assert sorted(shown) == sorted(gallery.GALLERY)
    kept = {path.stem for path in (ROOT / "docs" / "figures" / "gallery").iterdir()}
    assert kept == set(shown) | {f"{name}_dark" for name in shown}

import importlib

import pytest

from mvae.data.digits import mnist_files
from tests.data.digits.digit_files import DigitFiles
from tests.data.factors import factor_files


@pytest.fixture
def digit_files(tmp_path):
    files = DigitFiles(tmp_path / "original")
    assert {path.name for path in files.folder.iterdir()} == {f"{name}.gz" for name in mnist_files.FILES}
    return files


@pytest.fixture
def small_sizes(monkeypatch):
    """Lets the readers expect the small sets of `factor_files` in place of the published ones."""
    for name, sizes in (
        ("cars3d_files", factor_files.CARS3D_SIZES),
        ("dsprites", factor_files.DSPRITES_SIZES),
        ("shapes3d", factor_files.SHAPES3D_SIZES),
    ):
        monkeypatch.setattr(importlib.import_module(f"mvae.data.factors.{name}"), "SIZES", sizes)

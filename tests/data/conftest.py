import pytest

from mvae.data import mnist_files
from tests.data.digit_files import DigitFiles


@pytest.fixture
def digit_files(tmp_path):
    files = DigitFiles(tmp_path / "original")
    assert {path.name for path in files.folder.iterdir()} == {f"{name}.gz" for name in mnist_files.FILES}
    return files

"""Config files by path."""

import pytest

from mvae.errors import UsageError
from mvae.training.config_file import load_config


def test_argument_reaches_the_file(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(
        "from ml_collections import ConfigDict\ndef get_config(arg=''):\n    return ConfigDict({'arg': arg})\n"
    )
    assert load_config(path, "quick").arg == "quick"
    assert load_config(path).arg == ""


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"none\.py: no such config file"):
        load_config(tmp_path / "none.py")
    (tmp_path / "other.py").write_text("x = 1\n")
    with pytest.raises(UsageError, match=r"other\.py: has no function get_config"):
        load_config(tmp_path / "other.py")

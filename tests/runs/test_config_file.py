"""Config files by path."""

import pytest
from ml_collections import ConfigDict

from mvae.errors import UsageError
from mvae.runs.config_file import dotted_keys, load_config


def test_argument_reaches_the_file(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(
        "from ml_collections import ConfigDict\ndef get_config(arg=''):\n    return ConfigDict({'arg': arg})\n"
    )
    assert load_config(path, "quick").arg == "quick"
    assert load_config(path).arg == ""


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"none\.py: no such Python file"):
        load_config(tmp_path / "none.py")
    (tmp_path / "other.py").write_text("x = 1\n")
    with pytest.raises(UsageError, match=r"other\.py has no function get_config\(\)"):
        load_config(tmp_path / "other.py")


def test_refused_argument_names_the_file(tmp_path):
    path = tmp_path / "config.py"
    path.write_text("def get_config(arg=''):\n    raise ValueError(f'quick or none, got {arg!r}')\n")
    with pytest.raises(UsageError, match=r"config\.py: quick or none, got 'fast'"):
        load_config(path, "fast")


def test_keys_of_blocks_within_blocks():
    config = ConfigDict({"model": {"spectral": {"alpha": 1.0}, "beta": 2.0}, "seed": 0})
    assert set(dotted_keys(config)) == {"model.spectral.alpha", "model.beta", "seed"}

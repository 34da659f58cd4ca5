"""Config files by path: what they may import, and their errors in one line with the place."""

import pytest

from mvae.errors import UsageError
from mvae.runs.config_file import load_config
from mvae.runs.overrides import resolve
from tests.paths import CONFIGS

HEAD = "from ml_collections import ConfigDict\n"


def test_argument_reaches_the_file(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(HEAD + "def get_config(arg=''):\n    return ConfigDict({'arg': arg})\n")
    assert load_config(path, "quick").arg == "quick"
    assert load_config(path).arg == ""


def test_entries_of_a_loaded_config_can_be_set():
    config = load_config(CONFIGS / "vae.py")
    config.data.name, config.data.object, config.manifold.dim = "coil20", 1, 3
    config.model.beta, config.num_steps = 4, 10
    resolved = resolve(config)
    assert resolved.block["data"] == {"name": "coil20", "object": 1}
    assert resolved.manifold.dim == 3
    assert (resolved.block["model"]["beta"], resolved.run.num_steps) == (4.0, 10)


def test_a_config_may_have_texts_and_plain_dicts(tmp_path):
    path = tmp_path / "config.py"
    path.write_text("def get_config():\n    return {'data': 'coil20:size=32', 'manifold': 'sphere:2'}\n")
    assert load_config(path).to_dict() == {
        "data": {"name": "coil20", "size": 32},
        "manifold": {"name": "sphere", "dim": 2},
    }


def test_a_config_may_import_its_neighbour_and_what_is_above(tmp_path):
    for name, beta in (("one", 1.0), ("two", 2.0)):  # the second has a neighbour of the same name
        folder = tmp_path / name / "configs"
        folder.mkdir(parents=True)
        (folder / "base.py").write_text(
            HEAD + f"def get_config(arg=''):\n    return ConfigDict({{'beta': {beta}, 'arg': arg}})\n"
        )
        (folder / "mine.py").write_text("from base import get_config\n")
        (folder / "ours.py").write_text(
            "def get_config(arg=''):\n    from configs.base import get_config as base\n    return base(arg)\n"
        )
        for file in ("mine.py", "ours.py"):
            assert load_config(folder / file, "a").to_dict() == {"beta": beta, "arg": "a"}


def test_a_config_may_define_dataclasses_with_annotations_to_come(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(
        "from __future__ import annotations\nimport dataclasses\nfrom ml_collections import ConfigDict\n"
        "@dataclasses.dataclass\nclass Own:\n    beta: float = 3.0\n"
        "def get_config():\n    return ConfigDict({'beta': Own().beta})\n"
    )
    assert load_config(path).beta == 3.0


@pytest.mark.parametrize(
    ("text", "argument", "message"),
    [
        (None, "", r"config\.py: no such Python file"),
        ("x = 1\n", "", r"config\.py has no function get_config\(\)"),
        ("get_config = 1\n", "", r"config\.py has no function get_config\(\)"),
        ("x = 1\ndef get_config(:\n", "", r"config\.py:2: SyntaxError: \w"),
        ("x = 1\n  y = 2\n", "", r"config\.py:2: IndentationError: unexpected indent$"),
        ("import nothing\n", "", r"config\.py:1: ModuleNotFoundError: No module named 'nothing'$"),
        ("from ml_collections import Nothing\n", "", r"config\.py:1: ImportError: cannot import name 'Nothing'"),
        ("x = 1 / 0\n", "", r"config\.py:1: ZeroDivisionError: division by zero$"),
        (
            "def f():\n    raise KeyError('a\\nb')\ndef get_config():\n    f()\n",
            "",
            r"config\.py:2: KeyError: 'a\\nb'$",
        ),
        ("import sys\ndef get_config():\n    sys.exit(3)\n", "", r"config\.py:3: SystemExit: 3$"),
        ("def get_config():\n    assert False\n", "", r"config\.py:2: AssertionError$"),
        (
            "def get_config():\n    return None\n",
            "",
            r"config\.py:1: get_config\(\) must return a ConfigDict, got None$",
        ),
        ("x = 1\ndef get_config():\n    return {}\n", "quick", r"config\.py:2: TypeError: get_config\(\) takes 0 pos"),
        ("def get_config(a):\n    return {}\n", "", r"config\.py:1: TypeError: get_config\(\) missing 1 required"),
        (
            "def get_config(arg=''):\n    raise ValueError(f'quick or none, got {arg!r}')\n",
            "fast",
            r"config\.py:2: quick or none, got 'fast'$",
        ),
        (
            "from mvae.runs import default_config\ndef get_config():\n    return default_config('vea')\n",
            "",
            r"config\.py:3: unknown method 'vea': known are vae",
        ),
        (
            HEAD + "def get_config():\n    c = ConfigDict()\n    c.lock()\n    c.x = 1\n",
            "",
            r"config\.py:5: \w*Error: .*x",
        ),
        ("def get_config():\n    return {'data': 'mnst'}\n", "", r"config\.py:1: unknown data set 'mnst'"),
        (
            "def get_config():\n    return {'manifold': 'sphere'}\n",
            "",
            r"config\.py:1: config.manifold \(sphere\) lacks",
        ),
        ("from neighbour import x\n", "", r"neighbour\.py:1: NameError: name 'y' is not defined$"),
    ],
)
def test_errors_are_one_line_with_the_place(tmp_path, text, argument, message):
    path = tmp_path / "config.py"
    (tmp_path / "neighbour.py").write_text("x = y\n")
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=message) as raised:
        load_config(path, argument)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path))

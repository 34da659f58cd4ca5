"""The wheel brings the configs, and its program runs in any folder by their names."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import mvae
from mvae.errors import UsageError
from mvae.runs.config_file import find_config, load_config
from tests.paths import CONFIGS

ROOT = Path(__file__).parents[1]


def test_configs_are_packed_and_found_by_name_where_there_is_no_such_file(tmp_path, monkeypatch):
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"configs": "mvae/configs"}
    package = tmp_path / "site" / "mvae"
    package.mkdir(parents=True)
    (package / "configs").symlink_to(CONFIGS)
    monkeypatch.setattr(mvae, "__file__", str(package / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    for path in CONFIGS.glob("*.py"):
        assert find_config(path.stem).resolve() == path.resolve()
        assert find_config(path.name).resolve() == path.resolve()
    assert load_config(find_config("dvae_torus"), "quick").num_epochs == 6
    with pytest.raises(UsageError, match="unknown config file 'dvae_tours': known are dvae_torus"):
        find_config("dvae_tours")
    (tmp_path / "dvae_torus").write_text("own")  # a file of that name comes first
    assert find_config("dvae_torus") == Path("dvae_torus")


@pytest.mark.slow
def test_the_installed_program_runs_anywhere(tmp_path):
    def run(*command, **options):
        return subprocess.run(command, capture_output=True, text=True, timeout=900, **options)

    pip = (sys.executable, "-m", "pip")
    built = run(*pip, "wheel", "-q", "--no-deps", "-w", str(tmp_path / "wheel"), str(ROOT))
    if built.returncode:
        pytest.skip(f"no wheel can be built here: {built.stderr[-300:]}")
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"mvae/configs/{path.name}" for path in CONFIGS.glob("*.py")} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "experiments/", "configs/"))]
    run(*pip, "install", "-q", "--no-deps", "--target", str(tmp_path / "site"), str(wheel), check=True)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    (tmp_path / "elsewhere").mkdir()
    small = ("--config.num_steps=20", "--config.evaluation.importance_samples=2", "--config.data.size=16")
    program = str(tmp_path / "site" / "bin" / "mvae")
    done = run(
        sys.executable,
        program,
        "--config=dvae_torus:quick",
        "--workdir=W",
        *small,
        cwd=tmp_path / "elsewhere",
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "elsewhere" / "W" / "codes.npz").exists()
    code = "import mvae; assert 'site' in mvae.__file__; print(mvae.load('W').best)"
    loaded = run(sys.executable, "-c", code, cwd=tmp_path / "elsewhere", env=environment)
    assert "Trained(dvae, FlatTorus(dim=2)" in loaded.stdout, loaded.stderr

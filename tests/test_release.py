"""tools/release.py: the version that is said twice, and what keeps it from being tagged."""

import importlib.util
import subprocess

import pytest

from tests.paths import ROOT

spec = importlib.util.spec_from_file_location("release", ROOT / "tools" / "release.py")
release = importlib.util.module_from_spec(spec)
spec.loader.exec_module(release)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "mvae").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "mvae"\nversion = "1.2.0"\n')
    (tmp_path / "mvae" / "__init__.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [1.2.0] - 2026-01-01\n")
    person = ("-c", "user.name=n", "-c", "user.email=e@x")
    for command in (["init", "-q"], ["add", "."], [*person, "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def test_this_project_says_one_version():
    import mvae

    assert release.version_of(ROOT) == mvae.__version__


def test_versions_that_differ(project):
    assert release.version_of(project) == "1.2.0"
    (project / "mvae" / "__init__.py").write_text('__version__ = "1.3.0"\n')
    with pytest.raises(release.Wrong, match=r"pyproject\.toml says 1\.2\.0, mvae/__init__\.py 1\.3\.0"):
        release.version_of(project)


def test_what_keeps_a_version_from_being_tagged(project):
    release.check_tag(project, "1.2.0")
    with pytest.raises(release.Wrong, match=r"no section \[1\.3\.0\]"):
        release.check_tag(project, "1.3.0")
    (project / "new").touch()
    with pytest.raises(release.Wrong, match="has changes"):
        release.check_tag(project, "1.2.0")
    (project / "new").unlink()
    subprocess.run(["git", "-C", str(project), "tag", "v1.2.0"], check=True)
    with pytest.raises(release.Wrong, match="there is a tag"):
        release.check_tag(project, "1.2.0")


def test_a_command_that_fails_is_said(tmp_path):
    with pytest.raises(release.Wrong, match="ended with 3: no such thing"):
        release._run(["sh", "-c", "echo no such thing >&2; exit 3"], tmp_path)

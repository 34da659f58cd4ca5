"""Builds wheel and sdist, and checks each in an empty environment: installed, trained, loaded, explored.

  python tools/release.py [--out=dist] [--tag]

Needs git and the package index. With --tag the version, which mvae/__init__.py and pyproject.toml both say and which
CHANGELOG.md has a section of, becomes a tag of the clean working tree; nothing is pushed.

Exit codes: 0 done; 2 what is wrong, in a line.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Run where no checkout is in sight, so that what was installed is what is tried.
TRIAL = """
import sys, mvae
assert mvae.__version__ == sys.argv[1], mvae.__version__
assert "site-packages" in mvae.__file__, mvae.__file__
run = mvae.load("run")
assert run.best.sample(3).shape == (3, *run.best.event_shape)
assert run.explore().save("page.html").path.stat().st_size > 100_000
"""
QUICK = ("--config=dvae_torus:quick", "--config.num_epochs=1", "--config.data.num_train=1024", "--workdir=run")


class Wrong(Exception):  # noqa: N818
    """What keeps the project from being released."""


def version_of(root: Path) -> str:
    """Returns the version that the project says, in both places.

    Raises:
        Wrong: If they differ.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    found = re.search(r'^__version__ = "([^"]+)"$', (root / "mvae" / "__init__.py").read_text(), re.MULTILINE)
    if found is None or found[1] != project:
        raise Wrong(f"pyproject.toml says {project}, mvae/__init__.py {found and found[1]}")
    return project


def check_tag(root: Path, version: str) -> None:
    """Raises `Wrong` unless the version can be tagged: a section of the changelog, nothing uncommitted, a new tag."""
    if not re.search(rf"^## \[{re.escape(version)}\]", (root / "CHANGELOG.md").read_text(), re.MULTILINE):
        raise Wrong(f"CHANGELOG.md has no section [{version}]: give [Unreleased] that name and the day")
    if _git(root, "status", "--porcelain"):
        raise Wrong("the working tree has changes: commit them first")
    if _git(root, "tag", "--list", f"v{version}"):
        raise Wrong(f"there is a tag v{version}: raise the version in pyproject.toml and mvae/__init__.py")


def build(root: Path, out: Path, scratch: Path) -> list[Path]:
    """Returns wheel and sdist, built with a `build` of their own."""
    python = _environment(scratch / "build")
    _run([python, "-m", "pip", "install", "-q", "build"], scratch)
    _run([python, "-m", "build", "--outdir", str(scratch / "made"), str(root)], scratch)
    out.mkdir(parents=True, exist_ok=True)
    made = sorted((scratch / "made").iterdir())
    if [path.suffix for path in made] != [".whl", ".gz"] and [path.suffix for path in made] != [".gz", ".whl"]:
        raise Wrong(f"built were {', '.join(path.name for path in made)}, expected a wheel and an sdist")
    return [path.rename(out / path.name) for path in made]


def try_out(artefact: Path, version: str, scratch: Path) -> None:
    """Installs an artefact into an empty environment, and trains, loads and explores a model there."""
    python = _environment(scratch / artefact.suffix)
    _run([python, "-m", "pip", "install", "-q", str(artefact)], scratch)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        _run([python, "-m", "mvae.main", *QUICK], Path(folder))
        _run([python, "-c", TRIAL, version], Path(folder))


def _environment(folder: Path) -> str:
    venv.create(folder, with_pip=True)
    return str(folder / "bin" / "python")


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise Wrong(f"{' '.join(command)[:200]} ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> None:
    """Releases as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of wheel and sdist")
    parser.add_argument("--tag", action="store_true", help="tag the version once both have passed")
    given = parser.parse_args()
    try:
        version = version_of(ROOT)
        if given.tag:
            check_tag(ROOT, version)
        with tempfile.TemporaryDirectory() as scratch:
            for artefact in build(ROOT, given.out.absolute(), Path(scratch)):
                try_out(artefact, version, Path(scratch))
                print(f"{artefact} passed")
        if given.tag:
            _git(ROOT, "tag", "-a", f"v{version}", "-m", f"Version {version}")
            print(f"tagged v{version}")
    except Wrong as error:
        print(f"release.py: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()

"""What the import contract cannot say: the geometry alone, and flax.linen in one folder."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import mvae

PACKAGE = Path(__file__).parents[1] / "mvae"
ALLOWED = {"jax", "jaxlib", "numpy", "scipy", "jaxtyping"}


@pytest.mark.parametrize("module", ["mvae.manifolds", "mvae.diffusion", "mvae.spectral", "mvae.transport"])
def test_geometry_imports_with_four_packages_alone(module):
    """Every other installed package is made to fail on import."""
    code = f"""
import sys
from importlib import metadata
own = {ALLOWED!r}
needed = {{"ml_dtypes", "opt_einsum", "wadler_lindig", "typing_extensions"}}  # of the four themselves
others = set(metadata.packages_distributions()) - own - needed - {{"mvae"}} - set(sys.stdlib_module_names)
for name in others:
    sys.modules.setdefault(name, None)
import {module}
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("module", ["mvae.manifolds", "mvae.diffusion", "mvae.transport"])
def test_geometry_starts_without_scipy(module):
    """Its import takes a quarter of that of the geometry, and tables alone need it."""
    code = f"import sys, {module}\nassert not any(name.split('.')[0] == 'scipy' for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_only_nets_imports_linen():
    users = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            if any(name.startswith("flax.linen") for name in names):
                users.add(path.relative_to(PACKAGE).parts[0])
    assert users == {"nets"}


def test_a_run_starts_without_what_draws_and_judges_it():
    code = """
import sys
import mvae.runs.running
heavy = {"matplotlib", "scipy.stats", "scipy.integrate", "sklearn", "tensorflow_datasets", "trimesh"}
assert not heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def imports_of_the_library():
    """Every `from mvae... import name` of the experiments and examples: file, module, name."""
    root = PACKAGE.parent
    for folder in ("experiments", "examples"):
        for path in sorted((root / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mvae":
                    for alias in node.names:
                        yield path.relative_to(root), node.module, alias.name
                if isinstance(node, ast.Import):
                    assert not any(each.name.startswith("mvae.") for each in node.names), path


def test_experiments_and_examples_import_public_names_only():
    """A public name is in `__all__` of a room, or in a module that is a room by itself: a method, errors, typed."""
    found = list(imports_of_the_library())
    assert len(found) > 100
    for path, name, member in found:
        module = importlib.import_module(name)
        whole_room = name.count(".") == 1 or name.startswith("mvae.methods.")
        is_package = hasattr(module, "__path__")
        assert is_package or whole_room, f"{path} imports {member} from {name}, a module within a room"
        assert not member.startswith("_"), f"{path} imports the private {name}.{member}"
        if is_package and name != "mvae":
            assert member in module.__all__, f"{path}: {member} is not among the public names of {name}"
        assert hasattr(module, member)


@pytest.mark.parametrize("room", sorted(path.parent for path in PACKAGE.rglob("__init__.py")), ids=lambda p: p.name)
def test_no_room_has_more_than_fourteen_modules(room):
    assert len([path for path in room.glob("*.py") if path.name != "__init__.py"]) <= 14


def test_no_module_hides_another():
    """`mvae.a.b` is the module of that path, or a function of its name that the room exports, never another module."""
    names = [module.name for module in pkgutil.walk_packages(mvae.__path__, "mvae.")]
    programs = ("__main__", "mvae.main", "mvae.encode", "mvae.suggest")  # which define flags when they are imported
    for name in names:
        if name.endswith(programs):
            continue
        module = importlib.import_module(name)
        room, _, own = name.rpartition(".")
        found = getattr(sys.modules[room], own)
        assert found is module or callable(found), f"{name} is hidden by {found}"

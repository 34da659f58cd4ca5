"""What the import contract cannot say: the geometry alone, and flax.linen in one folder."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

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
import mvae.runs.run
heavy = {"matplotlib", "scipy.stats", "scipy.integrate", "sklearn", "tensorflow_datasets", "trimesh"}
assert not heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)

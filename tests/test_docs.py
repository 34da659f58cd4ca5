"""README and site: Python blocks run, commands are ones that their programs take, links lead somewhere."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from tests.programs import ROOT, call

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SHORTER = {
    r"num_train=400": "num_train=150",
    r"num_steps=2000": "num_steps=4, config={'evaluation.importance_samples': 2}",
    r"seeds=3": "seeds=2",
}
# Modules whose names the blocks of a page take from the examples that it is about.
GIVEN = {"docs/extending.md": ("ellipsoid", "spiral", "laplace", "spectrum")}


def blocks(page, language):
    return [body for kind, body in BLOCK.findall(page.read_text()) if kind == language]


def commands():
    """Every command that a page shows, by its page: module or file, and arguments."""
    for page in PAGES:
        for body in blocks(page, "bash"):
            for line in re.sub(r"\\\n\s*", " ", body).splitlines():
                words = shlex.split(line.partition("  #")[0])
                if words[:2] == ["python", "-m"] and words[2].startswith(("mvae.", "experiments.")):
                    yield page, words[2], words[3:]


COMMANDS = list(commands())


@pytest.mark.parametrize("name", [name for name, page in zip(NAMES, PAGES, strict=True) if blocks(page, "python")])
def test_python_blocks_run(name, tmp_path, monkeypatch):
    """One after the other in one namespace, with fewer steps, and no figures drawn."""
    from mvae.data import BUILDERS
    from mvae.methods import METHODS
    from mvae.reports import REPORTS, conclude
    from mvae.runs.manifolds import MANIFOLDS

    monkeypatch.chdir(tmp_path)
    tables = [(table, dict(table)) for table in (BUILDERS, METHODS, REPORTS, MANIFOLDS)]
    monkeypatch.setattr(
        "mvae.runs.running.conclude_view",
        lambda view, reports, folder, facts: conclude(
            view, [report._replace(figures=None) for report in reports], folder, facts
        ),
    )
    space = {"__name__": "page"}
    try:
        for module in GIVEN.get(name, ()):
            space |= {key: value for key, value in vars(loaded(module)).items() if not key.startswith("__")}
        for body in blocks(ROOT / name, "python"):
            for long, short in SHORTER.items():
                body = re.sub(long, short, body)
            exec(compile(body, name, "exec"), space)
    finally:
        for table, before in tables:  # as they were before the page, or its examples, added to them
            table.clear()
            table.update(before)
    if name == "docs/running.md":
        assert space["get_config"]().model.beta == 4.0
    if name == "docs/sweeps.md":
        assert dict(space["sweep"]())["beta4_seed2"] == {"model.beta": 4.0, "seed": 2}


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_commands_are_found():
    assert len(COMMANDS) > 15
    assert {"mvae.main", "mvae.explore", "mvae.encode", "mvae.sweep"} <= {module for _, module, _ in COMMANDS}


@pytest.mark.parametrize(
    ("module", "arguments"), [each[1:] for each in COMMANDS], ids=lambda each: " ".join(each)[-60:]
)
def test_commands_are_taken(module, arguments):
    """Every flag is one of the program's, and a config with its entries is one that resolves."""
    path = module.replace(".", "/")
    program = f"{path}.py" if (ROOT / f"{path}.py").exists() else f"{path}/__main__.py"
    assert (ROOT / program).exists(), module
    known = call(program, "--help")
    assert known.code == 0
    for word in arguments:
        flag = word.lstrip("-").partition("=")[0]
        if not word.startswith("--config."):
            assert re.search(rf"^\s*--(?:\[no\])?{flag}\b", known.output, re.MULTILINE), f"{module} has no --{flag}"
    if module == "mvae.main":
        outcome = call(program, *(word for word in arguments), "--help")
        assert outcome.code == 0, outcome.errors


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_files(name):
    page = ROOT / name
    for target in LINK.findall(page.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        places = (page.parent / target, ROOT / target.replace("../", ""))  # the site has the latter at its root
        assert any(Path(place).exists() for place in places), f"{name} links to {target}"


def test_the_first_commands_stand_in_the_readme():
    """What a newcomer runs, and what .ci/run takes from it."""
    text = (ROOT / "README.md").read_text()
    first, second = (body.strip() for body in blocks(ROOT / "README.md", "bash"))
    assert first.startswith("python3 -m venv .venv && .venv/bin/pip install -q -e . && ")
    assert re.findall(r"^python3 -m venv .* pytest.*$", text, re.MULTILINE) == [second]
    assert len(text.splitlines()) < 90


def test_every_method_has_a_page():
    from mvae.methods import METHODS

    pages = {path.stem for path in (ROOT / "docs" / "methods").glob("*.md")}
    assert pages == set(METHODS)
    assert all(f"methods/{name}.md" in (ROOT / "mkdocs.yml").read_text() for name in METHODS)

"""One dialect of docstrings: Google's sections, entries four columns in that begin with a capital."""

import ast
import re

import pytest

from tests.paths import ROOT

SECTION = re.compile(r"^( *)(Args|Attributes|Raises|Returns|Yields):$")
FOREIGN = re.compile(
    r"^ *(References?|Parameters|Arguments|Return|Note|Notes|Example|Examples|Sources):|^ *:param |^ *-{4,}$"
)
ENTRY = re.compile(r"^(\*{0,2}[\w.]+(?:, \w+)*): (.*)$")


def docstrings(text):
    """The lines of each docstring of a module, with the number of its first line."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
            yield node.body[0].lineno, ast.get_docstring(node, clean=False).split("\n")


def faults(text):
    """What is not of the dialect, by the number of its line."""
    found = []
    for first, lines in docstrings(text):
        section = None
        for number, line in enumerate(lines, first):
            indent = len(line) - len(line.lstrip())
            if FOREIGN.match(line):
                found.append((number, f"a section of another dialect: {line.strip()}"))
            match = SECTION.match(line)
            if match:
                section = (len(match[1]), match[2])
            elif section and line.strip():
                base, name = section
                if indent <= base:
                    section = None
                elif indent not in (base + 4, base + 8):
                    found.append((number, f"{indent - base} columns in, not 4, or 8 where an entry goes on"))
                elif indent == base + 4 and name in ("Args", "Attributes", "Raises"):
                    entry = ENTRY.match(line.strip())
                    if not entry:
                        found.append((number, f"no entry of {name}: {line.strip()}"))
                    elif re.match(r"[a-z]{2,}[ ,.;]", entry[2]):
                        found.append((number, f"a sentence that begins with a small letter: {line.strip()}"))
    return found


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Args:", "    x: Points."], None),
        (["Args:", "    x: Points, of which there", "        are many.", "", "Returns:", "    Both."], None),
        (["Args:", "    x: γ and b."], None),
        (["Args:", "  x: Points."], "2 columns in"),
        (["Args:", "    x: points of the manifold."], "small letter"),
        (["Args:", "    x: Points, of which there", "      are many."], "6 columns in"),
        (["Args:", "    points"], "no entry"),
        (["References:", "    A book."], "another dialect"),
    ],
)
def test_faults_are_found(lines, expected):
    text = "\n".join(
        ["def f(x):", '    """One line.', "", *(f"    {line}" if line else "" for line in lines), '    """']
    )
    found = faults(text)
    assert (found == []) if expected is None else (len(found) == 1 and expected in found[0][1])


def test_dialect():
    paths = [path for folder in ("mvae", "experiments", "tools", "configs") for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 300
    found = [f"{path.relative_to(ROOT)}:{n}: {what}" for path in paths for n, what in faults(path.read_text())]
    assert not found, "\n".join(found)

"""Sources are cited by the keys of one file, docs/bibliography.bib, in one notation: [perezrey2019, Sec. 2; li2020]."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIBLIOGRAPHY = ROOT / "docs" / "bibliography.bib"
KEY = r"[a-z]+(?:18|19|20)\d{2}[a-z]?"
CITATION = re.compile(rf"\[({KEY}(?:[,;]\s[^\]\[]*)?)\]")
WHERE = r"(?:Eq|Sec|Fig|Alg|App|Thm|Table)s?\.?\s"
NAMED_FILE = re.compile(r"[\w./-]+\.md\b")
MADE = ("bibliography.md",)  # by the site, from docs/bibliography.bib


def texts():
    paths = [ROOT / "README.md"]
    for folder in ("mvae", "configs", "experiments", "tests", "docs", "examples"):
        paths += [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md")]
    return {path.relative_to(ROOT): path.read_text() for path in paths if path != Path(__file__)}


def cited(text):
    """Keys of the citations of a text, with what follows each key in its citation."""
    found = []
    for citation in CITATION.findall(text):
        for part in re.split(r";\s", citation):
            key, _, where = part.partition(",")
            found.append((key.strip(), re.sub(r"\s+#?\s*", " ", where).strip()))
    return found


def entries(text):
    """Fields of each entry of a file in the format BibTeX, by its key."""
    found = {}
    for kind, key, body in re.findall(r"^@(\w+)\{([^,]*),\n(.*?)^\}$", text, re.MULTILINE | re.DOTALL):
        assert key not in found, f"{key} is there twice"
        found[key] = {"kind": kind} | dict(re.findall(r"^  (\w+) = \{(.*)\},$", body, re.MULTILINE))
        assert body.count("\n") == len(found[key]) - 1, f"{key}: a line is not FIELD = {{VALUE}},"
    assert len(found) == text.count("@")
    return found


ENTRIES = entries(BIBLIOGRAPHY.read_text())
TEXTS = texts()


def test_citations_are_found():
    text = "as in [li2020], [li2020, Eqs. 5 to 7], x[0], [perezrey2019;\n    kim2018, Sec. 3] and [link](li2020)"
    assert cited(text) == [("li2020", ""), ("li2020", "Eqs. 5 to 7"), ("perezrey2019", ""), ("kim2018", "Sec. 3")]


def test_entries_say_who_what_and_when():
    assert list(ENTRIES) == sorted(ENTRIES)
    for key, fields in ENTRIES.items():
        assert {"author", "title", "year"} <= fields.keys(), key
        assert re.fullmatch(KEY, key), key
        assert re.search(r"\d+", key).group() == fields["year"], key
        assert fields["kind"] != "misc" or fields.keys() & {"eprint", "url"}, f"{key}: where it can be found"
        assert re.fullmatch(r"\d{4}\.\d{4,5}", fields.get("eprint", "1901.08991")), key


def test_every_key_is_in_the_bibliography_and_every_entry_is_used():
    used = {}
    for path, text in TEXTS.items():
        for key, _ in cited(text):
            used.setdefault(key, path)
    assert {key: str(path) for key, path in used.items() if key not in ENTRIES} == {}
    assert ENTRIES.keys() - used.keys() == set()


def test_places_in_a_source_have_one_notation():
    for path, text in TEXTS.items():
        for key, where in cited(text):
            assert not where or re.match(WHERE, where) or key == "kahan1997", f"{path}: [{key}, {where}]"


def test_no_citation_without_a_key():
    """No "Name et al. 2018", no "Name & Name, 2018" and no arXiv number outside links, whose keys these are."""
    names = r"(?:et al\.?|(?:&|and) [A-Z]\w+),? \(?(?:18|19|20)\d{2}\b|\barXiv:\d"
    for path, text in TEXTS.items():
        if path.suffix == ".py":
            assert not re.findall(names, text), path


def test_files_that_are_named_exist():
    for path, text in TEXTS.items():
        places = (ROOT, *(ROOT / path).parents)
        for name in NAMED_FILE.findall(re.sub(r"https?://\S+", "", text)):
            assert name in MADE or any((place / name).exists() for place in places), f"{path} names {name}"

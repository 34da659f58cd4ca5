"""What the site takes from elsewhere in the repository: the pages of experiments, examples, and the bibliography."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files  # pyright: ignore[reportMissingImports] -- of the extra "docs"

ROOT = Path(__file__).parents[1]
SCRIPTS = ("experiments/*", "examples", "configs", "tools")
TAKEN = ("experiments/*/*.md", "experiments/*/figures/*.png", *(f"{folder}/*.py" for folder in SCRIPTS))
CONTRIBUTING, BIBLIOGRAPHY = "CONTRIBUTING.md", "bibliography.md"
ABOVE = re.compile(r"\]\((?:\.\./)+(experiments|examples|configs|tools|CONTRIBUTING)")
PICTURE = re.compile(r"!\[([^\]]*)\]\((figures/(?:gallery/)?(\w+))\.webp\)")
SOURCES = (ROOT / "docs" / "bibliography.bib").read_text()
ENTRY = re.compile(r"^@\w+\{([^,]*),\n(.*?)^\}$", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^  (\w+) = \{(.*)\},$", re.MULTILINE)
CITED = re.compile(r"(\[|(?<=\d); )(" + "|".join(key for key, _ in ENTRY.findall(SOURCES)) + r")(?=[\],;])")


def on_files(files: Files, config: Any) -> Files:
    """Adds pages that lie elsewhere, under their own paths, and the bibliography."""
    for pattern in (*TAKEN, CONTRIBUTING):
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File(name, str(ROOT), config["site_dir"], config["use_directory_urls"]))
    files.append(File.generated(config, BIBLIOGRAPHY, content=bibliography()))
    return files


def on_page_markdown(markdown: str, page: Any, **given: Any) -> str:
    """Makes links to what lies beside `docs` links within the site, and shows pictures in both themes."""
    del given
    depth = page.file.src_uri.count("/")
    markdown = PICTURE.sub(_in_both_themes, markdown)
    return ABOVE.sub(lambda found: f"]({'../' * depth}{found[1]}", markdown) if _is_of_docs(page) else markdown


def on_page_content(html: str, page: Any, **given: Any) -> str:
    """Makes keys in brackets links to the bibliography."""
    del given
    if page.file.src_uri == BIBLIOGRAPHY:
        return html
    to = "../" * page.url.count("/") + BIBLIOGRAPHY.replace(".md", "/")
    return CITED.sub(lambda found: f'{found[1]}<a href="{to}#{found[2]}">{found[2]}</a>', html)


def _in_both_themes(found: re.Match[str]) -> str:
    """A picture for light and one for dark; those of the gallery lead to their pages where those were built."""
    title, path, name = found.groups()
    docs = ROOT / "docs"
    if not (docs / f"{path}_dark.webp").exists():
        return found[0]
    both = f"![{title}]({path}.webp#only-light)![{title}]({path}_dark.webp#only-dark)"
    return f"[{both}](gallery/{name}.html)" if (docs / "gallery" / f"{name}.html").exists() else both


def _is_of_docs(page: Any) -> bool:
    return not page.file.src_uri.startswith("experiments/") and page.file.src_uri != CONTRIBUTING


def bibliography() -> str:
    """Returns the sources as a page, each with its key, which citations in brackets are."""
    lines = ["# Bibliography", "", "Docstrings and pages cite by these keys, as in `[perezrey2019, Eq. 2]`.", ""]
    for key, body in ENTRY.findall(SOURCES):
        fields = {name: re.sub(r"\{\\\w\{(\w+)\}\}|[{}]", r"\1", value) for name, value in FIELD.findall(body)}
        place = (
            fields.get("journal") or fields.get("booktitle") or fields.get("publisher") or fields.get("school") or ""
        )
        link = fields.get("url") or (f"https://arxiv.org/abs/{fields['eprint']}" if "eprint" in fields else "")
        title = f"[{fields['title']}]({link})" if link else fields["title"]
        authors = fields["author"].replace(" and ", "; ")
        lines.append(f'- <a id="{key}"></a>`{key}` {authors}. {title}. {place}{", " if place else ""}{fields["year"]}.')
    return "\n".join(lines) + "\n"

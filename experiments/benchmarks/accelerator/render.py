"""Tables of what was measured, written into the pages between their markers."""

from pathlib import Path


def render_pages(workdir: Path) -> None:
    """Writes."""
    del workdir

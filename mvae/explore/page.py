"""One self-contained HTML file of a run."""

import html
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvae.engine.files import write_atomically
from mvae.errors import UsageError
from mvae.explore import gather
from mvae.runs.trained import Run, Trained

LOGGER = logging.getLogger(__name__)
TEMPLATE = Path(__file__).parent / "template"
PARTS = ("geometry", "raster", "sheets", "view", "planes", "drawing", "stage", "panels", "main")
SCRIPTS = tuple(f"{name}.js" for name in PARTS)
MOST_BYTES = 15_000_000
SHARES = (1.0, 0.4, 0.15)  # of codes and decoded places, for pictures that can hardly be made smaller, such as noise
HEIGHT = 900  # pixels in a notebook


class Explorer:
    """The page of a run; a notebook shows it.

    Attributes:
        html: The page.
        path: Where it was written; None if it was not.
    """

    def __init__(self, html: str, path: Path | None = None):
        self.html, self.path = html, path

    def save(self, path: str | Path) -> "Explorer":
        """Writes the page to a file, in one step.

        Args:
            path: A file, in a folder that is there.

        Raises:
            UsageError: If it cannot be written.
        """
        target = Path(path).expanduser()
        if target.is_dir():
            raise UsageError(f"{target} is a folder: give a file")
        if not target.absolute().parent.is_dir():
            raise UsageError(f"{target}: there is no folder {target.parent}")
        try:
            write_atomically(target, self.html)
        except OSError as error:
            raise UsageError(f"{target} cannot be written: {error.strerror or error}") from error
        return Explorer(self.html, target)

    def _repr_html_(self) -> str:
        frame = f'width="100%" height="{HEIGHT}" style="border:0" title="Explorer of a latent space"'
        return f'<iframe srcdoc="{html.escape(self.html, quote=True)}" {frame}></iframe>'

    def __repr__(self) -> str:
        return f"Explorer({len(self.html) / 1e6:.1f} MB, {self.path or 'not written'})"


def explore(
    run: Run, x: Any = None, *, model: Trained | None = None, columns: Mapping[str, Any] | None = None
) -> Explorer:
    """Returns the page of a run.

    It shows up to 2000 codes, of the test rows first, where they lie in the latent space, to be turned and moved over;
    what decodes under the pointer, blended from some thousand decoded points; original, reconstruction and neighbours
    of a code; geodesics; walks and orbits of methods that have them; curves of training and the run's numbers.

    Args:
        run: The run.
        x: Examples to show, (n, *event), in units of the data; None for the run's own.
        model: One of the run's models; None for the best.
        columns: What is known of each of x, (n,), by name: what the model is given beside x, and what else is to
            colour codes.

    Raises:
        UsageError: If the run keeps no data of its own and none are given, x is not as for `Trained.encode`, the
            method has no encoder, or the page would be larger than 15 MB.
    """
    model = run.best if model is None else model
    page = ""
    for share in SHARES:
        page = _assembled(gather.gather(run, model, x, columns, share=share))
        if len(page.encode()) <= MOST_BYTES:
            return Explorer(page)
        LOGGER.info("the page would have %.0f MB: fewer codes and places are taken", len(page.encode()) / 1e6)
    raise UsageError(f"the page would have {len(page.encode()) / 1e6:.0f} MB: give fewer examples, explore(x=…)")


def _assembled(content: Mapping[str, Any]) -> str:
    """The template with its style, its scripts and the data in it."""
    data = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    script = "\n".join((TEMPLATE / name).read_text() for name in SCRIPTS)
    parts = {
        "title": html.escape(content["title"]),
        "style": (TEMPLATE / "page.css").read_text(),
        "script": script,
        "data": data,
    }
    page = (TEMPLATE / "page.html").read_text()
    for name, text in parts.items():
        page = page.replace(f"{{{{{name}}}}}", text)
    return page

"""Style, colours and captions that all figures share."""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.figures.drawing.style import COLUMN, FAINT, MUTED, PAGE, new_figure, save, styled

__all__ = [
    "COLUMN",
    "FAINT",
    "MUTED",
    "PAGE",
    "new_figure",
    "save",
    "styled",
]

__getattr__ = lazily(
    __name__,
    {
        "mvae.figures.drawing.style": ("COLUMN", "FAINT", "MUTED", "PAGE", "new_figure", "save", "styled"),
    },
)

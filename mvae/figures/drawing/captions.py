"""Captions below panels: lettered, and broken between words where a panel is narrow."""

import string
from collections.abc import Sequence

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from mvae.figures.drawing import style

FONT = 8.0
"""Size of the letters, in points."""
FIRST_LINE, NEXT_LINE, BETWEEN = 0.22, 0.14, 0.06
"""Inches: the first line of a caption, each further one, the space between two captions side by side."""


def captions(names: Sequence[str], inches: float, *, lettered: bool = True) -> list[str]:
    r"""Returns the captions of panels, in lines at most that wide where spaces allow it.

    Args:
        names: What the panels show.
        inches: The width of a panel.
        lettered: Whether (a), (b), … go before the names, if there are several.

    >>> captions(["data", "samples of a walk"], 0.6)
    ['(a) data', '(b) samples\nof a walk']
    """
    if lettered and len(names) > 1:
        names = [f"({string.ascii_lowercase[k % 26]}) {name}" for k, name in enumerate(names)]
    return [_wrapped(name.split(" "), inches - BETWEEN) for name in names]


def captions_height(texts: Sequence[str]) -> float:
    """Returns how many inches the tallest of the captions takes."""
    return FIRST_LINE + max(text.count("\n") for text in texts) * NEXT_LINE


def _wrapped(words: list[str], inches: float) -> str:
    font = FontProperties(family=style.RC["font.family"], size=FONT)
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        width, _, _ = text_to_path.get_text_width_height_descent(longer, font, ismath=False)
        if width <= 72 * inches:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)

"""Examples in docstrings as blocks of code, which griffe otherwise takes for text where they have no heading."""

import re
from typing import Any

import griffe  # pyright: ignore[reportMissingImports] -- of the extra "docs"

EXAMPLE = re.compile(r"^( *)>>> .*(?:\n\1(?:\.\.\. ?.*|>>> .*|\S.*))*", re.MULTILINE)


class Doctests(griffe.Extension):
    """Fences examples."""

    def on_object(self, *, obj: Any, **given: Any) -> None:
        """Rewrites the docstring of a module, class, function or attribute."""
        del given
        if obj.docstring is not None and not obj.is_alias:
            obj.docstring.value = EXAMPLE.sub(lambda found: fenced(found[0], found[1]), obj.docstring.value)


def fenced(example: str, indent: str) -> str:
    """Returns an example between fences.

    >>> print(fenced(">>> 1 + 1", ""))
    ```pycon
    >>> 1 + 1
    ```
    """
    return f"{indent}```pycon\n{example}\n{indent}```"

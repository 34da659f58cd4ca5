"""A trained run as a page to look at: its latent space to turn and move over, what decodes where, in one HTML file.

`explore` gives the page of a run, `Run.explore` shows it in a notebook, `python -m mvae.explore` writes it to a file.
The page needs no network and no library: curves, pictures and shading are its own, in `template`, since no library of
charts says which point of a surface is under the pointer, which is what the picture beside it is blended from.
"""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.explore.page import Explorer, explore
    from mvae.explore.scenes import Scene, scene

__all__ = ["Explorer", "Scene", "explore", "scene"]

__getattr__ = lazily(
    __name__, {"mvae.explore.page": ("Explorer", "explore"), "mvae.explore.scenes": ("Scene", "scene")}
)

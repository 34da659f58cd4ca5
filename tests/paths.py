"""Where the tests find the checkout and real data."""

from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
SHARED = ROOT.parent / "shared" / "data"


def arrays_in(path):
    """The arrays of an archive by name; np.load alone would leave the file open until it is collected as garbage."""
    with np.load(path) as file:
        return dict(file)

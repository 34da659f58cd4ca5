"""Own images on a circle: views of one turning thing, from a folder, are laid out by the angle they are seen from.

    python examples/own_images.py FOLDER [PICTURE]

Without a folder it draws one first, of a generated object that turns. Run time on two CPU cores: 40 seconds.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import mvae
from mvae import figures
from mvae.data import load


def draw_views(folder: Path, num: int = 72, size: int = 32) -> None:
    """Writes views of the object, one for each azimuth."""
    dataset = load("turntable", num_azimuths=num, num_elevations=1, size=size)
    for part in (dataset.train, dataset.test):
        for x, azimuth in zip(np.asarray(part["x"]), np.degrees(part["azimuth"]), strict=True):
            Image.fromarray(x[..., 0]).save(folder / f"{azimuth:03.0f}.png")


def main(folder: str | None = None, picture: str = "own_images.png", **settings) -> mvae.Trained:
    """Trains on the images of a folder and draws a turn around the latent circle."""
    with tempfile.TemporaryDirectory() as drawn:
        if folder is None:
            draw_views(Path(drawn))
        settings = {"num_steps": 1500, "encoder_init": "spectral", "likelihood": "gaussian_learned_variance"} | settings
        model = mvae.train("dvae", Path(folder or drawn), manifold="sphere:1", **settings).best
    angle = 2 * np.pi * np.arange(12) / 12
    turn = model.decode(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    Image.fromarray(figures.mosaic(np.clip(turn, 0, 255).astype(np.uint8)[None])[..., 0]).save(picture)
    return model


if __name__ == "__main__":
    main(*sys.argv[1:])

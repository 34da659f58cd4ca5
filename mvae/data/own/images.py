"""Folders of images."""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from mvae.data.own.table import Table, one_line
from mvae.errors import UsageError

LOGGER = logging.getLogger(__name__)
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")


def read_images(folder: Path, size: int | tuple[int, int]) -> Table:
    """Returns the images of a folder and its subfolders, all of one size; see `mvae.data.own.files.read_table`."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(size, int) and size < 0:
        raise UsageError(f"data option size={size}: give the side of the images, or 0 for the size that most have")
    files = sorted(
        each for each in folder.rglob("*") if each.suffix.lower() in ENDINGS and not each.name.startswith(".")
    )
    if not files:
        raise UsageError(f"{folder} has no images: files that end in {', '.join(ENDINGS)}")
    opened = []
    for path in files:
        try:
            with Image.open(path) as image:
                image.load()
                palette = image.mode == "P"  # of colours
                colours = "RGBA" if "transparency" in image.info else "RGB"
                opened.append(image.convert(colours) if palette else image.copy())
        except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
            raise UsageError(f"{path} is no image that can be read ({one_line(error)}): mend or remove it") from error
    modes = {image.mode for image in opened}
    ((most, _),) = Counter(image.size for image in opened).most_common(1)
    shape = (size[1], size[0]) if isinstance(size, tuple) else (size, size) if size else most
    if changed := sum(image.size != shape for image in opened):
        LOGGER.info("%s: %d of %d images are resized to %d × %d", folder, changed, len(opened), *shape)
    if modes <= {"I;16", "I", "F"}:  # more than eight bits: fractions of their full range
        full = 1.0 if modes == {"F"} else 65535.0
        x = np.stack([np.asarray(_resized(image.convert("F"), shape)) / full for image in opened])[..., None]
    else:
        mode = "L" if modes <= {"1", "L"} else "RGBA" if modes & {"RGBA", "LA", "PA"} else "RGB"
        x = np.stack([np.asarray(_resized(image.convert(mode), shape)) for image in opened])
        x = x[..., None] if x.ndim == 3 else x
    relative = [path.relative_to(folder) for path in files]
    columns = {"file": np.asarray([str(path) for path in relative])}
    if any(len(path.parts) > 1 for path in relative):
        columns["folder"] = np.asarray([path.parts[0] if len(path.parts) > 1 else "" for path in relative])
    return Table(np.ascontiguousarray(x), columns, str(folder))


def _resized(image: Any, shape: tuple[int, int]) -> Any:
    from PIL import Image

    return image if image.size == shape else image.resize(shape, Image.Resampling.LANCZOS)

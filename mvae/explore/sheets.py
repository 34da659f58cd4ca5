"""Examples as a page holds them: pictures side by side in one image file, vectors as numbers of two bytes."""

import base64
import io
import math
from typing import Any

import numpy as np
from PIL import Image

from mvae.figures import shown_images

MOST_SIDE = 64  # pixels of a picture; larger ones are made smaller
BLOCK = 8  # pixels that JPEG works on together: pictures begin at multiples, so that none bleeds into the next
QUALITY = 88
MOST_ENTRIES = 1024  # of a line
MOST_BARS = 40  # entries with names
OUTLIERS = 0.005  # share of entries of vectors that lie beyond each end of the scale
RARE = 0.05  # likewise of the originals of bars: counts have few large ones, beside which all that decodes is flat


class Look:
    """How examples of a run are shown, the same in all of its sheets.

    Attributes:
        kind: "image", "point" of the plane or of space, "bars" for a few entries or those that have names, or "line".
        note: What is left out of examples, in a sentence; "" for nothing.
    """

    def __init__(self, event_shape: tuple[int, ...], features: tuple[str, ...], *sets: np.ndarray):
        """Chooses a look for sets of examples, (n, *event) each, the decoded ones last, all of which it is to fit."""
        self.kind, self.note = _kind(event_shape, features), ""
        flat = [each.reshape(len(each), -1) for each in sets]
        size = math.prod(event_shape)
        self._chosen = np.arange(size)
        if self.kind == "bars" and size > MOST_BARS:
            self._chosen = np.sort(np.argsort(-np.var(flat[-1], axis=0), kind="stable")[:MOST_BARS])
            self.note = f"the {MOST_BARS} of {size} entries that vary most"
        elif self.kind == "line" and size > MOST_ENTRIES:
            self._chosen = self._chosen[:: -(-size // MOST_ENTRIES)]
            self.note = f"1 in {-(-size // MOST_ENTRIES)} of {size} entries"
        elif self.kind == "image" and max(event_shape[:2]) > MOST_SIDE:
            self.note = f"made smaller, from {event_shape[0]} × {event_shape[1]} pixels"
        self.features = [features[k] for k in self._chosen] if features else []
        shown = flat if self.kind == "image" else [each[:, self._chosen] for each in flat]
        far = OUTLIERS if self.kind in ("bars", "line") else 0.0
        shares = [RARE if self.kind == "bars" else far] * (len(shown) - 1) + [far]
        ends = [np.quantile(each, [share, 1 - share]) for each, share in zip(shown, shares, strict=True)]
        least, most = float(np.min(ends)), float(np.max(ends))
        unit = self.kind == "image" and least >= 0 and most <= 1
        self.low, self.high = (0.0, 1.0) if unit else (least, most if most > least else least + 1)

    def sheet(self, examples: np.ndarray) -> dict[str, Any]:
        """Returns examples, (n, *event), as an entry of a page's data."""
        if self.kind == "image":
            return _image_sheet(_bytes(examples, self.low, self.high))
        shown = examples.reshape(len(examples), -1)[:, self._chosen]
        share = np.clip((shown - self.low) / (self.high - self.low), 0, 1)
        return {"count": len(shown), "width": shown.shape[1], "values": packed(np.round(65535 * share), "<u2")}

    def facts(self) -> dict[str, Any]:
        """Returns what a page is told of the look."""
        return {"kind": self.kind, "note": self.note, "features": self.features, "low": self.low, "high": self.high}


def tile_of(event_shape: tuple[int, ...]) -> int:
    """Returns what an example weighs on a page: its pixels there, or four for each number of a vector."""
    if _is_image(event_shape):
        shrink = min(1.0, MOST_SIDE / max(event_shape[:2]))
        return math.ceil(event_shape[0] * shrink) * math.ceil(event_shape[1] * shrink)
    return 4 * min(math.prod(event_shape), MOST_ENTRIES)


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and min(shape[:2]) > 1 and max(shape[:2]) <= 32 * min(shape[:2])


def packed(array: Any, dtype: str = "<f4") -> str:
    """Returns the bytes of an array as text, in base64."""
    return base64.b64encode(np.ascontiguousarray(array, np.dtype(dtype)).tobytes()).decode()


def _kind(shape: tuple[int, ...], features: tuple[str, ...]) -> str:
    if _is_image(shape):
        return "image"
    size = math.prod(shape)
    if size in (2, 3) and not features:
        return "point"
    return "bars" if features or size <= 12 else "line"


def _bytes(images: np.ndarray, low: float, high: float) -> np.ndarray:
    """Images (n, h, w, 1 or 3) of bytes, none of whose sides is longer than `MOST_SIDE`."""
    (images,) = shown_images(images)
    found = np.round(255 * np.clip((images - low) / (high - low), 0, 1)).astype(np.uint8)
    height, width = found.shape[1:3]
    if max(height, width) <= MOST_SIDE:
        return found
    shrink = MOST_SIDE / max(height, width)
    size = math.ceil(width * shrink), math.ceil(height * shrink)
    smaller = [Image.fromarray(each.squeeze(-1) if each.shape[-1] == 1 else each).resize(size) for each in found]
    return np.stack([np.asarray(each).reshape(size[1], size[0], -1) for each in smaller])


def _image_sheet(images: np.ndarray) -> dict[str, Any]:
    """Images (n, h, w, 1 or 3) of bytes side by side, as JPEG, or as PNG where that is smaller."""
    num, height, width, channels = images.shape
    tall, wide = (-(-side // BLOCK) * BLOCK for side in (height, width))
    columns = max(1, round(math.sqrt(num * tall / wide)))
    rows = -(-num // columns)
    padded = np.pad(images, ((0, 0), (0, tall - height), (0, wide - width), (0, 0)), mode="edge")
    padded = np.concatenate([padded, np.zeros((rows * columns - num, tall, wide, channels), np.uint8)])
    whole = padded.reshape(rows, columns, tall, wide, channels).swapaxes(1, 2).reshape(rows * tall, columns * wide, -1)
    picture = Image.fromarray(whole.squeeze(-1) if channels == 1 else whole)
    files = {}
    for kind, options in (("jpeg", {"quality": QUALITY, "subsampling": 0}), ("png", {"optimize": True})):
        file = io.BytesIO()
        picture.save(file, format=kind, **options)
        files[kind] = file.getvalue()
    kind = min(files, key=lambda name: len(files[name]))
    source = f"data:image/{kind};base64,{base64.b64encode(files[kind]).decode()}"
    tile = {"height": height, "width": width, "tall": tall, "wide": wide, "columns": columns}
    return {"count": num, "source": source, **tile}

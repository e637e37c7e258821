"""3D in a picture: drawn by a browser, since only that can, and put in its place here."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explorer.snapshot.geometry import Area
from explorer.snapshot.paint import Rgb
from explorer.snapshot.words import Sheet

LAYOUTS = ("grid", "3d")
"""Those that have 3D."""

_GROUND: Rgb = (0x0B, 0x0D, 0x10)
_EDGE = 8
_SAME_SIZE = 0.02
"""A tile of a page is a pixel or two larger or smaller than its place: too little to be worth the blur."""


@dataclass(frozen=True, eq=False)
class Rendered:
    """3D as a page shows it.

    Attributes
    ----------
    pixels
        Shape (height, width, 3).
    title
        What it is of.
    """

    pixels: NDArray[np.uint8]
    title: str = "3D"


def paste(sheet: Sheet, rendered: Rendered, area: Area, title: str = "") -> None:
    """Put 3D into the middle of an area, as large as fits; `title` goes after its own."""
    left, top, right, bottom = area
    image = Image.fromarray(rendered.pixels)
    grown = min((right - left) / image.width, (bottom - top) / image.height)
    if abs(grown - 1) > _SAME_SIZE:
        size = max(round(image.width * grown), 1), max(round(image.height * grown), 1)
        image = image.resize(size, Image.Resampling.LANCZOS)
    place = Image.new("RGB", (right - left, bottom - top), _GROUND)
    place.paste(image, ((place.width - image.width) // 2, (place.height - image.height) // 2))
    sheet.image.paste(place, (left, top))
    edge = _EDGE * sheet.scale
    words = "  ·  ".join(filter(None, (rendered.title, title)))
    sheet.write((left + edge, top + edge), words, room=right - left - 2 * edge, rim=True)

"""Write PNG by ISA-L, faster than zlib does: snapshots are made while a user waits. Read a browser's."""

import struct
import zlib
from io import BytesIO

import numpy as np
from deflate import crc32
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image

from explorer.errors import QueryError

MAX_SIZE, MAX_PIXELS, MAX_BYTES = 8192, 40_000_000, 8_000_000
"""Bounds of a side and of an image in its own pixels, and of one that a browser sends."""

_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_UP = 2  # filter of a row: each byte less the one above


def png_bytes(pixels: NDArray[np.uint8], pixels_per_inch: float = 96) -> bytes:
    """Return a PNG.

    Parameters
    ----------
    pixels
        Shape (height, width, 3), sRGB.
    pixels_per_inch
        For print.
    """
    height, width, _ = pixels.shape
    rows = pixels.reshape(height, width * 3)
    filtered = np.empty((height, width * 3 + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    per_metre = round(pixels_per_inch / 0.0254)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"sRGB", b"\0"),
        (b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)),
        (b"IDAT", isal_zlib.compress(filtered, 1)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def read_png(data: bytes | memoryview) -> NDArray[np.uint8]:
    """Return the pixels of a PNG that a browser sent, shape (height, width, 3).

    Raises
    ------
    QueryError
        It is none, it is too large, or it is broken.
    """
    if len(data) > MAX_BYTES:
        raise QueryError(f"A picture of 3D has at most {MAX_BYTES:,} bytes, not {len(data):,}.")
    head = bytes(data[:24])
    if len(head) < 24 or not head.startswith(_START):
        raise QueryError(f"The picture of 3D is no PNG: it begins with {head[:16]!r}.")
    width, height = struct.unpack(">II", head[16:])
    if not (0 < width <= MAX_SIZE and 0 < height <= MAX_SIZE and width * height <= MAX_PIXELS):
        raise QueryError(
            f"A picture of 3D has sides of 1 to {MAX_SIZE:,} and at most {MAX_PIXELS:,} pixels, "
            f"not {width:,} x {height:,}."
        )
    try:
        with Image.open(BytesIO(data), formats=["PNG"]) as image:
            if image.size != (width, height):  # a second header
                raise ValueError(f"it is {width:,} x {height:,} and {image.width:,} x {image.height:,} large")
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, EOFError, zlib.error, struct.error) as error:
        raise QueryError(f"The picture of 3D is a broken PNG: {str(error)[:200]}.") from error


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))

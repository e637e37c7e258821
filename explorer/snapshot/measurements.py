"""Distances and angles, drawn as the viewer draws them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from explorer.grid import Grid
from explorer.snapshot.geometry import Area, Placement
from explorer.snapshot.paint import Rgb
from explorer.snapshot.words import Sheet, rounded
from explorer.views.overlay import PLANES

TOOLS = {"distance": 2, "angle": 3}
"""What is measured, and between how many points."""

INK: Rgb = (0xFF, 0xE2, 0x7A)
_GROUND: Rgb = (11, 13, 16)
_SIZE = 12
_BAND = 64

Point = tuple[float, float]


@dataclass(frozen=True)
class Measurement:
    """A distance or an angle on a slice.

    Attributes
    ----------
    tool
        One of `TOOLS`.
    plane, index
        Which slice.
    points
        Voxels, not rounded; fewer than it takes while it is being drawn.
    """

    tool: str
    plane: str
    index: int
    points: tuple[tuple[float, float, float], ...]


def in_words(measurement: Measurement, grid: Grid) -> str:
    """Return a length in mm, or the angle at the second point; ``""`` where a point is still to come."""
    if len(measurement.points) < TOOLS[measurement.tool]:
        return ""
    world = grid.to_world(measurement.points)
    if measurement.tool == "distance":
        return f"{rounded(float(np.linalg.norm(world[1] - world[0])))} mm"
    one, two = world[0] - world[1], world[2] - world[1]
    cosine = float(one @ two) / (float(np.linalg.norm(one) * np.linalg.norm(two)) or 1.0)
    return f"{rounded(math.degrees(math.acos(min(1.0, max(-1.0, cosine)))))}°"


def draw(sheet: Sheet, tile: Area, grid: Grid, placement: Placement, found: Sequence[Measurement]) -> None:
    """Draw the measurements of a slice."""
    if not found:
        return
    column, row, _ = PLANES[placement.plane]
    lines = [[placement.pixel(point[column], point[row]) for point in one.points] for one in found]
    # Light on dark, so that it is seen on bright and on black tissue.
    for ink, wide, alpha in (((0, 0, 0), 4.0, 0.75), (INK, 1.75, 1.0)):
        cover = _cover(tile, lines, wide / 2 * sheet.scale, (1.5 + wide / 2) * sheet.scale)
        sheet.image.paste(ink, tile, Image.fromarray(np.rint(cover * np.float32(alpha)).astype(np.uint8)))
    for one, line in zip(found, lines, strict=True):
        if words := in_words(one, grid):
            _label(sheet, tile, words, line[1])


def _label(sheet: Sheet, tile: Area, words: str, at: Point) -> None:
    """Write a number on a dark ground, kept inside the tile."""
    s, (left, top, right, bottom) = sheet.scale, tile
    width = sheet.width_of(words, _SIZE)
    x = min(max(at[0] + 9 * s, left + 4 * s), right - width - 6 * s)
    y = min(max(at[1] - 9 * s, top + 16 * s), bottom - 6 * s)
    size = max(round(width + 8 * s), 1), max(round(17 * s), 1)
    ground = Image.new("L", size)
    ImageDraw.Draw(ground).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), 3 * s, 199)
    sheet.image.paste(_GROUND, (round(x - 4 * s), round(y - 12 * s)), ground)
    sheet.write((x, y), words, size=_SIZE, ink=INK, anchor="ls")


def _cover(tile: Area, lines: Sequence[Sequence[Point]], half: float, radius: float) -> NDArray[np.uint8]:
    """Return how much of each pixel lines of a half width, and dots at their points, cover: 0 to 255."""
    left, top, right, bottom = tile
    cover = np.zeros((bottom - top, right - left), np.uint8)
    for line in lines:
        points = [(x - left, y - top) for x, y in line]
        for start, stop in pairwise(points):
            _stroke(cover, start, stop, half)
        for point in points:
            _stroke(cover, point, point, radius)
    return cover


def _stroke(cover: NDArray[np.uint8], start: Point, stop: Point, half: float) -> None:
    """Cover what is nearer than `half` to a line, in bands, since few pixels of a long line's box are."""
    (ax, ay), (bx, by) = start, stop
    dx, dy = bx - ax, by - ay
    length2 = dx * dx + dy * dy
    if not math.isfinite(length2):
        return
    reach = half + 1
    first, last = max(min(ay, by) - reach, 0), min(max(ay, by) + reach, cover.shape[0])
    for top in range(math.floor(first), math.ceil(last), _BAND):
        bottom = min(top + _BAND, cover.shape[0])
        # The part of the line that these rows may see.
        ends = ((top - reach - ay) / dy, (bottom + reach - ay) / dy) if dy else (0.0, 1.0)
        xs = [ax + min(max(t, 0.0), 1.0) * dx for t in ends]
        left, right = (
            math.floor(min(max(x, 0), cover.shape[1])) for x in (min(xs) - reach, max(xs) + reach + 1)
        )
        if left >= right:
            continue
        x = np.arange(left, right) + 0.5 - ax
        y = (np.arange(top, bottom) + 0.5 - ay)[:, None]
        along = np.clip((x * dx + y * dy) / length2, 0, 1) if length2 else 0.0
        inside = half + 0.5 - np.hypot(x - along * dx, y - along * dy)
        part = cover[top:bottom, left:right]
        np.maximum(part, np.rint(255 * inside.clip(0, 1)).astype(np.uint8), out=part)

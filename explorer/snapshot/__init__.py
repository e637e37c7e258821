"""Pictures of a case as PNG, without a browser: for papers, reports and tests.

Drawn as the viewer draws them: the same placement, window, colours and letters. Needs no widget.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from explorer.errors import QueryError, UnknownName
from explorer.snapshot import words
from explorer.snapshot.geometry import Area, Placement, place, voxel_at
from explorer.snapshot.paint import (
    Bits,
    Masks,
    Rgb,
    Spot,
    Style,
    cut,
    enlarge,
    grey_slice,
    paint_difference,
    paint_fills,
    paint_outlines,
)
from explorer.snapshot.png import png_bytes
from explorer.structures import in_order, structure
from explorer.views.options import Options as Options
from explorer.views.overlay import PLANES
from explorer.views.picture import Picture

LAYOUTS = ("grid", *PLANES, "mosaic")
"""What there is to draw."""

MIN_SIZE, MAX_SIZE, MAX_PIXELS = 64, 8192, 40_000_000
"""Bounds of a side in CSS pixels, and of the image in its own."""

_LINE: Rgb = (0x2A, 0x2F, 0x36)
_MOSAIC_TILE = 190


def draw(
    picture: Picture,
    *,
    masks: Masks | None = None,
    other: Masks | None = None,
    point: tuple[float, float, float] | None = None,
    structures: tuple[str, ...] | None = None,
    options: Options | None = None,
    layout: str = "grid",
    plane: str = "axial",
    window: tuple[float, float] | None = None,
    colors: Mapping[str, str] | None = None,
    opacities: Mapping[str, float] | None = None,
    volumes_ml: Mapping[str, float] | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    legend: bool = True,
    width: int = 1200,
    height: int = 900,
    scale: float = 1.0,
) -> bytes:
    """Draw a case.

    Parameters
    ----------
    picture
        Its image.
    masks
        Its masks; without them no structure is drawn.
    other
        Masks of another set: outlined over `masks`, or compared with them where
        ``options.difference``.
    point
        Where the slices are cut, RAS+ mm; by default the middle of the image.
    structures
        Which are shown; by default all that the masks have.
    options
        How; by default as `Options` has it.
    layout
        One of `LAYOUTS`: three planes and the legend, one plane, or slices of `plane` side by side.
    plane
        Of the mosaic.
    window
        Intensities shown as black and white; by default the picture's.
    colors, opacities
        By structure, where they differ from the table's and from 1: ``"#rrggbb"``, 0 to 1.
    volumes_ml
        By structure, for the legend.
    title
        The case's id.
    notes
        What a reader should know of it, a line each, such as what could not be read.
    legend
        Whether to list the structures.
    width, height
        In CSS pixels.
    scale
        Pixels per CSS pixel; 3 gives a 1200 x 900 picture the 300 dpi that print asks for.

    Returns
    -------
    bytes
        A PNG of ``width * scale`` times ``height * scale`` pixels.

    Raises
    ------
    UnknownName
        There is no such layout or plane.
    QueryError
        The size is out of bounds, or the window is empty.
    """
    for what, name, known in (("layout", layout, LAYOUTS), ("plane", plane, PLANES)):
        if name not in known:
            raise UnknownName(what, str(name)[:100], known)
    low, high = window or picture.window
    if not (isfinite(low) and isfinite(high) and low < high):
        raise QueryError(f"A window goes from a smaller to a larger number, not {low!r:.50} to {high!r:.50}.")
    size = _checked_size(width, height, scale)
    options = options or Options()
    style = _style(masks, other, structures, options, colors or {}, opacities or {}, scale)
    voxel = voxel_at(picture.grid, point)
    scene = _Scene(picture, masks, other, options, style, (low, high), scale, voxel)
    area, listed = _split(layout, size, scale, legend)
    tiles = _tiles(scene, layout, plane, area)
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    for tile in tiles:
        _paint(scene, tile, canvas)
    image = Image.fromarray(canvas)
    sheet = words.Sheet(ImageDraw.Draw(image), scale)
    values = [] if picture.problem else [f"Window {low:.6g} to {high:.6g}"]
    heading = [title, "  ·  ".join([*values, _view(options)]), *notes]
    for n, tile in enumerate(tiles):
        head = "" if (listed and legend) or n else "  ·  ".join((title, *notes))
        _write(scene, tile, sheet, head, compact=layout == "mosaic")
    if layout == "grid":
        _rule(sheet, area)
    if listed:
        entries = _entries(scene, tiles, volumes_ml or {})
        words.legend(sheet, listed, heading if legend else [], entries if legend else [])
    return png_bytes(np.asarray(image), 96 * scale)


@dataclass(frozen=True, eq=False)
class _Scene:
    picture: Picture
    masks: Masks | None
    other: Masks | None
    options: Options
    style: Style
    window: tuple[float, float]
    scale: float
    voxel: NDArray[np.float64]


@dataclass(frozen=True)
class _Tile:
    area: Area
    placement: Placement
    index: int


def _checked_size(width: int, height: int, scale: float) -> tuple[int, int]:
    if not (MIN_SIZE <= width <= MAX_SIZE and MIN_SIZE <= height <= MAX_SIZE and 0.25 <= scale <= 8):
        raise QueryError(
            f"A picture is {MIN_SIZE} to {MAX_SIZE:,} pixels wide and high at a scale of 0.25 to 8, "
            f"not {width!r:.20} x {height!r:.20} at {scale!r:.20}."
        )
    size = round(width * scale), round(height * scale)
    if size[0] * size[1] > MAX_PIXELS:
        raise QueryError(f"{size[0]:,} x {size[1]:,} pixels are more than {MAX_PIXELS:,}.")
    return size


def _style(
    masks: Masks | None,
    other: Masks | None,
    structures: tuple[str, ...] | None,
    options: Options,
    colors: Mapping[str, str],
    opacities: Mapping[str, float],
    scale: float,
) -> Style:
    there = {name for known in (masks, other) if known is not None for names in known.sets for name in names}
    shown = in_order(there if structures is None else there.intersection(structures))
    return Style(
        tuple(shown),
        {name: _rgb(colors.get(name, ""), structure(name).color) for name in shown},
        {name: min(max(float(opacities.get(name, 1.0)), 0.0), 1.0) for name in shown},
        options.paint,
        options.opacity,
        options.width * scale,
    )


def _rgb(own: str, default: str) -> Rgb:
    value = own if re.fullmatch(r"#[0-9a-fA-F]{6}", own) else default
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)


def _view(options: Options) -> str:
    return "radiological" if options.radiological else "neurological"


def _split(layout: str, size: tuple[int, int], scale: float, legend: bool) -> tuple[Area, Area | None]:
    """Return where the slices and where the legend go."""
    width, height = size
    if layout == "grid":
        return (0, 0, width, height), ((width + 1) // 2, (height + 1) // 2, width, height)
    if not legend or width < 420 * scale:
        return (0, 0, width, height), None
    left = width - round(min(max(0.27 * width, 230 * scale), 340 * scale))
    return (0, 0, left, height), (left, 0, width, height)


def _tiles(scene: _Scene, layout: str, plane: str, area: Area) -> list[_Tile]:
    left, top, right, bottom = area
    if layout == "mosaic":
        return _mosaic(scene, plane, area)
    if layout != "grid":
        return [_tile(scene, layout, area)]
    x, y = right // 2, bottom // 2
    areas = ((left, top, x, y), (x, top, right, y), (left, y, x, bottom))
    return [_tile(scene, name, part) for name, part in zip(PLANES, areas, strict=True)]


def _tile(scene: _Scene, plane: str, area: Area, index: int | None = None) -> _Tile:
    if index is None:
        index = round(float(scene.voxel[PLANES[plane][2]]))
    placement = place(
        scene.picture.grid, plane, area, radiological=scene.options.radiological, scale=scene.scale
    )
    return _Tile(area, placement, index)


def _mosaic(scene: _Scene, plane: str, area: Area) -> list[_Tile]:
    """Lay slices of a plane out evenly, the lowest first, as many as there is room for."""
    grid = scene.picture.grid
    column, row, along = PLANES[plane]
    aspect = grid.shape[column] * grid.spacing_mm[column] / (grid.shape[row] * grid.spacing_mm[row])
    wide, high = area[2] - area[0], area[3] - area[1]
    columns = max(round(wide / (_MOSAIC_TILE * scene.scale)), 1)
    rows = max(round(high / max(wide / columns / min(max(aspect, 0.5), 2.0), 1)), 1)
    count = min(columns * rows, grid.shape[along])
    # As large as they get: the lesser of what the width and the height leave.
    columns = max(range(1, count + 1), key=lambda n: min(wide / n / aspect, high / -(-count // n)))
    rows = -(-count // columns)
    indices = np.rint(np.linspace(0, grid.shape[along] - 1, count)).astype(int).tolist()
    if count == 1:
        indices = [round(float(scene.voxel[along]))]
    tiles = []
    for n, index in enumerate(indices):
        x, y = n % columns, n // columns
        part = (
            area[0] + wide * x // columns,
            area[1] + high * y // rows,
            area[0] + wide * (x + 1) // columns,
            area[1] + high * (y + 1) // rows,
        )
        tiles.append(_tile(scene, plane, part, index))
    return tiles


def _paint(scene: _Scene, tile: _Tile, canvas: Bits) -> None:
    """Paint a slice and its structures."""
    plane, index = tile.placement.plane, tile.index
    grey = grey_slice(scene.picture, plane, index, scene.window)
    rows, columns = grey.shape
    left, top, right, bottom = tile.placement.area(columns, rows)
    area = (
        max(left, tile.area[0]),
        max(top, tile.area[1]),
        min(right, tile.area[2]),
        min(bottom, tile.area[3]),
    )
    if area[0] >= area[2] or area[1] >= area[3]:
        return
    part = canvas[area[1] : area[3], area[0] : area[2]]
    part[:] = enlarge(grey, tile.placement, area, smooth=scene.options.smooth)[..., None]
    if not scene.options.overlay or not scene.style.shown:
        return
    column, row = tile.placement.voxels(area, columns, rows)
    spot = Spot(part, row, column)
    masks, other, style = scene.masks, scene.other, scene.style
    ids, theirs = _ids(masks, tile), _ids(other, tile)
    if masks is not None and ids is not None:
        if scene.options.difference and other is not None and theirs is not None:
            paint_difference(spot, ids, masks.sets, other, theirs, style)
            return
        if style.paint != "outline":
            paint_fills(spot, ids, masks.sets, style)
        if style.paint != "fill":
            paint_outlines(spot, ids, masks.sets, style)
    if other is not None and theirs is not None:
        paint_outlines(spot, theirs, other.sets, style, cased=True)


def _ids(masks: Masks | None, tile: _Tile) -> NDArray[Any] | None:
    if masks is None or masks.ids is None:
        return None
    return np.ascontiguousarray(cut(masks.ids, tile.placement.plane, tile.index))


def _write(scene: _Scene, tile: _Tile, sheet: words.Sheet, title: str, *, compact: bool) -> None:
    """Write what is around a slice, and mark the point."""
    plane = tile.placement.plane
    column, row, along = PLANES[plane]
    voxel = scene.voxel.copy()
    if scene.options.crosshair and not compact:
        x, y = tile.placement.pixel(voxel[column], voxel[row])
        words.crosshair(sheet, tile.area, (x, y))
    voxel[along] = tile.index
    mm = float(scene.picture.grid.to_world(voxel)[along])
    mm = 0.0 if abs(mm) < 0.05 else mm
    if compact:
        words.caption(sheet, tile.area, f"{tile.index + 1}  ·  {mm:.1f} mm", title)
        return
    where = f"{tile.index + 1} of {scene.picture.grid.shape[along]}  ·  {mm:.1f} mm"
    head = "  ·  ".join(part for part in (plane.capitalize(), title) if part)
    words.annotate(sheet, tile.area, scene.picture.grid, tile.placement, head, where)


def _rule(sheet: words.Sheet, area: Area) -> None:
    """Draw the lines between four tiles."""
    left, top, right, bottom = area
    sheet.line((right // 2, top), (right // 2, bottom), _LINE)
    sheet.line((left, bottom // 2), (right, bottom // 2), _LINE)


def _entries(scene: _Scene, tiles: list[_Tile], volumes_ml: Mapping[str, float]) -> list[words.Entry]:
    """Return a line for each shown structure."""
    if not scene.options.overlay:
        return []
    seen: set[str] = set()
    for masks in (scene.masks, scene.other):
        for tile in tiles:
            ids = _ids(masks, tile)
            if masks is not None and ids is not None:
                there = np.flatnonzero(np.bincount(ids.ravel(), minlength=len(masks.sets)))
                seen.update(name for i in there.tolist() for name in masks.sets[i])
    found = []
    for name in scene.style.shown:
        known, volume = structure(name), volumes_ml.get(name)
        usable = volume is not None and isfinite(volume)
        found.append(
            words.Entry(
                scene.style.colors[name],
                known.label,
                known.side[:1].upper(),
                f"{volume:,.1f} ml" if usable else "",
                name in seen,
            )
        )
    return found

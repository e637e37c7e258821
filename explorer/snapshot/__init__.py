"""Pictures of a case as PNG, without a browser: for papers, reports and tests.

Drawn as the viewer draws them: the same placement, window, colours and letters. Needs no widget.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explorer.errors import QueryError, UnknownName
from explorer.snapshot import measurements as measuring
from explorer.snapshot import words
from explorer.snapshot.geometry import Area, Zoom, common, voxel_at
from explorer.snapshot.measurements import Measurement
from explorer.snapshot.paint import (
    AGREED,
    BOTH_KINDS,
    ONLY_FILLED,
    ONLY_OUTLINED,
    Bits,
    Masks,
    Rgb,
    Spot,
    Style,
    enlarge,
    grey_slice,
    paint_difference,
    paint_fills,
    paint_outlines,
)
from explorer.snapshot.png import MAX_PIXELS, MAX_SIZE, png_bytes
from explorer.snapshot.rendered import LAYOUTS as WITH_SPACE
from explorer.snapshot.rendered import Rendered, paste
from explorer.snapshot.tiles import Tile, View, split, tiles
from explorer.structures import in_order, structure
from explorer.views.options import Options as Options
from explorer.views.overlay import PLANES, cut
from explorer.views.picture import Picture

LAYOUTS = ("grid", *PLANES, "mosaic", "sheet")
"""What there is to draw."""

MIN_SIZE = 64
"""Of a side in CSS pixels."""

_LINE: Rgb = (0x2A, 0x2F, 0x36)


def draw(
    picture: Picture,
    *,
    masks: Masks | None = None,
    other: Masks | None = None,
    names: tuple[str, str] = ("shown", "compared"),
    point: tuple[float, float, float] | None = None,
    voxel: tuple[float, float, float] | None = None,
    structures: tuple[str, ...] | None = None,
    options: Options | None = None,
    layout: str = "grid",
    plane: str = "axial",
    first: int | None = None,
    zooms: Mapping[str, Zoom] | None = None,
    measurements: Sequence[Measurement] = (),
    space: Rendered | None = None,
    window: tuple[float, float] | None = None,
    colors: Mapping[str, str] | None = None,
    opacities: Mapping[str, float] | None = None,
    volumes_ml: Mapping[str, float] | None = None,
    volumes_of: str = "",
    remarks: Mapping[str, str] | None = None,
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
    names
        Of the two sets, for the legend.
    point
        Where the slices are cut, RAS+ mm; by default the middle of the image.
    voxel
        The same as indices into the picture's voxels, which need not be whole; goes before `point`.
    structures
        Which are shown; by default all that the masks have.
    options
        How; by default as `Options` has it.
    layout
        One of `LAYOUTS`: three planes and the legend, one plane, one beside a sheet of its slices, or
        that sheet alone. With `space` ``"grid"``, which has it beside the three planes, or ``"3d"``.
    plane
        Of the sheet, and beside it.
    first
        The sheet's lowest slice; by default as many are left out below as above.
    zooms
        By plane; ``"sheet"`` is that of its slices. What is not in it fits its tile.
    measurements
        Distances and angles; those of the slices that are drawn, but for the sheet's, are shown.
    space
        3D as a page shows it. The legend is beside all then.
    window
        Intensities shown as black and white; by default the picture's.
    colors, opacities
        By structure, where they differ from the table's and from 1: ``"#rrggbb"``, 0 to 1.
    volumes_ml
        By structure, for the legend.
    volumes_of
        The mask set that they were measured in, for a legend of two sets.
    remarks
        By structure, what else the legend says of it, such as ``"cut off"``.
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
    layouts = LAYOUTS if space is None else WITH_SPACE
    for what, name, known in (("layout", layout, layouts), ("plane", plane, PLANES)):
        if name not in known:
            raise UnknownName(what, str(name)[:100], known)
    low, high = window or picture.window
    if not (isfinite(low) and isfinite(high) and low < high):
        raise QueryError(f"A window goes from a smaller to a larger number, not {low!r:.50} to {high!r:.50}.")
    size = _checked_size(width, height, scale)
    options = options or Options()
    style = _style(masks, other, structures, options, colors or {}, opacities or {}, scale)
    at = np.clip(np.array(voxel, float), 0, np.array(picture.grid.shape) - 1) if voxel else None
    view = View(
        picture.grid,
        voxel_at(picture.grid, point) if at is None else at,
        options.radiological,
        scale,
        zooms or {},
        first,
    )
    scene = _Scene(picture, masks, other, names, options, style, (low, high), view, measurements, space)
    area, listed = split(layout if space is None else "3d", size, scale, legend)
    shown = [] if layout == "3d" else tiles(view, layout, plane, area)
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    for tile in shown:
        _paint(scene, tile, canvas)
    sheet = words.Sheet(Image.fromarray(canvas), scale)
    values = [] if picture.problem else [f"Window {words.level(low)} to {words.level(high)}"]
    # Other layouts have it in the tile.
    notes = [*notes, words.grid_note(picture.grid)] if layout == "sheet" else notes
    heading = [title, "  ·  ".join([*values, _view(options)]), *filter(None, notes)]
    head = "" if listed and legend else "  ·  ".join(filter(None, (title, *notes)))
    for n, tile in enumerate(shown):
        _write(scene, tile, sheet, "" if n else head)
    if space is not None:
        quarter = (area[2] // 2, area[3] // 2, area[2], area[3])
        paste(sheet, space, *((quarter, "") if shown else (area, head)))
    if layout == "grid":
        _rule(sheet, area)
    cells = [tile for tile in shown if tile.in_sheet]
    if cells:
        x = min(tile.area[0] for tile in cells)
        sheet_area = (x, *area[1:])
        if x > area[0]:
            sheet.line((x, area[1]), (x, area[3]), _LINE)
        words.sheet_letters(sheet, [cell.area for cell in cells], picture.grid, cells[0].placement)
        words.corner_scale_bar(sheet, sheet_area, cells[0].area, cells[0].placement)
    if listed:
        key = _key(scene, volumes_of) if shown else []
        entries = _entries(scene, shown, volumes_ml or {}, remarks or {})
        told = (heading, key, entries) if legend else ([], [], [])
        words.legend(sheet, listed, *told)
    return png_bytes(np.asarray(sheet.image), 96 * scale)


@dataclass(frozen=True, eq=False)
class _Scene:
    picture: Picture
    masks: Masks | None
    other: Masks | None
    names: tuple[str, str]
    options: Options
    style: Style
    window: tuple[float, float]
    view: View
    measurements: Sequence[Measurement]
    space: Rendered | None

    @property
    def differs(self) -> bool:
        """Whether colours tell where two sets differ."""
        two = (self.masks, self.other)
        return self.options.difference and all(masks is not None and masks.ids is not None for masks in two)


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


def _paint(scene: _Scene, tile: Tile, canvas: Bits) -> None:
    """Paint a slice and its structures."""
    grey = grey_slice(scene.picture, tile.placement.plane, tile.index, scene.window)
    rows, columns = grey.shape
    slice_ = tile.placement.area(columns, rows)
    inner = common(slice_, tile.area)
    # By more than a line: where the tile ends is no border of a structure.
    beyond = ceil(scene.style.width) + 2
    left, top, right, bottom = tile.area
    area = common(slice_, (left - beyond, top - beyond, right + beyond, bottom + beyond))
    if inner is None or area is None:
        return
    part = np.empty((area[3] - area[1], area[2] - area[0], 3), np.uint8)
    part[:] = enlarge(grey, tile.placement, area, smooth=scene.options.smooth)[..., None]
    if scene.options.overlay and scene.style.shown:
        column, row = tile.placement.voxels(area, columns, rows)
        _paint_structures(scene, tile, Spot(part, row, column, tile.placement.lattice(area)))
    x, y = inner[0] - area[0], inner[1] - area[1]
    canvas[inner[1] : inner[3], inner[0] : inner[2]] = part[
        y : y + inner[3] - inner[1], x : x + inner[2] - inner[0]
    ]


def _paint_structures(scene: _Scene, tile: Tile, spot: Spot) -> None:
    masks, other, style = scene.masks, scene.other, scene.style
    if tile.in_sheet:
        # Small pictures want fine lines.
        style = replace(style, width=min(style.width, scene.view.scale))
    ids, theirs = _ids(masks, tile), _ids(other, tile)
    if masks is not None and ids is not None:
        if scene.differs and other is not None and theirs is not None:
            paint_difference(spot, ids, masks.sets, other, theirs, style)
            return
        if style.paint != "outline":
            paint_fills(spot, ids, masks.sets, style)
        if style.paint != "fill":
            paint_outlines(spot, ids, masks.sets, style, look="plain" if other is None else "dashed")
    if other is not None and theirs is not None:
        paint_outlines(spot, theirs, other.sets, style, look="cased")


def _ids(masks: Masks | None, tile: Tile) -> NDArray[Any] | None:
    if masks is None or masks.ids is None:
        return None
    # A copy: more masks may come meanwhile.
    return np.array(cut(masks.ids, tile.placement.plane, tile.index), order="C")


def _write(scene: _Scene, tile: Tile, sheet: words.Sheet, title: str) -> None:
    """Write what is around a slice, and mark the point."""
    plane = tile.placement.plane
    column, row, along = PLANES[plane]
    voxel = scene.view.voxel.copy()
    if scene.options.crosshair and not tile.in_sheet:
        x, y = tile.placement.pixel(voxel[column], voxel[row])
        words.crosshair(sheet, tile.area, (x, y))
    voxel[along] = tile.index
    mm = words.rounded(float(scene.picture.grid.to_world(voxel)[along]))
    if tile.in_sheet:
        below = f"  ·  {mm} mm" if words.is_roomy(sheet, tile.area) else ""
        words.caption(sheet, tile.area, f"{tile.index + 1}{below}", title)
        return
    here = [one for one in scene.measurements if (one.plane, one.index) == (plane, tile.index)]
    measuring.draw(sheet, tile.area, scene.picture.grid, tile.placement, here)
    where = f"{tile.index + 1} of {scene.picture.grid.shape[along]}  ·  {mm} mm"
    head = "  ·  ".join(part for part in (plane.capitalize(), title) if part)
    words.annotate(sheet, tile.area, scene.picture.grid, tile.placement, head, where)


def _rule(sheet: words.Sheet, area: Area) -> None:
    """Draw the lines between four tiles."""
    left, top, right, bottom = area
    sheet.line((right // 2, top), (right // 2, bottom), _LINE)
    sheet.line((left, bottom // 2), (right, bottom // 2), _LINE)


def _entries(
    scene: _Scene, shown: list[Tile], volumes_ml: Mapping[str, float], remarks: Mapping[str, str]
) -> list[words.Entry]:
    """Return a line for each shown structure."""
    if not scene.options.overlay:
        return []
    seen: set[str] = set()
    for masks in (scene.masks, scene.other):
        for tile in shown:
            ids = _ids(masks, tile)
            if masks is not None and ids is not None:
                there = np.flatnonzero(np.bincount(ids.ravel(), minlength=len(masks.sets)))
                seen.update(name for i in there.tolist() for name in masks.sets[i])
    found = []
    for name in scene.style.shown:
        known = structure(name)
        found.append(
            words.Entry(
                None if scene.differs and scene.space is None else scene.style.colors[name],
                known.label,
                known.side[:1].upper(),
                words.volume(volumes_ml.get(name)),
                name in seen,
                remark=remarks.get(name, ""),
            )
        )
    return found


def _key(scene: _Scene, volumes_of: str) -> list[words.Entry]:
    """Return what tells two mask sets apart, and whose the volumes are."""
    if scene.other is None or not scene.options.overlay:
        return []
    ours, theirs = scene.names
    whose = [words.Entry(None, f"Volumes: {volumes_of}")] if volumes_of else []
    if scene.differs:
        return [
            words.Entry(AGREED, "in both"),
            words.Entry(ONLY_OUTLINED, f"only {theirs}"),
            words.Entry(ONLY_FILLED, f"only {ours}"),
            words.Entry(BOTH_KINDS, "different structures"),
            *whose,
        ]
    how = {"fill": "Fill", "outline": "Dashed outline", "both": "Fill and dashed outline"}[scene.style.paint]
    is_line = scene.style.paint == "outline"
    return [
        words.Entry(words.FAINT, f"{how}: {ours}", hollow=is_line, dashed=is_line),
        words.Entry(words.FAINT, f"Outline: {theirs}", hollow=True),
        *whose,
    ]

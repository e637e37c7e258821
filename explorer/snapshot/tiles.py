"""Which slices a picture has, and how they share its area."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.grid import Grid
from explorer.snapshot.geometry import FITTED, MARGIN, Area, Placement, Zoom, place
from explorer.views.overlay import PLANES

_CELL_ALONE, _CELL_BESIDE, _MOST_CELLS, _CELL_MARGIN = 190, 130, 64, 2
_LEGEND_SHARE, _LEGEND_LEAST, _LEGEND_MOST, _LEAST_WITH_LEGEND = 0.27, 230, 340, 420


@dataclass(frozen=True)
class Tile:
    """A slice and where it is drawn.

    Attributes
    ----------
    area
        What it may cover.
    placement
        Where its voxels lie.
    index
        Which slice of the plane.
    in_sheet
        Whether it is a small one of a sheet.
    """

    area: Area
    placement: Placement
    index: int
    in_sheet: bool = False


@dataclass(frozen=True, eq=False)
class View:
    """What of an image is looked at.

    Attributes
    ----------
    grid
        Of the image.
    voxel
        Where the planes meet, shape (3,).
    radiological
        Whether the patient's right is on the left.
    scale
        Pixels per CSS pixel.
    zooms
        By plane; ``"sheet"`` is that of its slices. What is not in it fits its tile.
    first
        The lowest slice of a sheet, or None for even shares left out below and above.
    """

    grid: Grid
    voxel: NDArray[np.float64]
    radiological: bool
    scale: float
    zooms: Mapping[str, Zoom]
    first: int | None


def split(layout: str, size: tuple[int, int], scale: float, legend: bool) -> tuple[Area, Area | None]:
    """Return where the slices and where the legend go."""
    width, height = size
    if layout == "grid":
        return (0, 0, width, height), ((width + 1) // 2, (height + 1) // 2, width, height)
    if not legend or width < _LEAST_WITH_LEGEND * scale:
        return (0, 0, width, height), None
    wide = min(max(_LEGEND_SHARE * width, _LEGEND_LEAST * scale), _LEGEND_MOST * scale)
    left = width - round(wide)
    return (0, 0, left, height), (left, 0, width, height)


def with_legend(layout: str, width: int) -> int:
    """Return how wide a picture is, in CSS pixels, that has so much for its slices beside the legend."""
    if layout == "grid" or width + _LEGEND_LEAST < _LEAST_WITH_LEGEND:
        return width
    share = _LEGEND_SHARE / (1 - _LEGEND_SHARE)
    return width + round(min(max(share * width, _LEGEND_LEAST), _LEGEND_MOST))


def nearest(voxel: float) -> int:
    """Return the slice that a place lies in; halves go up, as in the browser."""
    return math.floor(voxel + 0.5)


def tiles(view: View, layout: str, plane: str, area: Area) -> list[Tile]:
    """Return the slices of a layout; `plane` is the sheet's."""
    left, top, right, bottom = area
    x, y = right // 2, bottom // 2
    if layout == "sheet":
        return _sheet(view, plane, area, _CELL_ALONE)
    if layout == "mosaic":
        return [
            _tile(view, plane, (left, top, x, bottom)),
            *_sheet(view, plane, (x, top, right, bottom), _CELL_BESIDE),
        ]
    if layout != "grid":
        return [_tile(view, layout, area)]
    areas = ((left, top, x, y), (x, top, right, y), (left, y, x, bottom))
    return [_tile(view, name, part) for name, part in zip(PLANES, areas, strict=True)]


def _tile(view: View, plane: str, area: Area) -> Tile:
    zoom = view.zooms.get(plane, FITTED)
    return Tile(area, _placed(view, plane, area, zoom, MARGIN), nearest(float(view.voxel[PLANES[plane][2]])))


def _placed(view: View, plane: str, area: Area, zoom: Zoom, margin: float) -> Placement:
    return place(
        view.grid, plane, area, radiological=view.radiological, scale=view.scale, zoom=zoom, margin=margin
    )


def _sheet(view: View, plane: str, area: Area, least: int) -> list[Tile]:
    """Lay slices of a plane out evenly, the lowest first, as many as there is room for."""
    grid = view.grid
    column, row, along = PLANES[plane]
    wide, high = area[2] - area[0], area[3] - area[1]
    columns, rows, step, count = _arranged(
        wide / view.scale,
        high / view.scale,
        least,
        grid.shape[column] * grid.spacing_mm[column],
        grid.shape[row] * grid.spacing_mm[row],
        grid.shape[along],
    )
    left_out = grid.shape[along] - ((count - 1) * step + 1)
    first = min(max(left_out // 2 if view.first is None else view.first, 0), step - 1)
    zoom = view.zooms.get("sheet", FITTED)
    found = []
    for n, index in enumerate(range(first, grid.shape[along], step)):
        x, y = n % columns, n // columns
        part = (
            area[0] + wide * x // columns,
            area[1] + high * y // rows,
            area[0] + wide * (x + 1) // columns,
            area[1] + high * (y + 1) // rows,
        )
        found.append(Tile(part, _placed(view, plane, part, zoom, _CELL_MARGIN), index, in_sheet=True))
    return found


def _arranged(
    width: float, height: float, least: int, across_mm: float, up_mm: float, slices: int
) -> tuple[int, int, int, int]:
    """Return columns, rows, and each how manieth of the slices is shown, and how many at most.

    The same as in ``js/src/viewer/mosaic.ts``, so that a copy of its sheet has its slices.
    """

    def fit(columns: int) -> float:
        return min(width / columns / across_mm, height / -(-count // columns) / up_mm)

    wanted = max(least, width / 8) / max(across_mm, up_mm)
    most = max(1, math.floor(width / (across_mm * wanted))) * max(1, math.floor(height / (up_mm * wanted)))
    step = -(-slices // min(most, _MOST_CELLS, slices))
    count = -(-slices // step)
    columns = max(range(1, count + 1), key=fit)
    return columns, -(-count // columns), step, count

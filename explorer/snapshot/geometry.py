"""Where the slices of a picture lie on paper."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.grid import Grid
from explorer.snapshot.dashes import Lattice
from explorer.views.slices import PLANES, axis_letters

Area = tuple[int, int, int, int]
"""Left, top, right and bottom edge in pixels, half open."""

MARGIN = 10
"""Around a slice in its tile, in CSS pixels."""


@dataclass(frozen=True)
class Zoom:
    """How a plane is enlarged and moved in its tile.

    Attributes
    ----------
    factor
        1 fits it into the tile.
    pan_x, pan_y
        CSS pixels that its middle lies to the right of and below the tile's.
    """

    factor: float = 1.0
    pan_x: float = 0.0
    pan_y: float = 0.0


FITTED = Zoom()


@dataclass(frozen=True)
class Placement:
    """Where a plane lies in a tile, in pixels of the image.

    Attributes
    ----------
    plane
        One of `PLANES`.
    step_x, step_y
        Pixels per voxel along columns and rows; negative where the axis runs to the left or up.
    origin_x, origin_y
        Of the centre of voxel (0, 0).
    pixels_per_mm
        The same along both.
    """

    plane: str
    step_x: float
    step_y: float
    origin_x: float
    origin_y: float
    pixels_per_mm: float

    def pixel(self, column: float, row: float) -> tuple[float, float]:
        """Return where the centre of a voxel lies."""
        return self.origin_x + self.step_x * column, self.origin_y + self.step_y * row

    def corner(self, columns: int, rows: int) -> tuple[float, float]:
        """Return the left and the top edge of a slice."""
        ends = self.pixel(-0.5, -0.5), self.pixel(columns - 0.5, rows - 0.5)
        return min(x for x, _ in ends), min(y for _, y in ends)

    def area(self, columns: int, rows: int) -> Area:
        """Return the pixels whose centres lie in the slice; at least one along each axis."""
        left, right = _span(self.origin_x, self.step_x, columns)
        top, bottom = _span(self.origin_y, self.step_y, rows)
        return left, top, right, bottom

    def lattice(self, area: Area) -> Lattice:
        """Return where the corners of voxels lie, seen from the corner of an area."""
        x, y = self.pixel(-0.5, -0.5)
        return Lattice(x, y, self.step_x, self.step_y).moved(area[0], area[1])

    def voxels(self, area: Area, columns: int, rows: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the column of each x and the row of each y of an area."""
        x, y = (np.arange(start, stop) + 0.5 for start, stop in (area[::2], area[1::2]))
        column = np.floor((x - self.origin_x) / self.step_x + 0.5).clip(0, columns - 1)
        row = np.floor((y - self.origin_y) / self.step_y + 0.5).clip(0, rows - 1)
        return column.astype(np.intp), row.astype(np.intp)


def _span(origin: float, step: float, count: int) -> tuple[int, int]:
    ends = sorted((origin - step / 2, origin + step * (count - 0.5)))
    start, stop = math.ceil(ends[0] - 0.5), math.ceil(ends[1] - 0.5)
    return start, max(stop, start + 1)


def common(one: Area, two: Area) -> Area | None:
    """Return the pixels that two areas share, or None."""
    left, top = max(one[0], two[0]), max(one[1], two[1])
    right, bottom = min(one[2], two[2]), min(one[3], two[3])
    return (left, top, right, bottom) if left < right and top < bottom else None


def place(
    grid: Grid,
    plane: str,
    tile: Area,
    *,
    radiological: bool,
    scale: float,
    zoom: Zoom = FITTED,
    margin: float = MARGIN,
) -> Placement:
    """Fit a plane into a tile, the patient's right on the left where `radiological`; then zoom it.

    The sagittal plane has the front on the left, whatever the convention.
    """
    column, row, _ = PLANES[plane]
    width, height = tile[2] - tile[0], tile[3] - tile[1]
    across_mm = grid.shape[column] * grid.spacing_mm[column]
    up_mm = grid.shape[row] * grid.spacing_mm[row]
    around = 2 * margin * scale
    fit = min(max(width - around, 1) / across_mm, max(height - around, 1) / up_mm) * zoom.factor
    flip = plane == "sagittal" or radiological
    step_x = grid.spacing_mm[column] * fit * (-1 if flip else 1)
    step_y = -grid.spacing_mm[row] * fit
    return Placement(
        plane,
        step_x,
        step_y,
        tile[0] + width / 2 + zoom.pan_x * scale - step_x * (grid.shape[column] - 1) / 2,
        tile[1] + height / 2 + zoom.pan_y * scale - step_y * (grid.shape[row] - 1) / 2,
        fit,
    )


def edge_letters(grid: Grid, placement: Placement) -> tuple[str, str, str, str]:
    """Return the letters at the left, right, top and bottom of a plane."""
    letters = axis_letters(grid)
    column, row, _ = PLANES[placement.plane]
    left, right = letters[column][:: 1 if placement.step_x > 0 else -1]
    bottom, top = letters[row]
    return left, right, top, bottom


def scale_bar(width: float, pixels_per_mm: float) -> tuple[float, str]:
    """Return a round length in mm that takes at most a sixth of the width, and its words."""
    wanted = width / 6 / pixels_per_mm
    power = 10.0 ** math.floor(math.log10(wanted))
    length = next(n * power for n in (5, 2, 1) if n * power <= wanted * (1 + 1e-9))
    return length, f"{length / 10:g} cm" if length >= 10 else f"{length:g} mm"


def voxel_at(grid: Grid, point: tuple[float, float, float] | None) -> NDArray[np.float64]:
    """Return the voxel of a world point, shape (3,), within the image; of its middle for None."""
    last = np.array(grid.shape) - 1
    if point is None:
        return (last // 2).astype(float)
    return grid.to_voxel(point).clip(0, last)

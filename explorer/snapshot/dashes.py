"""Dashes along the borders of structures, where the viewer has them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ON, PERIOD = 4, 7
"""Length of a dash, and of it with its gap, in widths of the line."""

Flags = NDArray[np.bool_]
Places = NDArray[np.intp]


@dataclass(frozen=True)
class Lattice:
    """Where the corners of voxels lie, in pixels: corner 0 and the step from one to the next."""

    x: float
    y: float
    step_x: float
    step_y: float

    def moved(self, x: int, y: int) -> "Lattice":
        """Return the same, seen from a corner that lies so many pixels to the right and below."""
        return Lattice(self.x - x, self.y - y, self.step_x, self.step_y)


@dataclass(frozen=True, eq=False)
class _Runs:
    """Straight pieces of a border: line, first and last corner, and what they are like, of each."""

    line: Places
    first: Places
    last: Places
    high: Flags  # the structure lies on the side of higher numbers
    inner_first: Flags  # whether the structure goes on beyond the corner, on its side of the line
    inner_last: Flags


def dashed(inside: Flags, lattice: Lattice, shape: tuple[int, int], width: float) -> Flags:
    """Return the pixels of a part of an image that dashes may cover.

    They are measured along the border wherever it goes on in one sense, since x + y or x - y grows there
    as its length does. A short top or bottom has no gap, so that nothing small is lost in one.

    Parameters
    ----------
    inside
        A structure in its slice, shape (rows, columns).
    lattice
        Of the slice, seen from the part's corner.
    shape
        Of the part: height, width.
    width
        Of the line, in pixels.
    """
    found = np.zeros(shape, bool)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return found
    corner = int(rows[0]), int(columns[0])
    padded = np.pad(inside[corner[0] : rows[-1] + 1, corner[1] : columns[-1] + 1], 1)
    thick = int(np.ceil(width))
    unit = max(1, int(np.floor(width + 0.5)))
    on, period = ON * unit, PERIOD * unit
    x0, y0 = (int(np.floor(n + 0.5)) for n in (lattice.x, lattice.y))
    right, down = (1 if step > 0 else -1 for step in (lattice.step_x, lattice.step_y))
    for runs, upright in ((_runs(padded, *corner), False), (_runs(padded.T, *corner[::-1]), True)):
        across, along = (lattice.x, lattice.step_x), (lattice.y, lattice.step_y)
        if not upright:
            across, along = along, across
        ahead, inward = (down, right) if upright else (right, down)
        line, first, last = (
            np.floor(start + step * places + 0.5).astype(int)
            for (start, step), places in ((across, runs.line), (along, runs.first), (along, runs.last))
        )
        if not upright:
            first, last = first - runs.inner_first * thick * ahead, last + runs.inner_last * thick * ahead
        low, high = np.minimum(first, last), np.maximum(first, last)
        side = np.where(runs.high, inward, -inward)
        top = np.minimum(line, line + side * thick)
        turn = np.where(runs.high != runs.inner_last, right * down, -right * down)
        whole = ~(runs.inner_first | runs.inner_last) & (high - low <= period) & (not upright)
        # Where on the line a dash begins.
        begin = np.where(turn > 0, x0 - line, line - x0 - on) + y0 if upright else x0 - turn * (line - y0)
        start = begin + (low - begin) // period * period
        for a, b, s, t, all_of_it in zip(
            *(values.tolist() for values in (low, high, start, top, whole)), strict=True
        ):
            band = slice(max(t, 0), max(t + thick, 0))
            dashes = [(a, b)] if all_of_it else [(max(k, a), min(k + on, b)) for k in range(s, b, period)]
            for start_, stop in dashes:
                piece = slice(max(start_, 0), max(stop, 0))
                found[(piece, band) if upright else (band, piece)] = True
    return found


def _runs(padded: Flags, row: int, column: int) -> _Runs:
    """Return the runs along the rows of a part of a slice, of which nothing is in the outermost ones."""
    edge = np.diff(padded.astype(np.int8), axis=0)  # 1 where it begins, -1 where it ends
    change = edge[:, 1:] != edge[:, :-1]
    line, first = np.nonzero(change & (edge[:, 1:] != 0))
    _, last = np.nonzero(change & (edge[:, :-1] != 0))
    high = edge[line, first + 1] > 0
    own = line + high  # the row of the structure
    goes_on = padded[own, first], padded[own, last + 1]
    return _Runs(line + row, first + column, last + column, high, *goes_on)

"""Pixels of a slice: intensities through a window, structures in their colours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explorer.snapshot.dashes import Lattice, dashed
from explorer.snapshot.geometry import Area, Placement
from explorer.views.overlay import cut
from explorer.views.picture import Picture

Rgb = tuple[int, int, int]
Bits = NDArray[np.uint8]

AGREED: Rgb = (0x8B, 0x95, 0xA3)
ONLY_OUTLINED: Rgb = (0x3A, 0xA0, 0xFF)
ONLY_FILLED: Rgb = (0xFF, 0x9F, 0x1C)
BOTH_KINDS: Rgb = (0xE0, 0x5C, 0xFF)


class Masks(Protocol):
    """Masks over a picture: as read into a `Picture`, or of another mask set."""

    @property
    def ids(self) -> NDArray[Any] | None:
        """Set of structures of each voxel, shape (x, y, z) of the picture; None before they are read."""

    @property
    def sets(self) -> tuple[tuple[str, ...], ...]:
        """What is in each set."""


@dataclass(frozen=True)
class Style:
    """How structures are drawn.

    Attributes
    ----------
    shown
        Their names, those below first.
    colors, opacities
        Of each of them; opacities are 0 to 1 and multiply `opacity`.
    paint
        ``"fill"``, ``"outline"`` or ``"both"``.
    opacity
        Of fills, 0 to 1.
    width
        Of outlines, in pixels of the image.
    """

    shown: tuple[str, ...]
    colors: Mapping[str, Rgb]
    opacities: Mapping[str, float]
    paint: str
    opacity: float
    width: float


def grey_slice(picture: Picture, plane: str, index: int, window: tuple[float, float]) -> Bits:
    """Return a slice's greys, shape (rows, columns): black at the low end of the window."""
    slope = picture.scale / picture.step
    inter = picture.offset - picture.lowest * slope
    low, high = window
    gain = 255 / ((high - low) or 1.0)
    stored = cut(picture.voxels, plane, index).astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        grey = stored * np.float32(slope * gain) + np.float32((inter - low) * gain)
    found: Bits = np.rint(np.nan_to_num(grey, nan=0.0).clip(0, 255)).astype(np.uint8)
    return found


def enlarge(grey: Bits, placement: Placement, area: Area, *, smooth: bool) -> Bits:
    """Return a slice at the size of an area of the image."""
    rows, columns = grey.shape
    wide, high = abs(placement.step_x), abs(placement.step_y)
    if not smooth or min(columns * wide, rows * high) < 1:
        column, row = placement.voxels(area, columns, rows)
        return grey[np.ix_(row, column)]
    flipped = grey[::-1, :: -1 if placement.step_x < 0 else 1]  # rows run upwards
    # Half a pixel at the border may lie beyond the slice.
    picture = Image.fromarray(np.pad(flipped, 1, mode="edge"))
    left, top = placement.corner(columns, rows)
    x0, x1 = (min(max((x - left) / wide + 1, 0.0), columns + 2.0) for x in area[::2])
    y0, y1 = (min(max((y - top) / high + 1, 0.0), rows + 2.0) for y in area[1::2])
    size = (area[2] - area[0], area[3] - area[1])
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, (x0, y0, x1, y1)))


def fills(sets: Sequence[Sequence[str]], style: Style) -> tuple[Bits, NDArray[np.float32]]:
    """Return the colour, shape (n, 3), and alpha, shape (n,), of each set.

    Of the shown members m with opacities o: colour = sum(o c) / sum(o), alpha = 1 - prod(1 - o).
    """
    shown = set(style.shown)
    colors = np.zeros((len(sets), 3), np.uint8)
    alphas = np.zeros(len(sets), np.float32)
    for i, names in enumerate(sets):
        members = [name for name in names if name in shown]
        weights = np.array([style.opacity * style.opacities.get(name, 1.0) for name in members])
        if weights.sum() > 0:
            colors[i] = np.rint(weights @ np.array([style.colors[name] for name in members]) / weights.sum())
            alphas[i] = 1 - np.prod(1 - weights)
    return colors, alphas


def blend(part: Bits, colors: Bits | Rgb, alpha: NDArray[np.floating[Any]]) -> None:
    """Mix colours, shape (..., 3), into a part of an image by alpha, shape (rows, columns)."""
    weight = (alpha * np.float32(256) + np.float32(0.5)).astype(np.uint16)[..., None]
    part[:] = (
        part * (np.uint16(256) - weight) + np.asarray(colors, np.uint16) * weight + np.uint16(128)
    ) >> 8


@dataclass(frozen=True, eq=False)
class Spot:
    """A slice in its place.

    Attributes
    ----------
    part
        The pixels of the image that it covers, shape (height, width, 3); a view to paint on.
    row, column
        Of the slice, by y and by x of `part`.
    lattice
        Of the slice, seen from the corner of `part`.
    """

    part: Bits
    row: NDArray[np.intp]
    column: NDArray[np.intp]
    lattice: Lattice

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values by voxel, shape (rows, columns), by pixel."""
        spread: NDArray[Any] = values[self.row[:, None], self.column]
        return spread


def paint_fills(spot: Spot, ids: NDArray[Any], sets: Sequence[Sequence[str]], style: Style) -> None:
    """Fill the structures of a slice; `ids` has shape (rows, columns)."""
    colors, alphas = fills(sets, style)
    if alphas.any():
        seen = spot.spread(ids)
        blend(spot.part, colors[seen], alphas[seen])


def paint_outlines(
    spot: Spot, ids: NDArray[Any], sets: Sequence[Sequence[str]], style: Style, *, look: str = "plain"
) -> None:
    """Draw the border of each structure of a slice on its inner side.

    Parameters
    ----------
    look
        ``"plain"``, ``"cased"``: over a black line, 1 px wider, or ``"dashed"``.
    """
    lines = list(_lines(spot, ids, sets, style, look))
    # What is under all lies under the lines of all.
    for box, name, seen, _ in lines if look == "cased" else ():
        blend(
            box.part, (0, 0, 0), _border(seen, style.width + 1) * np.float32(style.opacities.get(name, 1.0))
        )
    for box, name, _, alpha in lines:
        blend(box.part, style.colors[name], alpha)


def _lines(
    spot: Spot, ids: NDArray[Any], sets: Sequence[Sequence[str]], style: Style, look: str
) -> Iterator[tuple[Spot, str, NDArray[np.bool_], NDArray[np.float32]]]:
    """Yield for each shown structure its box, its name, where it is in there, with 1 px around, and alpha."""
    for name, inside in _members(ids, sets, style.shown):
        y, x = (_pixels_of(hit, at) for hit, at in zip(_hits(inside), (spot.row, spot.column), strict=True))
        if y.start >= y.stop or x.start >= x.stop:
            continue
        lattice = spot.lattice.moved(x.start, y.start)
        box = Spot(spot.part[y, x], spot.row[y], spot.column[x], lattice)
        seen = np.pad(box.spread(inside), 1)
        alpha = _border(seen, style.width) * np.float32(style.opacities.get(name, 1.0))
        if look == "dashed":
            alpha *= dashed(inside, lattice, alpha.shape, style.width)
        yield box, name, seen, alpha


def paint_difference(
    spot: Spot,
    ids: NDArray[Any],
    sets: Sequence[Sequence[str]],
    other: Masks,
    theirs: NDArray[Any],
    style: Style,
) -> None:
    """Fill where two mask sets agree and where they do not; `theirs` are ids of `other`."""
    count = len(other.sets)
    pairs, inverse = np.unique(ids.astype(np.int64) * count + theirs, return_inverse=True)
    shown = set(style.shown)
    colors = np.zeros((len(pairs), 3), np.uint8)
    alphas = np.zeros(len(pairs), np.float32)
    for i, pair in enumerate(pairs.tolist()):
        one, two = shown.intersection(sets[pair // count]), shown.intersection(other.sets[pair % count])
        if one or two:
            kinds = (BOTH_KINDS if two - one else ONLY_FILLED) if one - two else ONLY_OUTLINED
            colors[i] = kinds if one != two else AGREED
            alphas[i] = style.opacity
    seen = spot.spread(inverse.reshape(ids.shape))
    blend(spot.part, colors[seen], alphas[seen])


def _members(
    ids: NDArray[Any], sets: Sequence[Sequence[str]], shown: Sequence[str]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the shown structures of a slice and where each is."""
    there = np.flatnonzero(np.bincount(ids.ravel(), minlength=len(sets))).tolist()
    found = {name for i in there for name in sets[i]}
    for name in shown:
        if name in found:
            member = np.zeros(len(sets), bool)
            member[[i for i in there if name in sets[i]]] = True
            yield name, member[ids]


def _hits(inside: NDArray[np.bool_]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first and last row, and the first and last column, that have any."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return (int(rows[0]), int(rows[-1])), (int(columns[0]), int(columns[-1]))


def _pixels_of(hit: tuple[int, int], voxel_of: NDArray[np.intp]) -> slice:
    found = np.flatnonzero((voxel_of >= hit[0]) & (voxel_of <= hit[1]))
    return slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 0)


def _border(padded: NDArray[np.bool_], width: float) -> NDArray[np.float32]:
    """Return the alpha of a line on the inner side of a border; what is left of a pixel is faint."""
    alpha = np.zeros((padded.shape[0] - 2, padded.shape[1] - 2), np.float32)
    left = padded
    for depth in range(int(np.ceil(width))):
        shrunk = np.zeros_like(left)
        across = left[:, :-2] & left[:, 1:-1] & left[:, 2:]
        shrunk[1:-1, 1:-1] = across[:-2] & across[1:-1] & across[2:]
        alpha[(left & ~shrunk)[1:-1, 1:-1]] = min(1.0, width - depth)
        left = shrunk
    return alpha

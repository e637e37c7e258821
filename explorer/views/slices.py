"""Slices of an open case, cut for a browser.

A case is turned to its closest RAS+ axes (a view, nothing is copied), so that a slice has rows and
columns of x, y or z whatever the file's axes. Slices go out in the 8 or 16 bits in which most
files are stored, so the browser knows the exact value of each pixel and can window by itself.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.errors import QueryError, UnknownName
from explorer.grid import Grid, closest_ras
from explorer.structures import structure
from explorer.volume import Labels, Volume, percentiles

PLANES: dict[str, tuple[int, int, int]] = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
"""Column, row and slice axis (0 = x, 1 = y, 2 = z) of each plane."""

MAX_SLICES = 64
"""Most slices that one request may ask for."""

_EXACT = {"u1": "u1", "i1": "i2", "i2": "i2", "u2": "u2", "b1": "u1"}
_LETTERS = ("LR", "PA", "IS")


@dataclass(eq=False)
class Picture:
    """An image ready to be cut.

    Attributes
    ----------
    voxels
        Shape (x, y, z), as stored; a view.
    grid
        Of that view; its axes are nearly RAS+.
    dtype
        Of what is sent: ``"u1"``, ``"u2"`` or ``"i2"``, little-endian.
    scale, offset
        ``value = scale * sent + offset``.
    window
        1st and 99th percentile of the finite non-zero values.
    exact
        Whether values are sent as stored; otherwise they are rounded to 65,536 steps.
    lowest, step
        Of stored values that are rounded: ``sent = (stored - lowest) / step``.
    ids, sets
        Set of structures of each voxel, and what is in each set, once masks are read.
    """

    voxels: NDArray[Any]
    grid: Grid
    dtype: str
    scale: float
    offset: float
    window: tuple[float, float]
    exact: bool
    lowest: float = 0.0
    step: float = 1.0
    ids: NDArray[Any] | None = None
    sets: tuple[tuple[str, ...], ...] = ((),)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Memory it holds."""
        return int(self.voxels.nbytes) + (0 if self.ids is None else int(self.ids.nbytes))

    def take_labels(self, labels: Labels, grid: Grid) -> None:
        """Keep a case's masks; `grid` is that of the image as stored."""
        self.ids = closest_ras(labels.ids, grid)[0]
        self.sets = labels.sets
        self.problems = labels.problems

    def image_slice(self, plane: str, index: int) -> bytes:
        """Return a slice's values, rows upwards along the row axis, as bytes of `dtype`."""
        cut = _cut(self.voxels, plane, index)
        if self.exact:
            return np.ascontiguousarray(cut, self.dtype).tobytes()
        with np.errstate(invalid="ignore"):
            steps = (cut.astype(np.float64) - self.lowest) / self.step
        return (
            np.nan_to_num(np.rint(steps), nan=0, posinf=65535, neginf=0)
            .clip(0, 65535)
            .astype("<u2")
            .tobytes()
        )

    def label_slice(self, plane: str, index: int) -> bytes:
        """Return a slice's set ids as bytes; `label_bytes` each."""
        if self.ids is None:
            raise QueryError("The masks of this case are not read yet.")
        return np.ascontiguousarray(_cut(self.ids, plane, index)).tobytes()

    @property
    def label_bytes(self) -> int:
        """Bytes of a set id."""
        return 1 if self.ids is None else int(self.ids.dtype.itemsize)

    def voxel_counts(self) -> dict[str, int]:
        """Return the voxels of each structure that has any."""
        if self.ids is None:
            return {}
        counts = np.bincount(self.ids.ravel(order="K"), minlength=len(self.sets))
        found: dict[str, int] = {}
        for members, voxels in zip(self.sets, counts, strict=True):
            for name in members:
                found[name] = found.get(name, 0) + int(voxels)
        return found

    def locate(self, name: str) -> tuple[float, float, float]:
        """Return a point inside a structure, in RAS+ mm: near the middle of its largest axial slice.

        Raises
        ------
        UnknownName
            The case does not show it.
        """
        members = np.array([name in names for names in self.sets])
        if self.ids is None or not members.any():
            raise UnknownName("shown structure", name, {n for names in self.sets for n in names})
        inside = members[self.ids]
        best = int(inside.sum(axis=(0, 1)).argmax())
        columns = np.argwhere(inside[:, :, best])
        nearest = columns[((columns - columns.mean(axis=0)) ** 2).sum(axis=1).argmin()]
        x, y, z = self.grid.to_world((*nearest, best))
        return float(x), float(y), float(z)


def picture(volume: Volume) -> Picture:
    """Make an image ready to be cut."""
    voxels, grid = closest_ras(volume.voxels, volume.grid)
    low, high = percentiles(volume, (1, 99))
    if not np.isfinite(low):
        low, high = 0.0, 1.0
    window = (low, high if high > low else low + 1.0)
    sent = _EXACT.get(volume.voxels.dtype.str[1:])
    if sent is not None:
        return Picture(voxels, grid, sent, volume.slope, volume.inter, window, exact=True)
    finite = volume.voxels[np.isfinite(volume.voxels)]
    lowest, highest = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    step = (highest - lowest) / 65535 or 1.0
    scale, offset = step * volume.slope, lowest * volume.slope + volume.inter
    return Picture(voxels, grid, "u2", scale, offset, window, False, lowest, step)


def axis_letters(grid: Grid) -> list[tuple[str, str]]:
    """Return the letters at the low and high end of each axis; two where it is tilted by over 15 degrees."""
    unit = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    found = []
    for direction in unit.T:
        order = [
            int(axis)
            for axis in np.argsort(-np.abs(direction))
            if abs(direction[axis]) > np.sin(np.radians(15))
        ]
        high = "".join(_LETTERS[axis][int(direction[axis] > 0)] for axis in order[:2])
        low = "".join(_LETTERS[axis][int(direction[axis] < 0)] for axis in order[:2])
        found.append((low, high))
    return found


def check_request(picture: Picture, plane: object, indices: object) -> tuple[str, list[int]]:
    """Return plane and slice numbers of a request from a browser.

    Raises
    ------
    QueryError
        They are not what they should be, or outside the image.
    """
    if not isinstance(plane, str) or plane not in PLANES:
        raise QueryError(f"No plane {plane!r:.100}; there are {', '.join(PLANES)}.")
    if not isinstance(indices, Sequence) or isinstance(indices, str) or not 0 < len(indices) <= MAX_SLICES:
        raise QueryError(f"Ask for 1 to {MAX_SLICES} slices at a time.")
    size = picture.grid.shape[PLANES[plane][2]]
    for index in indices:
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < size:
            raise QueryError(f"No {plane} slice {index!r:.100}: there are {size}, from 0.")
    return plane, list(indices)


class Shelf:
    """Keeps the pictures that were opened last, within a budget of bytes."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._pictures: OrderedDict[tuple[str, str], Picture] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pictures)

    def get(self, key: tuple[str, str]) -> Picture | None:
        """Return a picture and remember that it was wanted."""
        if key in self._pictures:
            self._pictures.move_to_end(key)
        return self._pictures.get(key)

    def put(self, key: tuple[str, str], picture: Picture) -> None:
        """Keep a picture; the oldest go until the budget holds, but never this one."""
        self._pictures[key] = picture
        self._pictures.move_to_end(key)
        while len(self._pictures) > 1 and sum(p.nbytes for p in self._pictures.values()) > self.budget_bytes:
            self._pictures.popitem(last=False)


def structure_rows(names: Sequence[str], measured: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a list of structures shows, as JSON values.

    Parameters
    ----------
    names
        In the order of the list.
    measured
        ``volume_ml`` and ``status`` by structure, as far as known.
    """
    rows = []
    for name in names:
        known = structure(name)
        row = measured.get(name, {})
        volume = row.get("volume_ml")
        rows.append(
            {
                "name": name,
                "label": known.label,
                "side": known.side[:1].upper(),
                "group": known.group,
                "color": known.color,
                "snomed": known.snomed,
                "volume_ml": None if volume is None or volume != volume else round(float(volume), 3),
                "status": str(row.get("status", "")),
            }
        )
    return rows


def _cut(array: NDArray[Any], plane: str, index: int) -> NDArray[Any]:
    column, row, along = PLANES[plane]
    cut: NDArray[Any] = np.take(array, index, axis=along)
    return cut.T if column < row else cut

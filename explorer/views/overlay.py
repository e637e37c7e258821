"""Masks of one mask set over an image, to be cut for a browser while they are still being read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from explorer.case import Case
from explorer.errors import ExplorerError, UnknownName, VolumeError
from explorer.grid import Grid, closest_ras
from explorer.labels import Box, LabelBuilder, Mask
from explorer.volume import MaskReader

_MOST_COMPARED = 16

PLANES: dict[str, tuple[int, int, int]] = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
"""Column, row and slice axis (0 = x, 1 = y, 2 = z) of each plane."""


@dataclass(frozen=True, eq=False)
class Extent:
    """Where a structure lies, in voxels of the image turned to its closest RAS+ axes.

    Attributes
    ----------
    start
        First slice along x, y, z that has it.
    areas
        Its voxels in each slice from there on, along x, y, z.
    """

    start: tuple[int, int, int]
    areas: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]

    @property
    def voxels(self) -> int:
        """How many there are."""
        return int(self.areas[0].sum())

    @property
    def box(self) -> Box:
        """Bounding box."""
        x, y, z = (
            slice(first, first + area.size) for first, area in zip(self.start, self.areas, strict=True)
        )
        return x, y, z

    @property
    def centroid(self) -> NDArray[np.float64]:
        """Its centre of gravity, shape (3,)."""
        means = [float(area @ np.arange(area.size)) / self.voxels for area in self.areas]
        return np.array(self.start) + means

    def best(self, axis: int) -> int:
        """Return the slice with its largest area."""
        return self.start[axis] + int(self.areas[axis].argmax())

    def runs(self, axis: int) -> list[list[int]]:
        """Return runs of slices that have it: first, and one past the last."""
        ends = np.flatnonzero(np.diff(np.concatenate([[0], self.areas[axis] > 0, [0]]).astype(np.int8)))
        return (ends.reshape(-1, 2) + self.start[axis]).tolist()


class Overlay:
    """Masks of one mask set of an open case.

    One thread fills it; the kernel's own may cut and ask at any time.

    Parameters
    ----------
    case
        Whose masks.
    mask_set
        Of which set.
    grid
        Of the image as stored, where the masks must lie.

    Attributes
    ----------
    token
        Of this reading of the files: ids of another one mean other sets.
    revision
        How many masks were read.
    complete
        Whether all were.
    extents
        Of the structures that are not empty, as far as they are read.
    names
        All structures that the set has masks of.
    problems
        Why a mask was left out, by structure.
    note
        Why there is none at all, or nothing.
    """

    def __init__(self, case: Case, mask_set: str, grid: Grid) -> None:
        self.token = token_hex(6)
        self.mask_set = mask_set
        self.grid = closest_ras(np.broadcast_to(np.uint8(0), grid.shape), grid)[1]
        self.revision = 0
        self.complete = False
        self.extents: dict[str, Extent] = {}
        self.problems: dict[str, str] = {}
        self.note = ""
        self._case = case
        self._stored = grid
        self._steps = nib.io_orientation(grid.affine)
        self._builder = LabelBuilder(grid.shape)
        self._places: dict[str, dict[str, Any]] = {}
        self._left: dict[str, int] = {}
        self._stamps: dict[str, str] = {}
        try:
            self._left = case.mask_bytes(mask_set)
            self._stamps = case.mask_stamps(mask_set)
            if not self._left and mask_set != "reference":
                self.note = (
                    f"No masks of {mask_set!r} for {case.id}: looked at {case.masks_folder(mask_set)}."
                )
        except ExplorerError as error:
            self.note = str(error)
        self.names = tuple(self._left)

    @property
    def nbytes(self) -> int:
        """Memory it holds."""
        return int(self._builder.ids.nbytes)

    @property
    def ids(self) -> NDArray[Any]:
        """Set of structures of each voxel, shape (x, y, z); a view that changes while masks are read."""
        turned: NDArray[Any] = nib.apply_orientation(self._builder.ids, self._steps)
        return turned

    @property
    def sets(self) -> tuple[tuple[str, ...], ...]:
        """What is in each set; more are appended while masks are read."""
        return self._builder.sets

    @property
    def bytes_per_id(self) -> int:
        """1, or 2 where there are more than 256 sets."""
        return int(self._builder.ids.dtype.itemsize)

    def fill(
        self, order: Callable[[Sequence[str]], str], cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[str]:
        """Read the masks that are left one by one; yields the name of each after it is in.

        Parameters
        ----------
        order
            Tells of the names that are left which comes next.
        cancelled
            Asked before each mask; what is left then can be read later.
        """
        reader = MaskReader(self._case, self._stored, self.mask_set)
        while self._left and not cancelled():
            name = order(tuple(self._left))
            try:
                self._add(reader.read(name))
            except (ExplorerError, ArithmeticError, ValueError, MemoryError) as error:
                self.problems[name] = str(error) if isinstance(error, VolumeError) else f"{name}: {error}"
            del self._left[name]
            self.revision += 1
            self.complete = not self._left
            yield name
        self.complete = not self._left

    def bytes_of(self, name: str) -> int:
        """Return the bytes on disk of a mask that is not read yet."""
        return self._left.get(name, 0)

    def read_names(self) -> set[str]:
        """Return the structures whose masks are in, empty ones included."""
        return set(self.names) - set(self._left) - set(self.problems)

    def label_slice(
        self, plane: str, index: int, rows: tuple[int, int] | None = None, stride: int = 1
    ) -> tuple[NDArray[Any], int]:
        """Return a slice's ids, shape (rows, columns), and the revision that they are of.

        Parameters
        ----------
        plane, index
            Which slice.
        rows
            A part of it: from one row up to another.
        stride
            One pixel for so many, taken from their middle.
        """
        with self._builder.changing:
            revision = self.revision
            return np.array(thin(cut(self.ids, plane, index), rows, stride), order="C"), revision

    def where(self, name: str) -> dict[str, Any]:
        """Return where a structure lies: its centre, its largest slices, and the slices that have it.

        Returns
        -------
        dict
            ``centre``: voxel x, y, z inside the structure, the nearest to its centroid. ``best``:
            by plane, the slice of the largest area. ``has``: by plane, runs of slices, half open.

        Raises
        ------
        UnknownName
            No mask of that name is in, or it is empty.
        """
        self.box(name)
        if name not in self._places:
            extent = self.extents[name]
            self._places[name] = {
                "centre": list(self._centre(name, extent)),
                "best": {plane: extent.best(axes[2]) for plane, axes in PLANES.items()},
                "has": {plane: extent.runs(axes[2]) for plane, axes in PLANES.items()},
            }
        return self._places[name]

    def inside(self, name: str) -> Iterator[tuple[Box, NDArray[np.bool_]]]:
        """Yield a structure part by part: a box, shape (x, y, z), and which of its voxels are inside."""
        box, axis = self.extents[name].box, self._slowest
        others = int(np.prod([span.stop - span.start for n, span in enumerate(box) if n != axis]))
        step = max(1, 2**20 // max(1, others))
        for start in range(box[axis].start, box[axis].stop, step):
            part = _with(box, axis, slice(start, min(start + step, box[axis].stop)))
            yield part, self._inside(name, part)

    def box(self, name: str) -> Box:
        """Return the bounding box of a structure.

        Raises
        ------
        UnknownName
            No mask of that name is in, or it is empty.
        """
        if name not in self.extents:
            raise UnknownName("shown structure", name, self.extents)
        return self.extents[name].box

    def cropped(
        self, name: str, stride: tuple[int, int, int] = (1, 1, 1)
    ) -> tuple[NDArray[np.bool_], tuple[int, int, int]]:
        """Return a structure within its bounding box, every so many voxels, some of them inside.

        Returns
        -------
        tuple
            Which of the voxels that were looked at are inside, shape (x, y, z); and the first of them.

        Raises
        ------
        UnknownName
            No mask of that name is in, or it is empty.
        """
        box = self.box(name)
        low = [span.start for span in box]
        if stride != (1, 1, 1):  # what is thin may lie between the steps, so they go through its centre
            centre = self.where(name)["centre"]
            low = [first + (at - first) % step for first, at, step in zip(low, centre, stride, strict=True)]
        x, y, z = low
        i, j, k = (slice(first, span.stop, step) for first, span, step in zip(low, box, stride, strict=True))
        return np.ascontiguousarray(self._inside(name, (i, j, k))), (x, y, z)

    def stamp(self, name: str) -> str:
        """Return a text that changes with the file of a mask; it is of when the case was opened."""
        return self._stamps.get(name, "")

    def _add(self, mask: Mask) -> None:
        self._builder.add(mask)
        if mask.box is None:
            return
        counted = mask.areas
        start, areas = [0, 0, 0], [counted[0]] * 3
        for axis, (world, sign) in enumerate(self._steps.astype(int).tolist()):
            span = mask.box[axis]
            start[world] = span.start if sign > 0 else self._stored.shape[axis] - span.stop
            areas[world] = counted[axis] if sign > 0 else counted[axis][::-1]
        self.extents[mask.name] = Extent((start[0], start[1], start[2]), (areas[0], areas[1], areas[2]))

    def _centre(self, name: str, extent: Extent) -> tuple[int, int, int]:
        """Return the voxel inside a structure that is nearest to its centroid, in mm."""
        centroid, axis, box = extent.centroid, self._slowest, extent.box
        to_mm = self.grid.affine[:3, :3]
        # Planes of voxels lie so far apart, so most of them need not be looked at.
        apart_mm = 1 / float(np.linalg.norm(np.linalg.inv(to_mm)[axis]))
        best, least = (box[0].start, box[1].start, box[2].start), np.inf
        planes = np.arange(box[axis].start, box[axis].stop)
        for plane in planes[np.argsort(np.abs(planes - centroid[axis]), kind="stable")].tolist():
            if (apart_mm * abs(plane - centroid[axis])) ** 2 >= least:
                break
            part = _with(box, axis, slice(plane, plane + 1))
            voxels = np.argwhere(self._inside(name, part)) + [span.start for span in part]
            if not voxels.size:
                continue
            squares = np.square((voxels - centroid) @ to_mm.T).sum(axis=1)
            at = int(squares.argmin())
            if squares[at] < least:
                least = float(squares[at])
                x, y, z = (int(n) for n in voxels[at])
                best = x, y, z
        return best

    def _inside(self, name: str, box: Box) -> NDArray[np.bool_]:
        with self._builder.changing:
            ids = np.array(self.ids[box], order="K")
            members = [number for number, names in enumerate(self.sets) if name in names]
        # Most structures are in few sets, and comparing is much faster than looking up.
        if not 0 < len(members) <= _MOST_COMPARED:
            return np.isin(ids, members)
        found: NDArray[np.bool_] = ids == members[0]
        for number in members[1:]:
            found |= ids == number
        return found

    @property
    def _slowest(self) -> int:
        """Axis whose slices lie together in memory."""
        return int(np.argmax(np.abs(self.ids.strides)))


def _with(box: Box, axis: int, span: slice) -> Box:
    x, y, z = (span if n == axis else kept for n, kept in enumerate(box))
    return x, y, z


def cut(voxels: NDArray[Any], plane: str, index: int) -> NDArray[Any]:
    """Return a slice, shape (rows, columns), of an array of shape (x, y, z), without a copy."""
    column, row, along = PLANES[plane]
    found: NDArray[Any] = voxels[tuple(index if axis == along else slice(None) for axis in range(3))]
    return found.T if column < row else found


def thin(pixels: NDArray[Any], rows: tuple[int, int] | None, stride: int) -> NDArray[Any]:
    """Return some rows of a slice, and one pixel for so many, taken from their middle."""
    part = pixels if rows is None else pixels[slice(*rows)]
    if stride == 1:
        return part
    out = np.empty([-(-count // stride) for count in part.shape], part.dtype)
    for to_rows, from_rows in _middles(part.shape[0], stride):
        for to_columns, from_columns in _middles(part.shape[1], stride):
            out[to_rows, to_columns] = part[from_rows, from_columns]
    return out


def _middles(count: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """Yield which pixels come from where; the last may stand for too few to have a middle of its own."""
    whole = len(range(stride // 2, count, stride))
    yield slice(0, whole), slice(stride // 2, count, stride)
    if whole < -(-count // stride):
        yield slice(whole, whole + 1), slice(count - 1, count)

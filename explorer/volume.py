"""Images and masks of a case, on a grid.

Masks of a case may overlap, so they are never packed into one label per voxel. `Labels` gives
each voxel the id of the *set* of structures it belongs to, which is exact and as small.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.dataset import Case
from explorer.errors import UnknownName, VolumeError
from explorer.grid import Grid
from explorer.grid import closest_ras as closest_ras
from explorer.nifti import Nifti, parse

Box = tuple[slice, slice, slice]
"""A bounding box in voxels, half open."""


@dataclass(frozen=True, eq=False)
class Volume:
    """An image.

    Attributes
    ----------
    voxels
        Shape (i, j, k), as stored; read-only.
    grid
        Where they lie.
    slope, inter
        ``value = slope * voxel + inter``.
    """

    voxels: NDArray[Any]
    grid: Grid
    slope: float = 1.0
    inter: float = 0.0

    def values(self, box: Box | None = None) -> NDArray[np.float32]:
        """Return scaled intensities as float32, of the whole volume or of a box."""
        stored = self.voxels if box is None else self.voxels[box]
        if self.slope == 1.0 and self.inter == 0.0:
            return stored.astype(np.float32)
        return (stored.astype(np.float64) * self.slope + self.inter).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Mask:
    """One structure of a case, within its bounding box.

    Attributes
    ----------
    name
        The structure.
    box
        Bounding box in the image's grid, or None when the mask is empty.
    inside
        Boolean, the shape of `box`; shape (0, 0, 0) when the mask is empty.
    odd_values
        Other values than 0 and 1 that were found, at most five, ascending.
    """

    name: str
    box: Box | None
    inside: NDArray[np.bool_]
    odd_values: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Labels:
    """All masks of a case, exact where they overlap.

    Attributes
    ----------
    ids
        Shape (i, j, k), uint8 or uint16: index into `sets`.
    sets
        Distinct sets of structures that share a voxel; ``sets[0]`` is empty.
    names
        Structures that have a readable mask, empty masks included.
    problems
        Why a mask was left out, or what is odd about it, by structure.
    """

    ids: NDArray[np.uint8] | NDArray[np.uint16]
    sets: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    problems: dict[str, str] = field(default_factory=dict)


class LabelBuilder:
    """Collects masks into `Labels` one by one."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._ids: NDArray[Any] = np.zeros(shape, np.uint8, order="F")
        self._sets: list[tuple[str, ...]] = [()]
        self._id_of: dict[tuple[str, ...], int] = {(): 0}
        self._names: list[str] = []

    def add(self, mask: Mask) -> None:
        """Add a mask; raises `VolumeError` when there are more than 65,535 distinct overlaps."""
        self._names.append(mask.name)
        if mask.box is None:
            return
        region = self._ids[mask.box]
        before = region[mask.inside]
        seen = np.flatnonzero(np.bincount(before, minlength=len(self._sets)))
        table = np.zeros(len(self._sets), np.uint16)
        for old in seen:
            table[old] = self._id((*self._sets[old], mask.name))
        if len(self._sets) > 256 and self._ids.dtype == np.uint8:
            self._ids = self._ids.astype(np.uint16, order="F")
            region = self._ids[mask.box]
        region[mask.inside] = table[before]

    def counts(self) -> NDArray[np.int64]:
        """Return the number of voxels of each set."""
        flat = self._ids.reshape(-1, order="F")
        total = np.zeros(len(self._sets), np.int64)
        for start in range(0, flat.size, 2**24):
            total += np.bincount(flat[start : start + 2**24], minlength=len(self._sets))
        return total

    def overlap_voxels(self) -> dict[str, int]:
        """Return, for each structure, how many of its voxels belong to another one too."""
        shared = dict.fromkeys(self._names, 0)
        for members, voxels in zip(self._sets, self.counts(), strict=True):
            if len(members) > 1:
                for name in members:
                    shared[name] += int(voxels)
        return shared

    def labels(self, problems: dict[str, str] | None = None) -> Labels:
        """Return what was collected; the builder must not be used afterwards."""
        return Labels(self._ids, tuple(self._sets), tuple(self._names), problems or {})

    def _id(self, members: tuple[str, ...]) -> int:
        if members not in self._id_of:
            if len(self._sets) > 65_535:
                raise VolumeError("More than 65,535 different overlaps of masks in one case.", "not_measured")
            self._id_of[members] = len(self._sets)
            self._sets.append(members)
        return self._id_of[members]


def read_image(case: Case) -> Volume:
    """Read the image of a case.

    Raises
    ------
    VolumeError
        There is none, or it is not a readable three-dimensional volume.
    """
    if not case.image:
        raise VolumeError(f"{case.id} has no image in {case.folder!r}.", "no_image")
    nifti = parse(case.read(case.image), case.image)
    i, j, k = nifti.voxels.shape
    return Volume(nifti.voxels, Grid((i, j, k), nifti.affine), nifti.slope, nifti.inter)


class MaskReader:
    """Reads masks of one case, decoding each distinct empty file once.

    Two thirds of the masks of the published set are empty and, within a case, mostly the same
    bytes.
    """

    def __init__(self, case: Case, grid: Grid) -> None:
        self._case = case
        self._grid = grid
        self._empty: set[bytes] = set()
        self._paths = case.masks()

    def read(self, name: str) -> Mask:
        """Read one mask.

        Raises
        ------
        UnknownName
            The case has no such mask.
        VolumeError
            It is not readable, or lies on another grid than the image.
        """
        if name not in self._paths:
            raise UnknownName("mask", name, self._paths)
        path = self._paths[name]
        data = self._case.read(path)
        digest = blake2b(data, digest_size=16).digest()
        if digest in self._empty:
            return _empty_mask(name)
        nifti = parse(data, path)
        self._check_grid(nifti, path)
        mask = _mask(name, nifti)
        if mask.box is None and not mask.odd_values:
            self._empty.add(digest)
        return mask

    def _check_grid(self, nifti: Nifti, path: str) -> None:
        i, j, k = nifti.voxels.shape
        grid = Grid((i, j, k), nifti.affine)
        if grid.shape != self._grid.shape:
            raise VolumeError(
                f"{path}: the mask has the shape {grid.shape}, its image {self._grid.shape}.", "other_shape"
            )
        if not grid.matches(self._grid):
            off = grid.displacement_mm(self._grid)
            raise VolumeError(
                f"{path}: the mask lies on another grid than its image, off by up to {off:.3g} mm.",
                "other_grid",
            )


def iter_masks(
    case: Case, grid: Grid | None, names: Iterable[str] | None = None
) -> Iterator[tuple[str, Mask | VolumeError]]:
    """Yield each mask of a case, or why it cannot be used, in the order of `names`.

    Parameters
    ----------
    case
        Whose masks.
    grid
        The image's grid; a mask on another one is an error. Without one no mask can be used.
    names
        Which structures; all by default.
    """
    reader = MaskReader(case, grid) if grid else None
    for name in case.masks() if names is None else names:
        try:
            yield name, reader.read(name) if reader else VolumeError(f"{case.id} {name}: not readable.")
        except VolumeError as error:
            yield name, error


def masks_grid(case: Case) -> Grid | None:
    """Return the grid of the first readable mask of a case, for want of an image."""
    for path in case.masks().values():
        try:
            nifti = parse(case.read(path), path)
        except VolumeError:
            continue
        i, j, k = nifti.voxels.shape
        return Grid((i, j, k), nifti.affine)
    return None


def read_masks(case: Case, grid: Grid, names: Iterable[str] | None = None) -> Labels:
    """Read masks of a case into one volume of label sets.

    Parameters
    ----------
    case
        Whose masks.
    grid
        The image's grid.
    names
        Which structures; all by default.

    Returns
    -------
    Labels
        Shape of the image. A mask that cannot be used is left out and named in ``problems``.
    """
    builder = LabelBuilder(grid.shape)
    problems = {}
    for name, mask in iter_masks(case, grid, names):
        if isinstance(mask, VolumeError):
            problems[name] = str(mask)
        else:
            builder.add(mask)
    return builder.labels(problems)


def percentiles(volume: Volume, which: Sequence[float]) -> tuple[float, ...]:
    """Return percentiles of the finite non-zero values of a volume, as `numpy.percentile` would.

    Integers of up to 16 bits are counted instead of sorted. Where nothing is finite and non-zero,
    all are NaN.

    Parameters
    ----------
    volume
        The image; its scaling is honoured.
    which
        Percentages, 0 to 100.
    """
    stored = volume.voxels
    if stored.dtype.kind in "bui" and stored.dtype.itemsize <= 2:
        levels, counts = _levels(stored)
    else:
        finite = stored[np.isfinite(stored)]
        levels, counts = np.sort(finite, axis=None), np.empty(0, np.int64)
    values = levels.astype(np.float64) * volume.slope + volume.inter
    keep = values != 0
    values = values[keep]
    if not values.size:
        return (float("nan"),) * len(which)
    if not counts.size:
        return tuple(float(v) for v in np.percentile(values, which))
    weights = counts[keep]
    order = np.argsort(values)
    values, ends = values[order], np.cumsum(weights[order])
    position = np.asarray(which, float) / 100 * (ends[-1] - 1)
    low = values[np.searchsorted(ends, np.floor(position), side="right")]
    high = values[np.searchsorted(ends, np.ceil(position), side="right")]
    return tuple(float(v) for v in low + (high - low) * (position - np.floor(position)))


def _levels(stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    lowest = int(stored.min())
    flat = stored.reshape(-1, order="F")
    counts = np.zeros(int(stored.max()) - lowest + 1, np.int64)
    for start in range(0, flat.size, 2**22):
        counts += np.bincount(flat[start : start + 2**22].astype(np.int64) - lowest, minlength=counts.size)
    present = np.flatnonzero(counts)
    return present + lowest, counts[present]


def _mask(name: str, nifti: Nifti) -> Mask:
    stored = nifti.voxels
    if nifti.slope != 1.0 or nifti.inter != 0.0:
        stored = stored * nifti.slope + nifti.inter
    if stored.dtype.kind == "f" or stored.max() > 1 or stored.min() < 0:
        odd_values = tuple(float(v) for v in np.unique(stored[(stored != 0) & (stored != 1)])[:5])
    else:
        odd_values = ()
    box = bounding_box(stored > 0 if odd_values or stored.dtype != np.uint8 else stored)
    if box is None:
        return Mask(name, None, np.zeros((0, 0, 0), bool), odd_values)
    return Mask(name, box, stored[box] > 0, odd_values)


def _empty_mask(name: str) -> Mask:
    return Mask(name, None, np.zeros((0, 0, 0), bool))


def bounding_box(array: NDArray[Any]) -> Box | None:
    """Return the half-open bounding box of the non-zero voxels, or None where there are none."""
    box: list[slice] = []
    part = array
    # From the slowest axis on, so that each further look is at what the last one left.
    for axis in (2, 1, 0):
        others = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(part.any(axis=others))
        if not hit.size:
            return None
        span = slice(int(hit[0]), int(hit[-1]) + 1)
        box.append(span)
        part = part[tuple(span if a == axis else slice(None) for a in range(3))]
    return box[2], box[1], box[0]

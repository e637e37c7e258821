"""Read the image and the masks of a case, on a grid."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from deflate import crc32
from numpy.typing import NDArray

from explorer.case import REFERENCE, Case
from explorer.errors import UnknownName, VolumeError
from explorer.findings import OUTAGES, Finding
from explorer.grid import Grid
from explorer.grid import closest_ras as closest_ras
from explorer.kernel import scan
from explorer.labels import Box, LabelBuilder, Mask, slabs
from explorer.labels import Labels as Labels
from explorer.nifti import Nifti, parse, scan_mask

_VIEW_VOXELS = 2**24
"""A larger mask is left where it was read."""

_RESAMPLE = "Resample it to the image."
_NO_IMAGE = "Which of them is right the image would tell, but it cannot be read."


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
    digest
        Of the file's bytes, in hex; the same for equal files. Empty unless it was asked for.
    findings
        What is odd about the file.
    """

    voxels: NDArray[Any]
    grid: Grid
    slope: float = 1.0
    inter: float = 0.0
    digest: str = ""
    findings: tuple[Finding, ...] = ()

    def values(self, box: Box | None = None) -> NDArray[np.float32]:
        """Return scaled intensities as float32, of the whole volume or of a box."""
        stored = self.voxels if box is None else self.voxels[box]
        if self.slope == 1.0 and self.inter == 0.0:
            return stored.astype(np.float32)
        return (stored.astype(np.float64) * self.slope + self.inter).astype(np.float32)


def read_image(case: Case, *, digest: bool = False) -> Volume:
    """Read the image of a case.

    Parameters
    ----------
    case
        Whose image.
    digest
        Whether to digest the file, too.

    Raises
    ------
    VolumeError
        There is none, or it is not a readable three-dimensional volume.
    """
    if not case.image:
        raise VolumeError(
            f"{case.id} has no image in {case.folder!r}: put it there as mri.nii.gz or ct.nii.gz.", "no_image"
        )
    data = case.read(case.image)
    nifti = parse(data, case.image)
    return Volume(
        nifti.voxels,
        _grid(nifti),
        nifti.slope,
        nifti.inter,
        _digest(data) if digest else "",
        nifti.findings,
    )


class MaskReader:
    """Reads masks of one case, decoding each distinct empty file once.

    Two thirds of the masks of the published set are empty and, within a case, mostly the same
    bytes.
    """

    def __init__(self, case: Case, grid: Grid, mask_set: str = REFERENCE) -> None:
        self._case = case
        self._mask_set = mask_set
        self._grid = grid
        self._empty: dict[tuple[int, bytes], tuple[bytes, Mask]] = {}
        self._matching: set[tuple[tuple[int, int, int], bytes]] = set()
        self._paths = case.masks(mask_set)

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
        data = self._case.read(path, self._mask_set)
        key = len(data), data[-8:]  # of gzip, the sum of what was packed
        known, empty = self._empty.get(key, (b"", None))
        if empty and data == known:
            return replace(empty, name=name)
        scanned = scan_mask(data)
        if scanned:
            self._check_grid(Grid(scanned.scan.runs.shape, scanned.affine), path)
            mask = Mask(name, scanned.scan.box, scanned.scan, (), scanned.dtype, scanned.findings)
        else:
            nifti = parse(data, path)
            self._check_grid(_grid(nifti), path)
            mask = _mask(name, nifti)
        if mask.box is None:
            self._empty[key] = data, mask
        return mask

    def _check_grid(self, grid: Grid, path: str) -> None:
        key = grid.shape, grid.affine.tobytes()
        if key in self._matching:
            return
        first = self._grid.stands_in
        than = first or "its image"
        if grid.shape != self._grid.shape:
            kind = "other_shape"
            what = f"the mask has the shape {grid.shape}, {than} {self._grid.shape}"
        elif not grid.matches(self._grid):
            kind, off = "other_grid", grid.displacement_mm(self._grid)
            what = f"the mask lies on another grid than {than}, by up to {off:.3g} mm"
        else:
            self._matching.add(key)
            return
        if first:
            raise VolumeError(f"{path}: {what}. {_NO_IMAGE}", "masks_unlike")
        raise VolumeError(f"{path}: {what}. {_RESAMPLE}", kind)


def iter_masks(
    case: Case, grid: Grid | None, names: Iterable[str] | None = None, *, mask_set: str = REFERENCE
) -> Iterator[tuple[str, Mask | VolumeError]]:
    """Yield each mask of a case, or why it cannot be used, in the order of `names`.

    Parameters
    ----------
    case
        Whose masks.
    grid
        The image's grid; a mask on another one is an error. None where no file of the case tells it.
    names
        Which structures; all by default.
    mask_set
        Whose masks.
    """
    reader = MaskReader(case, grid, mask_set) if grid else None
    for name in case.masks(mask_set) if names is None else names:
        try:
            yield name, reader.read(name) if reader else _why_unreadable(case, name, mask_set)
        except VolumeError as error:
            yield name, error


def _why_unreadable(case: Case, name: str, mask_set: str) -> VolumeError:
    path = case.masks(mask_set)[name]
    try:
        parse(case.read(path, mask_set), path)
    except VolumeError as error:
        return error
    return VolumeError(f"{path}: it could not be read a moment ago, and now it can.")


def masks_grid(case: Case, mask_set: str = REFERENCE) -> Grid | None:
    """Return the grid of the first readable mask of a case, for want of an image.

    Raises
    ------
    VolumeError
        The place where the masks lie does not answer: each further one would be waited for as long.
    """
    for path in case.masks(mask_set).values():
        try:
            return replace(_grid(parse(case.read(path, mask_set), path)), stands_in=path)
        except VolumeError as error:
            if error.kind in OUTAGES:
                raise
    return None


def read_masks(
    case: Case, grid: Grid, names: Iterable[str] | None = None, *, mask_set: str = REFERENCE
) -> Labels:
    """Read masks of a case into one volume of label sets.

    Parameters
    ----------
    case
        Whose masks.
    grid
        The image's grid.
    names
        Which structures; all by default.
    mask_set
        Whose masks: one of `Dataset.mask_sets`.

    Returns
    -------
    Labels
        Shape of the image. A mask that cannot be used is left out and named in ``problems``.
    """
    builder = LabelBuilder(grid.shape)
    problems = {}
    for name, mask in iter_masks(case, grid, names, mask_set=mask_set):
        try:
            if isinstance(mask, VolumeError):
                raise mask
            builder.add(mask)
        except VolumeError as error:
            problems[name] = str(error)
    return builder.labels(problems)


def _grid(nifti: Nifti) -> Grid:
    i, j, k = nifti.voxels.shape
    return Grid((i, j, k), nifti.affine)


def _digest(data: bytes) -> str:
    """Tell files apart that differ by accident.

    Made of the length, the CRC-32 and the last 8 bytes, which in a gzip file are the CRC-32 and the
    length of what was packed. It costs hardly anything; it does not withstand intent.
    """
    return f"{len(data):012x}{crc32(data):08x}{data[-8:].hex()}"


def _mask(name: str, nifti: Nifti) -> Mask:
    stored = nifti.voxels
    dtype = str(stored.dtype)
    findings = list(nifti.findings)
    scaled = nifti.slope != 1.0 or nifti.inter != 0.0
    if scaled:
        what = f"a mask with a scaling: {nifti.slope:g} x value + {nifti.inter:g}."
        findings.append(Finding("mask_scaled", what))
    if stored.dtype.kind == "f":
        findings.append(Finding("mask_type", f"a mask stored as {dtype}."))
    odd_values: tuple[float, ...] = ()
    if stored.dtype.itemsize == 1 and not scaled:
        i, j, k = stored.shape
        scanned = scan([stored.reshape(-1, order="F").view(np.uint8)], (i, j, k))
        if scanned:
            return Mask(name, scanned.box, scanned, (), dtype, tuple(findings))
    planes = stored.T.view(np.uint8) if stored.dtype.itemsize == 1 else None
    highest = None if planes is None else _highest(planes)
    if planes is None or highest is None or highest.max() > 1 or scaled:
        planes, odd_values = _binary(nifti)
        highest = _highest(planes)
    box = _box(planes, highest)
    if box is None:
        return Mask(name, None, np.zeros((0, 0, 0), bool), odd_values, dtype, tuple(findings))
    inside = planes.view(np.bool_)[box[::-1]]
    if inside.size <= _VIEW_VOXELS:
        inside = np.ascontiguousarray(inside)
    return Mask(name, box, inside.T, odd_values, dtype, tuple(findings))


def _binary(nifti: Nifti) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    """Return which voxels are above 0, axes k, j, i, and the least values that are neither 0 nor 1."""
    stored = nifti.voxels.T
    inside = np.empty(stored.shape, np.bool_)
    odd = np.empty(0)
    scaled = nifti.slope != 1.0 or nifti.inter != 0.0
    for planes in slabs(nifti.voxels.shape):
        values = stored[planes]
        if scaled:
            with np.errstate(over="ignore", invalid="ignore"):
                values = values * nifti.slope + nifti.inter
                values[np.abs(values - 1) < 1e-6] = 1  # a slope of 1/255 is stored in 32 bits
        np.greater(values, 0, out=inside[planes])
        strange = (values != 0) & (values != 1)
        if strange.any():
            odd = np.unique(np.concatenate([odd, values[strange]]))[:5]
    return inside.view(np.uint8), tuple(float(value) for value in odd)


def _highest(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the largest value of each plane."""
    # A maximum of bytes runs at the speed of memory; `any` does not.
    highest: NDArray[np.uint8] = planes.reshape(planes.shape[0], -1).max(axis=1)
    return highest


def _box(planes: NDArray[np.uint8], highest: NDArray[np.uint8]) -> Box | None:
    """Return the bounding box, i, j, k, of planes with axes k, j, i, given the largest value of each."""
    hit = np.flatnonzero(highest)
    if not hit.size:
        return None
    k = slice(int(hit[0]), int(hit[-1]) + 1)
    shadow = planes[k].max(axis=0)
    j, i = (np.flatnonzero(shadow.any(axis=axis)) for axis in (1, 0))
    return slice(int(i[0]), int(i[-1]) + 1), slice(int(j[0]), int(j[-1]) + 1), k

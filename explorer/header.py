"""What a NIfTI header says, with every field checked before it is used; nibabel interprets it."""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from explorer.errors import VolumeError
from explorer.findings import WRITE_AGAIN, Finding

MAX_BYTES = 24 * 2**30
"""A header that asks for more is refused; the largest published scan needs 2.2 GB."""

HEAD_BYTES = 540
"""The longest header there is, that of NIfTI-2."""

_KINDS = "buif"
_FLAT = 1e-3  # of the volume that the axes' lengths would span at right angles: 0.06 degrees apart
_HEADERS = {348: nib.Nifti1Header, HEAD_BYTES: nib.Nifti2Header}


@dataclass(frozen=True)
class Header:
    """What a header says, checked.

    Attributes
    ----------
    shape
        Voxels along i, j, k.
    dtype
        As stored, byte order included.
    start
        Where the voxels begin in the decompressed file.
    affine
        Shape (4, 4), voxel to RAS+ mm; finite and not singular; read-only.
    slope, inter
        ``value = slope * voxel + inter``.
    findings
        What is odd about it.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    start: int
    affine: NDArray[np.float64]
    slope: float
    inter: float
    findings: tuple[Finding, ...]

    @property
    def end(self) -> int:
        """Where the voxels end in the decompressed file."""
        i, j, k = self.shape
        return self.start + i * j * k * self.dtype.itemsize


@lru_cache(maxsize=32)
def read_header(head: bytes) -> Header:
    """Check a header; the masks of a case mostly share theirs, so the last ones are kept.

    Parameters
    ----------
    head
        The first `HEAD_BYTES` of the decompressed file, fewer where it has no more.

    Raises
    ------
    VolumeError
        It is not that of a three-dimensional volume of numbers in one file.
    """
    with np.errstate(all="ignore"):
        header = _header(head)
        shape = _shape(header)
        dtype = header.get_data_dtype()
        if dtype.kind not in _KINDS or dtype.itemsize > 8:
            raise VolumeError(
                f"voxels of type {dtype} are not supported, only real numbers (no RGB, "
                "no complex). Convert the file to one number a voxel: grey values, or the magnitude.",
                "not_numbers",
            )
        offset = float(header["vox_offset"])
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if not (header["sizeof_hdr"] <= offset <= 2**24 and offset.is_integer()) or size > MAX_BYTES:
            raise VolumeError(
                f"the header asks for {size:,} bytes at offset {offset:,.12g}; not plausible. {WRITE_AGAIN}",
                "header",
            )
        affine = _affine(header)
        affine.flags.writeable = False
        try:
            slope, inter = header.get_slope_inter()
        except HeaderDataError as error:
            raise VolumeError(
                f"the scaling in the header is not valid: {error}. {WRITE_AGAIN}", "header"
            ) from error
        return Header(
            shape,
            dtype,
            int(offset),
            affine,
            1.0 if slope is None else float(slope),
            0.0 if inter is None else float(inter),
            tuple(_lies(header, shape, dtype, affine)),
        )


def _lies(
    header: Any,  # noqa: ANN401 - nibabel is untyped
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    affine: NDArray[np.float64],
) -> list[Finding]:
    """Return where fields of a header contradict each other."""
    found = []
    bits = int(header["bitpix"])
    if bits != 8 * dtype.itemsize:
        what = f"the header says {bits} bits a voxel and {dtype}, which has {8 * dtype.itemsize}."
        found.append(Finding("header_lies", what))
    unit = {1: "metres", 3: "micrometres"}.get(int(header["xyzt_units"]) & 7)
    if unit:
        found.append(Finding("not_mm", f"the header gives distances in {unit}; they were taken for mm."))
    if header["sform_code"] <= 0 and header["qform_code"] <= 0:
        what = (
            "neither sform nor qform is set, so the header does not say where the voxels lie; they were "
            "centred and taken for LAS, as nibabel does: left and right are a guess."
        )
        found.append(Finding("no_form", what))
    elif header["sform_code"] > 0 and header["qform_code"] > 0:
        try:
            other = header.get_qform()
        except (HeaderDataError, ValueError, np.linalg.LinAlgError):
            return found
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1)
        apart = (affine - other)[:3, :3] @ corners + (affine - other)[:3, 3:]
        off = float(np.linalg.norm(apart, axis=0).max())
        if not off <= 0.1 * float(np.linalg.norm(affine[:3, :3], axis=0).min()):
            what = f"sform and qform differ by up to {off:.3g} mm; the sform was used, as nibabel does."
            found.append(Finding("two_forms", what))
    return found


def _header(head: bytes) -> Any:  # noqa: ANN401 - nibabel is untyped
    if len(head) < 348:
        raise VolumeError(
            f"{len(head)} bytes are no NIfTI file, whose header has 348. Fetch the file again.", "not_nifti"
        )
    size = next((s for order in "<>" if (s := struct.unpack(f"{order}i", head[:4])[0]) in _HEADERS), 0)
    if not size:
        raise VolumeError(f"not a NIfTI file (it starts with {head[:4]!r}). {WRITE_AGAIN}", "not_nifti")
    try:
        header = _HEADERS[size](head[:size], check=False)
        header.get_data_dtype()
    except (HeaderDataError, KeyError, ValueError) as error:
        raise VolumeError(f"the NIfTI header is not valid: {error}. {WRITE_AGAIN}", "header") from error
    if bytes(header["magic"].item())[:3] not in (b"n+1", b"n+2"):
        raise VolumeError(
            f"not a single-file NIfTI (magic {header['magic'].item()!r}). {WRITE_AGAIN}", "not_nifti"
        )
    return header


def _shape(header: Any) -> tuple[int, int, int]:  # noqa: ANN401
    count = int(header["dim"][0])
    if not 1 <= count <= 7:
        raise VolumeError(f"the header declares {count} dimensions. {WRITE_AGAIN}", "header")
    dims = [int(n) for n in header["dim"][1 : count + 1]]
    if min(dims) < 1:
        raise VolumeError(f"the header declares the shape {tuple(dims)}. {WRITE_AGAIN}", "header")
    if any(n != 1 for n in dims[3:]):
        raise VolumeError(
            f"has {len(dims)} dimensions {tuple(dims)}; only three-dimensional volumes "
            "are shown. Split the file into one volume per case.",
            "not_3d",
        )
    i, j, k = (*dims, 1, 1)[:3]
    return i, j, k


def _affine(header: Any) -> NDArray[np.float64]:  # noqa: ANN401
    try:
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    except (HeaderDataError, ValueError, np.linalg.LinAlgError) as error:
        raise VolumeError(
            f"the orientation in the header is not valid: {error}. {WRITE_AGAIN}", "affine"
        ) from error
    if not np.isfinite(affine).all():
        raise VolumeError(
            f"the affine holds values that are not finite: {affine[:3].round(3).tolist()}. {WRITE_AGAIN}",
            "affine",
        )
    # Relative, since spacings may be in another unit; not `<`, since the numbers may overflow.
    if not abs(np.linalg.det(affine[:3, :3])) > _FLAT * np.linalg.norm(affine[:3, :3], axis=0).prod():
        rows = [[float(f"{value:.4g}") for value in row] for row in affine[:3]]
        raise VolumeError(
            f"the affine is singular, or its axes lie nearly in one plane: {rows}. {WRITE_AGAIN}", "affine"
        )
    return affine

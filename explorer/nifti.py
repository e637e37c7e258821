"""NIfTI bytes to an array and an affine, with every header field checked before it is used.

nibabel interprets the header; the voxels are read straight from the decompressed bytes, which
are decompressed once, never further than the header says they go, with the gzip CRC checked.
libdeflate does it in a third of the time of ISA-L, but only for whole members of known size; ISA-L
reads the header and all that is out of the ordinary.
"""

import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from deflate import DeflateError, gzip_decompress
from isal import igzip_lib, isal_zlib
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from explorer.errors import VolumeError

MAX_BYTES = 24 * 2**30
"""A header that asks for more is refused; the largest published scan needs 2.2 GB."""

_GZIP = b"\x1f\x8b"
_MAX_RATIO = 1_040  # of deflate, rounded up
_KINDS = "buif"
_HEADERS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}


@dataclass(frozen=True)
class Nifti:
    """A three-dimensional NIfTI file.

    Attributes
    ----------
    voxels
        Shape (i, j, k), as stored, not scaled; read-only.
    affine
        Shape (4, 4), voxel to RAS+ mm.
    slope, inter
        ``value = slope * voxel + inter``.
    """

    voxels: NDArray[Any]
    affine: NDArray[np.float64]
    slope: float
    inter: float


def parse(data: bytes, where: str) -> Nifti:
    """Read a ``.nii`` or ``.nii.gz`` file from its bytes.

    Parameters
    ----------
    data
        The file.
    where
        What to call it in messages.

    Raises
    ------
    VolumeError
        The bytes are cut short or damaged, or the header lies or is of a kind that is not a
        three-dimensional volume of numbers.
    """
    zipped = data[:2] == _GZIP
    head = _gunzip(data, 544, where, whole=False) if zipped else data[:544]
    header = _header(head, where)
    shape = _shape(header, where)
    dtype = header.get_data_dtype()
    if dtype.kind not in _KINDS or dtype.itemsize > 8:
        raise VolumeError(
            f"{where}: voxels of type {dtype} are not supported, only real numbers (no RGB, no complex).",
            "not_3d",
        )
    start = int(header["vox_offset"])
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if not 0 <= start <= 2**24 or size > MAX_BYTES:
        raise VolumeError(
            f"{where}: the header asks for {size:,} bytes at offset {start:,}; that is not plausible.",
            "header",
        )
    body = _inflate(data, start + size, where) if zipped else data
    if len(body) < start + size:
        raise VolumeError(
            f"{where}: holds {len(body):,} bytes where its header needs {start + size:,} "
            f"(shape {shape}, {dtype}): the file is cut short. Fetch it again.",
            "truncated",
        )
    voxels = np.ndarray(shape, dtype, buffer=body, offset=start, order="F")
    if not dtype.isnative:
        voxels = voxels.astype(dtype.newbyteorder("="))
    voxels.flags.writeable = False
    slope, inter = header.get_slope_inter()
    return Nifti(
        voxels,
        _affine(header, where),
        1.0 if slope is None else float(slope),
        0.0 if inter is None else float(inter),
    )


def _inflate(data: bytes, size: int, where: str) -> bytes | bytearray:
    """Decompress a gzip file that is to hold `size` bytes."""
    if size > len(data) * _MAX_RATIO:
        raise VolumeError(
            f"{where}: {len(data):,} bytes of gzip data cannot hold the {size:,} that the header declares: "
            "the file is cut short. Fetch it again.",
            "truncated",
        )
    with suppress(DeflateError):
        body: bytearray = gzip_decompress(data, size)
        if len(body) == size:
            return body
    # Several members, or a damaged file: slower, but it tells which.
    return _gunzip(data, size, where)


def _gunzip(data: bytes, limit: int, where: str, *, whole: bool = True) -> bytes:
    """Decompress gzip members up to `limit` bytes; with `whole`, read to the end and check the CRC."""
    parts: list[bytes] = []
    room = limit
    rest: bytes = data
    try:
        while rest[:2] == _GZIP:
            member = isal_zlib.decompressobj(wbits=31)
            part = member.decompress(rest, room) if room else b""
            parts.append(part)
            room -= len(part)
            if not whole and not room:
                break
            # The trailer is only read, and the CRC checked, once the member has been asked for more.
            if not member.eof and member.decompress(member.unconsumed_tail, 1) and whole:
                raise VolumeError(
                    f"{where}: holds more than the {limit:,} bytes that its header declares.", "too_long"
                )
            if not member.eof:
                if not whole:
                    break
                raise VolumeError(
                    f"{where}: the gzip data end too early: the file is cut short. Fetch it again.",
                    "truncated",
                )
            rest = member.unused_data
    except igzip_lib.IsalError as error:  # type: ignore[misc] # its stub says it is a variable
        raise VolumeError(
            f"{where}: damaged gzip data ({error}). Fetch the file again.", "gzip_damaged"
        ) from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _header(head: bytes, where: str) -> Any:  # noqa: ANN401 - nibabel is untyped
    if len(head) < 348:
        raise VolumeError(
            f"{where}: {len(head)} bytes are no NIfTI file, whose header alone has 348; it may be cut short.",
            "not_nifti",
        )
    size = next((s for order in "<>" if (s := struct.unpack(f"{order}i", head[:4])[0]) in _HEADERS), 0)
    if not size:
        raise VolumeError(
            f"{where}: not a NIfTI file (it starts with {head[:4]!r}).",
            "not_nifti",
        )
    try:
        header = _HEADERS[size](head[:size], check=False)
        header.get_data_dtype()
    except (HeaderDataError, KeyError, ValueError) as error:
        raise VolumeError(
            f"{where}: the NIfTI header is not valid: {error}.",
            "header",
        ) from error
    if bytes(header["magic"].item())[:3] not in (b"n+1", b"n+2"):
        raise VolumeError(
            f"{where}: not a single-file NIfTI (magic {header['magic'].item()!r}).",
            "not_nifti",
        )
    return header


def _shape(header: Any, where: str) -> tuple[int, int, int]:  # noqa: ANN401
    count = int(header["dim"][0])
    if not 1 <= count <= 7:
        raise VolumeError(f"{where}: the header declares {count} dimensions.", "header")
    dims = [int(n) for n in header["dim"][1 : count + 1]]
    if min(dims) < 1:
        raise VolumeError(f"{where}: the header declares the shape {tuple(dims)}.", "header")
    if any(n != 1 for n in dims[3:]):
        raise VolumeError(
            f"{where}: has {len(dims)} dimensions {tuple(dims)}; only three-dimensional volumes are shown.",
            "not_3d",
        )
    i, j, k = (*dims, 1, 1)[:3]
    return i, j, k


def _affine(header: Any, where: str) -> NDArray[np.float64]:  # noqa: ANN401
    try:
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    except (HeaderDataError, ValueError, np.linalg.LinAlgError) as error:
        raise VolumeError(
            f"{where}: the orientation in the header is not valid: {error}.",
            "affine",
        ) from error
    if not np.isfinite(affine).all():
        raise VolumeError(
            f"{where}: the affine holds values that are not finite: {affine[:3].round(3).tolist()}.",
            "affine",
        )
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise VolumeError(
            f"{where}: the affine is singular: {affine[:3].round(3).tolist()}.",
            "affine",
        )
    return affine

"""NIfTI bytes to an array and an affine, with every header field checked before it is used.

nibabel interprets the header; the voxels are read straight from the decompressed bytes. These are
decompressed once, never further than the header says they go, and always to the trailer with its
CRC and length. libdeflate does it for whole members of known size; ISA-L, which streams, reads the
header and all that is out of the ordinary.

What follows the gzip data: zeros are padding, which gzip itself ignores; another member continues
the file (RFC 1952); anything else is reported and left unread. More voxel bytes than the header
declares are refused like too few, since either the header or the file is wrong.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from typing import Any

import nibabel as nib
import numpy as np
from deflate import DeflateError, gzip_decompress
from isal import igzip_lib, isal_zlib
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from explorer.errors import VolumeError
from explorer.findings import Finding
from explorer.kernel import Scan, begins_anew, is_compiled, scan

MAX_BYTES = 24 * 2**30
"""A header that asks for more is refused; the largest published scan needs 2.2 GB."""

SCANNED_BYTES = 2**19
"""Of a mask that are decompressed before they are scanned, while they still lie in the cache."""

_GZIP = b"\x1f\x8b"
_DEFLATED, _NAMED = 8, 8  # the method of gzip, and the flag that a name follows
_MAX_RATIO = 1_040  # of deflate, rounded up
_HEAD_BYTES = 540
_HEAD_PIECES = 100
_PIECE = 2**16
_AGAIN = "Write the file again with the tool that made it."
_SMALL_MEMBERS = 1_000  # each takes as long as some kilobytes do
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
    findings
        What is odd about the file; they do not say which file it is.
    """

    voxels: NDArray[Any]
    affine: NDArray[np.float64]
    slope: float
    inter: float
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class ScannedMask:
    """A mask of zeros and ones, of which the voxels were never held.

    Attributes
    ----------
    scan
        Its runs, and the areas of its slices.
    affine
        Shape (4, 4), voxel to RAS+ mm.
    dtype
        As stored, such as ``"uint8"``.
    findings
        What is odd about the file.
    """

    scan: Scan
    affine: NDArray[np.float64]
    dtype: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Header:
    """What a header says, checked."""

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
        The bytes are cut short, damaged or too many, or the header lies or is of a kind that is
        not a three-dimensional volume of numbers. Nothing else is raised, whatever the bytes.
    """
    try:
        return _parse(data)
    except VolumeError as error:
        raise VolumeError(f"{where}: {error}", error.kind) from error.__cause__
    except MemoryError as error:
        raise VolumeError(
            f"{where}: does not fit into the memory of this machine.", "not_measured"
        ) from error


def scan_mask(data: bytes) -> ScannedMask | None:
    """Read a mask from the bytes of a ``.nii.gz`` file, by scanning them as they are decompressed.

    Returns
    -------
    ScannedMask or None
        None where anything is out of the ordinary, the CRC included, or where there is no kernel:
        `parse` reads all files, and tells what is wrong.
    """
    named = data[3:4] == bytes([_NAMED])
    start = data.find(0, 10, _PIECE) + 1 if named else 10
    if data[:3] != _GZIP + bytes([_DEFLATED]) or not (named or data[3:4] == b"\0") or not is_compiled():
        return None
    member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
    try:
        first = member.decompress(data[start:], SCANNED_BYTES)
        header = _read_header(first[:_HEAD_BYTES])
        if (
            header.dtype.itemsize != 1
            or (header.slope, header.inter) != (1.0, 0.0)
            or header.start > len(first)
            or header.end > len(data) * _MAX_RATIO
        ):
            return None
        found = scan(_pieces(first, member), header.shape, skipped=header.start)
    except (VolumeError, MemoryError, igzip_lib.IsalError):  # type: ignore[misc] # its stub says it is a variable
        return None
    if not found or member.unused_data != struct.pack("<II", found.crc, header.end % 2**32):
        return None
    return ScannedMask(found, header.affine, str(header.dtype), header.findings)


def _pieces(first: bytes, member: igzip_lib.IgzipDecompressor) -> Iterator[bytes]:
    yield first
    while not member.eof and (piece := member.decompress(b"", SCANNED_BYTES)):
        yield piece


def _parse(data: bytes) -> Nifti:
    zipped = data[:2] == _GZIP
    header = _read_header(_head(data) if zipped else data[:_HEAD_BYTES])
    findings = header.findings
    body: bytes | NDArray[np.uint8] | bytearray = data
    if zipped:
        body, rest = _inflate(data, header.end)
        if rest:
            what = f"{rest:,} bytes follow the gzip data and were not read."
            findings = (*findings, Finding("trailing_bytes", what))
    if len(body) < header.end:
        raise VolumeError(
            f"holds {len(body):,} bytes where its header needs {header.end:,} "
            f"(shape {header.shape}, {header.dtype}): the file is cut short. Fetch it again.",
            "truncated",
        )
    if len(body) > header.end:
        raise _too_long(header.end)
    voxels = np.ndarray(header.shape, header.dtype, buffer=body, offset=header.start, order="F")
    if not header.dtype.isnative:
        if voxels.flags.writeable:
            voxels = voxels.byteswap(inplace=True).view(header.dtype.newbyteorder("="))
        else:
            voxels = voxels.astype(header.dtype.newbyteorder("="))
    voxels.flags.writeable = False
    return Nifti(voxels, header.affine, header.slope, header.inter, findings)


def _inflate(data: bytes, size: int) -> tuple[bytearray | NDArray[np.uint8], int]:
    """Decompress a gzip file that is to hold `size` bytes; also returns how many follow it."""
    if size > len(data) * _MAX_RATIO:
        raise VolumeError(
            f"{len(data):,} bytes of gzip data cannot hold the {size:,} that the header declares: "
            "the file is cut short. Fetch it again.",
            "truncated",
        )
    # libdeflate does not tell where a member ends. It ends with the file when the file ends with
    # the member's length, and no second one, perhaps of the same length, begins.
    ends = int.from_bytes(data[-4:], "little") == size % 2**32
    if ends and not begins_anew(data):
        with suppress(DeflateError):
            body: bytearray = gzip_decompress(data, size)
            if len(body) == size:
                return body, 0
    return _gunzip(data, size)


def _gunzip(data: bytes, size: int) -> tuple[NDArray[np.uint8], int]:
    """Decompress piece by piece, member by member: slower, but it tells what is wrong."""
    body = np.empty(size, np.uint8)
    filled = at = 0
    for part, at in _members(data, 2**22):  # noqa: B007 - where the last one ends
        if filled + len(part) > size:
            raise _too_long(size)
        body[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
        filled += len(part)
    return body[:filled], len(data[at:].lstrip(b"\0"))


def _head(data: bytes) -> bytes:
    """Decompress what a header needs, which lies in the first pieces unless the file was made to be odd."""
    head = b""
    for part, _ in islice(_members(data, _HEAD_BYTES), _HEAD_PIECES):
        head += part
        if len(head) >= _HEAD_BYTES:
            break
    return head[:_HEAD_BYTES]


def _members(data: bytes, most: int) -> Iterator[tuple[bytes, int]]:
    """Yield what members hold, in parts of at most so many bytes, and where the data go on after each."""
    at = done = 0
    for number in count():
        if data[at : at + 2] != _GZIP:
            return
        if number > _SMALL_MEMBERS + done // 2**10:
            raise VolumeError(
                f"more than {_SMALL_MEMBERS:,} gzip members that hold hardly anything. Fetch the file again.",
                "gzip_damaged",
            )
        member = isal_zlib.decompressobj(wbits=31)
        while not member.eof:
            piece = data[at : at + _PIECE]
            try:
                part = member.decompress(piece, most)
            except igzip_lib.IsalError as error:  # type: ignore[misc] # its stub says it is a variable
                raise VolumeError(
                    f"damaged gzip data ({error}). Fetch the file again.", "gzip_damaged"
                ) from error
            if not piece and not part and not member.eof:
                raise VolumeError(
                    "the gzip data end too early: the file is cut short. Fetch it again.", "truncated"
                )
            done += len(part)
            at += len(piece) - len(member.unconsumed_tail) - len(member.unused_data)
            yield part, at


def _too_long(size: int) -> VolumeError:
    return VolumeError(f"holds more than the {size:,} bytes that its header declares. {_AGAIN}", "too_long")


@lru_cache(maxsize=32)
def _read_header(head: bytes) -> _Header:
    """Check a header; the masks of a case mostly share theirs, so the last ones are kept."""
    with np.errstate(all="ignore"):
        header = _header(head)
        shape = _shape(header)
        dtype = header.get_data_dtype()
        if dtype.kind not in _KINDS or dtype.itemsize > 8:
            raise VolumeError(
                f"voxels of type {dtype} are not supported, only real numbers (no RGB, "
                "no complex). Convert the file to one number a voxel: grey values, or the magnitude.",
                "not_3d",
            )
        offset = float(header["vox_offset"])
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if not (header["sizeof_hdr"] <= offset <= 2**24 and offset.is_integer()) or size > MAX_BYTES:
            raise VolumeError(
                f"the header asks for {size:,} bytes at offset {offset:,.12g}; not plausible. {_AGAIN}",
                "header",
            )
        affine = _affine(header)
        affine.flags.writeable = False
        try:
            slope, inter = header.get_slope_inter()
        except HeaderDataError as error:
            raise VolumeError(
                f"the scaling in the header is not valid: {error}. {_AGAIN}", "header"
            ) from error
        return _Header(
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
    if header["sform_code"] > 0 and header["qform_code"] > 0:
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
        raise VolumeError(f"not a NIfTI file (it starts with {head[:4]!r}). {_AGAIN}", "not_nifti")
    try:
        header = _HEADERS[size](head[:size], check=False)
        header.get_data_dtype()
    except (HeaderDataError, KeyError, ValueError) as error:
        raise VolumeError(f"the NIfTI header is not valid: {error}. {_AGAIN}", "header") from error
    if bytes(header["magic"].item())[:3] not in (b"n+1", b"n+2"):
        raise VolumeError(
            f"not a single-file NIfTI (magic {header['magic'].item()!r}). {_AGAIN}", "not_nifti"
        )
    return header


def _shape(header: Any) -> tuple[int, int, int]:  # noqa: ANN401
    count = int(header["dim"][0])
    if not 1 <= count <= 7:
        raise VolumeError(f"the header declares {count} dimensions. {_AGAIN}", "header")
    dims = [int(n) for n in header["dim"][1 : count + 1]]
    if min(dims) < 1:
        raise VolumeError(f"the header declares the shape {tuple(dims)}. {_AGAIN}", "header")
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
            f"the orientation in the header is not valid: {error}. {_AGAIN}", "affine"
        ) from error
    if not np.isfinite(affine).all():
        raise VolumeError(
            f"the affine holds values that are not finite: {affine[:3].round(3).tolist()}. {_AGAIN}", "affine"
        )
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise VolumeError(f"the affine is singular: {affine[:3].round(3).tolist()}. {_AGAIN}", "affine")
    return affine

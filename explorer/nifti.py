"""NIfTI bytes to an array and an affine.

The voxels are read straight from the decompressed bytes. These are decompressed once, never further
than the header says they go, and always to the trailer with its CRC and length. ISA-L, which streams,
gives a usual mask piece by piece to the scan, and reads headers and all that is out of the ordinary;
libdeflate does other whole members of known size, such as images.

What follows the gzip data: zeros are padding, which gzip itself ignores; another member continues
the file (RFC 1952); anything else is reported and left unread. More voxel bytes than the header
declares are refused like too few, since either the header or the file is wrong.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import numpy as np
from deflate import DeflateError, gzip_decompress
from isal import igzip_lib, isal_zlib
from numpy.typing import NDArray

from explorer.errors import VolumeError
from explorer.findings import WRITE_AGAIN, Finding
from explorer.header import HEAD_BYTES, read_header
from explorer.kernel import Scan, begins_anew, is_compiled, scan

SCANNED_BYTES = 2**19
"""Of a mask that are decompressed before they are scanned, while they still lie in the cache."""

_GZIP = b"\x1f\x8b"
_DEFLATED, _NAMED = 8, 8  # the method of gzip, and the flag that a name follows
_MAX_RATIO = 1_040  # of deflate, rounded up
_HEAD_PIECES = 100
_PIECE = 2**16
_SMALL_MEMBERS = 1_000  # each takes as long as some kilobytes do


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
        header = read_header(first[:HEAD_BYTES])
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
    header = read_header(_head(data) if zipped else data[:HEAD_BYTES])
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
    for part, _ in islice(_members(data, HEAD_BYTES), _HEAD_PIECES):
        head += part
        if len(head) >= HEAD_BYTES:
            break
    return head[:HEAD_BYTES]


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
    return VolumeError(
        f"holds more than the {size:,} bytes that its header declares. {WRITE_AGAIN}", "too_long"
    )

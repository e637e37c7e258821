"""Compiled passes over masks, where there is a compiler; without them numpy does all, with equal results.

`kernel.c` is compiled beside this file when the package is built or installed (scripts/bundle.py) and
loaded by ctypes. Set ``EXPLORER_NO_KERNEL=1`` before the first file is read to do without it.
"""

import ctypes
import os
import re
import threading
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from logging import getLogger
from operator import itemgetter
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
BINARY = "kernel.so"  # on every system: what is loaded by its path may be called anything

MOST_RUNS = 2**21
"""Masks with more are left to numpy. A run takes 36 bytes at most while it is worked on, 75 MB for all,
of the 200 MB that a worker may take besides its voxels. A smooth mask has one or two runs in each row
that it meets; the largest published scan has a million rows."""

_LEVELS = 2**16
_LONGEST_AXIS = 2**20  # along it, a voxel takes up to 13 bytes while a mask is scanned
_MOST_VOXELS = 2**32 - 1  # which are counted in 32 bits
_WHOLE = 2**30
# Magic bytes, method, no flag that there is not, time, and what RFC 1952 and zlib know of compression.
_MEMBER = re.compile(rb"\x1f\x8b\x08[\x00-\x1f].{4}[\x00\x02\x04]", re.DOTALL)
_FUNCTIONS: dict[str, tuple[Any, str]] = {
    # What it returns, and its arguments: p for a pointer, n for a number.
    "kernel_source": (ctypes.c_uint32, ""),
    "kernel_scan_bytes": (ctypes.c_int64, ""),
    "kernel_scan_begin": (None, "pnnnpnpppppn"),
    "kernel_scan": (ctypes.c_int64, "ppnn"),
    "kernel_scan_end": (ctypes.c_int64, "pp"),
    "kernel_components": (ctypes.c_int64, "pnnppp"),
    "kernel_count": (ctypes.c_int64, "pnnpnppp"),
    "kernel_renumber": (None, "pnnpnp"),
    "kernel_begins_anew": (ctypes.c_int64, "pn"),
    "kernel_paint": (None, "pnnnnnnpn"),
}


@dataclass(frozen=True, eq=False)
class Runs:
    """Voxels of a volume as stretches along its first axis.

    Attributes
    ----------
    shape
        Of the volume, i, j, k.
    rows
        Shape (n, 3), int32, in the order of memory: ``j + nj * k``, and first and last voxel along i,
        half open.
    """

    shape: tuple[int, int, int]
    rows: NDArray[np.int32]

    def of_planes(self, start: int, stop: int) -> "Runs":
        """Return those that lie in planes across k, half open."""
        # numpy's search would copy a column of all rows first.
        first, end = (bisect_left(self.rows, k * self.shape[1], key=itemgetter(0)) for k in (start, stop))
        return Runs(self.shape, self.rows[first:end])


@dataclass(frozen=True, eq=False)
class Scan:
    """What one pass over a mask tells.

    Attributes
    ----------
    runs
        What is inside.
    areas
        Voxels of each slice across i, j and k.
    crc
        CRC-32 of all bytes up to the end of the voxels.
    """

    runs: Runs
    areas: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
    crc: int

    @cached_property
    def box(self) -> tuple[slice, slice, slice] | None:
        """Bounding box, half open; None when nothing is inside."""
        if not len(self.runs.rows):
            return None
        hits = [np.flatnonzero(area) for area in self.areas]
        i, j, k = (slice(int(hit[0]), int(hit[-1]) + 1) for hit in hits)
        return i, j, k


class _Scratch(threading.local):
    """Memory that each thread uses again, since new pages cost more than what is done with them."""

    def __init__(self) -> None:
        self.rows = np.empty((MOST_RUNS, 3), np.int32)
        self.counts = np.zeros(4 * _LEVELS, np.uint32)
        self.levels = np.empty(_LEVELS, np.int64)
        self.found = np.empty(_LEVELS, np.int64)
        self.at_rows = _at(self.rows)
        self.at_counted = _at(self.counts), _at(self.levels), _at(self.found)


def is_compiled() -> bool:
    """Return whether the compiled passes are used."""
    return _library() is not None


def scan(
    pieces: Iterable[bytes | NDArray[np.uint8]], shape: tuple[int, int, int], *, skipped: int = 0
) -> Scan | None:
    """Find the runs of a mask that holds nothing but 0 and 1.

    Parameters
    ----------
    pieces
        The mask's file, one byte a voxel in Fortran order, in pieces of any length. They are looked at
        one after the other, and none after one that is odd.
    shape
        Voxels along i, j and k.
    skipped
        Bytes at the start of the first piece that are not voxels.

    Returns
    -------
    Scan or None
        None when the mask holds other values, has more than `MOST_RUNS` runs, is shorter or longer
        than its shape says, or of a shape that no scanner makes; and when nothing is compiled.
    """
    library = _library()
    i, j, k = shape
    odd = min(shape) < 1 or max(shape) > _LONGEST_AXIS or j * k >= 2**31 or i * j * k > _MOST_VOXELS
    if library is None or odd:
        return None
    pieces = iter(pieces)
    first = next(pieces, b"")
    room = (library.kernel_scan_bytes() // 8 + 1, i + 1, j, k, i // 2 + 1, i // 8 + 1)
    ends = np.cumsum(room).tolist()
    work = np.zeros(ends[-1], np.int64)
    state = _at(work)
    areas_i, areas_j, areas_k, ones, row = (state + 8 * end for end in ends[:-1])
    crc = crc32(bytes(first[:skipped]))
    library.kernel_scan_begin(
        state, i, j, k, _scratch.at_rows, MOST_RUNS, ones, row, areas_i, areas_j, areas_k, crc
    )
    for piece in chain([first], pieces):
        at = piece if isinstance(piece, bytes) else _at(piece)
        if library.kernel_scan(state, at, skipped, len(piece)) < 0:
            return None
        skipped = 0
    total = ctypes.c_uint32()
    count = library.kernel_scan_end(state, ctypes.addressof(total))
    if count < 0:
        return None
    areas = work[ends[0] : ends[1] - 1], work[ends[1] : ends[2]], work[ends[2] : ends[3]]
    return Scan(Runs(shape, _scratch.rows[:count].copy()), areas, total.value)


def count_components(runs: Runs) -> tuple[int, int]:
    """Return the number of 26-connected components and the voxels of the largest one."""
    count = len(runs.rows)
    parents, sizes, largest = np.empty(count, np.int32), np.empty(count, np.int64), ctypes.c_int64()
    found = _loaded().kernel_components(
        _at(runs.rows), count, runs.shape[1], _at(parents), _at(sizes), ctypes.addressof(largest)
    )
    return int(found), largest.value


def levels(
    values: NDArray[Any], inside: Runs | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Count the values of a volume, their bits read as unsigned numbers.

    Parameters
    ----------
    values
        Shape (i, j, k).
    inside
        Which of them; all by default.

    Returns
    -------
    tuple or None
        The distinct values, ascending, and how often each occurs; None when these are not integers
        of one or two bytes in Fortran order, or nothing is compiled.
    """
    library = _library()
    if library is None or not _counts(values, 2) or values.size > _MOST_VOXELS:
        return None
    if inside is None:
        width, parts = _WHOLE, range(-(-values.size // _WHOLE))
        rows = np.array([(n, 0, min(_WHOLE, values.size - n * _WHOLE)) for n in parts], np.int32)
    else:
        width, rows = _same_shape(values, inside), inside.rows
    out = _scratch
    count = library.kernel_count(_at(values), values.itemsize, width, _at(rows), len(rows), *out.at_counted)
    return out.levels[:count].copy(), out.found[:count].copy()


def renumber(ids: NDArray[Any], inside: Runs, table: NDArray[np.uint16]) -> None:
    """Replace ids by others.

    Parameters
    ----------
    ids
        Shape (i, j, k), uint8 or uint16, in Fortran order; changed in place.
    inside
        Where.
    table
        Shape (256,) or (65536,), as many as there may be ids: the new ones by the old ones.
    """
    fits = table.shape == (256**ids.itemsize,) and table.dtype == np.uint16 and table.flags.c_contiguous
    if not (fits and _counts(ids, 2) and ids.flags.writeable):
        raise ValueError("Not ids of one or two bytes in Fortran order, or not a table of all of them.")
    rows, width = inside.rows, _same_shape(ids, inside)
    _loaded().kernel_renumber(_at(ids), ids.itemsize, width, _at(rows), len(rows), _at(table))


def begins_anew(data: bytes) -> bool:
    """Return whether what may be the head of a gzip member occurs in data after their first byte."""
    library = _library()
    if library is None:
        return _MEMBER.search(data, 1) is not None
    return bool(library.kernel_begins_anew(data, len(data)))


def paint(found: Scan) -> NDArray[np.bool_]:
    """Return which voxels of the bounding box of a mask are inside, in Fortran order."""
    if found.box is None:
        return np.zeros((0, 0, 0), np.bool_, order="F")
    i, j, k = found.box
    painted = np.zeros([span.stop - span.start for span in found.box], np.bool_, order="F")
    _loaded().kernel_paint(
        _at(painted),
        *(i.start, j.start, k.start),
        *painted.shape[:2],
        found.runs.shape[1],
        _at(found.runs.rows),
        len(found.runs.rows),
    )
    return painted


def _counts(values: NDArray[Any], most_bytes: int) -> bool:
    """Return whether the compiled passes can read an array."""
    dtype = values.dtype
    return (
        dtype.kind in "bui" and dtype.itemsize <= most_bytes and dtype.isnative and values.flags.f_contiguous
    )


def _same_shape(values: NDArray[Any], inside: Runs) -> int:
    if values.shape != inside.shape:
        raise ValueError(f"Runs of a volume of {inside.shape} in one of {values.shape}.")
    return inside.shape[0]


def _loaded() -> ctypes.CDLL:
    library = _library()
    if library is None:
        raise RuntimeError("The kernel is not compiled.")
    return library


def _at(array: NDArray[Any]) -> int:
    return array.ctypes.data


_scratch = _Scratch()


@cache
def _library() -> ctypes.CDLL | None:
    """Load the binary, unless it is unwanted, missing, broken, or made of another source."""
    if os.environ.get("EXPLORER_NO_KERNEL", "0") not in ("", "0"):
        _tell("EXPLORER_NO_KERNEL is set")
        return None
    try:
        library = ctypes.CDLL(str(HERE / BINARY))
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype = result
            function.argtypes = [ctypes.c_void_p if kind == "p" else ctypes.c_int64 for kind in arguments]
        if library.kernel_source() != crc32((HERE / "kernel.c").read_bytes()):
            _tell("it was compiled from another source: install explorer again")
            return None
    except (OSError, AttributeError) as error:
        _tell(str(error))
        return None
    return library


def _tell(why: str) -> None:
    getLogger("explorer").info("Masks are measured without the compiled kernel: %s.", why)

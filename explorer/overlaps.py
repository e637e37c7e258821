"""How many voxels the structures of a case share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explorer.errors import VolumeError
from explorer.kernel import Runs
from explorer.labels import MOST_SETS, LabelBuilder, Mask

MOST_RUNS_KEPT = 2**22
"""Of all masks of a case, 48 MB; beyond them voxels are counted in a volume, which is then smaller."""

MOST_STRUCTURES = 2**11
"""Each two of them are compared; atlases that tell apart most have 1,500."""

MOST_WORK = 2**40
"""Sets times structures times structures, which takes a minute or two. 56 ellipsoids placed at random
need 2 ** 21."""

_RUNS_AT_A_TIME = 2**15

_NUMBERS_AT_A_TIME = 2**20

_BITS = 62
"""Of a number that tells in which structures something lies."""


@dataclass(frozen=True)
class Shared:
    """Voxels that belong to several structures.

    Attributes
    ----------
    of_structures
        How many voxels of a structure belong to another one too, 0 included.
    of_pairs
        How many voxels two structures share, by pair in alphabetical order; 0 is left out.
    """

    of_structures: Mapping[str, int]
    of_pairs: Mapping[tuple[str, str], int]


class OverlapCounter:
    """Counts what masks share that come one by one.

    It keeps the runs of those that were scanned. Once there is one that was not, or there are too
    many runs, it needs a volume of ids.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shape = shape
        self._masks: list[Mask] = []
        self._runs = 0
        self._volume: LabelBuilder | None = None
        self._fits_volume = True

    def add(self, mask: Mask) -> None:
        """Add a mask, or nothing where what it shares cannot be counted; then raise `VolumeError`."""
        if self._volume is None:
            runs = self._runs + (len(mask.scan.runs.rows) if mask.scan else 0)
            if (mask.scan or mask.box is None) and runs <= MOST_RUNS_KEPT:
                self._masks.append(replace(mask))  # without voxels that it may have painted
                self._runs = runs
                return
            self._volume = self._as_volume(mask.name)
            self._masks.clear()
        self._volume.add(mask)

    def _as_volume(self, name: str) -> LabelBuilder:
        """Return the masks so far as a volume, which is tried once; `name` needs it."""
        if self._fits_volume:
            volume = LabelBuilder(self._shape)
            try:
                for mask in self._masks:
                    volume.add(mask)
                return volume
            except VolumeError:
                self._fits_volume = False
        raise VolumeError(
            f"{name}: what it shares with the masks before it cannot be counted, since they overlap in too "
            f"many different ways: at most {MOST_SETS - 1:,} are told apart.",
            "overlaps_many",
        )

    def shared(self) -> Shared:
        """Return what the masks so far share."""
        if self._volume:
            return Shared(self._volume.overlap_voxels(), self._volume.overlaps())
        found = shared_voxels({mask.name: mask.scan.runs for mask in self._masks if mask.scan})
        zeros = dict.fromkeys((mask.name for mask in self._masks), 0)
        return replace(found, of_structures=zeros | dict(found.of_structures))


def shared_voxels(runs: Mapping[str, Runs]) -> Shared:
    """Count what structures share.

    Voxels are numbered in the order of memory; then a run is an interval, and of all intervals, starts
    and ends each sorted, the parts that belong to two or more are those from start n + 1 to end n.

    Parameters
    ----------
    runs
        Of each structure, in volumes of one shape.

    Raises
    ------
    VolumeError
        They are more than `MOST_STRUCTURES`, or counting would take longer than `MOST_WORK`.
    """
    names = sorted(name for name, of in runs.items() if len(of.rows))
    if len(names) > MOST_STRUCTURES:
        raise VolumeError(
            f"What the masks share is not counted: {len(names):,} of them are not empty, and each two of at "
            f"most {MOST_STRUCTURES:,} are compared.",
            "overlaps_many",
        )
    shared = np.zeros((len(names), len(names)))
    left = MOST_WORK
    for parts in _split([runs[name] for name in names]):
        for members, voxels in _voxels_by_set(parts):
            left -= members.size * len(names)
            if left < 0:
                raise VolumeError(
                    f"What the masks share is not counted: {len(names):,} of them overlap in too many "
                    "different ways.",
                    "overlaps_many",
                )
            shared += (members.T * voxels) @ members  # whole numbers, far below 2 ** 53
    of_structures = dict.fromkeys(runs, 0) | dict(
        zip(names, shared.diagonal().astype(int).tolist(), strict=True)
    )
    pairs = np.argwhere(np.triu(shared, 1)).tolist()
    return Shared(of_structures, {(names[a], names[b]): int(shared[a, b]) for a, b in pairs})


_Intervals = tuple[NDArray[np.int64], NDArray[np.int64]]


def _split(runs: list[Runs]) -> Iterator[list[_Intervals]]:
    """Yield starts and ends of the runs of each structure, for so many rows at a time as fit the cache."""
    total = sum(len(of.rows) for of in runs)
    ends = [[0, len(of.rows)] for of in runs]
    if total > _RUNS_AT_A_TIME:
        cuts = np.unique(np.sort(np.concatenate([of.rows[:, 0] for of in runs]))[::_RUNS_AT_A_TIME])[1:]
        ends = [[0, *np.searchsorted(of.rows[:, 0], cuts).tolist(), len(of.rows)] for of in runs]
    for n in range(len(ends[0]) - 1 if runs else 0):
        yield [
            _intervals(of.rows[end[n] : end[n + 1]], of.shape[0]) for of, end in zip(runs, ends, strict=True)
        ]


def _intervals(rows: NDArray[np.int32], width: int) -> _Intervals:
    before = rows[:, 0].astype(np.int64) * width
    return before + rows[:, 1], before + rows[:, 2]


def _voxels_by_set(parts: list[_Intervals]) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield sets of two or more structures that share voxels with no other one.

    As 0 and 1, shape (sets, structures), some at a time, and how many voxels each set shares.
    """
    # A stable sort takes the order that there is within each structure.
    starts, stops = (np.sort(np.concatenate(ends), kind="stable") for ends in zip(*parts, strict=True))
    twice = starts[1:] < stops[:-1]
    if not twice.any():
        return
    bounds = np.sort(np.concatenate([starts[1:][twice], stops[:-1][twice]]), kind="stable")
    low, size = bounds[:-1], np.diff(bounds)
    depth = np.searchsorted(starts, low, "right") - np.searchsorted(stops, low, "right")
    shared = (depth >= 2) & (size > 0)
    low, size = low[shared], size[shared]
    bits = [_members(parts[first : first + _BITS], low) for first in range(0, len(parts), _BITS)]
    order = np.lexsort(bits) if len(bits) > 1 else np.argsort(bits[0])  # which is faster
    changes = np.any([np.diff(some[order]) != 0 for some in bits], axis=0)
    firsts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    voxels = np.add.reduceat(size[order], firsts).astype(float)
    step = max(1, _NUMBERS_AT_A_TIME // len(parts))
    for start in range(0, len(firsts), step):
        words = [some[order[firsts[start : start + step]]] for some in bits]
        members = [words[n // _BITS] >> n % _BITS & 1 for n in range(len(parts))]
        yield np.column_stack(members).astype(float), voxels[start : start + step]


def _members(parts: list[_Intervals], low: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, bit by bit, in which structures the parts lie that start at `low`."""
    changes = np.zeros(low.size + 1, np.int64)
    for bit, (starts, stops) in enumerate(parts):
        first, end = np.searchsorted(low, starts), np.searchsorted(low, stops)
        lies = first < end
        np.add.at(changes, first[lies], 1 << bit)
        np.subtract.at(changes, end[lies], 1 << bit)
    return np.cumsum(changes[:-1])

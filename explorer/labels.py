"""Masks of a case, and where they overlap.

Masks of a case may overlap, so they are never packed into one label per voxel. `Labels` gives
each voxel the id of the *set* of structures it belongs to, which is exact and as small.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.errors import VolumeError
from explorer.findings import Finding
from explorer.kernel import Runs, Scan, levels, paint, renumber

Box = tuple[slice, slice, slice]
"""A bounding box in voxels, half open."""

MOST_SETS = 2**16
"""As many as ids of two bytes can name."""

MOST_MEMBERS = 2**18
"""Of all sets together: as many as if 700 structures lay in one another, whose pairs take half a minute."""

SLAB_VOXELS = 2**18
"""Voxels that are worked on at a time, so that what is made of them stays in the cache."""


@dataclass(frozen=True, eq=False)
class Mask:
    """One structure of a case, within its bounding box.

    Attributes
    ----------
    name
        The structure.
    box
        Bounding box in the image's grid, or None when the mask is empty.
    found
        What is inside: a scan of the file, or voxels as of `inside`.
    odd_values
        Other values than 0 and 1 that were found, at most five, ascending.
    dtype
        Of the voxels as stored, such as ``"uint8"``.
    findings
        What is odd about the file.
    """

    name: str
    box: Box | None
    found: NDArray[np.bool_] | Scan
    odd_values: tuple[float, ...] = ()
    dtype: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def scan(self) -> Scan | None:
        """Runs and areas in the image's grid, where the file was scanned."""
        return self.found if isinstance(self.found, Scan) else None

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """Boolean, the shape of `box`; shape (0, 0, 0) when the mask is empty.

        Of a large mask that was not scanned it is a view of the file's voxels.
        """
        return paint(self.found) if isinstance(self.found, Scan) else self.found

    @property
    def areas(self) -> list[NDArray[np.int64]]:
        """Voxels of each slice of `box` across i, j and k."""
        if self.scan:
            box = self.box or (slice(0), slice(0), slice(0))
            return [along[span] for along, span in zip(self.scan.areas, box, strict=True)]
        return slice_areas(self.inside)


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
    """Collects masks into `Labels` one by one.

    One thread adds; others may look in between. A voxel changes from one set that was true to the
    next, sets are only ever appended, and all that is written at a time is written under `changing`.

    Attributes
    ----------
    changing
        To be held while the ids are looked at before all masks are in.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.changing = Lock()
        self._ids: NDArray[Any] = np.zeros(shape, np.uint8, order="F")
        self._sets: list[tuple[str, ...]] = [()]
        self._voxels: list[int] = [int(np.prod(shape, dtype=object))]
        self._id_of: dict[tuple[str, ...], int] = {(): 0}
        self._members = 0
        self._names: list[str] = []

    def add(self, mask: Mask) -> None:
        """Add a mask.

        Raises
        ------
        VolumeError
            There would be more than `MOST_SETS`, or more than `MOST_MEMBERS` in them; nothing was added.
        """
        self._check_room(mask)
        self._names.append(mask.name)
        if mask.box is None:
            return
        i, j, k = mask.box
        for planes in slabs(tuple(span.stop - span.start for span in mask.box)):
            where = (i, j, slice(k.start + planes.start, k.start + planes.stop))
            inside: NDArray[np.bool_] | Runs
            if mask.scan:
                inside = mask.scan.runs.of_planes(where[2].start, where[2].stop)
            else:
                inside = np.ascontiguousarray(mask.inside[:, :, planes].T)
            with self.changing:
                self._add(mask.name, where, inside)

    def _check_room(self, mask: Mask) -> None:
        # A mask can no more than double the sets, each of the new ones with one member more.
        if mask.box is None or (
            2 * len(self._sets) <= MOST_SETS and 2 * self._members + len(self._sets) <= MOST_MEMBERS
        ):
            return
        i, j, k = mask.box
        met = np.zeros(len(self._sets), np.bool_)
        for planes in slabs(mask.inside.shape):
            part = self._ids[i, j, k.start + planes.start : k.start + planes.stop]
            met[part[mask.inside[:, :, planes]]] = True
        members = sum(len(self._sets[n]) + 1 for n in np.flatnonzero(met).tolist())
        if len(self._sets) + np.count_nonzero(met) > MOST_SETS or self._members + members > MOST_MEMBERS:
            raise VolumeError(
                f"{mask.name}: with it the masks overlap in too many different ways: at most "
                f"{MOST_SETS - 1:,} are told apart, of {MOST_MEMBERS:,} structures together.",
                "overlaps_many",
            )

    def _add(self, name: str, where: Box, inside: NDArray[np.bool_] | Runs) -> None:
        """Add a slab of a mask: its runs, or its voxels, axes k, j, i."""
        if isinstance(inside, Runs):
            self._add_runs(name, inside)
        else:
            self._add_voxels(name, where, inside)

    def _add_runs(self, name: str, inside: Runs) -> None:
        if not len(inside.rows):
            return
        counted = levels(self._ids, inside)
        assert counted is not None  # noqa: S101 - what made the runs can count
        before = dict(zip(counted[0].tolist(), counted[1].tolist(), strict=True))
        free = before.pop(0, 0)
        moved = {old: self._move(old, (*self._sets[old], name), voxels) for old, voxels in before.items()}
        if free:
            moved[0] = self._move(0, (name,), free)
        self._widen()
        table = np.zeros(256**self._ids.itemsize, np.uint16)
        table[list(moved)] = list(moved.values())
        renumber(self._ids, inside, table)

    def _add_voxels(self, name: str, where: Box, inside: NDArray[np.bool_]) -> None:
        # Sums instead of indices, since they vectorise.
        others = self._ids[where].T * inside
        free = int(np.count_nonzero(inside))
        shared = others.any()
        if shared:
            hit = others != 0
            before = others[hit]
            free -= before.size
            counts = np.bincount(before, minlength=len(self._sets))
            table = np.zeros(len(self._sets), np.uint16)
            for old in np.flatnonzero(counts).tolist():
                table[old] = self._move(old, (*self._sets[old], name), int(counts[old]))
        alone = self._move(0, (name,), free) if free else 0
        self._widen()
        dtype = self._ids.dtype.type
        new = inside * dtype(alone)
        region = self._ids[where].T
        if shared:
            new[hit] = table[before]
            region -= others
        region += new

    @property
    def ids(self) -> NDArray[Any]:
        """Ids of sets as they are now; another array once there are more than 256 sets."""
        return self._ids

    @property
    def sets(self) -> tuple[tuple[str, ...], ...]:
        """The sets there are now."""
        return tuple(self._sets)

    def overlap_voxels(self) -> dict[str, int]:
        """Return, for each structure, how many of its voxels belong to another one too."""
        shared = dict.fromkeys(self._names, 0)
        for members, voxels in zip(self._sets, self._voxels, strict=True):
            if len(members) > 1:
                for name in members:
                    shared[name] += voxels
        return shared

    def overlaps(self) -> dict[tuple[str, str], int]:
        """Return how many voxels two structures share, by pair in alphabetical order."""
        shared: dict[tuple[str, str], int] = {}
        for members, voxels in zip(self._sets, self._voxels, strict=True):
            for pair in combinations(sorted(members), 2):
                shared[pair] = shared.get(pair, 0) + voxels
        return {pair: shared[pair] for pair in sorted(shared) if shared[pair]}

    def labels(self, problems: dict[str, str] | None = None) -> Labels:
        """Return what was collected so far; the ids are not a copy."""
        return Labels(self._ids, tuple(self._sets), tuple(self._names), problems or {})

    def _widen(self) -> None:
        """Make room for the ids of all sets."""
        if len(self._sets) > 256 and self._ids.dtype == np.uint8:
            self._ids = self._ids.astype(np.uint16, order="F")

    def _move(self, old: int, members: tuple[str, ...], voxels: int) -> int:
        """Count voxels as of another set; returns its id."""
        if members not in self._id_of:
            self._id_of[members] = len(self._sets)
            self._sets.append(members)
            self._voxels.append(0)
            self._members += len(members)
        new = self._id_of[members]
        self._voxels[old] -= voxels
        self._voxels[new] += voxels
        return new


def slabs(shape: tuple[int, ...], voxels: int = SLAB_VOXELS) -> Iterator[slice]:
    """Yield parts of the last axis of a volume, of about so many voxels each."""
    i, j, k = shape
    step = max(1, voxels // max(1, i * j))
    for start in range(0, k, step):
        yield slice(start, min(k, start + step))


def slice_areas(inside: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return the voxels of each slice across i, j and k."""
    shadow = np.zeros(inside.shape[1::-1], np.int64)
    across_k = []
    for planes in slabs(inside.shape):
        slab = np.ascontiguousarray(inside[:, :, planes].T)
        across_k += [np.count_nonzero(plane) for plane in slab]
        for start in range(0, slab.shape[0], 255):  # as many as a byte can count
            shadow += np.add.reduce(slab[start : start + 255].view(np.uint8), axis=0, dtype=np.uint8)
    return [shadow.sum(axis=0), shadow.sum(axis=1), np.array(across_k, np.int64)]

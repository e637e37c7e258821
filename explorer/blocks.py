"""Blocks of voxels: coarse enough for a number of faces, fine enough to keep what is thin."""

import numpy as np
from numpy.typing import NDArray

Sizes = NDArray[np.int64]
Mask = NDArray[np.bool_]

_INSIDE, _OUTSIDE = np.uint8(1), np.uint8(2)
_MOSTLY = 0.75
_FINER = 4
_MOST_FACES = 170_000


def whole_blocks(inside: Mask, spacing_mm: NDArray[np.float64], wanted: float) -> tuple[Sizes, Mask, float]:
    """Return blocks that leave about so many faces, or more where a thin part would be lost.

    Blocks in the midst of others are outside where a cleft passes them.

    Parameters
    ----------
    inside
        Which voxels are inside, shape (x, y, z).
    spacing_mm
        Edges of a voxel.
    wanted
        Number of faces between blocks that are inside and others.

    Returns
    -------
    factors : ndarray
        Voxels of a block along each axis.
    chosen : ndarray
        Which blocks are inside.
    wanted : float
        Number of faces that was come to.
    """
    factors = block_size(inside, spacing_mm, wanted)
    chosen, counts = blocks(inside, factors)
    near = _near(chosen)
    lost = ((counts > 0) & (near == _OUTSIDE)).any()
    while lost and factors.max() > 1 and wanted * _FINER <= _MOST_FACES:
        wanted *= _FINER
        factors = block_size(inside, spacing_mm, wanted)
        chosen, counts = blocks(inside, factors)
        near = _near(chosen)
        lost = ((counts > 0) & (near == _OUTSIDE) | (counts < factors.prod()) & (near == _INSIDE)).any()
    partly = counts <= _MOSTLY * factors.prod()
    if (partly & (near == _INSIDE)).any():
        chosen = chosen & ~_clefts(chosen, partly)
    return factors, chosen, wanted


def block_size(inside: Mask, spacing_mm: NDArray[np.float64], wanted: float) -> Sizes:
    """Return the size of blocks that leaves about so many faces, as near to cubes as can be."""
    x, y, z = _faces(inside)
    edges_mm = spacing_mm.tolist()
    most = [max(1, count // 3) for count in inside.shape]
    size = [1, 1, 1]
    while x / (size[1] * size[2]) + y / (size[0] * size[2]) + z / (size[0] * size[1]) > wanted:
        room = [axis for axis in range(3) if size[axis] < most[axis]]
        if not room:
            break
        size[min(room, key=lambda axis: edges_mm[axis] * size[axis])] += 1
    return np.array(size)


def blocks(inside: Mask, factors: Sizes) -> tuple[Mask, NDArray[np.unsignedinteger]]:
    """Return which blocks are inside, those with the most so that the volume stays, and voxels of each."""
    total = int(factors.prod())
    if total == 1:
        return inside, inside.view(np.uint8)
    counts: NDArray[np.unsignedinteger] = np.pad(
        inside.view(np.uint8), [(0, -n % f) for n, f in zip(inside.shape, factors, strict=True)]
    )
    for axis, factor in enumerate(factors.tolist()):
        where = [slice(None)] * 3
        parts = []
        for first in range(factor):
            where[axis] = slice(first, None, factor)
            parts.append(counts[tuple(where)])
        summed = parts[0].astype(np.min_scalar_type(total))
        for part in parts[1:]:
            summed += part
        counts = summed
    of = np.bincount(counts.ravel(), minlength=total + 1)
    at_least = np.cumsum(of[::-1])[::-1][1:]
    fullest = int(np.flatnonzero(of)[-1])
    least = 1 + int(np.argmin(np.abs(at_least - np.count_nonzero(inside) / total)))
    return counts >= min(least, fullest), counts


def _faces(inside: Mask) -> list[int]:
    """Return how many faces across each axis lie between inside and outside."""
    found = []
    for axis in range(3):
        along = np.moveaxis(inside, axis, 0)
        ends = np.count_nonzero(along[0]) + np.count_nonzero(along[-1])
        found.append(int(np.count_nonzero(along[1:] != along[:-1]) + ends))
    return found


def _near(chosen: Mask) -> NDArray[np.uint8]:
    """Return for each block whether it and its 26 neighbours are inside, outside or both."""
    values = np.where(chosen, _INSIDE, _OUTSIDE)
    for axis in range(3):
        along = np.moveaxis(values, axis, 0)
        found = along.copy()
        found[1:] |= along[:-1]
        found[:-1] |= along[1:]
        found[[0, -1]] |= _OUTSIDE
        values = np.moveaxis(found, 0, axis)
    return values


def _clefts(chosen: Mask, partly: Mask) -> Mask:
    """Return blocks partly inside that lie within others, and those between such blocks and the outside."""
    within = chosen & partly
    beside = _beside(chosen)
    for before, after in beside:
        within &= before & after
    mouths = np.zeros_like(within)
    for (before, after), (one, other) in zip(beside, _beside(within), strict=True):
        mouths |= (one & ~after) | (other & ~before)
    return within | (mouths & partly)


def _beside(values: Mask) -> list[tuple[Mask, Mask]]:
    """Return the neighbours before and after along each axis; beyond the ends there is nothing."""
    padded = np.pad(values, 1)
    pairs = []
    for axis in range(3):
        before, after = [slice(1, -1)] * 3, [slice(1, -1)] * 3
        before[axis], after[axis] = slice(0, -2), slice(2, None)
        pairs.append((padded[tuple(before)], padded[tuple(after)]))
    return pairs

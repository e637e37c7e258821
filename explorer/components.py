"""Connected components of a mask, in little memory."""

import cc3d
import numpy as np
from numpy.typing import NDArray

from explorer.labels import slabs

_BORDERED_VOXELS = 64

WHOLE_VOXELS = 2**22
"""Larger masks are labelled in parts, which are then joined."""


def count_components(inside: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the number of 26-connected components of a mask and the voxels of the largest one.

    Parameters
    ----------
    inside
        Shape (i, j, k); at least one voxel is inside.
    """
    if inside.size <= WHOLE_VOXELS:
        sizes = _label(inside)[1]
        return sizes.size, int(sizes.max())
    parent: list[int] = []
    sizes_of_parts: list[NDArray[np.int64]] = []
    last: NDArray[np.int64] | None = None
    for planes in slabs(inside.shape, WHOLE_VOXELS):
        labelled, sizes = _label(inside[:, :, planes])
        base = len(parent) - 1
        parent += range(len(parent), len(parent) + sizes.size)
        sizes_of_parts.append(sizes)
        # Labels count from 1 in each part; 0 stays outside.
        first = np.where(labelled[:, :, 0] > 0, labelled[:, :, 0].astype(np.int64) + base, -1)
        if last is not None:
            for one, other in _touching(last, first):
                _join(parent, one, other)
        last = np.where(labelled[:, :, -1] > 0, labelled[:, :, -1].astype(np.int64) + base, -1)
    roots = np.array([_root(parent, n) for n in range(len(parent))])
    voxels = np.bincount(roots, weights=np.concatenate(sizes_of_parts))
    return int(np.count_nonzero(voxels)), int(voxels.max())


def _label(inside: NDArray[np.bool_]) -> tuple[NDArray[np.unsignedinteger], NDArray[np.int64]]:
    """Return the components, numbered from 1, and the voxels of each."""
    i, j, k = inside.shape
    if 1 in inside.shape or inside.size < _BORDERED_VOXELS:
        # For some of these cc3d makes too little room, and raises: for the two ends of a line of three.
        inside = np.pad(inside, (0, 1))
    packed = np.asfortranarray(inside)
    if not packed.flags.writeable:  # which cc3d asks for, though it does not write
        packed = packed.copy(order="F")
    labelled, count = cc3d.connected_components(packed, connectivity=26, return_N=True)
    if count <= 1:
        return labelled[:i, :j, :k], np.full(count, np.count_nonzero(packed), np.int64)
    flat = labelled.reshape(-1, order="F")
    sizes = np.zeros(count + 1, np.int64)
    for start in range(0, flat.size, 2**20):
        found = np.bincount(flat[start : start + 2**20])
        sizes[: found.size] += found
    return labelled[:i, :j, :k], sizes[1:]


def _touching(one: NDArray[np.int64], other: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the pairs of labels, -1 being none, that neighbour each other in two adjacent planes."""
    pairs: set[tuple[int, int]] = set()
    most = _distinct(one) * _distinct(other)
    padded = np.pad(other, 1, constant_values=-1)
    for i in range(3):
        for j in range(3):
            near = padded[i : i + one.shape[0], j : j + one.shape[1]]
            both = (one >= 0) & (near >= 0)
            found = np.stack([one[both], near[both]])
            new = np.ones(found.shape[1], bool)
            new[1:] = (found[:, 1:] != found[:, :-1]).any(axis=0)
            pairs.update(zip(*found[:, new].tolist(), strict=True))
            if len(pairs) == most:
                return sorted(pairs)
    return sorted(pairs)


def _distinct(plane: NDArray[np.int64]) -> int:
    """Return how many labels, -1 being none, there are in a plane."""
    flat = plane.reshape(-1, order="F")
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    labels = np.unique(flat[np.concatenate([[0], starts])])
    return int(np.count_nonzero(labels >= 0))


def _root(parent: list[int], n: int) -> int:
    while parent[n] != n:
        parent[n] = parent[parent[n]]
        n = parent[n]
    return n


def _join(parent: list[int], one: int, other: int) -> None:
    low, high = sorted((_root(parent, one), _root(parent, other)))
    parent[high] = low

"""Surfaces put back on the border of their voxels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_INSIDE = 0.9


def fitted(
    points: Floats,
    outward: Floats,
    inside: NDArray[np.bool_],
    affine: Floats,
    first_mm: Floats,
    factors: NDArray[np.int64],
) -> Floats:
    """Move vertices along their normals to the border of the voxels, where one is within a block.

    Where voxels are thinner than a block, or what is between them is, it is the nearest border.

    Parameters
    ----------
    points
        Shape (n, 3), world mm.
    outward
        Their normals, shape (3, n), of length 1.
    inside
        Which voxels are inside, shape (x, y, z).
    affine, first_mm
        Edges of a voxel, shape (3, 3), and where the first one lies, in mm.
    factors
        Voxels of a block along each axis.

    Returns
    -------
    ndarray
        Shape (n, 3), world mm.
    """
    voxels = np.zeros([n + 2 for n in inside.shape], np.uint8)
    voxels[1:-1, 1:-1, 1:-1] = inside
    columns = points.T
    to_voxel = np.linalg.inv(affine)
    block = np.linalg.norm(affine, axis=0) * factors
    reach = np.sqrt(np.square(outward * block[:, None]).sum(axis=0))
    middle = (to_voxel @ (columns - first_mm[:, None]) + 1).astype(np.float32)
    ahead = (to_voxel @ (outward * reach)).astype(np.float32)
    # From within to without, a voxel at a time.
    steps = np.linspace(-1, 1, 2 * factors.max() + 1, dtype=np.float32)
    seen = _between(voxels, [middle[axis] + steps[:, None] * ahead[axis] for axis in range(3)])
    crosses = (seen[0] > _INSIDE) & (seen[-1] < 1 - _INSIDE)
    depth = (2 * seen.sum(axis=0) - seen[0] - seen[-1]) / (len(steps) - 1) - 1
    thin = np.flatnonzero(~crosses)
    depth[thin] = _nearest_end(seen[:, thin])
    moved: Floats = points + (depth * reach * outward).T
    return moved


def _nearest_end(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return where values along columns, from -1 to 1, end next to the middle; 0 where they do not."""
    within = seen > 0.5
    ends = within[:-1] & ~within[1:]
    count, columns = len(ends), np.arange(ends.shape[1])
    away = np.abs(np.arange(count) - (count - 1) / 2)
    last = np.where(ends, away[:, None], count).argmin(axis=0)
    found = ends[last, columns]
    before, after = seen[last, columns], seen[last + 1, columns]
    past = (before - 0.5) / np.where(found, before - after, 1)
    return np.where(found, (last + past) * 2 / count - 1, 0)


def _between(voxels: NDArray[np.uint8], places: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return values between voxels by trilinear interpolation; places are x, y and z of one shape."""
    first = np.zeros(places[0].shape, np.int32)
    parts = []
    for count, place in zip(voxels.shape, places, strict=True):
        within = np.clip(place, 0, np.nextafter(np.float32(count - 1), np.float32(0)))
        low = within.astype(np.int32)
        within -= low.astype(np.float32)
        parts.append(within)
        first *= count
        first += low
    x, y, z = parts
    across, along = voxels.shape[1] * voxels.shape[2], voxels.shape[2]
    flat = voxels.ravel()

    def along_z(start: NDArray[np.int32]) -> NDArray[np.float32]:
        below = flat.take(start).astype(np.float32)
        above = flat.take(start + 1).astype(np.float32)
        above -= below
        above *= z
        above += below
        return above

    def along_y(start: NDArray[np.int32]) -> NDArray[np.float32]:
        near, far = along_z(start), along_z(start + along)
        far -= near
        far *= y
        far += near
        return far

    found, further = along_y(first), along_y(first + across)
    further -= found
    further *= x
    found += further
    return found

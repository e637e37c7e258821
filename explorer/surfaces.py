"""Surfaces of structures: smooth, closed, in RAS+ mm, and never more than a budget of triangles.

A structure is brought to about as many faces as its budget asks for by counting its voxels in
blocks, the finest axis first, so that thick slices keep all they have. *Surface nets* then put one
vertex in each cell that the border passes and move it towards its neighbours, but never out of its
cell: steps between slices melt, while a vessel of one voxel stays whole. Blocks of two structures
that touch may differ in size, so vertices are then put back on the border of the voxels, where both
have the same. Where the surface touches itself it is parted, so that each edge has two triangles. What
smoothing takes off is given back along the normals, so that a surface encloses the volume of its voxels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fast_simplification
import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.blocks import block_size, blocks, whole_blocks
from explorer.borders import fitted
from explorer.errors import QueryError
from explorer.grid import Grid
from explorer.manifold import Edges, parted

TRIANGLES = 4_000
"""Default budget of a surface."""

MAX_TRIANGLES = 2_000_000
"""Largest budget that may be asked for."""

VERSION = 4
"""Grows when the same voxels give another surface, so that kept ones are made anew."""

_READ_VOXELS = 2**25
_FACES_PER_TRIANGLE = 0.65
_ROUNDS = 14
_ROUNDS_BEFORE_FIT = 3
_FREEDOM = 0.4
_SMALL = 400
_TRIES = 3
_GROWTHS = 5
_NEAR = 1e-3
_TAUBIN = (0.5, -0.53) * 4
_CODES = 65535
_NO_VERTEX = np.uint8(1)  # taken off a count of 1 to 7 corners, so that 0 wraps to 255

Floats = NDArray[np.float64]
Triple = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed surface of triangles; counter-clockwise when seen from outside.

    Attributes
    ----------
    codes
        Shape (n, 3): vertices in steps from the origin.
    origin_mm, step_mm
        Along x, y and z of the patient: ``vertex = origin + step * code``.
    triangles
        Shape (m, 3): rows of `codes`.
    """

    codes: NDArray[np.uint16]
    origin_mm: tuple[float, float, float]
    step_mm: tuple[float, float, float]
    triangles: NDArray[np.uint32]

    @property
    def vertices_mm(self) -> NDArray[np.float32]:
        """Vertices in RAS+ mm, shape (n, 3)."""
        places: Floats = np.array(self.origin_mm) + self.codes * np.array(self.step_mm)
        return places.astype(np.float32)

    @property
    def volume_ml(self) -> float:
        """Volume that is enclosed, by the divergence theorem."""
        columns = self.vertices_mm.astype(np.float64).T
        return _spanned(columns - columns.mean(axis=1, keepdims=True), list(self.triangles.T))[1] / 1000


def strides(shape: Sequence[int], spacing_mm: Sequence[float]) -> Triple:
    """Return every how many voxels of a structure's box to look at along each axis: at most 2**25 of them."""
    stride = [1, 1, 1]
    while np.prod([-(-n // s) for n, s in zip(shape, stride, strict=True)]) > _READ_VOXELS:
        stride[int(np.argmin(np.multiply(spacing_mm, stride)))] *= 2
    return stride[0], stride[1], stride[2]


def surface(
    inside: NDArray[np.bool_],
    grid: Grid,
    *,
    low: ArrayLike = (0, 0, 0),
    stride: Triple = (1, 1, 1),
    triangles: int = TRIANGLES,
) -> Surface:
    """Make the surface of a part of a volume.

    Parameters
    ----------
    inside
        Which of the part's voxels are inside, shape (x, y, z).
    grid
        Where the voxels of the whole volume lie.
    low, stride
        Its first voxel, and every how many it has: see `strides`.
    triangles
        At most so many, 100 to `MAX_TRIANGLES`.

    Raises
    ------
    QueryError
        Nothing is inside, or the budget is out of range.
    """
    if not inside.any():
        raise QueryError("Nothing is inside, so there is no surface.")
    if not 100 <= triangles <= MAX_TRIANGLES:
        raise QueryError(f"A surface has 100 to {MAX_TRIANGLES:,} triangles; got {triangles!r:.50}.")
    step = np.array(stride)
    affine = grid.affine[:3, :3] * step
    spacing = np.array(grid.spacing_mm) * step
    volume_mm3 = float(np.count_nonzero(inside)) * abs(float(np.linalg.det(affine)))
    factors, chosen, faces_wanted = whole_blocks(inside, spacing, triangles * _FACES_PER_TRIANGLE)
    while True:
        cells, quads = _nets(chosen, _ROUNDS_BEFORE_FIT if factors.max() > 1 else _ROUNDS)
        first_mm = grid.affine[:3, :3] @ np.asarray(low) + grid.affine[:3, 3]
        points = (cells * factors + (factors - 1) / 2) @ affine.T + first_mm
        found = _triangles(points, quads)
        if np.linalg.det(affine) < 0:
            found = found[:, ::-1]
        if factors.max() > 1:
            outward = _outward(_across(points, quads), quads, len(points))
            outward *= np.sign(np.linalg.det(affine))
            points = fitted(points, outward, inside, affine, first_mm, factors)
        points, found, edges = _closed(points, found, triangles)
        if len(found) <= triangles or faces_wanted < 1:
            break
        faces_wanted /= 2  # no fewer triangles without tearing it: begin with a coarser one
        factors = block_size(inside, spacing, faces_wanted)
        chosen, _ = blocks(inside, factors)
    if len(found) >= _SMALL:  # of a few voxels smoothing would leave nothing
        points = _smoothed(points, *edges)
    limit = float((spacing * factors).max()) / 2
    for _ in range(_GROWTHS if len(found) < _SMALL else 1):  # next to nothing is left of a lone voxel
        points = _grown(points, found, volume_mm3, limit)
    return _packed(points, found)


def _nets(inside: NDArray[np.bool_], rounds: int) -> tuple[Floats, NDArray[np.int32]]:
    """Return vertices in voxels, shape (n, 3), and faces, shape (m, 4), counter-clockwise from outside.

    A cell lies between eight voxels. It has a vertex where they differ, and each face between two
    voxels that differ joins the vertices of the four cells around it (Gibson 1998, constrained
    elastic surface nets).
    """
    padded = np.pad(inside, 1).view(np.uint8)
    corners = padded[1:] + padded[:-1]
    corners = corners[:, 1:] + corners[:, :-1]
    corners = corners[:, :, 1:] + corners[:, :, :-1]
    mixed = np.flatnonzero((corners - _NO_VERTEX) < 7)
    count = mixed.size
    vertex_of = np.empty(corners.size, np.int32)
    vertex_of[mixed] = np.arange(count, dtype=np.int32)
    strides = (corners.shape[1] * corners.shape[2], corners.shape[2], 1)
    # x, y, z and a 1 that counts neighbours; the last row is the neighbour that is not there.
    places = np.zeros((count + 1, 4), np.float32)
    places[:count, :3] = np.stack(np.unravel_index(mixed, corners.shape), axis=1)
    places[:count, 3] = 1
    beside = np.full((6, count), count, np.intp)
    quads = []
    for axis in range(3):
        across, along = (axis + 1) % 3, (axis + 2) % 3
        near, far = [slice(1, -1)] * 3, [slice(1, -1)] * 3
        near[axis], far[axis] = slice(0, -1), slice(1, None)
        before = padded[tuple(near)]
        place = np.nonzero(before != padded[tuple(far)])
        leaving = before[place].view(np.bool_)
        cell = place[0] * strides[0] + place[1] * strides[1] + place[2]
        a, b = vertex_of[cell], vertex_of[cell + strides[across]]
        c, d = vertex_of[cell + strides[across] + strides[along]], vertex_of[cell + strides[along]]
        for one, other, direction in ((a, b, across), (d, c, across), (a, d, along), (b, c, along)):
            beside[2 * direction, one] = other
            beside[2 * direction + 1, other] = one
        quads.append(np.stack([a, np.where(leaving, b, d), c, np.where(leaving, d, b)], axis=1))
    _relax(places, beside, rounds)
    return places[:count, :3].astype(np.float64) - 0.5, np.concatenate(quads)


def _relax(places: NDArray[np.float32], beside: NDArray[np.intp], rounds: int) -> None:
    """Move each vertex to the middle of its neighbours, within its cell, a few times."""
    count = beside.shape[1]
    low, high = places[:count] - _FREEDOM, places[:count] + _FREEDOM
    low[:, 3] = high[:, 3] = 1
    whole = places.view(np.complex128).ravel()  # one 16-byte number per vertex is taken at once
    taken = np.empty(beside.shape, np.complex128)
    for _ in range(rounds):
        np.take(whole, beside, out=taken, mode="clip")
        middle = taken.view(np.float32).reshape(6, count, 4).sum(axis=0)
        middle /= middle[:, 3:]
        np.clip(middle, low, high, out=places[:count])


def _triangles(points: Floats, quads: NDArray[np.int32]) -> NDArray[np.int32]:
    """Cut each face along its shorter diagonal."""
    a, b, c, d = quads.T
    columns = np.ascontiguousarray(points.T)
    one = columns.take(a, axis=1) - columns.take(c, axis=1)
    other = columns.take(b, axis=1) - columns.take(d, axis=1)
    by_ac = (one * one).sum(axis=0) <= (other * other).sum(axis=0)
    first = np.stack([a, b, np.where(by_ac, c, d)], axis=1)
    second = np.stack([np.where(by_ac, a, b), c, d], axis=1)
    return np.concatenate([first, second])


def _closed(
    points: Floats, triangles: NDArray[np.int32], budget: int
) -> tuple[Floats, NDArray[np.int32], tuple[Edges, int]]:
    """Simplify a surface to a budget, and part it where it touches itself; also returns its edges."""
    target = budget
    for _ in range(_TRIES):
        points, triangles = _simplify(points, triangles, target)
        torn = len(triangles) > target
        points, triangles, edges = parted(points, triangles)
        if torn or len(triangles) <= budget:
            break
        target = 2 * budget - len(triangles) - 2  # parting adds a few triangles
    return points, triangles, edges


def _simplify(points: Floats, triangles: NDArray[np.int32], budget: int) -> tuple[Floats, NDArray[np.int32]]:
    """Collapse the edges that matter least, by quadric errors, until the budget holds."""
    if len(triangles) <= budget:
        return points, triangles
    middle = points.T.copy().mean(axis=1)
    fewer, kept = fast_simplification.simplify(
        np.ascontiguousarray(points - middle, np.float32),
        np.ascontiguousarray(triangles, np.int32),
        target_count=budget,
    )
    return fewer.astype(np.float64) + middle, kept.astype(np.int32)


def _smoothed(points: Floats, edges: Edges, bits: int) -> Floats:
    """Take off ripples of few edges' length and leave the rest (Taubin 1995, lambda-mu smoothing)."""
    others = (edges & edges.dtype.type((1 << bits) - 1)).astype(np.intp)
    counts = np.bincount((edges >> edges.dtype.type(bits)).astype(np.intp))
    starts = np.cumsum(counts) - counts
    # Two coordinates as one complex number, so that they are taken and added at once.
    across: NDArray[Any] = points[:, 0] + 1j * points[:, 1]
    upward: NDArray[Any] = np.ascontiguousarray(points[:, 2])
    weights = 1 / counts
    for share in _TAUBIN:
        for column in (across, upward):
            middle = np.add.reduceat(column.take(others), starts)
            middle *= weights
            middle -= column
            middle *= share
            np.add(column, middle, out=column)
    return np.stack([across.real, across.imag, upward], axis=1)


def _grown(points: Floats, triangles: NDArray[np.int32], volume_mm3: float, limit_mm: float) -> Floats:
    """Move a surface along its normals so that it encloses a volume."""
    columns = np.ascontiguousarray(points.T)
    columns = columns - columns.mean(axis=1, keepdims=True)
    rows = [np.ascontiguousarray(triangles[:, n]) for n in range(3)]
    normals, enclosed = _spanned(columns, rows)
    area = float(np.sqrt((normals * normals).sum(axis=0)).sum()) / 2
    if not area or abs(volume_mm3 - enclosed) < _NEAR * volume_mm3:
        return points
    outward = _outward(normals, triangles, len(points))
    distance = (volume_mm3 - enclosed) / area
    # The volume is a cubic of the distance; one step of a secant is enough.
    _, reached = _spanned(columns + distance * outward, rows)
    if reached != enclosed:
        distance *= (volume_mm3 - enclosed) / (reached - enclosed)
    grown: Floats = points + min(max(distance, -limit_mm), limit_mm) * outward.T
    return grown


def _across(points: Floats, quads: NDArray[np.int32]) -> Floats:
    """Return normals as long as twice their face's area, shape (3, m)."""
    columns = np.ascontiguousarray(points.T)
    a, b, c, d = (columns.take(row, axis=1) for row in quads.T)
    return _crossed(c - a, d - b)


def _crossed(u: Floats, v: Floats) -> Floats:
    """Return cross products of columns, without more room than they need."""
    found = np.empty_like(u)
    for axis in range(3):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        np.multiply(u[one], v[other], out=found[axis])
        found[axis] -= u[other] * v[one]
    return found


def _outward(normals: Floats, faces: NDArray[np.int32], count: int) -> Floats:
    """Return normals of vertices, shape (3, n), from those of faces with so many corners each."""
    flat, corners = faces.ravel(), faces.shape[1]
    outward: Floats = np.stack([np.bincount(flat, np.repeat(normal, corners), count) for normal in normals])
    outward /= np.maximum(np.sqrt((outward * outward).sum(axis=0)), 1e-12)
    return outward


def _spanned(columns: Floats, rows: Sequence[NDArray[np.integer]]) -> tuple[Floats, float]:
    """Return normals as long as twice their triangle's area, shape (3, m), and the enclosed volume."""
    a, b, c = (columns.take(row, axis=1) for row in rows)
    b -= a
    c -= a
    normals = _crossed(b, c)
    # Row by row: longer products are spread over threads, which takes longer than they do.
    return normals, float(sum(one @ other for one, other in zip(a, normals, strict=True))) / 6


def _packed(points: Floats, triangles: NDArray[np.int32]) -> Surface:
    columns = np.ascontiguousarray(points.T)
    low, high = columns.min(axis=1), columns.max(axis=1)
    step = np.maximum(high - low, 1e-6) / _CODES
    codes = np.rint((points - low) / step).clip(0, _CODES).astype(np.uint16)
    (x, y, z), (dx, dy, dz) = low.tolist(), step.tolist()
    return Surface(codes, (x, y, z), (dx, dy, dz), triangles.astype(np.uint32))

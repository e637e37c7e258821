"""Surfaces parted where they touch themselves, so that each edge has two triangles.

A net has one vertex in a cell that two sheets pass, and collapsed edges bring sheets together: then
four triangles meet at an edge, which slicers and finite-element programs refuse. The triangles on both
sides of what is outside of such an edge are taken together, so what is inside stays whole.
"""

from math import atan2, hypot, pi

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int32]
Edges = NDArray[np.unsignedinteger]
Place = list[float]
Side = tuple[int, int]
"""A triangle and at which of its corners an edge of it begins."""

_NUDGE = 0.1
_ROUNDS = 8
_MOST_TOUCHED = 10_000
_FEW = 50


def directed_edges(triangles: Rows, count: int) -> tuple[Edges, int]:
    """Return where edges begin, shifted by some bits, and end, in order; and how many bits."""
    bits, kind = (16, "u4") if count <= 2**16 else (32, "u8")  # the narrower is sorted sooner
    ends: Edges = triangles.astype(kind).ravel()
    edges = ends << ends.dtype.type(bits)
    last = edges[2::3] | ends[::3]
    edges[:-1] |= ends[1:]
    edges[2::3] = last
    edges.sort()
    return edges, bits


def parted(points: Floats, triangles: Rows) -> tuple[Floats, Rows, tuple[Edges, int]]:
    """Return a closed surface in which each edge has two triangles, and its `directed_edges`.

    Where sheets touch, each gets vertices of its own, a little apart. An edge along which a sheet
    touches itself is cut in two for one pair of its triangles. Where it touches itself at thousands
    of edges, as the surface of noise does, it is left as it is.

    Parameters
    ----------
    points
        Shape (n, 3).
    triangles
        Shape (m, 3): rows of `points`. As many pass an edge in one direction as in the other.
    """
    edges, bits = directed_edges(triangles, len(points))
    for _ in range(_ROUNDS):
        again = edges[1:] == edges[:-1]
        if not 0 < np.count_nonzero(again) <= _MOST_TOUCHED:
            break
        touched = edges[1:][again].tolist()
        vertices = {edge >> bits for edge in touched} | {edge & (1 << bits) - 1 for edge in touched}
        # A folded flap reaches into a thin part; among many of them sheets cannot be told apart.
        folds = len(touched) * _FEW < len(triangles)
        points, triangles = _once_parted(points, triangles, vertices, folds=folds)
        edges, bits = directed_edges(triangles, len(points))
    return points, triangles, (edges, bits)


def _once_parted(points: Floats, triangles: Rows, touched: set[int], *, folds: bool) -> tuple[Floats, Rows]:
    at = np.zeros(len(points), bool)
    at[list(touched)] = True
    first, second, third = at.take(triangles).T
    near = first | second | third
    faces: list[list[int]] = triangles.compress(near, axis=0).tolist()
    if not folds:
        faces = _unfolded(faces)
    corners = list({n for face in faces for n in face})
    place = dict(zip(corners, points[corners].tolist(), strict=True))
    pairs = _pairs(faces, place)
    sheet = _sheets(len(faces), pairs)
    added: list[Place] = []
    moved = _apart(faces, sheet, touched, place, len(points), added)
    faces = _cut(moved, pairs, place, len(points), added)
    points = np.concatenate([points, np.array(added).reshape(-1, 3)])
    points[corners] = [place[n] for n in corners]
    triangles = np.concatenate([triangles.compress(~near, axis=0), np.array(faces, np.int32).reshape(-1, 3)])
    used = np.bincount(triangles.ravel(), minlength=len(points)) > 0
    if used.all():
        return points, triangles
    return points[used], (np.cumsum(used, dtype=np.int32) - 1).take(triangles)


def _unfolded(faces: list[list[int]]) -> list[list[int]]:
    """Return triangles without pairs of the same corners in opposite order."""
    kept: dict[tuple[int, ...], list[list[int]]] = {}
    for face in faces:
        first = face.index(min(face))
        turned = face[first:] + face[:first]
        back = kept.get((turned[0], turned[2], turned[1]))
        if back:
            back.pop()
        else:
            kept.setdefault(tuple(turned), []).append(face)
    return [face for same in kept.values() for face in same]


def _pairs(faces: list[list[int]], place: dict[int, Place]) -> list[tuple[Side, Side]]:
    """Return which triangles go on in which across their edges."""
    around: dict[tuple[int, int], list[tuple[bool, Side]]] = {}
    for number, face in enumerate(faces):
        for corner in range(3):
            u, v = face[corner], face[(corner + 1) % 3]
            around.setdefault((min(u, v), max(u, v)), []).append((u < v, (number, corner)))
    pairs = []
    for (u, v), found in around.items():
        if len(found) == 2:
            (forward, one), (_, other) = found
            pairs.append((one, other) if forward else (other, one))
        elif len(found) > 2:
            thirds = [place[faces[number][corner - 1]] for _, (number, corner) in found]
            angles = _angles(place[u], place[v], thirds)
            pairs += _around([found[n] for n in sorted(range(len(found)), key=angles.__getitem__)])
    return pairs


def _around(found: list[tuple[bool, Side]]) -> list[tuple[Side, Side]]:
    """Return pairs of triangles about an edge: what is outside begins at one that passes it forward."""
    pairs: list[tuple[Side, Side]] = []
    opened: list[Side] = []
    closed: list[Side] = []
    for forward, side in found:
        if forward:
            opened.append(side)
        elif opened:
            pairs.append((opened.pop(), side))
        else:
            closed.append(side)
    return pairs + list(zip(reversed(opened), closed, strict=False))


def _angles(u: Place, v: Place, thirds: list[Place]) -> list[float]:
    """Return at which angles around the edge from u to v points lie, from the first one on."""
    along = [b - a for a, b in zip(u, v, strict=True)]
    length = hypot(*along)
    across = [_cross(along, [b - a for a, b in zip(u, third, strict=True)]) for third in thirds]
    first = across[0]
    return [atan2(_dot(_cross(first, one), along), length * _dot(first, one)) % (2 * pi) for one in across]


def _cross(a: Place, b: Place) -> Place:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def _dot(a: Place, b: Place) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _sheets(count: int, pairs: list[tuple[Side, Side]]) -> list[int]:
    """Return the sheet of each corner of so many triangles: what is reached around a vertex."""
    parent = list(range(3 * count))

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    for (one, start), (other, back) in pairs:
        # One begins where the other ends.
        parent[root(3 * one + start)] = root(3 * other + (back + 1) % 3)
        parent[root(3 * one + (start + 1) % 3)] = root(3 * other + back)
    return [root(n) for n in range(3 * count)]


def _apart(
    faces: list[list[int]],
    sheet: list[int],
    touched: set[int],
    place: dict[int, Place],
    count: int,
    added: list[Place],
) -> list[list[int]]:
    """Return triangles with a vertex for each sheet, moved a little towards its own neighbours."""
    neighbours: dict[int, dict[int, list[Place]]] = {}
    for number, face in enumerate(faces):
        for corner, n in enumerate(face):
            if n in touched:
                own = neighbours.setdefault(n, {}).setdefault(sheet[3 * number + corner], [])
                own += [place[face[corner - 1]], place[face[corner - 2]]]
    vertex: dict[int, int] = {}
    moved: dict[int, Place] = {}
    for n, sheets in neighbours.items():
        for nth, (one, near) in enumerate(sheets.items()):
            middle = [sum(axis) / len(near) for axis in zip(*near, strict=True)]
            where = _towards(place[n], middle) if len(sheets) > 1 else place[n]
            if nth == 0:
                vertex[one], moved[n] = n, where
            else:
                vertex[one] = count + len(added)
                added.append(where)
    place.update(moved)
    return [
        [vertex.get(sheet[3 * number + corner], n) if n in touched else n for corner, n in enumerate(face)]
        for number, face in enumerate(faces)
    ]


def _cut(
    faces: list[list[int]],
    pairs: list[tuple[Side, Side]],
    place: dict[int, Place],
    count: int,
    added: list[Place],
) -> list[list[int]]:
    """Return triangles cut, at edges that have another pair of them still, to a vertex in the middle."""

    def where(n: int) -> Place:
        return place[n] if n < count else added[n - count]

    whole = [True] * len(faces)
    seen: set[tuple[int, int]] = set()
    halves: list[list[int]] = []
    for pair in pairs:
        one, start = pair[0]
        u, v = faces[one][start], faces[one][(start + 1) % 3]
        ends = (min(u, v), max(u, v))
        if ends not in seen:
            seen.add(ends)
        elif all(whole[number] for number, _ in pair):
            middle = [(a + b) / 2 for a, b in zip(where(u), where(v), strict=True)]
            thirds = [where(faces[number][corner - 1]) for number, corner in pair]
            between = [(a + b) / 2 for a, b in zip(*thirds, strict=True)]
            cut = count + len(added)
            added.append(_towards(middle, between))
            for number, corner in pair:
                a, b, c = faces[number][corner], faces[number][(corner + 1) % 3], faces[number][corner - 1]
                halves += [[a, cut, c], [cut, b, c]]
                whole[number] = False
    return [face for face, kept in zip(faces, whole, strict=True) if kept] + halves


def _towards(place: Place, goal: Place) -> Place:
    return [a + _NUDGE * (b - a) for a, b in zip(place, goal, strict=True)]

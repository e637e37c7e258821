"""Solids with an inside, in world millimetres; a body is a list of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""World coordinates x, y, z in mm, shape (3, ...)."""

Vec = tuple[float, float, float]


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid, boxier with a higher power.

    Attributes
    ----------
    center, radii
        In mm.
    tilt
        Rotation about x, y and z in degrees.
    power
        2 for an ellipsoid; 4 has flat sides.
    """

    center: Vec
    radii: Vec
    tilt: Vec = (0, 0, 0)
    power: float = 2.0

    def inside(self, points: Points) -> NDArray[np.bool_]:
        """Tell which points are inside."""
        moved = points - np.reshape(self.center, (3,) + (1,) * (points.ndim - 1))
        if any(self.tilt):
            moved = np.stack([_dot(row, moved) for row in rotation(self.tilt).T])
        scaled = np.abs(moved) / np.reshape(self.radii, (3,) + (1,) * (points.ndim - 1))
        inside: NDArray[np.bool_] = (scaled**self.power).sum(axis=0) <= 1
        return inside

    def bounds(self) -> tuple[Points, Points]:
        """Return the corners of a box around it."""
        reach = np.full(3, max(self.radii)) if any(self.tilt) else np.array(self.radii)
        return np.array(self.center) - reach, np.array(self.center) + reach


@dataclass(frozen=True)
class Tube:
    """A chain of round cones.

    Attributes
    ----------
    points
        Its axis, in mm.
    radii
        At each point, in mm.
    """

    points: tuple[Vec, ...]
    radii: tuple[float, ...]

    def inside(self, points: Points) -> NDArray[np.bool_]:
        """Tell which points are inside."""
        found = np.zeros(points.shape[1:], bool)
        flat = (3,) + (1,) * (points.ndim - 1)
        for k in range(len(self.points) - 1):
            start, end = np.array(self.points[k]), np.array(self.points[k + 1])
            along = end - start
            moved = points - start.reshape(flat)
            t = np.clip(_dot(along, moved) / (along @ along), 0, 1)
            radius = self.radii[k] + t * (self.radii[k + 1] - self.radii[k])
            found |= ((moved - along.reshape(flat) * t) ** 2).sum(axis=0) <= radius**2
        return found

    def cones(self) -> Iterator["Tube"]:
        """Give its cones one by one."""
        for k in range(len(self.points) - 1):
            yield Tube(self.points[k : k + 2], self.radii[k : k + 2])

    def bounds(self) -> tuple[Points, Points]:
        """Return the corners of a box around it."""
        axis, radius = np.array(self.points), max(self.radii)
        return axis.min(axis=0) - radius, axis.max(axis=0) + radius


Solid = Ellipsoid | Tube


class Canvas:
    """A grid of points in which solids are looked for only where they can be.

    Parameters
    ----------
    points
        Shape (3, i, j, k).
    """

    def __init__(self, points: Points) -> None:
        self.points = points
        others = ((2, 3), (1, 3), (1, 2))
        self._low = [points.min(axis=axes) for axes in others]
        self._high = [points.max(axis=axes) for axes in others]

    def box(self, solid: Solid) -> tuple[slice, slice, slice] | None:
        """Return a box that holds all of the solid, or None where it is outside the grid."""
        low, high = (corner.reshape(3, 1) for corner in solid.bounds())
        spans = []
        for slice_low, slice_high in zip(self._low, self._high, strict=True):
            near = np.flatnonzero(((slice_high >= low) & (slice_low <= high)).all(axis=0))
            if not near.size:
                return None
            spans.append(slice(int(near[0]), int(near[-1]) + 1))
        return spans[0], spans[1], spans[2]

    def inside(self, solid: Solid) -> tuple[tuple[slice, slice, slice], NDArray[np.bool_]] | None:
        """Return that box and which of its points are inside."""
        box = self.box(solid)
        if box is None:
            return None
        if isinstance(solid, Ellipsoid):
            return box, solid.inside(self.points[:, *box])
        found = np.zeros(self.points.shape[1:], bool)
        for cone in solid.cones():
            part = self.box(cone)
            if part is not None:
                found[part] |= cone.inside(self.points[:, *part])
        return box, found[box]


def _dot(vector: NDArray[np.float64], points: Points) -> NDArray[np.float64]:
    found: NDArray[np.float64] = vector[0] * points[0] + vector[1] * points[1] + vector[2] * points[2]
    return found


def mirrored(solid: Solid) -> Solid:
    """Return a solid on the other side of the patient."""
    if isinstance(solid, Ellipsoid):
        (x, y, z), (a, b, c) = solid.center, solid.tilt
        return Ellipsoid((-x, y, z), solid.radii, (a, -b, -c), solid.power)
    return Tube(tuple((-x, y, z) for x, y, z in solid.points), solid.radii)


def scaled(solid: Solid, factor: float) -> Solid:
    """Return a solid with other radii about the same middle; a tube keeps its axis."""
    if isinstance(solid, Ellipsoid):
        a, b, c = (radius * factor for radius in solid.radii)
        return Ellipsoid(solid.center, (a, b, c), solid.tilt, solid.power)
    return Tube(solid.points, tuple(radius * factor for radius in solid.radii))


def rotation(degrees: Vec) -> NDArray[np.float64]:
    """Return the matrix of rotations about x, then y, then z."""
    a, b, c = np.radians(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    turned: NDArray[np.float64] = about_z @ about_y @ about_x
    return turned

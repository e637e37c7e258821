"""Where voxels lie in the patient: world coordinates are RAS+ millimetres."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray

OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}


@dataclass(frozen=True, eq=False)
class Grid:
    """Shape and affine of a volume.

    Attributes
    ----------
    shape
        Voxels along i, j, k.
    affine
        Shape (4, 4), voxel index to RAS+ mm; finite and not singular.
    stands_in
        Path of the mask that it is of, where it stands in for that of an image which cannot be read.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    stands_in: str = ""

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbours along i, j, k in mm: the lengths of the affine's columns."""
        i, j, k = (float(n) for n in np.linalg.norm(self.affine[:3, :3], axis=0))
        return i, j, k

    @cached_property
    def voxel_volume_ml(self) -> float:
        """Volume of a voxel: |det| of the affine's 3 x 3 part, in ml; right for sheared grids too."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000

    @cached_property
    def orientation(self) -> str:
        """Nearest anatomical direction in which i, j, k grow, such as ``"LPS"``."""
        return "".join(nib.orientations.ornt2axcodes(nib.io_orientation(self.affine)))

    @cached_property
    def turns(self) -> tuple[tuple[int, int], ...]:
        """For i, j, k the nearest axis of x, y, z, by number, and 1, or -1 where it grows against it."""
        return tuple((int(axis), int(sign)) for axis, sign in nib.io_orientation(self.affine))

    @cached_property
    def tilt_degrees(self) -> float:
        """Largest angle between a voxel axis and the anatomical axis nearest to it."""
        unit = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        axes = nib.io_orientation(self.affine)[:, 0].astype(int)
        cosines = np.abs(unit[axes, range(3)])
        return float(np.degrees(np.arccos(np.clip(cosines.min(), -1, 1))))

    @property
    def oblique(self) -> bool:
        """Whether a voxel axis is more than half a degree off its anatomical axis."""
        return self.tilt_degrees > 0.5

    @cached_property
    def orthogonal(self) -> bool:
        """Whether the voxel axes stand at right angles, to 0.1 degrees."""
        unit = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        off = unit.T @ unit - np.eye(3)
        return bool(np.abs(off).max() < np.sin(np.radians(0.1)))

    def to_world(self, ijk: ArrayLike) -> NDArray[np.float64]:
        """Return RAS+ mm, shape (..., 3), of voxel indices, shape (..., 3)."""
        moved: NDArray[np.float64] = np.asarray(ijk, float) @ self.affine[:3, :3].T + self.affine[:3, 3]
        return moved

    def to_voxel(self, xyz: ArrayLike) -> NDArray[np.float64]:
        """Return fractional voxel indices, shape (..., 3), of RAS+ mm, shape (..., 3)."""
        inverse = np.linalg.inv(self.affine)
        moved: NDArray[np.float64] = np.asarray(xyz, float) @ inverse[:3, :3].T + inverse[:3, 3]
        return moved

    def displacement_mm(self, other: "Grid") -> float:
        """Return how far apart the corners of two grids of one shape lie at most, in mm."""
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        return float(np.linalg.norm(self.to_world(corners) - other.to_world(corners), axis=1).max())

    def matches(self, other: "Grid") -> bool:
        """Whether both have one shape and no corner is off by a tenth of the smallest spacing."""
        return self.shape == other.shape and self.displacement_mm(other) <= 0.1 * min(self.spacing_mm)


def closest_ras(array: NDArray[Any], grid: Grid) -> tuple[NDArray[Any], Grid]:
    """Turn a volume so that its axes are those nearest to x, y, z of RAS+.

    Parameters
    ----------
    array
        Shape (i, j, k) of the grid.

    Returns
    -------
    tuple
        A view of the array, shape (x, y, z), nothing copied; and the view's grid.
    """
    steps = nib.io_orientation(grid.affine)
    turned = nib.apply_orientation(array, steps)
    affine = grid.affine @ nib.orientations.inv_ornt_aff(steps, grid.shape)
    x, y, z = turned.shape
    return turned, Grid((x, y, z), affine)

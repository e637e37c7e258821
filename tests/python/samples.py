"""Small volumes made on the spot."""

import gzip
from collections.abc import Callable
from typing import Any

import nibabel as nib
import numpy as np

from explorer.labels import Mask

SHAPE = (7, 8, 9)
AFFINE = np.array([[-2.0, 0, 0, 6], [0, 1.5, 0, -5], [0, 0, 3.0, 10], [0, 0, 0, 1]])


def nifti_bytes(
    array: np.ndarray, affine: np.ndarray = AFFINE, edit: Callable[[Any], None] = lambda header: None
) -> bytes:
    """Return a gzipped NIfTI file; `edit` changes the header before it is written."""
    image = nib.Nifti1Image(array, affine, dtype=array.dtype)
    edit(image.header)
    return gzip.compress(image.to_bytes(), 1)


def box_mask(*spans: tuple[int, int], shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Return a mask that is 1 in a box."""
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(*span) for span in spans)] = 1
    return mask


def mask_of(array: np.ndarray, name: str = "a") -> Mask:
    """Make a mask as of a file that was not scanned."""
    where = np.argwhere(array)
    box = (
        tuple(slice(int(a), int(b) + 1) for a, b in zip(where.min(0), where.max(0), strict=True))
        if len(where)
        else None
    )
    return Mask(name, box, array[box] > 0 if box else np.zeros((0, 0, 0), bool))

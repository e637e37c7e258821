"""A phantom's case as files, with the variety of headers that real data sets have."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from deflate import gzip_compress
from numpy.typing import NDArray

from explorer.structures import PUBLISHED


def save(
    folder: Path,
    picture: NDArray[np.float32],
    masks: Mapping[str, NDArray[np.bool_]],
    affine: NDArray[np.float64],
    number: int | None,
    rng: np.random.Generator,
) -> None:
    """Write a case: image, and a mask for every published structure.

    Parameters
    ----------
    folder
        Of the case.
    picture
        Its intensities.
    masks
        By structure; those that are not in it are written empty.
    affine
        Voxel to RAS+ mm.
    number
        Decides on the type of the image, which changes from case to case; None for int16.
    rng
        Decides on the header's codes.
    """
    segmentations = folder / "segmentations"
    segmentations.mkdir(parents=True, exist_ok=True)
    kind = "int16" if number is None else {3: "uint16", 6: "float32"}.get(number % 9, "int16")
    sform, qform = [(1, 1), (2, 0), (0, 1)][int(rng.integers(3))]
    image = _image(picture, affine, kind, sform, qform)
    (folder / "mri.nii.gz").write_bytes(gzip_compress(image, 1))
    empty = None
    for name in PUBLISHED:
        mask = masks.get(name)
        if mask is None or not mask.any():
            if empty is None:
                nothing = np.zeros(picture.shape, np.uint8)
                empty = bytes(gzip_compress(_image(nothing, affine, "uint8", sform, qform), 6))
            data = empty
        else:
            data = bytes(gzip_compress(_image(mask, affine, "uint8", sform, qform), 1))
        (segmentations / f"{name}.nii.gz").write_bytes(data)


def _image(array: NDArray[Any], affine: NDArray[np.float64], kind: str, sform: int, qform: int) -> bytes:
    scaled = kind == "uint16"  # stored as counts, with a slope
    stored = np.round(array * 20 if scaled else array) if kind in ("uint16", "int16") else array
    image = nib.Nifti1Image(stored.astype(kind), affine)
    image.set_qform(affine, qform)
    image.set_sform(affine, sform)
    header = image.header
    header["descrip"] = b"synthetic phantom"
    header.set_xyzt_units("mm")
    data = bytearray(image.to_bytes())
    if scaled:
        plain = nib.Nifti1Header(bytes(data[:348]))
        plain.set_slope_inter(0.05, 0)
        data[:348] = plain.binaryblock
    return bytes(data)

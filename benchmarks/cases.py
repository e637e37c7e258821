"""Cases of any size in the layout of the published set, for benchmarks.

The image is smooth tissue with noise, since nothing compresses like noise; the masks are smooth
blobs of the sizes of organs, two thirds of them empty, some overlapping, some cut off by the
image. Files are written at gzip level 1, as nibabel wrote the real ones.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from explorer.structures import PUBLISHED

NOISE = 9.0
"""Standard deviation of each channel; tissue is around 260."""

EMPTY = 37
"""Of 56 masks; in the published set 65 % are empty."""


def write_case(
    root: Path,
    shape: tuple[int, int, int],
    *,
    seed: int = 0,
    case: str = "s0001",
    spanning: bool = False,
    empty: int = EMPTY,
) -> Path:
    """Write one case plane by plane, so that it may be larger than memory.

    Parameters
    ----------
    root
        Of the data set.
    shape
        Voxels along i, j, k.
    seed
        Of everything that is random.
    case
        Its id.
    spanning
        Whether the first mask reaches from corner to corner, as that of a whole body does.
    empty
        How many of the masks are empty.

    Returns
    -------
    Path
        The folder of the case.
    """
    rng = np.random.default_rng(seed)
    folder = root / case
    (folder / "segmentations").mkdir(parents=True, exist_ok=True)
    _save(folder / "mri.nii.gz", _image(shape, rng), shape, np.int16)
    full = rng.permutation(len(PUBLISHED))[: len(PUBLISHED) - empty]
    reaches = np.geomspace(0.28, 0.02, len(full))
    reach_of = {PUBLISHED[n]: reach for n, reach in zip(full, reaches, strict=True)}
    if spanning:
        reach_of[PUBLISHED[full[0]]] = 1.0
    no_voxels: bytes | None = None
    for name in PUBLISHED:
        path = folder / "segmentations" / f"{name}.nii.gz"
        if name in reach_of:
            _save(path, _blob(shape, reach_of[name], rng), shape, np.uint8)
        elif no_voxels is None:
            zeros = np.zeros(shape[:2], np.uint8, order="F")
            _save(path, (zeros for _ in range(shape[2])), shape, np.uint8)
            no_voxels = path.read_bytes()
        else:
            path.write_bytes(no_voxels)
    return folder


def _image(shape: tuple[int, int, int], rng: np.random.Generator) -> Iterator[NDArray[np.int16]]:
    """Yield the planes of a magnitude image: tissue in air, with the noise of two channels.

    As in the real scans, hardly a voxel is exactly 0 and a voxel takes 1.1 to 1.4 bytes on disk.
    """
    x, y = (np.linspace(-1, 1, n, dtype=np.float32) for n in shape[:2])
    body = (x[:, None] / 0.92) ** 2 + (y[None, :] / 0.85) ** 2 < 1
    waves = rng.uniform(2, 9, (6, 3)).astype(np.float32)
    for z in np.linspace(-1, 1, shape[2], dtype=np.float32):
        tissue = np.full(shape[:2], 260, np.float32)
        for n, (a, b, c) in enumerate(waves):
            tissue += 60 * np.sin(a * x[:, None] + n) * np.sin(b * y[None, :] + c * z)
        real, imaginary = rng.standard_normal((2, *shape[:2]), dtype=np.float32) * NOISE
        yield np.hypot(np.where(body, tissue, 0) + real, imaginary).astype(np.int16)


def _blob(shape: tuple[int, int, int], reach: float, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Yield the planes of a mask: a wavy ellipsoid of a half-width of `reach` times the image."""
    # The fixed direction keeps most blobs inside; those that are not are cut off, as some should be.
    centre = np.zeros(3) if reach >= 1 else rng.uniform(-0.62, 0.62, 3)
    radii = reach * 2 * (np.full(3, 1.2) if reach >= 1 else rng.uniform(0.7, 1.3, 3))
    a, b, c = rng.uniform(4, 11, 3)
    x, y, z = (np.linspace(-1, 1, n, dtype=np.float32) for n in shape)
    flat = ((x[:, None] - centre[0]) / radii[0]) ** 2 + ((y[None, :] - centre[1]) / radii[1]) ** 2
    wave = (0.2 * np.sin(a * x[:, None] / radii[0]) * np.sin(b * y[None, :] / radii[1])).astype(np.float32)
    for height in z:
        level = ((height - centre[2]) / radii[2]) ** 2
        plane = flat + level + wave * np.sin(c * height / radii[2]) < 1
        yield plane.astype(np.uint8)


def _save(
    path: Path, planes: Iterator[NDArray[np.generic]], shape: tuple[int, int, int], dtype: type
) -> None:
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    affine = np.diag([1.3, 1.3, 3.0, 1.0])
    header.set_sform(affine, 1)
    header.set_qform(affine, 1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    packer = zlib.compressobj(1, wbits=31)
    with path.open("wb") as target:
        target.write(packer.compress(header.binaryblock + bytes(4)))
        for plane in planes:
            target.write(packer.compress(plane.tobytes(order="F")))
        target.write(packer.flush())

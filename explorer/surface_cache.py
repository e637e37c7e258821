"""Surfaces as bytes, kept on disk so that each is made once.

They lie beside the tables of the index, in ``surfaces``, where there is an index that can be
written; otherwise in the user's cache. Entries are written aside and renamed, carry a digest, and
the longest unused go first (`explorer.cache.DiskCache`).
"""

import os
import struct
from hashlib import blake2b

import numpy as np

from explorer import surfaces
from explorer.cache import DiskCache
from explorer.dataset import Dataset
from explorer.grid import Grid
from explorer.store import cached_store, store_of
from explorer.surfaces import Surface

LIMIT_BYTES = 2**30
"""Of all surfaces of a data set: some 30,000 of the default budget."""

_HEAD = struct.Struct("<4sII6d")
_MAGIC = b"xps1"


def pack(surface: Surface) -> bytes:
    """Return a surface as bytes."""
    count, faces = len(surface.codes), len(surface.triangles)
    head = _HEAD.pack(_MAGIC, count, faces, *surface.origin_mm, *surface.step_mm)
    return b"".join((head, surface.codes.astype("<u2").tobytes(), surface.triangles.astype("<u4").tobytes()))


def unpack(data: bytes) -> Surface | None:
    """Return what `pack` was given, or None where the bytes are not such."""
    if len(data) < _HEAD.size:
        return None
    magic, count, faces, *numbers = _HEAD.unpack_from(data)
    if magic != _MAGIC or len(data) != _HEAD.size + 6 * count + 12 * faces or not np.isfinite(numbers).all():
        return None
    codes = np.frombuffer(data, "<u2", 3 * count, _HEAD.size).reshape(-1, 3)
    triangles = np.frombuffer(data, "<u4", 3 * faces, _HEAD.size + 6 * count).reshape(-1, 3)
    if faces and int(triangles.max()) >= count:
        return None
    x, y, z, dx, dy, dz = numbers
    return Surface(codes, (x, y, z), (dx, dy, dz), triangles)


def key(case: str, mask_set: str, stamp: str, structure: str, grid: Grid, triangles: int) -> str:
    """Return the name under which a surface is kept.

    Parameters
    ----------
    case, mask_set, structure
        Of which mask it is.
    stamp
        State of the mask's file.
    grid
        Where its voxels lie.
    triangles
        Budget of the surface.
    """
    place = blake2b(repr(grid.shape).encode() + grid.affine.tobytes(), digest_size=8).hexdigest()
    return "\0".join((f"v{surfaces.VERSION}", case, mask_set, stamp, structure, place, str(triangles)))


def surface_cache(dataset: Dataset, store: str | os.PathLike[str] | None = None) -> DiskCache:
    """Return where surfaces of a data set are kept; nothing is made before one is.

    Parameters
    ----------
    dataset
        Whose surfaces.
    store
        Folder of its index, by default `explorer.store.default_store`.
    """
    folder = store_of(dataset, store)
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        folder = cached_store(dataset)
    return DiskCache(folder / "surfaces", LIMIT_BYTES)

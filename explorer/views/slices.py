"""Slices of an open case, cut and packed for a browser.

A case is turned to its closest RAS+ axes (a view, nothing is copied), so that a slice has rows and
columns of x, y or z whatever the file's axes. Slices go out in the 8 or 16 bits in which most
files are stored, so the browser knows the exact value of each pixel and can window by itself.
For a far browser they are packed: values as differences of neighbours, which deflate makes smaller
than the values themselves, in less time. For a near one masks are runs of equal pixels where
those are fewer bytes, and the whole case may be asked for, part by part.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeGuard

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from explorer.errors import QueryError
from explorer.grid import Grid
from explorer.views.overlay import PLANES as PLANES
from explorer.views.picture import LAYERS, Picture
from explorer.views.view import Answer

MAX_SLICES = 64
"""Most slices that one request may ask for."""

MAX_STRIDE = 64
"""Coarsest slices: one pixel for so many, along rows and columns."""

MAX_PART_BYTES = 2**24
"""Most bytes of a part of a case that one request may ask for."""

_LETTERS = ("LR", "PA", "IS")
_COARSE_PIXELS = 256


@dataclass(frozen=True)
class Wanted:
    """A request for slices, checked.

    Attributes
    ----------
    plane, indices, layer
        Which slices.
    compress
        Whether to pack them.
    coarse, stride
        Whether in 8 bits, and one pixel for so many.
    rows
        A part of each, or None for all.
    """

    plane: str
    indices: tuple[int, ...]
    layer: str
    compress: bool
    coarse: bool
    stride: int
    rows: tuple[int, int] | None


def cut_slices(picture: Picture, wanted: Wanted, window: tuple[float, float]) -> Answer:
    """Cut slices.

    Parameters
    ----------
    picture
        Of which case.
    wanted
        Which slices, and how.
    window
        Intensities that are told apart where 8 bits are asked for.

    Returns
    -------
    tuple
        ``packed``: ``"raw"``, ``"runs"``, ``"deflate"``, or ``"delta"`` (see `pack`); ``bytes`` of a pixel;
        ``stride``, and ``scale`` and ``offset`` that turn 8 bits into what is sent otherwise; of
        masks the ``content`` and ``revision`` that the ids are of; ``ms`` that it took. One buffer
        per slice, rows upwards along the row axis.
    """
    start = perf_counter()
    fields: dict[str, Any] = {"stride": wanted.stride}
    cuts: list[NDArray[Any]] = []
    if wanted.layer == "image":
        for index in wanted.indices:
            if wanted.coarse:
                cut, fields["scale"], fields["offset"] = picture.coarse_slice(
                    wanted.plane, index, wanted.stride, window
                )
                cuts.append(cut)
            else:
                cuts.append(picture.image_slice(wanted.plane, index, wanted.rows))
    else:
        overlay = picture.layer(wanted.layer)
        fields["content"] = overlay.token
        for index in wanted.indices:
            ids, revision = overlay.label_slice(wanted.plane, index, wanted.rows, wanted.stride)
            fields["revision"] = min(fields.get("revision", revision), revision)
            cuts.append(ids)
        # Ids become wider while masks are read.
        width = max(cut.dtype.itemsize for cut in cuts)
        cuts = [cut.astype(f"<u{width}", copy=False) for cut in cuts]
    fields["bytes"] = cuts[0].dtype.itemsize
    if wanted.compress:
        fields["packed"] = "delta" if wanted.layer == "image" else "deflate"
    else:
        fields["packed"] = "raw" if wanted.layer == "image" else "runs"
    buffers = [pack(cut, fields["packed"]) for cut in cuts]
    if fields["packed"] == "runs" and sum(map(len, buffers)) > sum(cut.nbytes for cut in cuts):
        fields["packed"] = "raw"
        buffers = [pack(cut, "raw") for cut in cuts]
    fields["ms"] = round(1000 * (perf_counter() - start), 2)
    return fields, buffers


def cut_part(picture: Picture, message: Mapping[str, Any]) -> Answer:
    """Cut axial slices that lie beside each other, one voxel for so many along each axis.

    Parameters
    ----------
    picture
        Of which case.
    message
        ``layer``; ``stride``, so many voxels for which the one in their middle stands; ``slices``, from which
        of the slices that are left up to which other.

    Returns
    -------
    tuple
        What `cut_slices` tells of slices in all their bits. One buffer: slice by slice upwards.

    Raises
    ------
    QueryError
        A value is not what it should be, outside the image, or asks for more than `MAX_PART_BYTES`.
    """
    start = perf_counter()
    layer, stride = _layer(message.get("layer")), _stride(message.get("stride"))
    part = message.get("slices")
    columns, rows, count = (-(-size // stride) for size in picture.grid.shape)
    if not _is_part(part, count) or (
        part[1] > part[0] + 1 and (part[1] - part[0]) * columns * rows * 2 > MAX_PART_BYTES
    ):
        raise QueryError(
            f"slices must be two ends within 0 to {count}, of at most {MAX_PART_BYTES:,} bytes; "
            f"got {part!r:.100}."
        )
    last = picture.grid.shape[2] - 1
    indices = [min(k * stride + stride // 2, last) for k in range(*part)]
    fields: dict[str, Any] = {"stride": stride}
    if layer == "image":
        cuts = [picture.image_slice("axial", index, None, stride) for index in indices]
    else:
        overlay = picture.layer(layer)
        found = [overlay.label_slice("axial", index, None, stride) for index in indices]
        cuts = [ids for ids, _ in found]
        fields |= {"content": overlay.token, "revision": min(revision for _, revision in found)}
    whole = np.stack(cuts)
    fields |= {"bytes": whole.dtype.itemsize, "packed": "raw"}
    buffer = pack(whole, "raw")
    if layer != "image" and len(runs := pack(whole, "runs")) < whole.nbytes:
        fields["packed"], buffer = "runs", runs
    fields["ms"] = round(1000 * (perf_counter() - start), 2)
    return fields, [buffer]


def pack(cut: NDArray[Any], how: str) -> memoryview | bytes:
    """Return the bytes of a slice.

    Parameters
    ----------
    cut
        Shape (rows, columns), contiguous.
    how
        ``"raw"``; ``"runs"``: how many pixels are equal, in 32 bits each time, all of these before all
        such pixels; ``"deflate"``: a zlib stream of the raw bytes; ``"delta"``: a zlib stream of each
        pixel's difference from its left neighbour, modulo its width, zigzag coded (0, -1, 1, -2),
        all low bytes before all high ones.
    """
    if how == "raw":
        return cut.reshape(-1).view(np.uint8).data
    if how == "runs":
        flat = cut.reshape(-1)
        starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
        return np.diff(starts, append=flat.size).astype("<u4").tobytes() + flat[starts].tobytes()
    if how == "delta":
        signed = cut.view(f"i{cut.itemsize}")
        steps = signed.copy()
        steps[:, 1:] -= signed[:, :-1]
        zigzag = (steps << 1) ^ (steps >> (8 * cut.itemsize - 1))
        cut = np.ascontiguousarray(zigzag.view(np.uint8).reshape(-1, cut.itemsize).T)
    packed: bytes = isal_zlib.compress(cut.reshape(-1).view(np.uint8), 1)
    return packed


def first_slices(
    picture: Picture,
    scene: str,
    layers: Iterable[str],
    planes: Iterable[str],
    point: Sequence[float] | None,
    compress: bool,
    stride: int = 1,
) -> Answer:
    """Return the slices of a first picture, so that no request is needed.

    Parameters
    ----------
    picture
        Of the case that opens.
    scene
        Its key.
    layers
        What to cut.
    planes
        Which planes are seen.
    point
        Where they meet, in world mm; None for the middle.
    compress
        Whether to pack them.
    stride
        1 for all pixels, otherwise one for so many, of the image in 8 bits.

    Returns
    -------
    tuple
        ``slices``: for each what `cut_slices` tells, and which it is. And their buffers.
    """
    size = picture.grid.shape
    voxel = [(n - 1) // 2 for n in size]
    if point is not None:
        # Halves go up, as in the browser.
        exact = np.floor(picture.grid.to_voxel(point) + 0.5)
        voxel = [min(max(int(v), 0), n - 1) for v, n in zip(exact, size, strict=True)]
    told: list[dict[str, Any]] = []
    cuts: list[bytes | memoryview] = []
    for layer in layers:
        for plane in planes:
            index = voxel[PLANES[plane][2]]
            wanted = Wanted(plane, (index,), layer, compress, stride > 1, stride, None)
            fields, buffers = cut_slices(picture, wanted, picture.window)
            told.append({**fields, "scene": scene, "plane": plane, "index": index, "layer": layer})
            cuts += buffers
    return {"slices": told}, cuts


def axis_letters(grid: Grid) -> list[tuple[str, str]]:
    """Return the letters at the low and high end of each axis; two where it is tilted by over 15 degrees."""
    unit = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    found = []
    for direction in unit.T:
        order = [
            int(axis)
            for axis in np.argsort(-np.abs(direction))
            if abs(direction[axis]) > np.sin(np.radians(15))
        ]
        high = "".join(_LETTERS[axis][int(direction[axis] > 0)] for axis in order[:2])
        low = "".join(_LETTERS[axis][int(direction[axis] < 0)] for axis in order[:2])
        found.append((low, high))
    return found


def check_request(picture: Picture, message: Mapping[str, Any]) -> Wanted:
    """Return what a browser asks for.

    Raises
    ------
    QueryError
        A value is not what it should be, or outside the image.
    """
    plane, indices, layer = (message.get(name) for name in ("plane", "indices", "layer"))
    if not isinstance(plane, str) or plane not in PLANES:
        raise QueryError(f"No plane {plane!r:.100}; there are {', '.join(PLANES)}.")
    layer = _layer(layer)
    if not isinstance(indices, Sequence) or isinstance(indices, str) or not 0 < len(indices) <= MAX_SLICES:
        raise QueryError(f"Ask for 1 to {MAX_SLICES} slices at a time.")
    column, row, along = PLANES[plane]
    size = picture.grid.shape
    for index in indices:
        if not _is_number(index, size[along]):
            raise QueryError(f"No {plane} slice {index!r:.100}: there are {size[along]}, from 0.")
    coarse = message.get("coarse") is True
    stride = (
        message.get("stride", max(1, -(-max(size[column], size[row]) // _COARSE_PIXELS))) if coarse else 1
    )
    stride = _stride(stride)
    rows = message.get("rows")
    if rows is None:
        part = None
    elif not coarse and _is_part(rows, size[row]):
        part = (rows[0], rows[1])
    else:
        raise QueryError(f"rows must be two ends within 0 to {size[row]}; got {rows!r:.100}.")
    return Wanted(plane, tuple(indices), layer, message.get("compress") is True, coarse, stride, part)


def _layer(value: object) -> str:
    if not isinstance(value, str) or value not in LAYERS:
        raise QueryError(f"No layer {value!r:.100}; there are {', '.join(LAYERS)}.")
    return value


def _stride(value: object) -> int:
    if not _is_number(value, MAX_STRIDE + 1) or value < 1:
        raise QueryError(f"stride must be 1 to {MAX_STRIDE}; got {value!r:.100}.")
    return value


def _is_part(value: object, most: int) -> TypeGuard[Sequence[int]]:
    return (
        isinstance(value, Sequence)
        and len(value) == 2
        and all(_is_number(n, most + 1) for n in value)
        and value[0] < value[1]
    )


def _is_number(value: object, below: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < below

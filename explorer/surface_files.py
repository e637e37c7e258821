"""Surfaces as files for other programs: STL, PLY and glTF (GLB).

Positions are RAS+ mm. STL and PLY say so in their header, where 3D Slicer looks for it; in glTF the
root node turns them to its axes and metres, so that any viewer shows the patient upright.
"""

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from explorer.case import Case
from explorer.errors import QueryError, UnknownName, VolumeError
from explorer.grid import Grid, closest_ras
from explorer.labels import Mask
from explorer.structures import in_order, structure
from explorer.surfaces import TRIANGLES, Surface, strides, surface
from explorer.volume import iter_masks, masks_grid, read_image

FORMATS = ("glb", "ply", "stl")
"""Kinds of files that can be written."""

_Y_UP_METRES = [0.001, 0, 0, 0, 0, 0, -0.001, 0, 0, 0.001, 0, 0, 0, 0, 0, 1]
_FLOAT, _UNSIGNED = 5126, 5125


def to_stl(name: str, found: Surface) -> bytes:
    """Return a binary STL file of one surface."""
    corners = found.vertices_mm[found.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    facets = np.zeros(len(corners), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("rest", "<u2")])
    facets["normal"], facets["corners"] = normals, corners
    # Programs take a file for text when it begins with "solid".
    head = f"SPACE=RAS {name}".encode("ascii", "replace")[:80].ljust(80)
    return head + struct.pack("<I", len(facets)) + facets.tobytes()


def to_ply(name: str, found: Surface, color: str) -> bytes:
    """Return a binary PLY file of one surface, its colour at each vertex."""
    vertices = np.zeros(len(found.codes), [("at", "<f4", 3), ("color", "u1", 3)])
    vertices["at"], vertices["color"] = found.vertices_mm, _rgb(color)
    faces = np.zeros(len(found.triangles), [("count", "u1"), ("rows", "<i4", 3)])
    faces["count"], faces["rows"] = 3, found.triangles
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in name)
    head = ["ply", "format binary_little_endian 1.0", "comment SPACE=RAS", f"comment {plain[:200]}"]
    head += [f"element vertex {len(vertices)}", *(f"property float {axis}" for axis in "xyz")]
    head += [f"property uchar {channel}" for channel in ("red", "green", "blue")]
    head += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header\n"]
    return "\n".join(head).encode() + vertices.tobytes() + faces.tobytes()


def to_glb(found: Mapping[str, Surface], colors: Mapping[str, str]) -> bytes:
    """Return a binary glTF file with one named, coloured mesh per surface."""
    binary = io.BytesIO()
    views: list[dict[str, int]] = []
    accessors: list[dict[str, object]] = []

    def add(values: np.ndarray, kind: int, shape: str, target: int) -> int:
        views.append(
            {"buffer": 0, "byteOffset": binary.tell(), "byteLength": values.nbytes, "target": target}
        )
        accessor: dict[str, object] = {"bufferView": len(views) - 1, "componentType": kind}
        accessor |= {"count": values.size if shape == "SCALAR" else len(values), "type": shape}
        if shape == "VEC3":
            accessor |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        accessors.append(accessor)
        binary.write(values.tobytes())
        return len(accessors) - 1

    meshes, materials, nodes = [], [], []
    for number, (name, one) in enumerate(found.items()):
        vertices = np.ascontiguousarray(one.vertices_mm, "<f4")
        position = add(vertices, _FLOAT, "VEC3", 34962)
        rows = add(np.ascontiguousarray(one.triangles.ravel(), "<u4"), _UNSIGNED, "SCALAR", 34963)
        primitive = {"attributes": {"POSITION": position}, "indices": rows, "material": number}
        meshes.append({"name": name, "primitives": [primitive]})
        linear = [round(float((c / 255) ** 2.2), 5) for c in _rgb(colors[name])]
        look = {"baseColorFactor": [*linear, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.6}
        materials.append({"name": name, "pbrMetallicRoughness": look})
        nodes.append({"name": name, "mesh": number})
    root = {"name": "patient, RAS+ mm", "matrix": _Y_UP_METRES, "children": list(range(len(nodes)))}
    document = {
        "asset": {"version": "2.0", "generator": "totalseg-explorer"},
        "scene": 0,
        "scenes": [{"nodes": [len(nodes)]}],
        "nodes": [*nodes, root],
        "meshes": meshes,
        "materials": materials,
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": binary.tell()}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    data = binary.getvalue()
    chunks = (
        struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
    )
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def to_file(found: Mapping[str, Surface], colors: Mapping[str, str], form: str) -> bytes:
    """Return one file with all surfaces: a GLB, or a zip with an STL or PLY for each.

    Raises
    ------
    QueryError
        There is no such format, or nothing to write.
    """
    if form not in FORMATS:
        raise QueryError(f"No format {form!r:.50}; there are {', '.join(FORMATS)}.")
    if not found:
        raise QueryError("No surface to export: choose structures that the case has.")
    if form == "glb":
        return to_glb(found, colors)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, one in found.items():
            archive.writestr(f"{_plain(name)}.{form}", _one(form)(name, one, colors[name]))
    return packed.getvalue()


def export_surfaces(
    case: Case,
    structures: Sequence[str] | None,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - what users call it
    triangles: int = TRIANGLES,
    colors: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write surfaces of a case for other programs, in RAS+ mm.

    Parameters
    ----------
    case
        Whose masks.
    structures
        Their names; None for all that the case has.
    path
        A file ``.glb`` for all of them, a file ``.zip``, ``.stl`` or ``.ply`` (one structure), or a
        folder, which is made, for an STL or PLY each.
    format
        ``"glb"``, ``"stl"`` or ``"ply"``; by default that of the path's suffix, else GLB.
    triangles
        At most so many for each surface.
    colors
        ``"#rrggbb"`` by structure where they differ from the usual ones.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UnknownName
        The case has no such mask, or it is empty.
    QueryError
        Format and path do not go together.
    VolumeError
        A mask cannot be read.
    """
    place = Path(path).expanduser()
    suffix = place.suffix.lower().removeprefix(".")
    form = (format or (suffix if suffix in FORMATS else "glb")).lower()
    if form not in FORMATS:
        raise QueryError(f"No format {form!r:.50}; there are {', '.join(FORMATS)}.")
    found = case_surfaces(case, structures, triangles=triangles)
    used = {name: (colors or {}).get(name, structure(name).color) for name in found}
    if suffix == form and (form == "glb" or len(found) == 1):
        name, one = next(iter(found.items()))
        place.write_bytes(to_glb(found, used) if form == "glb" else _one(form)(name, one, used[name]))
        return [place]
    if suffix == "zip" and form != "glb":
        place.write_bytes(to_file(found, used, form))
        return [place]
    if suffix in (*FORMATS, "zip"):
        raise QueryError(
            f"{place.name!r} cannot hold {len(found)} surfaces as {form}: give a .glb file, or a "
            "folder or .zip with format='stl' or 'ply'."
        )
    place.mkdir(parents=True, exist_ok=True)
    if form == "glb":
        (place / f"{_plain(case.id)}.glb").write_bytes(to_glb(found, used))
        return [place / f"{_plain(case.id)}.glb"]
    written = []
    for name, one in found.items():
        written.append(place / f"{_plain(name)}.{form}")
        written[-1].write_bytes(_one(form)(name, one, used[name]))
    return written


def case_surfaces(
    case: Case, structures: Iterable[str] | None = None, *, triangles: int = TRIANGLES
) -> dict[str, Surface]:
    """Read masks of a case and make their surfaces; None stands for all that are not empty.

    Raises
    ------
    UnknownName
        The case has no such mask, or it is empty.
    VolumeError
        A mask cannot be read.
    """
    stored = read_image(case).grid if case.image else masks_grid(case)
    if stored is None:
        raise QueryError(f"{case.id} has neither image nor readable masks.")
    wanted = None if structures is None else list(dict.fromkeys(structures))
    for name in wanted or ():
        if name not in case.masks():
            raise UnknownName("mask", name, case.masks())
    found = {}
    for name, mask in iter_masks(case, stored, in_order(case.masks()) if wanted is None else wanted):
        if isinstance(mask, Mask) and mask.box is not None:
            found[name] = _surface(mask, stored, triangles)
        elif wanted is not None:
            raise mask if isinstance(mask, VolumeError) else UnknownName("shown structure", name, found)
    return found


def _surface(mask: Mask, stored: Grid, triangles: int) -> Surface:
    assert mask.box is not None  # noqa: S101 - it is not empty
    affine = stored.affine.copy()
    affine[:3, 3] = stored.to_world([span.start for span in mask.box])
    i, j, k = mask.inside.shape
    inside, grid = closest_ras(mask.inside, Grid((i, j, k), affine))
    stride = strides(grid.shape, grid.spacing_mm)
    # Steps through a voxel that is inside: what is thin may lie between others.
    voxel = np.unravel_index(int(inside.argmax()), grid.shape)
    low = [int(at) % step for at, step in zip(voxel, stride, strict=True)]
    part = inside[tuple(slice(first, None, step) for first, step in zip(low, stride, strict=True))]
    return surface(part, grid, low=low, stride=stride, triangles=triangles)


def _one(form: str) -> Callable[[str, Surface, str], bytes]:
    return to_ply if form == "ply" else lambda name, found, _: to_stl(name, found)


def _plain(name: str) -> str:
    """Return a name that is one on every system."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:100] or "surface"


def _rgb(color: str) -> tuple[int, int, int]:
    value = int(color.removeprefix("#"), 16)
    return value >> 16 & 255, value >> 8 & 255, value & 255

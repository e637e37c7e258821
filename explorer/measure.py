"""Size, position, border contact and intensity of each structure of a case; pure.

All geometry follows from the areas of a mask's slices along its three axes, which are counted
within its bounding box only. Masks are worked through slab by slab, so that the memory of what is
made of them does not grow with the image; nor is anything cast to another type than it is stored
in until it is counted.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer import kernel
from explorer.components import count_components
from explorer.distribution import distribution, flat_chunks
from explorer.errors import VolumeError
from explorer.findings import Finding
from explorer.grid import OPPOSITE, Grid
from explorer.labels import Box, Mask, slabs
from explorer.overlaps import OverlapCounter, Shared
from explorer.volume import Volume

Row = dict[str, Any]
"""One row of a table, by column."""

INTENSITY_PERCENTILES = (1, 50, 99)
"""Of the finite non-zero values of a whole image."""

STRUCTURE_PERCENTILES = (5, 50, 95)
"""Of the finite values inside a mask."""

MOST_RUNS_AHEAD = 2**19
"""Of masks that are read before the first one is measured; 6 MB."""

_AXES = "ijk"


@dataclass(frozen=True)
class Measures:
    """What was measured of a case.

    Attributes
    ----------
    case
        Its row of the table of cases.
    structures
        One row per structure.
    overlaps
        One row per pair of structures that share voxels.
    findings
        What is odd about the voxels.
    """

    case: Row
    structures: list[Row]
    overlaps: list[Row]
    findings: list[Finding]


def measure_case(
    image: Volume | None,
    grid: Grid | None,
    masks: Iterable[tuple[str, Mask | VolumeError]],
    *,
    mask_set: str = "reference",
) -> Measures:
    """Measure a case.

    Parameters
    ----------
    image
        Its image, or None where that cannot be read: then intensities are NaN.
    grid
        The image's grid, or that of the masks where there is no image; None where there is neither.
    masks
        Each structure with its mask in that grid, or with why it cannot be used.
    mask_set
        Whose masks.

    Returns
    -------
    Measures
        Volumes in ml, positions in RAS+ mm, intensities in the image's scaled values. Rows of
        masks that cannot be used have the status ``unreadable`` and NaN, never 0.
    """
    overlaps = OverlapCounter(grid.shape) if grid else None
    findings: list[Finding] = []
    odd: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    rows: list[Row] = []
    for name, mask in _read_ahead(masks):
        row: Row = {"mask_set": mask_set, "structure": name}
        if isinstance(mask, VolumeError) or grid is None or overlaps is None:
            rows.append(row | {"status": "unreadable"})
            if isinstance(mask, VolumeError):
                findings.append(Finding(mask.kind, str(mask), structure=name))
            else:
                findings.append(Finding("not_measured", f"{name}: no grid to measure on.", structure=name))
            continue
        if mask.odd_values:
            shown = ", ".join(f"{value:g}" for value in mask.odd_values)
            what = f"{name}: holds {shown} besides 0 and 1; every value above 0 counts as inside."
            findings.append(Finding("mask_values", what, structure=name))
        for finding in mask.findings:
            odd[finding.kind, finding.what].append(name)
        try:
            measured = measure_mask(mask, grid, image)
            overlaps.add(mask)
            rows.append(row | {"mask_dtype": mask.dtype} | measured)
        except VolumeError as error:
            rows.append(row | {"status": "unreadable"})
            findings.append(Finding(error.kind, str(error), structure=name))
        except Exception as error:  # noqa: BLE001 - whatever a mask does, the others are measured
            rows.append(row | {"status": "unreadable"})
            what = f"{name}: not measured: {type(error).__name__}: {error}"
            findings.append(Finding("not_measured", what, structure=name))
        del mask  # before the next one is read
    shared = Shared({}, {})
    try:
        if overlaps:
            shared = overlaps.shared()
    except VolumeError as error:
        findings.append(Finding(error.kind, str(error)))
    for row in rows:
        row["overlap_voxels"] = shared.of_structures.get(row["structure"])
    present = sum(row["status"] in ("complete", "cut_off") for row in rows)
    case: Row = {**_geometry(grid), "structures_present": present}
    if image is not None:
        case |= _intensity(image)
        findings += image.findings
        if case["nonfinite_voxels"]:
            what = f"{case['nonfinite_voxels']:,} voxels of the image are NaN or infinite; they are left out."
            findings.append(Finding("not_finite", what))
    return Measures(
        case,
        rows,
        [
            {"mask_set": mask_set, "structure": a, "other": b, "voxels": n}
            for (a, b), n in shared.of_pairs.items()
        ],
        findings + _told_once(odd),
    )


def _read_ahead(masks: Iterable[tuple[str, Mask | VolumeError]]) -> Iterator[tuple[str, Mask | VolumeError]]:
    """Have several masks read before the first of them is measured, while no voxels but only runs are kept.

    Reading a mask drives all else out of the processor's caches; measuring several in a row finds its
    code and tables there.
    """
    group: deque[tuple[str, Mask | VolumeError]] = deque()
    runs = 0
    for name, mask in masks:
        group.append((name, mask))
        held = isinstance(mask, Mask) and mask.box is not None and mask.scan is None
        if isinstance(mask, Mask) and mask.scan:
            runs += len(mask.scan.runs.rows)
        del mask  # which the caller drops before it asks for the next one
        if held or runs > MOST_RUNS_AHEAD:
            while group:
                yield group.popleft()
            runs = 0
    while group:
        yield group.popleft()


def measure_mask(mask: Mask, grid: Grid, image: Volume | None) -> Row:
    """Measure one structure.

    Parameters
    ----------
    mask
        In the grid.
    grid
        Of the image.
    image
        For intensities, or None.

    Returns
    -------
    dict
        The columns of a structure's row but case, mask set, name and overlap.
    """
    if mask.box is None:
        return {
            "status": "absent",
            "voxels": 0,
            "volume_ml": 0.0,
            "border": "",
            "components": 0,
            "zero_voxels": 0,
        }
    areas = mask.areas
    voxels = int(areas[2].sum())
    start = [span.start for span in mask.box]
    centre = [
        first + float(area @ np.arange(area.size)) / voxels for first, area in zip(start, areas, strict=True)
    ]
    centroid = grid.to_world(centre)
    border = touched_faces(mask.box, grid)
    components, largest = (
        kernel.count_components(mask.scan.runs) if mask.scan else count_components(mask.inside)
    )
    row: Row = {
        "status": "cut_off" if border else "complete",
        "voxels": voxels,
        "volume_ml": voxels * grid.voxel_volume_ml,
        "border": border,
        "components": components,
        "largest_component": largest / voxels,
    }
    for axis, name in enumerate(_AXES):
        row[f"bbox_{name}0"] = mask.box[axis].start
        row[f"bbox_{name}1"] = mask.box[axis].stop - 1
        row[f"best_{name}"] = start[axis] + int(areas[axis].argmax())
    row |= {f"centroid_{axis}_mm": float(x) for axis, x in zip("xyz", centroid, strict=True)}
    if image is not None:
        row |= _intensity_inside(image, mask)
    return row


def touched_faces(box: Box, grid: Grid) -> str:
    """Return the faces of the image that a box reaches, as anatomical letters such as ``"IS"``.

    Parameters
    ----------
    box
        In voxels of the grid, half open.
    grid
        Its orientation names the faces; for an oblique one, by the nearest anatomical direction.
    """
    faces = []
    for span, size, letter in zip(box, grid.shape, grid.orientation, strict=True):
        if span.start == 0:
            faces.append(OPPOSITE[letter])
        if span.stop == size:
            faces.append(letter)
    return "".join(sorted(faces, key="LRPAIS".index))


def _intensity_inside(image: Volume, mask: Mask) -> Row:
    assert mask.box is not None  # noqa: S101 - callers have returned for empty masks
    stored = image.voxels[mask.box]

    def chunks() -> Iterator[NDArray[Any]]:
        for planes in slabs(mask.inside.shape):
            values = stored[:, :, planes].T[mask.inside[:, :, planes].T]
            yield from flat_chunks(values)

    found = distribution(
        chunks,
        stored.dtype,
        STRUCTURE_PERCENTILES,
        slope=image.slope,
        inter=image.inter,
        counted=kernel.levels(image.voxels, mask.scan.runs) if mask.scan else None,
    )
    row: Row = {"zero_voxels": found.zeros}
    if found.finite:
        row |= {"intensity_mean": found.mean, "intensity_sd": found.sd}
        row |= _by_name(STRUCTURE_PERCENTILES, found.percentiles)
    return row


def _intensity(image: Volume) -> Row:
    found = distribution(
        lambda: flat_chunks(image.voxels),
        image.voxels.dtype,
        INTENSITY_PERCENTILES,
        slope=image.slope,
        inter=image.inter,
        nonzero=True,
        counted=kernel.levels(image.voxels),
    )
    row: Row = {
        "dtype": str(image.voxels.dtype),
        "nonfinite_voxels": found.nonfinite,
        "image_digest": image.digest or None,
    }
    if found.finite:
        row |= {"intensity_min": found.minimum, "intensity_max": found.maximum}
        row |= {"background_share": found.zeros / found.finite}
    return row | _by_name(INTENSITY_PERCENTILES, found.percentiles)


def _by_name(which: Iterable[int], values: Iterable[float]) -> Row:
    return {f"intensity_p{percent}": value for percent, value in zip(which, values, strict=True)}


def _told_once(odd: dict[tuple[str, str], list[str]]) -> list[Finding]:
    """Return one finding for all structures whose files are odd in one way."""
    found = []
    for (kind, what), names in odd.items():
        if len(names) == 1:
            found.append(Finding(kind, f"{names[0]}: {what}", structure=names[0]))
        else:
            shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            found.append(Finding(kind, f"{len(names)} masks ({shown}): {what}"))
    return found


def _geometry(grid: Grid | None) -> Row:
    if grid is None:
        return {}
    row: Row = {f"shape_{axis}": size for axis, size in zip(_AXES, grid.shape, strict=True)}
    row |= {f"spacing_{axis}_mm": round(mm, 6) for axis, mm in zip(_AXES, grid.spacing_mm, strict=True)}
    return row | {
        "orientation": grid.orientation,
        "voxel_volume_ml": grid.voxel_volume_ml,
        "oblique": grid.oblique,
        "orthogonal": grid.orthogonal,
    }

"""Size, position, border contact and intensity of each structure of a case; pure.

All geometry follows from the areas of a mask's slices along its three axes, which are counted
within its bounding box only. Nothing is cast to another type than it is stored in until it is
inside the mask.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray

from explorer.errors import VolumeError
from explorer.findings import Finding
from explorer.grid import OPPOSITE, Grid
from explorer.volume import Box, LabelBuilder, Mask, Volume, percentiles

Row = dict[str, Any]
"""One row of a table, by column."""

INTENSITY_PERCENTILES = (1, 50, 99)
"""Of the finite non-zero values of a whole image."""

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
    builder = LabelBuilder(grid.shape) if grid else None
    findings: list[Finding] = []
    rows: list[Row] = []
    for name, mask in masks:
        row: Row = {"mask_set": mask_set, "structure": name}
        if isinstance(mask, VolumeError) or grid is None or builder is None:
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
        builder.add(mask)
        rows.append(row | measure_mask(mask, grid, image))
    overlap = builder.overlap_voxels() if builder else {}
    for row in rows:
        if row["status"] != "unreadable":
            row["overlap_voxels"] = overlap[row["structure"]]
    present = sum(row["status"] in ("complete", "cut_off") for row in rows)
    return Measures(
        {**_geometry(grid), **_intensity(image), "structures_present": present}, rows, [], findings
    )


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
        return {"status": "absent", "voxels": 0, "volume_ml": 0.0, "border": "", "components": 0}
    areas = [
        mask.inside.sum(axis=tuple(a for a in range(3) if a != axis), dtype=np.int64) for axis in range(3)
    ]
    voxels = int(areas[0].sum())
    start = [span.start for span in mask.box]
    centre = [
        first + float(area @ np.arange(area.size)) / voxels for first, area in zip(start, areas, strict=True)
    ]
    centroid = grid.to_world(centre)
    border = touched_faces(mask.box, grid)
    components, largest = _components(mask.inside)
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


def _components(inside: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the number of 26-connected pieces and the voxels of the largest one."""
    labelled, count = cc3d.connected_components(np.asfortranarray(inside), connectivity=26, return_N=True)
    if count == 1:
        return 1, int(np.count_nonzero(inside))
    return int(count), int(np.bincount(labelled.reshape(-1, order="F"))[1:].max())


def _intensity_inside(image: Volume, mask: Mask) -> Row:
    assert mask.box is not None  # noqa: S101 - callers have returned for empty masks
    stored = image.voxels[mask.box][mask.inside].astype(np.float64)
    values = stored * image.slope + image.inter
    values = values[np.isfinite(values)]
    if not values.size:
        return {}
    p5, p50, p95 = np.percentile(values, (5, 50, 95))
    return {
        "intensity_mean": float(values.mean()),
        "intensity_sd": float(values.std()),
        "intensity_p5": float(p5),
        "intensity_p50": float(p50),
        "intensity_p95": float(p95),
    }


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


def _intensity(image: Volume | None) -> Row:
    if image is None:
        return {}
    found = percentiles(image, INTENSITY_PERCENTILES)
    row: Mapping[str, float] = {
        f"intensity_p{which}": value for which, value in zip(INTENSITY_PERCENTILES, found, strict=True)
    }
    return {"dtype": str(image.voxels.dtype), **row}

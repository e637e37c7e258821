"""A small synthetic data set in the real layout, whose numbers are known by construction.

For tests, demonstrations and benchmarks. The truth is counted from the arrays before they are
written and never read back; `PhantomCase.structure_at` does not even need the arrays.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explorer.errors import DatasetError, UnknownName
from explorer.grid import OPPOSITE
from explorer.phantom import sheet
from explorer.phantom.body import Body, make_body
from explorer.phantom.scanner import paint
from explorer.phantom.shapes import Canvas, rotation
from explorer.phantom.writing import save
from explorer.structures import PUBLISHED

Status = Literal["complete", "cut_off", "absent"]


@dataclass(frozen=True)
class Region:
    """A field of view.

    Attributes
    ----------
    low, high
        Corners in the drawing, mm.
    spacing_mm
        Along x, y and z of the patient.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]


REGIONS: dict[str, Region] = {
    "abdomen": Region((-196, -138, 24), (196, 138, 276), (2.2, 2.2, 6.0)),
    "pelvis": Region((-204, -150, -214), (204, 130, 46), (2.4, 2.4, 6.5)),
    "thorax": Region((-214, -136, 214), (214, 124, 500), (2.6, 2.6, 7.0)),
    "head": Region((-94, -112, 584), (94, 120, 796), (4.0, 1.6, 1.6)),
    "thigh": Region((-210, -104, -500), (210, 104, -120), (2.6, 2.6, 9.0)),
    "lumbar spine": Region((-52, -132, -110), (52, 78, 250), (5.0, 1.7, 1.7)),
    "cervical spine": Region((-46, -104, 440), (46, 60, 650), (4.0, 1.4, 1.4)),
    "whole body": Region((-250, -140, -640), (250, 140, 500), (5.2, 5.2, 9.0)),
}
"""Fields of view by name; structures are cut off by them or lie outside."""

_ORDER: tuple[str, ...] = (
    "abdomen",
    "pelvis",
    "abdomen",
    "thorax",
    "lumbar spine",
    "abdomen",
    "head",
    "thigh",
    "abdomen",
)
_ORDER += ("cervical spine", "whole body", "pelvis")
_ORIENTATIONS = ("RAS", "RAS", "LPS", "RAS", "PIL", "LIP", "RAS", "RAS", "LAS", "PSR", "RAS", "RAS")
_TILTED = {2: 12.0, 14: -8.0}
_SERIAL = 6  # below this, worker processes cost more than they save
_PLANTED_SMALL, _PLANTED_ISLAND, _PLANTED_EMPTY = 8, 5, 19


@dataclass(frozen=True)
class Truth:
    """What is so of a structure of a case.

    Attributes
    ----------
    status
        As an index tells it.
    voxels
        Of the mask.
    volume_ml
        Voxels times the volume of one.
    border
        Letters of the image's faces that it touches, in alphabetical order.
    centroid_mm
        Mean of its voxels' positions, RAS+; None where it is absent.
    """

    status: Status
    voxels: int
    volume_ml: float
    border: str
    centroid_mm: tuple[float, float, float] | None


@dataclass(frozen=True, eq=False)
class PhantomCase:
    """A case that was written, and the truth about it.

    Attributes
    ----------
    id, region, orientation, shape, affine, contrast
        How it was imaged; `affine` has shape (4, 4) and leads from voxels to RAS+ mm.
    structures
        The truth by structure, for all 56.
    overlap_voxels
        Voxels that belong to two structures, by pair of names.
    oddity
        What was planted, in words, or ``""``.
    body
        The drawing that its masks were filled from.
    """

    id: str
    region: str
    orientation: str
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    contrast: str
    structures: Mapping[str, Truth]
    overlap_voxels: Mapping[tuple[str, str], int]
    oddity: str
    body: Body

    def structure_at(self, point_mm: tuple[float, float, float]) -> str:
        """Return the structure at a world point, or ``""``, from the drawing alone."""
        return self.body.structure_at(point_mm)


@dataclass(frozen=True, eq=False)
class Phantom:
    """A data set that was written.

    Attributes
    ----------
    path
        Its root.
    cases
        The truth, in order.
    """

    path: Path
    cases: Sequence[PhantomCase]

    def __getitem__(self, case: str) -> PhantomCase:
        for found in self.cases:
            if found.id == case:
                return found
        raise UnknownName("case", case, [found.id for found in self.cases])


def write_phantom(
    path: str | os.PathLike[str],
    cases: int = 24,
    seed: int = 0,
    *,
    overwrite: bool = False,
    progress: bool = True,
) -> Phantom:
    """Write a synthetic data set and return the truth about it.

    Parameters
    ----------
    path
        A folder that is empty or does not exist yet.
    cases
        How many; ids have a gap, as in the real data sets.
    seed
        The same seed gives the same files.
    overwrite
        Replace what is there.
    progress
        Whether to show a progress bar.

    Raises
    ------
    DatasetError
        The folder holds something, or cannot be written.
    """
    from tqdm.auto import tqdm

    target = Path(path)
    if target.exists() and not target.is_dir():
        raise DatasetError(f"{target} is a file: give a folder.")
    if target.exists() and any(target.iterdir()) and not overwrite:
        raise DatasetError(f"{target} is not empty: give another folder, or overwrite=True to replace it.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Written elsewhere and renamed, so that a killed run leaves nothing that looks whole.
        unfinished = Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise DatasetError(f"Cannot write a phantom to {target}: {error}.") from error
    try:
        ids = [f"s{number:04d}" for number in range(1, cases + 2) if number != 5][:cases]
        jobs = [(unfinished, case, seed, number) for number, case in enumerate(ids)]
        made = list(tqdm(_run(jobs), desc="Writing phantom", unit="case", total=cases, disable=not progress))
        rows = [row for _, row in made]
        (unfinished / "meta.csv").write_bytes(sheet.csv_bytes(rows))
        if target.exists():
            shutil.rmtree(target)
        unfinished.chmod(0o755)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Phantom(target, tuple(case for case, _ in made))


def write_case(
    path: str | os.PathLike[str],
    case: str,
    *,
    region: str = "abdomen",
    orientation: str = "RAS",
    tilt_degrees: float = 0.0,
    spacing_mm: tuple[float, float, float] | None = None,
    seed: int = 0,
) -> PhantomCase:
    """Write one case into a data set's root and return the truth about it.

    The same seed is the same patient, however the scanner is turned.

    Parameters
    ----------
    path
        Root of the data set; it need not exist.
    case
        Id of the case.
    region
        One of `REGIONS`.
    orientation
        Directions of the voxel axes, such as ``"LIP"``.
    tilt_degrees
        Rotation of the scanner about x, and by half as much about z.
    spacing_mm
        Along x, y and z of the patient; by default the region's.
    seed
        The patient.

    Raises
    ------
    UnknownName
        There is no such region.
    """
    if region not in REGIONS:
        raise UnknownName("region", region, REGIONS)
    rng = np.random.default_rng([seed, 0])
    return _write(Path(path), case, rng, region, orientation, tilt_degrees, None, spacing_mm)[0]


def _run(jobs: Sequence[tuple[Path, str, int, int]]) -> Iterator[tuple[PhantomCase, dict[str, str]]]:
    if len(jobs) < _SERIAL:
        yield from map(_numbered, jobs)
        return
    import loky

    with loky.ProcessPoolExecutor(max_workers=loky.cpu_count()) as pool:
        yield from pool.map(_numbered, jobs)


def _numbered(job: tuple[Path, str, int, int]) -> tuple[PhantomCase, dict[str, str]]:
    """Write the case of a number: region, orientation and oddities follow from it."""
    root, case, seed, number = job
    rng = np.random.default_rng([seed, number])
    region = _ORDER[number % len(_ORDER)]
    orientation = _ORIENTATIONS[number % len(_ORIENTATIONS)]
    found, patient = _write(root, case, rng, region, orientation, _TILTED.get(number, 0.0), number)
    thickness = round(max(REGIONS[region].spacing_mm) * 0.9, 1)  # slices lie across the largest spacing
    return found, sheet.row(case, patient, region, thickness, rng)


def _write(
    root: Path,
    case: str,
    rng: np.random.Generator,
    region: str,
    orientation: str,
    tilt: float,
    number: int | None,
    spacing_mm: tuple[float, float, float] | None = None,
) -> tuple[PhantomCase, sheet.Patient]:
    patient = sheet.Patient(
        int(rng.integers(19, 88)), bool(rng.random() < 0.5), "T1" if rng.random() < 0.55 else "T2"
    )
    odd = {"kidney_left": 0.55} if number == _PLANTED_SMALL else {}
    body = make_body(rng, male=patient.male, sizes=odd)
    shape, affine = _grid(REGIONS[region], body.size, orientation, tilt, spacing_mm)
    world = np.tensordot(affine[:3, :3], np.indices(shape, float), axes=1) + affine[:3, 3].reshape(3, 1, 1, 1)
    canvas = Canvas(body.to_drawing(world))
    masks = _masks(body, canvas)
    picture = paint(canvas, masks, patient.contrast, rng)
    oddity = "kidney_left is far too small" if odd else ""
    if number == _PLANTED_EMPTY:
        masks = {name: np.zeros_like(mask) for name, mask in masks.items()}
        oddity = "every mask is empty"
    if number == _PLANTED_ISLAND and masks["liver"].any():
        corner = tuple(slice(3, 6) for _ in range(3))
        masks["liver"][corner] = True
        oddity = "a stray island of liver in a corner"
    overlaps = _overlap(masks, affine) if number is not None and number % 4 == 2 else {}
    save(root / case, picture, masks, affine, number, rng)
    truth = {name: _truth(masks.get(name), affine, orientation) for name in PUBLISHED}
    return PhantomCase(
        case, region, orientation, shape, affine, patient.contrast, truth, overlaps, oddity, body
    ), patient


def _grid(
    region: Region, size: float, orientation: str, tilt: float, spacing_mm: tuple[float, float, float] | None
) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    low, high = np.array(region.low) * size, np.array(region.high) * size
    spacing = np.array(spacing_mm or region.spacing_mm)
    counts = np.maximum(np.round((high - low) / spacing).astype(int), 3)
    turn = rotation((tilt, 0, tilt / 2))
    axes = [{"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}[letter] for letter in orientation]
    affine = np.eye(4)
    for column, (axis, letter) in enumerate(zip(axes, orientation, strict=True)):
        sign = 1 if letter in "RAS" else -1
        affine[:3, column] = turn[:, axis] * spacing[axis] * sign
    i, j, k = (int(counts[axis]) for axis in axes)
    affine[:3, 3] = (low + high) / 2 - affine[:3, :3] @ ((np.array([i, j, k]) - 1) / 2)
    return (i, j, k), affine


def _masks(body: Body, canvas: Canvas) -> dict[str, NDArray[np.bool_]]:
    """Fill solids within their bounding boxes; a voxel goes to the first that claims it."""
    free = np.ones(canvas.points.shape[1:], bool)
    masks = {}
    for name, solids in body.solids.items():
        mask = np.zeros_like(free)
        for solid in solids:
            found = canvas.inside(solid)
            if found is not None:
                box, inside = found
                mask[box] |= inside
        mask &= free
        free &= ~mask
        masks[name] = mask
    return masks


def _overlap(masks: dict[str, NDArray[np.bool_]], affine: NDArray[np.float64]) -> dict[tuple[str, str], int]:
    """Let a few structures grow into their neighbours by a voxel, as masks of several models do.

    Along the finest axis only: a thick slice is as thick as a disc.
    """
    finest = int(np.linalg.norm(affine[:3, :3], axis=0).argmin())
    found = {}
    for name, other in (
        ("liver", "kidney_right"),
        ("vertebrae", "intervertebral_discs"),
        ("spleen", "kidney_left"),
    ):
        grown = masks[name].copy()
        for step in (1, -1):
            grown |= np.roll(masks[name], step, finest)
        shared = grown & masks[other]
        if shared.any():
            masks[name] |= shared
            found[name, other] = int(np.count_nonzero(shared))
    return found


def _truth(mask: NDArray[np.bool_] | None, affine: NDArray[np.float64], orientation: str) -> Truth:
    if mask is None or not mask.any():
        return Truth("absent", 0, 0.0, "", None)
    where = np.argwhere(mask)
    border = []
    for axis, letter in enumerate(orientation):
        if (where[:, axis] == 0).any():
            border.append(OPPOSITE[letter])
        if (where[:, axis] == mask.shape[axis] - 1).any():
            border.append(letter)
    x, y, z = affine[:3, :3] @ where.mean(axis=0) + affine[:3, 3]
    volume = len(where) * abs(float(np.linalg.det(affine[:3, :3]))) / 1000
    status: Status = "cut_off" if border else "complete"
    return Truth(status, len(where), volume, "".join(sorted(border)), (float(x), float(y), float(z)))

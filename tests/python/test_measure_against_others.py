"""Every measure against SimpleITK and scipy.ndimage, on the phantom and on real scans."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from scipy import ndimage

from explorer import open_dataset, write_phantom
from explorer.case import Case
from explorer.intake import measure_files
from explorer.measure import Measures

REAL = Path(__file__).parents[3] / "shared" / "real"
EVERYWHERE = np.ones((3, 3, 3))


@pytest.fixture(scope="module", params=["phantom", "mini", "hippocampus"])
def measured(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Case, Measures]]:
    """Cases with what we measured; of every type of voxel that a set has."""
    if request.param == "phantom":
        root = tmp_path_factory.mktemp("phantom")
        write_phantom(root, 6, progress=False)
        cases = list(open_dataset(root))[2::3]  # uint16 with a slope, and float32
    elif not REAL.is_dir():
        pytest.skip("the folder of real scans is not beside the project")
    else:
        cases = list(open_dataset(REAL / request.param))[:: 1 if request.param == "mini" else 12]
    return [(case, measure_files(case, "")) for case in cases]


@cache
def array(case: Case, path: str) -> tuple[np.ndarray, np.ndarray]:
    """Scaled values and affine, as nibabel reads them."""
    files = case.files
    image = nib.load(Path(files.location) / path)
    return np.asarray(image.dataobj), image.affine


def present(
    measured: list[tuple[Case, Measures]],
) -> Iterator[tuple[dict[str, Any], np.ndarray, np.ndarray, np.ndarray]]:
    """Yield row, mask, image and affine of every structure that is there."""
    count = 0
    for case, found in measured:
        image, affine = array(case, case.image)
        for row in found.structures:
            mask = array(case, case.masks()[row["structure"]])[0] > 0
            if mask.any():
                count += 1
                yield row, mask, image, affine
            else:
                assert (row["status"], row["voxels"], row["volume_ml"], row["zero_voxels"]) == (
                    "absent",
                    0,
                    0,
                    0,
                )
    assert count >= 8


def faces(mask: np.ndarray, affine: np.ndarray) -> set[str]:
    """Letters of the faces that have a voxel of the mask: where they lie from the image's middle, in mm."""
    middle = (np.array(mask.shape) - 1) / 2
    found = set()
    for axis in range(3):
        for plane in (0, mask.shape[axis] - 1):
            if mask.take(plane, axis).any():
                face = middle.copy()
                face[axis] = plane
                away = nib.affines.apply_affine(affine, face) - nib.affines.apply_affine(affine, middle)
                main = int(np.abs(away).argmax())
                found.add(("LR", "PA", "IS")[main][int(away[main] > 0)])
    return found


def close(found: dict[str, Any], expected: dict[str, float], rtol: float) -> None:
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=rtol, atol=1e-9, err_msg=name)


def test_against_scipy_and_numpy(measured: list[tuple[Case, Measures]]):
    for row, mask, image, affine in present(measured):
        voxels = int(np.count_nonzero(mask))
        per_voxel = abs(np.linalg.det(affine[:3, :3])) / 1000
        (box,) = ndimage.find_objects(mask.astype(np.uint8))
        labelled, pieces = ndimage.label(mask, EVERYWHERE)
        values = image[mask].astype(np.float64)
        centre = nib.affines.apply_affine(affine, ndimage.center_of_mass(mask))
        assert (row["voxels"], row["components"]) == (voxels, pieces)
        for axis, name in enumerate("ijk"):
            assert (row[f"bbox_{name}0"], row[f"bbox_{name}1"] + 1) == (box[axis].start, box[axis].stop)
            areas = mask.sum(axis=tuple(a for a in range(3) if a != axis))
            assert row[f"best_{name}"] == areas.argmax()
        touched = faces(mask, affine)
        assert set(row["border"]) == touched
        assert len(row["border"]) == len(touched)
        assert row["status"] == ("cut_off" if touched else "complete")
        assert row["zero_voxels"] == np.count_nonzero(values == 0)
        close(
            row,
            {
                "volume_ml": voxels * per_voxel,
                "largest_component": np.bincount(labelled.ravel())[1:].max() / voxels,
                "intensity_mean": ndimage.mean(image.astype(np.float64), mask),
                "intensity_sd": ndimage.standard_deviation(image.astype(np.float64), mask),
                **{f"intensity_p{p}": np.percentile(values, p) for p in (5, 50, 95)},
                **{f"centroid_{axis}_mm": x for axis, x in zip("xyz", centre, strict=True)},
            },
            1e-9,
        )


def test_against_simpleitk(measured: list[tuple[Case, Measures]]):
    for row, mask, image, affine in present(measured):
        # ITK refuses affines that are not orthonormal: voxels here, millimetres by the affine.
        label = sitk.GetImageFromArray(mask.astype(np.uint8).T)
        shape = sitk.LabelShapeStatisticsImageFilter()
        shape.Execute(label)
        low, size = np.reshape(shape.GetBoundingBox(1), (2, 3))
        assert row["voxels"] == shape.GetNumberOfPixels(1)
        assert [row[f"bbox_{a}0"] for a in "ijk"] == low.tolist()
        assert [row[f"bbox_{a}1"] for a in "ijk"] == (low + size - 1).tolist()
        pieces = sitk.ConnectedComponentImageFilter()
        pieces.FullyConnectedOn()
        pieces.Execute(label)
        assert row["components"] == pieces.GetObjectCount()
        levels = sitk.LabelIntensityStatisticsImageFilter()
        levels.Execute(label, sitk.GetImageFromArray(image.astype(np.float64).T))
        n = row["voxels"]
        centre = nib.affines.apply_affine(affine, shape.GetCentroid(1))
        close(row, {f"centroid_{a}_mm": x for a, x in zip("xyz", centre, strict=True)}, 1e-9)
        close(row, {"intensity_mean": levels.GetMean(1)}, 1e-9)
        if n > 1:  # theirs is of a sample, ours of the population
            close(row, {"intensity_sd": levels.GetStandardDeviation(1) * np.sqrt((n - 1) / n)}, 1e-6)


def test_volumes_are_those_of_simpleitk_in_mm(measured: list[tuple[Case, Measures]]):
    checked = 0
    for case, found in measured:
        for row in found.structures:
            if not row["voxels"]:
                continue
            try:
                label = sitk.ReadImage(str(Path(case.files.location) / case.masks()[row["structure"]]))
            except RuntimeError:  # not orthonormal
                continue
            shape = sitk.LabelShapeStatisticsImageFilter()
            shape.Execute(sitk.Cast(label > 0, sitk.sitkUInt8))
            # ITK's axes are LPS.
            lps = np.array(shape.GetCentroid(1)) * (-1, -1, 1)
            close(row, {"volume_ml": shape.GetPhysicalSize(1) / 1000}, 1e-5)
            np.testing.assert_allclose([row[f"centroid_{a}_mm"] for a in "xyz"], lps, atol=2e-3)
            checked += 1
    assert checked >= 5


def test_images_and_overlaps(measured: list[tuple[Case, Measures]]):
    for case, found in measured:
        image = array(case, case.image)[0]
        finite = image[np.isfinite(image)].astype(np.float64)
        inside = finite[finite != 0]
        close(
            found.case,
            {
                "intensity_min": finite.min(),
                "intensity_max": finite.max(),
                "background_share": (finite == 0).mean(),
                **{f"intensity_p{p}": np.percentile(inside, p) for p in (1, 50, 99)},
            },
            1e-9,
        )
        assert found.case["nonfinite_voxels"] == image.size - finite.size
        masks = {name: array(case, path)[0] > 0 for name, path in case.masks().items()}
        masks = {name: mask for name, mask in masks.items() if mask.any()}
        # A product of the matrix of all masks with itself, unlike our sets.
        rows = np.array([mask.ravel() for mask in masks.values()], np.float32)
        both = np.rint(rows @ rows.T).astype(int) if len(rows) else rows
        shared = {
            (a, b): both[m, n]
            for m, a in enumerate(masks)
            for n, b in enumerate(masks)
            if a < b and both[m, n]
        }
        assert {(row["structure"], row["other"]): row["voxels"] for row in found.overlaps} == shared
        depth = sum(mask.astype(np.uint8) for mask in masks.values()) if masks else None
        for row in found.structures:
            if row["voxels"]:
                assert row["overlap_voxels"] == np.count_nonzero(depth[masks[row["structure"]]] > 1)


def test_the_digest_is_of_the_file(measured: list[tuple[Case, Measures]]):
    for case, found in measured:
        data = (Path(case.files.location) / case.image).read_bytes()
        told = len(data).to_bytes(6, "big") + crc32(data).to_bytes(4, "big") + data[-8:]
        assert found.case["image_digest"] == told.hex()

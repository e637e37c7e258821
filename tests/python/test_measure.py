import numpy as np
import pytest
from samples import AFFINE, SHAPE, box_mask
from scipy import ndimage

from explorer.errors import VolumeError
from explorer.findings import Finding
from explorer.grid import Grid
from explorer.measure import measure_case, measure_mask
from explorer.volume import Mask, Volume, bounding_box

GRID = Grid(SHAPE, AFFINE)


def mask_of(array: np.ndarray, name: str = "a") -> Mask:
    box = bounding_box(array)
    return Mask(name, box, array[box] > 0 if box else np.zeros((0, 0, 0), bool))


def blobs(seed: int) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(SHAPE), 1)
    return (noise > np.quantile(noise, 0.8)).astype(np.uint8)


@pytest.mark.parametrize("seed", range(8))
def test_measures_agree_with_scipy(seed: int, image: np.ndarray):
    array = blobs(seed)
    row = measure_mask(mask_of(array), GRID, Volume(image, GRID, 0.5, -3.0))
    labelled, count = ndimage.label(array, np.ones((3, 3, 3)))
    sizes = ndimage.sum_labels(array, labelled, range(1, count + 1))
    inside = image[array == 1] * 0.5 - 3.0
    where = np.argwhere(array)
    assert row["voxels"] == array.sum()
    assert row["volume_ml"] == pytest.approx(array.sum() * 2 * 1.5 * 3 / 1000)
    assert row["components"] == count
    assert row["largest_component"] == pytest.approx(sizes.max() / array.sum())
    centre = GRID.to_world(ndimage.center_of_mass(array))
    np.testing.assert_allclose([row[f"centroid_{a}_mm"] for a in "xyz"], centre)
    assert [row[f"bbox_{a}0"] for a in "ijk"] == where.min(0).tolist()
    assert [row[f"bbox_{a}1"] for a in "ijk"] == where.max(0).tolist()
    for axis, name in enumerate("ijk"):
        areas = array.sum(axis=tuple(a for a in range(3) if a != axis))
        assert areas[row[f"best_{name}"]] == areas.max()
    assert row["intensity_mean"] == pytest.approx(inside.mean())
    assert row["intensity_sd"] == pytest.approx(inside.std())
    np.testing.assert_allclose(
        [row[f"intensity_p{p}"] for p in (5, 50, 95)], np.percentile(inside, (5, 50, 95))
    )


@pytest.mark.parametrize(
    ("spans", "border"),
    [
        (((1, 6), (1, 7), (1, 8)), ""),
        (((0, 3), (1, 7), (1, 8)), "R"),  # i grows to the left here
        (((3, 7), (1, 7), (1, 8)), "L"),
        (((1, 6), (0, 3), (1, 9)), "PS"),
        (((0, 7), (0, 8), (0, 9)), "LRPAIS"),
    ],
)
def test_border_names_the_faces(spans: tuple, border: str):
    row = measure_mask(mask_of(box_mask(*spans)), GRID, None)
    assert sorted(row["border"]) == sorted(border)
    assert row["status"] == ("cut_off" if border else "complete")


def test_cut_off_volumes_are_measured_never_zeroed():
    row = measure_mask(mask_of(box_mask((0, 2), (0, 2), (0, 2))), GRID, None)
    assert row["volume_ml"] == pytest.approx(8 * 0.009)


def test_every_status_and_overlap(image: np.ndarray):
    masks = [
        ("whole", mask_of(box_mask((1, 4), (1, 4), (1, 4)), "whole")),
        ("other", mask_of(box_mask((3, 6), (1, 4), (1, 4)), "other")),
        ("edge", mask_of(box_mask((5, 7), (1, 2), (1, 2)), "edge")),
        ("nothing", mask_of(np.zeros(SHAPE, np.uint8), "nothing")),
        ("broken", VolumeError("broken.nii.gz: damaged gzip data.", "gzip_damaged")),
    ]
    found = measure_case(Volume(image, GRID), GRID, masks)
    rows = {row["structure"]: row for row in found.structures}
    assert {name: row["status"] for name, row in rows.items()} == {
        "whole": "complete",
        "other": "complete",
        "edge": "cut_off",
        "nothing": "absent",
        "broken": "unreadable",
    }
    assert rows["nothing"]["volume_ml"] == 0
    assert "volume_ml" not in rows["broken"]
    assert (rows["whole"]["overlap_voxels"], rows["other"]["overlap_voxels"]) == (9, 10)
    assert rows["edge"]["overlap_voxels"] == 1
    assert found.case["structures_present"] == 3
    assert found.findings == [
        Finding("gzip_damaged", "broken.nii.gz: damaged gzip data.", structure="broken")
    ]
    assert (found.case["orientation"], found.case["shape_k"]) == ("LAS", 9)


def test_voxels_that_are_not_finite_are_left_out():
    values = np.full(SHAPE, 5, np.float32)
    values[1, 1, 1], values[1, 1, 2] = np.nan, np.inf
    row = measure_mask(mask_of(box_mask((1, 3), (1, 3), (1, 3))), GRID, Volume(values, GRID))
    assert (row["intensity_mean"], row["intensity_sd"]) == (5, 0)


def test_values_above_int16_are_not_wrapped():
    image = Volume(np.full(SHAPE, 60_000, np.uint16), GRID, 2.0, 0.0)
    assert measure_mask(mask_of(box_mask((1, 2), (1, 2), (1, 2))), GRID, image)["intensity_p50"] == 120_000

import shutil
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from samples import AFFINE, SHAPE, box_mask, mask_of
from scipy import ndimage

from explorer import components, open_dataset
from explorer.components import count_components
from explorer.distribution import distribution
from explorer.errors import VolumeError
from explorer.files import Folder
from explorer.findings import Finding
from explorer.grid import Grid
from explorer.intake import measure_files
from explorer.labels import LabelBuilder
from explorer.measure import measure_case, measure_mask
from explorer.volume import Volume

GRID = Grid(SHAPE, AFFINE)


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


def turned(
    array: np.ndarray, affine: np.ndarray, order: tuple[int, ...], back: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The same voxels at the same places, with axes in another order and some of them reversed."""
    old_of_new = np.zeros((4, 4))
    old_of_new[3, 3] = 1
    for new, old in enumerate(order):
        old_of_new[old, new] = -1 if back[new] else 1
        old_of_new[old, 3] = array.shape[old] - 1 if back[new] else 0
    return array.transpose(order)[tuple(slice(None, None, -1 if b else 1) for b in back)], affine @ old_of_new


def rotation(degrees: float, axis: tuple[float, float, float]) -> np.ndarray:
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    matrix = np.eye(4)
    matrix[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return matrix


@pytest.mark.parametrize("tilt", [0, 25])
@pytest.mark.parametrize("order", [*permutations(range(3))])
@pytest.mark.parametrize(
    ("spans", "border"),
    [
        (((0, 2), (2, 5), (3, 6)), "L"),
        (((5, 7), (2, 5), (3, 6)), "R"),
        (((2, 5), (0, 2), (3, 6)), "P"),
        (((2, 5), (6, 8), (3, 6)), "A"),
        (((2, 5), (2, 5), (0, 2)), "I"),
        (((2, 5), (2, 5), (7, 9)), "S"),
        (((0, 2), (6, 8), (0, 9)), "LAIS"),
    ],
)
def test_a_structure_touches_the_same_faces_however_the_image_is_stored(spans, border, order, tilt):
    ras = rotation(tilt, (1, 2, 3)) @ np.diag([2, 1.5, 3, 1])
    for back in product([False, True], repeat=3):
        array, affine = turned(box_mask(*spans), ras, order, back)
        row = measure_mask(mask_of(array), Grid(array.shape, affine), None)
        assert row["border"] == border
        np.testing.assert_allclose(
            [row[f"centroid_{axis}_mm"] for axis in "xyz"],
            (ras @ [*((a + b - 1) / 2 for a, b in spans), 1])[:3],
        )


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


def numbers(dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
    """Values over the whole range of a type, with many zeros, ties and whatever is not finite."""
    if dtype.kind == "b":
        return rng.random(5000) > 0.3
    if dtype.kind == "f":
        values = np.concatenate([rng.normal(0, 300, 3000), rng.lognormal(0, 20, 1000), np.zeros(900)])
        values[:4] = np.nan, np.inf, -np.inf, -0.0
    else:
        span = np.iinfo(dtype)
        values = np.concatenate(
            [rng.integers(span.min, span.max, 2000, dtype=dtype, endpoint=True), rng.integers(0, 9, 2900)]
        )
    return rng.permutation(values).astype(dtype)


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize(("slope", "inter"), [(1.0, 0.0), (2.5, -7.0), (-0.5, 3.0)])
@pytest.mark.parametrize("nonzero", [False, True])
def test_distributions_are_those_of_numpy(dtype: str, slope: float, inter: float, nonzero: bool):
    stored = numbers(np.dtype(dtype), np.random.default_rng(5))
    which = (0, 0.3, 5, 50, 95, 99.9, 100)

    def chunks():
        return np.array_split(stored, 7)

    found = distribution(chunks, stored.dtype, which, slope=slope, inter=inter, nonzero=nonzero)
    values = stored.astype(np.float64) * slope + inter
    finite = values[np.isfinite(values)]
    ranked = finite[finite != 0] if nonzero else finite
    assert (found.finite, found.nonfinite) == (finite.size, values.size - finite.size)
    assert found.zeros == np.count_nonzero(finite == 0)
    assert (found.minimum, found.maximum) == (finite.min(), finite.max())
    np.testing.assert_allclose((found.mean, found.sd), (finite.mean(), finite.std()), rtol=1e-9)
    np.testing.assert_allclose(found.percentiles, np.percentile(ranked, which), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["i2", "f4"])
def test_distributions_of_nothing_are_nan(dtype: str):
    values = np.full(9, np.nan if dtype == "f4" else 0).astype(dtype)
    found = distribution(lambda: [values], values.dtype, (1, 99), nonzero=True)
    assert np.isnan(found.percentiles).all()
    assert np.isnan(found.mean) == (dtype == "f4")
    assert (found.finite, found.zeros) == ((0, 0) if dtype == "f4" else (9, 9))


@pytest.mark.parametrize("density", [0.02, 0.1, 0.3, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_components_of_a_large_mask_are_joined(density: float, seed: int, monkeypatch: pytest.MonkeyPatch):
    inside = np.asfortranarray(np.random.default_rng(seed).random((9, 8, 23)) < density)
    inside[0, 0, 0] = True
    labelled, count = ndimage.label(inside, np.ones((3, 3, 3)))
    expected = count, np.bincount(labelled.ravel())[1:].max()
    assert count_components(inside) == expected
    monkeypatch.setattr(components, "WHOLE_VOXELS", 9 * 8 * 2)
    assert count_components(inside) == expected


def _is_counted_as_by_scipy(inside: np.ndarray) -> None:
    labelled, count = ndimage.label(inside, np.ones((3, 3, 3)))
    assert count_components(inside) == (count, np.bincount(labelled.ravel())[1:].max()), inside.shape


def test_components_of_the_smallest_boxes_are_those_of_scipy():
    for shape in product(range(1, 5), repeat=3):
        for inside in (np.ones(shape, bool), np.indices(shape).sum(axis=0) % 2 == 0):
            _is_counted_as_by_scipy(inside)


@pytest.mark.parametrize("sizes", [(1, 1, 64), (1, 9, 9), (1, 31, 31), (1, 99, 99), (2, 2, 40), (3, 5, 7)])
def test_components_of_thin_boxes_of_lone_voxels_are_those_of_scipy(sizes: tuple[int, int, int]):
    for shape in set(permutations(sizes)):
        _is_counted_as_by_scipy((np.indices(shape) % 2 == 0).all(axis=0))


@pytest.mark.parametrize("shape", [(128, 120, 150), (3, 4, 1200)])
def test_masks_that_take_several_slabs(shape: tuple[int, int, int]):
    rng = np.random.default_rng(7)
    grid = Grid(shape, AFFINE)
    image = np.asfortranarray(rng.integers(-50, 900, shape).astype(np.int16))
    arrays = {name: np.asfortranarray(rng.random(shape) < share) for name, share in (("b", 0.7), ("a", 0.5))}
    builder = LabelBuilder(shape)
    for name, array in arrays.items():
        mask = mask_of(array, name)
        builder.add(mask)
        row = measure_mask(mask, grid, Volume(image, grid))
        values = image[array].astype(float)
        assert row["voxels"] == array.sum()
        assert row["zero_voxels"] == np.count_nonzero(values == 0)
        centre = grid.to_world(ndimage.center_of_mass(array))
        np.testing.assert_allclose([row[f"centroid_{axis}_mm"] for axis in "xyz"], centre)
        assert row["intensity_mean"] == pytest.approx(values.mean())
        assert row["intensity_p50"] == np.median(values)
    shared = np.count_nonzero(arrays["a"] & arrays["b"])
    assert builder.overlaps() == {("a", "b"): shared}
    assert builder.overlap_voxels() == {"a": shared, "b": shared}
    labels = builder.labels()
    for name, array in arrays.items():
        members = [n for n, names in enumerate(labels.sets) if name in names]
        np.testing.assert_array_equal(np.isin(labels.ids, members), array)


def test_overlaps_are_told_once_per_pair(image: np.ndarray):
    masks = [
        ("c", mask_of(box_mask((1, 5), (1, 5), (1, 5)), "c")),
        ("a", mask_of(box_mask((3, 6), (1, 5), (1, 5)), "a")),
        ("b", mask_of(box_mask((4, 6), (4, 7), (1, 5)), "b")),
        ("away", mask_of(box_mask((6, 7), (7, 8), (8, 9)), "away")),
    ]
    found = measure_case(Volume(image, GRID), GRID, masks)
    assert [(row["structure"], row["other"], row["voxels"]) for row in found.overlaps] == [
        ("a", "b", 8),
        ("a", "c", 32),
        ("b", "c", 4),
    ]
    assert {row["mask_set"] for row in found.overlaps} == {"reference"}
    inside = {row["structure"]: row["overlap_voxels"] for row in found.structures}
    assert inside == {"a": 36, "b": 8, "c": 32, "away": 0}


def test_large_masks_are_views(write, image: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    array = blobs(3)
    case = open_dataset(write({"s0001": {"a": array}}))["s0001"]
    expected = measure_files(case, "").structures
    monkeypatch.setattr("explorer.volume._VIEW_VOXELS", 0)
    assert measure_files(case, "").structures == expected
    assert expected[0]["voxels"] == array.sum()


@pytest.mark.parametrize("kind", [MemoryError, RuntimeError, AssertionError])
def test_a_mask_that_cannot_be_measured_costs_no_other(
    image: np.ndarray, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
):
    def scarce(inside: np.ndarray) -> tuple[int, int]:
        if inside.size > 8:
            raise kind("no room")
        return 1, int(inside.sum())

    monkeypatch.setattr("explorer.measure.count_components", scarce)
    masks = [
        ("large", mask_of(box_mask((1, 5), (1, 5), (1, 5)), "large")),
        ("small", mask_of(box_mask((1, 3), (1, 3), (1, 3)), "small")),
    ]
    found = measure_case(Volume(image, GRID), GRID, masks)
    assert [(row["structure"], row["status"]) for row in found.structures] == [
        ("large", "unreadable"),
        ("small", "complete"),
    ]
    assert found.findings == [
        Finding("not_measured", f"large: not measured: {kind.__name__}: no room", structure="large")
    ]
    assert found.structures[1]["overlap_voxels"] == 0


@pytest.mark.parametrize("packed", [False, True])
def test_bytes_are_those_of_the_image_and_the_masks_on_disk(write, tmp_path: Path, packed: bool):
    root = write({"s0001": {"a": blobs(1), "b": blobs(2)}, "s0002": {"mri": None}, "s0003": {}})
    folder = root / "s0001"
    for other in ("ct.nii", "notes.txt", "segmentations/._a.nii.gz", "segmentations/c.nii"):
        (folder / other).write_bytes(b"x" * 999)
    image = (folder / "mri.nii.gz").stat().st_size
    masks = sum((folder / f"segmentations/{name}.nii.gz").stat().st_size for name in "ab")
    assert image > 100 < masks
    assert image != masks
    if packed:
        root = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", root))
    rows = {case.id: measure_files(case, "").case for case in open_dataset(root)}
    assert (rows["s0001"]["image_bytes"], rows["s0001"]["mask_bytes"]) == (image, masks)
    assert (rows["s0002"]["image_bytes"], rows["s0002"]["mask_bytes"]) == (None, 0)
    assert rows["s0003"]["mask_bytes"] == 0


def test_bytes_that_no_server_tells_are_unknown(write, monkeypatch: pytest.MonkeyPatch):
    listing = Folder.ls
    monkeypatch.setattr(Folder, "ls", lambda *given: [e._replace(size=0) for e in listing(*given)])
    row = measure_files(open_dataset(write({"s0001": {"a": blobs(1)}}))["s0001"], "").case
    assert (row["image_bytes"], row["mask_bytes"]) == (None, None)

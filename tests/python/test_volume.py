import gzip
import itertools

import nibabel as nib
import numpy as np
import pytest
from samples import AFFINE, SHAPE, box_mask, nifti_bytes

from explorer import open_dataset
from explorer.errors import UnknownName, VolumeError
from explorer.grid import Grid, closest_ras
from explorer.nifti import parse
from explorer.volume import MaskReader, Volume, percentiles, read_image, read_masks

ORIENTATIONS = ["RAS", "LPS", "LIP", "PIL", "PSR", "ASL", "SRA", "IPL"]


def oriented(orientation: str, tilt_degrees: float = 0.0) -> Grid:
    """A grid of unequal axes and spacings whose axes run in the given directions."""
    ornt = nib.orientations.axcodes2ornt(tuple(orientation))
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(ornt):
        affine[int(world), axis] = sign * (1.0, 2.0, 3.5)[axis]
    angle = np.radians(tilt_degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = (-11, 5, 40)
    return Grid(SHAPE, affine)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8", ">i2", ">f4"])
def test_voxels_are_as_nibabel_reads_them(dtype: str):
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype) % 200
    found = parse(nifti_bytes(array), "x.nii.gz")
    np.testing.assert_array_equal(found.voxels, array)
    np.testing.assert_allclose(found.affine, AFFINE)
    assert (found.slope, found.inter) == (1.0, 0.0)
    assert not found.voxels.flags.writeable


def test_scaling_is_honoured():
    def scale(header):
        header["scl_slope"], header["scl_inter"] = 2.5, -7

    stored = np.full(SHAPE, 40_000, np.uint16)
    data = bytearray(gzip.decompress(nifti_bytes(stored)))
    header = nib.Nifti1Header(bytes(data[:348]))
    scale(header)
    data[:348] = header.binaryblock
    found = parse(bytes(data), "x.nii")
    volume = Volume(found.voxels, Grid(SHAPE, found.affine), found.slope, found.inter)
    assert volume.values().max() == 99_993  # beyond int16, as in some data sets


def test_several_gzip_members_are_one_file():
    whole = gzip.decompress(nifti_bytes(np.ones(SHAPE, np.int16)))
    data = gzip.compress(whole[:500]) + gzip.compress(whole[500:])
    assert parse(data, "x").voxels.sum() == np.prod(SHAPE)


def damaged(kind: str) -> bytes:
    data = nifti_bytes(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE))
    raw = gzip.decompress(data)
    if kind == "cut short":
        return data[: len(data) // 2]
    if kind == "CRC":
        return data[:-8] + bytes(8)
    if kind == "needs":
        return gzip.compress(raw[:-100])
    if kind == "more than":
        return gzip.compress(raw + bytes(100))
    if kind == "not a NIfTI":
        return gzip.compress(b"PK" + raw[2:])
    if kind == "no NIfTI file":
        return b""
    changed = bytearray(raw)
    header = nib.Nifti1Header(bytes(raw[:348]))
    if kind == "dimensions":
        header["dim"][:5] = (4, 7, 8, 9, 3)
    elif kind == "plausible":
        header["dim"][:4] = (3, 32_000, 32_000, 32_000)
    elif kind == "not finite":
        header["srow_x"] = np.nan
    elif kind == "singular":
        header["srow_x"] = 0
    elif kind == "RGB":
        header["datatype"], header["bitpix"] = 128, 24
    elif kind == "not valid":
        header["datatype"] = 3
    elif kind == "declares the shape":
        header["dim"][1] = -7
    changed[:348] = header.binaryblock
    return gzip.compress(bytes(changed))


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "cut short",
            "CRC",
            "needs",
            "more than",
            "not a NIfTI",
            "no NIfTI file",
            "dimensions",
            "plausible",
        ),
        *("not finite", "singular", "RGB", "not valid", "declares the shape"),
    ],
)
def test_damaged_files_are_refused_by_name(kind: str):
    words = {"CRC": "damaged gzip data"}
    with pytest.raises(VolumeError, match=words.get(kind, kind)) as caught:
        parse(damaged(kind), "s0001/mri.nii.gz")
    assert "s0001/mri.nii.gz" in str(caught.value)


def test_a_gzip_bomb_is_stopped_at_what_the_header_declares():
    raw = gzip.decompress(nifti_bytes(np.ones(SHAPE, np.int16)))
    bomb = gzip.compress(raw + bytes(300 * 2**20), 9)
    with pytest.raises(VolumeError, match="more than"):
        parse(bomb, "bomb")


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("tilt", [0, 12])
def test_grid_and_its_nearest_anatomical_axes(orientation: str, tilt: float):
    grid = oriented(orientation, tilt)
    assert grid.orientation == orientation == "".join(nib.aff2axcodes(grid.affine))
    np.testing.assert_allclose(grid.spacing_mm, (1.0, 2.0, 3.5))
    assert grid.voxel_volume_ml == pytest.approx(0.007)
    assert grid.oblique == bool(tilt)
    assert grid.tilt_degrees == pytest.approx(tilt, abs=1e-6)
    assert grid.orthogonal
    marks = np.random.default_rng(0).random(SHAPE)
    turned, turned_grid = closest_ras(marks, grid)
    assert turned_grid.orientation == "RAS"
    assert np.shares_memory(turned, marks)
    for ijk in itertools.product((0, 3, 6), (0, 7), (0, 4, 8)):
        xyz = turned_grid.to_voxel(grid.to_world(ijk))
        assert turned[tuple(np.round(xyz).astype(int))] == marks[ijk]
        np.testing.assert_allclose(grid.to_voxel(grid.to_world(ijk)), ijk, atol=1e-9)


def test_a_sheared_grid_has_the_volume_of_its_determinant():
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 1] = 1.0
    grid = Grid(SHAPE, affine)
    assert not grid.orthogonal
    assert grid.voxel_volume_ml == pytest.approx(0.008)
    assert grid.voxel_volume_ml < np.prod(grid.spacing_mm) / 1000


def test_masks_that_overlap_are_exact(write):
    masks = {
        "a": box_mask((1, 5), (1, 5), (1, 5)),
        "b": box_mask((3, 7), (2, 6), (1, 5)),
        "c": box_mask((4, 6), (4, 8), (2, 9)),
        "empty": np.zeros(SHAPE, np.uint8),
    }
    case = open_dataset(write({"s0001": masks}))["s0001"]
    labels = read_masks(case, read_image(case).grid)
    assert labels.sets[0] == ()
    assert labels.names == ("a", "b", "c", "empty")
    for name, mask in masks.items():
        members = [i for i, names in enumerate(labels.sets) if name in names]
        np.testing.assert_array_equal(np.isin(labels.ids, members), mask == 1)


def test_more_than_255_sets_do_not_wrap(write):
    rng = np.random.default_rng(1)
    masks = {f"m{n:02}": rng.integers(0, 2, SHAPE).astype(np.uint8) for n in range(12)}
    case = open_dataset(write({"s0001": masks}))["s0001"]
    labels = read_masks(case, read_image(case).grid)
    assert labels.ids.dtype == np.uint16
    assert len(labels.sets) > 256
    for name, mask in masks.items():
        members = [i for i, names in enumerate(labels.sets) if name in names]
        np.testing.assert_array_equal(np.isin(labels.ids, members), mask == 1)


def test_masks_on_a_foreign_grid_are_refused_and_the_others_stay(write):
    shifted = AFFINE.copy()
    shifted[0, 3] += 1.0
    masks = {
        "good": box_mask((1, 3), (1, 3), (1, 3)),
        "moved": nifti_bytes(box_mask((1, 3), (1, 3), (1, 3)), shifted),
        "small": np.ones((7, 8, 8), np.uint8),
        "cut": nifti_bytes(box_mask((1, 3), (1, 3), (1, 3)))[:60],
    }
    case = open_dataset(write({"s0001": masks}))["s0001"]
    labels = read_masks(case, read_image(case).grid)
    assert labels.names == ("good",)
    assert "by up to 1 mm" in labels.problems["moved"]
    assert "(7, 8, 8)" in labels.problems["small"]
    assert "cut short" in labels.problems["cut"]


def test_the_affine_may_differ_by_rounding(write):
    close = AFFINE + 1e-4
    close[3] = AFFINE[3]
    case = open_dataset(write({"s0001": {"a": nifti_bytes(box_mask((1, 2), (1, 2), (1, 2)), close)}}))[
        "s0001"
    ]
    assert not read_masks(case, read_image(case).grid).problems


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_masks_of_any_type_are_binary_and_odd_values_are_told(write, dtype: type):
    values = np.zeros(SHAPE, dtype)
    values[1, 1, 1], values[2, 2, 2], values[3, 3, 3] = 1, 3, 0.5 if dtype == np.float32 else 7
    case = open_dataset(write({"s0001": {"a": values}}))["s0001"]
    mask = MaskReader(case, read_image(case).grid).read("a")
    assert mask.inside.sum() == 3
    assert len(mask.odd_values) == 2
    with pytest.raises(UnknownName):
        MaskReader(case, read_image(case).grid).read("b")


def test_bounding_box_is_that_of_the_voxels(write):
    rng = np.random.default_rng(2)
    shares = [0, 0.002, 0.004, 0.02] * 6
    masks = {f"m{n}": (rng.random(SHAPE) < share).astype(np.uint8) for n, share in enumerate(shares)}
    reader = MaskReader(open_dataset(write({"s0001": masks}))["s0001"], Grid(SHAPE, AFFINE))
    for name, array in masks.items():
        found = reader.read(name).box
        where = np.argwhere(array)
        expected = (
            [slice(a, b + 1) for a, b in zip(where.min(0), where.max(0), strict=True)] if len(where) else None
        )
        assert (list(found) if found else None) == expected


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.uint16, np.float32])
def test_percentiles_are_those_of_finite_non_zero_values(dtype: type):
    rng = np.random.default_rng(3)
    array = (rng.gamma(2, 30, SHAPE) - (20 if dtype == np.int16 else 0)).clip(
        0 if dtype != np.int16 else -99, 250
    )
    array = np.asfortranarray(array.astype(dtype))
    if dtype == np.float32:
        array[0, 0] = np.nan
        array[0, 1] = np.inf
    volume = Volume(array, Grid(SHAPE, AFFINE), 2.0, 3.0)
    values = array.astype(float) * 2 + 3
    values = values[np.isfinite(values) & (values != 0)]
    np.testing.assert_allclose(
        percentiles(volume, (1, 50, 99)), np.percentile(values, (1, 50, 99)), rtol=1e-6
    )


def test_percentiles_of_nothing_are_nan():
    assert np.isnan(percentiles(Volume(np.zeros(SHAPE, np.int16), Grid(SHAPE, AFFINE)), (1, 99))).all()

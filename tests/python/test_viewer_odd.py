"""Data as they should not be: what is refused by name, what is shown, and that the viewer goes on."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from samples import AFFINE, SHAPE, box_mask, nifti_bytes
from viewing import cut

from explorer import Cohort, Selection, open_dataset
from explorer.errors import VolumeError
from explorer.structures import structure
from explorer.views.viewer import Viewer

RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
IMAGE = np.random.default_rng(0).integers(1, 900, SHAPE).astype(np.int16)
FILE = nifti_bytes(IMAGE)
BOX = box_mask((1, 3), (2, 5), (3, 8))
GOOD = {"mri": FILE, "liver": BOX}


def edited(offset: int, new: bytes) -> bytes:
    """The file with other bytes in its header."""
    raw = bytearray(gzip.decompress(FILE))
    raw[offset : offset + len(new)] = new
    return gzip.compress(bytes(raw))


EXPORT = "Write the file again"
REFUSED: dict[str, tuple[bytes, str, str]] = {
    # What is wrong, with its value, and what to do.
    "half": (FILE[: len(FILE) // 2], "cut short", "Fetch it again"),
    "nothing": (b"", "0 bytes are no NIfTI file", "Fetch the file again"),
    "garbage": (b"garbage " * 99, "it starts with b'garb'", EXPORT),
    "zipped garbage": (gzip.compress(b"garbage " * 99), "it starts with b'garb'", EXPORT),
    "another sum": (FILE[:-8] + bytes(4) + FILE[-4:], "Incorrect checksum", "Fetch the file again"),
    "more than declared": (
        gzip.compress(gzip.decompress(FILE) + b"more"),
        "more than the 1,360 bytes",
        EXPORT,
    ),
    "no magic": (edited(344, b"bad\0"), "magic b'bad'", EXPORT),
    "negative dimensions": (edited(40, b"\xff\xff"), "-1 dimensions", EXPORT),
    "no slice": (edited(46, bytes(2)), "the shape (7, 8, 0)", EXPORT),
    "huge": (edited(42, b"\xff\x7f" * 3), "70,362,301,923,326 bytes", EXPORT),
    "a type there is not": (edited(70, b"\x99\x99"), "-26215", EXPORT),
    "nowhere": (edited(280, np.full(12, np.nan, "<f4").tobytes()), "nan", EXPORT),
    "flat": (edited(280, bytes(48)), "singular", EXPORT),
    "an intercept that is none": (edited(116, b"\0\0\xc0\x7f"), "intercept nan", EXPORT),
    "colours": (nifti_bytes(np.zeros(SHAPE, RGB)), "('R', 'u1')", "Convert the file"),
    "complex": (nifti_bytes(np.zeros(SHAPE, np.complex64)), "complex64", "Convert the file"),
    "five frames": (nifti_bytes(np.zeros((*SHAPE, 5), np.int16)), "(7, 8, 9, 5)", "Split the file"),
    "five dimensions": (nifti_bytes(np.zeros((*SHAPE, 1, 3), np.int16)), "(7, 8, 9, 1, 3)", "Split the file"),
}


@pytest.fixture
def viewer(write: Callable[..., Path]) -> Callable[..., Viewer]:
    def make(**cases: dict[str, Any]) -> Viewer:
        dataset = open_dataset(write(cases))
        return Viewer(Selection(Cohort.join(dataset.meta)), dataset)

    return make


def assert_good(view: Viewer, case: str = "good") -> None:
    view.selection.open(case)
    assert (view.error, view.busy, view.scene["case"]) == ("", "", case)
    assert cut(view, "axial", 4, "image").max() > 0
    assert view.snapshot(width=400, height=300)


@pytest.mark.parametrize("what", REFUSED)
def test_an_image_that_cannot_be_read_is_refused_by_name_and_the_others_work(viewer, what: str):
    data, value, advice = REFUSED[what]
    view = viewer(bad={"mri": data}, good=GOOD)
    assert_good(view)
    view.selection.open("bad")
    assert view.error.startswith("bad/mri.nii.gz: ")
    assert value in view.error
    assert advice in view.error
    assert (view.scene, view.labels, view.busy) == ({}, {}, "")  # nothing of the case before
    with pytest.raises(VolumeError, match="no picture of 'bad'") as caught:
        view.snapshot()
    assert view.error in str(caught.value)
    assert_good(view)


def test_a_file_that_is_not_there_or_has_gone_is_named(viewer, tmp_path: Path):
    view = viewer(none={"mri": None, "empty": np.zeros(SHAPE, np.uint8)}, gone={"mri": FILE}, good=GOOD)
    (tmp_path / "set/none/segmentations/empty.nii.gz").unlink()
    (tmp_path / "set/gone/mri.nii.gz").unlink()
    for case, words in (
        ("none", "none has no image in 'none': put it there"),
        ("gone", "No file 'gone/mri.nii.gz'"),
    ):
        view.selection.open(case)
        assert words in view.error
        with pytest.raises(VolumeError, match=f"no picture of '{case}'"):
            view.snapshot()
        assert_good(view)


@pytest.mark.parametrize("what", ["half", "garbage", "five frames"])
def test_masks_are_shown_without_their_image_and_a_picture_says_so(viewer, what: str):
    data, value, advice = REFUSED[what]
    view = viewer(bad={"mri": data, "liver": BOX}, good=GOOD)
    view.selection.open("bad")
    assert value in view.error
    assert advice in view.error
    assert "Only its masks are shown" in view.error
    assert cut(view, "axial", 4, "labels").max() == 1
    with Image.open(io.BytesIO(view.snapshot())) as image:
        told = np.asarray(image)
    view._picture.problem = ""
    with Image.open(io.BytesIO(view.snapshot())) as image:
        assert (np.asarray(image) != told)[450:, 600:].any()  # the words in the legend
    assert_good(view)


def test_masks_that_cannot_be_read_are_named_and_the_image_is_shown(viewer):
    shifted = AFFINE.copy()
    shifted[1, 3] += 4
    bad = {
        "half": nifti_bytes(BOX)[:90],
        "missing_header": b"",
        "shorter": nifti_bytes(BOX[:, :, :5]),
        "elsewhere": nifti_bytes(BOX, shifted),
        "colour": nifti_bytes(np.zeros(SHAPE, RGB)),
        "frames": nifti_bytes(np.zeros((*SHAPE, 2), np.uint8)),
    }
    view = viewer(bad={"mri": FILE, "liver": BOX, **bad})
    view.selection.open("bad")
    status = {row["name"]: row["status"] for row in view.labels["structures"]}
    assert {name for name, known in status.items() if known == "unreadable"} == set(bad)
    assert "Nor can these masks be read: " in view.error
    assert "and 1 more" not in view.error
    assert cut(view, "axial", 4, "image").max() > 0
    assert cut(view, "axial", 4, "labels").max() == 1
    problems = view._picture.labels.problems
    for name, words in {
        "half": "the gzip data end too early",
        "missing_header": "0 bytes",
        "shorter": "the shape (7, 8, 5), its image (7, 8, 9). Resample it",
        "elsewhere": "by up to 4 mm. Resample it",
        "colour": "Convert the file",
        "frames": "Split the file",
    }.items():
        assert f"bad/segmentations/{name}.nii.gz" in problems[name]
        assert words in problems[name], name
    assert view.snapshot()


def with_holes() -> np.ndarray:
    values = IMAGE.astype(np.float32)
    values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = np.nan, np.inf, -np.inf
    return values


ODD: dict[str, np.ndarray] = {
    "one slice": IMAGE[:, :, :1],
    "one row": IMAGE[:1],
    "one voxel": IMAGE[:1, :1, :1],
    "two dimensions": IMAGE[:, :, 0],
    "one frame": IMAGE[..., None],
    "NaN and infinite values": with_holes(),
    "nothing but NaN": np.full(SHAPE, np.nan, np.float32),
    "nothing but infinite": np.full(SHAPE, -np.inf),
    "constant": np.full(SHAPE, 7, np.int16),
    "constant and broken": np.full(SHAPE, 2.5, np.float32),
    "all zero": np.zeros(SHAPE, np.uint8),
    "very wide": IMAGE.astype(np.int64) * 2**40,
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_odd_but_can_be_seen_is_shown(viewer, what: str):
    values = ODD[what]
    view = viewer(odd={"mri": values}, good=GOOD)
    assert_good(view)
    view.selection.open("odd")
    assert (view.error, view.busy, view.scene["case"]) == ("", "", "odd")
    low, high = view.scene["window"]
    assert np.isfinite([low, high]).all()
    assert low < high
    for plane in ("axial", "coronal", "sagittal"):
        for coarse in ({}, {"coarse": True, "stride": 2}):
            cut(view, plane, 0, "image", **coarse)
    for layout in ("grid", "axial", "coronal", "sagittal", "mosaic", "sheet"):
        assert view.snapshot(layout=layout, width=400, height=300)
    assert_good(view)


def test_values_that_are_not_finite_are_the_ends_of_the_scale(viewer):
    view = viewer(odd={"mri": with_holes()})
    view.selection.open("odd")
    finite = IMAGE.astype(float)
    for hole, sent in (((0, 0, 0), 0), ((1, 1, 1), 65535), ((2, 2, 2), 0)):
        x, y, z = SHAPE[0] - 1 - hole[0], hole[1], hole[2]  # the file runs to the left
        assert cut(view, "axial", z, "image")[y, x] == sent
        finite[hole] = np.nan
    x, y, z = 3, 5, 6
    value = cut(view, "axial", z, "image")[y, x] * view.scene["scale"] + view.scene["offset"]
    assert value == pytest.approx(finite[SHAPE[0] - 1 - x, y, z], abs=0.01)


def test_no_masks_and_masks_with_nothing_in_them(viewer):
    view = viewer(none={"mri": FILE}, empty={"mri": FILE, "liver": np.zeros(SHAPE, np.uint8)})
    view.selection.open("none")
    assert (view.labels["structures"], view.labels["complete"]) == ([], True)
    view.selection.open("empty")
    assert [row["status"] for row in view.labels["structures"]] == ["absent"]
    assert view.labels["sets"] == [[]]
    with Image.open(io.BytesIO(view.snapshot())) as image:
        color = bytes.fromhex(structure("liver").color[1:])
        assert not (np.asarray(image) == tuple(color)).all(axis=2).any()
    assert view.error == ""

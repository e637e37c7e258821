"""Cases that cannot be shown, and odd ones that can, in the page: words, nothing left over, and on it goes."""

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from viewer_page import at, bridge, letters, said
from widgets import Bridge, Stub

from explorer import Cohort, Selection, open_dataset
from explorer.views.viewer import Viewer

SHAPE = (30, 24, 18)
IMAGE = np.random.default_rng(0).integers(1, 900, SHAPE).astype(np.int16)
BOX = np.zeros(SHAPE, np.uint8)
BOX[8:20, 6:18, 4:14] = 1
LIT = """() => [...document.querySelectorAll('.xp-plane-axial canvas, .xp-plane-coronal canvas, .xp-plane-sagittal canvas')].map((c) => {
    const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;
    for (let i = 0; i < d.length; i += 4) n += d[i] > 40 && Math.abs(d[i] - d[i + 2]) < 9;
    return n; })"""


def packed(values: np.ndarray, size: float = 1) -> bytes:
    affine = np.diag([-3.0 * size, 3 * size, 5 * size, 1])
    return gzip.compress(nib.Nifti1Image(values, affine, dtype=values.dtype).to_bytes(), 1)


def holes() -> np.ndarray:
    values = IMAGE.astype(np.float32)
    values[10:20, 10:14], values[0], values[1] = np.nan, np.inf, -np.inf
    return values


def far() -> np.ndarray:
    values = (IMAGE / 7).astype(np.float32)
    values[0, 0, 0] = 1e7
    return values


FILES: dict[str, dict[str, bytes | None]] = {
    "good": {"mri": packed(IMAGE), "liver": packed(BOX)},
    "half": {"mri": packed(IMAGE)[:9000]},
    "rubbish": {"mri": b"<b>rubbish</b>" * 40},
    "none": {"mri": None, "liver": packed(BOX)},
    "rgb": {"mri": packed(np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")]))},
    "frames": {"mri": packed(np.zeros((*SHAPE, 7), np.int16))},
    "slice": {"mri": packed(IMAGE[:, :, :1]), "liver": packed(BOX[:, :, 6:7])},
    "holes": {"mri": packed(holes()), "liver": packed(BOX)},
    "far": {"mri": packed(far()), "liver": packed(BOX)},
    "huge": {"mri": packed(IMAGE, 1e30), "liver": packed(BOX, 1e30)},
    "constant": {"mri": packed(np.full(SHAPE, 7, np.int16)), "liver": packed(BOX)},
    "mask": {
        "mri": packed(IMAGE),
        "liver": packed(BOX)[:40],
        "spleen": packed(BOX),
        "aorta": packed(BOX[:9]),
    },
}


@pytest.fixture
def shown(tmp_path: Path, stub: Callable[..., Stub]) -> Bridge:
    for case, files in FILES.items():
        (tmp_path / case / "segmentations").mkdir(parents=True)
        for name, data in files.items():
            if data is not None:
                folder = tmp_path / case if name == "mri" else tmp_path / case / "segmentations"
                (folder / f"{name}.nii.gz").write_bytes(data)
    dataset = open_dataset(tmp_path)
    selection = Selection(Cohort.join(dataset.meta))
    return bridge(Viewer(selection, dataset), stub)


def good(bridge: Bridge) -> None:
    bridge.view.selection.open("good")
    bridge.settle()
    assert min(bridge.page.evaluate(LIT)) > 3_000
    assert bridge.page.inner_text(".xp-error") == ""
    assert letters(bridge, "axial") == ["R", "L", "A", "P"]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("half", "cut short. Fetch it again"),
        ("rubbish", "it starts with b'<b>r'"),
        ("rgb", "no RGB"),
        ("frames", "(30, 24, 18, 7); only three-dimensional volumes are shown. Split the file"),
    ],
)
def test_what_cannot_be_shown_is_named_and_nothing_of_the_case_before_is_left(
    shown: Bridge, case: str, words: str
):
    good(shown)
    shown.view.selection.open(case)
    shown.settle()
    told = shown.page.inner_text(".xp-error")
    assert told.startswith(f"{case}/mri.nii.gz: ")
    assert words in told
    assert shown.page.locator(".xp-error b").count() == 0
    assert max(shown.page.evaluate(LIT)) == 0
    assert (said(shown), letters(shown, "axial")) == ("", ["", "", "", ""])
    # What is heard follows after a while.
    shown.page.wait_for_function(
        "!document.querySelector('.xp-viewer').innerText.includes('good')", timeout=5000
    )
    assert "the reason is told below" in shown.page.inner_text(".xp-note")
    assert shown.page.locator(".xp-structure").count() == 0
    shown.page.focus(".xp-planes")
    for key in ("ArrowUp", "PageDown", "s", "i", "m", "x", "x", "r", "5", "1", "?", "Escape"):
        shown.page.keyboard.press(key)
    shown.settle()
    good(shown)


def test_masks_without_an_image_are_on_black_and_said_to_be(shown: Bridge):
    good(shown)
    shown.view.selection.open("none")
    shown.settle()
    assert "none has no image" in shown.page.inner_text(".xp-error")
    assert "Only its masks are shown" in shown.page.inner_text(".xp-error")
    assert max(shown.page.evaluate(LIT)) < 50  # no grey of the case before
    assert "none" in shown.page.inner_text(".xp-plane-axial .xp-tl")
    good(shown)


def test_one_slice_is_a_slice(shown: Bridge):
    good(shown)
    shown.view.selection.open("slice")
    shown.settle()
    assert shown.page.inner_text(".xp-plane-axial .xp-br").startswith("1 of 1 ")
    assert shown.page.evaluate(LIT)[0] > 3_000
    shown.page.focus(".xp-planes")
    for key in ("ArrowUp", "PageDown", "Home", "End", "ArrowLeft", ".", ",", "5", "6", "1", "i", "i"):
        shown.page.keyboard.press(key)
        shown.settle()
    assert shown.page.inner_text(".xp-error") == ""
    good(shown)


@pytest.mark.parametrize("case", ["holes", "constant", "huge"])
def test_odd_values_are_drawn_and_read_off(shown: Bridge, case: str):
    good(shown)
    lit = shown.page.evaluate(LIT)
    shown.view.selection.open(case)
    shown.settle()
    assert "value" in said(shown)
    assert case in shown.page.inner_text(".xp-plane-axial .xp-tl")
    assert shown.page.inner_text(".xp-error") == ""
    if case == "huge":
        assert shown.page.evaluate(LIT) == pytest.approx(lit, rel=1e-3)
    good(shown)


def test_a_value_that_was_rounded_on_its_way_is_asked_for_once_the_hand_rests(shown: Bridge):
    def value() -> str:
        return next(part for part in said(shown).split(" · ") if part.startswith("value"))[6:]

    def move(*voxel: int) -> list[int]:
        """Put the crosshair there; returns the voxel as the file has it."""
        point = shown.view._picture.grid.to_world(voxel)
        shown.view.selection.point = tuple(point.tolist())
        return [round(float(at)) for at in shown.view._picture.as_stored.to_voxel(point)]

    shown.view.selection.open("far")
    shown.settle()
    place = tuple(move(12, 9, 7))
    assert value().startswith("≈ ")
    assert float(value()[2:]) == pytest.approx(far()[place], abs=0.06)
    shown.settle()
    assert value() == f"{far()[place]:.7g}"
    x, y = at(shown, "axial", 0.4, 0.6)
    shown.page.mouse.move(x - 30, y)
    shown.page.mouse.move(x, y)
    shown.settle()
    i, j, k = (int(n) for n in said(shown).split("voxel ")[1].split(" · ")[0].split())
    assert shown.stub.sent_of("value")[-1]["voxel"] == [SHAPE[0] - 1 - i, j, k]  # the file runs to the left
    assert value() == f"{far()[i, j, k]:.7g}"
    assert len(shown.stub.sent_of("value")) == 3  # at first, there, and not of what it went over
    assert value() in shown.page.inner_text(".xp-card")
    assert not value().startswith("≈")
    shown.page.mouse.move(1, 1)
    shown.view.selection.open("holes")
    shown.settle()
    move(30 - 1 - 15, 12, 9)
    shown.settle()
    assert value() == "none (NaN)"
    asked = len(shown.stub.sent_of("value"))
    good(shown)
    move(3, 4, 5)
    shown.settle()
    assert value().isdecimal()
    assert len(shown.stub.sent_of("value")) == asked  # nothing was rounded


def test_masks_that_cannot_be_read_are_in_the_list_and_the_others_drawn(shown: Bridge):
    shown.view.selection.open("mask")
    shown.settle()
    assert "Nor can these masks be read: " in shown.page.inner_text(".xp-error")
    rows = {
        row.get_attribute("data-structure"): row.inner_text()
        for row in shown.page.locator(".xp-structure").all()
    }
    assert set(rows) == {"liver", "spleen", "aorta"}
    assert min(shown.page.evaluate(LIT)) > 3_000

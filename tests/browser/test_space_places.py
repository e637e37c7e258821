"""Slices and crosshair in 3D: what is drawn, and that it is where the patient has it."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from browser import GL, chromium_with
from PIL import Image
from test_space import TRAITS, settle
from widgets import Bridge, Stub

from explorer import Cohort, Selection, open_dataset
from explorer.views.viewer import Viewer

chromium = chromium_with(*GL)

SHAPE, SPACING = (60, 50, 40), (3.0, 4.0, 5.0)
BLOCK = ((6, 36), (10, 35), (18, 38))
"""Of bright voxels along x, y and z of the patient (RAS+): on all three middle slices, in the middle of none."""

SIDES = {"Front": (0, -1, 2, 1), "Left": (1, -1, 2, 1), "Above": (0, 1, 1, 1)}
"""Axis and direction that run to the right and upwards; the patient's right, where x grows, is on the left from the front."""


@pytest.fixture
def opened(tmp_path: Path, stub: Callable[..., Stub]) -> Callable[..., Bridge]:
    def make(orientation: str, voxel: tuple[int, int, int]) -> Bridge:
        image = np.full(SHAPE, 300, np.int16)
        image[tuple(slice(*span) for span in BLOCK)] = 1000
        affine = np.diag([*SPACING, 1.0])
        upright = nib.Nifti1Image(image, affine)
        turn = nib.orientations.ornt_transform(
            nib.io_orientation(affine), nib.orientations.axcodes2ornt(tuple(orientation))
        )
        (tmp_path / "s0001/segmentations").mkdir(parents=True)
        data = upright.as_reoriented(turn).to_bytes()
        (tmp_path / "s0001/mri.nii.gz").write_bytes(gzip.compress(data, 1))
        dataset = open_dataset(tmp_path)
        selection = Selection(Cohort.join(dataset.meta))
        selection.layout, selection.window, selection.case = "3d", (0, 1000), "s0001"
        selection.point = tuple((affine @ (*voxel, 1))[:3].tolist())
        view = Viewer(selection, dataset)
        view.options = {"crosshair": False}
        bridge = Bridge(view, stub, "viewer", [*TRAITS, "options"], theme="dark")
        settle(bridge, 0)
        return bridge

    return make


def drawn(bridge: Bridge) -> np.ndarray:
    """Return the grey of each pixel of the tile, without what lies over its canvas."""
    bridge.page.wait_for_timeout(300)
    bridge.page.add_style_tag(content=".xp-3d > :not(canvas) { display: none !important; }")
    with Image.open(io.BytesIO(bridge.page.locator(".xp-canvas-3d").screenshot())) as picture:
        return np.asarray(picture.convert("L")).astype(int)


def look_from(bridge: Bridge, side: str) -> None:
    bridge.page.evaluate(
        """(side) => [...document.querySelectorAll('.xp-3d-item')].find((item) => item.textContent === side).click()""",
        side,
    )


def span(lit: np.ndarray) -> tuple[float, float]:
    """Return where most rows begin and end to be lit; those that show another slice from its edge are few."""
    rows = lit[lit.any(axis=1)]
    return float(np.median(rows.argmax(axis=1))), float(
        np.median(lit.shape[1] - rows[:, ::-1].argmax(axis=1))
    )


def shares(axis: int, direction: int, first: float, last: float) -> list[float]:
    """Return how far from the left or from below a run of voxels begins and ends."""
    ends = [first / SHAPE[axis], last / SHAPE[axis]]
    return ends if direction > 0 else [1 - ends[1], 1 - ends[0]]


@pytest.mark.parametrize("orientation", ["RAS", "PIL"])
def test_slices_in_space_show_the_picture_where_it_belongs(opened: Callable[..., Bridge], orientation: str):
    bridge = opened(orientation, (30, 25, 20))
    empty = drawn(bridge)
    bridge.page.evaluate("document.querySelector('.xp-3d-btn').click()")
    bridge.settle()
    for side, (across, right, upward, up) in SIDES.items():
        look_from(bridge, side)
        grey = drawn(bridge)
        slice_, block = np.abs(grey - np.median(empty)) > 15, grey > 160
        assert 55 < np.median(grey[slice_ & ~block]) < 110  # 300 of 1000
        for axis, direction, pixels in ((across, right, (slice_, block)), (upward, up, (slice_.T, block.T))):
            low, high = span(pixels[0])
            found = [(place - low) / (high - low) for place in span(pixels[1])]
            if pixels[0] is not slice_:  # rows run downwards
                found = [1 - found[1], 1 - found[0]]
            assert found == pytest.approx(shares(axis, direction, *BLOCK[axis]), abs=0.02), (side, axis)


@pytest.mark.parametrize("voxel", [(12, 25, 31), (50, 25, 6)])
def test_the_crosshair_in_space_goes_through_its_point(opened: Callable[..., Bridge], voxel: tuple):
    bridge = opened("LIP", voxel)
    for side, (across, right, upward, up) in {"Front": SIDES["Front"], "Above": SIDES["Above"]}.items():
        bridge.stub.set("options", {"crosshair": False})
        look_from(bridge, side)
        without = drawn(bridge)
        bridge.stub.set("options", {"crosshair": True})
        lit = np.abs(drawn(bridge) - without) > 8
        assert 100 < lit.sum() < 12_000  # lines, no areas
        row, column = int(lit.sum(axis=1).argmax()), int(lit.sum(axis=0).argmax())
        along, down = np.flatnonzero(lit[row]), np.flatnonzero(lit[:, column])
        found = [
            (column - along[0]) / (along[-1] - along[0]),
            1 - (row - down[0]) / (down[-1] - down[0]),
        ]
        expected = [
            shares(axis, direction, voxel[axis] + 0.5, voxel[axis] + 0.5)[0]
            for axis, direction in ((across, right), (upward, up))
        ]
        assert found == pytest.approx(expected, abs=0.02), side

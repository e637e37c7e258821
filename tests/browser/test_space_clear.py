"""Transparent surfaces in 3D: what lies in, before and behind them is seen so from every side."""

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
from explorer.views.view import Answer, Message, OutdatedError
from explorer.views.viewer import Viewer

chromium = chromium_with(*GL)

SIZE = 64
COLORS = (("liver", "#2050ff"), ("aorta", "#ff3020"), ("spleen", "#20ff40"))


def ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    i, j, k = np.indices((SIZE, SIZE, SIZE)) - np.reshape(centre, (3, 1, 1, 1))
    return (i**2 + j**2 + k**2 <= radius**2).astype(np.uint8)


@pytest.fixture
def opened(tmp_path: Path, stub: Callable[..., Stub]) -> Callable[..., Bridge]:
    """A viewer in 3D with balls of given centre, radius and opacity; y runs to the front."""

    def make(
        prepare: Callable[[Viewer], None] = lambda view: None,
        **balls: tuple[tuple[float, float, float], float, float],
    ) -> Bridge:
        (tmp_path / "s0001/segmentations").mkdir(parents=True)
        image = np.full((SIZE, SIZE, SIZE), 900, np.int16)
        files = {"mri": image} | {f"segmentations/{name}": ball(c, r) for name, (c, r, _) in balls.items()}
        for name, values in files.items():
            data = nib.Nifti1Image(values, np.diag([3.0, 3, 3, 1]), dtype=values.dtype).to_bytes()
            (tmp_path / f"s0001/{name}.nii.gz").write_bytes(gzip.compress(data, 1))
        dataset = open_dataset(tmp_path)
        selection = Selection(Cohort.join(dataset.meta))
        selection.layout, selection.window, selection.colors = "3d", (0, 1000), COLORS
        selection.opacities = tuple((name, opacity) for name, (_, _, opacity) in balls.items())
        selection.case = "s0001"
        view = Viewer(selection, dataset, store=str(tmp_path / "store"))
        view.options = {"crosshair": False}
        prepare(view)
        bridge = Bridge(view, stub, "viewer", [*TRAITS, "colors", "opacities", "options"], theme="dark")
        settle(bridge, len(balls))
        return bridge

    return make


def seen(bridge: Bridge, side: str) -> np.ndarray:
    """Mean red, green and blue in the middle of the picture from a side."""
    bridge.page.get_by_role("button", name="More", exact=True).click()
    bridge.page.locator(".xp-3d-menu").get_by_role("button", name=side, exact=True).click()
    bridge.page.wait_for_timeout(250)
    with Image.open(io.BytesIO(bridge.page.locator(".xp-canvas-3d").screenshot())) as image:
        pixels = np.asarray(image.convert("RGB")).astype(float)
    y, x = (n // 2 for n in pixels.shape[:2])
    return pixels[y - 4 : y + 5, x - 4 : x + 5].mean(axis=(0, 1))


MIDDLE = (31.5, 31.5, 31.5)


@pytest.mark.parametrize("opacity", [0.6, 1.0])
def test_what_lies_in_a_transparent_surface_is_behind_its_near_side(opened: Callable, opacity: float):
    """Whether it is in the front half or in the back half, it is under one side and over the other."""
    bridge = opened(liver=(MIDDLE, 28, 0.5), aorta=((31.5, 45.5, 31.5), 9, opacity))
    near, far = seen(bridge, "Front"), seen(bridge, "Back")
    assert near[0] > 60  # the vessel is seen
    assert near[2] > 60  # through the organ
    assert np.abs(near - far).max() < 20, (near, far)
    inside = seen(bridge, "Left")  # beside the vessel
    assert inside[2] > 2 * inside[0]


def test_of_two_side_by_side_the_near_one_covers_the_far_one(opened: Callable):
    bridge = opened(aorta=((31.5, 48, 31.5), 11, 0.7), spleen=((31.5, 15, 31.5), 11, 0.7))
    front, back = seen(bridge, "Front"), seen(bridge, "Back")
    assert front[0] > 1.5 * front[1]
    assert back[1] > 1.5 * back[0]


def test_three_in_one_another_look_alike_from_all_sides(opened: Callable):
    bridge = opened(liver=(MIDDLE, 29, 0.4), spleen=(MIDDLE, 19, 0.4), aorta=(MIDDLE, 8, 0.9))
    sides = np.array([seen(bridge, side) for side in ("Front", "Back", "Left", "Right", "Above", "Below")])
    assert (sides > 25).all()
    assert np.ptp(sides, axis=0).max() < 20


def test_a_slice_is_seen_through_a_surface_and_hides_what_is_behind_it(opened: Callable):
    bridge = opened(liver=(MIDDLE, 28, 0.3), aorta=((31.5, 15, 31.5), 9, 1.0))
    red = seen(bridge, "Front")
    assert red[0] > 1.5 * red[1]
    bridge.page.get_by_role("button", name="Slices", exact=True).click()
    bridge.settle()
    bridge.page.wait_for_timeout(300)
    covered = seen(bridge, "Front")  # the coronal slice is before the vessel
    assert covered.min() > 60
    assert covered[0] < 1.3 * covered[1]
    before = seen(bridge, "Back")
    assert before[0] > 1.4 * before[1]


def test_a_surface_that_was_asked_for_too_late_is_asked_for_again_and_nobody_is_told(opened: Callable):
    """The kernel was at another case for a moment."""
    late: list[str] = []

    def prepare(view: Viewer) -> None:
        handlers = view.handlers()

        def surface(message: Message) -> Answer | None:
            if len(late) < 2:
                late.append(str(message["structure"]))
                raise OutdatedError("This case is no longer open.")
            return handlers["surface"](message)

        view.handlers = lambda: {**handlers, "surface": surface}

    bridge = opened(prepare, liver=(MIDDLE, 20, 1.0))
    assert late == ["liver", "liver"]
    assert bridge.page.locator(".xp-toast").is_hidden()
    assert bridge.page.inner_text(".xp-3d-title") == "3D · 1 surface"
    assert bridge.page.inner_text(".xp-error") == ""

"""The page's canvas against `snapshot`, which tests/python holds to nibabel, pixel by pixel."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from viewer_page import bridge
from widgets import Bridge, Stub

from explorer import Cohort, Selection, open_dataset
from explorer.phantom import write_case
from explorer.views.viewer import Viewer

EDGE = 60
"""Pixels around that letters and captions are over."""

KINDS = {
    "upright": ("RAS", 0, (4.0, 5.0, 7.0)),
    "oblique": ("PIL", 14, (5.0, 4.0, 6.0)),
    "flipped": ("LIP", 0, (3.5, 6.0, 5.0)),
    "thick slices": ("ASL", 0, (25.0, 2.5, 4.0)),
}


@pytest.fixture
def shown(tmp_path: Path, stub: Callable[..., Stub]) -> Callable[[str], Bridge]:
    def make(kind: str) -> Bridge:
        orientation, tilt, spacing = KINDS[kind]
        case = write_case(
            tmp_path, "s0001", orientation=orientation, tilt_degrees=tilt, spacing_mm=spacing, seed=5
        )
        dataset = open_dataset(tmp_path)
        selection = Selection(Cohort.join(dataset.meta))
        selection.case, selection.layout = "s0001", "axial"
        selection.point = case.structures["liver"].centroid_mm
        view = Viewer(selection, dataset)
        view.options = {"crosshair": False}
        return bridge(view, stub)

    return make


def canvas(bridge: Bridge, plane: str) -> np.ndarray:
    """The tile's pixels, on black."""
    url = bridge.page.evaluate(
        "(plane) => document.querySelector(`.xp-plane-${plane} canvas`).toDataURL()", plane
    )
    with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as image:
        ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return np.asarray(Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")).astype(int)


def snapshot(bridge: Bridge, plane: str, shape: tuple[int, ...]) -> np.ndarray:
    png = bridge.view.snapshot(layout=plane, width=shape[1], height=shape[0], legend=False)
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image).astype(int)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_what_a_snapshot_shows(shown: Callable[[str], Bridge], kind: str):
    """In each plane, mirrored and not, smooth and not, filled and outlined."""
    bridge = shown(kind)
    for plane in ("axial", "coronal", "sagittal"):
        bridge.view.selection.layout = plane
        for options in (
            {"smooth": False, "paint": "fill", "opacity": 1.0},
            {"radiological": False, "smooth": True, "paint": "fill", "opacity": 0.4},
            {"paint": "outline", "smooth": False, "width": 2},
        ):
            bridge.view.options = {"crosshair": False, **options}
            bridge.settle()
            seen = canvas(bridge, plane)
            drawn = snapshot(bridge, plane, seen.shape)
            inner = (slice(EDGE, -EDGE), slice(EDGE, -EDGE))
            off = np.abs(seen - drawn)[inner].max(axis=2)
            lit = (drawn[inner].max(axis=2) > 0) | (seen[inner].max(axis=2) > 0)
            assert lit.sum() > 4_000, (plane, options)
            # Chromium interpolates in sixteenths of a voxel.
            far = (off[lit] > (16 if options["smooth"] else 6)).mean()
            assert far < 0.005, (plane, options, far)
            assert off[lit].mean() < 1.5, (plane, options, off[lit].mean())

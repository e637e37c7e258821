"""What the viewer says: to a screen reader of what keys do, of a case without an image, beside its letters."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake_kernel import open_volume, quiet, row, said
from widgets import Stub


def shown(stub: Callable[..., Stub], shape: tuple[int, int, int] = (30, 24, 40), **state: Any) -> Stub:
    ids = np.zeros(shape, np.uint8)
    ids[:8, :8] = 1
    image = np.full(shape, 120, np.uint8)
    return open_volume(stub, image, ids, [[], [0]], [row("left_thing", "#ff0000")], **state)


def heard(widget: Stub) -> str:
    return widget.page.inner_text(".xp-heard", timeout=1000).strip("\u00a0\n ")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("x", "Neurological"),
        ("i", "Nearest voxel"),
        ("m", "Crosshair off"),
        ("s", "Structures off"),
        ("ss", "Structures shown"),
        ("a", "Opacity"),
        ("+", "Zoom 125 %"),
        ("o", "Structures: fill"),
        ("2", "Axial slices"),
        ("5", "A plane beside a mosaic of its slices"),
        ("55", "Coronal slices"),
        ("7", "Mosaic of slices"),
        ("l", "Measure: set the first point of the distance"),
        ("ll", "The tool is put away"),
    ],
)
def test_a_screen_reader_is_told_what_a_key_did(stub: Callable[..., Stub], keys: str, words: str):
    widget = shown(stub)
    widget.page.focus(".xp-planes")
    widget.page.wait_for_timeout(600)  # the place has been told
    for key in keys:
        widget.page.keyboard.press(key)
        quiet(widget)
    assert heard(widget).startswith(words)


def test_a_case_without_an_image_has_no_values(stub: Callable[..., Stub]):
    widget = shown(stub)
    assert "value 120" in said(widget)
    widget.set("scene", {**widget.get("scene"), "key": "c2#1", "case": "c2", "image": False})
    quiet(widget)
    assert "c2" in said(widget)
    assert "value" not in said(widget)
    assert widget.page.locator(".xp-number:disabled").count() == 2
    assert widget.page.inner_text(".xp-plane-axial .xp-grid-note") == "no image: only masks are shown"


@pytest.mark.parametrize("width", [700, 850, 1100, 1700])
def test_no_letter_stands_on_the_number_of_the_slice(stub: Callable[..., Stub], width: int):
    affine = [1.0, 0, 0, -100, 0, 1, 0, -100, 0, 0, 1, -223.4]
    widget = shown(stub, (30, 24, 300), size=(width, 620), affine=affine)
    for plane in ("axial", "coronal", "sagittal"):
        boxes = [
            widget.page.locator(f".xp-plane-{plane} .xp-{part}").bounding_box()
            for part in ("bottom", "br", "scale")
        ]
        for n, one in enumerate(boxes):
            for other in boxes[n + 1 :]:
                apart = (
                    one["x"] + one["width"] <= other["x"]
                    or other["x"] + other["width"] <= one["x"]
                    or one["y"] + one["height"] <= other["y"]
                    or other["y"] + other["height"] <= one["y"]
                )
                assert apart, (plane, one, other)

"""Fingers on the planes and on the mosaic: one points, two zoom."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from fake_kernel import open_volume, quiet, row, said, spot
from widgets import Stub

SHAPE = (30, 24, 40)
FIRST, SECOND = (6, 6, 19), (20, 15, 19)


class Fingers:
    """Real touches: the browser makes of them what it makes of a hand's."""

    def __init__(self, widget: Stub) -> None:
        self._widget = widget
        self._session = widget.page.context.new_cdp_session(widget.page)

    def _send(self, kind: str, fingers: dict[int, Sequence[float]]) -> None:
        points = [{"id": number, "x": x, "y": y} for number, (x, y) in fingers.items()]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        quiet(self._widget)

    def down(self, x: float, y: float) -> None:
        self._send("touchStart", {0: (x, y)})

    def move(self, x: float, y: float) -> None:
        self._send("touchMove", {0: (x, y)})

    def lift(self) -> None:
        self._send("touchEnd", {})

    def pinch(self, x: float, y: float) -> None:
        """Spread two fingers, of which one is put down and lifted before the other."""
        self.down(x - 20, y)
        self._send("touchStart", {0: (x - 20, y), 1: (x + 20, y)})
        for apart in (30, 50, 80):
            self._send("touchMove", {0: (x - apart, y), 1: (x + apart, y)})
        self._send("touchEnd", {0: (x - 80, y)})
        self._send("touchMove", {1: (x + 120, y)})
        self.lift()


def shown(stub: Callable[..., Stub], **state: Any) -> Stub:
    image = np.full(SHAPE, 90, np.uint8)
    options = {"crosshair": False, "smooth": False}
    return open_volume(
        stub, image, np.zeros(SHAPE, np.uint8), [[]], [row("left_thing", "#ff0000")], options=options, **state
    )


@pytest.mark.parametrize("tool", ["", "l"])
def test_two_fingers_zoom_and_point_at_nothing(stub: Callable[..., Stub], tool: str):
    widget = shown(stub, layout_name="axial")
    widget.page.focus(".xp-planes")
    if tool:
        widget.page.keyboard.press(tool)
    before, scale = said(widget), widget.page.inner_text(".xp-plane-axial .xp-scale")
    fingers = Fingers(widget)
    for _ in range(2):  # two points would be a distance
        fingers.pinch(*spot(widget, "axial", FIRST))
    assert widget.page.inner_text(".xp-plane-axial .xp-scale") != scale
    assert said(widget) == before


def test_two_fingers_zoom_the_mosaic_and_go_to_none_of_its_slices(stub: Callable[..., Stub]):
    widget = shown(stub, layout_name="sheet")
    before, scale = said(widget), widget.page.inner_text(".xp-mosaic .xp-scale")
    box = widget.page.locator(".xp-mosaic canvas").bounding_box()
    fingers = Fingers(widget)
    fingers.pinch(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
    assert widget.page.inner_text(".xp-mosaic .xp-scale") != scale
    assert said(widget) == before
    fingers.down(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
    assert said(widget) == before
    fingers.lift()
    assert said(widget) != before


def test_a_finger_moves_the_crosshair_as_it_goes_or_where_it_is_lifted(stub: Callable[..., Stub]):
    widget = shown(stub, layout_name="axial")
    fingers = Fingers(widget)
    before = said(widget)
    fingers.down(*spot(widget, "axial", FIRST))
    assert said(widget) == before  # a second one may follow
    fingers.lift()
    assert "voxel 6 6 19" in said(widget)
    fingers.down(*spot(widget, "axial", FIRST))
    fingers.move(*spot(widget, "axial", SECOND))
    assert "voxel 20 15 19" in said(widget)
    fingers.lift()
    assert "voxel 20 15 19" in said(widget)


def test_a_finger_sets_a_point_where_it_is_lifted(stub: Callable[..., Stub]):
    widget = shown(stub, layout_name="axial")
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("l")
    fingers = Fingers(widget)
    fingers.down(*spot(widget, "axial", FIRST))
    fingers.lift()
    fingers.down(*spot(widget, "axial", (14, 12, 19)))
    fingers.move(*spot(widget, "axial", SECOND))
    assert "distance" not in said(widget)
    fingers.lift()
    assert "distance 16.6 mm" in said(widget)  # 14 and 9 mm away

"""What the window is called, and windows of unusual values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake_kernel import colour, open_volume, quiet, row, spot
from widgets import Stub

SHAPE = (40, 30, 20)
PRESETS = "[aria-label='Window preset']"


def shown(stub: Callable[..., Stub], **state: Any) -> Stub:
    """Two structures in an even ground of 90."""
    image = np.full(SHAPE, 90, np.uint8)
    ids = np.zeros(SHAPE, np.uint8)
    ids[5:12, 5:12], ids[25:32, 5:12] = 1, 2
    rows = [row("left_thing", "#ff0000"), row("right_thing", "#0000ff")]
    return open_volume(stub, image, ids, [[], [0], [1]], rows, **state)


def names(widget: Stub) -> tuple[str, list[str]]:
    """Return what the window is called, and what else may be chosen."""
    quiet(widget)
    chosen = widget.page.eval_on_selector(PRESETS, "(e) => e.selectedOptions[0]?.text ?? ''")
    every = widget.page.locator(f"{PRESETS} option").all_inner_texts()
    return chosen, [name for name in every if name.startswith("On ")]


def go(widget: Stub, voxel: tuple[float, float, float]) -> None:
    widget.page.mouse.click(*spot(widget, "axial", voxel))


def choose(widget: Stub, label: str, low: float, high: float) -> dict[str, Any]:
    """Choose a window and let the kernel answer; returns what it was asked."""
    asked = len(widget.sent_of("window"))
    widget.page.select_option(PRESETS, label=label)
    request = widget.wait_sent("window", asked + 1)[-1]
    widget.reply(request, low=low, high=high)
    return request


def test_a_window_on_a_structure_keeps_that_structures_name(stub: Callable[..., Stub]):
    widget = shown(stub)
    go(widget, (8, 8, 9))
    assert names(widget) == ("1–99 %", ["On left thing"])
    assert choose(widget, "On left thing", 10, 60)["structure"] == "left_thing"
    assert names(widget) == ("On left thing", ["On left thing"])
    go(widget, (28, 8, 9))
    assert names(widget) == ("On left thing", ["On right thing", "On left thing"])
    assert widget.get("window") == [10, 60]
    go(widget, (18, 25, 9))  # in no structure: the last one stays chosen
    assert names(widget) == ("On left thing", ["On right thing", "On left thing"])
    assert choose(widget, "On right thing", 20, 70)["structure"] == "right_thing"
    assert names(widget) == ("On right thing", ["On right thing"])
    assert widget.get("window") == [20, 70]


def test_such_a_window_stays_with_its_case(stub: Callable[..., Stub]):
    widget = shown(stub)
    go(widget, (8, 8, 9))
    choose(widget, "On left thing", 10, 60)
    assert names(widget)[0] == "On left thing"
    scene = widget.get("scene")
    widget.set("scene", {**scene, "window": [0.0, 99.0]})  # the exact window of the same case
    assert names(widget)[0] == "On left thing"
    widget.set("window", None)  # as the kernel does at another case
    widget.set("scene", {**scene, "key": "c2#1", "case": "c2"})
    assert names(widget)[0] == "1–99 %"
    assert widget.get("window") is None
    widget.set("scene", scene)
    assert names(widget)[0] == "On left thing"
    assert widget.get("window") == [10, 60]
    widget.set("window", None)  # by a script
    assert names(widget)[0] == "1–99 %"


@pytest.mark.parametrize("unit", [1.0, 1e-11])
def test_values_are_seen_however_small_they_are(stub: Callable[..., Stub], unit: float):
    """As diffusion coefficients in m²/s, which go to some 3e-9."""
    widget = shown(stub, options={"crosshair": False, "overlay": False})
    scene = {**widget.get("scene"), "key": "c2#1", "case": "c2", "scale": unit}
    widget.set("scene", {**scene, "window": [40 * unit, 140 * unit]})
    quiet(widget)
    place = spot(widget, "axial", (20, 15, 9))
    assert colour(widget, "axial", *place) == pytest.approx([127.5] * 3, abs=1)
    widget.set("window", [80 * unit, 100 * unit])
    quiet(widget)
    assert colour(widget, "axial", *place) == pytest.approx([127.5] * 3, abs=1)
    white = widget.page.locator("[aria-label='Window: shown as white']")
    assert float(white.input_value()) == pytest.approx(100 * unit)


@pytest.mark.parametrize("width", [848, 1200, 2500])
@pytest.mark.parametrize(
    ("window", "seen"),
    [
        ([15.8312, 1484.2], ["15.83", "1484"]),
        ([-0.0002338, 0.0002], ["-2.34e-4", "2e-4"]),
        ([-64745.4, 123456.0], ["-64745", "123456"]),
        ([-3.0e-11, 1.25e7], ["-3e-11", "1.25e7"]),
    ],
)
def test_its_ends_are_seen_whole(stub: Callable[..., Stub], width: int, window: list[float], seen: list[str]):
    widget = shown(stub, size=(width, 700))
    widget.set("window", window)
    quiet(widget)
    # Chromium rounds the two widths on their own.
    fields = "[...document.querySelectorAll('.xp-number')].map((e) => [e.value, e.scrollWidth <= e.clientWidth + 1])"
    assert widget.page.evaluate(fields) == [[seen[0], True], [seen[1], True]]
    black = widget.page.locator("[aria-label='Window: shown as black']")
    black.fill("-1234.5678")
    assert widget.page.evaluate(fields)[0] == ["-1234.5678", True]

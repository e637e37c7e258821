"""How structures are drawn: pixels against the formulas, with no bytes but those of the slices."""

from collections.abc import Callable

import numpy as np
import pytest
from fake_kernel import colour, corner, open_volume, quiet, row, spot
from widgets import Stub

GREY = 100
A, B = row("left_thing", "#ff0000"), row("right_thing", "#0000ff")
SETS = [[], [0], [1], [0, 1]]


def blocks() -> tuple[np.ndarray, np.ndarray]:
    """Two blocks that overlap in x 12..17: A is 6..17, B is 12..23; both y 8..21."""
    image = np.full((30, 30, 5), GREY, np.uint8)
    ids = np.zeros((30, 30, 5), np.uint8)
    ids[6:12, 8:22] = 1
    ids[18:24, 8:22] = 2
    ids[12:18, 8:22] = 3
    return image, ids


def blend(over: tuple[float, float, float], alpha: float) -> list[float]:
    return [alpha * c + (1 - alpha) * GREY for c in over]


def shown(stub: Callable[..., Stub], **state: object) -> Stub:
    options = {
        "paint": "fill",
        "opacity": 0.5,
        "crosshair": False,
        "smooth": False,
        **state.pop("options", {}),
    }
    return open_volume(stub, *blocks(), SETS, [A, B], options=options, **state)


def test_overlapping_fills_follow_the_formula(stub: Callable[..., Stub]):
    widget = shown(stub, opacities=[["right_thing", 0.4]])
    of_a, of_b = 0.5, 0.5 * 0.4
    mean = (255 * of_a / (of_a + of_b), 0, 255 * of_b / (of_a + of_b))
    expected = {
        (8, 15, 2): blend((255, 0, 0), of_a),
        (20, 15, 2): blend((0, 0, 255), of_b),
        (15, 15, 2): blend(mean, 1 - (1 - of_a) * (1 - of_b)),
        (3, 15, 2): [GREY] * 3,
    }
    for voxel, rgb in expected.items():
        assert colour(widget, "axial", *spot(widget, "axial", voxel)) == pytest.approx(rgb, abs=2), voxel


def test_colour_and_opacity_of_one_structure_cost_no_bytes(stub: Callable[..., Stub]):
    widget = shown(stub)
    asked = len(widget.sent_of("slices"))
    widget.set("colors", [["left_thing", "#00ff00"], ["right_thing", "javascript:"]])
    widget.set("opacities", [["right_thing", 0.0]])
    quiet(widget)
    assert colour(widget, "axial", *spot(widget, "axial", (8, 15, 2))) == pytest.approx(
        blend((0, 255, 0), 0.5), abs=2
    )
    assert colour(widget, "axial", *spot(widget, "axial", (20, 15, 2))) == [GREY] * 3
    assert len(widget.sent_of("slices")) == asked


@pytest.mark.parametrize("width", [1, 3])
def test_borders_lie_inside_their_structure_whatever_overlaps(stub: Callable[..., Stub], width: int):
    widget = shown(stub, options={"paint": "outline", "width": width})
    x, y = spot(widget, "axial", (12, 15, 2))  # B begins here, inside A
    step = spot(widget, "axial", (11, 15, 2))[0] - x
    edge = round(x + step / 2)
    strip = [colour(widget, "axial", edge + k, y) for k in range(-width - 2, 3)]
    blue = [rgb == [0, 0, 255] for rgb in strip]
    assert sum(blue) == width
    assert all(rgb in ([GREY] * 3, [255, 0, 0]) for rgb in strip[-3:])  # nothing on the other side
    x_a = round(spot(widget, "axial", (17, 15, 2))[0] - step / 2)  # A ends here, inside B
    strip = [colour(widget, "axial", x_a + k, y) for k in range(-2, width + 3)]
    assert sum(rgb == [255, 0, 0] for rgb in strip) == width


def test_a_border_is_closed_at_inner_corners(stub: Callable[..., Stub]):
    image, _ids = blocks()
    ids = np.zeros_like(image)
    ids[8:22, 8:15] = 1
    ids[8:15, 15:22] = 1  # an L: its inner corner is at x 15, y 15
    options = {"paint": "outline", "width": 3, "crosshair": False}
    widget = open_volume(stub, image, ids, [[], [0]], [A], options=options)
    (x0, y0), (x1, y1) = spot(widget, "axial", (14, 14, 2)), spot(widget, "axial", (15, 15, 2))
    x, y = round((x0 + x1) / 2), round((y0 + y1) / 2)
    # Inside is right of and below that corner: the square where the two bands meet belongs to the border.
    assert colour(widget, "axial", x + 1, y + 1) == [255, 0, 0]
    assert colour(widget, "axial", x - 2, y - 2) == [GREY] * 3


def test_a_border_that_lets_something_through_is_as_clear_where_its_bands_meet(stub: Callable[..., Stub]):
    options = {"paint": "outline", "width": 4}
    widget = shown(stub, options=options, opacities=[["left_thing", 0.5], ["right_thing", 0.4]])
    x, y = spot(widget, "axial", (6, 21, 2))  # the corner of A, right in the picture, left in the patient
    step = (x - spot(widget, "axial", (7, 21, 2))[0]) / 2
    right, top = round(x + step), round(y - step)
    red = pytest.approx(blend((255, 0, 0), 0.5), abs=2)
    for place in ((right - 2, top + 2), (right - 2, top + 12), (right - 20, top + 2)):
        assert colour(widget, "axial", *place) == red, place
    # The right side of B crosses the upper one of A.
    over = [0.4 * new + 0.6 * old for new, old in zip((0, 0, 255), blend((255, 0, 0), 0.5), strict=True)]
    x = round((spot(widget, "axial", (11, 15, 2))[0] + spot(widget, "axial", (12, 15, 2))[0]) / 2)
    assert colour(widget, "axial", x - 2, top + 2) == pytest.approx(over, abs=2)


def test_hover_in_the_list_and_in_the_picture_brightens_the_border(stub: Callable[..., Stub]):
    widget = shown(stub)
    x, y = spot(widget, "axial", (6, 15, 2))
    step = x - spot(widget, "axial", (7, 15, 2))[0]
    x = round(x + step / 2) - 1
    before, asked = colour(widget, "axial", x, y), len(widget.sent)
    widget.page.hover("[data-structure=left_thing]")
    quiet(widget)
    bright = colour(widget, "axial", x, y)
    assert bright[1] > before[1] + 60
    widget.page.mouse.move(*spot(widget, "sagittal", (8, 15, 3)))
    widget.page.mouse.move(*spot(widget, "axial", (8, 15, 2)))
    quiet(widget)
    assert colour(widget, "axial", x, y) == bright
    assert len(widget.sent) == asked


def test_every_structure_under_the_pointer_is_named(stub: Callable[..., Stub]):
    widget = shown(stub)
    widget.page.mouse.move(*spot(widget, "axial", (15, 15, 2)))
    quiet(widget)
    card = widget.page.locator(".xp-card")
    assert card.locator(".xp-card-name").all_inner_texts() == ["left thing", "right thing"]
    assert "voxel 15 15 2" in card.inner_text()
    assert f"value {GREY}" in card.inner_text()
    left, top, width, height = corner(widget, "axial")
    box = card.bounding_box()
    assert box["x"] >= left
    assert box["y"] + box["height"] <= top + 2 * height + 2
    widget.page.mouse.move(left + width / 2, 755)
    quiet(widget)
    assert card.is_hidden()


def test_masks_that_arrive_keep_the_picture_and_are_asked_anew(stub: Callable[..., Stub]):
    widget = shown(stub)
    x, y = spot(widget, "axial", (8, 15, 2))
    before = colour(widget, "axial", x, y)
    widget.page.evaluate("window.silent = true")
    widget.set("labels", {**widget.get("labels"), "revision": 2})
    quiet(widget)
    assert colour(widget, "axial", x, y) == before
    # An id beyond the table, as one from before might be, is nothing.
    widget.set("labels", {**widget.get("labels"), "revision": 3, "sets": [[]]})
    quiet(widget)
    assert colour(widget, "axial", x, y) == [GREY] * 3


def test_options_come_from_python_and_go_there_once_the_hand_rests(stub: Callable[..., Stub]):
    widget = shown(stub, options={"paint": "fill", "opacity": 0.25, "width": 99, "radiological": "no"})
    assert widget.page.input_value("[aria-label='Opacity of structures']") == "0.25"
    widget.page.focus(".xp-planes")
    for key in ("d", "d", "o"):
        widget.page.keyboard.press(key)
    widget.page.wait_for_function("window.saved.some(([name]) => name === 'options')")
    saved = [value for name, value in widget.page.evaluate("window.saved") if name == "options"]
    assert saved == [
        {
            "radiological": True,
            "paint": "outline",
            "width": 5,
            "overlay": True,
            "opacity": 0.45,
            "smooth": False,
            "crosshair": False,
            "difference": False,
        }
    ]
    widget.set("options", {"overlay": False})
    quiet(widget)
    assert colour(widget, "axial", *spot(widget, "axial", (8, 15, 2))) == [GREY] * 3

"""Keys of the slices: what they zoom, move, measure and change, on any keyboard and from the list."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake_kernel import colour, open_volume, quiet, row, said, spot
from playwright.sync_api import expect
from widgets import Stub

SHAPE = (40, 30, 20)
GREY = 90
OPACITY = "[aria-label='Opacity of structures']"


def shown(stub: Callable[..., Stub], **state: Any) -> Stub:
    image = np.full(SHAPE, GREY, np.uint8)
    ids = np.zeros(SHAPE, np.uint8)
    ids[5:12, 5:12] = 1
    options = {"paint": "fill", "opacity": 0.4, "crosshair": False, **state.pop("options", {})}
    widget = open_volume(stub, image, ids, [[], [0]], [row("thing", "#ff0000")], options=options, **state)
    widget.page.focus(".xp-planes")
    return widget


def press(widget: Stub, *keys: str) -> None:
    for key in keys:
        widget.page.keyboard.press(key)
    quiet(widget)


def type_with(widget: Stub, key: str, **modifiers: bool) -> None:
    """Send a key as a layout does on which it is typed with modifiers."""
    widget.page.evaluate(
        """([key, modifiers]) => document.activeElement.dispatchEvent(
            new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true, ...modifiers}))""",
        [key, modifiers],
    )


def test_brackets_that_need_alt_or_altgr_step_to_the_next_case(stub: Callable[..., Stub]):
    widget = shown(stub)
    type_with(widget, "]", altKey=True)
    type_with(widget, "[", altKey=True, ctrlKey=True)
    assert [message["by"] for message in widget.sent_of("step")] == [1, -1]
    # Menus and the browser's own: not the viewer's.
    for key, modifiers in (("x", {"altKey": True}), ("]", {"metaKey": True}), ("2", {"ctrlKey": True})):
        type_with(widget, key, **modifiers)
    quiet(widget)
    assert len(widget.sent_of("step")) == 2
    assert widget.get("layout_name") == "grid"
    assert widget.page.inner_text(".xp-plane-axial .xp-left") == "R"


def test_a_is_more_transparent_and_d_less(stub: Callable[..., Stub]):
    widget = shown(stub)
    place = spot(widget, "axial", (8, 8, 9))

    def alpha() -> float:
        return (colour(widget, "axial", *place)[0] - GREY) / (255 - GREY)

    assert alpha() == pytest.approx(0.4, abs=0.02)
    press(widget, "a", "a")
    assert alpha() == pytest.approx(0.2, abs=0.02)
    press(widget, "d", "d", "d", "d")
    assert alpha() == pytest.approx(0.6, abs=0.02)
    assert widget.page.input_value(OPACITY) == "0.6"
    press(widget, *"dddddddd")
    assert widget.page.input_value(OPACITY) == "1"


def test_opacity_says_so_where_only_outlines_are_drawn(stub: Callable[..., Stub]):
    widget = shown(stub, options={"paint": "outline"})
    slider = widget.page.locator(OPACITY)
    expect(slider).to_be_disabled()
    expect(slider).to_have_attribute("title", re.compile("only outlines"))
    press(widget, "d")
    expect(widget.page.locator(".xp-toast")).to_contain_text("Only outlines are drawn")
    assert widget.get("options")["opacity"] == 0.4
    press(widget, "o")
    expect(slider).to_be_enabled()
    press(widget, "d")
    assert widget.get("options")["opacity"] == 0.5


def test_plus_and_minus_zoom_about_the_crosshair_and_arrows_move_the_picture(stub: Callable[..., Stub]):
    widget = shown(stub, options={"crosshair": True})
    x, y = spot(widget, "axial", (8, 8, 9))
    widget.page.mouse.click(x, y)
    scale = widget.page.locator(".xp-plane-axial .xp-scale")
    length = "(e) => parseFloat(e.style.getPropertyValue('--xp-length')) / parseFloat(e.textContent)"
    before = scale.evaluate(length)
    press(widget, "+", "=")
    assert scale.evaluate(length) == pytest.approx(before * 1.25**2, rel=0.01)

    def under(dx: float, dy: float) -> str:
        widget.page.mouse.move(x + dx, y + dy)
        quiet(widget)
        return re.search(r"voxel \d+ \d+", said(widget))[0]

    assert under(1, 1) == "voxel 8 8"
    press(widget, "Control+ArrowRight", "Control+ArrowUp")
    assert under(41, -39) == "voxel 8 8"
    press(widget, "Control+Shift+ArrowLeft", "Meta+ArrowDown")
    assert under(-159, 1) == "voxel 8 8"
    assert widget.page.inner_text(".xp-plane-axial .xp-br").startswith("10 of 20"), "no other slice"
    press(widget, "-", "-")
    assert scale.evaluate(length) == pytest.approx(before, rel=0.01)


def test_the_plane_whose_slider_has_the_focus_is_the_one_that_keys_act_on(stub: Callable[..., Stub]):
    widget = shown(stub)
    length = "(e) => e.textContent + e.style.getPropertyValue('--xp-length')"
    scales = [widget.page.locator(f".xp-plane-{plane} .xp-scale") for plane in ("axial", "coronal")]
    axial, coronal = (scale.evaluate(length) for scale in scales)
    widget.page.focus(".xp-plane-coronal .xp-slider")
    press(widget, "+")
    assert scales[0].evaluate(length) == axial
    assert scales[1].evaluate(length) != coronal
    press(widget, "n", "Enter", "ArrowUp", "ArrowDown", "Enter", "Enter")
    assert re.search(r"angle [\d.]+° \(coronal 15\)", said(widget))


def test_a_distance_is_measured_with_the_keys_alone(stub: Callable[..., Stub]):
    widget = shown(stub, spacing=(2.0, 3.0, 5.0))
    press(widget, "Enter")
    assert "distance" not in said(widget), "no tool is chosen"
    press(widget, "l", "Enter", "ArrowRight", "ArrowRight", "ArrowRight")
    line = spot(widget, "axial", (17.5, 14, 9))  # from the middle, 19 14 9, towards the patient's left
    red, _green, blue = colour(widget, "axial", *line)
    assert red > blue + 60, "it is seen before it is done, in its yellow"
    press(widget, "Enter")
    assert "distance 6.0 mm (axial 10)" in said(widget)
    press(widget, "6", "Enter")
    expect(widget.page.locator(".xp-toast")).to_contain_text("press 1, 2, 3 or 4")
    assert "distance" not in said(widget), "its slice is not seen"
    press(widget, "1")
    assert said(widget).count("distance") == 1


def test_enter_on_a_button_presses_it_while_measuring(stub: Callable[..., Stub]):
    widget = shown(stub)
    press(widget, "l", "Enter")
    widget.page.focus("[title^='Structures on or off']")
    press(widget, "Enter")
    assert widget.get("options")["overlay"] is False
    assert "distance" not in said(widget)


def test_what_is_typed_in_the_list_is_the_viewers_and_what_moves_is_the_lists(stub: Callable[..., Stub]):
    widget = shown(stub)
    widget.page.evaluate(
        "() => { window.heard = 0; document.addEventListener('keydown', () => { window.heard += 1; }); }"
    )
    widget.page.click("[data-structure=thing] .xp-name")
    widget.reply(
        widget.wait_sent("where")[0],
        centre=[8, 8, 9],
        best={"axial": 9, "coronal": 8, "sagittal": 8},
        has={"axial": [[0, 20]], "coronal": [[5, 12]], "sagittal": [[5, 12]]},
    )
    quiet(widget)
    press(widget, ">")
    assert "voxel 8 8 10" in said(widget)
    press(widget, "x", "]", "2")
    assert widget.page.inner_text(".xp-plane-axial .xp-left") == "L"
    assert [message["by"] for message in widget.sent_of("step")] == [1]
    assert widget.get("layout_name") == "axial"
    at = said(widget)
    press(widget, "PageUp", "End", "Home", "ArrowDown", "Space")
    assert said(widget) == at
    assert widget.get("structures") == []
    press(widget, "?")
    expect(widget.page.get_by_role("dialog", name="Keys and mouse")).to_be_visible()
    assert widget.page.evaluate("window.heard") == 0, "nothing reaches the notebook"


def test_fields_beside_the_slices_keep_what_is_typed_in_them(stub: Callable[..., Stub]):
    widget = shown(stub)
    widget.page.focus(".xp-search")
    widget.page.keyboard.type("x2.")
    widget.page.click("text=Clear the search")
    widget.page.click("[data-structure=thing] .xp-chip-color")
    widget.page.focus(".xp-hex")
    widget.page.keyboard.type("a2")
    quiet(widget)
    assert widget.get("layout_name") == "grid"
    assert widget.get("options")["opacity"] == 0.4
    assert widget.page.inner_text(".xp-plane-axial .xp-left") == "R"

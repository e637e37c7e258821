"""Layouts, zoom, sliders, slow slices and the time that drawing takes."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from fake_kernel import colour, corner, open_volume, quiet, row, said, spot
from playwright.sync_api import expect
from widgets import Stub

A = row("left_thing", "#ff0000")


def body(shape: tuple[int, int, int] = (30, 24, 40)) -> tuple[np.ndarray, np.ndarray]:
    """Every voxel's value tells its z; a structure fills one corner of each slice."""
    x, y, z = np.indices(shape)
    ids = ((x < 8) & (y < 8)).astype(np.uint8)
    return (z * 5 + 20).astype(np.uint8), ids


def shown(stub: Callable[..., Stub], shape: tuple[int, int, int] = (30, 24, 40), **state: Any) -> Stub:
    options = {"paint": "fill", "crosshair": False, "smooth": False, **state.pop("options", {})}
    return open_volume(stub, *body(shape), [[], [0]], [A], options=options, **state)


def where(widget: Stub, plane: str) -> int:
    """Return the number of the slice that a tile shows, from 1."""
    return int(widget.page.inner_text(f".xp-plane-{plane} .xp-br").split()[0])


def test_keys_choose_among_all_layouts(stub: Callable[..., Stub]):
    widget = shown(stub)
    widget.page.focus(".xp-planes")
    for key, layout, seen in [
        ("7", "sheet", ".xp-mosaic"),
        ("6", "3d", ".xp-3d"),
        ("4", "sagittal", ".xp-plane-sagittal"),
        ("3", "coronal", ".xp-plane-coronal"),
        ("2", "axial", ".xp-plane-axial"),
    ]:
        widget.page.keyboard.press(key)
        quiet(widget)
        assert widget.get("layout_name") == layout
        assert widget.page.locator(".xp-planes > .xp-tile:visible").count() == 1
        assert widget.page.locator(seen).is_visible()
        assert widget.page.locator(".xp-segs [aria-pressed=true]").count() == 1
    widget.page.keyboard.press("1")
    quiet(widget)
    assert widget.page.locator(".xp-planes > .xp-tile:visible").count() == 4


def test_a_double_click_maximises_a_tile_and_brings_all_back(stub: Callable[..., Stub]):
    widget = shown(stub)
    for visible in (1, 4):
        box = widget.page.locator(".xp-plane-coronal").bounding_box()
        widget.page.mouse.dblclick(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.3)
        quiet(widget)
        assert widget.page.locator(".xp-planes > .xp-tile:visible").count() == visible


def test_zoom_keeps_what_is_under_the_cursor_and_outlives_a_step(stub: Callable[..., Stub]):
    widget = shown(stub)
    x, y = spot(widget, "axial", (4, 4, 19))
    widget.page.mouse.move(x, y)
    quiet(widget)
    before = re.search(r"voxel \d+ \d+", said(widget))[0]
    scale = widget.page.inner_text(".xp-plane-axial .xp-scale")
    widget.page.keyboard.down("Control")
    for _ in range(4):
        widget.page.mouse.wheel(0, -100)
    widget.page.keyboard.up("Control")
    quiet(widget)
    widget.page.mouse.move(x + 1, y)
    quiet(widget)
    assert re.search(r"voxel \d+ \d+", said(widget))[0] == before
    zoomed = widget.page.inner_text(".xp-plane-axial .xp-scale")
    assert zoomed != scale
    widget.page.mouse.wheel(0, -100)
    quiet(widget)
    assert where(widget, "axial") == 21
    assert widget.page.inner_text(".xp-plane-axial .xp-scale") == zoomed
    # Dragged with the middle button, the picture follows the hand.
    widget.page.mouse.move(x, y)
    widget.page.mouse.down(button="middle")
    widget.page.mouse.move(x + 40, y + 30, steps=4)
    widget.page.mouse.up(button="middle")
    widget.page.mouse.move(x + 41, y + 30)
    quiet(widget)
    assert re.search(r"voxel \d+ \d+", said(widget))[0] == before
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("r")
    quiet(widget)
    assert widget.page.inner_text(".xp-plane-axial .xp-scale") == scale


def test_each_plane_has_a_slider_for_keyboard_and_screen_reader(stub: Callable[..., Stub]):
    widget = shown(stub)
    slider = widget.page.locator(".xp-plane-coronal .xp-slider")
    slider.focus()
    expect(slider).to_have_css("opacity", "1")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^12 of 24 · "))
    widget.page.keyboard.press("ArrowUp")
    quiet(widget)
    assert where(widget, "coronal") == 13
    widget.page.keyboard.press("End")
    quiet(widget)
    assert where(widget, "coronal") == 24
    widget.page.keyboard.press("s")  # letters still are the viewer's
    quiet(widget)
    assert widget.page.locator(".xp-bar [aria-pressed=true]:text('Structures')").count() == 0
    assert 'slider "Coronal slice"' in widget.page.locator("#root").aria_snapshot()


def test_arrows_move_the_crosshair_where_they_point(stub: Callable[..., Stub]):
    widget = shown(stub, options={"crosshair": True})
    voxel = re.compile(r"voxel (\d+) (\d+) (\d+)")

    def at() -> list[int]:
        quiet(widget)
        return [int(n) for n in voxel.search(said(widget)).groups()]

    widget.page.mouse.click(*spot(widget, "axial", (10, 10, 19)))
    left, top, width, _height = corner(widget, "axial")
    widget.page.mouse.move(left + width + 5, top + 500)
    start = at()
    widget.page.keyboard.press("ArrowRight")  # right on the screen is the patient's left
    assert at() == [start[0] - 1, *start[1:]]
    widget.page.keyboard.press("x")
    widget.page.keyboard.press("Shift+ArrowRight")
    assert at() == [start[0] + 4, *start[1:]]
    widget.page.keyboard.press("4")
    widget.page.keyboard.press("ArrowRight")  # the back of the body
    assert at() == [start[0] + 4, start[1] - 1, start[2]]


def test_one_slice_has_nowhere_to_go(stub: Callable[..., Stub]):
    widget = shown(stub, shape=(30, 24, 1))
    widget.page.mouse.click(*spot(widget, "axial", (10, 10, 0)))
    for key in ("ArrowUp", "PageDown", "End", "5", "2"):
        widget.page.keyboard.press(key)
        quiet(widget)
    assert where(widget, "axial") == 1
    assert widget.page.locator(".xp-plane-axial .xp-slider").is_hidden()


def test_a_slow_slice_says_so_and_the_last_picture_stays(stub: Callable[..., Stub]):
    widget = shown(stub, lost=[0])
    x, y = spot(widget, "axial", (20, 15, 19))
    before = colour(widget, "axial", x, y)
    assert before == [19 * 5 + 20] * 3
    late = widget.page.locator(".xp-plane-axial .xp-late")
    # Drawn in the page's own time, which a busy machine does not stretch.
    at_once = widget.page.evaluate(
        """async () => { document.querySelector('.xp-planes').dispatchEvent(new KeyboardEvent('keydown', {key: 'Home', bubbles: true}));
          await new Promise(queueMicrotask); return [...document.querySelectorAll('.xp-plane-axial :is(.xp-late, .xp-br)')].map((e) => e.hidden || e.textContent); }"""
    )
    assert sorted(map(str, at_once)) == ["1 of 40 · 0.0 mm", "True"]
    expect(late).to_be_visible()
    assert colour(widget, "axial", x, y) == before
    assert where(widget, "axial") == 1
    widget.page.keyboard.press("PageUp")
    widget.set("point", [15.0, 12.0, 19.0])
    expect(late).to_be_hidden()


def test_a_kernel_that_does_not_answer_is_told_until_it_does(stub: Callable[..., Stub]):
    widget = shown(stub)
    line = widget.page.locator(".xp-silent")
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("]")
    assert line.is_hidden()
    expect(line).to_contain_text("not answered", timeout=20_000)
    for request in (*widget.sent_of("step"), *widget.sent_of("module")):
        widget.reply(request)
    expect(line).to_be_empty()


def test_the_window_that_comes_later_asks_for_nothing_again(stub: Callable[..., Stub]):
    widget = shown(stub)
    x, y = spot(widget, "axial", (20, 15, 19))
    asked = len(widget.sent_of("slices"))
    widget.set("scene", {**widget.get("scene"), "window": [0.0, 510.0]})
    quiet(widget)
    assert len(widget.sent_of("slices")) == asked
    assert colour(widget, "axial", x, y) == pytest.approx([(19 * 5 + 20) / 2] * 3, abs=1)
    assert widget.page.input_value("[aria-label='Window: shown as white']") == "510"


def test_an_unusual_grid_is_told_and_measured_in_true_millimetres(stub: Callable[..., Stub]):
    turn = np.radians(20)
    matrix = [np.cos(turn), -np.sin(turn), 0, -3, np.sin(turn), np.cos(turn), 0, 5, 0, 0, 4, 7]
    widget = shown(stub, affine=matrix, spacing=(1, 1, 4))
    widget.set("scene", {**widget.get("scene"), "key": "c1#2", "tilt": 20.0, "orthogonal": False})
    widget.set(
        "point",
        [np.cos(turn) * 5 - np.sin(turn) * 6 - 3, np.sin(turn) * 5 + np.cos(turn) * 6 + 5, 7.0 + 4 * 9],
    )
    quiet(widget)
    assert (
        widget.page.inner_text(".xp-plane-axial .xp-grid-note")
        == "tilted 20°, closest axes shown · axes not at right angles"
    )
    assert "voxel 5 6 9" in said(widget)
    assert "x -0.4  y 12.3  z 43.0 mm" in said(widget)


SIZES = """() => { const of = (css, what) => getComputedStyle(document.querySelector(css))[what];
  return [of('.xp-bar .xp-btn', 'height'), of('.xp-seg', 'height'), of('.xp-plane-axial .xp-letter', 'fontSize'),
          of('.xp-structure', 'fontSize'), of('.xp-said', 'height')].map(parseFloat); }"""


def test_on_a_4k_screen_texts_and_buttons_are_larger_and_all_within(stub: Callable[..., Stub]):
    widget = shown(stub, size=(3840, 2160))
    large = widget.page.evaluate(SIZES)
    assert large == [30, 28, 15, 15, 26]
    box = widget.page.locator(".xp-bar").bounding_box()
    groups = [e.bounding_box() for e in widget.page.locator(".xp-bar > *").all()]
    middles = {round(g["y"] + g["height"] / 2) for g in groups}
    assert max(middles) - min(middles) <= 1, "one row"
    for before, after in pairwise(groups):
        assert before["x"] + before["width"] < after["x"]
    assert groups[-1]["x"] + groups[-1]["width"] <= box["x"] + box["width"]
    clipped = widget.page.eval_on_selector_all(
        ".xp-bar button:not(.xp-pop *), .xp-panel button",
        "(all) => all.filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)",
    )
    assert clipped == []
    widget.page.evaluate("() => { document.getElementById('root').style.width = '2399px'; }")
    quiet(widget)
    assert all(small < big for small, big in zip(widget.page.evaluate(SIZES), large, strict=True))


PIXELS = """
() => [...document.querySelectorAll('.xp-planes[data-layout=grid] > [class*=xp-plane-] canvas')].map((c) => c.toDataURL())
"""


def test_a_picture_is_the_same_whether_its_slice_or_only_what_lies_over_it_has_changed(
    stub: Callable[..., Stub],
):
    widget = shown(stub, options={"crosshair": True})
    went = [[4.0, 5.0, 11.0], [25.0, 5.0, 11.0], [25.0, 20.0, 11.0], [25.0, 20.0, 8.0]]
    pictures = []
    for points in (went, went[::-1]):
        for point in points:
            widget.set("point", point)
            quiet(widget)
            pictures.append(widget.page.evaluate(PIXELS))
    there, back = pictures[: len(went)], pictures[len(went) :]
    assert there == back[::-1]
    for before, after in pairwise(there):  # the crosshair is seen to move in all planes
        assert all(a != b for a, b in zip(before, after, strict=True))


def test_the_page_is_laid_out_once_for_a_step_of_three_planes(stub: Callable[..., Stub]):
    widget = shown(stub)
    session = widget.page.context.new_cdp_session(widget.page)
    session.send("Performance.enable")

    def layouts() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(metric["value"] for metric in metrics if metric["name"] == "LayoutCount")

    before, steps = layouts(), 12
    for k in range(steps):
        widget.set("point", [8.0 + k, 6.0 + k, 4.0 + k])
        widget.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert layouts() - before <= 1.5 * steps


def test_the_slider_of_a_plane_that_is_not_pointed_at_follows_when_the_slices_rest(
    stub: Callable[..., Stub],
):
    widget = shown(stub)
    left, top, width, height = corner(widget, "axial")
    widget.page.mouse.move(left + width / 2, top + height / 2)
    widget.set("point", [9.0, 12.0, 5.0])
    quiet(widget)
    assert widget.page.input_value(".xp-plane-axial .xp-slider") == "5"  # it is pointed at, so it is seen
    for plane, index in (("sagittal", 9), ("coronal", 12)):
        expect(widget.page.locator(f".xp-plane-{plane} .xp-slider")).to_have_value(str(index))


FRAMES = """
() => { window.took = []; const plain = window.queueMicrotask;
  window.queueMicrotask = (draw) => plain(() => { const from = performance.now(); draw();
    document.querySelector('.xp-plane-axial canvas').getContext('2d').getImageData(0, 0, 1, 1);
    window.took.push(performance.now() - from); }); }
"""


def least(widget: Stub, act: Callable[[int], None], times: int) -> float:
    widget.page.evaluate("window.took.length = 0")
    for k in range(times):
        act(k)
        widget.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 4)))")
    took = [ms for ms in widget.page.evaluate("window.took") if ms > 0.3]
    assert len(took) >= times
    return min(took)


def test_56_structures_at_512_x_512_are_drawn_within_a_frame(stub: Callable[..., Stub]):
    """Drawn whole: picture, fills and 56 borders, for a colour, a width, a step and a hover.

    The least of several frames: it is what drawing takes where nothing else runs. It is below 16 ms
    on an idle core; the limit leaves room for a machine that is shared.
    """
    n = 512
    x, y, z = np.indices((n, n, 4))
    rng = np.random.default_rng(5)
    image = rng.integers(0, 255, (n, n, 4)).astype(np.uint8)
    # Wavy tiles of a 8 x 7 board, which move a little from slice to slice.
    board = ((x + 9 * np.sin(y / 17 + z)) // 64).clip(0, 7) + 8 * ((y + 9 * np.sin(x / 13)) // 74).clip(0, 6)
    holes = ((x % 64) < 6) | ((y % 74) < 6)
    ids = np.where(holes, 0, board + 1).astype(np.uint8)
    rows = [row(f"s{k}", f"#{(k * 4327 + 0x335577) % 0xFFFFFF:06x}") for k in range(56)]
    sets = [[], *[[k] for k in range(56)]]
    widget = open_volume(
        stub, image, ids, sets, rows, layout_name="axial", size=(1100, 700), options={"paint": "both"}
    )
    widget.page.evaluate(FRAMES)
    found = {
        "recolour": least(widget, lambda k: widget.set("colors", [["s3", f"#00{k:02x}ff"]]), 9),
        "width": least(widget, lambda k: widget.set("options", {"width": 1 + k % 3}), 9),
        "opacity": least(widget, lambda k: widget.set("options", {"opacity": 0.3 + k / 50}), 9),
        "hover": least(widget, lambda k: widget.page.hover(f"[data-structure=s{k % 2 + 1}]"), 6),
        "step": least(widget, lambda k: widget.set("point", [5.0, 5.0, float(k % 4)]), 9),
    }
    assert max(found.values()) < 50, found

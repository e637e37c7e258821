"""Measuring, going to structures, window presets, the picture for the clipboard, and what is said."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake_kernel import colour, open_volume, quiet, row, said, spot
from playwright.sync_api import expect
from widgets import Stub

SHAPE = (40, 30, 20)
THINGS = [row("left_thing", "#ff0000"), row("right_thing", "#0000ff")]


def shown(stub: Callable[..., Stub], **state: Any) -> Stub:
    image = np.full(SHAPE, 90, np.uint8)
    ids = np.zeros(SHAPE, np.uint8)
    ids[5:12, 5:12, 3:6] = 1
    return open_volume(stub, image, ids, [[], [0], [1], [0, 1]], THINGS, **state)


def click(widget: Stub, plane: str, *voxels: tuple[float, float, float]) -> None:
    for voxel in voxels:
        widget.page.mouse.click(*spot(widget, plane, voxel))
    quiet(widget)


def number(widget: Stub, pattern: str) -> float:
    return float(re.search(pattern, said(widget))[1])


@pytest.mark.parametrize("sheared", [False, True])
def test_distances_and_angles_are_in_world_millimetres(stub: Callable[..., Stub], sheared: bool):
    matrix = np.array([[2.0, 0.0, 0.0], [0.3 if sheared else 0.0, 3.0, 0.0], [0.0, 0.0, 5.0]])
    affine = np.c_[matrix, [1.0, 2.0, 3.0]].ravel().tolist()
    widget = shown(stub, spacing=tuple(np.linalg.norm(matrix, axis=0)), affine=affine, layout_name="axial")
    widget.page.focus(".xp-planes")
    a, b, c = (5, 5, 9), (30, 20, 9), (10, 25, 9)
    widget.page.keyboard.press("l")
    expect(widget.page.locator("[aria-label='Measure a distance (L)']")).to_have_attribute(
        "aria-pressed", "true"
    )
    click(widget, "axial", a, b)
    world = [matrix @ np.array(p, float) for p in (a, b, c)]
    assert number(widget, r"distance ([\d.]+) mm") == pytest.approx(
        np.linalg.norm(world[1] - world[0]), abs=0.6
    )
    widget.page.keyboard.press("n")
    click(widget, "axial", a, b, c)
    one, two = world[0] - world[1], world[2] - world[1]
    angle = np.degrees(np.arccos(one @ two / np.linalg.norm(one) / np.linalg.norm(two)))
    assert number(widget, r"angle ([\d.]+)°") == pytest.approx(angle, abs=0.6)
    assert widget.get("point") is None  # no click has moved the crosshair


def test_measurements_belong_to_their_slice_and_case(stub: Callable[..., Stub]):
    widget = shown(stub, layout_name="axial", options={"crosshair": False, "overlay": False})
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("l")
    click(widget, "axial", (20, 5, 9), (20, 25, 9))
    x, y = spot(widget, "axial", (20, 15, 9))
    assert colour(widget, "axial", x, y) == [0xFF, 0xE2, 0x7A]
    widget.page.keyboard.press("PageUp")
    quiet(widget)
    assert colour(widget, "axial", x, y) == [90] * 3
    widget.page.keyboard.press("PageDown")
    # One that was begun is given up with Escape, then the tool is; Delete takes the last one away.
    click(widget, "axial", (5, 5, 9))
    widget.page.keyboard.press("Escape")
    click(widget, "axial", (5, 20, 9), (15, 20, 9))
    assert said(widget).count("distance") == 2
    widget.page.keyboard.press("Escape")
    quiet(widget)
    assert widget.page.locator("[title^='Measure'][aria-pressed=true]").count() == 0
    widget.page.keyboard.press("Delete")
    quiet(widget)
    assert said(widget).count("distance") == 1
    scene = widget.get("scene")
    widget.set("scene", {**scene, "key": "c2#2", "case": "c2"})
    quiet(widget)
    assert "distance" not in said(widget)
    widget.set("scene", {**scene, "key": "c1#3"})
    quiet(widget)
    assert "distance 20.0 mm (axial 10)" in said(widget)


WHERE = {
    "centre": [8, 8, 4],
    "best": {"axial": 5, "coronal": 6, "sagittal": 7},
    "has": {"axial": [[2, 4], [9, 12], [17, 18]], "coronal": [[3, 9]], "sagittal": [[3, 9]]},
}


def test_structures_are_gone_to_and_asked_for_once(stub: Callable[..., Stub]):
    widget = shown(stub, structures=["left_thing"])
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press(".")
    request = widget.wait_sent("where")[0]
    assert (request["structure"], request["scene"]) == ("left_thing", "c1#1")
    widget.reply(request, **WHERE)
    quiet(widget)
    assert "voxel 8 8 4" in said(widget)
    widget.page.keyboard.press(",")  # asked once: the rest is known
    quiet(widget)
    assert len(widget.sent_of("where")) == 1
    widget.set("labels", {**widget.get("labels"), "revision": 2})
    widget.page.keyboard.press(".")
    widget.reply(widget.wait_sent("where", 2)[1], ok=False, error="The masks are not read yet.")
    expect(widget.page.locator(".xp-toast")).to_have_text("The masks are not read yet.")


def test_next_and_previous_slice_with_a_structure_skip_its_gaps(stub: Callable[..., Stub]):
    widget = shown(stub)
    toast = widget.page.locator(".xp-toast")
    widget.page.mouse.click(*spot(widget, "axial", (30, 25, 9)))
    widget.page.keyboard.press(">")
    expect(toast).to_contain_text("Go to a structure first")
    widget.page.keyboard.press(".")
    widget.reply(widget.wait_sent("where")[0], **WHERE)
    quiet(widget)
    slices = []
    for key in ">" * 5 + "<" * 6:
        widget.page.keyboard.press(key)
        quiet(widget)
        slices.append(int(re.search(r"voxel \d+ \d+ (\d+)", said(widget))[1]))
    assert slices == [9, 10, 11, 17, 17, 11, 10, 9, 3, 2, 2]
    expect(toast).to_have_text("No previous axial slice has left thing.")


def test_the_structure_that_was_gone_to_is_marked_and_the_one_that_keys_follow(stub: Callable[..., Stub]):
    image, ids = np.full(SHAPE, 90, np.uint8), np.zeros(SHAPE, np.uint8)
    ids[5:12, 5:12], ids[25:32, 5:12] = 1, 2
    widget = open_volume(stub, image, ids, [[], [0], [1]], THINGS, layout_name="axial")
    page = widget.page

    def marked() -> list[str]:
        quiet(widget)
        return page.eval_on_selector_all(
            "[aria-current]", "(rows) => rows.map((row) => row.dataset.structure)"
        )

    def followed(count: int) -> str:
        """The structure that `>` asks for, once it is one that was not asked for before."""
        page.keyboard.press(">")
        return widget.wait_sent("where", count)[-1]["structure"]

    click(widget, "axial", (20, 25, 9))
    assert marked() == [], "nothing was gone to yet"
    page.click("[data-structure=left_thing] .xp-name")
    widget.reply(widget.wait_sent("where")[0], **WHERE)
    plain, mark = (
        page.locator(f"[data-structure={name}_thing]").evaluate(
            "(e) => getComputedStyle(e, '::before').borderLeftWidth"
        )
        for name in ("right", "left")
    )
    assert (marked(), plain, mark) == (["left_thing"], "0px", "3px")
    page.mouse.move(3, 3)
    click(widget, "axial", (20, 25, 9))  # where no structure is
    page.keyboard.press("ArrowUp")
    assert marked() == ["left_thing"]
    page.keyboard.press("Home")
    page.keyboard.press(">")
    quiet(widget)
    assert "Axial 3 of 20" in said(widget), "its first slice"
    assert len(widget.sent_of("where")) == 1
    # A click on another one in the picture chooses that; so does a key.
    click(widget, "axial", (28, 8, 2))
    assert marked() == ["right_thing"]
    assert followed(2) == "right_thing"
    widget.reply(widget.sent_of("where")[-1], **WHERE)
    page.keyboard.press(".")
    assert marked() == ["left_thing"]
    page.fill(".xp-search", "left")  # the list is made anew
    assert marked() == ["left_thing"]
    # One of another case, whose row is made after it was gone to.
    page.fill(".xp-search", "")
    page.click("[data-group=Other] .xp-fold")
    scene, labels = widget.get("scene"), widget.get("labels")
    widget.set("scene", {**scene, "key": "c2#1", "case": "c2"})
    widget.set("labels", {**labels, "key": "c2#1", "structures": [*THINGS, row("new_thing", "#00ff00")]})
    page.click("[data-group=Other] .xp-fold")
    assert marked() == []
    page.click("[data-group=Other] .xp-fold")
    widget.set("labels", {**widget.get("labels"), "structures": [*THINGS, row("newest_thing", "#00ff00")]})
    page.focus(".xp-planes")
    page.keyboard.press(",")
    page.click("[data-group=Other] .xp-fold")
    assert marked() == ["newest_thing"]


def test_a_preset_asks_the_kernel_and_r_goes_back(stub: Callable[..., Stub]):
    widget = shown(stub)
    presets = widget.page.locator("[aria-label='Window preset']")
    assert presets.locator("option").all_inner_texts() == ["1–99 %", "2–98 %", "0.5–99.5 %", "Full range"]
    presets.focus()
    widget.page.keyboard.press("ArrowDown")
    request = widget.wait_sent("window")[0]
    assert (request["preset"], request["scene"]) == ("2-98", "c1#1")
    widget.reply(request, low=10.0, high=170.0)
    quiet(widget)
    assert widget.get("window") == [10.0, 170.0]
    assert presets.input_value() == "2-98"
    assert colour(widget, "axial", *spot(widget, "axial", (30, 25, 9))) == pytest.approx(
        [80 / 160 * 255] * 3, abs=1
    )
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("r")
    quiet(widget)
    assert widget.get("window") is None
    assert presets.input_value() == "1-99"
    click(widget, "axial", (8, 8, 9))
    widget.set("point", [8.0, 8.0, 4.0])
    quiet(widget)
    presets.select_option("structure")
    assert widget.wait_sent("window", 2)[1]["structure"] == "left_thing"
    widget.reply(widget.sent_of("window")[1], ok=False, error="No voxels there.")
    expect(widget.page.locator(".xp-toast")).to_have_text("No voxels there.")


def test_a_preset_stays_chosen_and_is_each_cases_own(stub: Callable[..., Stub]):
    widget = shown(stub)
    presets = widget.page.locator("[aria-label='Window preset']")
    presets.select_option("2-98")
    widget.reply(widget.wait_sent("window")[0], low=10.0, high=170.0)
    quiet(widget)
    first = widget.get("scene")
    widget.set("window", None)  # as the kernel does at another case
    widget.set("scene", {**first, "key": "c2#1", "case": "c2", "window": [0.0, 50.0]})
    asked = widget.wait_sent("window", 2)[1]
    assert (asked["preset"], asked["scene"]) == ("2-98", "c2#1")
    assert (widget.get("window"), presets.input_value()) == (None, "2-98"), "not that of the case before"
    widget.reply(asked, low=5.0, high=45.0)
    quiet(widget)
    assert (widget.get("window"), presets.input_value()) == ([5.0, 45.0], "2-98")
    widget.set("window", None)
    widget.set("scene", first)
    quiet(widget)
    assert (widget.get("window"), presets.input_value()) == ([10.0, 170.0], "2-98"), "what it was is known"
    assert len(widget.sent_of("window")) == 2
    # A window that was typed is of its case, and the preset goes along.
    widget.page.fill("[aria-label='Window: shown as white']", "99")
    widget.page.keyboard.press("Enter")
    widget.set("window", None)
    widget.set("scene", {**first, "key": "c3#1", "case": "c3"})
    assert (widget.wait_sent("window", 3)[2]["scene"], presets.input_value()) == ("c3#1", "2-98")
    assert widget.get("window") is None
    widget.set("scene", first)
    quiet(widget)
    assert (widget.get("window"), presets.input_value()) == ([10.0, 99.0], "custom"), "it is remembered"
    assert len(widget.sent_of("window")) == 3
    # One that came with a case is that case's.
    widget.set("window", [1.0, 2.0])
    widget.set("scene", {**first, "key": "c4#1", "case": "c4"})
    quiet(widget)
    assert (widget.get("window"), presets.input_value()) == ([1.0, 2.0], "custom")
    assert len(widget.sent_of("window")) == 3


def test_ends_of_the_window_that_are_typed_stay_a_window(stub: Callable[..., Stub]):
    widget = shown(stub)
    black, white = (
        widget.page.locator(f"[aria-label='Window: shown as {end}']") for end in ("black", "white")
    )
    for box, typed, window in (
        (black, "55.25", [55.25, 255.0]),
        (black, "400", [400.0, 599.75]),  # past the other end, which goes along
        (white, "65535", [400.0, 65535.0]),
        (white, "390", [-64745.0, 390.0]),
        (black, "-0,125", [-0.125, 390.0]),  # with a comma, where that can only stand before decimals
        (black, "1,5", [1.5, 390.0]),
        (black, ",25", [0.25, 390.0]),
        (black, "1,2345", [1.2345, 390.0]),
        (black, "1,25e2", [125.0, 390.0]),
        (black, "−3", [-3.0, 390.0]),
        (black, "190.25", [190.25, 390.0]),
    ):
        box.fill(typed)
        box.press("Enter")
        assert widget.get("window") == window
        widget.page.focus(".xp-planes")
        widget.page.wait_for_function(  # until it is drawn
            """(window) => ['black', 'white'].every((end, i) =>
                Math.abs(document.querySelector(`[aria-label='Window: shown as ${end}']`).value - window[i]) <= 0.5)""",
            arg=window,
        )
    for typed, words in (
        ("<b>x", 'takes numbers, not "<b>x"'),
        ("", 'takes numbers, not ""'),
        ("Infinity", "takes numbers, not"),
        ("0x10", "takes numbers, not"),
        ("1,500", '"1,500" may mean 1.5 or 1500: type one of these'),
        ("-15,125", "may mean -15.125 or -15125"),
        ("1,234,567", 'without separators of thousands, such as 1500 or 1.5, not "1,234,567"'),
        ("1.234,5", "without separators of thousands"),
        ("1 500", "without separators of thousands"),
        ("1,500e3", '"1,500e3" may mean 1500 or 1500000'),
    ):
        white.fill(typed)
        white.press("Enter")
        expect(widget.page.locator(".xp-toast"), typed).to_contain_text(words)
        expect(white).to_have_value("390")
        assert widget.get("window") == [190.25, 390.0]
    widget.set("scene", {})  # such as a case that cannot be read
    quiet(widget)
    expect(black).to_have_value("")
    expect(white).to_have_value("")
    assert black.is_disabled()
    assert white.is_disabled()


def test_an_answer_that_comes_after_another_choice_is_not_taken(stub: Callable[..., Stub]):
    widget = shown(stub)
    presets = widget.page.locator("[aria-label='Window preset']")
    presets.select_option("full")
    widget.page.fill("[aria-label='Window: shown as white']", "99")
    widget.page.keyboard.press("Enter")
    typed = widget.get("window")
    widget.reply(widget.wait_sent("window")[0], low=0.0, high=255.0)
    quiet(widget)
    assert (widget.get("window"), presets.input_value()) == (typed, "custom")


def test_a_right_drag_changes_the_window_and_tells_python_at_its_end(stub: Callable[..., Stub]):
    widget = shown(stub)
    x, y = spot(widget, "axial", (30, 25, 9))
    widget.page.mouse.move(x, y)
    widget.page.mouse.down(button="right")
    widget.page.mouse.move(x - 100, y, steps=5)
    quiet(widget)
    assert widget.page.evaluate("window.saved.filter(([name]) => name === 'window').length") == 0
    widget.page.mouse.up(button="right")
    low, high = widget.get("window")
    assert high - low == pytest.approx(255 * np.exp(-0.5), rel=0.01)
    quiet(widget)
    assert widget.page.input_value("[aria-label='Window preset']") == "custom"


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


def copy_to(widget: Stub, allowed: bool = True) -> None:
    """Give the page a clipboard that it may use, or not."""
    widget.page.evaluate(
        """(allowed) => { window.ClipboardItem = class { constructor(parts) { this.parts = parts; } };
          Object.defineProperty(navigator, 'clipboard', {configurable: true, value: {write: async ([item]) => {
            if (!allowed) throw new Error('refused');
            const blob = await item.parts['image/png']; window.copied = [blob.type, blob.size]; }}});
          HTMLAnchorElement.prototype.click = function () { window.downloaded = this.download; }; }""",
        allowed,
    )


@pytest.mark.parametrize("allowed", [True, False])
def test_the_picture_goes_to_the_clipboard_or_into_a_file(stub: Callable[..., Stub], allowed: bool):
    widget = shown(stub)
    copy_to(widget, allowed)
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("p")
    request = widget.wait_sent("snapshot")[0]
    assert request["scene"] == "c1#1"
    widget.reply(request, [PNG])
    toast = widget.page.locator(".xp-toast")
    expect(toast).to_contain_text("is in the clipboard" if allowed else "saved as c1.png")
    if allowed:
        assert widget.page.evaluate("window.copied") == ["image/png", len(PNG)]
    else:
        assert widget.page.evaluate("window.downloaded") == "c1.png"
    widget.page.click("[title^='Copy picture']")
    widget.reply(widget.wait_sent("snapshot", 2)[1], ok=False, error="No picture of this.")
    expect(toast).to_have_text("No picture of this.")


def test_what_is_copied_is_what_was_seen_as_the_key_went_down(stub: Callable[..., Stub]):
    """Though the kernel has heard of none of it: changes go to it a little later, and by another way."""
    widget = shown(stub, layout_name="axial", structures=["left_thing"], colors=[["left_thing", "#00ff00"]])
    copy_to(widget)
    x, y = spot(widget, "axial", (30, 20, 9))
    widget.page.mouse.move(x, y)
    widget.page.keyboard.down("Control")
    widget.page.mouse.wheel(0, -200)
    widget.page.keyboard.up("Control")
    widget.page.mouse.down(button="middle")
    widget.page.mouse.move(x + 31, y - 12)
    widget.page.mouse.up(button="middle")
    widget.page.keyboard.press("l")
    widget.page.mouse.click(x + 20, y)
    widget.page.mouse.click(x - 60, y + 40)
    widget.page.keyboard.press("Escape")
    quiet(widget)
    widget.page.focus(".xp-planes")
    saved = widget.page.evaluate("window.saved.length")
    told = widget.page.evaluate(
        """() => { const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
          ['x', 'PageUp', 'PageDown', 'p'].forEach(press);
          const told = window.saved.length;
          ['r', 'x', 'PageUp'].forEach(press);
          return told; }"""
    )
    assert told == saved
    (asked,) = widget.sent_of("snapshot")
    assert (asked["layout"], asked["plane"], asked["first"]) == ("axial", "axial", None)
    assert (asked["options"]["radiological"], asked["voxel"][2]) == (False, 9)
    assert (asked["structures"], asked["colors"], asked["window"]) == (
        ["left_thing"],
        [["left_thing", "#00ff00"]],
        [0.0, 255.0],
    )
    zoom, factor = asked["zooms"]["axial"], np.exp(200 / 300)
    box = widget.page.locator(".xp-plane-axial canvas").bounding_box()
    assert (asked["width"], asked["height"]) == (box["width"], box["height"])
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert zoom["factor"] == pytest.approx(factor)
    assert (zoom["panX"], zoom["panY"]) == pytest.approx(
        ((x - middle[0]) * (1 - factor) + 31, (y - middle[1]) * (1 - factor) - 12), abs=1
    )
    ((mark),) = asked["measurements"]
    assert (mark["tool"], mark["plane"], mark["index"]) == ("distance", "axial", 9)
    scale = factor * min((box["width"] - 20) / 40, (box["height"] - 20) / 30)
    for point, (px, py) in zip(mark["points"], ((x + 20, y), (x - 60, y + 40)), strict=True):
        u = 19.5 - (px - middle[0] - zoom["panX"]) / scale
        v = 14.5 - (py - middle[1] - zoom["panY"]) / scale
        assert point == pytest.approx([u, v, 9], abs=0.1)


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("3d", "3D cannot be copied: the three planes were copied instead."),
        ("grid", "In place of 3D it has the list of structures."),
        ("axial", ""),
    ],
)
@pytest.mark.parametrize("allowed", [True, False])
def test_it_is_said_what_a_copy_has_in_place_of_3d(
    stub: Callable[..., Stub], layout: str, words: str, allowed: bool
):
    widget = shown(stub, layout_name=layout)
    copy_to(widget, allowed)
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("p")
    (asked,) = widget.wait_sent("snapshot")
    assert asked["layout"] == layout
    widget.reply(asked, [PNG])
    done = (
        "The picture is in the clipboard."
        if allowed
        else "The clipboard is closed to this page: the picture was saved as c1.png."
    )
    expect(widget.page.locator(".xp-toast")).to_have_text(f"{done} {words}".strip())


def test_a_case_that_is_not_open_yet_is_not_copied_in_silence(stub: Callable[..., Stub]):
    widget = shown(stub)
    copy_to(widget)
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("p")
    widget.reply(
        widget.wait_sent("snapshot")[0], ok=False, outdated=True, error="This case is no longer open."
    )
    expect(widget.page.locator(".xp-toast")).to_have_text("c1 is still being opened: copy it once it is.")


def test_a_copied_sheet_begins_with_the_slice_that_is_seen_first(stub: Callable[..., Stub]):
    """Of 20 slices of 40 x 30 mm there is room for each third; the wheel shows those between."""
    widget = shown(stub, layout_name="sheet", size=(900, 560))
    copy_to(widget)
    title = widget.page.inner_text(".xp-mosaic .xp-tl")
    assert "every 3rd of 20" in title
    canvas = widget.page.locator(".xp-mosaic canvas").bounding_box()
    widget.page.focus(".xp-planes")
    seen = []
    for turns in (0, 1):
        widget.page.mouse.move(canvas["x"] + 20, canvas["y"] + 20)
        for _ in range(turns):
            widget.page.mouse.wheel(0, -100)
        quiet(widget)
        widget.page.keyboard.press("p")
        seen.append(widget.wait_sent("snapshot", turns + 1)[-1]["first"])
    assert seen == [0, 1]


def test_help_tells_the_keys_of_3d_and_of_the_list_too(stub: Callable[..., Stub]):
    widget = shown(stub)
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("?")
    told = widget.page.eval_on_selector_all(
        ".xp-help section",
        "(all) => Object.fromEntries(all.map((e) => [e.querySelector('h3').textContent,"
        " [...e.querySelectorAll('dt')].map((t) => t.textContent).join(' ')]))",
    )
    assert {"arrows", "+", "-", "Home", "wheel,", "click", "drag"} <= set(told["3D"].split())
    assert {"↑", "↓", "←", "→", "Home", "End", "Space", "Enter"} <= set(told["List of structures"].split())


def test_help_closes_by_escape_and_by_a_click_elsewhere(stub: Callable[..., Stub]):
    widget = shown(stub)
    card = widget.page.get_by_role("dialog", name="Keys and mouse")
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("?")
    expect(card).to_be_visible()
    for key in ("L", "PgUp", "double click", "A D"):
        assert key in card.inner_text()
    widget.page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    assert widget.page.evaluate("document.activeElement.className") == "xp-planes"
    widget.page.click(".xp-help-button")
    expect(card).to_be_visible()
    widget.page.click(".xp-help-button")
    expect(card).to_be_hidden()
    widget.page.click(".xp-help-button")
    widget.page.mouse.click(20, 40)
    expect(card).to_be_hidden()


def test_what_is_seen_is_told_once_the_hand_rests(stub: Callable[..., Stub]):
    widget = shown(stub)
    widget.page.wait_for_function("document.querySelector('.xp-heard').textContent !== ''")
    widget.page.evaluate(
        """() => { window.told = []; const heard = document.querySelector('.xp-heard');
          new MutationObserver(() => window.told.push(heard.textContent)).observe(heard, {childList: true, characterData: true, subtree: true}); }"""
    )
    widget.page.focus(".xp-planes")
    for _ in range(6):
        widget.page.keyboard.press("PageUp")
    widget.page.wait_for_function("window.told.length > 0")
    (text,) = widget.page.evaluate("window.told")
    assert text.startswith("c1 · Axial 16 of 20 · x 19.0  y 14.0  z 15.0 mm")
    assert widget.page.locator("[role=status].xp-heard").count() == 1


def test_display_options_are_behind_one_button(stub: Callable[..., Stub]):
    widget = shown(stub)
    pop = widget.page.locator(".xp-pop")
    widget.page.click("[title=Display]")
    expect(pop).to_be_visible()
    widget.page.fill("[aria-label='Width of outlines']", "4")
    pop.get_by_text("Radiological").click()
    quiet(widget)
    assert (widget.get("options")["width"], widget.get("options")["radiological"]) == (4, False)
    assert widget.page.inner_text(".xp-plane-axial .xp-left") == "L"
    widget.page.keyboard.press("Escape")
    expect(pop).to_be_hidden()


def test_a_viewer_that_is_closed_while_measuring_leaves_nothing_behind(stub: Callable[..., Stub]):
    widget = shown(stub)
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("d")
    widget.page.evaluate("window.clean()")
    widget.page.evaluate("() => new Promise((done) => setTimeout(done, 300))")
    assert [name for name, _ in widget.page.evaluate("window.saved")] == ["options"]
    widget.set("options", {"overlay": False})
    widget.page.evaluate("document.body.dispatchEvent(new PointerEvent('pointerdown', {bubbles: true}))")


def test_where_a_structure_is_in_another_mask_set_is_asked_anew(stub: Callable[..., Stub]):
    widget = shown(stub, structures=["left_thing"])
    widget.set("labels", {**widget.get("labels"), "content": "reference"})
    widget.page.focus(".xp-planes")
    for n, content in enumerate(("reference", "model"), 1):
        widget.set("labels", {**widget.get("labels"), "content": content})
        widget.page.keyboard.press(".")
        request = widget.wait_sent("where", n)[-1]
        assert request["content"] == content
        widget.reply(request, **WHERE)
        quiet(widget)

"""The sheet of slices of one plane, alone and beside a large one."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake_kernel import open_volume, quiet, row, said
from playwright.sync_api import expect
from widgets import Stub


def shown(stub: Callable[..., Stub], shape: tuple[int, int, int] = (30, 24, 40), **state: Any) -> Stub:
    """Every voxel's value tells its z."""
    x, y, z = np.indices(shape)
    ids = ((x < 8) & (y < 8)).astype(np.uint8)
    image = (z * 5 + 20).astype(np.uint8)
    options = {"paint": "fill", "crosshair": False, "smooth": False, **state.pop("options", {})}
    rows = [row("left_thing", "#ff0000")]
    state = {"layout_name": "sheet", **state}
    return open_volume(stub, image, ids, [[], [0]], rows, options=options, **state)


def greys(widget: Stub) -> set[int]:
    """Return the greys that the mosaic has much of."""
    return set(
        widget.page.evaluate(
            """() => { const c = document.querySelector('.xp-mosaic canvas');
               const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, seen = new Map();
               for (let i = 0; i < d.length; i += 4) if (d[i] === d[i + 1] && d[i + 1] === d[i + 2] && d[i + 3] === 255)
                 seen.set(d[i], (seen.get(d[i]) ?? 0) + 1);
               return [...seen].filter(([, count]) => count > 2000).map(([value]) => value); }"""
        )
    )


def test_the_sheet_shows_numbered_slices_and_a_click_goes_to_one(stub: Callable[..., Stub]):
    widget = shown(stub, options={"overlay": False})
    title = widget.page.inner_text(".xp-mosaic .xp-tl")
    step = int(re.search(r"every (\d+)", title)[1]) if "every" in title else 1
    box = widget.page.locator(".xp-mosaic canvas").bounding_box()
    slices = [(value - 20) // 5 for value in sorted(greys(widget))]
    assert len(slices) > 5
    assert set(np.diff(slices)) == {step}
    widget.page.mouse.click(box["x"] + 60, box["y"] + 60)
    quiet(widget)
    assert widget.get("layout_name") == "sheet"
    assert round(widget.get("point")[2]) == slices[0]
    widget.page.mouse.dblclick(box["x"] + 60, box["y"] + 60)
    quiet(widget)
    assert widget.get("layout_name") == "mosaic"
    assert widget.page.inner_text(".xp-plane-axial .xp-br").startswith(f"{slices[0] + 1} of 40")


def test_the_wheel_shows_the_slices_between_those_of_the_mosaic(stub: Callable[..., Stub]):
    widget = shown(stub, shape=(30, 24, 44), size=(700, 520))
    assert "every" in widget.page.inner_text(".xp-mosaic .xp-tl")
    asked = {
        i for message in widget.sent_of("slices") if message["plane"] == "axial" for i in message["indices"]
    }
    box = widget.page.locator(".xp-mosaic canvas").bounding_box()
    widget.page.mouse.move(box["x"] + 90, box["y"] + 90)
    quiet(widget)
    before = said(widget)
    widget.page.mouse.wheel(0, -100)
    quiet(widget)
    widget.page.mouse.move(box["x"] + 91, box["y"] + 91)
    quiet(widget)
    number = re.compile(r"Axial (\d+) of 44")
    assert int(number.search(said(widget))[1]) == int(number.search(before)[1]) + 1
    assert asked


def test_its_plane_is_chosen_in_place(stub: Callable[..., Stub]):
    widget = shown(stub)
    title = widget.page.locator(".xp-mosaic .xp-tl")
    chosen = widget.page.locator(".xp-mosaic-planes [aria-pressed=true]")
    letters = [widget.page.locator(f".xp-mosaic .xp-{side}") for side in ("left", "top")]
    assert (chosen.inner_text(), [e.inner_text() for e in letters]) == ("Axial", ["R", "A"])
    widget.page.click(".xp-mosaic-planes >> text=Sagittal")
    quiet(widget)
    assert widget.get("layout_name") == "sheet"
    assert title.inner_text().startswith("Sagittal · c1")
    assert (chosen.inner_text(), [e.inner_text() for e in letters]) == ("Sagittal", ["A", "S"])
    widget.page.focus(".xp-planes")
    for plane in ("Axial", "Coronal"):
        widget.page.keyboard.press("7")
        quiet(widget)
        assert title.inner_text().startswith(f"{plane} · c1")
        assert chosen.inner_text() == plane
    widget.page.keyboard.press("5")
    quiet(widget)
    assert widget.page.locator(".xp-plane-coronal").is_visible()


def test_the_choice_of_its_plane_is_one_stop_of_the_tab_key(stub: Callable[..., Stub]):
    widget = shown(stub)
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("Tab")
    assert widget.page.evaluate("document.activeElement.textContent") == "Axial"
    widget.page.keyboard.press("ArrowRight")
    widget.page.keyboard.press("Enter")
    quiet(widget)
    expect(widget.page.locator(".xp-mosaic .xp-tl")).to_contain_text("Coronal")
    widget.page.keyboard.press("Tab")
    assert widget.page.evaluate("document.activeElement.closest('.xp-mosaic')") is None


def test_a_right_drag_changes_the_window_of_all_and_opens_none(stub: Callable[..., Stub]):
    widget = shown(stub, options={"overlay": False})
    before = greys(widget)
    x, y = place(widget, 200, 200)
    widget.page.mouse.move(x, y)
    widget.page.mouse.down(button="right")
    widget.page.mouse.move(x - 100, y, steps=3)
    quiet(widget)
    assert greys(widget) != before
    assert widget.get("window") is None, "Python hears of its end"
    widget.page.mouse.up(button="right")
    quiet(widget)
    low, high = widget.get("window")
    assert high - low == pytest.approx(255 * np.exp(-0.5), rel=0.01)
    assert widget.get("layout_name") == "sheet"


@pytest.mark.parametrize("size", [(1280, 760), (1500, 760), (900, 600)])
def test_its_lower_letter_is_clear_of_the_numbers(stub: Callable[..., Stub], size: tuple[int, int]):
    widget = shown(stub, size=size, spacing=(2.0, 2.0, 5.0))
    widget.page.evaluate(
        """() => { window.backs = []; const plain = CanvasRenderingContext2D.prototype.roundRect;
          CanvasRenderingContext2D.prototype.roundRect = function (x, y, w, h, r) { window.backs.push([x, y, w, h]); return plain.call(this, x, y, w, h, r); }; }"""
    )
    widget.set("window", [0.0, 300.0])
    quiet(widget)
    left, top = place(widget, 0, 0)
    letter = widget.page.locator(".xp-mosaic .xp-bottom").bounding_box()
    backs = widget.page.evaluate("window.backs")
    assert len(backs) > 5
    for x, y, width, height in backs:
        across = letter["x"] < left + x + width and left + x < letter["x"] + letter["width"]
        along = letter["y"] < top + y + height and top + y < letter["y"] + letter["height"]
        assert not (across and along)


TEXTS = """() => { window.written = []; const plain = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) { window.written.push(text); return plain.call(this, text, ...rest); }; }"""


def test_it_has_a_scale_and_tells_where_its_slices_are(stub: Callable[..., Stub]):
    widget = shown(stub, spacing=(2.0, 2.0, 5.0), affine=[2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 5, -40])
    bar = widget.page.locator(".xp-mosaic .xp-scale")
    pixels = float(bar.evaluate("(e) => e.style.getPropertyValue('--xp-length')").removesuffix("px"))
    number, unit = bar.inner_text().split()
    length_mm = float(number) * {"mm": 1, "cm": 10}[unit]
    columns = widget.page.evaluate(
        """() => { const c = document.querySelector('.xp-mosaic canvas');
           const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
           for (let y = 0; y < c.height; y++) for (let x = 0; x < c.width; x++) if (d[4 * (y * c.width + x) + 3] === 255) {
             let n = 0; while (d[4 * (y * c.width + x + n) + 3] === 255) n++;
             if (n > 20) return n; }
           return 0; }"""
    )
    assert pixels / length_mm == pytest.approx(columns / 60, rel=0.03)  # 30 voxels of 2 mm
    widget.page.evaluate(TEXTS)
    widget.set("window", [0.0, 300.0])
    quiet(widget)
    title = widget.page.inner_text(".xp-mosaic .xp-tl")
    step = int(re.search(r"every (\d+)", title)[1])
    assert title.endswith(f", {5 * step:.1f} mm apart")
    written = widget.page.evaluate("window.written")
    numbers = [int(text.split()[0]) for text in written]
    assert set(np.diff(numbers)) == {step}
    assert written == [f"{n} · {5 * (n - 1) - 40:.1f} mm" for n in numbers]


def place(widget: Stub, dx: float, dy: float) -> tuple[float, float]:
    """Return a point of the mosaic on the page."""
    box = widget.page.locator(".xp-mosaic canvas").bounding_box()
    assert box is not None
    return box["x"] + dx, box["y"] + dy


def test_a_plane_stands_beside_its_sheet_and_both_follow_the_crosshair(stub: Callable[..., Stub]):
    widget = shown(stub, layout_name="mosaic", size=(1300, 700), spacing=(2.0, 2.0, 5.0))
    tiles = widget.page.locator(".xp-planes > .xp-tile:visible")
    large = widget.page.locator(".xp-plane-axial .xp-br")
    assert tiles.count() == 2
    assert large.inner_text().startswith("20 of 40")
    x, y = place(widget, 60, 60)
    widget.page.mouse.click(x, y)
    quiet(widget)
    assert widget.get("layout_name") == "mosaic"
    first = round(widget.get("point")[2] / 5)
    assert large.inner_text().startswith(f"{first + 1} of 40")
    # The mark goes along, and is fainter on a slice that is only near.
    widget.page.focus(".xp-planes")
    assert marks(widget) == ["#4da3ff"]
    widget.page.keyboard.press("ArrowUp")
    quiet(widget)
    assert large.inner_text().startswith(f"{first + 2} of 40")
    assert marks(widget) == ["rgba(77, 163, 255, 0.45)"]
    for key, plane in (("5", "coronal"), ("5", "sagittal"), ("5", "axial")):
        widget.page.keyboard.press(key)
        quiet(widget)
        assert widget.page.locator(f".xp-plane-{plane}").is_visible()
        assert widget.page.inner_text(".xp-mosaic-planes [aria-pressed=true]").lower() == plane
        assert tiles.count() == 2


def test_either_is_maximised_and_comes_back_beside_the_other(stub: Callable[..., Stub]):
    widget = shown(stub, layout_name="mosaic", size=(1300, 700))
    for name, layout in ((".xp-mosaic", "sheet"), (".xp-plane-axial", "axial")):
        for wanted in (layout, "mosaic"):
            box = widget.page.locator(name).bounding_box()
            widget.page.mouse.dblclick(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4)
            quiet(widget)
            assert widget.get("layout_name") == wanted
        widget.page.hover(name)
        widget.page.click(f"{name} .xp-max")
        quiet(widget)
        assert widget.get("layout_name") == layout
        widget.page.click(f"{name} .xp-max")
        quiet(widget)
    assert widget.page.locator(".xp-segs [aria-pressed=true]").inner_text() == "Mosaic"


@pytest.mark.parametrize("layout", ["mosaic", "sheet"])
def test_the_title_is_as_long_as_there_is_room_and_whole_in_its_tip(stub: Callable[..., Stub], layout: str):
    widget = shown(stub, layout_name=layout, size=(1600, 700), spacing=(2.0, 2.0, 5.0))
    title = widget.page.locator(".xp-mosaic .xp-tl")
    whole = title.inner_text()
    assert whole.endswith("of 40 slices, 10.0 mm apart")
    seen = {}
    for width in (*range(1600, 1060, -60), 1600):
        widget.page.evaluate("(px) => (document.getElementById('root').style.width = `${px}px`)", width)
        quiet(widget)
        assert title.evaluate("(e) => e.scrollWidth <= e.clientWidth"), (width, title.inner_text())
        wanted = widget.page.get_attribute(".xp-mosaic canvas", "aria-label")
        is_whole = wanted.endswith(title.inner_text())
        tip = title.get_attribute("title")
        assert tip is None if is_whole else wanted.endswith(tip)
        assert re.search(r"(all 40 slices|every \d+(nd|rd|th))", title.inner_text())
        seen[width] = title.inner_text()
    assert seen[1600] == whole
    assert len(set(seen.values())) > (2 if layout == "mosaic" else 0)


@pytest.mark.parametrize("layout", ["mosaic", "sheet"])
def test_zoom_and_pan_of_the_sheet_are_of_all_its_slices(stub: Callable[..., Stub], layout: str):
    widget = shown(stub, layout_name=layout, size=(1300, 700))
    bar = widget.page.locator(".xp-mosaic .xp-scale")
    fitted = bar.inner_text(), bar.evaluate("(e) => e.style.getPropertyValue('--xp-length')")
    cells = len(greys(widget))
    x, y = place(widget, 70, 60)

    def voxel() -> list[str]:
        widget.page.mouse.move(x + 1, y)
        widget.page.mouse.move(x, y)
        quiet(widget)
        return re.search(r"voxel (\d+) (\d+)", said(widget)).groups()

    before = voxel()
    widget.page.keyboard.down("Control")
    for _ in range(4):
        widget.page.mouse.wheel(0, -100)
    widget.page.keyboard.up("Control")
    assert voxel() == before
    assert (bar.inner_text(), bar.evaluate("(e) => e.style.getPropertyValue('--xp-length')")) != fitted
    assert len(greys(widget)) == cells
    widget.page.keyboard.down("Shift")
    widget.page.mouse.down()
    widget.page.mouse.move(x + 40, y + 30, steps=3)
    widget.page.mouse.up()
    widget.page.keyboard.up("Shift")
    x, y = x + 40, y + 30
    assert voxel() == before
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("r")
    quiet(widget)
    assert (bar.inner_text(), bar.evaluate("(e) => e.style.getPropertyValue('--xp-length')")) == fitted
    if layout == "sheet":
        widget.page.keyboard.press("+")
        quiet(widget)
        assert bar.evaluate("(e) => e.style.getPropertyValue('--xp-length')") != fitted[1]


def marks(widget: Stub) -> list[str]:
    """Return the colours of the frames about cells when all of the sheet is drawn anew."""
    widget.page.evaluate(MARK)
    widget.page.evaluate("window.marked.splice(0)")
    low, high = widget.get("window") or (0.0, 250.0)
    widget.set("window", [low, high + 1])
    quiet(widget)
    return widget.page.evaluate("window.marked.splice(0)")


MARK = """() => { if (window.marked) return true; window.marked = []; const plain = CanvasRenderingContext2D.prototype.strokeRect;
  CanvasRenderingContext2D.prototype.strokeRect = function (...box) {
    if (this.canvas.closest('.xp-mosaic')) window.marked.push(this.strokeStyle); return plain.apply(this, box); }; return true; }"""

"""A copied picture has 3D as it is seen, where 3D is there."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser import GL, chromium_with
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from servers import Watch, voila
from test_space import settle
from viewer_page import bridge
from widgets import Bridge, Stub

from explorer import Cohort, Selection, open_dataset
from explorer.phantom import write_case
from explorer.views.view import Message, OutdatedError
from explorer.views.viewer import Viewer

chromium = chromium_with(*GL)

IN_PLACE = {
    "3d": "3D cannot be copied: the three planes",
    "grid": "In place of 3D it has the list of structures.",
}
TITLE_HEIGHT = 30
CLIPBOARD = """() => { window.ClipboardItem = class { constructor(parts) { this.parts = parts; } };
  window.copied = '';
  Object.defineProperty(navigator, 'clipboard', {configurable: true, value: {write: async ([item]) => {
    const bytes = new Uint8Array(await (await item.parts['image/png']).arrayBuffer());
    window.copied = btoa(Array.from(bytes, (n) => String.fromCharCode(n)).join('')); }}}); }"""


@pytest.fixture
def opened(tmp_path: Path, stub: Callable[..., Stub]) -> Callable[..., Bridge]:
    def make(layout: str = "3d", prepare: Callable[[Viewer], None] = lambda view: None) -> Bridge:
        write_case(tmp_path, "s0001", spacing_mm=(4.0, 5.0, 7.0), seed=3)
        dataset = open_dataset(tmp_path)
        selection = Selection(Cohort.join(dataset.meta))
        selection.layout, selection.structures = layout, ("liver", "kidney_left")
        selection.case = "s0001"
        view = Viewer(selection, dataset, store=str(tmp_path / "store"))
        prepare(view)
        found = bridge(view, stub, theme="dark")
        found.page.evaluate(CLIPBOARD)
        return found

    return make


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def copy(shown: Bridge) -> tuple[np.ndarray, str]:
    """Return the copied picture and what is said of it."""
    shown.page.focus(".xp-planes")
    shown.page.keyboard.press("p")
    shown.settle()
    said = shown.page.locator(".xp-toast")
    expect(said).to_contain_text("in the clipboard", timeout=5000)
    return pixels(base64.b64decode(shown.page.evaluate("window.copied"))), said.inner_text()


def tile(page: Page) -> np.ndarray:
    """Return how the 3D tile looks, without its title and its buttons."""
    page.add_style_tag(content=".xp-viewer :is(.xp-3d-tools, .xp-toast) { display: none !important }")
    page.mouse.move(2, 2)
    page.evaluate("document.activeElement?.blur()")
    return pixels(page.locator(".xp-3d").screenshot())[TITLE_HEIGHT:]


@pytest.mark.parametrize("layout", ["3d", "grid"])
def test_it_is_what_is_seen_with_the_cube(opened: Callable[..., Bridge], layout: str):
    shown = opened(layout)
    settle(shown, 2)
    shown.page.locator(".xp-canvas-3d").focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowUp", "+"):
        shown.page.keyboard.press(key)
    copied, said = copy(shown)
    assert said == "The picture is in the clipboard."
    seen = tile(shown.page)
    assert (seen.max(axis=2) > 60).mean() > 0.02
    box, planes = (shown.page.locator(name).bounding_box() for name in (".xp-3d", ".xp-planes"))
    left, top = round(box["x"] - planes["x"]), round(box["y"] - planes["y"]) + TITLE_HEIGHT
    there = copied[top : top + seen.shape[0], left : left + seen.shape[1]]
    assert np.abs(np.array(there.shape) - seen.shape).max() <= 1
    seen = seen[: there.shape[0], : there.shape[1]]
    best = min(
        (np.abs(np.roll(there, (y, x), (0, 1)) - seen)[3:-3, 3:-3].max(axis=2) > 24).mean()
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    )
    assert best < 0.012  # a tile may begin half a pixel lower
    assert copied.shape[1] >= round(planes["width"]) + 229, "and the legend beside it"


def test_what_has_just_changed_is_in_it(opened: Callable[..., Bridge]):
    """Without a graphics card the page draws only after a rest."""
    shown = opened()
    settle(shown, 2)
    both, _ = copy(shown)
    shown.page.evaluate(
        """() => { window.model.take('structures', []);
          return new Promise((done) => queueMicrotask(() => queueMicrotask(done))); }"""
    )
    none, _ = copy(shown)
    lit = [(picture[100:600, 40:900].max(axis=2) > 60).mean() for picture in (both, none)]
    assert lit[0] > 0.02
    assert lit[1] < lit[0] / 10


def without(shown: Bridge, layout: str) -> None:
    """What a page without 3D copies."""
    _, said = copy(shown)
    assert IN_PLACE[layout] in said
    (asked,) = shown.stub.sent_of("snapshot")
    assert "space" not in asked
    assert shown.stub.carried_by(asked) == []


@pytest.mark.parametrize("layout", ["3d", "grid"])
def test_before_there_is_a_surface_it_is_without(opened: Callable[..., Bridge], layout: str):
    def not_yet(_message: Message) -> None:
        raise OutdatedError("These masks are not read yet.")

    shown = opened(
        layout, lambda view: setattr(view, "handlers", lambda: {**Viewer.handlers(view), "surface": not_yet})
    )
    shown.page.wait_for_function("document.querySelector('.xp-3d').dataset.surfaces === '0'")
    without(shown, layout)


def test_before_its_program_is_there_it_is_without(opened: Callable[..., Bridge]):
    def late(view: Viewer) -> None:
        view.handlers = lambda: {
            kind: answer for kind, answer in Viewer.handlers(view).items() if kind != "module"
        }

    without(opened("3d", late), "3d")


def test_after_its_context_is_lost_it_is_without(opened: Callable[..., Bridge]):
    shown = opened("grid")
    settle(shown, 2)
    shown.page.evaluate(
        "document.querySelector('.xp-canvas-3d').getContext('webgl2').getExtension('WEBGL_lose_context').loseContext()"
    )
    shown.page.get_by_text("The graphics driver has stopped").wait_for()
    without(shown, "grid")
    shown.stub.errors.clear()  # three.js logs the loss


def test_too_large_a_picture_of_it_is_left_out(opened: Callable[..., Bridge]):
    """A message of more than 10 MB would end the connection."""
    shown = opened("3d")
    settle(shown, 2)
    shown.page.evaluate(
        "HTMLCanvasElement.prototype.toDataURL = () => 'data:image/png;base64,' + btoa('x'.repeat(8000001))"
    )
    without(shown, "3d")


def test_one_that_the_kernel_refuses_is_told(opened: Callable[..., Bridge]):
    shown = opened("3d")
    settle(shown, 2)
    shown.page.evaluate(
        "HTMLCanvasElement.prototype.toDataURL = () => 'data:image/png;base64,' + btoa('<svg>')"
    )
    shown.page.focus(".xp-planes")
    shown.page.keyboard.press("p")
    shown.settle()
    expect(shown.page.locator(".xp-toast")).to_contain_text(
        "The picture of 3D is no PNG: it begins with b'<svg>'."
    )


def test_in_voila_it_arrives_with_its_picture(chromium: Browser, tmp_path: Path):
    write_case(tmp_path / "set", "s0001", spacing_mm=(4.0, 5.0, 7.0), seed=3)
    with voila(tmp_path / "set", tmp_path / "store", "light") as address:
        watch = Watch()
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        watch.attach(page)
        page.goto(address)
        page.locator(".xp-planes").wait_for()
        page.evaluate(CLIPBOARD)
        page.focus(".xp-planes")
        page.keyboard.press("6")
        page.wait_for_function(
            "() => /^3D · \\d+ surfaces$/.test(document.querySelector('.xp-3d-title').textContent) && "
            "Number(document.querySelector('.xp-3d').dataset.surfaces) > 10"
        )
        page.keyboard.press("p")
        page.wait_for_function("window.copied")
        expect(page.locator(".xp-toast")).to_have_text("The picture is in the clipboard.")
        copied, seen = pixels(base64.b64decode(page.evaluate("window.copied"))), tile(page)
        there = copied[TITLE_HEIGHT : TITLE_HEIGHT + seen.shape[0], : seen.shape[1]]
        assert (np.abs(there - seen)[3:-3, 3:-3].max(axis=2) > 24).mean() < 0.01
        assert (watch.errors, watch.elsewhere) == ([], [])
        page.close()

"""A whole session without a mouse, in Voila and in JupyterLab: the focus is always seen, never lost, never caught."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from browser import GL, chromium_with
from playwright.sync_api import Browser, Page, expect
from servers import Watch, lab, open_lab, voila, write_notebook

from explorer import build_index, open_dataset, write_phantom

chromium = chromium_with(*GL)

MOST_STOPS = 34

FOCUS = """() => {
    const at = document.activeElement;
    if (!at.closest('.xp')) return 'outside: ' + at.outerHTML.slice(0, 200);
    const box = at.getBoundingClientRect(), style = getComputedStyle(at);
    const ringed = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1;
    const seen = at.checkVisibility({opacityProperty: true, visibilityProperty: true}) && box.width > 0 && box.bottom > 0 && box.right > 0
        && box.top < innerHeight && box.left < innerWidth;
    return ringed && seen ? '' : 'not seen: ' + at.outerHTML.slice(0, 200);
}"""
"""What is wrong with the focus, or nothing."""

SETTLED = f"""async () => {{
    for (let i = 0; i < 200 && ({FOCUS})(); i++) await new Promise((done) => setTimeout(done, 30));
    return ({FOCUS})();
}}"""
"""The same once what fades in is there."""


@pytest.fixture(params=["voila", "jupyterlab"])
def page(request: pytest.FixtureRequest, chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """The app on a synthetic data set of five cases, with the keyboard at what comes before it."""
    phantom = write_phantom(tmp_path / "phantom", 5, seed=1, progress=False)
    build_index(open_dataset(phantom.path), tmp_path / "store", progress=False)
    watch = Watch()
    with ExitStack() as stack:
        if request.param == "voila":
            address = stack.enter_context(voila(phantom.path, tmp_path / "store"))
            page = chromium.new_page(viewport={"width": 1280, "height": 800})
            watch.attach(page)
            page.goto(address)
        else:
            code = f"from explorer import Explorer\nExplorer({str(phantom.path)!r}, store={str(tmp_path / 'store')!r})"
            write_notebook(tmp_path / "app.ipynb", code)
            page = open_lab(chromium, stack.enter_context(lab(tmp_path)), "app.ipynb", watch)
        page.wait_for_selector(".xp-structure")
        page.wait_for_selector(".xp-row")
        expect(page.locator(".xp-header .xp-progress")).to_be_hidden()
        if request.param == "jupyterlab":
            page.locator(".jp-Notebook").focus()
        yield page
        assert (watch.errors, watch.elsewhere) == ([], [])
        page.close()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)))")
        found = page.evaluate(SETTLED)
        assert found == "", f"{key}: {found}"


def is_at(page: Page, css: str) -> bool:
    return bool(page.evaluate("(css) => document.activeElement.matches(css)", css))


def tab_to(page: Page, css: str, key: str = "Tab") -> int:
    """Press Tab until an element has the focus; gives how many times."""
    for count in range(1, MOST_STOPS + 1):
        press(page, key)
        if is_at(page, css):
            return count
    raise AssertionError(f"{key} does not come to {css}")


def out_of_it(page: Page) -> bool:
    """Go one stop on; tells whether that has left the app."""
    page.keyboard.press("Tab")
    return bool(page.evaluate("() => document.activeElement.closest('.xp') === null"))


def arrow_to(page: Page, key: str, css: str) -> None:
    for _ in range(60):
        if is_at(page, css):
            return
        press(page, key)
    raise AssertionError(f"{key} does not come to {css}")


def test_a_whole_session(page: Page):
    count = page.locator(".xp-header .xp-count")
    case = page.locator(".xp-header .xp-case")
    planes = page.locator(".xp-planes")

    # Into the app: its first stop is the search.
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.closest('.xp') !== null"):
            break
    assert is_at(page, ".xp-header input")
    stops = 1
    while not out_of_it(page):
        stops += 1
        assert stops <= MOST_STOPS
    page.focus(".xp-header input")
    page.keyboard.type("s000")
    expect(count).to_have_text("5 of 5 cases")

    # Filter by a value, and take the filter back.
    tab_to(page, ".xp-title")
    arrow_to(page, "ArrowDown", ".xp-value")
    press(page, "Space")
    expect(page.locator(".xp-chip")).to_have_count(2)
    expect(count).not_to_have_text("5 of 5 cases")
    press(page, "ArrowUp", "ArrowDown")
    assert is_at(page, ".xp-value[aria-pressed=true]")
    tab_to(page, ".xp-chip", "Shift+Tab")
    press(page, "Enter")
    expect(page.locator(".xp-chip")).to_have_count(1)
    expect(count).to_have_text("5 of 5 cases")
    press(page, "Home", "Enter")
    expect(page.locator(".xp-chip")).to_have_count(0)
    assert page.evaluate(FOCUS) == ""

    # Open a case in the table.
    tab_to(page, ".xp-view")
    press(page, "Home", "ArrowDown", "ArrowDown", "Enter")
    expect(case).to_have_text("s0003")
    expect(page.locator(".xp-row[data-case=s0003]")).to_have_attribute("aria-selected", "true")
    assert is_at(page, ".xp-view")
    press(page, "Tab", "ArrowRight", "Enter", "ArrowDown")  # sort by the second column, back to the rows
    assert is_at(page, ".xp-view")
    expect(page.locator("[role=columnheader][aria-sort=ascending]")).to_have_count(1)

    # Hide a structure, show another alone, and all again.
    tab_to(page, ".xp-group, .xp-structure", "Shift+Tab")
    arrow_to(page, "ArrowDown", ".xp-structure")
    eyes = page.locator(".xp-structure .xp-eye[aria-checked=true]")
    shown = eyes.count()
    press(page, "Space")
    expect(eyes).to_have_count(shown - 1)
    arrow_to(page, "ArrowRight", "[data-act=solo]")
    press(page, "Enter")
    expect(eyes).to_have_count(1)
    tab_to(page, ".xp-act", "Shift+Tab")
    press(page, "Enter")
    expect(eyes).to_have_count(shown)

    # Layout and window.
    tab_to(page, ".xp-seg", "Shift+Tab")
    press(page, "ArrowRight", "Enter")
    expect(planes).to_have_attribute("data-layout", "axial")
    assert is_at(page, ".xp-seg[aria-pressed=true]")
    for end, value in (("black", "20"), ("white", "300")):
        tab_to(page, f"[aria-label='Window: shown as {end}']")
        page.keyboard.press("Control+a")
        page.keyboard.type(value)
    press(page, "Tab")
    expect(page.locator("[aria-label='Window preset']")).to_have_value("custom")

    # Scroll, all planes, the next case.
    tab_to(page, ".xp-planes", "Shift+Tab")
    place = page.locator(".xp-plane-axial .xp-br")
    before = place.inner_text()
    press(page, "PageUp", "PageUp")
    expect(place).not_to_have_text(before)
    press(page, "Tab")
    assert is_at(page, ".xp-plane-axial .xp-slider")
    press(page, "6")  # what has the focus goes away
    expect(planes).to_have_attribute("data-layout", "3d")
    assert is_at(page, ".xp-planes")

    # Turn the surfaces.
    press(page, "Tab")
    assert is_at(page, ".xp-canvas-3d")
    page.wait_for_selector(".xp-3d[data-surfaces]:not([data-surfaces='0'])")
    faces = "() => [...document.querySelectorAll('.xp-face')].map((f) => f.style.transform + f.style.visibility).join()"
    turned = page.evaluate(faces)
    press(page, "ArrowLeft", "ArrowLeft", "ArrowUp")
    page.wait_for_function(f"(was) => ({faces})() !== was", arg=turned)
    press(page, "1", "]")
    expect(planes).to_have_attribute("data-layout", "grid")
    expect(case).to_have_text("s0004")
    assert page.evaluate(FOCUS) == ""

    # Help, from a key and from its button, and what is behind "Display".
    card = page.get_by_role("dialog", name="Keys and mouse")
    tab_to(page, ".xp-planes", "Shift+Tab")
    press(page, "?")
    expect(card).to_be_visible()
    press(page, "Tab", "Escape")
    expect(card).to_be_hidden()
    assert is_at(page, ".xp-planes")
    tab_to(page, ".xp-tools button")
    press(page, "End", "Enter", "Escape")
    expect(card).to_be_hidden()
    assert is_at(page, ".xp-help-button")
    press(page, "ArrowLeft", "Enter", "Tab", "Tab", "Escape")
    expect(page.locator(".xp-pop")).to_be_hidden()
    assert is_at(page, "[aria-label=Display]")

    # A chart, and on and out again: nothing holds the focus.
    tab_to(page, ".xp-tabs [role=tab]")
    press(page, "ArrowRight")
    expect(page.locator(".xp-tabs [role=tab][aria-selected=true]")).to_have_text("Volumes")
    expect(page.locator(".xp-dashboard .js-plotly-plot")).to_be_visible()
    assert is_at(page, "[role=tab][aria-selected=true]")
    press(page, "Tab")
    assert is_at(page, ".xp-charts select")
    assert any(out_of_it(page) for _ in range(MOST_STOPS)), "nothing holds the focus"

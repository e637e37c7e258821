"""End to end: the whole app in Voila and in JupyterLab, asserted on the page and on the Python object."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from servers import Watch, ask_kernel, lab, open_lab, voila, write_notebook

from explorer import build_index, open_dataset, write_phantom
from explorer.phantom import Phantom

REAL = Path(__file__).parents[3] / "shared" / "real"

COLOURED = """([plane, bare]) => {
    const canvas = document.querySelector(`.xp-plane-${plane} canvas`);
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let grey = 0, coloured = 0;
    for (let i = 0; i < pixels.length; i += 4) {
        const [r, g, b] = [pixels[i], pixels[i + 1], pixels[i + 2]];
        if (Math.max(r, g, b) - Math.min(r, g, b) > 24) coloured += 1; else if (r > 60) grey += 1;
    }
    return bare ? Math.min(grey, coloured) : coloured;
}"""


FOCUS_IS_SEEN = """() => {
    const e = document.activeElement, s = getComputedStyle(e);
    return !e.closest('.xp') || (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1);
}"""


FILLED = """() => {
    const dashboard = document.querySelector('.xp-dashboard');
    const [drawn, room] = [dashboard.querySelector('.main-svg'), dashboard.lastElementChild].map((e) => e.getBoundingClientRect());
    return Math.abs(drawn.width - room.width) < 2 && Math.abs(drawn.height - room.height) < 2;
}"""


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Phantom:
    return write_phantom(tmp_path_factory.mktemp("app") / "phantom", 5, seed=1, progress=False)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory, phantom: Phantom) -> Iterator[str]:
    """A JupyterLab with a notebook of the app, and its address."""
    folder = tmp_path_factory.mktemp("lab")
    code = f"from explorer import Explorer\napp = Explorer({str(phantom.path)!r}, store={str(folder / 'store')!r})\napp"
    write_notebook(folder / "app.ipynb", code)
    with lab(folder) as address:
        yield address


def ready(page: Page, cases: int) -> None:
    expect(page.locator(".xp-header .xp-count")).to_have_text(f"{cases} of {cases} cases")
    page.wait_for_selector(".xp-structure")
    page.wait_for_selector(".xp-row")
    expect(page.locator(".xp-header .xp-progress")).to_be_hidden()


def picture(page: Page, plane: str = "axial", *, bare: bool = True) -> None:
    """Wait for structures in a plane and, unless all that is bright is inside one, for `bare` tissue."""
    page.wait_for_function(f"(what) => ({COLOURED})(what) > 200", arg=[plane, bare])


def plotted(page: Page) -> int:
    """Wait until the page shows the points that Python has plotted; gives their number."""
    page.wait_for_selector(".xp-dashboard .js-plotly-plot")
    count = ask_kernel(page, "sum(len(t.x) for t in app.dashboard.figure.data if t.type == 'scatter')")
    shown = ".xp-dashboard .scatterlayer .points path"
    page.wait_for_function("([css, n]) => document.querySelectorAll(css).length === n", arg=[shown, count])
    page.wait_for_function(FILLED)
    return int(count)


def test_in_jupyterlab_everything_is_linked_and_python_has_it(
    chromium: Browser, notebook: str, phantom: Phantom
):
    watch = Watch()
    page = open_lab(chromium, notebook, "app.ipynb", watch, "JupyterLab Dark")
    ready(page, 5)
    picture(page)
    assert ask_kernel(page, "app.selection.case") == "s0001"

    # Choosing a case shows it.
    page.click(".xp-row[data-case=s0003]")
    expect(page.locator(".xp-header .xp-case")).to_have_text("s0003")
    picture(page)
    assert ask_kernel(page, "app.selection.case") == "s0003"

    # A facet changes table, counts and plot together.
    page.click(".xp-tabs [role=tab]:has-text('Volumes')")
    plotted(page)
    facet = page.locator(".xp-facets section[aria-label='Study'] .xp-value", has_text="mr abdomen")
    facet.click()
    wanted = [case.id for case in phantom.cases if case.region == "abdomen"]
    expect(page.locator(".xp-header .xp-count")).to_have_text(f"{len(wanted)} of 5 cases")
    expect(facet).to_have_attribute("aria-pressed", "true")
    assert plotted(page) > 0
    assert {case for case, _ in ask_kernel(page, "app.dashboard.chart.points")} == set(wanted)
    expect(page.locator(".xp-charts .xp-said")).to_contain_text(f"n = {len(wanted)} cases")
    state = ask_kernel(page, "app.selection.snapshot()")
    assert state["filters"] == [["study_type", {"one_of": "study_type", "values": ["mr abdomen"]}]]
    assert ask_kernel(page, "app.selection.cohort().ids") == wanted

    # A click on a plotted point opens that case at that structure.
    targets = ask_kernel(page, "app.dashboard.chart.points")
    number = next(i for i, (case, _) in enumerate(targets) if case != "s0003")
    point = page.locator(".xp-dashboard .scatterlayer .trace").first.locator(".points path").nth(number)
    point.scroll_into_view_if_needed()
    told = page.locator(".xp-dashboard .hoverlayer .hovertext")
    for _ in range(60):  # a chart that is laid out anew forgets where the mouse is
        box = point.bounding_box()
        assert box is not None
        page.mouse.move(box["x"], box["y"] - 60)
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_timeout(500)
        if told.count():
            break
    expect(told).to_contain_text(targets[number][0])
    page.mouse.down()
    page.mouse.up()
    expect(page.locator(".xp-header .xp-case")).to_have_text(targets[number][0])
    assert ask_kernel(page, "app.selection.case") == targets[number][0]
    assert ask_kernel(page, "app.selection.point") is not None

    # Python leads and the page follows.
    page.click(".xp-tabs [role=tab]:has-text('Cases')")
    ask_kernel(page, "app.selection.clear()")
    ask_kernel(page, "app.selection.open('s0002')")
    expect(page.locator(".xp-row[aria-selected=true]")).to_have_attribute("data-case", "s0002")
    expect(page.locator(".xp-header .xp-count")).to_have_text("5 of 5 cases")
    picture(page)
    assert watch.errors == []
    assert watch.elsewhere == []
    page.close()


def test_a_theme_is_followed_at_once_and_a_restarted_kernel_is_told(chromium: Browser, notebook: str):
    watch = Watch()
    page = open_lab(chromium, notebook, "app.ipynb", watch, "JupyterLab Light")
    ready(page, 5)
    page.click(".xp-tabs [role=tab]:has-text('Volumes')")
    plotted(page)
    parts = (".xp-header", ".xp-facets", ".xp-panel", ".xp-dashboard .ytick text")
    colour = "(css) => { const s = getComputedStyle(document.querySelector(css)); return css.endsWith('text') ? s.fill : s.backgroundColor; }"
    light = [page.evaluate(colour, part) for part in parts]
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}).then(() => 0)"
    )
    for part, before in zip(parts, light, strict=True):
        page.wait_for_function(f"([css, before]) => ({colour})(css) !== before", arg=[part, before])
    page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart().then(() => 0)"
    )
    said = page.locator(".xp-gone:visible")
    expect(said).to_have_count(1)
    expect(said).to_contain_text("Run the cell again")
    assert (watch.errors, watch.elsewhere) == ([], [])
    page.close()


def test_jupyterlab_keeps_its_shortcuts_to_itself(chromium: Browser, notebook: str):
    watch = Watch()
    page = open_lab(chromium, notebook, "app.ipynb", watch)
    ready(page, 5)
    cells = page.locator(".jp-Cell").count()
    page.click(".xp-plane-axial canvas")
    for key in ("b", "a", "x", "x", "2"):
        page.keyboard.press(key)
    expect(page.locator(".xp-planes")).to_have_attribute("data-layout", "axial")
    assert page.locator(".jp-Cell").count() == cells
    assert (watch.errors, watch.elsewhere) == ([], [])
    page.close()


ZEROS_ARE_APART = """() => {
    const zero = (axis) => [...document.querySelectorAll(`.xp-dashboard .${axis}tick text`)]
        .find((tick) => tick.textContent.trim() === '0')?.getBoundingClientRect();
    const [x, y] = [zero('x'), zero('y')];
    return x && y && x.top >= y.bottom;
}"""


def test_in_voila_search_filters_and_no_other_host_is_asked(
    chromium: Browser, phantom: Phantom, tmp_path: Path
):
    build_index(open_dataset(phantom.path), tmp_path / "store", progress=False)
    with voila(phantom.path, tmp_path / "store") as address:
        watch = Watch()
        page = chromium.new_page(viewport={"width": 1280, "height": 860})
        watch.attach(page)
        page.goto(address)
        ready(page, 5)
        picture(page)
        page.fill(".xp-header input", "pelvis")
        expect(page.locator(".xp-header .xp-count")).to_have_text("1 of 5 cases")
        expect(page.locator(".xp-row")).to_have_count(1)
        page.click(".xp-header [aria-label='Next case']")
        expect(page.locator(".xp-header .xp-case")).to_have_text("s0002")
        page.fill(".xp-header input", "no such thing")
        expect(page.locator(".xp-table .xp-none")).to_contain_text("No case matches")
        page.click(".xp-table .xp-none button")
        expect(page.locator(".xp-header .xp-count")).to_have_text("5 of 5 cases")
        for tab in ("Volumes", "Prevalence", "Acquisition"):
            page.click(f".xp-tabs [role=tab]:has-text('{tab}')")
            page.wait_for_selector(".xp-dashboard .js-plotly-plot .points path")
        page.wait_for_function(ZEROS_ARE_APART)
        for _ in range(60):
            page.keyboard.press("Tab")
            assert page.evaluate(FOCUS_IS_SEEN), page.evaluate(
                "document.activeElement.outerHTML.slice(0, 200)"
            )
        overflow = page.evaluate("document.documentElement.scrollHeight - innerHeight")
        assert overflow <= 1
        assert watch.errors == []
        assert watch.elsewhere == []
        page.close()


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real scans is not beside the project")
def test_real_scans_in_voila(chromium: Browser, tmp_path: Path):
    with voila(REAL / "mini", tmp_path / "store") as address:
        watch = Watch()
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        watch.attach(page)
        page.goto(address)
        ready(page, 6)
        for case in ("s0002", "s0003", "s0007", "s0001"):
            page.click(f".xp-row[data-case={case}]")
            expect(page.locator(".xp-header .xp-case")).to_have_text(case)
            page.wait_for_function("(c) => document.querySelector('.xp-planes:not(.xp-busy)')", arg=case)
            picture(page, "sagittal", bare=case != "s0007")  # a brain and nothing else
            for plane, letters in {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}.items():
                sides = ("left", "right", "top", "bottom")
                found = [page.inner_text(f".xp-plane-{plane} .xp-{side}") for side in sides]
                assert "".join(letter[0] for letter in found) == letters
        # The liver of s0001 is green and on the left of the axial picture.
        left, right = page.evaluate(
            """() => {
                const c = document.querySelector('.xp-plane-axial canvas');
                const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, n = [0, 0];
                for (let i = 0; i < d.length; i += 4)
                    if (d[i + 1] > d[i] + 25 && d[i + 1] > d[i + 2] + 25) n[(i / 4) % c.width < c.width / 2 ? 0 : 1] += 1;
                return n;
            }"""
        )
        assert left > 4 * right
        assert watch.errors == []
        assert watch.elsewhere == []
        page.close()


def test_an_unreadable_image_is_told_under_the_viewer(chromium: Browser, phantom: Phantom, tmp_path: Path):
    for case in ("s0001", "s0002"):
        for path in (phantom.path / case).rglob("*.gz"):
            target = tmp_path / "set" / path.relative_to(phantom.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            data = path.read_bytes()
            broken = case == "s0001" and path.name == "mri.nii.gz"
            target.write_bytes(data[: len(data) // 2] if broken else data)
    with voila(tmp_path / "set", tmp_path / "store", "light") as address:
        watch = Watch()
        page = chromium.new_page(viewport={"width": 1280, "height": 860})
        watch.attach(page)
        page.goto(address)
        expect(page.locator(".xp-viewer .xp-error")).to_contain_text("s0001/mri.nii.gz", timeout=90_000)
        expect(page.locator(".xp-viewer .xp-error")).to_contain_text("cut short")
        page.click(".xp-row[data-case=s0002]")
        picture(page)
        expect(page.locator(".xp-viewer .xp-error")).to_be_empty()
        assert (watch.errors, watch.elsewhere) == ([], [])
        page.close()

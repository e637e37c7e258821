"""What a screen reader finds: names, roles, heads of tables, pictures in words, and no chatter."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from servers import Watch, voila

from explorer import build_index, open_dataset, write_phantom

NAMED = {
    "alertdialog",
    "application",
    "button",
    "checkbox",
    "columnheader",
    "combobox",
    "dialog",
    "grid",
    "group",
    "heading",
    "image",
    "img",
    "link",
    "option",
    "progressbar",
    "radio",
    "region",
    "row",
    "searchbox",
    "slider",
    "spinbutton",
    "switch",
    "tab",
    "tablist",
    "tabpanel",
    "textbox",
    "toolbar",
    "treegrid",
}
"""Roles that mean nothing without a name."""

CHANGES = """() => {
    window.told = [];
    const live = [...document.querySelectorAll('.xp [role=status], .xp [role=alert], .xp [aria-live]')];
    for (const el of live) new MutationObserver(() => window.told.push(el.className + ': ' + el.textContent))
        .observe(el, {childList: true, characterData: true, subtree: true});
    return live.length;
}"""

LABELS = """() => {
    const canvas = document.querySelector('.xp-plane-coronal canvas');
    window.labels = [];
    new MutationObserver(() => {
        const label = canvas.getAttribute('aria-label');
        if (label !== window.labels.at(-1)) window.labels.push(label);
    }).observe(canvas, {attributeFilter: ['aria-label']});
}"""


@pytest.fixture(scope="module")
def page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("heard")
    phantom = write_phantom(folder / "phantom", 3, seed=1, progress=False)
    build_index(open_dataset(phantom.path), folder / "store", progress=False)
    with voila(phantom.path, folder / "store") as address:
        watch = Watch()
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        watch.attach(page)
        page.goto(address)
        page.wait_for_selector(".xp-structure")
        page.wait_for_selector(".xp-row")
        yield page
        assert (watch.errors, watch.elsewhere) == ([], [])
        page.close()


def nodes(page: Page) -> list[dict[str, Any]]:
    """Return role, name and whether it takes the focus, of all that is told."""
    session = page.context.new_cdp_session(page)
    tree = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    found = []
    for node in tree:
        if node.get("ignored"):
            continue
        focusable = any(p["name"] == "focusable" and p["value"]["value"] for p in node.get("properties", ()))
        found.append(
            {
                "role": node["role"]["value"],
                "name": str(node.get("name", {}).get("value", "")).strip(),
                "focusable": focusable,
            }
        )
    return found


def check_all_is_named(page: Page) -> None:
    found = nodes(page)
    assert [node for node in found if node["role"] in NAMED and not node["name"]] == []
    without_role = {"generic", "none", "presentation", "LabelText", "StaticText"}
    assert [node for node in found if node["focusable"] and node["role"] in without_role] == []
    ids = page.evaluate("[...document.querySelectorAll('.xp [id], .xp[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    missing = page.evaluate(
        """() => ['aria-controls', 'aria-labelledby', 'aria-activedescendant'].flatMap((name) =>
            [...document.querySelectorAll(`.xp [${name}]`)].filter((e) => !document.getElementById(e.getAttribute(name))).map((e) => e.outerHTML.slice(0, 150)))"""
    )
    assert missing == []


def test_all_controls_have_names_and_roles(page: Page):
    check_all_is_named(page)
    page.hover(".xp-plane-axial")
    page.click("[title=Display]")
    page.click(".xp-structure [data-act=style] >> nth=0")
    check_all_is_named(page)
    page.keyboard.press("Escape")
    page.focus(".xp-planes")
    page.keyboard.press("?")
    check_all_is_named(page)
    page.keyboard.press("Escape")


def test_a_chart_is_a_picture_in_words_and_the_panel_of_its_tab(page: Page):
    page.click(".xp-tabs [role=tab]:has-text('Volumes')")
    chart = page.locator(".xp-dashboard [role=img]")
    expect(chart).to_be_visible()
    expect(chart).to_have_attribute(
        "aria-label", "Chart: volumes. " + page.locator(".xp-charts .xp-said").inner_text()
    )
    expect(page.get_by_role("tabpanel", name="Volumes")).to_be_visible()
    check_all_is_named(page)
    page.click(".xp-tabs [role=tab]:has-text('Cases')")
    expect(page.get_by_role("tabpanel", name="Cases")).to_be_visible()


def test_the_table_has_heads_and_rows_are_named_by_their_case(page: Page):
    heads = page.locator(".xp-table [role=columnheader]")
    row = page.locator(".xp-row[data-case=s0002]")
    expect(row).to_be_visible()
    assert heads.count() == row.locator("[role=rowheader], [role=gridcell]").count() > 4
    assert row.locator("[role=rowheader]").inner_text() == "s0002"
    heads.nth(1).get_by_role("button").click()
    expect(heads.nth(1)).to_have_attribute("aria-sort", "ascending")
    assert page.locator(".xp-view").get_attribute("aria-rowcount") == "4"


def test_a_picture_says_what_is_seen(page: Page):
    page.click(".xp-row[data-case=s0001]")
    expect(page.locator(".xp-header .xp-case")).to_have_text("s0001")
    page.wait_for_selector(".xp-structure[data-structure=liver] .xp-name:not(:disabled)")
    page.click(".xp-structure[data-structure=liver] .xp-name")
    place = page.locator(".xp-plane-coronal .xp-br")
    canvas = page.locator(".xp-plane-coronal canvas")
    page.wait_for_function(
        "() => /At the crosshair: .*liver/.test(document.querySelector('.xp-plane-coronal canvas').getAttribute('aria-label'))"
    )
    told = canvas.get_attribute("aria-label") or ""
    assert told.startswith(f"Coronal slice {place.inner_text()} of s0001. At the crosshair: liver")
    # The next slice is not told with what was seen on the last, but with its own once it rests.
    page.evaluate(LABELS)
    page.focus(".xp-plane-coronal .xp-slider")
    page.keyboard.press("ArrowUp")
    page.wait_for_function("window.labels.length > 1")
    first, last = page.evaluate("[window.labels[0], window.labels.at(-1)]")
    assert "crosshair" not in first
    assert last.startswith(first)
    assert "At the crosshair: " in last


def test_a_drag_is_told_once_it_rests(page: Page):
    page.wait_for_timeout(1_000)
    assert page.evaluate(CHANGES) > 3
    box = page.locator(".xp-plane-axial canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(30):
        page.mouse.move(x + step, y + step / 2)
    page.mouse.up()
    page.wait_for_function("window.told.length > 0")
    page.wait_for_timeout(700)
    told = page.evaluate("window.told")
    assert len(told) <= 2, "a slow machine's hand may rest once on the way"
    assert told[-1].startswith("xp-heard: s0001 · Axial")

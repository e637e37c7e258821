"""Two viewers on a page: of one model, as when a viewer is displayed twice, and of two."""

from collections.abc import Callable

import pytest
from conftest import STATIC
from viewer_page import bridge as bridged
from widgets import Bridge

from explorer.views.viewer import Viewer

PIXELS = """(id) => [...document.querySelectorAll(`#${id} .xp-plane-axial canvas, #${id} .xp-plane-coronal canvas`)].map((c) => {
    const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let sum = 0;
    for (let i = 0; i < d.length; i += 4) sum = (31 * sum + d[i] + 7 * d[i + 1]) % 1000003;
    return sum; })"""
FORKED = """async (source) => {
    const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
    const widget = (await import(url)).default();
    const state = {}, names = %s;
    for (const name of names) state[name] = structuredClone(window.model.get(name));
    state.shared = 'another selection';
    window.other = window.stub(state);
    window.other.send = window.other.save_changes = () => undefined;
    window.forget = widget.render({model: window.other, el: document.getElementById('second')});
}"""


@pytest.fixture
def twice(opened: Callable) -> Bridge:
    bridge, _ = opened()
    bridge.page.set_viewport_size({"width": 1200, "height": 1520})
    bridge.stub.render_again()
    bridge.settle()
    return bridge


def focus(bridge: Bridge, which: str, key: str) -> None:
    bridge.page.focus(f"#{which} .xp-planes")
    bridge.page.keyboard.press(key)
    bridge.settle()


def letters(bridge: Bridge, which: str) -> str:
    return "".join(
        bridge.page.inner_text(f"#{which} .xp-plane-axial .xp-{side}")
        for side in ("left", "right", "top", "bottom")
    )


def pixels(bridge: Bridge, which: str) -> list[int]:
    """Sums of two pictures, once they rest."""
    before: list[int] = []
    while (found := bridge.page.evaluate(PIXELS, which)) != before:
        before = found
        bridge.page.wait_for_timeout(200)
    return found


def test_a_viewer_displayed_twice_has_one_state_and_two_pictures(twice: Bridge):
    assert pixels(twice, "root") == pixels(twice, "second")
    before = pixels(twice, "root")
    for which, key in (
        ("second", "PageUp"),
        ("root", "x"),
        ("second", "s"),
        ("root", "ArrowLeft"),
        ("second", "i"),
    ):
        focus(twice, which, key)
        after = pixels(twice, "root")
        assert after == pixels(twice, "second"), key
        assert after != before, key
        before = after
    assert letters(twice, "root") == letters(twice, "second") == "LRAP"
    twice.view.selection.point = (5.0, 5.0, 5.0)
    twice.view.selection.layout = "coronal"
    twice.settle()
    for which in ("root", "second"):
        assert twice.page.locator(f"#{which} .xp-plane-coronal").is_visible()
        assert twice.page.locator(f"#{which} .xp-plane-axial").is_hidden()
    assert twice.view.error == ""


def test_keys_and_tools_act_only_where_the_focus_is(twice: Bridge):
    before = pixels(twice, "root")
    twice.page.hover("#second .xp-plane-axial canvas")
    twice.page.keyboard.down("Control")
    twice.page.mouse.wheel(0, -300)
    twice.page.keyboard.up("Control")
    twice.page.mouse.move(1, 1)
    twice.settle()
    assert pixels(twice, "root") == before
    assert pixels(twice, "second") != before
    focus(twice, "second", "?")
    assert twice.page.locator("#second .xp-help").is_visible()
    assert twice.page.locator("#root .xp-help").is_hidden()
    focus(twice, "second", "Escape")
    focus(twice, "root", "l")
    pressed = "#{} [title='Measure a distance (L)'][aria-pressed=true]"
    assert twice.page.locator(pressed.format("root")).count() == 1
    assert twice.page.locator(pressed.format("second")).count() == 0
    twice.page.evaluate("document.activeElement.blur()")
    layout = twice.view.selection.layout
    for key in ("2", "x", "s", "]", "PageUp"):
        twice.page.keyboard.press(key)
    twice.settle()
    assert (twice.view.selection.layout, letters(twice, "root")) == (layout, "RLAP")


def test_what_refers_to_a_part_of_a_viewer_means_its_own(twice: Bridge):
    assert twice.page.evaluate(
        """() => {
            const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
            const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
            const astray = [];
            for (const name of ['for', 'list', 'aria-controls', 'aria-labelledby', 'aria-describedby', 'aria-activedescendant'])
                for (const e of document.querySelectorAll(`.xp-viewer [${name}]`))
                    for (const id of e.getAttribute(name).split(' ').filter(Boolean))
                        if (!e.closest('.xp-viewer').querySelector(`[id='${id}']`)) astray.push(`${name}=${id}`);
            const names = [...document.querySelectorAll('input[type=radio][name]')].map((e) => `${e.name} ${e.closest('.xp-viewer').id}`);
            return [twice, astray, names];
        }"""
    ) == [[], [], []]


def test_one_of_two_views_can_be_closed_and_shown_anew(twice: Bridge):
    before = pixels(twice, "second")
    twice.page.evaluate("() => { window.clean(); document.getElementById('second').replaceChildren(); }")
    focus(twice, "root", "PageUp")
    assert pixels(twice, "root") != before
    twice.stub.render_again()
    twice.settle()
    assert pixels(twice, "second") == pixels(twice, "root")
    focus(twice, "second", "PageDown")
    assert pixels(twice, "second") == pixels(twice, "root") == before


def test_a_closed_view_hears_nothing_of_its_model_any_more(opened: Callable):
    bridge, _ = opened()
    bridge.page.evaluate(
        """() => {
            const [on, off] = [window.model.on, window.model.off];
            window.heard = 0;
            window.model.on = (...given) => { window.heard += 1; on(...given); };
            window.model.off = (...given) => { window.heard -= 1; off(...given); };
        }"""
    )
    bridge.stub.render_again()
    bridge.settle()
    assert bridge.page.evaluate("window.heard") > 10
    bridge.page.evaluate("window.clean()")
    assert bridge.page.evaluate("window.heard") == 0


def test_a_view_that_is_shown_after_all_were_closed_has_everything(opened: Callable):
    """As after the output of a cell was cleared."""
    bridge, case = opened()
    bridge.view.selection.point = case.structures["liver"].centroid_mm
    focus(bridge, "root", "x")
    before, said = pixels(bridge, "root"), bridge.page.inner_text("#root .xp-said")
    bridge.page.evaluate("() => { window.clean(); document.getElementById('root').replaceChildren(); }")
    bridge.view.selection.structures = ("liver",)
    bridge.view.selection.structures = None
    bridge.stub.render_again()
    bridge.settle()
    assert pixels(bridge, "second") == before
    assert bridge.page.inner_text("#second .xp-said") == said
    assert letters(bridge, "second") == "LRAP"
    focus(bridge, "second", "2")
    assert bridge.view.selection.layout == "axial"


def test_two_viewers_of_two_selections_leave_each_other_alone(opened: Callable):
    bridge, _ = opened()
    bridge.page.set_viewport_size({"width": 1200, "height": 1520})
    names = [name for name in Viewer.class_trait_names(sync=True) if not name.startswith("_")]
    source = (STATIC / "viewer.js").read_text("utf-8")
    bridge.page.evaluate(FORKED % names, source)
    bridge.settle()
    for key in ("2", "x", "s"):
        bridge.page.focus("#second .xp-planes")
        bridge.page.keyboard.press(key)
    bridge.settle()
    assert bridge.page.evaluate(
        "[window.other.get('layout_name'), window.other.get('options').radiological]"
    ) == ["axial", False]
    assert bridge.view.selection.layout == "grid"
    assert bridge.view.options == {}
    assert letters(bridge, "root") == "RLAP"


def test_two_viewers_of_one_selection_share_the_point_but_not_the_display(opened: Callable, stub: Callable):
    bridge, _ = opened()
    focus(bridge, "root", "x")
    focus(bridge, "root", "PageUp")
    other = bridged(Viewer(bridge.view.selection, bridge.view.dataset), stub)
    assert letters(other, "root") == "RLAP"
    told = [b.page.inner_text("#root .xp-said").split(" · ")[:4] for b in (bridge, other)]
    assert told[0] == told[1]
    focus(other, "root", "PageUp")
    bridge.settle()
    told = [b.page.inner_text("#root .xp-said").split(" · ")[:4] for b in (bridge, other)]
    assert told[0] == told[1]
    assert letters(bridge, "root") == "LRAP"


def test_there_is_room_between_two_viewers_under_each_other(twice: Bridge):
    """In one box, and each as an output of its own, as JupyterLab and Voila have them in a cell."""

    def room() -> float:
        above, below = (twice.page.locator(f"#{name}").bounding_box() for name in ("root", "second"))
        return below["y"] - above["y"] - above["height"]

    assert room() >= 8
    twice.page.evaluate(
        """() => { for (const id of ['root', 'second']) { const output = document.createElement('div');
            output.className = 'jp-OutputArea-child'; document.body.append(output);
            output.append(document.getElementById(id)); } }"""
    )
    assert room() >= 8

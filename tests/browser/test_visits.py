"""Going to a case that was sent ahead or seen before: shown at once, whatever the kernel takes."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from test_slices_transport import SHAPE, labels, linked, quiet, scene  # noqa: F401 - `linked` is a fixture
from widgets import Stub


def middle(key: str, layer: str, value: int) -> tuple[dict[str, Any], bytes]:
    """Return the middle axial slice of a case, all of one value."""
    fields = {"scene": key, "plane": "axial", "index": 14, "layer": layer, "packed": "raw", "stride": 1}
    fields |= {"bytes": 1, "content": f"masks of {key}", "revision": 1} if layer == "labels" else {"bytes": 2}
    return fields, bytes([value, 0][: fields["bytes"]]) * (SHAPE[0] * SHAPE[1])


def masks(key: str) -> dict[str, Any]:
    return {**labels(key, 1, True), "content": f"masks of {key}", "mask_set": "reference"}


def title(widget: Stub) -> str:
    return widget.page.inner_text(".xp-plane-axial .xp-tl")


def press(widget: Stub, key: str) -> None:
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press(key)


@pytest.fixture
def beside(linked: Callable[..., Stub]) -> Stub:  # noqa: F811
    """Show case a, whose neighbour b was sent ahead."""
    widget = linked(50_000, 1)
    names = {key: f"masks of {key}" for key in ("a#1", "b#2", "b#7")}
    widget.page.evaluate("(names) => { window.contents = names; window.revision = 1; }", names)
    widget.set("around", ["a", "b", "c"])
    widget.set("shared", "one")
    widget.set("scene", scene("a#1", "a"))
    widget.set("labels", masks("a#1"))
    quiet(widget)
    widget.set("ahead", "b")
    (request,) = widget.wait_sent("ahead")
    assert (request["case"], request["stride"], request["compress"]) == ("b", 1, False)
    slices = [middle("b#2", "image", 90), middle("b#2", "labels", 1)]
    widget.reply(
        request,
        [buffer for _, buffer in slices],
        scene=scene("b#2", "b"),
        labels=masks("b#2"),
        other={},
        facts=[["Age", "44", ""]],
        slices=[fields for fields, _ in slices],
    )
    quiet(widget)
    return widget


def confirm(widget: Stub, request: dict[str, Any], key: str) -> None:
    """Open a case as the kernel does, and answer."""
    widget.set("scene", scene(key, key.split("#")[0]))
    widget.set("labels", masks(key))
    widget.reply(request, reading=False)
    quiet(widget)


def test_the_next_case_is_seen_while_the_kernel_still_opens_it(beside: Stub):
    press(beside, "]")
    assert title(beside) == "Axial · b"
    assert "liver" in beside.page.inner_text(".xp-said")
    assert "44" in beside.page.text_content(".xp-panel")
    (request,) = beside.sent_of("open")
    assert (request["case"], request["scene"]) == ("b", "b#2")
    assert not beside.sent_of("step")
    confirm(beside, request, "b#2")
    assert title(beside) == "Axial · b"


def test_a_case_that_was_seen_is_seen_again_at_once(beside: Stub):
    press(beside, "]")
    confirm(beside, beside.sent_of("open")[-1], "b#2")
    asked = len(beside.sent_of("slices"))
    press(beside, "[")
    assert title(beside) == "Axial · a"
    assert all(m["scene"] == "a#1" for m in beside.sent_of("slices")[asked:])
    confirm(beside, beside.sent_of("open")[-1], "a#1")
    assert title(beside) == "Axial · a"


def test_a_typed_window_is_left_with_its_case_and_found_there_again(beside: Stub):
    white = beside.page.locator("[aria-label='Window: shown as white']")
    own = white.input_value()
    white.fill("77")
    white.press("Enter")
    typed = beside.get("window")
    press(beside, "]")
    assert "window" not in beside.sent_of("open")[-1]
    assert (beside.get("window"), white.input_value()) == (None, own)
    beside.set("window", None)
    confirm(beside, beside.sent_of("open")[-1], "b#2")
    press(beside, "[")
    assert beside.sent_of("open")[-1]["window"] == typed
    assert white.input_value() == "77"
    beside.set("window", None)  # on its way since b was opened
    assert white.input_value() == "77"
    beside.set("window", typed)
    confirm(beside, beside.sent_of("open")[-1], "a#1")
    assert (beside.get("window"), white.input_value()) == (typed, "77")
    saved = beside.page.evaluate("window.saved.filter(([name]) => name === 'window')")
    assert saved == [["window", typed]], "the rest is told as the cases are opened"


def see_slice(widget: Stub, number: int) -> None:
    expect(widget.page.locator(".xp-plane-axial .xp-br")).to_have_text(re.compile(f"^{number} of 30"))


@pytest.mark.parametrize("told", [False, True])
def test_a_case_that_is_come_back_to_shows_where_one_was_in_it(beside: Stub, told: bool):
    for key in ("PageUp", "PageUp", "]"):
        press(beside, key)  # faster than the crosshair is told
    first = beside.sent_of("open")[-1]
    see_slice(beside, 15)  # b was not seen before
    told_last = [point for name, point in beside.page.evaluate("window.saved") if name == "point"][-1]
    assert round(told_last[2] / 2) == 16, "the kernel knows it before it opens b"
    if told:
        beside.set("places", [["a", told_last]])
        beside.set("point", None)
        confirm(beside, first, "b#2")
    press(beside, "[")
    see_slice(beside, 17)
    if not told:
        beside.reply(first, reading=False)
        beside.set("places", [["b", [1, 1, 1]]])
    beside.set("point", told_last)
    confirm(beside, beside.sent_of("open")[-1], "a#1")
    see_slice(beside, 17)
    assert beside.get("point") == told_last


def test_names_of_cases_are_only_names_where_places_are_looked_up(beside: Stub):
    beside.set("places", [["constructor", [1, 2, 3]]])
    press(beside, "]")
    see_slice(beside, 15)


def test_what_the_kernel_opened_before_does_not_come_in_between(beside: Stub):
    press(beside, "]")
    press(beside, "[")
    first, second = beside.sent_of("open")
    beside.set("scene", scene("b#2", "b"))
    assert title(beside) == "Axial · a"
    beside.reply(first, reading=False)
    assert title(beside) == "Axial · a"
    confirm(beside, second, "a#1")
    assert title(beside) == "Axial · a"


def test_a_case_that_cannot_be_opened_gives_way_to_the_one_that_is(beside: Stub):
    press(beside, "]")
    (request,) = beside.sent_of("open")
    beside.reply(request, ok=False, error="No case 'b'.")
    beside.page.wait_for_function(
        "document.querySelector('.xp-plane-axial .xp-tl').textContent === 'Axial · a'"
    )
    assert "No case 'b'." in beside.page.inner_text(".xp-toast")


def test_a_case_that_the_kernel_must_read_again_stays_seen_until_it_is_there(beside: Stub):
    press(beside, "]")
    (request,) = beside.sent_of("open")
    beside.reply(request, reading=True)
    quiet(beside)
    assert title(beside) == "Axial · b"
    beside.set("scene", scene("b#7", "b"))
    quiet(beside)
    assert title(beside) == "Axial · b"


def test_a_step_to_what_is_not_here_is_the_kernels(beside: Stub):
    press(beside, "[")  # nothing is before a
    (request,) = beside.sent_of("step")
    assert request["by"] == -1
    beside.reply(request, case="a")
    quiet(beside)
    press(beside, "]")
    press(beside, "]")  # c was never sent
    assert [m["by"] for m in beside.sent_of("step")] == [-1, 1]


@pytest.mark.parametrize("answered", [False, True])
def test_a_step_back_from_what_is_still_on_its_way_is_the_kernels_too(beside: Stub, answered: bool):
    press(beside, "]")
    confirm(beside, beside.sent_of("open")[-1], "b#2")
    press(beside, "]")
    (request,) = beside.sent_of("step")
    if answered:
        beside.reply(request, case="c")
        quiet(beside)
    press(beside, "[")  # from c, which is not seen yet: a, which is here, would be one too far
    assert title(beside) == "Axial · b"
    *_, request = beside.sent_of("step")
    assert request["by"] == -1
    beside.reply(beside.sent_of("step")[0], case="c")
    beside.reply(request, case="b")
    quiet(beside)
    press(beside, "[")
    assert title(beside) == "Axial · a"


def test_masks_of_another_set_are_not_shown_for_the_chosen_one(beside: Stub):
    beside.set("mask_set", "model")
    press(beside, "]")
    assert title(beside) == "Axial · a"
    assert [m["by"] for m in beside.sent_of("step")] == [1]


def test_the_crosshair_that_is_moved_meanwhile_stays(beside: Stub):
    press(beside, "]")
    press(beside, "PageUp")
    moved = beside.page.inner_text(".xp-plane-axial .xp-br")
    confirm(beside, beside.sent_of("open")[-1], "b#2")
    assert beside.page.inner_text(".xp-plane-axial .xp-br") == moved
    assert moved.startswith("16 of 30")


@pytest.mark.parametrize(("shared", "taken"), [("one", True), ("another", False)])
def test_a_table_of_the_same_selection_shows_a_case_at_once(beside: Stub, shared: str, taken: bool):
    left = beside.page.evaluate(
        """(shared) => window.dispatchEvent(
          new CustomEvent('explorer-open', { cancelable: true, detail: { shared, case: 'b' } }))""",
        shared,
    )
    assert left is not taken
    assert title(beside) == ("Axial · b" if taken else "Axial · a")
    assert [m["case"] for m in beside.sent_of("open")] == (["b"] if taken else [])


def test_another_case_that_is_opened_meanwhile_is_shown(beside: Stub):
    press(beside, "]")
    beside.reply(beside.sent_of("open")[-1], reading=True)
    beside.set("scene", scene("c#9", "c"))
    quiet(beside)
    assert title(beside) == "Axial · c"


def test_the_crosshair_of_a_case_is_not_told_for_the_next_one(beside: Stub):
    saved = len(beside.page.evaluate("window.saved"))
    keys = """() => { for (const key of ['PageUp', '[']) document.querySelector('.xp-planes')
      .dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true })); }"""
    # Faster than the crosshair is told; nothing is known here of what is before a.
    beside.page.evaluate(keys)
    assert len(beside.sent_of("step")) == 1
    told = beside.page.evaluate("window.saved")[saved:]
    assert [name for name, _ in told] == ["point"], "before the step"
    saved += len(told)
    beside.page.evaluate(keys)  # a second time, while only the kernel knows which case is open
    beside.set("scene", scene("z#4", "z"))
    beside.page.wait_for_timeout(300)
    assert "point" not in [name for name, _ in beside.page.evaluate("window.saved")[saved:]]


def test_a_case_that_cannot_be_had_ahead_is_asked_for_once(beside: Stub):
    beside.set("ahead", "c")
    beside.reply(beside.wait_sent("ahead", 2)[-1])
    for _ in range(3):
        press(beside, "PageUp")
        quiet(beside)
    assert len(beside.sent_of("ahead")) == 2
    beside.set("ahead", "")
    beside.set("ahead", "c")  # which it may be by now
    assert len(beside.wait_sent("ahead", 3)) == 3


def test_only_planes_that_are_seen_are_needed_of_the_next_case(beside: Stub):
    beside.set("layout_name", "grid")
    quiet(beside)
    press(beside, "]")
    assert title(beside) == "Axial · a"  # of b there is no coronal picture
    beside.reply(beside.wait_sent("step")[0], ok=False, error="The folder is away.")
    beside.set("layout_name", "axial")
    quiet(beside)
    press(beside, "]")
    assert title(beside) == "Axial · b"


def test_a_view_that_is_closed_tells_of_no_failure(linked: Callable[..., Stub]):  # noqa: F811
    widget = linked(50_000, 400)
    widget.set("scene", scene("a#1", "a"))
    widget.page.wait_for_function("window.sent.some((m) => m.kind === 'slices' && !m.rows)")
    widget.page.evaluate("window.clean()")
    widget.page.wait_for_timeout(50)
    assert widget.page.text_content(".xp-toast") == ""

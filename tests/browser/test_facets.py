from collections.abc import Callable

from widgets import Stub


def value(text: str | None, count: int, everything: int, chosen: bool = False) -> dict:
    return {"value": text, "count": count, "all": everything, "chosen": chosen}


SCANNER = {
    "kind": "category",
    "column": "manufacturer",
    "label": "Manufacturer",
    "unit": "",
    "values": [value("siemens", 5, 10), value("ge", 2, 4, True), value(None, 1, 1)],
    "distinct": 40,
    "largest": 10,
}
AGE = {
    "kind": "number",
    "column": "age_years",
    "label": "Age",
    "unit": "years",
    "edges": [0, 10, 20, 30, 40],
    "all": [1, 4, 2, 1],
    "counts": [1, 2, 0, 1],
    "missing": 2,
    "all_missing": 3,
    "low": None,
    "high": None,
    "keep_missing": False,
    "active": False,
}
LIVER = {"name": "liver", "label": "liver", "any": 9, "complete": 4, "mode": ""}


def state(**changes: object) -> dict:
    return {"state": {"chips": [], "query": "", "facets": [SCANNER, AGE], "structures": [LIVER], **changes}}


def test_a_click_toggles_and_ctrl_chooses_one(stub: Callable[..., Stub]):
    widget = stub("facets", state(), width=248)
    widget.page.click("[data-value=siemens]")
    widget.page.click("[data-value=siemens]", modifiers=["Control"])
    widget.page.click("text=missing >> nth=0")
    sent = [(m["column"], m["value"], m["only"]) for m in widget.wait_sent("toggle", 3)]
    assert sent == [
        ("manufacturer", "siemens", False),
        ("manufacturer", "siemens", True),
        ("manufacturer", None, False),
    ]
    assert widget.page.get_attribute("[data-value=ge]", "aria-pressed") == "true"


def test_more_values_are_asked_for_and_searched(stub: Callable[..., Stub]):
    widget = stub("facets", state(), width=248)
    widget.page.click("text=37 more")
    widget.reply(widget.wait_sent("values")[0], values=[value(f"v{i}", 1, 1) for i in range(30)], matches=300)
    widget.page.wait_for_selector("[data-value=v29]", state="attached")
    assert "270 more" in widget.page.inner_text("section >> nth=0")
    widget.page.fill("[placeholder='Find a value']", "v7")
    assert widget.wait_sent("values", 2)[-1]["search"] == "v7"


def test_a_drag_over_the_histogram_is_a_range_of_whole_bars(stub: Callable[..., Stub]):
    widget = stub("facets", state(), width=248)
    box = widget.page.locator(".xp-histogram").bounding_box()
    assert box is not None
    y = box["y"] + 20
    widget.page.mouse.move(box["x"] + box["width"] * 0.27, y)
    widget.page.mouse.down()
    widget.page.mouse.move(box["x"] + box["width"] * 0.7, y, steps=4)
    widget.page.mouse.up()
    sent = widget.wait_sent("range")[0]
    assert (sent["column"], sent["low"], sent["high"]) == ("age_years", 10, 30)


def test_the_range_can_be_set_by_keys(stub: Callable[..., Stub]):
    widget = stub("facets", state(), width=248)
    widget.page.focus("[aria-label='Age, low end']")
    widget.page.keyboard.press("ArrowRight")
    sent = widget.wait_sent("range")[0]
    assert (sent["low"], sent["high"]) == (10, None)
    assert widget.page.get_attribute("[aria-label='Age, high end']", "aria-valuetext") == "40 years"


def test_a_structure_cycles_through_any_complete_off(stub: Callable[..., Stub]):
    widget = stub("facets", state(), width=248)
    for mode in ("", "any", "complete"):
        widget.set("state", state(structures=[{**LIVER, "mode": mode}])["state"])
        widget.page.click("[data-value=liver]")
    assert [m["mode"] for m in widget.wait_sent("has", 3)] == ["any", "complete", ""]


def test_chips_remove_their_filter_and_clear_all(stub: Callable[..., Stub]):
    chips = [{"source": "age_years", "text": "Age 3 – 9"}, {"source": "has:liver", "text": "<b>liver</b>"}]
    widget = stub("facets", state(chips=chips), width=248)
    widget.page.click("text=<b>liver</b>")
    widget.page.click("text=Clear all")
    sent = widget.wait_sent("clear", 2)
    assert sent[0]["source"] == "has:liver"
    assert "source" not in sent[1]


def test_facets_come_and_go_in_order(stub: Callable[..., Stub]):
    widget = stub("facets", state(), width=248)
    widget.set("state", state(facets=[{**AGE, "column": "a", "label": "First"}, SCANNER])["state"])
    labels = widget.page.locator(".xp-label").all_inner_texts()
    assert labels == ["First", "Manufacturer", "Structures"]

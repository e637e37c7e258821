from collections.abc import Callable

import pytest
from widgets import Stub

COLUMNS = [
    {"name": "case", "label": "Case", "unit": "", "numeric": False},
    {"name": "age_years", "label": "Age", "unit": "years", "numeric": True},
]


def state(count: int = 3, case: str = "") -> dict:
    return {"state": {"version": 1, "columns": COLUMNS, "count": count, "total": count, "case": case}}


def answer(widget: Stub, prefix: str = "s") -> None:
    request = widget.wait_sent("rows")[-1]
    rows = [[f"{prefix}{request['offset'] + i}", str(i)] for i in range(request["limit"])]
    widget.reply(request, rows=rows)
    widget.page.wait_for_selector(f"[data-case^={prefix}]")


def test_a_click_opens_the_case(stub: Callable[..., Stub]):
    widget = stub("table", state())
    answer(widget)
    widget.page.click("[data-case=s1]")
    assert widget.wait_sent("open")[0]["case"] == "s1"
    widget.set("state", state(case="s1")["state"])
    widget.page.wait_for_selector("[data-case=s1][aria-selected=true]")


def test_a_hundred_thousand_rows_are_paged_and_few_are_drawn(stub: Callable[..., Stub]):
    widget = stub("table", state(100_000))
    answer(widget)
    assert widget.page.locator(".xp-row").count() < 60
    widget.page.focus(".xp-view")
    widget.page.keyboard.press("End")
    request = widget.wait_sent("rows", 2)[-1]
    assert request["offset"] == 99_900
    answer(widget)
    widget.page.wait_for_selector("[data-case=s99999]")
    widget.page.keyboard.press("Enter")
    assert widget.wait_sent("open")[0]["case"] == "s99999"


def test_a_million_rows_can_be_reached_past_the_height_that_browsers_allow(stub: Callable[..., Stub]):
    widget = stub("table", state(1_000_000))
    answer(widget)
    widget.page.evaluate("document.querySelector('.xp-view').scrollTop = 1e9")
    widget.wait_sent("rows", 2)
    answer(widget)
    widget.page.wait_for_selector("[data-case=s999999]")


def test_sorting_is_asked_of_the_kernel(stub: Callable[..., Stub]):
    widget = stub("table", state())
    answer(widget)
    widget.page.click("text=Age")
    request = widget.wait_sent("rows", 2)[-1]
    assert (request["sort"], request["descending"]) == ("age_years", False)
    assert widget.page.get_attribute("[role=columnheader]:nth-child(2)", "aria-sort") == "ascending"
    widget.page.click("text=Age")
    assert widget.page.get_attribute("[role=columnheader]:nth-child(2)", "aria-sort") == "descending"


def test_stale_rows_are_dropped(stub: Callable[..., Stub]):
    widget = stub("table", state())
    first = widget.wait_sent("rows")[0]
    changed = state()["state"]
    widget.set("state", {**changed, "version": 2})
    widget.reply(first, rows=[["old", "1"]] * 3)
    second = widget.wait_sent("rows", 2)[1]
    widget.reply(second, rows=[["new", "1"]] * 3)
    widget.page.wait_for_selector("[data-case=new]")
    assert widget.page.locator("[data-case=old]").count() == 0


def test_hostile_text_stays_text(stub: Callable[..., Stub]):
    widget = stub("table", state(1))
    evil = "<img src=x onerror=alert(1)>" * 12
    widget.reply(widget.wait_sent("rows")[0], rows=[[evil, "1"]])
    widget.page.wait_for_function("document.querySelector('.xp-row span').textContent.startsWith('<img')")
    assert widget.page.locator("img").count() == 0
    box = widget.page.locator(".xp-row").first.bounding_box()
    assert box is not None
    assert box["height"] == 24


def test_nothing_left_says_so_and_offers_a_way_back(stub: Callable[..., Stub]):
    widget = stub("table", {"state": {**state(0)["state"], "total": 9}})
    assert "No case matches" in widget.page.inner_text(".xp-none")
    widget.page.click("text=Clear all filters")
    assert len(widget.wait_sent("clear")) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_contrast_in_both_themes(stub: Callable[..., Stub], theme: str):
    widget = stub("table", state(), theme=theme)
    answer(widget)
    ratio = widget.page.evaluate(
        """() => {
            const paint = (css) => { const c = new OffscreenCanvas(1, 1).getContext('2d'); c.fillStyle = css; c.fillRect(0, 0, 1, 1);
              return [...c.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); };
            const light = (css) => { const [r, g, b] = paint(css); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
            const head = document.querySelector('[role=columnheader]');
            const [a, b] = [light(getComputedStyle(head).color), light(getComputedStyle(head.parentElement).backgroundColor)].sort((x, y) => y - x);
            return (a + 0.05) / (b + 0.05);
        }"""
    )
    assert ratio > 4.5

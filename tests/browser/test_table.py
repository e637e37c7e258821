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


def test_a_click_on_a_row_that_is_drawn_anew_meanwhile_counts(stub: Callable[..., Stub]):
    widget = stub("table", state())
    answer(widget)
    box = widget.page.locator("[data-case=s1]").bounding_box()
    assert box is not None
    widget.page.mouse.move(box["x"] + 9, box["y"] + 9)
    widget.page.mouse.down()
    widget.set("state", state(case="s2")["state"])
    widget.page.wait_for_selector("[data-case=s2][aria-selected=true]")
    widget.page.mouse.up()
    assert [message["case"] for message in widget.wait_sent("open")] == ["s1"]


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


def test_alone_in_a_cell_a_long_table_scrolls_inside_itself(stub: Callable[..., Stub]):
    widget = stub("table", state(20_000))
    answer(widget)
    widget.page.evaluate("document.getElementById('root').style.height = 'auto'")
    assert 100 < widget.page.evaluate("document.querySelector('.xp-table').offsetHeight") <= 560


def test_columns_are_as_wide_as_their_names_and_values_need(stub: Callable[..., Stub]):
    columns = [
        *COLUMNS,
        {"name": "structures_present", "label": "Structures present", "unit": "", "numeric": True},
    ]
    columns.append({"name": "scanner_model", "label": "Scanner", "unit": "", "numeric": False})
    widget = stub("table", {"state": {**state()["state"], "columns": columns}}, width=620)
    request = widget.wait_sent("rows")[-1]
    widget.reply(
        request,
        rows=[["s0001", "7", "23", "MAGNETOM Avanto"], ["s1", "7", "1", "x" * 200], ["s2", "", "", ""]],
    )
    widget.page.wait_for_selector("[data-case=s0001]")
    cut = widget.page.evaluate(
        "() => [...document.querySelectorAll('[role=columnheader], [data-case=s0001] > span')].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent)"
    )
    assert cut == []


def test_the_row_of_the_cursor_is_told_to_a_screen_reader(stub: Callable[..., Stub]):
    widget = stub("table", state())
    answer(widget)
    told = "(case_) => document.getElementById(document.querySelector('.xp-view').getAttribute('aria-activedescendant'))?.dataset.case === case_"
    widget.page.focus(".xp-view")
    widget.page.wait_for_function(told, arg="s0")
    widget.page.keyboard.press("ArrowDown")
    widget.page.wait_for_function(told, arg="s1")


@pytest.mark.parametrize(
    ("widget", "more"),
    [
        ("table", state()),
        (
            "header",
            {
                "title": "x",
                "subtitle": "",
                "progress": {},
                "state": {"count": 1, "total": 1, "case": "", "query": ""},
            },
        ),
        ("tabs", {"names": ["A"], "chosen": "A"}),
        ("facets", {"state": {"chips": [], "query": "", "facets": [], "structures": []}}),
        ("charts", {"state": {}}),
        ("entrance", {"title": "x"}),
    ],
)
def test_a_view_says_when_its_kernel_is_gone(stub: Callable[..., Stub], widget: str, more: dict):
    shown = stub(widget, more)
    gone = shown.page.locator(".xp-gone")
    for connected in (True, False, True):
        # What Jupyter's widget manager does when the kernel restarts or dies.
        shown.page.evaluate(
            "(on) => document.getElementById('root').classList.toggle('jupyter-widgets-disconnected', !on)",
            connected,
        )
        assert gone.is_visible() == (not connected)
    assert "Run the cell again" in (gone.text_content() or "")


def test_the_app_knows_when_it_is_narrow(stub: Callable[..., Stub]):
    shown = stub("tabs", {"names": ["A"], "chosen": "A"})
    shown.page.evaluate(
        "() => { const app = document.getElementById('second'); app.className = 'xp-app jupyter-widgets';"
        " const el = document.createElement('div'); el.id = 'third'; app.append(el); window.show('third'); }"
    )
    for width, narrow in ((1200, False), (700, True), (1000, False)):
        shown.page.evaluate("(px) => { document.getElementById('second').style.width = `${px}px`; }", width)
        shown.page.wait_for_function(
            "(narrow) => document.getElementById('second').classList.contains('xp-narrow') === narrow",
            arg=narrow,
        )


def test_an_entrance_asks_once_and_shows_why_there_is_nothing(stub: Callable[..., Stub]):
    shown = stub("entrance", {"title": "<b>mini</b>"})
    assert "Opening <b>mini</b>" in shown.page.inner_text(".xp-entrance")
    request = shown.wait_sent("enter")[0]
    shown.set("error", "There is no folder.")
    shown.page.evaluate("(id) => window.model.receive({id, ok: false, error: 'no'}, [])", request["id"])
    shown.page.wait_for_function("() => !document.querySelector('.xp-entrance p')")
    assert "There is no folder." in shown.page.inner_text(".xp-entrance")

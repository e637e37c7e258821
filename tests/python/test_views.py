"""The kernel side of case browser, header, tabs and dashboard."""

import csv
import io
import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from explorer import Cohort, OneOf, Selection, write_phantom
from explorer.app import Explorer, Page
from explorer.index import Progress
from explorer.views.browser import CaseTable, Facets
from explorer.views.charts import Dashboard
from explorer.views.figures import acquisition, prevalence, volumes
from explorer.views.header import Header
from explorer.views.marks import LUMINANCE, MAX_POINTS, MIN_BOX, from_zero, log_axis, names_axis, seen, spread
from explorer.views.tabs import Tabs

EVIL = "<img src=x onerror=alert(1)>"


def tables(n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(1)
    index = pd.Index([f"s{i}" for i in range(n)], name="case")
    cases = pd.DataFrame(
        {
            "manufacturer": rng.choice(["siemens", "ge", "philips", None], n),
            "ward": rng.choice([f"w{i}" for i in range(40)], n),
            "age_years": np.where(rng.random(n) < 0.1, np.nan, rng.integers(18, 90, n)).astype(float),
            **{f"spacing_{axis}_mm": rng.choice([1.0, 2.5, 6.0], n) for axis in "ijk"},
            **{f"shape_{axis}": rng.integers(20, 300, n) for axis in "ijk"},
        },
        index=index,
    )
    names = ("liver", "spleen", "kidney_left")
    structures = pd.DataFrame(
        {
            "case": np.repeat(index, len(names)),
            "mask_set": "reference",
            "structure": names * n,
            "status": rng.choice(["complete", "cut_off", "absent"], n * len(names)),
        }
    )
    present = structures["status"] != "absent"
    structures["volume_ml"] = np.where(present, rng.lognormal(5, 0.6, len(structures)), 0.0)
    for axis in "xyz":
        structures[f"centroid_{axis}_mm"] = np.where(present, 1.0, np.nan)
    return cases, structures


@pytest.fixture
def selection() -> Selection:
    return Selection(Cohort(*tables(300)))


def ask(view, **message: object) -> tuple[dict, list]:
    """Send a message as the browser does; gives fields and buffers of the reply."""
    replies: list[tuple[dict, list]] = []
    view.send = lambda content, buffers=None: replies.append((content, list(buffers or [])))
    view._receive(view, {"id": "1", **message}, [])
    assert len(replies) == 1
    return replies[0]


def facet(view: Facets, column: str) -> dict:
    return next(item for item in view.state["facets"] if item["column"] == column)


def test_facets_count_what_they_could_choose(selection: Selection):
    view = Facets(selection)
    ask(view, kind="toggle", column="manufacturer", value="ge")
    ask(view, kind="toggle", column="manufacturer", value=None)
    ask(view, kind="range", column="age_years", low=30, high=60)
    frame = selection.everything.cases
    old = frame["age_years"].between(30, 60)
    expected = frame[old]["manufacturer"].fillna("missing").value_counts()
    shown = {v["value"] or "missing": v["count"] for v in facet(view, "manufacturer")["values"]}
    assert shown == expected.to_dict()
    chosen = [v["value"] for v in facet(view, "manufacturer")["values"] if v["chosen"]]
    assert set(chosen) == {"ge", None}
    picked = frame[frame["manufacturer"].isna() | (frame["manufacturer"] == "ge")]
    assert sum(facet(view, "age_years")["counts"]) == picked["age_years"].notna().sum()
    assert selection.cohort().size == (old & frame.index.isin(picked.index)).sum()
    assert [chip["text"] for chip in view.state["chips"]] == [
        "Manufacturer: ge, missing",
        "Age 30 – 60 years",
    ]


def test_a_click_again_takes_a_value_back(selection: Selection):
    view = Facets(selection)
    for _ in range(2):
        ask(view, kind="toggle", column="manufacturer", value="ge")
    assert selection.filters == ()
    ask(view, kind="toggle", column="manufacturer", value="ge")
    ask(view, kind="toggle", column="manufacturer", value="siemens", only=True)
    assert selection.clause("manufacturer") == OneOf("manufacturer", ("siemens",))


def test_many_values_are_few_at_first_and_can_be_searched(selection: Selection):
    view = Facets(selection)
    ward = facet(view, "ward")
    assert (len(ward["values"]), ward["distinct"]) == (8, 40)
    found, _ = ask(view, kind="values", column="ward", search="W1")
    assert {v["value"] for v in found["values"]} == {"w1", *(f"w{i}" for i in range(10, 20))}


def test_structures_are_a_facet(selection: Selection):
    view = Facets(selection)
    ask(view, kind="has", structure="liver", mode="complete")
    rows = selection.everything.structures
    liver = rows[(rows["structure"] == "liver") & (rows["status"] == "complete")]
    assert selection.cohort().ids == list(liver["case"])
    state = {row["name"]: row for row in view.state["structures"]}
    assert state["liver"]["complete"] == len(liver)
    ask(view, kind="has", structure="liver", mode="")
    assert selection.filters == ()


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "toggle", "column": "nope", "value": "x"},
        {"kind": "toggle", "column": "ward", "value": ["w1"]},
        {"kind": "toggle", "value": "x"},
        {"kind": "range", "column": "age_years", "low": "1; drop"},
        {"kind": "range", "column": "age_years", "low": float("inf")},
        {"kind": "range", "column": "ward", "low": 1},
        {"kind": "has", "structure": "heart", "mode": "any"},
        {"kind": "has", "structure": "liver", "mode": "half"},
        {"kind": "values", "column": 5},
        {"kind": "eval", "code": "1"},
        {},
    ],
)
def test_hostile_messages_to_facets_are_refused_and_change_nothing(selection: Selection, message: dict):
    view = Facets(selection)
    reply, _ = ask(view, **message)
    assert reply["ok"] is False
    assert reply["error"] == view.error != ""
    assert selection.filters == ()


@pytest.mark.parametrize("sort", ["", "case", "manufacturer", "age_years", "size", "spacing"])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_make_the_sorted_table(selection: Selection, sort: str, descending: bool):
    view = CaseTable(selection)
    selection.filter("ward", OneOf("ward", tuple(f"w{i}" for i in range(30))))
    rows = []
    while len(rows) < view.state["count"]:
        reply, _ = ask(view, kind="rows", offset=len(rows), limit=70, sort=sort, descending=descending)
        rows += reply["rows"]
    assert sorted(row[0] for row in rows) == sorted(selection.cohort().ids)
    frame = selection.cohort().cases
    if sort in ("manufacturer", "age_years"):
        expected = frame.sort_values(sort, ascending=not descending, na_position="last", kind="stable")
        cell = {
            "manufacturer": lambda v: "" if pd.isna(v) else v,
            "age_years": lambda v: "" if v != v else f"{v:g}",
        }[sort]
        column = [c["name"] for c in view.state["columns"]].index(sort)
        assert [row[column] for row in rows] == [cell(v) for v in expected[sort]]
    if sort in ("", "case"):
        ids = list(frame.index)
        assert [row[0] for row in rows] == (ids[::-1] if sort and descending else ids)


@pytest.mark.parametrize(
    ("offset", "limit"), [(-1, 10), (0, 0), (0, 10**9), ("0", 10), (0, None), (True, 10), (1.5, 10)]
)
def test_pages_outside_the_table_are_refused(selection: Selection, offset: object, limit: object):
    reply, _ = ask(CaseTable(selection), kind="rows", offset=offset, limit=limit)
    assert reply["ok"] is False


def test_the_row_of_the_open_case_is_found_in_any_order(selection: Selection):
    view = CaseTable(selection)
    selection.open("s7")
    for sort in ("", "age_years"):
        row = ask(view, kind="find", sort=sort, descending=True)[0]["row"]
        assert (
            ask(view, kind="rows", offset=row, limit=1, sort=sort, descending=True)[0]["rows"][0][0] == "s7"
        )
    selection.query = "s8"
    assert ask(view, kind="find", sort="", descending=False)[0]["row"] == -1


def test_the_table_as_a_file_is_whole_in_its_order_and_holds_no_formula():
    cases, structures = tables(300)
    cases["note"] = ["=1+1", "@x", "+x", "-x", "-1.5", "+2e-3", "-", "a=b", "\t=1", "x"] * 30
    cases["=head"] = "x"
    selection = Selection(Cohort(cases, structures))
    reply, (data,) = ask(CaseTable(selection), kind="csv", sort="case", descending=True)
    assert reply["name"] == "cases.csv"
    head, *rows = csv.reader(io.StringIO(bytes(data).decode("utf-8-sig"), newline=""))
    assert [row[0] for row in rows] == list(cases.index)[::-1]
    assert (head[0], "'=head" in head) == ("case", True)
    notes = [row[head.index("note")] for row in rows[::-1]]
    assert notes[:10] == ["'=1+1", "'@x", "'+x", "'-x", "-1.5", "+2e-3", "'-", "a=b", "'\t=1", "x"]
    assert notes == notes[:10] * 30


def test_a_click_in_the_table_opens_a_case_and_a_bad_one_is_told(selection: Selection):
    view = CaseTable(selection)
    ask(view, kind="open", case="s12")
    assert (selection.case, view.state["case"]) == ("s12", "s12")
    assert "Did you mean" in ask(view, kind="open", case="s12x")[0]["error"]


def test_header_searches_steps_and_cancels(selection: Selection):
    view = Header(selection, "T", "S")
    ask(view, kind="search", text="ge w1")
    assert view.state["count"] == selection.cohort().size < 300
    ask(view, kind="step", by=1)
    assert selection.case == selection.cohort().ids[0]
    called = []
    view.on_cancel.append(lambda: called.append(1))
    ask(view, kind="cancel")
    assert called == [1]
    assert ask(view, kind="search", text="x" * 5000)[0]["ok"] is False


def test_tabs_know_their_names():
    tabs = Tabs(names=["A", "B"], chosen="A")
    with pytest.raises(Exception, match="No tab 'C'"):
        tabs.chosen = "C"
    with pytest.raises(TypeError, match="no option 'colour'"):
        Tabs(names=["A"], chosen="A", colour="red")


def points(chart) -> list[float]:
    return [
        y
        for trace in chart.figure["data"]
        if trace["type"] == "scatter" and "text" in trace and "customdata" in trace
        for y in trace["y"]
    ]


@pytest.mark.parametrize("complete_only", [True, False])
@pytest.mark.parametrize("split", [None, "manufacturer", "ward"])
def test_volumes_shows_the_rows_of_the_table(selection: Selection, complete_only: bool, split: str | None):
    cohort = selection.cohort()
    chart = volumes(cohort, ["liver", "spleen"], complete_only=complete_only, split=split)
    expected = cohort.volumes(["liver", "spleen"], complete_only=complete_only)
    np.testing.assert_allclose(sorted(points(chart)), sorted(expected["volume_ml"].round(4)))
    assert list(chart.points) == list(zip(expected["case"], expected["structure"], strict=True))
    assert f"n = {expected['case'].nunique()} cases" in chart.note
    if split is None:
        boxes = [trace for trace in chart.figure["data"] if trace["type"] == "box"]
        medians = expected.groupby("structure")["volume_ml"].median()
        assert [box["median"][0] for box in boxes] == pytest.approx([medians["liver"], medians["spleen"]])
    else:
        legend = [trace["name"] for trace in chart.figure["data"] if "name" in trace]
        assert sum(int(name.split("<i>")[1].split("<")[0]) for name in legend) == cohort.size
        assert len(legend) <= 8


def test_hostile_names_are_escaped_in_plotly():
    cases, structures = tables(20)
    cases["manufacturer"] = [EVIL, "ge"] * 10
    structures["structure"] = structures["structure"].replace("liver", EVIL)
    cohort = Cohort(cases, structures)
    charts = [
        volumes(cohort, [EVIL, "spleen"], split="manufacturer"),
        prevalence(cohort, [EVIL]),
        acquisition(cohort, split="manufacturer"),
    ]
    for chart in charts:
        assert "<img" not in json.dumps(chart.figure)
        assert "&lt;img" in json.dumps(chart.figure)


def test_a_chart_of_many_cases_stays_small_and_says_so():
    cohort = Cohort(*tables(20_000))
    chart = volumes(cohort, ["liver", "spleen", "kidney_left"], split="manufacturer")
    assert len(points(chart)) == len(chart.points) == MAX_POINTS
    assert f"{MAX_POINTS:,} of" in chart.note
    assert len(json.dumps(chart.figure)) < 2_500_000


def test_nothing_to_see_is_told():
    cohort = Cohort(*tables(30))
    assert "No case" in volumes(cohort.where(OneOf("ward", ("nowhere",))), ["liver"]).message
    assert "as soon as" in volumes(Cohort(cohort.cases), ["liver"]).message
    assert prevalence(cohort, []).message


def test_the_dashboard_draws_only_when_it_is_seen_and_follows_the_cohort(selection: Selection):
    view = Dashboard(selection, visible=False)
    assert view.figure is None
    selection.query = "ge"
    assert view.figure is None
    view.visible = True
    before = len(view.chart.points)
    selection.filter("ward", OneOf("ward", ("w1", "w2")))
    assert 0 < len(view.chart.points) < before
    shown = [trace for trace in view.figure.data if trace.type == "scatter" and trace.text is not None]
    assert len(shown[0].x) == len(view.chart.points)
    view.visible = False
    drawn = view.chart
    selection.clear()
    assert view.chart is drawn


def test_a_click_on_a_point_opens_its_case(selection: Selection):
    view = Dashboard(selection)
    trace = next(t for t in view.figure.data if t.type == "scatter" and t.customdata is not None)
    place = 5

    class Points:
        point_inds = (place,)

    view._clicked(trace, Points(), None)
    assert (selection.case, selection.point) == (view.chart.points[place][0], (1.0, 1.0, 1.0))
    assert view.bar.error == ""


def test_choices_of_the_bar_are_checked(selection: Selection):
    view = Dashboard(selection)
    ask(view.bar, kind="choose", option="split", value="manufacturer")
    assert view.split == "manufacturer"
    ask(view.bar, kind="choose", option="complete_only", value=False)
    assert "every mask" in view.bar.state["note"]
    for option, value in (("split", "nope"), ("kind", "pie"), ("__class__", "x"), ("complete_only", "yes")):
        assert ask(view.bar, kind="choose", option=option, value=value)[0]["ok"] is False


@pytest.mark.parametrize("n", [MIN_BOX - 1, MIN_BOX])
def test_few_values_get_no_box_and_a_box_tells_its_numbers(n: int):
    cases, structures = tables(n)
    structures["status"], structures["volume_ml"] = "complete", np.repeat(np.arange(1.0, n + 1), 3)
    data = volumes(Cohort(cases, structures), ["liver"]).figure["data"]
    assert [trace["type"] for trace in data].count("box") == (n >= MIN_BOX)
    told = [trace for trace in data if trace["type"] == "scatter" and "customdata" not in trace]
    if n < MIN_BOX:
        assert told == []  # nothing unseen lies over the points
    else:
        assert told[0]["y"] == [3.0]
        assert "median 3 ml · half between 2 and 4" in told[0]["text"][0]
        assert f"n = {n}" in told[0]["text"][0]


@pytest.mark.parametrize(("low", "high"), [(1.3, 2.2), (14, 16), (0.002, 0.9), (3, 2_000), (7, 7)])
def test_a_log_axis_has_two_ticks_that_are_seen_and_not_too_many(low: float, high: float):
    axis = log_axis(low, high)
    first, last = axis["range"]
    assert first < np.log10(low) <= np.log10(high) < last
    seen_ticks = [tick for tick in axis["tickvals"] if first <= np.log10(tick) <= last]
    assert 2 <= len(seen_ticks) <= 9


def test_labels_of_structures_wrap_state_n_and_stay_text():
    axis = names_axis(["inferior_vena_cava", "intervertebral_discs", EVIL, *"abcdefghi"], ["n = 1"] * 12)
    assert axis["ticktext"][0] == "IVC<br>n = 1"
    assert axis["ticktext"][1] == "intervertebral<br>discs<br>n = 1"
    assert "<img" not in "".join(axis["ticktext"])
    assert names_axis(["hippocampus_anterior"])["ticktext"] == ["hippocampus anterior"]
    many = names_axis([f"structure_{i}" for i in range(40)], ["n = 1"] * 40)
    assert many["tickangle"] != 0
    assert "<br>" not in "".join(many["ticktext"])


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("color", ["#800000", "#0000a0", "#ffd700", "#ffffff", "#000000", "#4c86d8"])
def test_marks_stand_out_from_light_and_dark_panes(color: str):
    found = luminance(seen(color))
    assert LUMINANCE[0] - 0.005 <= found <= LUMINANCE[1] + 0.005
    assert (found + 0.05) / (luminance("#212121") + 0.05) >= 2.9
    assert 1.05 / (found + 0.05) >= 2.9


def test_equal_spacings_are_points_of_their_own_near_their_place():
    x, y = np.array([1.0, 1.0, 1.0, 3.0, 2.0, 2.0]), np.array([5.0, 5.0, 5.0, 6.0, 5.0, 4.0])
    across, up, moved = spread(x, y)
    assert moved
    assert len({(a, b) for a, b in zip(across, up, strict=True)}) == 6
    assert np.abs(across - x).max() < 0.03 * 3
    assert np.abs(up - y).max() < 0.15 * 6
    np.testing.assert_array_equal(across[3:], x[3:])
    assert not spread(x[3:], y[3:])[2]
    assert from_zero(3.0)["range"][0] < 0


def test_yes_and_no_are_words_and_not_numbers():
    cases, structures = tables(10)
    cases["oblique"] = [True, False] * 5
    columns = {c["name"]: c for c in CaseTable(Selection(Cohort(cases, structures))).state["columns"]}
    assert columns["oblique"]["numeric"] is False
    assert columns["age_years"]["numeric"] is True


def test_a_page_opens_its_data_set_when_a_browser_comes_and_only_once(tmp_path):
    write_phantom(tmp_path / "set", 2, seed=1, progress=False)
    page = Page(str(tmp_path / "set"), store=str(tmp_path / "store"))
    entrance = page.children[0]
    assert page.app is None
    assert not (tmp_path / "store").exists()
    assert ask(entrance, kind="enter")[0]["ok"] is True
    app = page.app
    assert app is not None
    assert page.children == (app,)
    ask(entrance, kind="enter")
    assert page.app is app


def test_a_page_of_no_data_set_says_why(tmp_path):
    page = Page(str(tmp_path / "nowhere"))
    reply = ask(page.children[0], kind="enter")[0]
    assert reply["ok"] is False
    assert "nowhere" in page.children[0].error


def test_a_build_that_fails_unexpectedly_is_told_and_measures_no_more(
    write, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    def fails(*given: object) -> Iterator[Progress]:
        yield Progress(0, 2)
        raise RuntimeError("by design")

    monkeypatch.setattr("explorer.app.iter_build", fails)
    app = Explorer(write({"s0001": {}, "s0002": {}}), store=tmp_path / "store")
    assert app.header.error == "Unexpected RuntimeError: by design"
    assert app.header.progress == {}

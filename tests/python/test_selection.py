import json

import numpy as np
import pandas as pd
import pytest
import traitlets

from explorer import Between, Cohort, Has, OneOf, Selection
from explorer.errors import ExplorerError, QueryError, UnknownName


@pytest.fixture
def selection() -> Selection:
    cases = pd.DataFrame(
        {"sex": ["m", "f", "m", None], "age_years": [20.0, 30, 40, np.nan]},
        index=pd.Index(["s1", "s2", "s3", "s4"], name="case"),
    )
    rows = [
        ("s1", "reference", "liver", "complete", 1500.0, 10.0, 20.0, 30.0),
        ("s2", "reference", "liver", "absent", 0.0, np.nan, np.nan, np.nan),
    ]
    columns = ["case", "mask_set", "structure", "status", "volume_ml", *[f"centroid_{a}_mm" for a in "xyz"]]
    return Selection(Cohort(cases, pd.DataFrame(rows, columns=columns)))


def test_each_source_has_one_clause_and_can_be_ignored(selection: Selection):
    selection.filter("sex", OneOf("sex", ("f",)))
    selection.filter("sex", OneOf("sex", ("m",)))
    selection.filter("age", Between("age_years", 30, None))
    assert selection.cohort().ids == ["s3"]
    assert selection.cohort(ignoring="age").ids == ["s1", "s3"]
    assert selection.cohort(ignoring="sex").ids == ["s2", "s3"]
    selection.filter("sex", None)
    assert selection.cohort().ids == ["s2", "s3"]
    selection.clear()
    assert selection.cohort().size == 4


def test_views_hear_of_every_change_of_the_cohort(selection: Selection):
    heard = []
    selection.observe(lambda change: heard.append(selection.cohort().size), names=["version"])
    selection.filter("sex", OneOf("sex", ("m",)))
    selection.query = "s3"
    selection.everything = Cohort(selection.everything.cases.iloc[:2])
    assert heard == [2, 1, 0]


def test_a_bad_filter_changes_nothing(selection: Selection):
    selection.filter("sex", OneOf("sex", ("m",)))
    before = selection.snapshot()
    with pytest.raises(UnknownName):
        selection.filter("sex", OneOf("sexx", ("m",)))
    assert selection.snapshot() == before


def test_open_moves_to_the_middle_of_a_structure_and_shows_it(selection: Selection):
    selection.structures = ("spleen",)
    selection.open("s1", "liver")
    assert (selection.case, selection.point) == ("s1", (10, 20, 30))
    assert selection.structures == ("spleen", "liver")
    selection.open("s2")
    assert selection.point is None
    selection.open("s2", "liver")
    assert selection.point is None  # it is absent there
    with pytest.raises(UnknownName):
        selection.open("s9")
    with pytest.raises(UnknownName):
        selection.open("s1", "heart")


def test_steps_stay_within_the_cohort(selection: Selection):
    selection.filter("sex", OneOf("sex", ("m",)))
    selection.step(1)
    assert selection.case == "s1"
    selection.step(1)
    selection.step(1)
    assert selection.case == "s3"
    selection.case = "s2"
    selection.step(-1)
    assert selection.case == "s3"


def test_a_window_is_of_its_case(selection: Selection):
    told: list[tuple[str, object]] = []
    selection.window = (1, 2)
    selection.case = "s1"
    assert selection.window == (1, 2), "set for the first case that is opened"
    selection.observe(lambda change: told.append((change["new"], selection.window)), names=["case"])
    selection.open("s1", "liver")
    assert selection.window == (1, 2)
    selection.open("s2")
    assert selection.window is None
    selection.window = (3, 4)
    selection.case = "s1"
    selection.window = (5, 6)
    selection.step(1)
    selection.window = (7, 8)
    selection.restore({"case": "s1"})
    selection.window = (9, 10)
    selection.case = ""
    assert selection.window is None
    assert told == [(case, None) for case in ("s2", "s1", "s2", "s1", "")], "before a view opens the case"


def test_a_case_that_is_opened_again_is_where_it_was_left(selection: Selection):
    selection.open("s1")
    selection.point = (1, 2, 3)
    selection.step(1)
    assert (selection.case, selection.point) == ("s2", None)
    selection.open("s3")
    selection.point = (4, 5, 6)
    selection.open("s1")
    assert selection.point == (1, 2, 3)
    assert selection.places == {"s3": (4, 5, 6), "s1": (1, 2, 3)}
    selection.open("s1")
    assert selection.point == (1, 2, 3)
    selection.open("s1", "liver")
    selection.open("s3")
    assert selection.point == (4, 5, 6)
    selection.point = None
    selection.open("s1")
    assert selection.point == (10, 20, 30)
    selection.step(1)
    selection.step(1)
    assert (selection.case, selection.point) == ("s3", None), "the middle was chosen since"
    selection.restore({"case": "s1", "point": None})
    assert selection.point is None, "a state says where it is"
    selection.open("s1", "liver")
    selection.restore({"case": "s2", "point": [7, 8, 9]})
    selection.step(-1)
    assert selection.point == (10, 20, 30)


def test_places_are_kept_of_the_last_cases_alone():
    ids = [f"s{n}" for n in range(40)]
    columns = ["case", "mask_set", "structure", "status", "volume_ml"]
    frame = pd.DataFrame(index=pd.Index(ids, name="case"))
    selection = Selection(Cohort(frame, pd.DataFrame(columns=columns)))
    for n, case in enumerate(ids):
        selection.open(case)
        selection.point = (n, n, n)
    assert list(selection.places) == ids[-32:]


@pytest.mark.parametrize("before", [(1, 2), None])
def test_a_window_that_comes_with_a_case_is_that_cases(
    selection: Selection, before: tuple[float, float] | None
):
    """Also the same one as before, such as the window of all cases of a CT data set."""
    selection.open("s1", window=before)
    assert selection.window == before
    selection.open("s2", window=(1, 2))
    assert selection.window == (1, 2)
    selection.restore({"window": [1, 2], "case": "s1"})
    assert selection.window == (1, 2)
    with selection.hold_trait_notifications():
        selection.window = (1, 2)
        selection.case = "s2"
    assert selection.window == (1, 2)
    with selection.hold_trait_notifications():
        selection.case = "s1"
        selection.window = (1, 2)
    assert selection.window == (1, 2)
    with selection.hold_trait_notifications():
        selection.case = "s2"
    assert selection.window is None


def test_a_snapshot_survives_json_and_restores_everything(selection: Selection):
    selection.filter("sex", OneOf("sex", ("m", None)))
    selection.filter("age", Between("age_years", 10.5, None, True))
    selection.filter("has", Has("liver", ("complete",), 100, None))
    selection.open("s1", "liver")
    selection.structures = ("liver",)
    selection.window = (5, 600)
    selection.layout = "coronal"
    selection.colors = (("liver", "#FF0000"), ("spleen", "#00ff00"))
    selection.opacities = (("liver", 0.5),)
    selection.mask_set, selection.compare = "model", "reference"
    selection.query = "s"
    text = json.dumps(selection.snapshot())
    other = Selection(selection.everything)
    other.restore(text)
    assert other.snapshot() == selection.snapshot()
    assert other.filters == selection.filters
    assert other.colors == (("liver", "#ff0000"), ("spleen", "#00ff00"))
    assert other.cohort().ids == ["s1"]


def test_mask_sets_that_there_are_not_are_refused_where_they_are_known(selection: Selection):
    known = Selection(selection.everything, ["reference", "model"])
    for name in ("mask_set", "compare"):
        with pytest.raises(UnknownName, match="Did you mean 'model'"):
            known.restore({"case": "s1", name: "modl"})
    assert (known.case, known.mask_set, known.compare) == ("", "reference", "")
    known.restore({"mask_set": "model", "compare": ""})
    assert (known.mask_set, known.compare) == ("model", "")
    selection.restore({"mask_set": "of a data set that is not measured"})
    assert selection.mask_set == "of a data set that is not measured"


@pytest.mark.parametrize(
    "state",
    [
        "not json",
        "[]",
        {"unheard": 1},
        {"case": "s9"},
        {"case": 5},
        {"structures": "liver"},
        {"structures": [1]},
        {"point": [1, 2]},
        {"point": [1, 2, float("nan")]},
        {"point": [1, 2, None]},
        {"layout": "mosaic<script>"},
        {"window": ["0", 1]},
        {"filters": {"a": 1}},
        {"filters": [["a", {"one_of": "nope", "values": ["x"]}]]},
        {"filters": [["a", {"one_of": "sex", "values": "m"}]]},
        {"filters": [["a", {"between": "sex", "low": 1}]]},
        {"filters": [["a", {"between": "age_years", "low": "x"}]]},
        {"filters": [["a", {"has": "liver", "status": ["whole"]}]]},
        {"filters": [["a", {"eval": "1"}]]},
        {"filters": [["a"]]},
        {"colors": {"liver": "#ff0000"}},
        {"colors": [["liver", "red"]]},
        {"colors": [["liver", "#ff0000;url(x)"]]},
        {"colors": [["liver"]]},
        {"colors": [["x" * 201, "#ff0000"]]},
        {"colors": [[f"s{n}", "#ff0000"] for n in range(1001)]},
        {"opacities": [["liver", 1.5]]},
        {"opacities": [["liver", None]]},
        {"opacities": [["liver", float("nan")]]},
        {"opacities": [["liver", True]]},
        {"opacities": [["", 1]]},
        {"compare": 5},
        {"query": "x" * 2000},
    ],
)
def test_hostile_states_are_refused_whole(selection: Selection, state: object):
    before = selection.snapshot()
    with pytest.raises(ExplorerError):
        selection.restore(
            {"query": "changed", **state} if isinstance(state, dict) and "query" not in state else state
        )
    assert selection.snapshot() == before


def test_an_error_says_what_was_expected(selection: Selection):
    with pytest.raises(QueryError, match="point must be 3 numbers"):
        selection.restore({"point": "here"})


def test_colours_and_opacities_are_checked_when_they_are_set(selection: Selection):
    selection.colors = [["liver", "#ABCDEF"], ["liver", "#123456"]]
    assert selection.colors == (("liver", "#123456"),)
    for name, value in (("colors", (("liver", "red"),)), ("opacities", (("liver", 2),))):
        with pytest.raises(traitlets.TraitError):
            setattr(selection, name, value)
    assert selection.colors == (("liver", "#123456"),)
    assert selection.opacities == ()

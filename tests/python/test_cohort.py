import numpy as np
import pandas as pd
import pytest

from explorer import Between, Cohort, Has, OneOf
from explorer.errors import QueryError, UnknownName

STATUS = ["complete", "cut_off", "absent", "missing"]


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    n = 200
    cases = pd.DataFrame(
        {
            "manufacturer": rng.choice(["siemens", "ge", None], n, p=[0.6, 0.3, 0.1]),
            "field_strength_t": rng.choice([1.5, 3.0, np.nan], n),
            "age_years": np.where(rng.random(n) < 0.1, np.nan, rng.integers(18, 90, n)),
            "ward": rng.choice(["A1", "A2", "A10"], n),
            "empty": None,
        },
        index=pd.Index([f"s{i:04}" for i in range(n)], name="case"),
    )
    rows = [
        (case, "reference", name, rng.choice(STATUS, p=[0.4, 0.2, 0.3, 0.1]))
        for case in cases.index
        for name in ("liver", "spleen", "zebra")
    ]
    structures = pd.DataFrame(rows, columns=["case", "mask_set", "structure", "status"])
    present = structures["status"].isin(["complete", "cut_off"])
    volumes = rng.lognormal(5, 1, len(structures))
    structures["volume_ml"] = np.where(
        present, volumes, np.where(structures["status"] == "absent", 0, np.nan)
    )
    structures["voxels"] = structures["volume_ml"]
    return cases, structures


@pytest.fixture
def cohort(tables) -> Cohort:
    return Cohort(*tables)


def test_one_of_counts_missing_as_a_value(cohort: Cohort, tables):
    column = tables[0]["manufacturer"]
    assert cohort.where(OneOf("manufacturer", ("ge", None))).size == ((column == "ge") | column.isna()).sum()
    assert cohort.where(OneOf("manufacturer", (None,))).size == column.isna().sum() > 0
    assert cohort.where(OneOf("manufacturer", ("unheard of",))).size == 0


def test_numbers_with_few_values_are_categories(cohort: Cohort, tables):
    assert (
        cohort.where(OneOf("field_strength_t", ("1.5",))).size == (tables[0]["field_strength_t"] == 1.5).sum()
    )
    kinds = {facet.column: (facet.kind, facet.unit) for facet in cohort.facets()}
    assert kinds["field_strength_t"] == ("category", "T")
    assert kinds["age_years"] == ("number", "years")
    assert "empty" not in kinds


@pytest.mark.parametrize("missing", [False, True])
def test_between_is_closed_and_asks_about_missing(cohort: Cohort, tables, missing: bool):
    age = tables[0]["age_years"]
    expected = age.between(30, 50) | (age.isna() if missing else False)
    assert cohort.where(Between("age_years", 30, 50, missing)).ids == list(age.index[expected])
    assert cohort.where(Between("age_years", None, None)).size == age.notna().sum()


def test_has_looks_at_status_and_volume(cohort: Cohort, tables):
    structures = tables[1]
    liver = structures[structures["structure"] == "liver"]
    present = liver[liver["status"].isin(["complete", "cut_off"])]
    assert cohort.where(Has("liver")).ids == list(present["case"])
    assert cohort.where(Has("liver", ("missing",))).size == (liver["status"] == "missing").sum()
    big = present[present["volume_ml"].between(100, 200)]
    assert cohort.where(Has("liver", min_ml=100, max_ml=200)).ids == list(big["case"])


def test_counts_list_every_value_of_the_data_set(cohort: Cohort, tables):
    filtered = cohort.where(OneOf("manufacturer", ("siemens",)))
    counts = filtered.counts("manufacturer")
    assert list(counts.index) == ["siemens", "ge", None]
    assert list(counts) == [(tables[0]["manufacturer"] == "siemens").sum(), 0, 0]
    wards = filtered.counts("ward")
    expected = filtered.cases["ward"].value_counts()
    assert dict(wards) == dict(expected)


def test_histogram_edges_do_not_move_with_filters(cohort: Cohort):
    whole, part = (
        cohort.histogram("age_years"),
        cohort.where(Between("age_years", 30, 40)).histogram("age_years"),
    )
    np.testing.assert_array_equal(whole.edges, part.edges)
    assert whole.counts.sum() + whole.missing == cohort.size
    assert (part.counts <= whole.counts).all()
    assert part.missing == 0
    with pytest.raises(QueryError, match="ward"):
        cohort.histogram("ward")


def test_search_takes_every_word_anywhere(cohort: Cohort, tables):
    cases = tables[0]
    expected = cases.index[(cases["manufacturer"] == "ge") & (cases["ward"] == "A10")]
    assert cohort.search("GE a10").ids == list(expected)
    assert cohort.search("s0042").ids == ["s0042"]
    assert cohort.search("   ").size == cohort.size


def test_label_table_counts_every_mask_and_measures_whole_ones(cohort: Cohort, tables):
    part = cohort.where(OneOf("manufacturer", ("siemens",)))
    rows = tables[1][tables[1]["case"].isin(part.ids)]
    for complete_only in (True, False):
        table = part.label_table(complete_only=complete_only).set_index("structure")
        assert list(table.index) == ["spleen", "liver", "zebra"]
        for name, row in table.iterrows():
            mine = rows[rows["structure"] == name]
            present = mine[mine["status"].isin(["complete", "cut_off"])]
            used = present[present["status"] == "complete"] if complete_only else present
            assert row["cases"] == len(present)
            assert row["percentage"] == pytest.approx(100 * len(present) / part.size)
            assert row["n"] == len(used)
            assert row["median_ml"] == pytest.approx(used["volume_ml"].median())
            assert row["max_ml"] == used["volume_ml"].max()


def test_absent_structures_are_nan_not_zero(cohort: Cohort):
    nobody = cohort.where(OneOf("manufacturer", ("unheard of",)))
    table = nobody.label_table()
    assert list(table["cases"]) == [0, 0, 0]
    assert table["median_ml"].isna().all()
    assert list(table["percentage"]) == [0, 0, 0]


def test_resolution_table_is_min_median_max():
    cases = pd.DataFrame(
        {f"spacing_{a}_mm": [1.0, 2, 4] for a in "ijk"} | {f"shape_{a}": [10, 30, 20] for a in "ijk"},
        index=["a", "b", "c"],
    )
    table = Cohort(cases).resolution_table()
    assert list(table["spacing_j_mm"]) == [1, 2, 4]
    assert list(table["size_k"]) == [10, 20, 30]
    assert Cohort(cases).slices() == 60


def test_unknown_names_are_told(cohort: Cohort):
    with pytest.raises(UnknownName, match="Did you mean 'manufacturer'"):
        cohort.where(OneOf("manufacturor", ("ge",)))
    with pytest.raises(UnknownName, match="Did you mean 'liver'"):
        cohort.where(Has("livr"))


def test_join_keeps_cases_that_are_not_measured(tables):
    measured = pd.DataFrame({"case": ["s0000"], "orientation": ["RAS"]})
    joined = Cohort.join(tables[0], measured, tables[1])
    assert joined.size == 200
    assert joined.counts("orientation").tolist() == [1, 199]


def test_slices_lie_across_the_largest_spacing_of_equal_ones_the_last():
    measured = pd.DataFrame(
        {
            "case": list("abcd"),
            **{
                "shape_i": [320, 30, 200, None],
                "shape_j": [260, 280, 210, None],
                "shape_k": [40, 290, 220, None],
            },
            **{"spacing_i_mm": [0.8, 5.0, 1.500001, None], "spacing_j_mm": [0.9, 0.7, 1.5, None]},
            "spacing_k_mm": [3.3, 0.7, 1.5, None],
        }
    ).astype({f"shape_{axis}": "Int64" for axis in "ijk"})
    meta = pd.DataFrame({"slice_count": ["forty"] * 4}, index=pd.Index(list("abcd"), name="case"))
    joined = Cohort.join(meta, measured)
    assert joined.cases["slice_count"].fillna(0).tolist() == [40, 30, 220, 0]
    assert joined.cases["slice_spacing_mm"].fillna(0).tolist() == [3.3, 5.0, 1.5, 0]
    facets = {facet.column: f"{facet.label} ({facet.unit})" for facet in joined.facets()}
    assert facets == {
        "meta_slice_count": "Meta slice count ()",
        "slice_spacing_mm": "Slice spacing (mm)",
        "slice_count": "Slices ()",
    }


def test_a_cohort_without_cases_or_structures_has_tables():
    nothing = Cohort(pd.DataFrame(index=pd.Index([], name="case", dtype=str)))
    assert nothing.size == 0
    assert nothing.label_table().empty
    assert nothing.facets() == ()
    assert nothing.resolution_table().isna().all(axis=None)


def test_what_is_measured_keeps_its_name_against_a_column_of_the_metadata():
    meta = pd.DataFrame({"shape_k": ["many", "few"]}, index=pd.Index(["a", "b"], name="case"))
    measured = pd.DataFrame({"case": ["a", "b"], "shape_k": [30, 7]})
    joined = Cohort.join(meta, measured)
    assert joined.slices() == 37
    assert joined.counts("meta_shape_k").to_dict() == {"many": 1, "few": 1}

"""The published figures, and data sets made to have exactly them."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from explorer import publication
from explorer.cohort import Cohort
from explorer.errors import UnknownName
from explorer.publication import VERSIONS, compare, recognise
from explorer.structures import PUBLISHED

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "published_label_statistics_v100.csv"
FIGURES = publication._printed("mri-v1")
SLIP = ("labels", "adrenal_gland_left", "percentage")


def figure(row: str, quantity: str, table: str = "labels") -> float:
    return float(FIGURES[table, row, quantity])


def as_published() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return tables of 298 cases whose counts, volumes, spacings, sizes and slices are the printed ones."""
    ids = [f"s{i + 1:04}" for i in range(298)]
    cases = pd.DataFrame(index=pd.Index(ids, name="case"))
    for axis in "ijk":
        for column, quantity in (
            (f"spacing_{axis}_mm", f"spacing_{axis}_mm"),
            (f"shape_{axis}", f"size_{axis}"),
        ):
            low, middle, high = (figure(s, quantity, "resolution") for s in ("min", "median", "max"))
            cases[column] = np.array([low] + [middle] * 296 + [high])
    # The sum of slices is printed too: bring it about without moving min, median or max.
    rest = 57991 - int(cases["shape_k"].sum())
    above = cases.index[180:280]
    cases.loc[above, "shape_k"] += rest // len(above)
    cases.loc[above[0], "shape_k"] += rest % len(above)
    rows = []
    for name in PUBLISHED:
        count = int(figure(name, "cases"))
        volumes = np.full(count, figure(name, "median_ml"))
        volumes[0] = figure(name, "max_ml")
        volumes[1 : count // 2 - 1] -= 0.5
        for i, case in enumerate(ids):
            status = "absent" if i >= count else ("complete" if i % 2 else "cut_off")
            rows.append((case, "reference", name, status, volumes[i] if i < count else 0.0))
    structures = pd.DataFrame(rows, columns=["case", "mask_set", "structure", "status", "volume_ml"])
    return cases, structures.assign(voxels=structures["volume_ml"])


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    return as_published()


def test_every_printed_percentage_but_the_slip_is_its_cases_of_298():
    wrong = [
        name
        for name in PUBLISHED
        if f"{figure(name, 'cases') / 2.98:.2f}" != FIGURES["labels", name, "percentage"]
    ]
    assert wrong == [SLIP[1]]
    right, remark = publication._SLIPS[SLIP]
    assert f"{104 / 2.98:.2f}" == f"{right:.2f}" == "34.90"
    assert FIGURES[SLIP] == "35.26" in remark


def test_names_are_those_of_the_structures():
    assert VERSIONS["mri-v1"].names == PUBLISHED
    assert {key: len(version.names) for key, version in VERSIONS.items()} == {
        "mri-v1": 56,
        "mri-v2": 50,
        "mri-v3": 50,
        "ct-v2": 117,
    }
    dropped = set(PUBLISHED) - set(VERSIONS["mri-v2"].names)
    added = set(VERSIONS["mri-v2"].names) - set(PUBLISHED)
    assert (len(dropped), added) == (
        10,
        {"scapula_left", "scapula_right", "clavicula_left", "clavicula_right"},
    )


@pytest.mark.skipif(not REFERENCE.exists(), reason="the published table is not beside the project")
def test_figures_are_those_of_the_published_table():
    columns = {
        "cases": "cases",
        "percentage": "percentage",
        "max_ml": "max_volume_cm3",
        "median_ml": "median_volume_cm3",
    }
    with REFERENCE.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for ours, theirs in columns.items():
                assert FIGURES["labels", row["structure"], ours] == row[theirs]


def test_a_data_set_with_the_published_figures_reproduces_every_one(tables):
    table = compare(Cohort(*tables), "mri-v1")
    assert len(table) == 56 * 4 + 3 * 6 + 1
    assert (
        table.loc[~table["same"].astype(bool), ["row", "quantity", "found", "published"]].values.tolist()
        == []
    )
    assert list(table["row"][:224:4]) == list(PUBLISHED)
    slip = table.set_index(["table", "row", "quantity"]).loc[SLIP]
    assert (round(slip["found"], 2), slip["published"], round(slip["difference"], 2)) == (34.90, 35.26, -0.36)
    assert "a slip" in slip["remark"]
    assert (table["remark"] != "").sum() == 1
    assert table.set_index("table").loc["slices", "found"] == 57991


def test_differences_show(tables):
    cases, structures = tables
    changed = structures.copy()
    liver = changed.index[(changed["structure"] == "liver") & (changed["volume_ml"] > 0)]
    changed.loc[liver[0], "volume_ml"] -= 10
    changed.loc[liver[-1], ["status", "volume_ml"]] = ["absent", 0]
    wider = cases.copy()
    wider.loc["s0150", "spacing_k_mm"] = 29
    table = compare(Cohort(wider, changed), "mri-v1")
    wrong = table[~table["same"].astype(bool)].set_index(["row", "quantity"])
    assert set(wrong.index) == {
        ("liver", "cases"),
        ("liver", "percentage"),
        ("liver", "max_ml"),
        ("max", "spacing_k_mm"),
    }
    assert wrong.loc[("liver", "cases"), "difference"] == -1
    assert round(wrong.loc[("liver", "max_ml"), "difference"], 2) == -10
    assert wrong.loc[("max", "spacing_k_mm"), "difference"] == 1


def test_cut_off_structures_count_as_in_the_publication(tables):
    cases, structures = tables
    whole = structures[structures["status"] != "cut_off"]
    table = compare(Cohort(cases, whole), "mri-v1").set_index(["row", "quantity"])
    assert table.loc[("liver", "cases"), "found"] == 64
    assert not table.loc[("liver", "cases"), "same"]


def test_a_version_without_figures_gets_the_same_table(tables):
    own = compare(Cohort(*tables), None)
    assert own["published"].isna().all()
    assert own["same"].isna().all()
    second = compare(Cohort(*tables), "mri-v2").set_index(["row", "quantity"])
    assert second.loc[("scapula_left", "cases"), "found"] == 0
    assert np.isnan(second.loc[("scapula_left", "max_ml"), "found"])
    assert second.loc[("tibia", "cases"), "found"] == 38
    assert second["published"].isna().all()
    with pytest.raises(UnknownName, match="Did you mean 'mri-v1'"):
        compare(Cohort(*tables), "mri-v11")


V1, V2, CT = (VERSIONS[key].names for key in ("mri-v1", "mri-v2", "ct-v2"))


@pytest.mark.parametrize(
    ("names", "modality", "cases", "key", "sure"),
    [
        (V1, "mri", 298, "mri-v1", "certain"),
        (V1, "mri", 6, "mri-v1", "likely"),
        (V1, "mri", 299, "mri-v1", "possible"),
        (V1[:-2], "mri", 298, "mri-v1", "possible"),
        ((*V1, "kidny_left"), "mri", 298, "mri-v1", "likely"),
        ((*V1, "kidny_left"), "mri", 297, "mri-v1", "possible"),
        ((*V1[:-1], "mine"), "mri", 298, "mri-v1", "possible"),
        ((*V2, "mine"), "mri", 616, "mri-v2", "likely"),
        ((*V2, "mine"), "mri", 1296, "mri-v3", "likely"),
        (V2, "mri", 616, "mri-v2", "certain"),
        (V2, "mri", 600, "mri-v2", "possible"),
        (V2, "mri", 1232, "mri-v3", "likely"),
        (V2, "mri", 1296, "mri-v3", "certain"),
        (V2, "mri", 1300, "mri-v3", "possible"),
        (CT, "ct", 1228, "ct-v2", "certain"),
        (CT, "ct", 3, "ct-v2", "likely"),
        (CT, "mri", 1228, None, "certain"),
        (V1, "ct", 298, None, "certain"),
        (["liver", "spleen"], "mri", 298, None, "certain"),
        ([], "mri", 1, None, "certain"),
    ],
)
def test_versions_are_known_by_names_modality_and_cases(names, modality, cases, key, sure):
    found = recognise(names, {modality}, cases)
    assert ((found.version.key if found.version else None), found.sure) == (key, sure)
    assert found.why


def test_why_says_how_much_is_there():
    assert recognise(V1, {"mri"}, 6).why == "6 of 298 cases, all 56 structures"
    assert "v3 has the same names" in recognise(V2, {"mri"}, 100).why
    assert recognise((*V1, "x"), {"mri"}, 298).why == "298 of 298 cases, all 56 structures, and 1 others"
    assert recognise(V1, {"mri", "ct"}, 6).version is None

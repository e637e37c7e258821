import csv
import importlib
import re
import sys
from collections.abc import Mapping
from colorsys import rgb_to_hsv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from explorer import open_dataset
from explorer.errors import ExplorerError, UnknownName
from explorer.labels import Labels
from explorer.phantom import write_phantom
from explorer.publication import VERSIONS
from explorer.structures import GROUPS, PUBLISHED, in_order, structure, twin
from explorer.volume import read_image, read_masks

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
colors = importlib.import_module("colors")

MINI = Path(__file__).parents[3] / "shared" / "real" / "mini"
NAMES: Mapping[str, tuple[str, ...]] = {key: VERSIONS[key].names for key in ("mri-v1", "mri-v2", "ct-v2")}
FLOOR_OF_NEIGHBOURS = 14.0
FLOORS = {
    "mri-v1": (5.5, 1.2, 1.2, 1.2),
    "mri-v2": (5.5, 1.2, 1.2, 1.2),
    "ct-v2": (5.5, 0.7, 1.2, 1.2),
}


def neighbours(labels: Labels) -> set[tuple[str, str]]:
    """Return pairs of structures that share a voxel or the face of one."""
    ids, count = labels.ids.astype(np.int64), len(labels.sets)
    pairs = set(np.unique(ids * count + ids).tolist())
    for axis in range(3):
        turned = np.moveaxis(ids, axis, 0)
        pairs |= set(np.unique(turned[:-1] * count + turned[1:]).tolist())
    return {
        (min(one, two), max(one, two))
        for pair in pairs
        for one in labels.sets[pair // count]
        for two in labels.sets[pair % count]
        if one != two
    }


def check_neighbours(pairs: set[tuple[str, str]]) -> None:
    for one, two in sorted(pairs):
        if twin(one) != two:
            distance = colors.distance(one, two)
            assert distance > FLOOR_OF_NEIGHBOURS, f"{one} and {two} touch: {distance:.1f}"


def test_published_names_are_56_and_all_described():
    assert len(set(PUBLISHED)) == 56
    assert NAMES["mri-v1"] == PUBLISHED
    for name in {name for names in NAMES.values() for name in names}:
        known = structure(name)
        assert known.group in GROUPS
        assert known.group != "Other"
        assert known.snomed.isdigit()
        assert re.fullmatch(r"#[0-9a-f]{6}", known.color)


def test_the_table_has_each_name_once():
    text = (Path(colors.__file__).parents[1] / "explorer" / "structures.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == len({row["name"] for row in rows}) == len({row["color"] for row in rows})
    assert {row["name"] for row in rows} == {name for names in NAMES.values() for name in names}


@pytest.mark.parametrize("names", NAMES)
def test_no_two_colours_are_nearer_than_stated(names: str):
    for sight, floor in zip(colors.SIGHTS, FLOORS[names], strict=True):
        nearest = colors.pairs(NAMES[names], sight)[0]
        assert nearest.distance >= floor, (sight, nearest)


def test_structures_that_touch_can_be_told_apart(tmp_path: Path):
    write_phantom(tmp_path / "p", 5, progress=False)
    found: set[tuple[str, str]] = set()
    for case in open_dataset(tmp_path / "p"):
        found |= neighbours(read_masks(case, read_image(case).grid))
    assert len(found) > 60
    check_neighbours(found)


@pytest.mark.skipif(not MINI.is_dir(), reason="the folder of real scans is not beside the project")
def test_structures_that_touch_in_a_real_scan_can_be_told_apart():
    case = open_dataset(MINI)["s0001"]
    found = neighbours(read_masks(case, read_image(case).grid))
    assert ("aorta", "vertebrae") in found or len(found) > 8
    check_neighbours(found)


def test_neighbours_in_ct_can_be_told_apart():
    spine = ["sacrum", *(name for name in NAMES["ct-v2"] if name.startswith("vertebrae"))]
    ribs = [[f"rib_{side}_{n}" for n in range(1, 13)] for side in ("left", "right")]
    pairs = {pair for row in (spine, *ribs) for pair in pairwise(row)}
    pairs |= {(f"vertebrae_T{n}", f"rib_{side}_{n}") for n in range(1, 13) for side in ("left", "right")}
    pairs |= {("trachea", "esophagus"), ("trachea", "thyroid_gland"), ("skull", "brain")}
    pairs |= {
        ("heart", "atrial_appendage_left"),
        ("heart", "superior_vena_cava"),
        ("sternum", "costal_cartilages"),
    }
    pairs |= {
        ("lung_upper_lobe_left", "lung_lower_lobe_left"),
        ("lung_middle_lobe_right", "lung_lower_lobe_right"),
    }
    check_neighbours(pairs)


def test_the_right_is_the_left_in_a_darker_shade():
    for name in {name for names in NAMES.values() for name in names}:
        other = twin(name)
        if other in {name for names in NAMES.values() for name in names} and structure(name).side == "left":
            left, right = (np.array(list(bytes.fromhex(structure(n).color[1:]))) / 255 for n in (name, other))
            turn = (rgb_to_hsv(*left)[0] - rgb_to_hsv(*right)[0] + 0.5) % 1 - 0.5
            assert abs(turn) < 0.02, name
            light = [float(colors.lab([structure(n).color])[0, 0]) for n in (name, other)]
            assert light[0] > light[1] + 5, name
            assert colors.distance(name, other) > 5


def test_distances_are_those_of_the_reference():
    """Rows of the test data of Sharma, Wu and Dalal 2005."""
    for one, two, expected in (
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1, 2), (50, 0, 0), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ):
        assert colors.ciede2000(np.array(one, float), np.array(two, float)) == pytest.approx(
            expected, abs=1e-4
        )


@pytest.mark.parametrize(
    ("name", "label", "side"),
    [
        ("kidney_left", "kidney", "left"),
        ("aorta", "aorta", ""),
        ("my_thing_right", "my thing", "right"),
        ("rib_left_3", "rib 3", "left"),
        ("left", "left", ""),
    ],
)
def test_label_and_side_come_from_the_name(name: str, label: str, side: str):
    assert (structure(name).label, structure(name).side) == (label, side)


def test_unknown_names_are_welcome_and_stable():
    unknown = structure("hippocampus_anterior")
    assert unknown.group == "Other"
    assert (
        unknown.color == structure("hippocampus_anterior").color != structure("hippocampus_posterior").color
    )


def test_order_is_by_body_system_then_as_published():
    assert in_order(["zeta", "aorta", "liver", "spleen", "alpha"]) == [
        "spleen",
        "liver",
        "aorta",
        "alpha",
        "zeta",
    ]


def test_twin_is_the_other_side():
    assert twin("kidney_left") == "kidney_right"
    assert twin("kidney_right") == "kidney_left"
    assert twin("rib_left_3") == "rib_right_3"
    assert twin("liver") is None


def test_unknown_name_suggests_the_nearest():
    error = UnknownName("structure", "kidny_left", PUBLISHED)
    assert str(error) == "No structure 'kidny_left' among 56. Did you mean 'kidney_left'?"
    assert isinstance(error, KeyError)
    assert isinstance(error, ExplorerError)

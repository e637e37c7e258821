import re

import pytest

from explorer.errors import ExplorerError, UnknownName
from explorer.structures import GROUPS, PUBLISHED, in_order, structure, twin


def test_published_names_are_56_and_all_described():
    assert len(set(PUBLISHED)) == 56
    for name in PUBLISHED:
        known = structure(name)
        assert known.group in GROUPS
        assert known.group != "Other"
        assert known.snomed.isdigit()
        assert re.fullmatch(r"#[0-9a-f]{6}", known.color)


def test_colours_are_distinct():
    assert len({structure(name).color for name in PUBLISHED}) == 56


@pytest.mark.parametrize(
    ("name", "label", "side"),
    [("kidney_left", "kidney", "left"), ("aorta", "aorta", ""), ("my_thing_right", "my thing", "right")],
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
    assert twin("liver") is None


def test_unknown_name_suggests_the_nearest():
    error = UnknownName("structure", "kidny_left", PUBLISHED)
    assert str(error) == "No structure 'kidny_left' among 56. Did you mean 'kidney_left'?"
    assert isinstance(error, KeyError)
    assert isinstance(error, ExplorerError)

"""Names, body systems, sides, colours and codes of anatomical structures.

The only module that spells anatomy, with ``structures.csv`` beside it: all names of the published
MRI and CT data sets of TotalSegmentator. A name it does not know is welcome: it gets its side from
its words, the group ``Other`` and a colour that depends on nothing but the name.

Names and SNOMED CT codes are those of the publications (https://doi.org/10.5281/zenodo.11367005,
https://doi.org/10.5281/zenodo.10047292). Colours are TotalSegmentator's own where neighbours can be
told apart by them; ``scripts/colors.py`` measures that, and docs/colors.md says what was moved.
"""

import csv
from collections.abc import Iterable
from colorsys import hls_to_rgb
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

GROUPS: tuple[str, ...] = (
    "Digestive",
    "Urinary and endocrine",
    "Chest",
    "Vessels",
    "Spine and nerves",
    "Bones",
    "Muscles",
    "Other",
)
"""Body systems in the order in which lists show them."""


@dataclass(frozen=True, slots=True)
class Structure:
    """What is known of a structure by its name.

    Attributes
    ----------
    name
        As the data set spells it, such as ``"kidney_left"``.
    label
        Words for people, without the side, such as ``"kidney"``.
    side
        ``"left"``, ``"right"`` (of the patient) or ``""``.
    group
        One of `GROUPS`.
    color
        ``"#rrggbb"``.
    snomed
        SNOMED CT code of the structure's type, or ``""`` where none is known.
    """

    name: str
    label: str
    side: str
    group: str
    color: str
    snomed: str

    @property
    def full_label(self) -> str:
        """Words for people, with the side: ``"kidney left"``."""
        return f"{self.label} {self.side}".strip()


@cache
def _known() -> dict[str, tuple[str, str, str]]:
    """Return group, colour and code by name, in the order of the published label tables."""
    text = Path(__file__).with_name("structures.csv").read_text("utf-8")
    return {
        row["name"]: (row["group"], row["color"], row["snomed"]) for row in csv.DictReader(text.splitlines())
    }


@cache
def _order() -> dict[str, int]:
    return {name: position for position, name in enumerate(_known())}


PUBLISHED: tuple[str, ...] = tuple(_known())[:56]
"""The 56 structures of version 1 of the MRI data set, in the order of its published label table."""


@cache
def structure(name: str) -> Structure:
    """Return what is known of a structure; any name is accepted.

    Parameters
    ----------
    name
        A structure's name as the data set spells it.
    """
    parts = name.split("_")
    at = _place_of_side(parts)
    side = parts.pop(at) if at else ""
    group, color, snomed = _known().get(name) or ("Other", _color_of_unknown("_".join(parts), side), "")
    return Structure(name, " ".join(parts), side, group, color, snomed)


def twin(name: str) -> str | None:
    """Return the same structure on the other side, or None for an unpaired one."""
    parts = name.split("_")
    at = _place_of_side(parts)
    if not at:
        return None
    parts[at] = "right" if parts[at] == "left" else "left"
    return "_".join(parts)


def in_order(names: Iterable[str]) -> list[str]:
    """Return distinct names by body system, then as published, unknown ones by name."""
    return sorted(
        set(names),
        key=lambda name: (GROUPS.index(structure(name).group), _order().get(name, len(_order())), name),
    )


def _place_of_side(parts: list[str]) -> int:
    """Return which part of a name tells the side, the last where there are two; 0 for none."""
    return max((n for n, part in enumerate(parts) if n and part in ("left", "right")), default=0)


def _color_of_unknown(stem: str, side: str) -> str:
    digest = blake2b(stem.encode(), digest_size=4).digest()
    hue = int.from_bytes(digest[:2], "big") / 65536
    lightness = 0.46 if side == "right" else 0.58
    red, green, blue = hls_to_rgb(hue, lightness, 0.45 + digest[2] / 255 * 0.3)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"

"""Names, body systems, sides, colours and codes of anatomical structures.

The only module that spells anatomy. A name it does not know is welcome: it gets its side from
its suffix, the group ``Other`` and a colour that depends on nothing but the name.

Names and SNOMED CT codes are those of the TotalSegmentator MRI publication
(https://doi.org/10.5281/zenodo.11367005); most colours are TotalSegmentator's own, so that
pictures from both tools agree.
"""

from collections.abc import Iterable
from colorsys import hls_to_rgb
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

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


# name: (group, colour, SNOMED CT code); the order is that of the published label table.
_KNOWN: dict[str, tuple[str, str, str]] = {
    "spleen": ("Digestive", "#32aa3c", "78961009"),
    "kidney_right": ("Urinary and endocrine", "#226688", "64033007"),
    "kidney_left": ("Urinary and endocrine", "#2e8ab8", "64033007"),
    "gallbladder": ("Digestive", "#36d877", "28231008"),
    "liver": ("Digestive", "#288c28", "10200004"),
    "stomach": ("Digestive", "#b446a0", "69695003"),
    "pancreas": ("Digestive", "#3c9650", "15776009"),
    "adrenal_gland_right": ("Urinary and endocrine", "#b2801a", "23451007"),
    "adrenal_gland_left": ("Urinary and endocrine", "#f1ac22", "23451007"),
    "lung_left": ("Chest", "#5fb4d8", "39607008"),
    "lung_right": ("Chest", "#3d86ad", "39607008"),
    "esophagus": ("Digestive", "#be5aaa", "32849002"),
    "small_bowel": ("Digestive", "#a03cb4", "30315005"),
    "duodenum": ("Digestive", "#aa50be", "38848004"),
    "colon": ("Digestive", "#9628aa", "71854001"),
    "urinary_bladder": ("Urinary and endocrine", "#365ed8", "89837001"),
    "prostate": ("Urinary and endocrine", "#5bfd9c", "41216001"),
    "sacrum": ("Bones", "#64d836", "54735007"),
    "vertebrae": ("Spine and nerves", "#c9a26b", "51282000"),
    "intervertebral_discs": ("Spine and nerves", "#b79be0", "360499006"),
    "spinal_cord": ("Spine and nerves", "#ffd700", "2748008"),
    "heart": ("Chest", "#b40028", "80891009"),
    "aorta": ("Vessels", "#d86c36", "15825003"),
    "inferior_vena_cava": ("Vessels", "#0046c8", "64131007"),
    "portal_vein_and_splenic_vein": ("Vessels", "#005adc", "110765007"),
    "iliac_artery_left": ("Vessels", "#da0000", "73634005"),
    "iliac_artery_right": ("Vessels", "#a20000", "73634005"),
    "iliac_vena_left": ("Vessels", "#005ce6", "46027005"),
    "iliac_vena_right": ("Vessels", "#0044aa", "46027005"),
    "humerus_left": ("Bones", "#473ef8", "85050009"),
    "humerus_right": ("Bones", "#732eb8", "85050009"),
    "fibula": ("Bones", "#36d843", "87342007"),
    "tibia": ("Bones", "#d83692", "12611008"),
    "femur_left": ("Bones", "#f8d43e", "71341001"),
    "femur_right": ("Bones", "#2eb83c", "71341001"),
    "hip_left": ("Bones", "#e6f83e", "29836001"),
    "hip_right": ("Bones", "#b82eb8", "29836001"),
    "gluteus_maximus_left": ("Muscles", "#fd7322", "181674001"),
    "gluteus_maximus_right": ("Muscles", "#bb551a", "181674001"),
    "gluteus_medius_left": ("Muscles", "#ff7e2e", "78333006"),
    "gluteus_medius_right": ("Muscles", "#c45e22", "78333006"),
    "gluteus_minimus_left": ("Muscles", "#ff8a39", "75297007"),
    "gluteus_minimus_right": ("Muscles", "#cc662a", "75297007"),
    "autochthon_left": ("Muscles", "#f17e39", "244849004"),
    "autochthon_right": ("Muscles", "#b25e2a", "244849004"),
    "iliopsoas_left": ("Muscles", "#e6732e", "68455001"),
    "iliopsoas_right": ("Muscles", "#aa5522", "68455001"),
    "quadriceps_femoris_left": ("Muscles", "#e0504f", "21989003"),
    "quadriceps_femoris_right": ("Muscles", "#a63a39", "21989003"),
    "thigh_medial_compartment_left": ("Muscles", "#e8925f", "1179657002"),
    "thigh_medial_compartment_right": ("Muscles", "#ad6a42", "1179657002"),
    "thigh_posterior_compartment_left": ("Muscles", "#d98880", "128511007"),
    "thigh_posterior_compartment_right": ("Muscles", "#a1605a", "128511007"),
    "sartorius_left": ("Muscles", "#f2b38c", "12595009"),
    "sartorius_right": ("Muscles", "#b8805f", "12595009"),
    "brain": ("Spine and nerves", "#d83695", "12738006"),
    # Added by versions 2 and 3 of the MRI data set.
    "scapula_left": ("Bones", "#5f9ea0", "79601000"),
    "scapula_right": ("Bones", "#437072", "79601000"),
    "clavicula_left": ("Bones", "#8fbc8f", "51299004"),
    "clavicula_right": ("Bones", "#658566", "51299004"),
}

PUBLISHED: tuple[str, ...] = tuple(name for name in _KNOWN if not name.startswith(("scapula", "clavicula")))
"""The 56 structures of version 1 of the MRI data set, in the order of its published label table."""

_ORDER = {name: position for position, name in enumerate(_KNOWN)}


@cache
def structure(name: str) -> Structure:
    """Return what is known of a structure; any name is accepted.

    Parameters
    ----------
    name
        A structure's name as the data set spells it.
    """
    side = next((side for side in ("left", "right") if name.endswith(f"_{side}")), "")
    stem = name.removesuffix(f"_{side}") if side else name
    group, color, snomed = _KNOWN.get(name) or ("Other", _color_of_unknown(stem, side), "")
    return Structure(name, stem.replace("_", " "), side, group, color, snomed)


def twin(name: str) -> str | None:
    """Return the same structure on the other side, or None for an unpaired one."""
    known = structure(name)
    if not known.side:
        return None
    other = "right" if known.side == "left" else "left"
    return name.removesuffix(known.side) + other


def in_order(names: Iterable[str]) -> list[str]:
    """Return distinct names by body system, then as published, unknown ones by name."""
    return sorted(
        set(names),
        key=lambda name: (GROUPS.index(structure(name).group), _ORDER.get(name, len(_ORDER)), name),
    )


def _color_of_unknown(stem: str, side: str) -> str:
    digest = blake2b(stem.encode(), digest_size=4).digest()
    hue = int.from_bytes(digest[:2], "big") / 65536
    lightness = 0.46 if side == "right" else 0.58
    red, green, blue = hls_to_rgb(hue, lightness, 0.45 + digest[2] / 255 * 0.3)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"

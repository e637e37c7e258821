"""What may be wrong with a data set: one vocabulary for everything that reads one.

Whoever comes across something odd makes a `Finding` of a known kind. How bad the kind is and what
to do about it stand here only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Severity = Literal["error", "warning", "note"]
"""``error``: data cannot be used. ``warning``: they can, with care. ``note``: worth knowing."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding.

    Attributes
    ----------
    severity
        How bad it is.
    advice
        What to do about it.
    """

    severity: Severity
    advice: str


_AGAIN = "Fetch the file again, and compare the archive's checksum with the published one."
_TABLE = "Correct the row in meta.csv."
_EXPORT = "Write the file again with the tool that made it."
_SEE = "Look at it in the viewer."

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # Files
        "unreadable": Kind("error", "See that the file is there and may be read."),
        "no_image": Kind("error", "Put the image into the case's folder, as mri.nii.gz or ct.nii.gz."),
        "truncated": Kind("error", _AGAIN),
        "gzip_damaged": Kind("error", _AGAIN),
        "not_nifti": Kind("error", _EXPORT),
        "header": Kind("error", _EXPORT),
        "too_long": Kind("error", _EXPORT),
        "affine": Kind("error", _EXPORT),
        "not_3d": Kind("error", "Split the file into one volume per case."),
        # Zips and servers
        "zip_member": Kind("warning", "Pack the archive again from the unpacked folder, with plain names."),
        "zip_damaged": Kind("error", _AGAIN),
        "changed": Kind("error", "Open the data set again."),
        "network": Kind("error", "Try again later, or fetch the data set once and give its path."),
        # Masks against their image
        "other_shape": Kind("error", "Resample the mask to the image with nearest-neighbour interpolation."),
        "other_grid": Kind("error", "Resample the mask to the image, or copy the image's affine into it."),
        "mask_values": Kind("warning", "Threshold the mask; until then every value above 0 is inside."),
        "not_measured": Kind("error", "Report it with the text of the message."),
        # meta.csv
        "no_meta": Kind("warning", "Put meta.csv beside the case folders."),
        "meta_unreadable": Kind("error", "Save meta.csv as UTF-8 text with one header row."),
        "meta_cells": Kind("warning", _TABLE),
        "meta_repeated": Kind("warning", _TABLE),
        "meta_number": Kind("warning", _TABLE),
        "meta_unit": Kind("note", "Compare with the scanner's protocol before times are used."),
        "case_without_row": Kind("warning", "Add a row for the case to meta.csv."),
        "row_without_case": Kind("warning", "Fetch the case, or remove its row from meta.csv."),
    }
)
"""Every kind there is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a data set that its user should know.

    Attributes
    ----------
    kind
        One of `KINDS`.
    what
        What is wrong, with the value.
    case, structure
        Where; empty where it concerns the whole data set or no structure.
    """

    kind: str
    what: str
    case: str = ""
    structure: str = ""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return KINDS[self.kind].severity

    @property
    def advice(self) -> str:
        """What to do about it."""
        return KINDS[self.kind].advice

"""What may be wrong with a data set: one vocabulary for everything that reads one.

Whoever comes across something odd makes a `Finding` of a known kind. How bad the kind is and what
to do about it stand here only.
"""

from collections.abc import Iterable, Mapping
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


WRITE_AGAIN = "Write the file again with the tool that made it."
"""What to do about a file that says what cannot be."""

_AGAIN = "Fetch the file again, and compare the archive's checksum with the published one."
_TABLE = "Correct the row in meta.csv."
_SEE = "Look at it in the viewer."

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # Files
        "unreadable": Kind("error", "See that the file is there and may be read."),
        "no_file": Kind("error", "Put the file in its place, or take it out."),
        "no_image": Kind("error", "Put the image into the case's folder, as mri.nii.gz or ct.nii.gz."),
        "two_images": Kind("warning", "Keep one of the two; it decides whose grid and intensities count."),
        "misnamed": Kind("warning", "Compress the file with gzip, and name it in lower case with .nii.gz."),
        "no_case": Kind("note", "Put the case's files into the folder, or take it out."),
        "truncated": Kind("error", _AGAIN),
        "gzip_damaged": Kind("error", _AGAIN),
        "not_nifti": Kind("error", WRITE_AGAIN),
        "header": Kind("error", WRITE_AGAIN),
        "too_long": Kind("error", WRITE_AGAIN),
        "affine": Kind("error", WRITE_AGAIN),
        "not_3d": Kind("error", "Split the file into one volume per case."),
        "not_numbers": Kind("error", "Convert the file to grey values, or to the magnitude."),
        "file_name": Kind("warning", "Give it a name in UTF-8; until then it is left out."),
        "unlisted": Kind("warning", "If it is a case, make the folder readable and open the data set again."),
        # Zips and servers
        "zip_member": Kind("warning", "Pack the archive again from the unpacked folder, with plain names."),
        "zip_damaged": Kind("error", _AGAIN),
        "changed": Kind("error", "Open the data set again."),
        "network": Kind("error", "Try again later, or fetch the data set once and give its path."),
        # What reading the files shows
        "trailing_bytes": Kind("warning", _AGAIN),
        "header_lies": Kind("warning", WRITE_AGAIN),
        "two_forms": Kind("warning", "Look where each tool puts the case, and remove the wrong form."),
        "no_form": Kind("warning", "Write the orientation of the scan into the header, as sform or qform."),
        "not_mm": Kind("warning", "Correct xyzt_units in the header, or the spacing."),
        "not_finite": Kind("warning", "See where the NaN or infinite voxels come from; they are left out."),
        "mask_type": Kind("note", "Nothing: it is read as it is. Whole numbers take less room."),
        "mask_scaled": Kind("note", "Nothing: the scaling is honoured. A mask needs none."),
        # Masks against their image
        "other_shape": Kind("error", "Resample the mask to the image with nearest-neighbour interpolation."),
        "other_grid": Kind("error", "Resample the mask to the image, or copy the image's affine into it."),
        "masks_unlike": Kind("error", "Mend the image first: it tells which of the masks lie on its grid."),
        "mask_values": Kind("warning", "Threshold the mask; until then every value above 0 is inside."),
        "not_measured": Kind("error", "Report it with the text of the message."),
        "worker_died": Kind("error", "Measure it where there is more memory; with enough, report it."),
        # meta.csv
        "no_meta": Kind("warning", "Put meta.csv beside the case folders."),
        "meta_too_large": Kind("warning", "Take out the rows and columns that do not describe cases."),
        "meta_quote": Kind("warning", "Close the quote in meta.csv, or take it out."),
        "meta_unreadable": Kind("error", "Save meta.csv as UTF-8 text with one header row."),
        "meta_cells": Kind("warning", _TABLE),
        "meta_repeated": Kind("warning", _TABLE),
        "meta_number": Kind("warning", _TABLE),
        "meta_unit": Kind("note", "Compare with the scanner's protocol before times are used."),
        "meta_mixed": Kind("warning", "Give all times of the row in milliseconds, or each with its unit."),
        "case_without_row": Kind("warning", "Add a row for the case to meta.csv."),
        "row_without_case": Kind("warning", "Fetch the case, or remove its row from meta.csv."),
        # Checks over the tables; thresholds are in explorer.checks
        "image_empty": Kind("error", "Write the image again from its source: there is nothing in it."),
        "image_constant": Kind("warning", "Write the image again from its source: it shows nothing."),
        "image_nonfinite": Kind(
            "warning", "They are left out of all measures; export the image without them."
        ),
        "image_repeated": Kind("warning", "Keep one of the cases, or put the right image in its place."),
        "left_right": Kind(
            "warning", _SEE + " Either the names or the image's left and right are exchanged."
        ),
        "mask_in_background": Kind("warning", _SEE + " The mask may belong to another image."),
        "mask_meets_background": Kind(
            "note", _SEE + " A mask over zeros is normal where the image was cropped."
        ),
        "overlap_large": Kind("warning", _SEE + " One of the two masks is probably wrong."),
        "overlaps_many": Kind("error", _SEE + " Masks of structures hardly overlap; these look like noise."),
        "overlap": Kind("note", "Volumes count shared voxels for both structures."),
        "stray": Kind("note", _SEE + " Small components shift bounding boxes; the largest may be enough."),
        "case_empty": Kind(
            "note", "Leave the case out of what needs structures; as a negative it is of use."
        ),
        "masks_missing": Kind(
            "warning", "Fetch the masks; an empty mask says that a structure is not there."
        ),
        "masks_extra": Kind("note", "See that the names are spelt as in the other cases."),
        "masks_vary": Kind("note", "Statistics of these structures rest on the cases that have a mask."),
        "ids_alike": Kind("warning", "Spell the id in meta.csv exactly as the folder; keep one of two."),
        "times_mixed": Kind("note", "Use the columns in milliseconds, and see times_given_in for each row."),
        "thickness_far": Kind(
            "warning", "See which is right before slice thickness is used; volumes follow the header."
        ),
        "thickness": Kind(
            "note", "Slices have gaps or overlap, or were interpolated; volumes follow the header."
        ),
        "oblique": Kind("note", "Positions in mm follow the affine; other tools may ignore the angle."),
        "sheared": Kind("note", "Volumes follow the affine's determinant; ITK may refuse such an affine."),
        "few_slices": Kind("note", "Expect nearly every structure to be cut off."),
        "spacing_odd": Kind("warning", "See whether the header is in mm; volumes follow it."),
        "published_part": Kind("note", "Fetch the rest if the data set should be whole."),
        "published_cases": Kind("warning", "Fetch the data set again and compare the archive's checksum."),
        "published_figures": Kind("note", "List them with `explorer check DATASET --published`."),
    }
)
"""Every kind there is."""

OUTAGES = frozenset({"network", "changed"})
"""Kinds that are of the place where the files lie, and so of every case to come."""

PASSING = OUTAGES | {"unreadable", "not_measured", "worker_died"}
"""Kinds that the next try may be without, though no file has changed."""


def shown(text: str, most: int = 60) -> str:
    """Return a text of unknown origin for a message: quoted, control characters escaped, cut."""
    return repr(text if len(text) <= most else f"{text[: most - 3]}...")


def printable(text: str) -> str:
    """Return a text that cannot steer a terminal: control, format and private characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def listed(texts: Iterable[str], separator: str = ", ", most: int = 5) -> str:
    """Return the first few texts and how many more there are."""
    every = list(texts)
    more = f"{separator}and {len(every) - most:,} more" if len(every) > most else ""
    return separator.join(every[:most]) + more


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

"""How the files of a case are named, and what to tell of those that are named otherwise."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal

from explorer.entry import Entry
from explorer.findings import Finding, listed, shown

IMAGES: Mapping[str, Literal["mri", "ct"]] = MappingProxyType({"mri.nii.gz": "mri", "ct.nii.gz": "ct"})
"""Names of images and what they hold."""

MASKS = "segmentations"
"""Folder of the masks within a case."""

SUFFIX = ".nii.gz"
"""Of every image and mask."""

_STEMS = tuple(name.removesuffix(SUFFIX) for name in IMAGES)


def is_mask(entry: Entry) -> bool:
    """Whether something in a folder of masks is one."""
    return not (entry.is_dir or entry.odd) and entry.name.endswith(SUFFIX) and entry.name[0] != "."


def is_nifti(entry: Entry) -> bool:
    """Whether something is a NIfTI file by a name of whatever spelling."""
    return not entry.is_dir and entry.name.lower().endswith((".nii", SUFFIX))


def image_findings(entries: Iterable[Entry], folder: str, case: str) -> Iterator[Finding]:
    """Find an image that is missing, that is not the only one, or that is named otherwise.

    Parameters
    ----------
    entries
        Of the case's folder.
    folder
        Its path, for messages.
    case
        Whose folder it is.
    """
    names = [entry.name for entry in entries if is_nifti(entry)]
    images = [name for name in names if name in IMAGES]
    others = [
        name for name in names if name not in IMAGES and name.lower().removesuffix(".gz")[:-4] in _STEMS
    ]
    if not images:
        found = f" There is {listed(map(shown, others))}." if others else ""
        yield Finding("no_image", f"No image: expected {' or '.join(IMAGES)} in {folder}.{found}", case)
    elif others:
        yield Finding(
            "misnamed", f"Left out, as it is not named {images[0]}: {listed(map(shown, others))}.", case
        )
    if len(images) > 1:
        what = f"There are {' and '.join(images)} in {folder}; {images[0]} was taken."
        yield Finding("two_images", what, case)


def mask_findings(entries: Iterable[Entry], case: str) -> Iterator[Finding]:
    """Find files among the masks of a case that are left out for their names."""
    others = [e.name for e in entries if is_nifti(e) and not (is_mask(e) or e.odd) and e.name[0] != "."]
    if others:
        what = f"Left out, as masks are named <structure>{SUFFIX}: {listed(map(shown, others))}."
        yield Finding("misnamed", what, case)


def folder_findings(names: Iterable[str]) -> Iterator[Finding]:
    """Find folders beside the cases that hold neither an image nor masks."""
    others = list(names)
    if others:
        what = f"Folders with neither {' nor '.join(IMAGES)} nor {MASKS}: {listed(map(shown, others))}."
        yield Finding("no_case", what)

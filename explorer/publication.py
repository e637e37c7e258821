"""Which published data set this is, and whether its figures are those of the publication.

Versions are known by structure names, modality and number of cases, never by a folder's name. The
names, and the figures where any are published, are in ``published.csv``, as printed: label table,
resolution table and number of slices of version 1 of the MRI data set
(https://doi.org/10.5281/zenodo.11367005, https://arxiv.org/abs/2405.19492).
"""

import csv
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd

from explorer.cohort import Cohort
from explorer.errors import UnknownName

SIMILAR = 0.9
"""Names in common over names in either, from which on a data set is taken for a version."""


@dataclass(frozen=True)
class Version:
    """A published data set.

    Attributes
    ----------
    key
        Such as ``"mri-v1"``.
    title
        Words for people.
    modality
        ``"mri"`` or ``"ct"``.
    cases
        How many it has.
    doi
        Of its record.
    names_of
        Key under which its structures stand in ``published.csv``.
    """

    key: str
    title: str
    modality: str
    cases: int
    doi: str
    names_of: str

    @property
    def names(self) -> tuple[str, ...]:
        """Its structures in the order of its table."""
        return tuple(dict.fromkeys(row for (table, row, _) in _printed(self.names_of) if table == "labels"))


VERSIONS: Mapping[str, Version] = MappingProxyType(
    {
        version.key: version
        for version in (
            Version("mri-v1", "TotalSegmentator MRI v1", "mri", 298, "10.5281/zenodo.11367005", "mri-v1"),
            Version("mri-v2", "TotalSegmentator MRI v2", "mri", 616, "10.5281/zenodo.14710732", "mri-v2"),
            Version("mri-v3", "TotalSegmentator MRI v3", "mri", 1296, "10.5281/zenodo.22688334", "mri-v2"),
            Version("ct-v2", "TotalSegmentator CT v2", "ct", 1228, "10.5281/zenodo.10047292", "ct-v2"),
        )
    }
)
"""Every published data set that is known, by key; those with the same names by growing size."""

_SLIPS = {
    ("labels", "adrenal_gland_left", "percentage"): (
        34.90,
        "printed 35.26 %, a slip: 104 of 298 cases are 34.90 %",
    )
}
"""Figures that are misprinted in version 1: what they should be, and why."""


@dataclass(frozen=True)
class Recognition:
    """Which published data set a data set is.

    Attributes
    ----------
    version
        None for a data set of one's own.
    sure
        ``"certain"``: names, modality and number of cases are the version's. ``"likely"``: names
        and modality are, or all of it is there with names beside its own. ``"possible"``: other
        versions fit as well, or names differ.
    why
        What speaks for it.
    """

    version: Version | None
    sure: Literal["certain", "likely", "possible"]
    why: str


def recognise(structures: Iterable[str], modalities: Collection[str], cases: int) -> Recognition:
    """Find out which published data set this is.

    Parameters
    ----------
    structures
        Names of all structures that any case has a mask file for.
    modalities
        Of the cases: ``"mri"``, ``"ct"``.
    cases
        How many there are.
    """
    own = set(structures)
    if len(set(modalities)) != 1:
        what = "there are MR and CT images" if modalities else "there is no case"
        return Recognition(None, "certain", f"{what}, which no published version has")
    fitting = [version for version in VERSIONS.values() if version.modality in modalities]
    alike = {v.key: len(own & set(v.names)) / max(len(own | set(v.names)), 1) for v in fitting}
    best = max(alike.values(), default=0.0)
    near = [version for version in fitting if alike[version.key] == best]
    if best < SIMILAR:
        common = max((len(own & set(v.names)) for v in fitting), default=0)
        why = f"{len(own)} structures, of which {common} are in a published version"
        return Recognition(None, "certain" if best < 0.5 else "likely", why)
    # Of versions with the same names the smallest that holds so many cases.
    version = next((v for v in near if v.cases >= cases), near[-1])
    others = [v.title for v in near if v.cases >= cases and v is not version]
    missing, extra = set(version.names) - own, own - set(version.names)
    why = f"{cases:,} of {version.cases:,} cases"
    if cases > version.cases:
        why = f"{cases:,} cases where {version.cases:,} are published"
    if missing or (extra and cases != version.cases):
        names = f"{len(own & set(version.names))} of {len(version.names)} structures"
        return Recognition(version, "possible", f"{why}; {names}, and {len(extra)} others")
    why += f", all {len(version.names)} structures"
    if extra:  # a misspelt name, or one of one's own, makes no other data set of it
        return Recognition(version, "likely", f"{why}, and {len(extra)} others")
    if cases == version.cases:
        return Recognition(version, "certain", why)
    if others:
        return Recognition(version, "possible", f"{why}; {', '.join(others)} has the same names")
    return Recognition(version, "likely" if cases < version.cases else "possible", why)


def compare(cohort: Cohort, version: str | None) -> pd.DataFrame:
    """Reproduce the publication's tables beside the printed figures.

    Volumes are of every mask that is not empty, cut-off structures included, as the publication
    counts them; spacing and size are along the axes as stored.

    Parameters
    ----------
    cohort
        The whole data set.
    version
        Key of `VERSIONS`; None for a data set of one's own, which has no printed figures.

    Returns
    -------
    pandas.DataFrame
        ``table`` (``labels``, ``resolution``, ``slices``), ``row``, ``quantity`` (ending in its
        unit), ``found``, ``published`` (NaN where nothing is), ``difference`` (found minus
        published), ``same`` (to the digits printed, misprints corrected; None where nothing is
        published) and ``remark``.

    Raises
    ------
    UnknownName
        There is no such version.
    """
    if version is not None and version not in VERSIONS:
        raise UnknownName("version", version, VERSIONS)
    printed = _printed(version) if version else {}
    found = _found(cohort)
    names = [
        *(VERSIONS[version].names if version else ()),
        *(row for table, row, _ in found if table == "labels"),
    ]
    order = [("labels", name, quantity) for name in dict.fromkeys(names) for quantity in _LABELS]
    order += [key for key in found if key[0] != "labels"]
    return pd.DataFrame([_row(key, found.get(key), printed.get(key, "")) for key in order], columns=_COLUMNS)


_LABELS = ("cases", "percentage", "max_ml", "median_ml")

_COLUMNS = ["table", "row", "quantity", "found", "published", "difference", "same", "remark"]

_Key = tuple[str, str, str]


def _found(cohort: Cohort) -> dict[_Key, float]:
    found: dict[_Key, float] = {}
    for row in cohort.label_table(complete_only=False).to_dict("records"):
        for quantity in _LABELS:
            found["labels", str(row["structure"]), quantity] = float(row[quantity])
    resolution = cohort.resolution_table()
    for statistic in resolution.index:
        for quantity in resolution.columns:
            found["resolution", str(statistic), str(quantity)] = float(resolution.loc[statistic, quantity])
    found["slices", "all", "slices"] = float(cohort.slices())
    return found


def _row(key: _Key, found: float | None, printed: str) -> tuple[object, ...]:
    absent = {"cases": 0.0, "percentage": 0.0}
    value = absent.get(key[2], np.nan) if found is None else found
    if not printed:
        return (*key, value, np.nan, np.nan, None, "")
    right, remark = _SLIPS.get(key, (float(printed), ""))
    # The label table prints two decimals and drops zeros at the end of a volume.
    decimals = 2 if key[0] == "labels" else len(printed.partition(".")[2])
    same = abs(value - right) <= 0.5 * 10.0**-decimals + 1e-9
    return (*key, value, float(printed), value - float(printed), bool(same), remark)


@cache
def _printed(version: str) -> Mapping[_Key, str]:
    """Return the printed figures of a version; empty texts where only the name is known."""
    text = files("explorer").joinpath("published.csv").read_text("utf-8")
    return MappingProxyType(
        {
            (row["table"], row["row"], row["quantity"]): row["figure"]
            for row in csv.DictReader(text.splitlines())
            if row["version"] == version
        }
    )

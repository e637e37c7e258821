"""Find the cases of a data set and read its ``meta.csv``; no image is opened here.

A data set is known by its shape, not by its name: a folder of case folders, each with an image
``mri.nii.gz`` or ``ct.nii.gz`` and masks ``segmentations/<structure>.nii.gz``.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from explorer import layout
from explorer.case import REFERENCE, Case, MaskSet, join, odd_name
from explorer.delimited import MAX_BYTES
from explorer.errors import DatasetError, UnknownName, VolumeError
from explorer.files import Entry, Files, open_files
from explorer.findings import OUTAGES, Finding, shown
from explorer.layout import IMAGES, MASKS, SUFFIX

if TYPE_CHECKING:
    import pandas as pd

_DEPTH = 2
_MAX_NAME = 200
_NO_CASE = "lost+found"  # of a Linux disk; only root may list it


@dataclass(frozen=True)
class Dataset:
    """A root with ``meta.csv`` and one folder per case.

    Attributes
    ----------
    name
        Name of its folder or zip.
    location
        As the user gave it.
    root
        Path of the root within `files`.
    cases
        By id, in order.
    meta
        One row per case, indexed by case: numbers as numbers, units in the names, spellings
        folded. Cases without a row have only missing values.
    raw_meta
        The rows of ``meta.csv`` as the text in the file, rows without a case included.
    problems
        What was noticed on the way; nothing is dropped in silence.
    mask_sets
        Names of the sets of masks: ``"reference"``, and those added by `with_mask_set`.
    """

    name: str
    location: str
    root: str
    cases: Mapping[str, Case]
    meta: "pd.DataFrame" = field(repr=False)
    raw_meta: "pd.DataFrame" = field(repr=False)
    problems: tuple[Finding, ...] = field(repr=False)
    files: Files = field(repr=False)
    mask_sets: tuple[str, ...] = (REFERENCE,)

    def __len__(self) -> int:
        return len(self.cases)

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases.values())

    def __getitem__(self, case: str) -> Case:
        try:
            return self.cases[case]
        except KeyError:
            raise UnknownName("case", case, self.cases) from None

    def with_mask_set(self, name: str, path_or_url: str | os.PathLike[str]) -> "Dataset":
        """Return this data set with one more set of masks of its cases, such as a prediction.

        Parameters
        ----------
        name
            What to call it.
        path_or_url
            Folder, zip or URL, or a folder at most two levels above it, with
            ``<case>/segmentations/<structure>.nii.gz`` or ``<case>/<structure>.nii.gz``. It need
            not have all cases.

        Raises
        ------
        DatasetError
            There is nothing there, none of the cases has a folder in it, or the name is taken.
        """
        if not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
            raise DatasetError(f"A mask set needs a name of 1 to {_MAX_NAME} characters; got {name!r:.100}.")
        if name in self.mask_sets:
            raise DatasetError(f"There is a mask set {name!r} already.")
        files = open_files(path_or_url)
        added = MaskSet(name, files, _find_cases(files, self.cases))
        cases = {case.id: replace(case, others=(*case.others, added)) for case in self}
        return replace(self, cases=MappingProxyType(cases), mask_sets=(*self.mask_sets, name))

    def check(self, store: str | os.PathLike[str] | None = None, progress: bool = True) -> "pd.DataFrame":
        """Find out whether the data set can be trusted, in one pass over its voxels.

        Parameters
        ----------
        store
            Folder of the index, by default `explorer.store.default_store`; one that is there is
            used again, and only cases that are new or changed are read.
        progress
            Whether to show a progress bar.

        Returns
        -------
        pandas.DataFrame
            ``severity`` (error, warning, note), ``case``, ``structure`` (both empty where it is
            about all or several), ``kind``, ``what``, ``advice``; worst first.

        Raises
        ------
        StoreError
            The store cannot be written, or holds the index of another data set.
        """
        from explorer.checks import check_dataset

        return check_dataset(self, store, progress)


def open_dataset(path_or_url: str | os.PathLike[str]) -> Dataset:
    """Open a data set without reading any image.

    Parameters
    ----------
    path_or_url
        Its folder or zip, or a folder at most two levels above it.

    Returns
    -------
    Dataset
        With every case that has an image or a folder of masks, whatever else is wrong with it.

    Raises
    ------
    DatasetError
        There is nothing there, or nothing in it has the shape of a case.
    """
    files = open_files(path_or_url)
    root = _find_root(files)
    problems: list[Finding] = list(files.findings())
    cases: dict[str, Case] = {}
    top = files.ls(root)
    others = []
    for entry in top:
        if entry.odd:
            problems.append(odd_name(entry, root))
        if not entry.is_dir or _is_hidden(entry.name) or entry.name == _NO_CASE:
            continue
        entries = _listed(files, join(root, entry.name))
        if isinstance(entries, DatasetError):
            problems.append(Finding("unlisted", f"{entries} The folder is left out.", entry.name))
            continue
        case = _case(files, join(root, entry.name), entry.name, entries, problems)
        if case is None:
            others.append(entry.name)
        else:
            cases[case.id] = case
    problems += layout.folder_findings(others)
    meta, raw = _metadata(files, root, top, cases, problems)
    name = root.rpartition("/")[2] or files.name
    return Dataset(name, files.location, root, MappingProxyType(cases), meta, raw, tuple(problems), files)


def _find_root(files: Files) -> str:
    files.ls()  # raises where not even this can be listed
    folders = [""]
    for depth in range(_DEPTH + 1):
        found, below = [], []
        for folder in folders:
            paths = [join(folder, name) for name in _folders(files, folder) if not _is_hidden(name)]
            if any(_is_case(files, path) for path in paths):
                found.append(folder)
            elif depth == 0 and _is_case(files, folder):
                raise DatasetError(
                    f"{files.location!r} is one case, not a data set: give the folder above it."
                )
            below += paths
        if len(found) > 1:
            raise DatasetError(
                f"{files.location!r} holds {len(found)} data sets: give one of them, such as {found[0]!r}."
            )
        if found:
            return found[0]
        folders = below[:1000]
    raise DatasetError(
        f"No data set at {files.location!r}: looked {_DEPTH} levels down for case folders that hold "
        f"{' or '.join(IMAGES)} and {MASKS}/<structure>{SUFFIX}. Give the folder or zip with the cases."
    )


def _find_cases(files: Files, cases: Mapping[str, Case]) -> str:
    """Return the shallowest folder that holds a folder of one of the cases."""
    files.ls()  # raises where not even this can be listed
    folders = [""]
    for _ in range(_DEPTH + 1):
        below = []
        for folder in folders:
            names = _folders(files, folder)
            if any(name in cases for name in names):
                return folder
            below += [join(folder, name) for name in names if not _is_hidden(name)]
        folders = below[:1000]
    first = next(iter(cases), "<case>")
    raise DatasetError(
        f"No masks of these {len(cases)} cases at {files.location!r}: looked {_DEPTH} levels down for "
        f"folders named like cases: {first}/{MASKS}/<structure>{SUFFIX} or {first}/<structure>{SUFFIX}."
    )


def _listed(files: Files, folder: str) -> list[Entry] | DatasetError:
    """Return what is in a folder, or why this one cannot be listed."""
    try:
        return files.ls(folder)
    except DatasetError as error:
        if error.kind in OUTAGES:
            raise
        return error


def _folders(files: Files, folder: str) -> list[str]:
    """Return the names of the folders in a folder; none where it cannot be listed."""
    entries = _listed(files, folder)
    return [] if isinstance(entries, DatasetError) else [e.name for e in entries if e.is_dir]


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _is_case(files: Files, folder: str) -> bool:
    entries = _listed(files, folder)
    if isinstance(entries, DatasetError):
        return False
    return any(e.name == MASKS if e.is_dir else e.name in IMAGES for e in entries)


def _case(files: Files, folder: str, name: str, entries: list[Entry], problems: list[Finding]) -> Case | None:
    image = next((e.name for e in entries if not e.is_dir and e.name in IMAGES), "")
    if not image and not any(e.is_dir and e.name == MASKS for e in entries):
        return None
    problems += layout.image_findings(entries, folder, name)
    return Case(name, folder, join(folder, image) if image else "", IMAGES.get(image, "mri"), files)


def _metadata(
    files: Files, root: str, top: list[Entry], cases: dict[str, Case], problems: list[Finding]
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    # Here, since workers read cases and need no tables.
    import pandas as pd

    from explorer.metadata import read_table

    index = pd.Index(list(cases), name="case", dtype=str)
    nothing = pd.DataFrame(index=index)
    entry = next((e for e in top if e.name == "meta.csv" and not e.is_dir), None)
    if entry is None:
        what = f"No meta.csv in {root or files.location}: cases are shown without metadata."
        problems.append(Finding("no_meta", what))
        return nothing, nothing
    if entry.size > MAX_BYTES:  # not even read
        what = f"meta.csv has {entry.size:,} bytes; more than {MAX_BYTES:,} is not a table of cases."
        problems.append(Finding("meta_unreadable", f"{what} Cases are shown without metadata."))
        return nothing, nothing
    try:
        table = read_table(files.read(join(root, "meta.csv")))
    except (DatasetError, VolumeError) as error:
        problems.append(Finding("meta_unreadable", f"{error} Cases are shown without metadata."))
        return nothing, nothing
    problems += table.notes
    rows = set(table.raw.index)
    problems += [
        Finding("case_without_row", "The case has no row in meta.csv.", c) for c in cases if c not in rows
    ]
    problems += [
        Finding("row_without_case", f"meta.csv has a row {shown(row)} but there is no such case.", row)
        for row in map(str, table.raw.index)
        if row not in cases
    ]
    return table.typed.reindex(index), table.raw

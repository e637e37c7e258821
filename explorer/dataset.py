"""Find the cases of a data set and read its ``meta.csv``; no image is opened here.

A data set is known by its shape, not by its name: a folder of case folders, each with an image
``mri.nii.gz`` or ``ct.nii.gz`` and masks ``segmentations/<structure>.nii.gz``.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from explorer import layout
from explorer.delimited import MAX_BYTES
from explorer.errors import DatasetError, UnknownName, VolumeError
from explorer.files import Entry, Files, open_files
from explorer.findings import Finding, shown
from explorer.layout import IMAGES, MASKS, SUFFIX, is_mask, is_nifti

if TYPE_CHECKING:
    import pandas as pd

REFERENCE = "reference"
"""Name of the mask set that a data set comes with."""

_DEPTH = 2
_MAX_NAME = 200


@dataclass(frozen=True)
class MaskSet:
    """Where other masks of the same cases lie, such as those of a model.

    Attributes
    ----------
    name
        What it is called.
    files
        The place.
    root
        Folder of the case folders within it. A case's masks are in its folder ``segmentations``,
        or, where there is none, beside each other in the case's folder.
    """

    name: str
    files: Files = field(repr=False)
    root: str

    def folder(self, case: str) -> str:
        """Return where masks of a case are looked for."""
        return _join(self.root, case)

    def masks(self, case: str) -> tuple[tuple[str, Entry], ...]:
        """Return path and entry of each mask of a case; raises `DatasetError`."""
        folder = self.folder(case)
        entries = self.files.ls(folder)
        if any(e.is_dir and e.name == MASKS for e in entries):
            folder = f"{folder}/{MASKS}"
            entries = self.files.ls(folder)
        return tuple((f"{folder}/{e.name}", e) for e in entries if is_mask(e) and e.name not in IMAGES)


@dataclass(frozen=True)
class Case:
    """One scan: an image and its masks.

    Attributes
    ----------
    id
        Name of its folder, such as ``"s0001"``.
    folder
        Path within `files`.
    image
        Path of the image, or ``""`` where there is none.
    modality
        ``"mri"`` or ``"ct"``.
    others
        Mask sets beside that of the data set itself.
    """

    id: str
    folder: str
    image: str
    modality: Literal["mri", "ct"]
    files: Files = field(repr=False)
    others: tuple[MaskSet, ...] = field(default=(), repr=False)

    @cached_property
    def _entries(self) -> tuple[Entry, ...]:
        return tuple(e for e in self.files.ls(f"{self.folder}/{MASKS}") if is_nifti(e))

    def masks(self, mask_set: str = REFERENCE) -> dict[str, str]:
        """Return the path of each structure's mask, by structure.

        Parameters
        ----------
        mask_set
            Whose masks. A set that has none of this case gives none.

        Raises
        ------
        UnknownName
            There is no such mask set.
        """
        return {entry.name.removesuffix(SUFFIX): path for path, entry in self._masks(mask_set)}

    def mask_bytes(self, mask_set: str = REFERENCE) -> dict[str, int]:
        """Return the bytes on disk of each structure's mask: the larger, the more there is in it."""
        return {entry.name.removesuffix(SUFFIX): entry.size for _, entry in self._masks(mask_set)}

    def mask_stamps(self, mask_set: str = REFERENCE) -> dict[str, str]:
        """Return a text for each structure's mask that changes when its file does."""
        return {e.name.removesuffix(SUFFIX): f"{e.size} {e.stamp}" for _, e in self._masks(mask_set)}

    def masks_folder(self, mask_set: str = REFERENCE) -> str:
        """Return where masks of a set are looked for, for messages."""
        if mask_set == REFERENCE:
            return f"{self.folder}/{MASKS} in {self.files.location}"
        other = self._other(mask_set)
        return f"{other.folder(self.id)} in {other.files.location}"

    def _masks(self, mask_set: str) -> tuple[tuple[str, Entry], ...]:
        if mask_set != REFERENCE:
            return self._other(mask_set).masks(self.id)
        folder = f"{self.folder}/{MASKS}"
        return tuple((f"{folder}/{e.name}", e) for e in self._entries if is_mask(e))

    def _other(self, mask_set: str) -> MaskSet:
        for other in self.others:
            if other.name == mask_set:
                return other
        raise UnknownName("mask set", mask_set, (REFERENCE, *(other.name for other in self.others)))

    def sizes(self) -> tuple[int, int]:
        """Return bytes on disk of the image and of all masks."""
        image = sum(e.size for e in self.files.ls(self.folder) if f"{self.folder}/{e.name}" == self.image)
        return image, sum(entry.size for entry in self._entries if is_mask(entry))

    def left_out(self) -> tuple[Finding, ...]:
        """Return what is told of files among its masks that are left out."""
        return tuple(layout.mask_findings(self._entries, self.id))

    def signature(self) -> str:
        """Return a text that changes when a file of the case is added, removed or changed."""
        own = [e for e in self.files.ls(self.folder) if not e.is_dir and e.name in IMAGES]
        told = "".join(f"{name}\0{size}\0{stamp}\n" for name, _, size, stamp in (*own, *self._entries))
        return blake2b(told.encode(), digest_size=12).hexdigest()

    def read(self, path: str, mask_set: str = REFERENCE) -> bytes:
        """Return the bytes of one of its files, or of a mask of another set; raises `VolumeError`."""
        return (self.files if mask_set == REFERENCE else self._other(mask_set).files).read(path)


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
        if not entry.is_dir or entry.name.startswith((".", "__MACOSX")):
            continue
        case = _case(files, _join(root, entry.name), entry.name, problems)
        if case is None:
            others.append(entry.name)
        else:
            cases[case.id] = case
    problems += layout.folder_findings(others)
    meta, raw = _metadata(files, root, top, cases, problems)
    name = root.rpartition("/")[2] or files.name
    return Dataset(name, files.location, root, MappingProxyType(cases), meta, raw, tuple(problems), files)


def _find_root(files: Files) -> str:
    folders = [""]
    for depth in range(_DEPTH + 1):
        found, below = [], []
        for folder in folders:
            children = [
                e.name for e in files.ls(folder) if e.is_dir and not e.name.startswith((".", "__MACOSX"))
            ]
            paths = [_join(folder, name) for name in children]
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
    folders = [""]
    for _ in range(_DEPTH + 1):
        below = []
        for folder in folders:
            names = [e.name for e in files.ls(folder) if e.is_dir]
            if any(name in cases for name in names):
                return folder
            below += [_join(folder, name) for name in names if not name.startswith((".", "__MACOSX"))]
        folders = below[:1000]
    first = next(iter(cases), "<case>")
    raise DatasetError(
        f"No masks of these {len(cases)} cases at {files.location!r}: looked {_DEPTH} levels down for "
        f"folders named like cases: {first}/{MASKS}/<structure>{SUFFIX} or {first}/<structure>{SUFFIX}."
    )


def _is_case(files: Files, folder: str) -> bool:
    return any(e.name == MASKS if e.is_dir else e.name in IMAGES for e in files.ls(folder))


def _case(files: Files, folder: str, name: str, problems: list[Finding]) -> Case | None:
    entries = files.ls(folder)
    image = next((e.name for e in entries if not e.is_dir and e.name in IMAGES), "")
    if not image and not any(e.is_dir and e.name == MASKS for e in entries):
        return None
    problems += layout.image_findings(entries, folder, name)
    return Case(name, folder, _join(folder, image) if image else "", IMAGES.get(image, "mri"), files)


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
        table = read_table(files.read(_join(root, "meta.csv")))
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


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name

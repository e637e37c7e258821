"""A case's files: where its image and its masks lie, and whether they have changed."""

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Literal

from explorer.errors import UnknownName
from explorer.files import Entry, Files
from explorer.findings import Finding
from explorer.layout import IMAGES, MASKS, SUFFIX, is_mask, is_nifti, mask_findings

REFERENCE = "reference"
"""Name of the mask set that a data set comes with."""


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
        return join(self.root, case)

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

    def findings(self) -> tuple[Finding, ...]:
        """Return which files among its masks are left out, and why."""
        folder = f"{self.folder}/{MASKS}"
        odd = (odd_name(entry, folder, self.id) for entry in self._entries if entry.odd)
        return (*odd, *mask_findings(self._entries, self.id))

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

    def signature(self) -> str:
        """Return a text that changes when a file of the case is added, removed or changed."""
        own = [e for e in self.files.ls(self.folder) if not e.is_dir and e.name in IMAGES]
        told = "".join(f"{name}\0{size}\0{stamp}\n" for name, _, size, stamp, _ in (*own, *self._entries))
        return blake2b(told.encode(), digest_size=12).hexdigest()

    def read(self, path: str, mask_set: str = REFERENCE) -> bytes:
        """Return the bytes of one of its files, or of a mask of another set; raises `VolumeError`."""
        return (self.files if mask_set == REFERENCE else self._other(mask_set).files).read(path)


def odd_name(entry: Entry, folder: str, case: str = "") -> Finding:
    """Return what is to be said of a name that is not UTF-8."""
    return Finding("file_name", f"The name of {join(folder, entry.name)!r} is not UTF-8: left out.", case)


def join(folder: str, name: str) -> str:
    """Return the path of a name in a folder, which may be the root."""
    return f"{folder}/{name}" if folder else name

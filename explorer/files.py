"""Listing and reading what lies under a data set's path: a folder, a zip or a URL.

Paths are relative to the place that was opened, with ``/`` between names. Nothing is unpacked
and nothing is written. A zip's directory is read once, since fsspec searches all of it on every
listing.
"""

import os
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.zip import ZipFileSystem

from explorer.errors import DatasetError, VolumeError


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder.

    Attributes
    ----------
    name
        Without its folder.
    is_dir
        Whether it is a folder.
    size
        Bytes; 0 for a folder.
    stamp
        Changes when the content does: modification time, or the CRC in a zip.
    """

    name: str
    is_dir: bool
    size: int
    stamp: str


@dataclass(frozen=True)
class Files:
    """Read-only access to one place.

    Attributes
    ----------
    location
        As the user gave it, for messages.
    fs
        The file system; it pickles, so that worker processes can read too.
    base
        Path of the place within `fs`.
    """

    location: str
    fs: Any
    base: str

    @property
    def is_local(self) -> bool:
        """Whether the place is a folder of this machine."""
        return isinstance(self.fs, LocalFileSystem)

    @property
    def name(self) -> str:
        """Last part of the location, without ``.zip``."""
        name = PurePosixPath(self.location.replace("\\", "/").rstrip("/")).name
        return name.removesuffix(".zip") or "dataset"

    def ls(self, folder: str = "") -> list[Entry]:
        """Return the entries of a folder by name; none when there is no such folder.

        Raises
        ------
        DatasetError
            The folder may not be read.
        """
        if isinstance(self.fs, ZipFileSystem):
            return self._zip_tree.get(folder, [])
        try:
            if self.is_local:
                return self._scan(folder)
            found = self.fs.ls(self._full(folder), detail=True)
        except FileNotFoundError:
            return []
        except (NotADirectoryError, PermissionError) as error:
            raise DatasetError(f"Cannot list {self._full(folder)!r}: {error}.") from error
        entries = [
            Entry(
                PurePosixPath(item["name"]).name,
                item["type"] == "directory",
                int(item.get("size") or 0),
                str(item.get("mtime") or item.get("LastModified") or item.get("ETag") or ""),
            )
            for item in found
        ]
        return sorted(entries, key=lambda entry: entry.name)

    def read(self, path: str) -> bytes:
        """Return a file's bytes.

        Raises
        ------
        VolumeError
            The file is not there or does not read to its end.
        """
        full = self._full(path)
        try:
            if self.is_local:
                return Path(full).read_bytes()
            return bytes(self.fs.cat_file(full))
        except FileNotFoundError as error:
            raise VolumeError(f"No file {path!r} in {self.location}.") from error
        except (OSError, zipfile.BadZipFile, EOFError) as error:
            raise VolumeError(f"Cannot read {path!r} in {self.location}: {error}.") from error

    def _full(self, path: str) -> str:
        return "/".join(part for part in (self.base, path) if part)

    def _scan(self, folder: str) -> list[Entry]:
        entries = []
        with os.scandir(self._full(folder)) as found:
            for item in found:
                try:
                    info = item.stat()
                    is_dir = item.is_dir()
                except OSError:  # a dangling link
                    continue
                entries.append(
                    Entry(
                        item.name,
                        is_dir,
                        0 if is_dir else info.st_size,
                        "" if is_dir else str(info.st_mtime_ns),
                    )
                )
        return sorted(entries, key=lambda entry: entry.name)

    @cached_property
    def _zip_tree(self) -> dict[str, list[Entry]]:
        tree: dict[str, dict[str, Entry]] = {"": {}}
        for info in self.fs.zip.infolist():
            parts = info.filename.rstrip("/").split("/")
            if info.filename.startswith("/") or ".." in parts:
                continue
            for depth in range(1, len(parts) + (1 if info.is_dir() else 0)):
                tree.setdefault("/".join(parts[:depth]), {})
                tree["/".join(parts[: depth - 1])].setdefault(
                    parts[depth - 1], Entry(parts[depth - 1], True, 0, "")
                )
            if not info.is_dir():
                entry = Entry(parts[-1], False, info.file_size, f"{info.CRC:08x}")
                tree["/".join(parts[:-1])][parts[-1]] = entry
        return {folder: sorted(names.values(), key=lambda e: e.name) for folder, names in tree.items()}

    def __getstate__(self) -> dict[str, Any]:
        return {"location": self.location, "fs": self.fs, "base": self.base}


def open_files(path: str | os.PathLike[str]) -> Files:
    """Open a folder, a zip, or any URL that fsspec understands; zips are not unpacked.

    Parameters
    ----------
    path
        ``/data/set``, ``set.zip``, ``https://host/set.zip``, ``s3://bucket/set``.

    Raises
    ------
    DatasetError
        There is nothing at the path, or it is neither a folder nor a zip.
    """
    location = os.fspath(path)
    if "://" not in location and "::" not in location:
        return _open_local(location)
    url = location
    if location.lower().partition("?")[0].endswith(".zip") and not location.startswith("zip::"):
        url = f"zip::{location}"
    try:
        fs, base = fsspec.url_to_fs(url)
        return Files(location, fs, base.rstrip("/"))
    except ImportError as error:
        raise DatasetError(f"Cannot open {location!r}: {error}") from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DatasetError(f"Cannot open {location!r}: {error}.") from error


def _open_local(location: str) -> Files:
    path = Path(location).expanduser()
    if path.is_dir():
        return Files(location, LocalFileSystem(), str(path.resolve()))
    if not path.exists():
        raise DatasetError(
            f"There is nothing at {location!r} (looked at {path.resolve()}). "
            "Give the folder or zip of a data set."
        )
    if not zipfile.is_zipfile(path):
        raise DatasetError(
            f"{location!r} is neither a folder nor a whole zip file ({path.stat().st_size:,} bytes). "
            "If it is a download, it may be cut short: fetch it again."
        )
    try:
        return Files(location, ZipFileSystem(str(path.resolve())), "")
    except (OSError, zipfile.BadZipFile) as error:
        raise DatasetError(f"Cannot open the zip {location!r}: {error}.") from error

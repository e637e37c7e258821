"""Listing and reading what lies under a data set's path: a folder, a zip or a URL.

Paths are relative to the place that was opened, with ``/`` between names. Nothing is unpacked
and nothing is written beside it.
"""

import os
import re
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from stat import S_ISDIR, S_ISREG
from typing import Protocol
from urllib.parse import urlsplit

from explorer.archive import Archive, LocalFile
from explorer.entry import MAX_FILE_BYTES
from explorer.entry import Entry as Entry
from explorer.errors import DatasetError, VolumeError
from explorer.findings import Finding

_ZIP_URL = re.compile(r"zip(?:://(?P<inside>[^:]*))?::(?P<url>.+)", re.DOTALL)


class Place(Protocol):
    """Where files lie; it pickles small, so that worker processes can read too."""

    def ls(self, folder: str) -> list[Entry]:
        """Return the entries of a folder by name; none when there is no such folder."""

    def read(self, path: str) -> bytes:
        """Return a file's bytes."""


@dataclass(frozen=True)
class Folder:
    """A folder of this machine.

    Attributes
    ----------
    path
        Absolute.
    """

    path: str

    def ls(self, folder: str) -> list[Entry]:
        """Return the entries of a folder by name; none when there is no such folder."""
        entries = []
        try:
            found = os.scandir(self._full(folder))
        except FileNotFoundError:
            return []
        with found:
            for item in found:
                try:
                    info = item.stat()
                except OSError:  # a dangling link
                    continue
                if not item.name.isascii() and _is_odd(item.name):
                    shown = os.fsencode(item.name).decode("utf-8", "backslashreplace")
                    entries.append(Entry(shown, False, 0, "", odd=True))
                elif S_ISDIR(info.st_mode):
                    entries.append(Entry(item.name, True, 0, ""))
                else:
                    entries.append(Entry(item.name, False, info.st_size, str(info.st_mtime_ns)))
        return sorted(entries)  # names are unique

    def read(self, path: str) -> bytes:
        """Return a file's bytes; raises `OSError`, and `VolumeError` where it is no file or too large."""
        with FileIO(self._full(path), opener=_open) as file:  # without a buffer between, or a `Path`
            info = os.fstat(file.fileno())
            if not S_ISREG(info.st_mode):
                raise VolumeError(f"{path!r} is a pipe or a device, not a file.", "no_file")
            if info.st_size > MAX_FILE_BYTES:
                raise VolumeError(f"{path!r} has {info.st_size:,} bytes, more than is plausible.", "too_long")
            return file.readall()

    def _full(self, path: str) -> str:
        return "/".join(part for part in (self.path, path) if part)


@dataclass(frozen=True)
class Files:
    """Read-only access to one place.

    Attributes
    ----------
    location
        As the user gave it, without passwords; for messages.
    place
        What lists and reads.
    base
        Folder within the place that is taken for its root.
    """

    location: str
    place: Place
    base: str = ""

    @property
    def name(self) -> str:
        """Last part of the location, without ``.zip``."""
        text = self.location.rpartition("::")[2]
        path = urlsplit(text).path if "://" in text else text.replace("\\", "/")
        return PurePosixPath(path.rstrip("/")).name.removesuffix(".zip") or "dataset"

    def ls(self, folder: str = "") -> list[Entry]:
        """Return the entries of a folder by name; none when there is no such folder.

        Raises
        ------
        DatasetError
            The folder may not be read.
        """
        try:
            return self.place.ls(self._full(folder))
        except (OSError, VolumeError) as error:
            kind = error.kind if isinstance(error, VolumeError) else "unreadable"
            raise DatasetError(f"Cannot list {folder!r} in {self.location}: {error}", kind) from error

    def read(self, path: str) -> bytes:
        """Return a file's bytes.

        Raises
        ------
        VolumeError
            The file is not there or does not read to its end.
        """
        try:
            return self.place.read(self._full(path))
        except FileNotFoundError as error:
            raise VolumeError(f"No file {path!r} in {self.location}: see that it is still there.") from error
        except OSError as error:
            raise VolumeError(f"Cannot read {path!r} in {self.location}: {error}.") from error
        except DatasetError as error:
            raise VolumeError(str(error), error.kind) from error

    def findings(self) -> tuple[Finding, ...]:
        """Return what is odd about the place itself: members of a zip that are left out."""
        return self.place.findings() if isinstance(self.place, Archive) else ()

    def _full(self, path: str) -> str:
        return "/".join(part for part in (self.base, path) if part)


def _is_odd(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False


def _open(path: str, flags: int) -> int:
    """Open a file without waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def open_files(path: str | os.PathLike[str]) -> Files:
    """Open a folder, a zip, or any URL that fsspec understands; zips are not unpacked.

    Parameters
    ----------
    path
        ``/data/set``, ``set.zip``, ``https://host/set.zip``, ``s3://bucket/set``; ``zip::URL``
        where the URL of a zip does not end with ``.zip``, ``zip://folder::URL`` for a folder in it.

    Raises
    ------
    DatasetError
        There is nothing at the path, or it is neither a folder nor a whole zip.
    """
    given = os.fspath(path)
    if "://" not in given and "::" not in given:
        return _open_local(given, given)
    # Only here, since fsspec takes a while to import.
    from explorer.network import redacted
    from explorer.remote import RemoteFile, RemoteFolder

    location = redacted(given)
    chained = _ZIP_URL.fullmatch(given)
    url = chained["url"] if chained else given
    inside = (chained["inside"] or "").strip("/") if chained else ""
    if url.startswith("file://") or "://" not in url:
        # Only here, since it brings all of http.
        from urllib.request import url2pathname

        return _open_local(url2pathname(url.removeprefix("file://")), location, inside)
    try:
        if not chained and not url.lower().partition("?")[0].partition("#")[0].endswith(".zip"):
            return Files(location, RemoteFolder.open(url))
        archive = Archive(location, RemoteFile.open(url), remote=True)
        archive.findings()  # reads the directory
        return Files(location, archive, inside)
    except FileNotFoundError as error:
        raise DatasetError(f"There is nothing at {location!r}. See that the address is right.") from error
    except ImportError as error:
        raise DatasetError(f"Cannot open {location!r}: {_missing(url, error)}") from error
    except (OSError, ValueError, VolumeError) as error:
        raise DatasetError(f"Cannot open {location!r}: {str(error).rstrip('.')}.") from error


def _missing(url: str, error: ImportError) -> str:
    if "http" in url.rpartition("::")[2][:4]:
        return "it needs aiohttp. Install it with: pip install 'totalseg-explorer[remote]'"
    return f"{str(error).rstrip('.')}. Install that package with pip, too."


def _open_local(given: str, location: str, inside: str = "") -> Files:
    path = Path(given).expanduser().resolve()
    if path.is_dir():
        return Files(location, Folder(str(path)))
    if not path.exists():
        raise DatasetError(
            f"There is nothing at {location!r} (looked at {path}). Give the folder or zip of a data set."
        )
    if not path.is_file():  # reading a pipe would wait for ever
        raise DatasetError(f"{location!r} is neither a folder nor a file.")
    try:
        archive = Archive(location, LocalFile.open(str(path)), remote=False)
        archive.findings()  # reads the directory
    except (OSError, VolumeError) as error:
        raise DatasetError(f"Cannot open {location!r}: {error}.") from error
    return Files(location, archive, inside)

"""Files and folders behind a URL, through any file system of fsspec.

A range is asked for in pieces, each of which is tried again when the connection breaks, and kept
in memory and in a bounded cache on disk.
"""

import os
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import PurePosixPath
from threading import Lock
from typing import Any

from explorer.cache import DiskCache, default_cache
from explorer.entry import MAX_FILE_BYTES, Entry
from explorer.errors import DatasetError, VolumeError
from explorer.network import Guard, changed, file_system, load, persist, redacted

PIECE_BYTES = 8 * 2**20
"""What is asked for at once; a broken connection costs at most this much again."""

MEMORY_BYTES = 32 * 2**20
"""Of ranges kept in memory, per file."""

MAX_FILES = 2_000_000
"""A listing with more is no data set."""

_STAMPS = (
    "ETag",
    "etag",
    "md5Hash",
    "mtime",
    "LastModified",
    "last_modified",
    "updated",
    "Last-Modified",
    "created",
)


@dataclass
class _Connection:
    """What one process holds of one place."""

    fs: Any
    path: str
    guard: Guard
    process: int = field(default_factory=os.getpid)
    lock: Lock = field(default_factory=Lock)
    recent: OrderedDict[tuple[int, int], bytes] = field(default_factory=OrderedDict)
    under_way: dict[tuple[int, int], Future[bytes]] = field(default_factory=dict)

    @classmethod
    def open(cls, url: str, size: int | None = None, stamp: str = "") -> "_Connection":
        guard = Guard(redacted(url), size, _etag(stamp))
        return cls(*file_system(url, guard), guard)

    def info(self) -> tuple[int | None, str]:
        """Return the size in bytes, and what changes with the content."""
        self.fs.invalidate_cache()
        info = persist(partial(self.fs.info, self.path), self.guard.where)
        size = info.get("size")
        return None if size is None else int(size), _stamp(info)

    def piece(self, start: int, end: int) -> bytes:
        data: bytes = self.fs.cat_file(self.path, start=start, end=end)
        if len(data) != end - start:
            raise EOFError(f"{len(data):,} bytes came instead of {end - start:,}")
        return data


class RemoteFile:
    """A file behind a URL; equal and pickled by value, each process has a connection of its own.

    Parameters
    ----------
    url
        As fsspec understands it.
    size
        Bytes.
    stamp
        Its ETag or time of change; empty where there is neither, and then nothing is kept on disk.
    """

    def __init__(self, url: str, size: int, stamp: str) -> None:
        self.url = url
        self.size = size
        self.stamp = stamp
        self._cache: DiskCache = default_cache()
        self._connection: _Connection | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return _shared_file, self._value()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteFile) and self._value() == other._value()

    def __hash__(self) -> int:
        return hash(self._value())

    @classmethod
    def open(cls, url: str) -> "RemoteFile":
        """Ask for the size of a file.

        Raises
        ------
        FileNotFoundError
            There is none.
        VolumeError
            The server refuses, does not answer, or does not tell the size.
        ImportError, ValueError
            As for `explorer.network.file_system`.
        """
        connection = _Connection.open(url)
        size, stamp = connection.info()
        where = connection.guard.where
        if size is None:
            raise VolumeError(f"The server of {where} does not tell the size of the file.", "network")
        connection.guard.size, connection.guard.etag = size, _etag(stamp)
        file = cls(url, size, stamp)
        file._connection = connection
        return file

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end`.

        Threads that want the same range at the same time share one request.

        Raises
        ------
        VolumeError
            The connection broke too often, the server refuses, or the file has changed.
        """
        if end <= start:
            return b""
        here = self._here()
        key = (start, end)
        with here.lock:
            if key in here.recent:
                here.recent.move_to_end(key)
                return here.recent[key]
            awaited = here.under_way.get(key)
            own: Future[bytes] = Future()
            if awaited is None:
                here.under_way[key] = own
        if awaited is not None:
            return awaited.result()
        try:
            data = self._loaded(here, start, end)
        except BaseException as error:
            with here.lock:
                del here.under_way[key]
            stopped = VolumeError(f"Reading {here.guard.where} was interrupted.", "network")
            own.set_exception(error if isinstance(error, Exception) else stopped)
            raise
        with here.lock:
            del here.under_way[key]
            if len(data) <= PIECE_BYTES:
                here.recent[key] = data
            while sum(map(len, here.recent.values())) > MEMORY_BYTES:
                here.recent.popitem(last=False)
        own.set_result(data)
        return data

    def check(self) -> None:
        """Raise `VolumeError` when the file is no longer the one that was opened."""
        if self._here().info() != (self.size, self.stamp):
            raise changed(redacted(self.url))

    def _loaded(self, here: _Connection, start: int, end: int) -> bytes:
        key = f"{self.url}\n{self.stamp}\n{self.size}\n{start}-{end}"
        data = self._cache.get(key) if self.stamp else None
        if data is not None and len(data) == end - start:
            return data
        parts: list[bytes] = []
        for first in range(start, end, PIECE_BYTES):
            piece = partial(here.piece, first, min(first + PIECE_BYTES, end))
            try:
                parts.append(persist(piece, here.guard.where, first - start, end - start))
            except FileNotFoundError as error:
                raise changed(here.guard.where) from error
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        if self.stamp:
            self._cache.put(key, data)
        return data

    def _here(self) -> _Connection:
        if self._connection is None or self._connection.process != os.getpid():
            self._connection = _Connection.open(self.url, self.size, self.stamp)
        return self._connection

    def _value(self) -> tuple[str, int, str]:
        return self.url, self.size, self.stamp


class RemoteFolder:
    """A folder behind a URL; pickled as its URL, each process has a connection of its own.

    Parameters
    ----------
    url
        As fsspec understands it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._cache: DiskCache = default_cache()
        self._connection: _Connection | None = None
        self._tree: dict[str, list[Entry]] = {}
        self._whole = False

    def __reduce__(self) -> tuple[object, ...]:
        return _shared_folder, (self.url,)

    @classmethod
    def open(cls, url: str) -> "RemoteFolder":
        """List all of a folder at once, where the protocol has a way to.

        Raises
        ------
        DatasetError
            It cannot be listed, or holds more than `MAX_FILES` files.
        ImportError, ValueError
            As for `explorer.network.file_system`.
        """
        folder = cls(url)
        here = folder._here()
        if not _is_http(here.fs):
            try:
                here.fs.invalidate_cache()
                found = persist(partial(here.fs.find, here.path, detail=True), here.guard.where)
            except FileNotFoundError:
                found = {}
            except VolumeError as error:
                raise DatasetError(str(error), error.kind) from error
            if len(found) > MAX_FILES:
                raise DatasetError(
                    f"{here.guard.where} holds {len(found):,} files: give the data set's folder."
                )
            folder._tree = _tree(here.path, found)
            folder._whole = True
        return folder

    def ls(self, folder: str) -> list[Entry]:
        """Return the entries of a folder by name; none when there is no such folder.

        Raises
        ------
        DatasetError
            The folder cannot be listed.
        """
        if self._whole or folder in self._tree:
            return self._tree.get(folder, [])
        here = self._here()
        where = f"{here.guard.where} ({folder!r})"
        try:
            found = persist(partial(here.fs.ls, self._full(here, folder), detail=True), where)
        except FileNotFoundError:
            found = []
        except VolumeError as error:
            raise DatasetError(str(error), error.kind) from error
        entries = [_entry(PurePosixPath(info["name"]).name, info) for info in found]
        self._tree[folder] = sorted(entries, key=lambda entry: entry.name)
        return self._tree[folder]

    def read(self, path: str) -> bytes:
        """Return a file's bytes; raises `FileNotFoundError` and `VolumeError`."""
        here = self._here()
        folder, _, name = path.rpartition("/")
        entry = next((e for e in self.ls(folder) if e.name == name), Entry(name, False, 0, ""))
        where = f"{path!r} in {here.guard.where}"
        if entry.size > MAX_FILE_BYTES:
            raise VolumeError(f"{where} has {entry.size:,} bytes, more than is plausible.", "too_long")
        key = f"{self.url}\n{path}\n{entry.size}\n{entry.stamp}"
        data = self._cache.get(key) if entry.stamp and entry.size else None
        if data is None:
            data = persist(partial(self._whole_file, here, path, entry.size), where, 0, entry.size)
            if entry.stamp and entry.size:
                self._cache.put(key, data)
        return data

    def _whole_file(self, here: _Connection, path: str, size: int) -> bytes:
        full = self._full(here, path)
        data: bytes = load(here.fs, full, MAX_FILE_BYTES) if _is_http(here.fs) else here.fs.cat_file(full)
        if size and len(data) != size:
            raise EOFError(f"{len(data):,} bytes came instead of {size:,}")
        return data

    def _full(self, here: _Connection, path: str) -> str:
        return "/".join(part for part in (here.path.rstrip("/"), path) if part)

    def _here(self) -> _Connection:
        if self._connection is None or self._connection.process != os.getpid():
            self._connection = _Connection.open(self.url)
        return self._connection


def _tree(base: str, found: dict[str, dict[str, Any]]) -> dict[str, list[Entry]]:
    tree: dict[str, dict[str, Entry]] = {"": {}}
    for full, info in found.items():
        parts = full.removeprefix(base.rstrip("/")).lstrip("/").split("/")
        if len(parts) > 16 or any(part in ("", ".", "..") for part in parts):
            continue
        for depth in range(len(parts) - 1, 0, -1):
            folder, above = "/".join(parts[:depth]), "/".join(parts[: depth - 1])
            known = folder in tree
            tree.setdefault(folder, {})
            tree.setdefault(above, {})[parts[depth - 1]] = Entry(parts[depth - 1], True, 0, "")
            if known:
                break
        tree["/".join(parts[:-1])].setdefault(parts[-1], _entry(parts[-1], info))
    return {folder: sorted(names.values(), key=lambda e: e.name) for folder, names in tree.items()}


def _entry(name: str, info: dict[str, Any]) -> Entry:
    if info.get("type") == "directory":
        return Entry(name, True, 0, "")
    return Entry(name, False, int(info.get("size") or 0), _stamp(info))


def _stamp(info: dict[str, Any]) -> str:
    return next((str(info[key]) for key in _STAMPS if info.get(key)), "")


def _etag(stamp: str) -> str:
    return stamp if stamp.endswith('"') else ""


def _is_http(fs: Any) -> bool:  # noqa: ANN401 - fsspec is untyped
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return "http" in protocols


@lru_cache(maxsize=8)
def _shared_file(url: str, size: int, stamp: str) -> RemoteFile:
    return RemoteFile(url, size, stamp)


@lru_cache(maxsize=8)
def _shared_folder(url: str) -> RemoteFolder:
    return RemoteFolder(url)

"""A zip as a tree of files, read in place from byte ranges of a local or remote file.

The directory is read once. Nothing is unpacked, no read position is shared, and an archive
pickles as the name of its file: a worker process reads the directory again, once.
"""

import os
import struct
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

from deflate import DeflateError, crc32, deflate_decompress

from explorer.directory import Directory, Member
from explorer.entry import Entry
from explorer.errors import VolumeError
from explorer.findings import Finding

BLOCK_BYTES = 8 * 2**20
"""Neighbours in a remote archive are read together up to this size."""

_GAP_BYTES = 64 * 2**10
_SLACK_BYTES = 128  # a local header may be longer than its copy in the directory
_COPIED_BYTES = 64 * 2**10  # what is larger is read where it begins, since a copy costs more than a read


class Source(Protocol):
    """A file that is read by ranges; it hashes and pickles by value."""

    @property
    def size(self) -> int:
        """Bytes of the file."""

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end`; raises `VolumeError`."""

    def check(self) -> None:
        """Raise `VolumeError` when the file is no longer the one that was opened."""


@dataclass(frozen=True)
class LocalFile:
    """A file of this machine; each read opens it, so that threads and forks share nothing.

    Attributes
    ----------
    path
        Absolute.
    size
        Bytes.
    mtime_ns
        When it was changed.
    """

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def open(cls, path: str) -> "LocalFile":
        """Look at a file; raises `OSError`."""
        info = os.stat(path)  # noqa: PTH116 - the path is kept as text
        return cls(path, info.st_size, info.st_mtime_ns)

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end`; raises `VolumeError`."""
        try:
            with open(self.path, "rb") as file:  # noqa: PTH123
                info = os.fstat(file.fileno())
                if (info.st_size, info.st_mtime_ns) != (self.size, self.mtime_ns):
                    raise VolumeError(
                        f"{self.path!r} has changed since it was opened ({self.size:,} bytes then, "
                        f"{info.st_size:,} now): open the data set again.",
                        "changed",
                    )
                file.seek(start)
                return file.read(max(0, end - start))
        except OSError as error:
            raise VolumeError(f"Cannot read {self.path!r}: {error}.") from error

    def check(self) -> None:
        """Raise `VolumeError` when the file is no longer the one that was opened."""
        self.read(0, 0)


class Archive:
    """A zip, listed and read in place.

    Parameters
    ----------
    location
        What to call it in messages.
    source
        Its bytes.
    remote
        Whether neighbours are read together, since each read costs a request.
    """

    def __init__(self, location: str, source: Source, *, remote: bool) -> None:
        self.location = location
        self.source = source
        self.remote = remote

    def __reduce__(self) -> tuple[object, ...]:
        return _shared, (self.location, self.source, self.remote)

    def ls(self, folder: str) -> list[Entry]:
        """Return the entries of a folder by name; none when there is no such folder.

        Raises
        ------
        DatasetError
            The directory cannot be read.
        """
        return [
            Entry(name, True, 0, "") if m is None else Entry(name, False, m.size, f"{m.crc:08x}")
            for name, m in self._directory.ls(folder)
        ]

    def findings(self) -> tuple[Finding, ...]:
        """Return what is odd about the members."""
        return self._directory.findings

    def read(self, path: str) -> bytes:
        """Return a member's bytes, with its CRC checked.

        Raises
        ------
        FileNotFoundError
            There is no such member.
        VolumeError
            It is encrypted, compressed otherwise or damaged, or the archive has changed.
        """
        member = self._directory.find(path)
        if member is None:
            raise FileNotFoundError(path)
        if member.refusal:
            raise VolumeError(f"{path!r} in {self.location} {member.refusal}.", "zip_member")
        data = self._unpacked(member)
        if len(data) != member.size or crc32(data) != member.crc:
            self.source.check()
            raise VolumeError(
                f"{path!r} in {self.location} is damaged: its bytes do not have the length and the CRC "
                "that the archive states for it.",
                "zip_damaged",
            )
        return data

    def _unpacked(self, member: Member) -> bytes:
        if member.method == 0 and not self.remote and member.packed > _COPIED_BYTES:
            head = self._read(member.offset, member.offset + 30)
            if len(head) < 30 or head[:4] != b"PK\3\4":
                return b""
            first = member.offset + 30 + sum(struct.unpack_from("<HH", head, 26))
            return self._read(first, first + member.packed)
        start, end = self._blocks[member.offset] if self.remote else (member.offset, _most(member))
        block = memoryview(self._read(start, end))[member.offset - start :]
        if len(block) < 30 or bytes(block[:4]) != b"PK\3\4":
            return b""
        first = 30 + sum(struct.unpack_from("<HH", block, 26))
        packed = block[first : first + member.packed]
        if len(packed) < member.packed:
            packed = memoryview(self._read(member.offset + first, member.offset + first + member.packed))
        try:
            return bytes(packed if member.method == 0 else deflate_decompress(packed, member.size))
        except DeflateError:
            return b""

    def _read(self, start: int, end: int) -> bytes:
        return self.source.read(start, min(end, self.source.size))

    @cached_property
    def _directory(self) -> Directory:
        return Directory(self.location, self.source.read, self.source.size)

    @cached_property
    def _blocks(self) -> dict[int, tuple[int, int]]:
        """Return, by the offset of a member, the range to read for it.

        Neighbours in one folder share a range: the masks of a case lie together.
        """
        runs: list[list[Member]] = []
        for member in self._directory.members():
            run = runs[-1] if runs else []
            if (
                run
                and member.folder == run[0].folder
                and member.offset - run[-1].least <= _GAP_BYTES
                and _most(member) - run[0].offset <= BLOCK_BYTES
            ):
                run.append(member)
            else:
                runs.append([member])
        following = [run[0].offset for run in runs[1:]] + [self._directory.start]
        blocks: dict[int, tuple[int, int]] = {}
        for run, limit in zip(runs, following, strict=True):
            end = max(_most(member) for member in run)
            # Up to what follows, unless the directory lies and members overlap.
            end = min(end, limit) if limit >= run[-1].least else end
            blocks |= {member.offset: (run[0].offset, end) for member in run}
        return blocks


def _most(member: Member) -> int:
    return member.least + _SLACK_BYTES


@lru_cache(maxsize=8)
def _shared(location: str, source: Source, remote: bool) -> Archive:
    return Archive(location, source, remote=remote)

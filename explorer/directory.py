"""The central directory of a zip: which members there are, and which names are left out.

Python's `zipfile` takes longer and refuses all members for one bad name. Layout: PKWARE,
APPNOTE.TXT 6.3.10, section 4.
"""

import re
import stat
import struct
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from explorer.entry import MAX_FILE_BYTES
from explorer.errors import DatasetError
from explorer.findings import Finding

MAX_DIRECTORY_BYTES = 256 * 2**20
"""Room for some 2.5 million members; the largest published data set has 150,000."""

Read = Callable[[int, int], bytes]
"""Bytes of the file from one position up to another."""

_TAIL_BYTES = 22 + 65_535  # an end record with the longest comment
_MAX_DEPTH = 16
_MAX_RATIO = 1_032  # of deflate
_ENCRYPTED = 0x2041
_UTF8 = 0x800
_FULL = 0xFFFF_FFFF
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4s28x3Q")
_CENTRAL = struct.Struct("<4sxB2xHH4xLLLHHH4xLL")
_METHODS = {1: "shrink", 6: "implode", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz"}
_NO_NAME = frozenset({"", ".", ".."})
_ODD = re.compile(r"[\\\x00-\x1f\x7f]|^[A-Za-z]:")


class Member(NamedTuple):
    """A file in a zip, as the directory describes it.

    Attributes
    ----------
    folder, name
        Its path.
    offset
        Where its local header starts in the file.
    least
        Where it ends, if its local header is as long as its entry in the directory suggests.
    packed, size
        Bytes in the archive, and bytes of the file.
    crc
        Of the file.
    method
        Of compression: 0 for stored, 8 for deflated.
    flags
        General purpose bits.
    """

    folder: str
    name: str
    offset: int
    least: int
    packed: int
    size: int
    crc: int
    method: int
    flags: int

    @property
    def refusal(self) -> str:
        """Why it cannot be read, or nothing."""
        if self.flags & _ENCRYPTED or self.method == 99:
            return "is encrypted"
        if self.method not in (0, 8):
            return (
                f"is compressed by method {self.method} ({_METHODS.get(self.method, 'unknown')}), "
                "neither stored nor deflated"
            )
        longest = self.packed if self.method == 0 else self.packed * _MAX_RATIO
        if not self.packed // 2 - 64 <= self.size <= min(longest, MAX_FILE_BYTES):
            return f"declares {self.size:,} bytes packed into {self.packed:,}, which is not plausible"
        return ""


class Directory:
    """What the central directory says.

    Parameters
    ----------
    location
        What to call the archive in messages.
    read
        Of the archive.
    size
        Bytes of the archive.

    Attributes
    ----------
    tree
        By folder, then by name: where the member's entry lies in the directory, -1 for a folder.
    start
        Where the directory starts in the file.
    findings
        What is odd about members, and which are left out; one per reason.

    Raises
    ------
    DatasetError
        There is no whole directory, or no member can be used.
    """

    def __init__(self, location: str, read: Read, size: int) -> None:
        self.tree: dict[str, dict[str, int]] = {"": {}}
        self._location = location
        self._odd: Counter[str] = Counter()
        self._example: dict[str, str] = {}
        self._data, self.start, self._shift, count = self._raw(read, size)
        suspects = self._enter(count)
        refused = [(m, refusal) for m in map(self._member, suspects) if (refusal := m.refusal)]
        for member, refusal in refused:
            self._note("one cannot be read", f"{member.folder}/{member.name}".lstrip("/"), refusal)
        self.findings = tuple(
            Finding("zip_member", f"{location}: {why}: {self._example[why]} ({number:,} in all).")
            for why, number in self._odd.items()
        )
        if self._odd and len(refused) == sum(
            at >= 0 for names in self.tree.values() for at in names.values()
        ):
            raise DatasetError(f"No member can be used of {self.findings[0].what}")

    def find(self, path: str) -> Member | None:
        """Return the member of a path, or None when there is none."""
        folder, _, name = path.rpartition("/")
        at = self.tree.get(folder, {}).get(name, -1)
        return None if at < 0 else self._member(at)

    def members(self) -> list[Member]:
        """Return all members, in the order of their bytes."""
        found = [self._member(at) for names in self.tree.values() for at in names.values() if at >= 0]
        return sorted(found, key=lambda member: member.offset)

    def ls(self, folder: str) -> list[tuple[str, Member | None]]:
        """Return the names in a folder, in order, with their members; None for a folder."""
        names = sorted(self.tree.get(folder, {}).items())
        return [(name, None if at < 0 else self._member(at)) for name, at in names]

    def _raw(self, read: Read, size: int) -> tuple[bytes, int, int, int]:
        """Return the directory, where it starts, how far offsets are off, and its count of members."""
        tail_start = max(0, size - _TAIL_BYTES)
        tail = read(tail_start, size)
        at = _find_end(tail)
        if at < 0:
            raise DatasetError(
                f"{self._location!r} is not a whole zip file ({size:,} bytes, without the directory at its "
                "end). If it is a download, it may be cut short: fetch it again."
            )
        _, disk, first_disk, _, count, length, offset, _ = _END.unpack_from(tail, at)
        end = tail_start + at
        locator = tail[at - 20 : at] if at >= 20 else b""
        if locator[:4] == b"PK\6\7":
            end -= 20 + 56
            record = (
                tail[end - tail_start :][:56] if end >= tail_start else read(max(0, end), max(0, end) + 56)
            )
            if record[:4] != b"PK\6\6":
                raise self._damaged("its zip64 end record is not where it should be")
            _, count, length, offset = _END64.unpack(record)
        elif disk or first_disk:
            raise DatasetError(f"{self._location!r} is one part of a zip in several parts: join them first.")
        start = end - length
        if start < 0 or start < offset:
            raise self._damaged(
                f"its directory should start at {offset:,}, there are {start:,} bytes before it"
            )
        if length > MAX_DIRECTORY_BYTES:
            raise self._damaged(f"its directory should have {length:,} bytes")
        kept = max(0, start - tail_start)
        data = (read(start, min(end, tail_start)) if start < tail_start else b"") + tail[
            kept : end - tail_start
        ]
        return data, start, start - offset, count

    def _enter(self, count: int) -> list[int]:
        """Enter all names, and return where the entries lie that may not be readable."""
        data, tree = self._data, self.tree
        suspects: list[int] = []
        following, found = 0, 0
        while following + 46 <= len(data):
            at = following
            entry = _CENTRAL.unpack_from(data, at)
            signature, system, flags, method, _, packed, size, named, extra, comment, attributes, _ = entry
            if signature != b"PK\1\2":
                break
            found += 1
            raw = data[at + 46 : at + 46 + named]
            following = at + 46 + named + extra + comment
            try:
                path = raw.decode("utf-8" if flags & _UTF8 or raw.isascii() else "cp437")
            except UnicodeDecodeError:
                self._note("a name that is not the UTF-8 it claims to be is left out", repr(raw))
                continue
            folder, _, name = path.rpartition("/")
            names = tree.get(folder)
            if names is None:
                names = self._make(folder)
            if names is None or _is_odd(name) or (name in _NO_NAME and not (folder and not name)):
                self._note("a path that points elsewhere or is none is left out", path)
                continue
            if not name:
                continue
            if system == 3 and stat.S_ISLNK(attributes >> 16):
                self._note("a symbolic link is left out", path)
                continue
            if names.setdefault(name, at) != at and not self._replace(names, name, at, path):
                continue
            if method or packed != size or flags & _ENCRYPTED:
                suspects.append(at)
        if following != len(data) or found & 0xFFFF != count & 0xFFFF:
            raise self._damaged(f"its directory ends after {found:,} members, {count:,} were announced")
        return suspects

    def _member(self, at: int) -> Member:
        data = self._data
        _, _, flags, method, crc, packed, size, named, extra, _, _, offset = _CENTRAL.unpack_from(data, at)
        extras = at + 46 + named
        if _FULL in (packed, size, offset):
            packed, size, offset = _zip64(data[extras : extras + extra], packed, size, offset)
        offset += self._shift
        least = offset + 30 + named + extra + packed
        raw = data[at + 46 : extras]
        folder, _, name = raw.decode("utf-8" if flags & _UTF8 or raw.isascii() else "cp437").rpartition("/")
        return Member(folder, name, offset, least, packed, size, crc, method, flags)

    def _make(self, folder: str) -> dict[str, int] | None:
        """Enter a folder and those above it; None where that cannot be."""
        parts = folder.split("/")
        if len(parts) > _MAX_DEPTH or any(part in _NO_NAME or _is_odd(part) for part in parts):
            return None
        for depth in range(len(parts)):
            names = self.tree["/".join(parts[:depth])]
            if names.setdefault(parts[depth], -1) >= 0:
                return None  # a file has this name
            self.tree.setdefault("/".join(parts[: depth + 1]), {})
        return self.tree[folder]

    def _replace(self, names: dict[str, int], name: str, at: int, path: str) -> bool:
        """Let a name's later file take the place of its earlier one; False where it is a folder's."""
        if names[name] < 0:
            self._note("a file with the name of a folder is left out", path)
            return False
        before, after = self._member(names[name]), self._member(at)
        if (before.size, before.crc) != (after.size, after.crc):
            self._note("one name has several files, of which the last is used", path)
        names[name] = at
        return True

    def _note(self, why: str, name: str, more: str = "") -> None:
        self._odd[why] += 1
        self._example.setdefault(why, f"{name[:80]!r} {more}".rstrip())

    def _damaged(self, what: str) -> DatasetError:
        return DatasetError(
            f"{self._location!r} is a damaged zip file: {what}. Fetch it again, and compare its checksum "
            "with the published one."
        )


def _is_odd(name: str) -> bool:
    if (
        name.isprintable() and "\\" not in name and name[1:2] != ":"
    ):  # most of the 66,000 names of a large set
        return False
    return _ODD.search(name) is not None


def _find_end(tail: bytes) -> int:
    """Return where the end record starts, or -1; a comment may hold its signature too."""
    at = last = tail.rfind(b"PK\5\6")
    while at >= 0:
        if at + 22 <= len(tail) and at + 22 + _END.unpack_from(tail, at)[-1] == len(tail):
            return at
        at = tail.rfind(b"PK\5\6", 0, at)
    return last if last >= 0 and last + 22 <= len(tail) else -1


def _zip64(extra: bytes, packed: int, size: int, offset: int) -> tuple[int, int, int]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            length = min(length, len(extra) - at - 4) // 8 * 8
            values = iter(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            # Only what does not fit the entry is here, in this order.
            size = next(values, size) if size == _FULL else size
            packed = next(values, packed) if packed == _FULL else packed
            offset = next(values, offset) if offset == _FULL else offset
            break
        at += 4 + length
    return packed, size, offset

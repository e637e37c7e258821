"""Byte ranges of remote files, kept on disk up to a bound; the longest unused go first.

Every entry begins with a digest of the rest, so that a damaged one counts as absent. Where
nothing can be written, all goes on without.
"""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from tempfile import NamedTemporaryFile

import platformdirs

LIMIT_GIB = 4.0
"""Default bound; ``EXPLORER_CACHE_GIB`` sets another, 0 for no cache."""

_DIGEST_BYTES = 32
_RESCANS = 32
_MOST_GIB = 2.0**20  # so that ``inf`` is a bound, too


@dataclass
class DiskCache:
    """A bounded folder of byte strings.

    Attributes
    ----------
    folder
        It is made when it is first written to.
    limit_bytes
        Of all entries together. Processes that write at once may pass it by a thirty-second each.
    """

    folder: Path
    limit_bytes: int
    _used: int | None = field(default=None, repr=False)
    _written: int = field(default=0, repr=False)

    def get(self, key: str) -> bytes | None:
        """Return what was put under `key`, or None when it is absent or damaged."""
        path = self._path(key)
        try:
            stored = path.read_bytes()
        except OSError:
            return None
        data = stored[_DIGEST_BYTES:]
        if _digest(data) != stored[:_DIGEST_BYTES]:
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` under `key` where there is room and leave to write."""
        size = len(data) + _DIGEST_BYTES
        if size > self.limit_bytes // 4:
            return
        try:
            self._make_room(size)
            path = self._path(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as unfinished:
                try:
                    unfinished.write(_digest(data))
                    unfinished.write(data)
                    unfinished.close()
                    Path(unfinished.name).replace(path)
                except OSError:
                    Path(unfinished.name).unlink(missing_ok=True)
                    raise
        except OSError:
            return
        self._used = (self._used or 0) + size
        self._written += size

    def _make_room(self, size: int) -> None:
        seldom = self._written <= self.limit_bytes // _RESCANS
        if self._used is not None and seldom and self._used + size <= self.limit_bytes:
            return
        self._written = 0
        entries: list[tuple[float, int, Path]] = []
        for path in self.folder.glob("??/*"):
            with suppress(OSError):  # another process has just removed it
                info = path.stat()
                entries.append((info.st_mtime, info.st_size, path))
        self._used = sum(entry[1] for entry in entries)
        if self._used + size <= self.limit_bytes:
            return
        aim = self.limit_bytes - self.limit_bytes // 8 - size
        for _, freed, path in sorted(entries):
            if self._used <= aim:
                break
            with suppress(OSError):
                path.unlink()
                self._used -= freed

    def _path(self, key: str) -> Path:
        name = blake2b(key.encode(), digest_size=20).hexdigest()
        return self.folder / name[:2] / name[2:]


def default_cache() -> DiskCache:
    """Return the cache of this user."""
    try:
        limit_gib = float(os.environ.get("EXPLORER_CACHE_GIB", LIMIT_GIB))
    except ValueError:
        limit_gib = LIMIT_GIB
    folder = Path(platformdirs.user_cache_dir("totalseg-explorer")) / "remote"
    return DiskCache(folder, int(min(max(0.0, limit_gib), _MOST_GIB) * 2**30))


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST_BYTES).digest()

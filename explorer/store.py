"""The folder that keeps an index: Parquet tables that a reader never sees half written.

A build adds *parts*: small tables, each written beside its name and then renamed. `merge` brings
parts and tables together under a lock, so that two builds at once do no harm and a killed one
leaves all it had measured. Merged files are written to a folder that becomes ``next`` in one
rename, and move from there to their places: a file in ``next`` is the newer one, and whoever
holds the lock moves what a killed merge has left.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

import platformdirs
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from explorer import schema
from explorer._version import __version__
from explorer.dataset import Dataset
from explorer.errors import StoreError
from explorer.joining import TABLES as TABLES
from explorer.joining import joined, signatures_of

_BUILD = b"explorer_build"
_REPEATED = frozenset({"case", "mask_set", "structure", "other", "status", "border", "mask_dtype"})
_NEXT = "next"
_STRAY_SECONDS = 24 * 3600


def default_store(dataset: Dataset) -> Path:
    """Return where a data set's index lies if nothing else is said.

    Beside the data set as ``<name>.explorer``; where that place cannot be written and holds no
    index, in the user's cache.
    """
    key = place(dataset.location)
    if not _is_url(key):
        beside = Path(f"{key}.explorer")
        found = beside if beside.exists() else beside.parent
        if (beside / "manifest.json").exists() or _can_write(found):
            return beside
    return cached_store(dataset)


def cached_store(dataset: Dataset) -> Path:
    """Return the data set's folder in the user's cache."""
    digest = blake2b(os.fsencode(place(dataset.location)), digest_size=6).hexdigest()
    return Path(platformdirs.user_cache_dir("totalseg-explorer")) / f"{dataset.name}-{digest}"


def store_of(dataset: Dataset, store: str | os.PathLike[str] | None) -> Path:
    """Return the folder of an index: as given, or by default `default_store`."""
    return default_store(dataset) if store is None else Path(store).expanduser()


def place(location: str) -> str:
    """Return where a data set lies, however its path was given: a URL, or a path without links."""
    return location if _is_url(location) else str(Path(location).expanduser().resolve())


def _is_url(location: str) -> bool:
    return "://" in location or "::" in location


def read_manifest(store: Path) -> dict[str, Any] | None:
    """Return what the manifest says, or None where there is no index.

    Raises
    ------
    StoreError
        The index was made by another schema, or the manifest is damaged.
    """
    manifest = None
    for path in (store / _NEXT / "manifest.json", store / "manifest.json"):
        try:
            manifest = json.loads(path.read_text("utf-8"))
            break
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            raise StoreError(
                f"Cannot read {path}: {error}. Delete {store} and build the index again, or give another "
                "folder as store."
            ) from error
    else:
        return None
    if not isinstance(manifest, dict) or manifest.get("schema") != schema.VERSION:
        found = manifest.get("schema") if isinstance(manifest, dict) else manifest
        raise StoreError(
            f"The index in {store} has schema {found!r}, this version of explorer needs {schema.VERSION}. "
            "Delete the folder and build the index again, or give another folder as store."
        )
    return manifest


def read_tables(store: Path, names: Iterable[str] = TABLES) -> dict[str, pa.Table]:
    """Return tables of the last merge; all are of the same one.

    Parameters
    ----------
    store, names
        The index, and which of its tables.

    Raises
    ------
    StoreError
        They are absent, damaged, or stay of different merges.
    """
    return {name: table.cast(TABLES[name]) for name, table in _read_stored(store, names).items()}


def _read_stored(store: Path, names: Iterable[str]) -> dict[str, pa.Table]:
    """Read tables of one merge, with repeated texts as codes."""
    for _ in range(20):
        try:
            found = {name: _read_newest(store, name) for name in names}
            if len({(t.schema.metadata or {}).get(_BUILD) for t in found.values()}) == 1:
                return found
        except (FileNotFoundError, NotADirectoryError) as error:
            raise StoreError(f"No index in {store}: run `explorer index` or build_index first.") from error
        except PermissionError as error:
            raise StoreError(f"Cannot read the index in {store}: {error}.") from error
        except (OSError, ValueError, pa.ArrowException) as error:
            raise StoreError(
                f"The index in {store} is damaged ({error}): build it again, which measures what is lost."
            ) from error
        time.sleep(0.1)  # another process is moving its tables to their places
    raise StoreError(f"The tables in {store} belong to different builds: build the index again.")


def read_parts(store: Path) -> tuple[list[Path], list[dict[str, pa.Table]]]:
    """Return the files of the parts that are whole, and their tables, the oldest part first."""
    paths: list[Path] = []
    parts = []
    for name in part_names(store):
        files = {table: store / "parts" / f"{name}.{table}.parquet" for table in TABLES}
        try:
            part = {table: _read(path, table).cast(TABLES[table]) for table, path in files.items()}
        except (OSError, ValueError, pa.ArrowException):  # merged by another build, or damaged
            continue
        paths += files.values()
        parts.append(part)
    return paths, parts


def part_names(store: Path) -> list[str]:
    """Return the names of the parts, the oldest first."""
    found = (store / "parts").glob("*.cases.parquet")
    return sorted(path.name.removesuffix(".cases.parquet") for path in found)


def prepare(store: Path) -> None:
    """Make the folder, so that a place that cannot be written is known before anything is measured.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    with _writing(store):
        (store / "parts").mkdir(parents=True, exist_ok=True)
        probe = store / "parts" / f"{uuid4().hex}.writable"
        _replace(probe, b"")
        probe.unlink(missing_ok=True)


def add_part(store: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write a part; it counts once its table of cases is there, which comes last.

    Raises
    ------
    StoreError
        The folder cannot be written.
    """
    parts = store / "parts"
    name = f"{time.time_ns():020}-{uuid4().hex}"
    with _writing(store):
        for table in sorted(TABLES, key=lambda table: table == "cases"):
            _write(schema.table(rows.get(table, ()), TABLES[table]), parts / f"{name}.{table}.parquet")


def measured(store: Path) -> set[tuple[str, str]]:
    """Return the cases that were measured, in tables or parts, with the signatures of their files."""
    # All tables are read, since damage to one costs the rows of all.
    sources = [*read_parts(store)[1], _old_tables(store)]
    return {measured for source in sources for measured in signatures_of(source)}


def read_so_far(store: Path, signatures: Mapping[str, str]) -> dict[str, pa.Table]:
    """Return tables and parts joined as `merge` would, without writing anything.

    Parameters
    ----------
    store
        The index; it may not exist yet.
    signatures
        Of the cases' files as they are; rows of other cases or files are left out.
    """
    parts = read_parts(store)[1]  # before the tables, into which another build may merge them
    return joined([_old_tables(store), *parts], signatures)


def merge(store: Path, dataset: Dataset, signatures: Mapping[str, str]) -> None:
    """Bring parts and tables together: one row per case, as its files are now.

    Parameters
    ----------
    store
        The index.
    dataset
        Whose cases stay; rows of others are dropped.
    signatures
        Of the cases' files as they are.

    Raises
    ------
    StoreError
        The folder cannot be written.
    """
    with _writing(store):
        store.mkdir(parents=True, exist_ok=True)
        with FileLock(store / "lock", timeout=600):
            _move_next(store)
            paths, parts = read_parts(store)
            tables = joined([_old_tables(store), *parts], signatures)
            manifest = {
                "schema": schema.VERSION,
                "software": __version__,
                "dataset": dataset.name,
                "location": place(dataset.location),
                "fingerprint": fingerprint(dict(signatures_of(tables))),
            }
            folder = store / f".{_NEXT}.{uuid4().hex}"
            folder.mkdir()
            build = uuid4().hex
            for name, table in tables.items():
                _write(table.replace_schema_metadata({_BUILD: build}), folder / f"{name}.parquet")
            _replace(folder / "manifest.json", json.dumps(manifest, indent=1).encode())
            folder.rename(store / _NEXT)
            _move_next(store)
            for path in paths:
                path.unlink(missing_ok=True)
            _sweep(store / "parts")


def fingerprint(signatures: Mapping[str, str]) -> str:
    """Return a text that changes when any file of the data set does."""
    digest = blake2b(digest_size=16)
    for case in sorted(signatures):
        digest.update(f"{case}\0{signatures[case]}\n".encode())
    return digest.hexdigest()


def _old_tables(store: Path) -> dict[str, pa.Table]:
    """Return the tables with codes, or empty ones where there are none or they are damaged."""
    try:
        return _read_stored(store, TABLES)
    except StoreError as error:
        if isinstance(error.__cause__, PermissionError):
            raise
        return {name: TABLES[name].empty_table() for name in TABLES}


def _move_next(store: Path) -> None:
    """Bring merged files to their places; only with the lock held."""
    for stray in store.glob(f".{_NEXT}.*"):
        shutil.rmtree(stray, ignore_errors=True)
    folder = store / _NEXT
    if folder.exists():
        for name in (*(f"{table}.parquet" for table in TABLES), "manifest.json"):
            with suppress(FileNotFoundError):  # a killed merge had moved it
                (folder / name).replace(store / name)
        shutil.rmtree(folder)


def _sweep(parts: Path) -> None:
    """Remove what killed builds have left half written, and damaged parts."""
    too_old = time.time() - _STRAY_SECONDS
    for path in parts.glob("*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < too_old:
                path.unlink()


@contextmanager
def _writing(store: Path) -> Iterator[None]:
    try:
        yield
    except Timeout as error:
        raise StoreError(f"Another build holds the lock of {store} for over ten minutes.") from error
    except OSError as error:
        raise StoreError(
            f"Cannot write the index to {store}: {error}. What was measured before is kept. "
            "Give another folder as store, or make this one writable with room in it."
        ) from error


def _can_write(folder: Path) -> bool:
    # os.access answers by permissions, which say little for root or on a network drive.
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _read_newest(store: Path, name: str) -> pa.Table:
    with suppress(FileNotFoundError):
        return _read(store / _NEXT / f"{name}.parquet", name)
    return _read(store / f"{name}.parquet", name)


def _read(path: Path, name: str) -> pa.Table:
    # Most texts stand in thousands of rows: reading their codes, and casting these, takes half the time.
    codes = _REPEATED.intersection(TABLES[name].names)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=codes) as file:
            table = file.read().select(TABLES[name].names)
    except KeyError as error:
        raise ValueError(f"{path.name} has no column {error}") from error
    table.slice(0, 0).cast(TABLES[name])  # raises where a column has another type
    return table


def _write(table: pa.Table, path: Path) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    _replace(path, sink.getvalue())


def _replace(path: Path, data: bytes | pa.Buffer) -> None:
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

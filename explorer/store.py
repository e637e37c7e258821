"""The folder that keeps an index: Parquet tables that a reader never sees half written.

A build adds *parts*: small tables, each written beside its name and then renamed. `merge` brings
parts and tables together under a lock, so that two builds at once do no harm and a killed one
leaves all it had measured.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

import platformdirs
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from explorer import schema
from explorer._version import __version__
from explorer.dataset import Dataset
from explorer.errors import StoreError

TABLES: Mapping[str, pa.Schema] = {
    "cases": schema.CASES,
    "structures": schema.STRUCTURES,
    "overlaps": schema.OVERLAPS,
    "findings": schema.FINDINGS,
}
"""Names of the files that a build writes, without ``.parquet``."""

_BUILD = b"explorer_build"


def default_store(dataset: Dataset) -> Path:
    """Return where a data set's index lies if nothing else is said.

    Beside the data set as ``<name>.explorer``; where that place cannot be written, in the user's
    cache.
    """
    if "://" not in dataset.location and "::" not in dataset.location:
        place = Path(dataset.location).expanduser().resolve()
        beside = place.with_name(f"{place.name}.explorer")
        if os.access(beside if beside.exists() else place.parent, os.W_OK):
            return beside
        key = str(place)
    else:
        key = dataset.location
    digest = blake2b(key.encode(), digest_size=6).hexdigest()
    return Path(platformdirs.user_cache_dir("totalseg-explorer")) / f"{dataset.name}-{digest}"


def read_manifest(store: Path) -> dict[str, Any] | None:
    """Return what the manifest says, or None where there is no index.

    Raises
    ------
    StoreError
        The index was made by another schema, or the manifest is damaged.
    """
    path = store / "manifest.json"
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise StoreError(f"Cannot read {path}: {error}. Delete {store} and build the index again.") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != schema.VERSION:
        found = manifest.get("schema") if isinstance(manifest, dict) else manifest
        raise StoreError(
            f"The index in {store} has schema {found!r}, this version of explorer needs {schema.VERSION}. "
            "Delete the folder and build the index again."
        )
    return manifest


def read_tables(store: Path) -> dict[str, pa.Table]:
    """Return the tables of the last merge; both are of the same one.

    Raises
    ------
    StoreError
        They are absent, damaged, or stay of different merges.
    """
    for _ in range(20):
        try:
            found = {name: pq.read_table(store / f"{name}.parquet") for name in TABLES}
        except FileNotFoundError as error:
            raise StoreError(f"No index in {store}: run `explorer index` or build_index first.") from error
        except (OSError, pa.ArrowException) as error:
            raise StoreError(
                f"The index in {store} is damaged ({error}). Delete it and build it again."
            ) from error
        if len({(t.schema.metadata or {}).get(_BUILD) for t in found.values()}) == 1:
            return {name: found[name].cast(TABLES[name]) for name in TABLES}
        time.sleep(0.1)  # another process is between its two renames
    raise StoreError(f"The tables in {store} belong to different builds: build the index again.")


def read_parts(store: Path) -> tuple[list[Path], dict[str, pa.Table]]:
    """Return the parts that are whole, and their tables joined."""
    names = sorted(
        path.name.removesuffix(".cases.parquet") for path in (store / "parts").glob("*.cases.parquet")
    )
    tables: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
    whole = []
    for part in names:
        paths = {name: store / "parts" / f"{part}.{name}.parquet" for name in TABLES}
        try:
            read = {name: pq.read_table(path).cast(TABLES[name]) for name, path in paths.items()}
        except (OSError, pa.ArrowException):  # merged and removed by another build, or damaged
            continue
        whole += list(paths.values())
        for name in TABLES:
            tables[name].append(read[name])
    return whole, {name: pa.concat_tables([TABLES[name].empty_table(), *tables[name]]) for name in TABLES}


def prepare(store: Path) -> None:
    """Make the folder, so that a place that cannot be written is known before anything is measured.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    try:
        (store / "parts").mkdir(parents=True, exist_ok=True)
        _replace(store / "parts" / "writable", b"")
        (store / "parts" / "writable").unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"Cannot write the index to {store}: {error}. Give another folder as store."
        ) from error


def add_part(store: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write a part; it counts once its table of cases is there, which comes last."""
    parts = store / "parts"
    name = uuid4().hex
    try:
        for table in sorted(TABLES, key=lambda table: table == "cases"):
            _write(schema.table(rows.get(table, ()), TABLES[table]), parts / f"{name}.{table}.parquet")
    except OSError as error:
        raise StoreError(
            f"Cannot write the index to {store}: {error}. Give another folder as store."
        ) from error


def measured(store: Path) -> dict[str, str]:
    """Return the signature under which each case was measured, parts included."""
    tables = [read_parts(store)[1]["cases"]]
    with suppress(StoreError):
        tables.insert(0, read_tables(store)["cases"])
    return {
        case: signature
        for table in tables
        for case, signature in zip(table["case"].to_pylist(), table["signature"].to_pylist(), strict=True)
    }


def read_so_far(store: Path, signatures: Mapping[str, str]) -> dict[str, pa.Table]:
    """Return tables and parts joined as `merge` would, without writing anything.

    Parameters
    ----------
    store
        The index; it may not exist yet.
    signatures
        Of the cases' files as they are; rows of other cases or files are left out.
    """
    parts = read_parts(store)[1]
    try:
        old = read_tables(store)
    except StoreError:
        old = {name: TABLES[name].empty_table() for name in TABLES}
    return _joined(old, parts, signatures)


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
    try:
        store.mkdir(parents=True, exist_ok=True)
        with FileLock(store / "lock", timeout=600):
            paths = read_parts(store)[0]
            joined = read_so_far(store, signatures)
            build = uuid4().hex
            for name, merged in joined.items():
                _write(merged.replace_schema_metadata({_BUILD: build}), store / f"{name}.parquet")
            rows = (joined["cases"][name].to_pylist() for name in ("case", "signature"))
            manifest = {
                "schema": schema.VERSION,
                "software": __version__,
                "dataset": dataset.name,
                "location": dataset.location,
                "fingerprint": fingerprint(dict(zip(*rows, strict=True))),
            }
            _replace(store / "manifest.json", json.dumps(manifest, indent=1).encode())
            for path in paths:
                path.unlink(missing_ok=True)
    except Timeout as error:
        raise StoreError(f"Another build holds the lock of {store} for over ten minutes.") from error
    except OSError as error:
        raise StoreError(
            f"Cannot write the index to {store}: {error}. Give another folder as store."
        ) from error


def fingerprint(signatures: Mapping[str, str]) -> str:
    """Return a text that changes when any file of the data set does."""
    digest = blake2b(digest_size=16)
    for case in sorted(signatures):
        digest.update(f"{case}\0{signatures[case]}\n".encode())
    return digest.hexdigest()


def _joined(
    old: Mapping[str, pa.Table], parts: Mapping[str, pa.Table], signatures: Mapping[str, str]
) -> dict[str, pa.Table]:
    cases = pa.concat_tables([old["cases"], parts["cases"]])
    # Of rows for the same files the last one counts; a case has structures from one source only.
    chosen: dict[str, int] = {}
    for row, (case, signature) in enumerate(
        zip(cases["case"].to_pylist(), cases["signature"].to_pylist(), strict=True)
    ):
        if signatures.get(case) == signature:
            chosen[case] = row
    order = pa.array([chosen[case] for case in sorted(chosen)], pa.int64())
    split = old["cases"].num_rows
    from_old = pa.array([case for case, row in chosen.items() if row < split], pa.string())
    from_parts = pa.array([case for case, row in chosen.items() if row >= split], pa.string())

    def of(name: str, keys: list[str]) -> pa.Table:
        kept = old[name].filter(pc.is_in(old[name]["case"], from_old))
        new = parts[name].filter(pc.is_in(parts[name]["case"], from_parts))
        joined = pa.concat_tables([kept, _last_of_each(new, keys)])
        return joined.sort_by([(name, "ascending") for name in keys])

    structures = of("structures", ["case", "mask_set", "structure"])
    return {
        "cases": cases.take(order),
        "structures": _with_missing(structures, sorted(chosen)),
        "overlaps": of("overlaps", schema.OVERLAPS.names),
        "findings": of("findings", schema.FINDINGS.names),
    }


def _last_of_each(rows: pa.Table, keys: list[str]) -> pa.Table:
    """Drop rows of a case that two builds have measured: they are the same."""
    numbered = rows.append_column("row", pa.array(range(rows.num_rows), pa.int64()))
    last = numbered.group_by(keys).aggregate([("row", "max")])["row_max"]
    return rows.take(last.sort())


def _with_missing(structures: pa.Table, cases: Sequence[str]) -> pa.Table:
    """Add a row with status ``missing`` for each structure that other cases have a mask for."""
    structures = structures.filter(pc.not_equal(structures["status"], "missing"))
    keys = {
        (c, m, s)
        for c, m, s in zip(
            *(structures[k].to_pylist() for k in ("case", "mask_set", "structure")), strict=True
        )
    }
    expected = {(mask_set, name) for _, mask_set, name in keys}
    rows = [
        {"case": case, "mask_set": mask_set, "structure": name, "status": "missing"}
        for case in cases
        for mask_set, name in expected
        if (case, mask_set, name) not in keys
    ]
    joined = pa.concat_tables([structures, schema.table(rows, schema.STRUCTURES)])
    return joined.sort_by([(name, "ascending") for name in ("case", "mask_set", "structure")])


def _write(table: pa.Table, path: Path) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
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

"""Measure every case once and keep the rows on disk; redo only what changed."""

import os
from collections.abc import Generator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic

import pandas as pd
import pyarrow as pa

from explorer import schema
from explorer.dataset import Case, Dataset
from explorer.errors import ExplorerError, StoreError, VolumeError
from explorer.findings import Finding
from explorer.grid import Grid
from explorer.measure import Measures, measure_case
from explorer.store import (
    add_part,
    default_store,
    fingerprint,
    measured,
    merge,
    prepare,
    read_manifest,
    read_so_far,
    read_tables,
)
from explorer.volume import Volume, iter_masks, masks_grid, read_image

SERIAL_BYTES = 64 * 2**20
"""Below this size of the data on disk, worker processes cost more time than they save."""

_PART_SECONDS = 3.0


@dataclass(frozen=True, eq=False)
class Index:
    """The tables of an index.

    Attributes
    ----------
    store
        The folder they were read from.
    cases
        One row per case.
    structures
        One row per case, mask set and structure.
    overlaps
        One row per case, mask set and pair of structures that share voxels.
    findings
        What is wrong with the cases' files, one row each: ``case, structure, kind, what``.
    scores
        One row per case, predicted mask set and structure.
    """

    store: Path
    cases: pd.DataFrame
    structures: pd.DataFrame
    overlaps: pd.DataFrame
    findings: pd.DataFrame
    scores: pd.DataFrame


@dataclass(frozen=True)
class Progress:
    """How far a build is."""

    done: int
    total: int


def build_index(
    dataset: Dataset,
    store: str | os.PathLike[str] | None = None,
    *,
    executor: Executor | None = None,
    progress: bool = True,
) -> Index:
    """Measure every case that is new or changed, and return the tables.

    Parameters
    ----------
    dataset
        What to measure.
    store
        Folder of the index; by default `explorer.store.default_store`.
    executor
        Any `concurrent.futures.Executor`, such as that of ``dask.distributed``; by default worker
        processes of this machine, or none where the data are small.
    progress
        Whether to show a progress bar.

    Raises
    ------
    StoreError
        The store cannot be written, or holds the index of another data set.
    """
    from tqdm.auto import tqdm

    folder = default_store(dataset) if store is None else Path(store)
    bar = None
    for step in iter_build(dataset, folder, executor=executor):
        # Made with the first step: where nothing has changed there is nothing to show.
        bar = bar or tqdm(
            total=step.total, unit="case", desc=f"Measuring {dataset.name}", disable=not progress
        )
        bar.update(step.done - bar.n)
    if bar is not None:
        bar.close()
    return open_index(folder)


def iter_build(
    dataset: Dataset, store: Path, *, executor: Executor | None = None
) -> Generator[Progress, None, None]:
    """Build an index step by step; closing the generator stops it and keeps what was measured.

    Parameters
    ----------
    dataset
        What to measure.
    store
        Folder of the index.
    executor
        As for `build_index`.

    Yields
    ------
    Progress
        First with nothing done, then after each case; not at all when nothing changed.

    Raises
    ------
    StoreError
        The store cannot be written, or holds the index of another data set.
    """
    signatures = {case.id: case.signature() for case in dataset}
    manifest = read_manifest(store)
    if manifest and manifest["fingerprint"] == fingerprint(signatures):
        return
    known = measured(store)
    todo = [case for case in dataset if known.get(case.id) != signatures[case.id]]
    if manifest and manifest["dataset"] != dataset.name and known and len(todo) == len(dataset):
        raise StoreError(
            f"{store} holds the index of {manifest['dataset']!r} ({manifest['location']}), "
            f"not of {dataset.name!r}: give another store."
        )
    prepare(store)
    yield Progress(0, len(todo))
    with ExitStack() as stack:
        stack.callback(merge, store, dataset, signatures)  # last, whatever happens before
        yield from _measure_all(todo, signatures, store, executor, stack)


def open_index(store: str | os.PathLike[str]) -> Index:
    """Open an index without looking at the data set.

    Parameters
    ----------
    store
        Its folder.

    Raises
    ------
    StoreError
        There is none, or it is damaged or of another schema.
    """
    folder = Path(store)
    if read_manifest(folder) is None:
        raise StoreError(f"No index in {folder}: run `explorer index` or build_index first.")
    return _index(folder, read_tables(folder))


def so_far(dataset: Dataset, store: Path) -> Index:
    """Return the rows of the cases whose files are as they were measured, also amid a build.

    Parameters
    ----------
    dataset
        Whose cases.
    store
        Folder of the index; it may not exist yet.
    """
    return _index(store, read_so_far(store, {case.id: case.signature() for case in dataset}))


def measure(case: Case, signature: str) -> Measures:
    """Read and measure one case; whatever is wrong with it becomes a problem of its row.

    Parameters
    ----------
    case
        What to read.
    signature
        Of its files, kept in the row.
    """
    findings: list[Finding] = []
    image: Volume | None = None
    grid: Grid | None = None
    try:
        image = read_image(case)
        grid = image.grid
    except VolumeError as error:
        findings.append(Finding(error.kind, str(error)))
    try:
        if grid is None:
            grid = masks_grid(case)
        found = measure_case(image, grid, iter_masks(case, grid))
    except (ExplorerError, ArithmeticError, ValueError, MemoryError) as error:
        findings.append(Finding("not_measured", f"Not measured: {type(error).__name__}: {error}"))
        found = Measures(
            {},
            [{"mask_set": "reference", "structure": n, "status": "unreadable"} for n in case.masks()],
            [],
            [],
        )
    findings = [replace(finding, case=case.id) for finding in (*findings, *found.findings)]
    image_bytes, mask_bytes = case.sizes()
    row = {
        **found.case,
        "case": case.id,
        "problems": [finding.what for finding in findings if finding.severity != "note"],
        "image_bytes": image_bytes,
        "mask_bytes": mask_bytes,
        "signature": signature,
    }
    return Measures(
        row,
        [{**structure, "case": case.id} for structure in found.structures],
        [{**overlap, "case": case.id} for overlap in found.overlaps],
        findings,
    )


def _measure_all(
    todo: list[Case],
    signatures: Mapping[str, str],
    store: Path,
    executor: Executor | None,
    stack: ExitStack,
) -> Generator[Progress, None, None]:
    waiting: list[Measures] = []

    def flush() -> None:
        if waiting:
            rows = {
                "cases": [m.case for m in waiting],
                "structures": [row for m in waiting for row in m.structures],
                "overlaps": [row for m in waiting for row in m.overlaps],
                "findings": [asdict(finding) for m in waiting for finding in m.findings],
            }
            add_part(store, rows)
            waiting.clear()

    stack.callback(flush)
    if executor is None and sum(sum(case.sizes()) for case in todo) >= SERIAL_BYTES:
        executor = _workers(stack)
    written = monotonic()
    for done, found in enumerate(_results(todo, signatures, executor, stack), start=1):
        waiting.append(found)
        if monotonic() - written > _PART_SECONDS:
            flush()
            written = monotonic()
        yield Progress(done, len(todo))
    flush()


def _workers(stack: ExitStack) -> Executor:
    # loky starts clean processes (no fork of a threaded kernel) and needs no __main__ guard.
    import loky

    pool = loky.ProcessPoolExecutor(max_workers=loky.cpu_count())
    stack.callback(pool.shutdown, wait=True, kill_workers=True)
    return pool  # type: ignore[no-any-return] # loky is untyped


def _results(
    todo: list[Case], signatures: Mapping[str, str], executor: Executor | None, stack: ExitStack
) -> Generator[Measures, None, None]:
    if executor is None:
        for case in todo:
            yield measure(case, signatures[case.id])
        return
    futures: dict[Future[Measures], str] = {
        executor.submit(measure, case, signatures[case.id]): case.id for case in todo
    }
    stack.callback(lambda: [future.cancel() for future in futures])
    for future in as_completed(futures):
        try:
            yield future.result()
        except BrokenExecutor as error:
            raise StoreError(
                f"A worker process died while {futures[future]} or another case was measured, most likely "
                "for want of memory. What was measured is kept: build the index again with fewer workers."
            ) from error


def _index(store: Path, tables: Mapping[str, pa.Table]) -> Index:
    cases = _pandas(tables["cases"])
    cases["problems"] = [tuple(found) if found is not None else () for found in cases["problems"]]
    return Index(
        store,
        cases,
        _pandas(tables["structures"]),
        _pandas(tables["overlaps"]),
        _pandas(tables["findings"]),
        _pandas(schema.SCORES.empty_table()),
    )


def _pandas(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    with suppress(KeyError):
        frame["voxels"] = frame["voxels"].astype("Int64")
    return frame

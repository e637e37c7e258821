"""Measure every case once and keep the rows on disk; redo only what changed."""

import os
import sys
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from explorer import schema
from explorer.building import Progress as Progress
from explorer.building import file_signatures
from explorer.building import iter_build as iter_build
from explorer.dataset import Dataset
from explorer.errors import StoreError
from explorer.findings import printable
from explorer.store import read_manifest, read_so_far, read_tables, store_of

if TYPE_CHECKING:
    import pandas as pd

_LOG_SECONDS = 30.0


@dataclass(frozen=True)
class Summary:
    """What a build did.

    Attributes
    ----------
    measured, kept
        Cases measured by it, and cases whose rows were there.
    seconds
        How long it took.
    differed
        Of a build with `verify`: the cases that are not as they were measured before, and in what.
    """

    measured: int
    kept: int
    seconds: float
    differed: tuple[str, ...] = ()


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
    summary
        What the build did that returned it; None when it was only opened.
    """

    store: Path
    cases: "pd.DataFrame"
    structures: "pd.DataFrame"
    overlaps: "pd.DataFrame"
    findings: "pd.DataFrame"
    scores: "pd.DataFrame"
    summary: Summary | None = None


def build_index(
    dataset: Dataset,
    store: str | os.PathLike[str] | None = None,
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    verify: bool = False,
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
    workers
        How many worker processes where no executor is given; 1 measures in this process.
    verify
        Whether to read all cases again, also those whose files have kept their sizes and times.
    progress
        Whether to show a progress bar.

    Raises
    ------
    StoreError
        The store cannot be written, holds the index of another data set, or the executor failed.
    DatasetError
        The place of the data set no longer answers; what was measured is kept.
    """
    folder = store_of(dataset, store)
    how: dict[str, Any] = {"executor": executor, "workers": workers, "verify": verify, "progress": progress}
    summary = update_index(dataset, folder, **how)
    return replace(open_index(folder), summary=summary)


def update_index(
    dataset: Dataset,
    store: Path,
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    verify: bool = False,
    progress: bool = True,
) -> Summary:
    """Do what `build_index` does, but leave the tables on disk; no data frame is made.

    Parameters
    ----------
    dataset, executor, workers, verify, progress
        As for `build_index`.
    store
        Folder of the index.

    Raises
    ------
    StoreError
        The store cannot be written, holds the index of another data set, or the executor failed.
    DatasetError
        The place of the data set no longer answers; what was measured is kept.
    """
    start = monotonic()
    bar = None
    name = printable(dataset.name)
    step = Progress(0, 0)
    differed: list[str] = []
    steps = iter_build(dataset, store, executor=executor, workers=workers, verify=verify)
    with ExitStack() as stack:
        stack.enter_context(closing(steps))
        for step in steps:
            # Made with the first step: where nothing has changed there is nothing to show.
            bar = bar or stack.enter_context(_bar(step.total, f"Measuring {name}", progress))
            bar.update(step.done - bar.n)
            if step.differs:
                differed.append(step.differs)
    return Summary(step.total, len(dataset) - step.total, monotonic() - start, tuple(differed))


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
    folder = Path(store).expanduser()
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
    return _index(store, read_so_far(store, file_signatures(dataset)))


def _bar(total: int, what: str, progress: bool) -> Any:  # noqa: ANN401 - of a notebook or a terminal
    from tqdm.auto import tqdm

    # A log file gets a line now and then, not ten a second.
    seconds = 0.1 if sys.stderr.isatty() or "ipykernel" in sys.modules else _LOG_SECONDS
    return tqdm(
        total=total,
        unit="case",
        desc=what,
        disable=not progress,
        mininterval=seconds,
        maxinterval=2 * seconds,
    )


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


def _pandas(table: pa.Table) -> "pd.DataFrame":
    frame: pd.DataFrame = table.to_pandas()
    with suppress(KeyError):
        frame["voxels"] = frame["voxels"].astype("Int64")
    return frame

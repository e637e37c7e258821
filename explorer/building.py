"""Measure what is new or changed, step by step, and keep it."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from explorer.case import Case
from explorer.dataset import Dataset
from explorer.errors import DatasetError, StoreError
from explorer.findings import OUTAGES
from explorer.store import (
    add_part,
    default_store,
    measured,
    merge,
    part_names,
    place,
    prepare,
    read_manifest,
    read_tables,
)
from explorer.verify import comparison
from explorer.workers import WorkerError, cores, do

if TYPE_CHECKING:
    from explorer.measure import Measures

SERIAL_BYTES = 64 * 2**20
"""Below this size of the data on disk, worker processes cost more time than they save."""

_PARTS = 64
_WRITING_SHARE = 0.05
_MOST_LOST = 3


@dataclass(frozen=True)
class Progress:
    """How far a build is.

    Attributes
    ----------
    done, total
        Cases.
    differs
        Of a build with `verify`: in what the case just measured is not as it was before.
    """

    done: int
    total: int
    differs: str = ""


def iter_build(
    dataset: Dataset,
    store: Path,
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    verify: bool = False,
) -> Generator[Progress, None, None]:
    """Build an index step by step; closing the generator stops it and keeps what was measured.

    Parameters
    ----------
    dataset
        What to measure.
    store
        Folder of the index.
    executor, workers, verify
        As for `build_index`.

    Yields
    ------
    Progress
        First with nothing done, then after each case; not at all when nothing changed.

    Raises
    ------
    StoreError
        The store cannot be written, holds the index of another data set, or the executor failed.
    DatasetError
        The place of the data set no longer answers; what was measured is kept.
    """
    return _build(_plan(dataset, store, verify=verify), executor, workers)


def file_signatures(dataset: Dataset) -> dict[str, str]:
    """Return what tells whether the files of a case have changed, by case; empty where none can be listed.

    Raises
    ------
    DatasetError
        The place of the data set does not answer.
    """
    return {case.id: _signature(case) for case in dataset}


def _signature(case: Case) -> str:
    try:
        return case.signature()
    except DatasetError as error:
        if error.kind in OUTAGES:
            raise
        return ""


@dataclass(frozen=True, eq=False)
class _Plan:
    """What a build has to do: cases to measure, and whether tables and parts have to be merged."""

    dataset: Dataset
    store: Path
    signatures: Mapping[str, str]
    todo: Sequence[Case]
    unmerged: bool
    verify: bool

    @property
    def needed(self) -> bool:
        return bool(self.todo) or self.unmerged


def _plan(dataset: Dataset, store: Path, *, verify: bool) -> _Plan:
    signatures = file_signatures(dataset)
    manifest = read_manifest(store)
    known = measured(store)
    todo = [
        case
        for case in dataset
        if verify or not signatures[case.id] or (case.id, signatures[case.id]) not in known
    ]
    names = {case for case, _ in known}
    if manifest and known and known.isdisjoint(signatures.items()):
        _refuse_another(dataset, store, manifest, names)
    unmerged = manifest is None or part_names(store) or names != signatures.keys()
    return _Plan(dataset, store, signatures, todo, bool(unmerged), verify)


def _build(plan: _Plan, executor: Executor | None, workers: int | None) -> Generator[Progress, None, None]:
    if not plan.needed:
        return
    # Here, since without measuring there is no need of what reads images.
    from explorer.intake import measure_files, worker_died

    dataset, store, signatures, todo = plan.dataset, plan.store, plan.signatures, plan.todo
    prepare(store)
    if plan.unmerged:
        merge(store, dataset, signatures)  # also says whose index it is, should the build be killed
    yield Progress(0, len(todo))
    differences = comparison(read_tables(store)) if plan.verify else None
    with ExitStack() as stack:
        stack.callback(merge, store, dataset, signatures)  # last, whatever happens before
        write = _writer(dataset, store, signatures, stack)
        tasks = {case.id: (case, signatures[case.id]) for case in todo}
        where = (
            (workers or _default_workers(c for c in todo if signatures[c.id]))
            if executor is None
            else executor
        )
        results = stack.enter_context(closing(do(measure_files, tasks, where, died=worker_died)))
        try:
            for done, found in enumerate(_unless_lost(results, dataset, len(todo)), start=1):
                write(found)
                yield Progress(done, len(todo), differences(_rows([found])) if differences else "")
        except WorkerError as error:
            raise StoreError(str(error)) from error


def _unless_lost(
    results: "Iterable[tuple[str, Measures]]", dataset: Dataset, total: int
) -> "Iterator[Measures]":
    """Pass on what was measured until the place of the data set keeps back too many cases in a row."""
    done = 0
    lost: list[Measures] = []
    for _, found in results:
        outage = next((finding for finding in found.findings if finding.kind in OUTAGES), None)
        lost.append(found)
        if outage is None:
            yield from lost
            done += len(lost)
            lost.clear()
        elif len(lost) == _MOST_LOST:
            raise DatasetError(
                f"The build has stopped, since {dataset.location} no longer answers: {outage.what} "
                f"{done:,} of {total:,} cases were measured and are kept: the next build goes on from there.",
                outage.kind,
            )
    yield from lost


def _refuse_another(dataset: Dataset, store: Path, manifest: Mapping[str, Any], known: set[str]) -> None:
    """Refuse a store of which no row holds, unless all files of this very data set have changed."""
    here = place(dataset.location)
    # Beside a data set lies its own index, also where both were copied from elsewhere.
    same_place = place(manifest["location"]) == here or store.resolve() == default_store(dataset).resolve()
    if manifest["dataset"] != dataset.name or known.isdisjoint(dataset.cases) or not same_place:
        raise StoreError(
            f"{store} holds the index of {manifest['dataset']!r} ({manifest['location']}), "
            f"not of {dataset.name!r} ({here}): give another store, or delete this one."
        )


def _default_workers(cases: Iterable[Case]) -> int:
    return cores() if sum(sum(case.sizes()) for case in cases) >= SERIAL_BYTES else 1


def _writer(
    dataset: Dataset, store: Path, signatures: Mapping[str, str], stack: ExitStack
) -> "Callable[[Measures], None]":
    """Return a function that keeps what was measured; at the end the rest is written.

    A case that takes long is on disk at once. Small ones are written together, so that writing,
    and merging what was written, each take a twentieth of the time at most.
    """
    waiting: list[Measures] = []
    next_part = next_merge = 0.0

    def flush() -> None:
        if waiting:
            add_part(store, _rows(waiting))
            waiting.clear()

    def write(found: "Measures") -> None:
        nonlocal next_part, next_merge
        waiting.append(found)
        start = monotonic()
        if start >= next_part:
            flush()
            next_part = _after(start)
        start = monotonic()
        if start >= next_merge and len(part_names(store)) >= _PARTS:
            merge(store, dataset, signatures)
            next_merge = _after(start)

    stack.callback(flush)
    return write


def _after(start: float) -> float:
    """Return when to do again what was begun at `start` and has just been done."""
    now = monotonic()
    return now + (now - start) / _WRITING_SHARE


def _rows(measures: "Sequence[Measures]") -> dict[str, list[dict[str, Any]]]:
    return {
        "cases": [m.case for m in measures],
        "structures": [row for m in measures for row in m.structures],
        "overlaps": [row for m in measures for row in m.overlaps],
        "findings": [asdict(finding) for m in measures for finding in m.findings],
    }

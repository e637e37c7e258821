"""Spread work over processes of this machine, or over any executor.

Submission is bounded, so that results never pile up, and a worker that dies costs no more than
the task that killed it.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager
from itertools import islice
from queue import SimpleQueue
from typing import Any, TypeVar

from explorer.errors import ExplorerError

Result = TypeVar("Result")
Tasks = Mapping[str, tuple[Any, ...]]
"""Arguments of each task by its name, in the order in which they are to be done."""

AHEAD = 512
"""Most tasks submitted and not yet taken: enough for a large cluster, small in memory."""

ENVIRONMENT: Mapping[str, str] = {
    # There is one worker per core, so each may use one thread.
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
    ),
    # Let glibc use the memory of one mask for the next, instead of new pages that the system clears.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20),
}
"""Of a worker."""


class WorkerError(ExplorerError):
    """Tasks were not done, for no fault that they could report themselves.

    Parameters
    ----------
    message
        What happened.
    suspects
        Names of the tasks that may have been under way, the likeliest first.
    """

    def __init__(self, message: str, suspects: Iterable[str]) -> None:
        super().__init__(message)
        self.suspects = tuple(suspects)


def cores() -> int:
    """Return how many cores this process may use, in a container too."""
    import loky

    return int(loky.cpu_count())


def do(
    work: Callable[..., Result], tasks: Tasks, where: Executor | int, *, died: Callable[..., Result]
) -> Generator[tuple[str, Result], None, None]:
    """Do tasks in an executor, in as many processes, or in this process where that is one.

    See `spread` and `spread_over_processes`.
    """
    if not isinstance(where, int):
        yield from spread(work, tasks, where)
    elif where > 1:
        yield from spread_over_processes(work, tasks, where, died=died)
    else:
        for name, arguments in tasks.items():
            yield name, work(*arguments)


def spread(
    work: Callable[..., Result], tasks: Tasks, executor: Executor, *, cancel: bool = True
) -> Generator[tuple[str, Result], None, None]:
    """Do tasks in an executor.

    Parameters
    ----------
    work
        A function that pickles, called with the arguments of a task.
    tasks
        What to do.
    executor
        Any `concurrent.futures.Executor`; it is left running.
    cancel
        Whether closing the generator cancels what has not begun.

    Yields
    ------
    tuple
        Name and result of each task, as they are done.

    Raises
    ------
    WorkerError
        A worker died, or the executor cannot do the work.
    """
    waiting: dict[Future[Result], str] = {}
    done: SimpleQueue[Future[Result]] = SimpleQueue()
    left = iter(tasks.items())
    try:
        while True:
            for name, arguments in islice(left, AHEAD - len(waiting)):
                try:
                    future = executor.submit(work, *arguments)
                except RuntimeError as error:  # a broken executor, or one that was shut down
                    raise _failure(error, name, waiting.values()) from error
                waiting[future] = name
                future.add_done_callback(done.put)
            if not waiting:
                return
            future = done.get()
            failed = CancelledError() if future.cancelled() else future.exception()
            if failed is not None:
                raise _failure(failed, waiting[future], waiting.values()) from failed
            yield waiting.pop(future), future.result()
    finally:
        if cancel:
            for future in waiting:
                future.cancel()


def spread_over_processes(
    work: Callable[..., Result], tasks: Tasks, workers: int, *, died: Callable[..., Result]
) -> Generator[tuple[str, Result], None, None]:
    """Do tasks in processes of this machine; closing the generator ends these.

    When a worker dies, the tasks that may have killed it are done one at a time, and then all
    others.

    Parameters
    ----------
    work, tasks
        As for `spread`.
    workers
        How many processes.
    died
        Called here, with the arguments of a task that has killed its worker again when it was
        alone: returns what stands for its result.

    Yields
    ------
    tuple
        Name and result of each task, as they are done.

    Raises
    ------
    WorkerError
        The processes cannot do the work.
    """
    left = dict(tasks)
    while left:
        try:
            with _pool(min(workers, len(left))) as pool:
                for name, result in spread(work, left.copy(), pool, cancel=False):
                    del left[name]
                    yield name, result
            continue
        except WorkerError as error:
            if not isinstance(error.__cause__, BrokenExecutor):
                raise
            # An executor starts tasks in their order, and takes a few more than it has workers.
            suspects = error.suspects[: 2 * workers]
        for name in suspects:
            try:
                with _pool(1) as pool:
                    yield from spread(work, {name: left[name]}, pool, cancel=False)
            except WorkerError as error:
                if not isinstance(error.__cause__, BrokenExecutor):
                    raise
                yield name, died(*left[name])
            del left[name]


@contextmanager
def _pool(workers: int) -> Generator[Executor, None, None]:
    # loky starts clean processes (no fork of a threaded kernel) and needs no __main__ guard.
    import loky

    pool = loky.ProcessPoolExecutor(
        max_workers=workers, initializer=_begin, initargs=(os.getpid(),), env=dict(ENVIRONMENT)
    )
    try:
        yield pool
    finally:
        # Its manager thread does not bear futures that are cancelled at the same time.
        pool.shutdown(wait=True, kill_workers=True)


def _begin(parent: int) -> None:
    """Make a worker leave Ctrl-C to its parent, and end when that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "getppid") and os.name == "posix":
        threading.Thread(target=_end_with, args=(parent,), name="explorer-parent", daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _failure(error: BaseException, name: str, under_way: Iterable[str]) -> WorkerError:
    if isinstance(error, BrokenExecutor):
        suspects = list(dict.fromkeys(under_way)) or [name]
        return WorkerError(_named(suspects), suspects)
    return WorkerError(
        f"The executor did not measure {name}: {type(error).__name__}: {error}. What was measured is kept: "
        "build the index again, which goes on from there.",
        [name],
    )


def _named(cases: list[str]) -> str:
    shown = ", ".join(cases[:4]) + (f" or {len(cases) - 4} others" if len(cases) > 4 else "")
    return (
        f"A worker process died while it measured {shown}, most likely for want of memory. What was measured "
        "is kept: build the index again, with fewer workers."
    )

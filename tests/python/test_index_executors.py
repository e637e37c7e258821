"""Any `concurrent.futures.Executor` measures the same."""

import os
import pickle
import zipfile
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing import get_context
from pathlib import Path

import loky
import numpy as np
import pandas as pd
import pytest
from samples import SHAPE, box_mask

from explorer import build_index, open_dataset, workers
from explorer.index import Index, iter_build

LIVER = {"liver": box_mask((1, 3), (2, 4), (3, 5)), "spleen": np.zeros(SHAPE, np.uint8)}
SIX = {f"s000{n}": LIVER for n in range(1, 7)}


def same(one: Index, other: Index) -> None:
    for table in ("cases", "structures", "overlaps", "findings"):
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table))


@contextmanager
def dask_cluster() -> Iterator[Executor]:
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client.get_executor(pure=False)


EXECUTORS = {
    "threads": lambda: ThreadPoolExecutor(2),
    "spawned processes": lambda: ProcessPoolExecutor(2, mp_context=get_context("spawn")),
    "loky": lambda: loky.ProcessPoolExecutor(2),
    "dask": dask_cluster,
}


@pytest.mark.parametrize("kind", EXECUTORS)
def test_any_executor_measures_the_same(write, tmp_path: Path, kind: str):
    dataset = open_dataset(write(SIX))
    with EXECUTORS[kind]() as executor:
        spread = build_index(dataset, tmp_path / "one", executor=executor, progress=False)
        # It is left running, for the next build.
        assert executor.submit(sum, (1, 2)).result() == 3
    assert spread.summary.measured == 6
    same(spread, build_index(dataset, tmp_path / "two", progress=False))


def test_workers_measure_a_zip(write, tmp_path: Path):
    root = write(SIX)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted(root.rglob("*.*")):
            archive.write(path, path.relative_to(tmp_path))
    dataset = open_dataset(tmp_path / "set.zip")
    spread = build_index(dataset, tmp_path / "one", workers=2, progress=False)
    same(spread, build_index(dataset, tmp_path / "two", workers=1, progress=False))


class Counting(Executor):
    """Does a task at once, and notes what it would weigh on its way."""

    def __init__(self) -> None:
        self.bytes = 0
        self.futures: list[Future] = []

    def submit(self, work, /, *arguments):
        future: Future = Future()
        self.bytes = max(self.bytes, len(pickle.dumps((work, arguments))))
        self.futures.append(future)
        future.set_result(work(*arguments))
        return future


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_task_is_small_to_send(write, tmp_path: Path, kind: str):
    """A case of a large data set; in a zip, its directory must not travel with every case."""
    root = write({f"s{n:04d}": {"mri": b"", **{f"structure_{m}": b"" for m in range(56)}} for n in range(40)})
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            for path in sorted(root.rglob("*.*")):
                archive.write(path, path.relative_to(tmp_path))
        root = tmp_path / "set.zip"
    executor = Counting()
    build_index(open_dataset(root), tmp_path / "store", executor=executor, progress=False)
    assert 0 < executor.bytes < 8_000


def test_no_more_is_submitted_than_is_taken(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "AHEAD", 2)
    executor = Counting()
    dataset = open_dataset(write(SIX))
    with closing(iter_build(dataset, tmp_path / "store", executor=executor)) as steps:
        for step in steps:
            assert len(executor.futures) <= max(2, step.done + 1)
    assert len(executor.futures) == 6


def threads_and_signal() -> tuple[dict[str, str | None], object]:
    import signal

    return {name: os.environ.get(name) for name in workers.ENVIRONMENT}, signal.getsignal(signal.SIGINT)


def test_worker_processes_use_one_thread_each_and_leave_ctrl_c_to_their_parent():
    import signal

    [(_, (environment, handler))] = workers.spread_over_processes(
        threads_and_signal, {"": ()}, 2, died=threads_and_signal
    )
    assert environment == dict(workers.ENVIRONMENT)
    assert handler == signal.SIG_IGN


def test_nothing_of_a_cluster_is_imported_before_it_is_used():
    import subprocess
    import sys

    code = "import sys, explorer.index; print([m for m in ('distributed', 'mpi4py', 'loky', 'tqdm') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        == "[]\n"
    )

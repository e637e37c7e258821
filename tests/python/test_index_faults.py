"""What may befall a build: each test does it."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from isal.igzip_lib import IsalError
from samples import SHAPE, box_mask, nifti_bytes

from explorer import build_index, intake, open_dataset, open_index, store
from explorer.case import Case
from explorer.cli import main
from explorer.dataset import Dataset
from explorer.errors import ExplorerError, StoreError
from explorer.files import Files
from explorer.index import iter_build, so_far

LIVER = {"liver": box_mask((1, 3), (2, 4), (3, 5)), "spleen": np.zeros(SHAPE, np.uint8)}
SIX = {f"s000{n}": LIVER for n in range(1, 7)}
MANY = 60


def same(one, other) -> None:
    for table in ("structures", "overlaps", "findings"):
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table))
    pd.testing.assert_frame_equal(one.cases, other.cases)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cases that take tens of milliseconds each; their files are links to the same few."""
    root = tmp_path_factory.mktemp("large") / "set"
    shape = (192, 192, 96)
    image = np.add.outer(np.add.outer(np.arange(192), np.arange(192)), np.arange(96)).astype(np.int16)
    files = {"mri.nii.gz": nifti_bytes(image)}
    for n in range(6):
        mask = nifti_bytes(box_mask((18 * n, 180), (10, 180 - n), (6, 80), shape=shape))
        files[f"segmentations/structure_{n}.nii.gz"] = mask
    for number in range(MANY):
        for name, content in files.items():
            path = root / f"s{number:04d}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if number:
                path.hardlink_to(root / "s0000" / name)
            else:
                path.write_bytes(content)
    return root


@pytest.fixture(autouse=True)
def heeds_ctrl_c() -> Iterator[None]:
    """What a shell runs in the background is deaf to it, and so are the processes that tests start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(root: Path, folder: Path, *options: str, command: str = "index") -> subprocess.Popen:
    words = [sys.executable, "-m", "explorer.cli", command, str(root), "--store", str(folder), *options]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until_measured(build: subprocess.Popen, folder: Path, cases: int) -> None:
    end = time.monotonic() + 60
    while build.poll() is None and time.monotonic() < end:
        if len(store.measured(folder)) >= cases:
            return
        time.sleep(0.02)
    pytest.fail(f"{build.poll()}: {build.communicate()}")


def gone(processes: list[psutil.Process], seconds: float) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_build_goes_on_where_it_was(large: Path, tmp_path: Path, workers: str):
    build = start(large, tmp_path / "store", "--workers", workers)
    wait_until_measured(build, tmp_path / "store", 5)
    children = psutil.Process(build.pid).children(recursive=True)
    build.kill()
    build.communicate()
    assert gone(children, 10)
    kept = len(store.measured(tmp_path / "store"))
    assert 5 <= kept < MANY
    done = start(large, tmp_path / "store", "--workers", "2", "--json")
    summary = json.loads(done.communicate()[0])
    assert (summary["kept"], summary["measured"]) == (kept, MANY - kept)
    assert len(open_index(tmp_path / "store").cases) == MANY
    assert not list((tmp_path / "store/parts").glob("*.parquet"))


@pytest.mark.parametrize(("command", "workers"), [("index", "1"), ("index", "2"), ("check", "2")])
def test_ctrl_c_stops_soon_and_keeps_what_was_measured(
    large: Path, tmp_path: Path, command: str, workers: str
):
    build = start(large, tmp_path / "store", "--workers", workers, command=command)
    wait_until_measured(build, tmp_path / "store", 5)
    children = psutil.Process(build.pid).children(recursive=True)
    started = time.monotonic()
    for process in (*children, build):  # a terminal sends it to all of them
        process.send_signal(signal.SIGINT)
    _, said = build.communicate(timeout=20)
    assert time.monotonic() - started < 5
    assert build.returncode == 1
    assert said.splitlines()[-1] == (
        "Stopped. What was measured is kept: the same command goes on from there."
    )
    assert "Traceback" not in said
    assert gone(children, 5)
    # In tables, or, where the signal came amid the last merge, in parts that the next build takes over.
    assert 5 <= len(so_far(open_dataset(large), tmp_path / "store").cases) <= MANY


@pytest.mark.parametrize("command", ["index", "check"])
def test_progress_in_a_log_file_is_a_few_lines(large: Path, tmp_path: Path, command: str):
    said = start(large, tmp_path / "store", "--workers", "2", command=command).communicate()[1]
    # Cases, the time taken and the time left, and the pace.
    assert re.search(rf" 0/{MANY} \[\d\d:\d\d<\?, \?case/s\]", said)
    assert re.search(rf"100%.* {MANY}/{MANY} \[\d\d:\d\d<00:00, +[\d.]+case/s\]", said)
    assert said.count("Measuring") <= 3


def test_two_processes_at_once_do_no_harm(large: Path, tmp_path: Path):
    builds = [start(large, tmp_path / "store", "--workers", "1", "--json") for _ in range(2)]
    while not (tmp_path / "store/manifest.json").exists():
        assert any(build.poll() is None for build in builds)
        time.sleep(0.01)
    seen = []
    while any(build.poll() is None for build in builds):
        index = open_index(tmp_path / "store")
        seen.append(len(index.cases))
        assert len(index.structures) == 6 * len(index.cases)
        time.sleep(0.02)
    summaries = [json.loads(build.communicate()[0]) for build in builds]
    assert [build.returncode for build in builds] == [0, 0]
    assert [summary["cases"] for summary in summaries] == [MANY, MANY]
    assert seen == sorted(seen)
    one = build_index(open_dataset(large), tmp_path / "other", progress=False)
    same(open_index(tmp_path / "store"), one)


def full_disk(patch: pytest.MonkeyPatch, writes: int) -> list[int]:
    """Let as many writes succeed; return a list that counts them."""
    count = [0]
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if count[0] == writes:
            raise OSError(errno.ENOSPC, "No space left on device")
        count[0] += 1
        fsync(descriptor)

    patch.setattr(os, "fsync", full)
    return count


def test_a_disk_that_is_full_at_any_write_costs_nothing_that_was_written(
    write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = write(SIX)
    monkeypatch.setattr("explorer.building._WRITING_SHARE", 100.0)  # every case at once, however fast
    with monkeypatch.context() as patch:
        count = full_disk(patch, 10_000)
        expected = build_index(open_dataset(root), tmp_path / "whole", progress=False)
        [writes] = count
    assert writes > 6 * len(store.TABLES)
    for possible in range(writes):
        folder = tmp_path / f"store{possible}"
        with monkeypatch.context() as patch:
            full_disk(patch, possible)
            with pytest.raises(StoreError, match=r"No space left on device.*another folder as store"):
                build_index(open_dataset(root), folder, progress=False)
        found = so_far(open_dataset(root), folder)
        assert len(found.structures) == 2 * len(found.cases)
        assert not list(folder.rglob(".*parquet*"))
        after = build_index(open_dataset(root), folder, progress=False)
        assert after.summary.kept == len(found.cases)
        same(after, expected)


def test_a_small_disk_fills_and_what_it_holds_stays_usable(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Something is on disk before it is full, however fast cases are measured.
    monkeypatch.setattr("explorer.building._WRITING_SHARE", 100.0)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=250k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no permission to mount a small disk")
    try:
        with pytest.raises(StoreError, match="No space left on device"):
            build_index(open_dataset(large), disk / "store", progress=False)
        found = so_far(open_dataset(large), disk / "store")
        assert 0 < len(found.cases) < MANY
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        after = build_index(open_dataset(large), disk / "store", progress=False)
        assert (after.summary.kept, len(after.cases)) == (len(found.cases), MANY)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@contextmanager
def read_only(folder: Path):
    bound = ["mount", "--bind", str(folder), str(folder)]
    if shutil.which("mount") is None or subprocess.run(bound, check=False, capture_output=True).returncode:
        pytest.skip("no permission to mount a folder read-only")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_read_only_disk_is_read_and_its_index_used(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = write(SIX, root="disk/set")
    with read_only(root.parent):
        index = build_index(open_dataset(root), progress=False)
        assert index.store.is_relative_to(tmp_path / "cache")
        with pytest.raises(StoreError, match=r"Read-only file system.*another folder as store"):
            build_index(open_dataset(root), root.parent / "x", progress=False)
    build_index(open_dataset(root), progress=False)
    with read_only(root.parent):
        index = build_index(open_dataset(root), progress=False)
        assert (index.store.parent, index.summary.kept) == (root.parent, 6)


def test_a_part_of_changed_files_lends_no_rows_to_the_new_ones(write, tmp_path: Path):
    """Two killed builds with a change between: the same case, two signatures, two parts."""
    root = write(SIX)
    before = build_index(open_dataset(root), tmp_path / "before", progress=False)
    (root / "s0001/segmentations/spleen.nii.gz").unlink()
    shifted = nifti_bytes(LIVER["liver"], np.diag([1.0, 1, 1, 1]))
    (root / "s0001/segmentations/liver.nii.gz").write_bytes(shifted)
    after = build_index(open_dataset(root), tmp_path / "after", progress=False)
    assert before.findings.empty
    assert list(after.findings["kind"]) == ["other_grid"]

    def rows(name: str) -> dict:
        tables = {t: pq.read_table(tmp_path / name / f"{t}.parquet").to_pylist() for t in store.TABLES}
        return {t: [row for row in tables[t] if row["case"] == "s0001"] for t in store.TABLES}

    for number, order in enumerate((("before", "after"), ("after", "before"))):
        folder = tmp_path / f"store{number}"
        store.prepare(folder)
        for name in order:
            store.add_part(folder, rows(name))
        found = so_far(open_dataset(root), folder)
        assert list(found.structures["status"]) == ["unreadable"]
        assert list(found.findings["kind"]) == ["other_grid"]
        index = build_index(open_dataset(root), folder, progress=False)
        assert index.summary.measured == 5
        same(index, after)


def test_a_merge_killed_between_its_renames_loses_nothing(
    write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = write(SIX)
    folder = tmp_path / "store"
    build_index(open_dataset(root), folder, progress=False)
    mask = root / "s0003/segmentations/liver.nii.gz"
    mask.write_bytes(nifti_bytes(box_mask((1, 6), (2, 4), (3, 5))))
    replace_, moves = Path.replace, []

    def killed(self: Path, target: Path) -> Path:
        if self.parent.name == "next":
            moves.append(target)
            if len(moves) == 3:
                raise KeyboardInterrupt
        return replace_(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        build_index(open_dataset(root), folder, progress=False)
    monkeypatch.undo()
    assert (folder / "next").exists()
    index = open_index(folder)  # a reader sees the new tables before anybody has put them in place
    liver = index.structures[index.structures["structure"] == "liver"].set_index("case")["voxels"]
    assert liver["s0003"] == 20
    again = build_index(open_dataset(root), folder, progress=False)
    assert (again.summary.measured, len(again.cases)) == (0, 6)


def flip_a_bit(path: Path) -> None:
    """Change one bit of the data of the first column."""
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    content = bytearray(path.read_bytes())
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def drop_a_column(path: Path) -> None:
    pq.write_table(pq.read_table(path).drop_columns(["case"]), path)


def change_a_type(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.set_column(0, "case", pa.array([[1]] * len(table))), path)


@pytest.mark.parametrize("damage", [flip_a_bit, cut_short, Path.unlink, drop_a_column, change_a_type])
@pytest.mark.parametrize("table", ["cases", "structures"])
def test_a_damaged_table_is_named_and_measured_anew(write, tmp_path: Path, table: str, damage):
    dataset = open_dataset(write(SIX))
    folder = tmp_path / "store"
    whole = build_index(dataset, folder, progress=False)
    damage(folder / f"{table}.parquet")
    with pytest.raises(StoreError, match=r"is damaged \(.*build it again|No index in"):
        open_index(folder)
    same(build_index(dataset, folder, progress=False), whole)


def test_a_corrupt_part_is_measured_anew_and_swept(write, tmp_path: Path):
    dataset = open_dataset(write(SIX))
    whole = build_index(dataset, tmp_path / "whole", progress=False)
    folder = tmp_path / "store"
    store.prepare(folder)
    cases = pq.read_table(tmp_path / "whole/cases.parquet").to_pylist()
    structures = pq.read_table(tmp_path / "whole/structures.parquet").to_pylist()
    store.add_part(folder, {"cases": cases, "structures": structures})
    [path] = (folder / "parts").glob("*.structures.parquet")
    flip_a_bit(path)
    assert len(so_far(dataset, folder).cases) == 0
    long_ago = time.time() - 2 * 24 * 3600
    for path in (folder / "parts").iterdir():
        os.utime(path, (long_ago, long_ago))
    index = build_index(dataset, folder, progress=False)
    assert index.summary.measured == 6
    same(index, whole)
    assert not list((folder / "parts").iterdir())


@pytest.mark.parametrize("other", [SIX, {"s0001": LIVER, "p1": LIVER}, {"p1": LIVER}])
def test_a_store_of_another_data_set_of_the_same_name_is_refused(write, tmp_path: Path, other: dict):
    folder = tmp_path / "store"
    one = build_index(open_dataset(write(SIX, root="one/set")), folder, progress=False)
    time.sleep(0.01)  # its files are younger
    with pytest.raises(StoreError, match=r"one/set.*two/set.*give another store"):
        build_index(open_dataset(write(other, root="two/set")), folder, progress=False)
    same(open_index(folder), one)


def test_a_store_is_kept_when_other_cases_lie_in_the_place_of_its_own(write, tmp_path: Path):
    root = write(SIX)
    one = build_index(open_dataset(root), progress=False)
    shutil.rmtree(root)
    write({"p1": LIVER})
    with pytest.raises(StoreError, match="give another store"):
        build_index(open_dataset(root), progress=False)
    same(open_index(one.store), one)


def touch_all(root: Path) -> None:
    for path in root.rglob("*.gz"):
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))


def test_a_data_set_whose_files_have_all_changed_keeps_its_store(
    write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = write(SIX)
    folder = tmp_path / "store"
    build_index(open_dataset(root), folder, progress=False)
    (tmp_path / "link").mkdir()
    (tmp_path / "link/set").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    for spelling in (root, "set", "link/set", "./link/../set"):
        touch_all(root)
        index = build_index(open_dataset(spelling), folder, progress=False)
        assert index.summary.measured == 6


def test_a_data_set_that_was_moved_keeps_its_store(write, tmp_path: Path):
    root = write(SIX)
    folder = tmp_path / "store"
    build_index(open_dataset(root), folder, progress=False)
    root.rename(tmp_path / "moved")
    assert build_index(open_dataset(tmp_path / "moved"), folder, progress=False).summary.measured == 0
    assert json.loads((folder / "manifest.json").read_text())["location"] == str(root)


def test_a_data_set_that_was_copied_with_its_store_takes_that_over(write, tmp_path: Path):
    root = write(SIX, root="here/set")
    build_index(open_dataset(root), progress=False)
    shutil.copytree(root.parent, tmp_path / "there")
    touch_all(tmp_path / "there")
    index = build_index(open_dataset(tmp_path / "there/set"), progress=False)
    assert index.summary.measured == 6
    assert index.store == tmp_path / "there/set.explorer"


def test_a_store_of_another_schema_is_refused(write, tmp_path: Path):
    dataset = open_dataset(write(SIX))
    folder = tmp_path / "store"
    build_index(dataset, folder, progress=False)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "schema": 1}))
    with pytest.raises(StoreError, match="schema 1, this version"):
        build_index(dataset, folder, progress=False)


@dataclass(frozen=True)
class Deadly(Files):
    """Files of which one kills the process that reads it, as one without memory is killed."""

    victims: tuple[str, ...] = ()
    parent: int = 0

    def read(self, path: str) -> bytes:
        if path.startswith(self.victims) and os.getpid() != self.parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(path)


def deadly(root: Path, *victims: str) -> Dataset:
    dataset = open_dataset(root)
    place = dataset.files
    files = Deadly(place.location, place.place, place.base, victims=victims, parent=os.getpid())
    cases = {name: replace(case, files=files) for name, case in dataset.cases.items()}
    return replace(dataset, cases=MappingProxyType(cases))


def test_a_case_that_kills_its_worker_is_a_finding_and_all_others_are_measured(write, tmp_path: Path):
    root = write(SIX)
    folder = tmp_path / "store"
    index = build_index(deadly(root, "s0002", "s0005"), folder, workers=2, progress=False)
    assert list(index.cases["case"]) == list(SIX)
    assert list(index.findings["case"]) == ["s0002", "s0005"]
    assert set(index.findings["kind"]) == {"worker_died"}
    rows = index.structures.set_index(["case", "structure"])["status"]
    assert [rows[case, "liver"] for case in ("s0001", "s0002")] == ["complete", "unreadable"]
    again = build_index(open_dataset(root), folder, progress=False)
    assert (again.summary.measured, again.summary.kept) == (2, 4)
    assert again.findings.empty


def test_check_reports_a_case_that_kills_its_worker(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    dataset = deadly(write(SIX), "s0002")
    monkeypatch.setattr("explorer.dataset.open_dataset", lambda _: dataset)
    command = ["check", "set", "--store", str(tmp_path / "store"), "--workers", "2"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert "ERROR worker_died: Measure it where there is more memory" in done.stdout
    assert "  s0002  Not measured: the process that measured it died" in done.stdout
    assert "6 cases: 1 error" in done.stdout


def test_an_executor_whose_worker_dies_is_named_with_the_likely_cases(write, tmp_path: Path):
    folder = tmp_path / "store"
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    with pool, pytest.raises(StoreError, match=r"died while it measured s0004, s0005"):
        build_index(deadly(write(SIX), "s0004"), folder, executor=pool, progress=False)
    assert list(open_index(folder).cases["case"]) == ["s0001", "s0002", "s0003"]


def test_an_executor_that_was_shut_down_is_named(write, tmp_path: Path):
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(ExplorerError, match=r"s0001: RuntimeError: cannot schedule new futures"):
        build_index(open_dataset(write(SIX)), tmp_path / "store", executor=pool, progress=False)


def test_closing_a_build_ends_its_workers(large: Path, tmp_path: Path):
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with closing(iter_build(open_dataset(large), tmp_path / "store", workers=2)) as steps:
        for step in steps:
            if step.done == 2:
                break
        started = [c for c in psutil.Process().children(recursive=True) if c.pid not in before]
        named = [c for c in started if "resource_tracker" not in " ".join(c.cmdline())]
        assert len(named) >= 2
    assert gone(named, 5)


def test_verify_reads_everything_and_says_what_differs(write, tmp_path: Path):
    root = write(SIX)
    folder = tmp_path / "store"
    build_index(open_dataset(root), folder, progress=False)
    again = build_index(open_dataset(root), folder, verify=True, progress=False)
    assert (again.summary.measured, again.summary.differed) == (6, ())
    mask = root / "s0004/segmentations/liver.nii.gz"
    before = mask.stat()
    moved = nifti_bytes(box_mask((2, 4), (2, 4), (3, 5)))
    mask.write_bytes(moved.ljust(before.st_size, b"\0")[: before.st_size])
    os.utime(mask, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert build_index(open_dataset(root), folder, progress=False).summary.measured == 0
    found = build_index(open_dataset(root), folder, verify=True, progress=False)
    [line] = found.summary.differed
    assert line.startswith("s0004: liver bbox_i0 1 became 2")
    after = open_index(folder).structures.set_index(["case", "structure"])
    assert after.loc[("s0004", "liver"), "bbox_i0"] == 2


@pytest.mark.parametrize("where", ["read_image", "masks_grid", "iter_masks"])
@pytest.mark.parametrize("error", [RuntimeError, AssertionError, IsalError, RecursionError])
def test_whatever_goes_wrong_with_a_case_is_a_row_of_it_and_the_build_goes_on(
    write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, error: type[Exception]
):
    real = getattr(intake, where)

    def fails(case: Case, *given: object, **options: object) -> object:
        if case.id == "s0002":
            raise error("by design")
        return real(case, *given, **options)

    monkeypatch.setattr(intake, where, fails)
    image = {"mri": None} if where == "masks_grid" else {}
    dataset = open_dataset(write({"s0001": LIVER, "s0002": {**LIVER, **image}}))
    index = build_index(dataset, tmp_path / "store", workers=1, progress=False)
    assert list(index.cases["case"]) == ["s0001", "s0002"]
    told = index.findings[index.findings["case"] == "s0002"]
    assert f"{error.__name__}: by design" in told["what"].str.cat(sep=" ")
    rows = index.structures[index.structures["case"] == "s0002"].set_index("structure")
    assert sorted(rows.index) == ["liver", "spleen"]
    assert (rows.loc["liver", "status"] == "complete") == (where == "read_image")

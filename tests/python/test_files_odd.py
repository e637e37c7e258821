"""What a folder may hold besides plain files that may be read."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from samples import box_mask

from explorer import build_index, open_dataset
from explorer.errors import DatasetError, VolumeError
from explorer.files import open_files

LIVER = {"liver": box_mask((1, 3), (2, 4), (3, 5))}
posix = pytest.mark.skipif(sys.platform == "win32", reason="of POSIX")


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    """Waiting for ever is a failure."""
    if sys.platform == "win32":
        yield
        return
    signal.alarm(60)
    yield
    signal.alarm(0)


def test_what_is_no_data_set_is_not_waited_for():
    with pytest.raises(DatasetError, match="neither a folder nor a file"):
        open_files(os.devnull)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**32 + 1)  # a hole, which takes no room


ODD = {pipe: ("no_file", "is a pipe or a device"), endless: ("no_file", "is a pipe or a device")} | {
    huge: ("too_long", "has 4,294,967,297 bytes, more than is plausible")
}


@posix
@pytest.mark.parametrize("make", ODD)
@pytest.mark.parametrize("name", ["s0001/mri.nii.gz", "s0001/segmentations/spleen.nii.gz"])
def test_what_is_no_file_is_neither_waited_for_nor_read_for_ever(write, tmp_path: Path, make, name: str):
    kind, what = ODD[make]
    root = write({"s0001": LIVER, "s0002": LIVER})
    (root / name).unlink(missing_ok=True)
    make(root / name)
    index = build_index(open_dataset(root), tmp_path / "store", workers=1, progress=False)
    [finding] = index.findings.itertuples()
    assert (finding.case, finding.kind) == ("s0001", kind)
    assert f"'{name}' {what}" in finding.what
    rows = index.structures.set_index(["case", "structure"])["status"]
    assert (rows["s0001", "liver"], rows["s0002", "liver"]) == ("complete", "complete")
    assert build_index(open_dataset(root), tmp_path / "store", progress=False).summary.measured == 0


@posix
@pytest.mark.parametrize("make", ODD)
def test_a_table_that_is_no_file_is_a_finding(write, make):
    root = write({"s0001": LIVER}, meta="")
    make(root / "meta.csv")
    [problem] = open_dataset(root).problems
    assert problem.kind == "meta_unreadable"


def test_a_file_of_the_largest_size_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("explorer.files.MAX_FILE_BYTES", 1_000)
    (tmp_path / "a").write_bytes(bytes(1_000))
    (tmp_path / "b").write_bytes(bytes(1_001))
    files = open_files(tmp_path)
    assert len(files.read("a")) == 1_000
    with pytest.raises(VolumeError, match="more than is plausible"):
        files.read("b")


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Let a folder not be listed: root may list all, so that its mode would not do."""
    locked: set[str] = set()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path) in locked:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("explorer.files.os.scandir", refuse)
    return lambda path: locked.add(str(path))


@pytest.mark.parametrize("below", ["", "data", "data/version_1"])
def test_a_folder_that_may_not_be_listed_costs_no_other(write, lock, tmp_path: Path, below: str):
    root = write({"s0001": LIVER, "s0002": LIVER}, root=f"top/{below}")
    for folder in {root, root.parent}:
        for name in ("lost+found", "s0000"):
            (folder / name).mkdir()
            lock(folder / name)
    dataset = open_dataset(tmp_path / "top")
    assert list(dataset.cases) == ["s0001", "s0002"]
    [problem] = dataset.problems
    assert (problem.kind, problem.case) == ("unlisted", "s0000")
    assert "Permission denied" in problem.what


def test_masks_that_may_not_be_listed_are_measured_once_they_may(
    write, lock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = write({"s0001": LIVER, "s0002": LIVER})
    lock(root / "s0002/segmentations")
    index = build_index(open_dataset(root), tmp_path / "store", progress=False)
    [finding] = index.findings.itertuples()
    assert (finding.case, finding.kind) == ("s0002", "unreadable")
    assert "Permission denied" in finding.what
    monkeypatch.undo()
    again = build_index(open_dataset(root), tmp_path / "store", progress=False)
    assert again.summary.measured == 1
    assert again.findings.empty


def test_a_place_that_may_not_be_listed_is_named(write, lock):
    root = write({"s0001": LIVER})
    lock(root)
    with pytest.raises(DatasetError, match="Permission denied"):
        open_dataset(root)


def test_other_masks_are_found_beside_a_folder_that_may_not_be_listed(write, lock):
    root = write({"s0001": LIVER})
    other = write({"s0001": LIVER}, root="other/predicted")
    (other.parent / "lost+found").mkdir()
    lock(other.parent / "lost+found")
    assert open_dataset(root).with_mask_set("model", other.parent)["s0001"].masks("model")


@pytest.fixture
def foreign(tmp_path: Path) -> bytes:
    """A name that is not UTF-8, where the file system takes one."""
    try:
        (tmp_path / os.fsdecode(b"\xe9")).mkdir()
    except OSError:
        pytest.skip("names are UTF-8 here")
    return b"l\xe9ber"


@posix
def test_a_mask_whose_name_is_not_utf8_is_left_out_and_told(write, tmp_path: Path, foreign: bytes):
    root = write({"s0001": LIVER, "s0002": LIVER})
    mask = root / "s0002/segmentations/liver.nii.gz"
    mask.with_name(os.fsdecode(foreign) + ".nii.gz").write_bytes(mask.read_bytes())
    index = build_index(open_dataset(root), tmp_path / "store", workers=1, progress=False)
    [finding] = index.findings.itertuples()
    assert (finding.case, finding.kind) == ("s0002", "file_name")
    assert r"s0002/segmentations/l\\xe9ber.nii.gz" in finding.what
    assert set(index.structures["structure"]) == {"liver"}
    assert build_index(open_dataset(root), tmp_path / "store", progress=False).summary.measured == 0
    mask.with_name(os.fsdecode(foreign) + ".nii.gz").rename(mask.with_name("spleen.nii.gz"))
    again = build_index(open_dataset(root), tmp_path / "store", progress=False)
    assert again.findings.empty
    assert list(again.structures["structure"]) == ["liver", "spleen"] * 2


@posix
def test_a_case_whose_name_is_not_utf8_is_left_out_and_told(write, foreign: bytes):
    root = write({"s0001": LIVER, "s0002": LIVER})
    (root / "s0002").rename(root / os.fsdecode(foreign))
    dataset = open_dataset(root)
    assert list(dataset.cases) == ["s0001"]
    [problem] = [p for p in dataset.problems if p.kind == "file_name"]
    assert r"l\\xe9ber" in problem.what


@pytest.mark.parametrize("name", ["Käse", "患者", "it's <b>"])
def test_names_beyond_ascii_are_names(write, tmp_path: Path, name: str):
    dataset = open_dataset(write({name: {name: LIVER["liver"]}}))
    index = build_index(dataset, tmp_path / "store", workers=1, progress=False)
    assert list(index.structures["structure"]) == [name]
    assert index.findings.empty

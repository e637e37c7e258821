"""What a folder may hold besides plain files that may be read."""

import os
import signal
import sys
from collections.abc import Iterator
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

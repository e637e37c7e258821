import io
import os
import pickle
import random
import shutil
import stat
import struct
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from samples import box_mask, nifti_bytes

from explorer import build_index, open_dataset
from explorer import directory as directory_module
from explorer.errors import DatasetError, VolumeError
from explorer.files import open_files

LIVER = {"liver": box_mask((1, 3), (2, 4), (3, 5))}
DATA = random.Random(0).randbytes(5_000) + bytes(5_000)


def write_zip(path: Path, members: dict[str, bytes], **how) -> Path:
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, how.get("compression"))
    return path


def patched(path: Path, *edits: tuple[int, bytes]) -> Path:
    """Overwrite bytes of the first entry of the directory, counted from its signature."""
    data = bytearray(path.read_bytes())
    start = data.rindex(b"PK\5\6")
    start = struct.unpack_from("<L", data, start + 16)[0]
    for at, new in edits:
        data[start + at : start + at + len(new)] = new
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_are_read_in_place(tmp_path, compression):
    path = write_zip(
        tmp_path / "set.zip", {"a/b.bin": DATA, "a/empty": b"", "c": b"x"}, compression=compression
    )
    before = sorted(tmp_path.rglob("*"))
    files = open_files(path)
    assert [(e.name, e.is_dir, e.size) for e in files.ls("")] == [("a", True, 0), ("c", False, 1)]
    assert [e.name for e in files.ls("a")] == ["b.bin", "empty"]
    assert (files.read("a/b.bin"), files.read("a/empty"), files.read("c")) == (DATA, b"", b"x")
    assert files.ls("nowhere") == []
    assert sorted(tmp_path.rglob("*")) == before
    for wrong in ("a", "a/none", "none/none", ""):
        with pytest.raises(VolumeError, match="No file"):
            files.read(wrong)


def test_a_large_member_that_is_stored_is_read_where_it_begins_and_damage_to_it_is_found(tmp_path):
    large = random.Random(1).randbytes(100_000)
    path = write_zip(tmp_path / "set.zip", {"small": DATA, "a/large": large, "last": DATA})
    assert open_files(path).read("a/large") == large
    whole = path.read_bytes()
    at = whole.index(b"a/large") - 30
    for place, new in (
        (at, b"PK"),  # no damage: for the others to differ in their bytes alone
        (at, b"XX"),  # no header
        (at + 26, b"\x08"),  # its name is said to be longer
        (at + 50_000, bytes([whole[at + 50_000] ^ 1])),
    ):
        path.write_bytes(whole[:place] + new + whole[place + len(new) :])
        if new == b"PK":
            assert open_files(path).read("a/large") == large
            continue
        with pytest.raises(VolumeError, match=r"'a/large' in .* is damaged"):
            open_files(path).read("a/large")
    path.write_bytes(whole[: at + 10] + whole[-300:])
    with pytest.raises((VolumeError, DatasetError)):
        open_files(path).read("a/large")


def test_an_archive_written_as_a_stream_or_behind_other_bytes_or_with_a_comment(tmp_path):
    class Stream(io.RawIOBase):
        def __init__(self):
            self.data = bytearray()

        def writable(self):
            return True

        def write(self, data):
            self.data += data
            return len(data)

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", DATA)
        archive.comment = b"a comment with PK\5\6" + bytes(60)
    path = tmp_path / "set.zip"
    path.write_bytes(b"#!/bin/sh\nexit\n" + bytes(stream.data))
    assert open_files(path).read("a") == DATA
    path.write_bytes(bytes(stream.data))
    assert open_files(path).read("a") == DATA


def test_zip64(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 50)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    path = write_zip(tmp_path / "set.zip", {"a": DATA, "b": b"x" * 60, "c": b"y"}, allowZip64=True)
    assert b"PK\6\6" in path.read_bytes()
    assert b"PK\6\7" in path.read_bytes()
    files = open_files(path)
    assert [files.read(name) for name in "abc"] == [DATA, b"x" * 60, b"y"]
    assert [entry.size for entry in files.ls("")] == [10_000, 60, 1]


def test_a_local_header_longer_than_its_copy(tmp_path):
    info = zipfile.ZipInfo("a")
    info.extra = struct.pack("<HH", 0x9999, 3_000) + bytes(3_000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, DATA)
        info.extra = b""
    path = tmp_path / "set.zip"
    path.write_bytes(buffer.getvalue())
    assert open_files(path).read("a") == DATA


BAD = {
    "../evil": "points elsewhere",
    "a/../../evil": "points elsewhere",
    "/etc/passwd": "points elsewhere",
    "C:/windows": "points elsewhere",
    "C:": "points elsewhere",
    "a\\b": "points elsewhere",
    "a//b": "points elsewhere",
    "./a": "points elsewhere",
    "a\nb": "points elsewhere",
    "/".join("d" * 40): "points elsewhere",
    "good/file/x": "points elsewhere",
    "good": "name of a folder",
}


@pytest.mark.parametrize("bad", BAD)
def test_names_that_point_elsewhere_are_left_out_and_told(tmp_path, bad):
    info = zipfile.ZipInfo("x")
    info.filename = bad  # as it is, without what ZipInfo makes of it
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("good/file", b"good")
        archive.writestr(info, b"evil")
    files = open_files(tmp_path / "set.zip")
    assert [e.name for e in files.ls("")] == ["good"]
    assert [e.name for e in files.ls("good")] == ["file"]
    assert files.read("good/file") == b"good"
    with pytest.raises(VolumeError):
        files.read(bad)
    (finding,) = files.findings()
    assert finding.kind == "zip_member"
    assert BAD[bad] in finding.what
    assert repr(bad[:80]) in finding.what


@pytest.mark.parametrize(
    "name", ["it's", 'say "hi"', "<b>&amp;", "Käse", "患者 1", "a b", "..a", "a...", "10:30"]
)
def test_odd_but_honest_names_are_kept(tmp_path, name):
    files = open_files(write_zip(tmp_path / "set.zip", {f"{name}/{name}": DATA, "b": b""}))
    assert files.read(f"{name}/{name}") == DATA
    assert files.findings() == ()


def test_names_in_code_page_437_and_broken_utf8(tmp_path):
    path = write_zip(tmp_path / "set.zip", {"K_se": DATA, "other": b"x"})
    path.write_bytes(path.read_bytes().replace(b"K_se", b"K\x84se"))
    assert open_files(path).read("Käse") == DATA
    patched(path, (8, struct.pack("<H", 0x800)))
    files = open_files(path)
    assert [entry.name for entry in files.ls("")] == ["other"]
    assert "not the UTF-8" in files.findings()[0].what


def test_symbolic_links_are_left_out(tmp_path):
    link = zipfile.ZipInfo("link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("a", b"x")
        archive.writestr(link, "/etc/passwd")
    files = open_files(tmp_path / "set.zip")
    assert [entry.name for entry in files.ls("")] == ["a"]
    assert "symbolic link" in files.findings()[0].what


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_one_name_the_last_file_counts_and_it_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for data in (b"same", b"same", b"other"):
            archive.writestr("a", data)
    files = open_files(tmp_path / "set.zip")
    assert files.read("a") == b"other"
    assert "(1 in all)" in files.findings()[0].what


@pytest.mark.parametrize(
    ("at", "new", "told"),
    [
        (8, struct.pack("<H", 1), "is encrypted"),
        (10, struct.pack("<H", 99), "is encrypted"),
        (10, struct.pack("<H", 12), "method 12 (bzip2)"),
        (10, struct.pack("<H", 777), "method 777 (unknown)"),
        (24, struct.pack("<L", 2**31), "declares 2,147,483,648 bytes"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path, at, new, told):
    path = patched(write_zip(tmp_path / "set.zip", {"a": DATA, "b": b"x"}), (at, new))
    files = open_files(path)
    with pytest.raises(VolumeError) as caught:
        files.read("a")
    assert told in str(caught.value)
    assert "'a'" in str(caught.value)
    assert told in files.findings()[0].what
    assert files.read("b") == b"x"
    with pytest.raises(DatasetError, match="No member can be used"):
        open_files(patched(write_zip(path, {"a": DATA}), (at, new)))


@pytest.mark.parametrize("size", [9_999, 10_001, 10**6, 5_100])
def test_a_size_that_lies_is_found_out_without_unpacking_more(tmp_path, size):
    path = write_zip(tmp_path / "set.zip", {"a": DATA}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(VolumeError, match=r"'a' in .* is damaged"):
        open_files(patched(path, (24, struct.pack("<L", size)))).read("a")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(directory_module, "MAX_FILE_BYTES", 10**6)
    path = write_zip(
        tmp_path / "set.zip", {"a": bytes(1_000_001), "b": bytes(10**6)}, compression=zipfile.ZIP_DEFLATED
    )
    files = open_files(path)
    with pytest.raises(VolumeError, match="declares 1,000,001 bytes"):
        files.read("a")
    assert len(files.read("b")) == 10**6


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("at", [3, 60, 2_000, 4_990])
def test_damage_is_found(tmp_path, compression, at):
    path = write_zip(tmp_path / "set.zip", {"a": DATA}, compression=compression)
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\3\4")
    data[min(start + at, data.rindex(b"PK\1\2") - 1)] ^= 0x40
    path.write_bytes(data)
    with pytest.raises(VolumeError, match="is damaged") as caught:
        open_files(path).read("a")
    assert caught.value.kind == "zip_damaged"


@pytest.mark.parametrize("keep", [0, 10, 200, 5_000, -1, -22])
def test_a_cut_archive_is_named(tmp_path, keep):
    path = write_zip(tmp_path / "set.zip", {"a": DATA})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DatasetError, match=r"set.zip.* is not a whole zip file \([\d,]+ bytes"):
        open_files(path)


@pytest.mark.parametrize(
    ("at", "new", "told"),
    [
        (10, struct.pack("<H", 7), "7 were announced"),
        (12, struct.pack("<L", 2**31), "should start at"),
        (16, struct.pack("<L", 2**31), "should start at"),
        (12, struct.pack("<L", 40), "ends after 0 members"),
        (4, struct.pack("<H", 3), "several parts"),
    ],
)
def test_an_end_record_that_lies_is_found_out(tmp_path, at, new, told):
    path = write_zip(tmp_path / "set.zip", {"a": DATA})
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\5\6")
    data[end + at : end + at + len(new)] = new
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=told):
        open_files(path)


def test_any_damage_to_a_directory_ends_in_an_error_or_the_right_bytes(tmp_path):
    """Flip every byte behind the members: nothing else than our errors may come out."""
    path = write_zip(tmp_path / "set.zip", {"d/a": DATA, "d/b": b"x"}, compression=zipfile.ZIP_DEFLATED)
    whole = path.read_bytes()
    for at in range(whole.index(b"PK\1\2"), len(whole)):
        data = bytearray(whole)
        data[at] ^= 0xFF
        path.write_bytes(data)
        try:
            files = open_files(path)
            for entry in files.ls("d"):
                assert files.read(f"d/{entry.name}") in (DATA, b"x")
        except (DatasetError, VolumeError):
            pass


def test_a_zip_that_changes_is_noticed(tmp_path):
    path = write_zip(tmp_path / "set.zip", {"a": DATA})
    files = open_files(path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(VolumeError, match="has changed since it was opened") as caught:
        files.read("a")
    assert caught.value.kind == "changed"
    path.unlink()
    with pytest.raises(VolumeError, match="Cannot read"):
        files.read("a")


def test_threads_and_forks_read_at_once(tmp_path):
    members = {f"d/{n}": random.Random(n).randbytes(50_000) for n in range(40)}
    files = open_files(write_zip(tmp_path / "set.zip", members))

    def all_right(seed: int) -> bool:
        names = list(members)
        random.Random(seed).shuffle(names)
        return all(files.read(name) == members[name] for name in names)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(all_right, range(16)))
    if sys.platform != "win32":
        child = os.fork()
        if not child:
            os._exit(not all_right(1))
        assert all_right(2)
        assert os.waitpid(child, 0)[1] == 0


def test_a_case_of_a_zip_pickles_small_and_is_opened_once_per_process(tmp_path, monkeypatch):
    members = {f"s{n:04d}/segmentations/{m}.nii.gz": b"x" for n in range(200) for m in range(20)}
    dataset = open_dataset(write_zip(tmp_path / "set.zip", members))
    sent = [pickle.dumps(case) for case in list(dataset)[:50]]
    assert max(map(len, sent)) < 1_500
    opened: list[int] = []
    kind = directory_module.Directory
    monkeypatch.setattr("explorer.archive.Directory", lambda *args: opened.append(1) or kind(*args))
    for data in sent:
        case = pickle.loads(data)
        assert case.read(f"{case.folder}/segmentations/3.nii.gz") == b"x"
    assert len(opened) == 1


def test_hostile_archives_stay_data_sets(write, tmp_path):
    """What is left out and what cannot be read becomes a finding; the rest is measured."""
    root = write({"s0001": LIVER, "s0002": LIVER})
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(root / "s0001/mri.nii.gz", "s0001/mri.nii.gz")  # patched to be encrypted
        for case in ("s0001", "s0002"):
            archive.writestr(f"{case}/segmentations/liver.nii.gz", nifti_bytes(LIVER["liver"]))
        archive.write(root / "s0002/mri.nii.gz", "s0002/mri.nii.gz")
        archive.writestr("../x/mri.nii.gz", b"evil")
        archive.write(root / "meta.csv", "meta.csv")
    dataset = open_dataset(patched(path, (8, b"\1")))
    assert list(dataset.cases) == ["s0001", "s0002"]
    assert [problem.kind for problem in dataset.problems] == ["zip_member", "zip_member"]
    index = build_index(dataset, tmp_path / "store", progress=False)
    assert list(index.findings["case"]) == ["s0001"]
    assert list(index.findings["kind"]) == ["zip_member"]
    assert "is encrypted" in index.findings["what"][0]
    assert list(index.structures["status"]) == ["complete", "complete"]


def test_an_unreadable_meta_is_a_finding(write, tmp_path):
    root = write({"s0001": LIVER})
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(root / "meta.csv", "meta.csv")
        archive.write(root / "s0001/mri.nii.gz", "s0001/mri.nii.gz")
    dataset = open_dataset(patched(path, (16, b"\0\0\0\0")))
    assert list(dataset.cases) == ["s0001"]
    assert "meta_unreadable" in [problem.kind for problem in dataset.problems]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_index_of_a_zip_is_that_of_its_folder(write, tmp_path, compression):
    root = write({"s0001": LIVER, "s0002": {**LIVER, "spleen": b"damaged"}})
    members = {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
    path = write_zip(tmp_path / "set.zip", members, compression=compression)
    one, two = (
        build_index(open_dataset(p), tmp_path / n, progress=False) for p, n in ((root, "one"), (path, "two"))
    )
    pd.testing.assert_frame_equal(
        one.cases.drop(columns="signature", errors="ignore"),
        two.cases.drop(columns="signature", errors="ignore"),
    )
    pd.testing.assert_frame_equal(one.structures, two.structures)
    pd.testing.assert_frame_equal(one.findings, two.findings)


def test_a_folder_is_listed_and_read(write, tmp_path):
    root = write({"s0001": LIVER})
    (root / "dangling").symlink_to(tmp_path / "nowhere")
    files = open_files(root)
    assert [e.name for e in files.ls("")] == ["meta.csv", "s0001"]
    assert files.ls("nowhere") == []
    assert files.name == "set"
    with pytest.raises(VolumeError, match="No file 'x'"):
        files.read("x")
    with pytest.raises(VolumeError, match="Cannot read 's0001'"):
        files.read("s0001")
    with pytest.raises(DatasetError, match=r"Cannot list 'meta\.csv'"):
        files.ls("meta.csv")
    shutil.rmtree(root)
    assert files.ls("") == []


def test_a_folder_within_a_zip(write, tmp_path):
    path = write_zip(tmp_path / "a set.zip", {"one/s0001/mri.nii.gz": b"1", "two/s0001/mri.nii.gz": b"2"})
    files = open_files(f"zip://two::{path.as_uri()}")
    assert files.read("s0001/mri.nii.gz") == b"2"

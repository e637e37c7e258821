"""What goes wrong for a while, and not because of a file: the next build makes good for it."""

import os
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from range_server import serving
from samples import SHAPE, box_mask

from explorer import build_index, intake, network, open_dataset, open_index
from explorer.dataset import Dataset
from explorer.errors import DatasetError, VolumeError
from explorer.files import Entry, Files
from explorer.index import Index, so_far

LIVER = {"liver": box_mask((1, 3), (2, 4), (3, 5)), "spleen": np.zeros(SHAPE, np.uint8)}
FIVE = {f"s000{n}": LIVER for n in range(1, 6)}


@dataclass(frozen=True)
class Failing(Files):
    """Files of which some cannot be read or listed for now."""

    unread: dict[str, Exception] = field(default_factory=dict, hash=False)
    unlisted: dict[str, Exception] = field(default_factory=dict, hash=False)
    asked: list[str] = field(default_factory=list, hash=False)

    def read(self, path: str) -> bytes:
        self.asked.append(path)
        for start, error in self.unread.items():
            if path.startswith(start):
                raise error
        return super().read(path)

    def ls(self, folder: str = "") -> list[Entry]:
        if folder in self.unlisted:
            raise self.unlisted[folder]
        return super().ls(folder)


def failing(dataset: Dataset, **how: dict[str, Exception]) -> Dataset:
    files = Failing(dataset.files.location, dataset.files.place, dataset.files.base, **how)
    cases = {name: replace(case, files=files) for name, case in dataset.cases.items()}
    return replace(dataset, cases=MappingProxyType(cases), files=files)


def same(one: Index, other: Index) -> None:
    for table in ("cases", "structures", "overlaps", "findings"):
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table))


def build(dataset: Dataset, store: Path, **how: object) -> Index:
    return build_index(dataset, store, progress=False, **{"workers": 1, **how})


PASSING = {
    "an image of a bad disk": ("s0002/mri", VolumeError("Input/output error"), "unreadable"),
    "a mask of a bad disk": ("s0002/segmentations/liver", VolumeError("Input/output error"), "unreadable"),
    "a request that failed": ("s0002/segmentations/liver", VolumeError("503", "network"), "network"),
    "a zip that was touched": ("s0002", VolumeError("has changed", "changed"), "changed"),
    "no memory left": ("s0002/mri", MemoryError(), "not_measured"),
}


@pytest.mark.parametrize("what", PASSING)
def test_a_case_is_measured_again_when_what_ailed_it_may_have_passed(write, tmp_path: Path, what: str):
    path, error, kind = PASSING[what]
    dataset = open_dataset(write(FIVE))
    folder = tmp_path / "store"
    ailing = build(failing(dataset, unread={path: error}), folder)
    assert set(ailing.findings["kind"]) == {kind}
    assert set(ailing.findings["case"]) == {"s0002"}
    assert list(ailing.cases["case"]) == list(FIVE)
    same(so_far(dataset, folder), ailing)
    again = build(dataset, folder)
    assert (again.summary.measured, again.summary.kept) == (1, 4)
    same(again, build(dataset, tmp_path / "whole"))
    assert build(dataset, folder).summary.measured == 0


BROKEN = {
    "a broken image": {"mri": b"damaged"},
    "a broken mask": {"liver": b"damaged"},
    "nothing that reads": {"mri": b"damaged", "liver": b"damaged", "spleen": b"cut"},
    "no image": {"mri": None},
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_wrong_with_the_bytes_is_not_read_again(write, tmp_path: Path, what: str):
    dataset = open_dataset(write({**FIVE, "s0002": {**LIVER, **BROKEN[what]}}))
    first = build(dataset, tmp_path / "store")
    assert set(first.findings["case"]) == {"s0002"}
    assert "unreadable" not in set(first.findings["kind"])
    second = build(dataset, tmp_path / "store")
    assert second.summary.measured == 0
    same(first, second)


def test_of_a_case_that_was_measured_a_failure_costs_no_row(write, tmp_path: Path):
    dataset = open_dataset(write(FIVE))
    folder = tmp_path / "store"
    whole = build(dataset, folder)
    ailing = failing(dataset, unread={"s0002/mri": VolumeError("Input/output error")})
    found = build(ailing, folder, verify=True)
    assert found.summary.differed == ("s0002: not measured again: Input/output error",)
    same(found, whole)


def test_a_folder_of_masks_that_cannot_be_listed_is_a_finding_of_its_case(write, tmp_path: Path):
    dataset = open_dataset(write(FIVE))
    folder = tmp_path / "store"
    error = DatasetError("Cannot list 's0002/segmentations': Permission denied")
    ailing = build(failing(dataset, unlisted={"s0002/segmentations": error}), folder)
    assert list(ailing.findings["case"]) == ["s0002"]
    assert list(ailing.findings["kind"]) == ["unreadable"]
    assert list(ailing.findings["what"]) == [str(error)]
    assert ailing.cases.set_index("case").loc["s0002", "shape_i"] == SHAPE[0]  # its image was read
    other = DatasetError("Cannot list 's0002/segmentations': Input/output error")
    ailing = build(failing(dataset, unlisted={"s0002/segmentations": other}), folder)
    assert list(ailing.findings["what"]) == [str(other)]
    again = build(dataset, folder)
    assert again.summary.measured == 1
    same(again, build(dataset, tmp_path / "whole"))


@pytest.mark.parametrize("kind", ["network", "changed"])
@pytest.mark.parametrize(("lost", "tries"), [("", 2), ("/segmentations", 3)])
def test_an_outage_ends_the_build_and_tells_how_far_it_came(
    write, tmp_path: Path, kind: str, lost: str, tries: int
):
    masks = {f"rib_{n}": LIVER["liver"] for n in range(6)}
    dataset = open_dataset(write({f"s00{n}": masks for n in range(10, 20)}))
    folder = tmp_path / "store"
    error = VolumeError("Cannot read it; tried 5 times.", kind)
    ailing = failing(dataset, unread={f"s00{n}{lost}": error for n in range(14, 20)})
    with pytest.raises(DatasetError, match=r"tried 5 times\. 4 of 10 cases were measured and are kept"):
        build(ailing, folder)
    assert len(ailing.files.asked) == 4 * 7 + 3 * tries  # of three cases, up to the second file in a row
    assert list(open_index(folder).cases["case"]) == ["s0010", "s0011", "s0012", "s0013"]
    again = build(dataset, folder)
    assert (again.summary.kept, again.summary.measured) == (4, 6)
    same(again, build(dataset, tmp_path / "whole"))


def test_an_outage_is_noticed_before_anything_is_measured(write, tmp_path: Path):
    dataset = open_dataset(write(FIVE))
    error = DatasetError("Cannot list it; tried 5 times.", "network")
    with pytest.raises(DatasetError, match="tried 5 times"):
        build(failing(dataset, unlisted={"s0003/segmentations": error}), tmp_path / "store")


def test_trouble_with_single_files_ends_no_build(write, tmp_path: Path):
    """As of a server that always breaks off at the same files."""
    dataset = open_dataset(write({f"s00{n}": LIVER for n in range(10, 20)}))
    error = VolumeError("Cannot read it; tried 5 times.", "network")
    odd = {f"s00{n}/segmentations/liver": error for n in range(10, 20) if n % 3}
    index = build(failing(dataset, unread=odd), tmp_path / "store")
    assert len(index.cases) == 10
    rows = index.structures.set_index(["case", "structure"])["status"]
    assert (rows["s0011", "liver"], rows["s0011", "spleen"]) == ("unreadable", "absent")


def test_a_zip_that_was_touched_is_measured_after_opening_it_again(write, tmp_path: Path):
    root = write(FIVE)
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*.*")):
            archive.write(file, file.relative_to(root))
    dataset = open_dataset(path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(DatasetError, match=r"has changed since it was opened.* 0 of 5 cases"):
        build(dataset, tmp_path / "store")
    index = build(open_dataset(path), tmp_path / "store")
    assert index.summary.measured == 5
    assert index.findings.empty


def test_a_server_that_goes_away_amid_a_build(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(network, "FIRST_WAIT_S", 0.0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = write({f"s00{n}": {**LIVER, "large": os.urandom(300_000)} for n in range(10, 20)})
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*.*")):
            archive.write(file, file.relative_to(root))
    with serving({"/set.zip": path.read_bytes()}) as site:
        dataset = open_dataset(f"{site.url}/set.zip")
        real, seen = intake.read_image, []

        def read_image(case, **how):
            seen.append(case.id)
            if len(seen) == 4:
                site.always = 503
            return real(case, **how)

        monkeypatch.setattr(intake, "read_image", read_image)
        with pytest.raises(DatasetError, match=r"answers 503.* 3 of 10 cases were measured"):
            build(dataset, tmp_path / "store")
        assert len(seen) == 6
        site.always = None
        index = build(dataset, tmp_path / "store")
    assert (index.summary.kept, index.summary.measured) == (3, 7)
    assert set(index.findings["kind"]) == {"not_nifti"}  # the noise that makes the cases large


def test_masks_that_vanish_amid_a_case_are_measured_when_they_are_back(write, tmp_path: Path):
    root = write(FIVE)
    dataset = open_dataset(root)
    for case in dataset:
        case.signature()
    mask = root / "s0003/segmentations/liver.nii.gz"
    content, times = mask.read_bytes(), mask.stat()
    mask.unlink()
    index = build(dataset, tmp_path / "store")
    assert list(index.findings["kind"]) == ["unreadable"]
    mask.write_bytes(content)
    os.utime(mask, ns=(times.st_atime_ns, times.st_mtime_ns))
    again = build(open_dataset(root), tmp_path / "store")
    assert again.summary.measured == 1
    assert again.findings.empty

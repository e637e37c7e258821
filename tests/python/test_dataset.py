import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from samples import box_mask

from explorer import open_dataset
from explorer.errors import DatasetError, UnknownName

LIVER = {"liver": box_mask((1, 3), (2, 4), (3, 5))}


def zipped(folder: Path, target: Path, top: str = "") -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"{top}{path.relative_to(folder)}")
    return target


def test_cases_masks_and_metadata(write):
    root = write({"s0002": LIVER, "s0010": LIVER}, meta="image_id;split\ns0002;train\ns0010;test\n")
    dataset = open_dataset(root)
    assert list(dataset.cases) == ["s0002", "s0010"]
    assert dataset["s0002"].masks() == {"liver": "s0002/segmentations/liver.nii.gz"}
    assert list(dataset.meta["split"]) == ["train", "test"]
    assert dataset.problems == ()
    assert dataset.name == "set"


@pytest.mark.parametrize("top", ["", "TotalsegmentatorMRI_dataset_v300/", "a/b/"])
def test_a_zip_gives_the_same_as_its_folder(write, tmp_path: Path, top: str):
    root = write({"s0001": LIVER, "s0003": LIVER})
    folder = open_dataset(root)
    archive = open_dataset(zipped(root, tmp_path / "set.zip", top))
    assert list(archive.cases) == list(folder.cases)
    pd.testing.assert_frame_equal(archive.meta, folder.meta)
    for case in folder:
        other = archive[case.id]
        assert list(other.masks()) == list(case.masks())
        assert other.read(other.image) == case.read(case.image)
        assert other.sizes() == case.sizes()


def test_the_root_is_found_below_what_was_given(write, tmp_path: Path):
    write({"s0001": LIVER}, root="outer/inner/set")
    assert open_dataset(tmp_path / "outer").name == "set"
    with pytest.raises(DatasetError, match="looked 2 levels down"):
        open_dataset(tmp_path)


def test_two_data_sets_in_one_folder_are_not_guessed(write, tmp_path: Path):
    write({"s0001": LIVER}, root="both/one")
    write({"s0001": LIVER}, root="both/two")
    with pytest.raises(DatasetError, match="holds 2 data sets: give one of them"):
        open_dataset(tmp_path / "both")


def test_one_case_is_no_data_set(write):
    root = write({"s0001": LIVER})
    with pytest.raises(DatasetError, match="is one case"):
        open_dataset(root / "s0001")


@pytest.mark.parametrize("what", ["empty", "absent", "text.zip"])
def test_what_is_no_data_set_is_named(tmp_path: Path, what: str):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("not a zip")
    with pytest.raises(DatasetError, match=what):
        open_dataset(tmp_path / what)


def test_rows_without_cases_and_cases_without_rows_are_reported(write):
    dataset = open_dataset(
        write({"s0001": LIVER, "s0002": LIVER}, meta="image_id;split\ns0001;train\ns0009;test\n")
    )
    assert {(problem.case, problem.severity) for problem in dataset.problems} == {
        ("s0002", "warning"),
        ("s0009", "warning"),
    }
    assert list(dataset.meta.index) == ["s0001", "s0002"]
    assert pd.isna(dataset.meta.loc["s0002", "split"])
    assert "s0009" in dataset.raw_meta.index


def test_missing_metadata_and_missing_image_are_problems_not_crashes(write):
    dataset = open_dataset(write({"s0001": LIVER, "s0002": {**LIVER, "mri": None}}, meta=""))
    texts = [(problem.case, problem.what) for problem in dataset.problems]
    assert texts[0][0] == "s0002"
    assert "No image" in texts[0][1]
    assert "No meta.csv" in texts[1][1]
    assert len(dataset) == 2


def test_ct_is_recognised(write):
    root = write({"s0001": LIVER})
    (root / "s0001" / "mri.nii.gz").rename(root / "s0001" / "ct.nii.gz")
    assert open_dataset(root)["s0001"].modality == "ct"


def test_signature_changes_with_the_files(write):
    root = write({"s0001": LIVER})
    before = open_dataset(root)["s0001"].signature()
    assert open_dataset(root)["s0001"].signature() == before
    shutil.copy(root / "s0001/segmentations/liver.nii.gz", root / "s0001/segmentations/spleen.nii.gz")
    assert open_dataset(root)["s0001"].signature() != before


def test_a_misspelt_case_is_named(write):
    with pytest.raises(UnknownName, match="Did you mean 's0001'"):
        open_dataset(write({"s0001": LIVER}))["s001"]


def test_zip_members_that_point_outside_are_ignored(write, tmp_path: Path):
    archive = zipped(write({"s0001": LIVER}), tmp_path / "set.zip")
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("../evil/mri.nii.gz", b"x")
        more.writestr("/abs/mri.nii.gz", b"x")
    assert list(open_dataset(archive).cases) == ["s0001"]

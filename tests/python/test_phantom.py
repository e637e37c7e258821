from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from explorer import Cohort, build_index, open_dataset, write_phantom
from explorer.errors import DatasetError
from explorer.phantom import Phantom, write_case
from explorer.structures import PUBLISHED


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Phantom:
    return write_phantom(tmp_path_factory.mktemp("phantom") / "set", 5, seed=1, progress=False)


def test_the_layout_is_the_real_one(phantom: Phantom):
    raw = (phantom.path / "meta.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfimage_id;age;gender;")
    assert [case.id for case in phantom.cases] == ["s0001", "s0002", "s0003", "s0004", "s0006"]
    dataset = open_dataset(phantom.path)
    assert all(len(case.masks()) == 56 for case in dataset)
    assert set(dataset.meta["source"]) == {"synthetic phantom"}
    assert not [problem for problem in dataset.problems if problem.severity == "error"]


def test_the_index_finds_the_truth(phantom: Phantom, tmp_path: Path):
    dataset = open_dataset(phantom.path)
    index = build_index(dataset, tmp_path, progress=False)
    rows = index.structures.set_index(["case", "structure"])
    assert not any(index.cases["problems"])
    for case in phantom.cases:
        assert index.cases.set_index("case").loc[case.id, "orientation"] == case.orientation
        for name, truth in case.structures.items():
            row = rows.loc[case.id, name]
            assert (row["status"], row["voxels"]) == (truth.status, truth.voxels)
            assert row["volume_ml"] == pytest.approx(truth.volume_ml, rel=1e-6)
            assert "".join(sorted(row["border"])) == truth.border
            if truth.centroid_mm:
                found = [row[f"centroid_{axis}_mm"] for axis in "xyz"]
                np.testing.assert_allclose(found, truth.centroid_mm, atol=1e-3)
        for (one, other), voxels in case.overlap_voxels.items():
            assert rows.loc[case.id, other]["overlap_voxels"] == voxels
            assert rows.loc[case.id, one]["overlap_voxels"] >= voxels
    assert any(case.overlap_voxels for case in phantom.cases)
    cohort = Cohort.join(dataset.meta, index.cases, index.structures)
    assert cohort.label_table()["cases"].sum() == sum(
        truth.voxels > 0 for case in phantom.cases for truth in case.structures.values()
    )


def test_every_status_occurs(phantom: Phantom):
    found = {truth.status for case in phantom.cases for truth in case.structures.values()}
    assert found == {"complete", "cut_off", "absent"}


def test_the_same_seed_gives_the_same_files(phantom: Phantom, tmp_path: Path):
    again = write_phantom(tmp_path / "again", 5, seed=1, progress=False)
    other = write_phantom(tmp_path / "other", 1, seed=2, progress=False)
    names = ["meta.csv", "s0003/mri.nii.gz", "s0003/segmentations/liver.nii.gz"]
    assert all((phantom.path / name).read_bytes() == (again.path / name).read_bytes() for name in names)
    assert (phantom.path / "s0001/mri.nii.gz").read_bytes() != (other.path / "s0001/mri.nii.gz").read_bytes()


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "LIP", "PIL"])
@pytest.mark.parametrize("tilt", [0, 10])
def test_left_is_left_however_the_scanner_is_turned(tmp_path: Path, orientation: str, tilt: float):
    case = write_case(tmp_path, "a", orientation=orientation, tilt_degrees=tilt, spacing_mm=(5, 6, 8))
    assert len(set(case.shape)) == 3
    for left, right in (
        ("kidney_left", "kidney_right"),
        ("spleen", "liver"),
        ("autochthon_left", "autochthon_right"),
    ):
        assert case.structures[left].centroid_mm[0] < case.structures[right].centroid_mm[0]
    image = nib.load(tmp_path / "a" / "mri.nii.gz")
    assert "".join(nib.aff2axcodes(image.affine)) == orientation == case.orientation
    for name in ("liver", "kidney_left", "spleen"):
        mask = nib.load(tmp_path / "a" / "segmentations" / f"{name}.nii.gz")
        where = nib.affines.apply_affine(mask.affine, np.argwhere(np.asarray(mask.dataobj)))
        assert np.allclose(where.mean(axis=0), case.structures[name].centroid_mm, atol=1e-3)
        assert case.structure_at(tuple(where[len(where) // 2])) == name


def test_all_56_structures_are_somewhere_in_the_body(tmp_path: Path):
    cases = [
        write_case(tmp_path, r.replace(" ", ""), region=r, spacing_mm=(6, 6, 9), seed=4)
        for r in ("whole body", "head")
    ]
    present = {name for case in cases for name, truth in case.structures.items() if truth.voxels}
    assert set(PUBLISHED) - present <= {"prostate"}


def test_a_folder_in_use_is_not_overwritten(tmp_path: Path):
    (tmp_path / "keep.txt").write_text("mine")
    with pytest.raises(DatasetError, match="is not empty"):
        write_phantom(tmp_path, 1, progress=False)
    assert (tmp_path / "keep.txt").exists()
    with pytest.raises(DatasetError, match=r"keep\.txt is a file: give a folder"):
        write_phantom(tmp_path / "keep.txt", 1, overwrite=True, progress=False)
    assert (tmp_path / "keep.txt").read_text() == "mine"


def test_slice_thickness_goes_with_the_spacing_across_slices(phantom: Phantom):
    """The fifth case is sagittal: its slices do not lie along the last of the patient's axes."""
    dataset = open_dataset(phantom.path)
    for case in dataset:
        spacing = max(nib.load(phantom.path / case.image).header.get_zooms())
        assert dataset.meta.loc[case.id, "slice_thickness_mm"] == pytest.approx(0.9 * spacing, abs=0.06)

"""Real scans beside the project, where they are present; skipped, visibly, where not."""

import re
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import trimesh
from scipy.ndimage import distance_transform_edt
from scipy.spatial import KDTree

from explorer import Cohort, build_index, open_dataset
from explorer.grid import Grid
from explorer.index import Index
from explorer.surfaces import TRIANGLES, surface

REAL = Path(__file__).parents[3] / "shared" / "real"

pytestmark = pytest.mark.skipif(
    not REAL.is_dir(), reason="the folder of real scans is not beside the project"
)

ORIENTATIONS = {
    "s0001": "LPS",
    "s0002": "PIR",
    "s0003": "PSR",
    "s0004": "RAS",
    "s0006": "LAS",
    "s0007": "RAS",
}


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return build_index(open_dataset(REAL / "mini"), tmp_path_factory.mktemp("mini"), progress=False)


def test_voxel_counts_are_the_published_ones(mini: Index):
    expected = {}
    for line in (REAL / "README.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 4 and re.fullmatch(r"s\d{4}", cells[1]):
            for structure, voxels in re.findall(r"(\w+) (\d+)", cells[4]):
                expected[cells[1], structure] = int(voxels)
    found = mini.structures[mini.structures["voxels"] > 0].set_index(["case", "structure"])["voxels"]
    assert len(expected) == 30
    assert found.to_dict() == expected


def test_all_56_masks_are_there_and_the_others_are_absent(mini: Index):
    assert len(mini.structures) == 6 * 56
    assert set(mini.structures["status"]) == {"complete", "cut_off", "absent"}
    assert (mini.structures.loc[mini.structures["status"] == "absent", "volume_ml"] == 0).all()


def test_orientations_and_volumes(mini: Index):
    assert mini.cases.set_index("case")["orientation"].to_dict() == ORIENTATIONS
    for case, rows in mini.structures.groupby("case"):
        affine = nib.load(REAL / "mini" / str(case) / "mri.nii.gz").affine
        per_voxel = abs(np.linalg.det(affine[:3, :3])) / 1000
        np.testing.assert_allclose(rows["volume_ml"], rows["voxels"] * per_voxel, rtol=1e-12)


def test_the_liver_is_on_the_right_of_the_patient(mini: Index):
    rows = mini.structures[mini.structures["case"] == "s0001"].set_index("structure")
    assert rows.loc["liver", "centroid_x_mm"] > rows.loc["vertebrae", "centroid_x_mm"]
    assert rows.loc["spleen", "centroid_x_mm"] < rows.loc["vertebrae", "centroid_x_mm"]
    assert rows.loc["kidney_right", "centroid_x_mm"] > rows.loc["kidney_left", "centroid_x_mm"]


@pytest.mark.parametrize("top", ["", "Totalsegmentator_dataset/"])
def test_a_zip_gives_identical_tables(mini: Index, tmp_path: Path, top: str):
    archive = tmp_path / "mini.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted((REAL / "mini").rglob("*.*")):
            target.write(path, f"{top}{path.relative_to(REAL / 'mini')}")
    zipped = build_index(open_dataset(archive), tmp_path / "store", progress=False)
    pd.testing.assert_frame_equal(zipped.structures, mini.structures)
    pd.testing.assert_frame_equal(
        zipped.cases.drop(columns="signature"), mini.cases.drop(columns="signature")
    )


def test_processes_of_vertebrae_are_kept():
    image = nib.load(REAL / "mini" / "s0002" / "segmentations" / "vertebrae.nii.gz")
    mask = np.asarray(image.dataobj) > 0
    grid = Grid(mask.shape, image.affine)
    found = surface(mask, grid)
    assert len(found.triangles) <= TRIANGLES
    core = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1, 1:-1]
    border = grid.to_world(np.argwhere(mask & (core <= 1)))
    sampled = trimesh.Trimesh(found.vertices_mm, found.triangles, process=False).sample(60_000, seed=1)
    assert KDTree(sampled).query(border)[0].max() < 3 * max(grid.spacing_mm)


def test_structures_that_nobody_knows_work_the_same(tmp_path: Path):
    dataset = open_dataset(REAL / "hippocampus")
    index = build_index(dataset, tmp_path, progress=False)
    assert len(index.cases) == 60
    assert index.cases["dtype"].nunique() > 1
    assert set(index.structures["status"]) == {"complete"}
    for case in list(dataset)[::20]:
        for structure, path in case.masks().items():
            mask = nib.load(REAL / "hippocampus" / path)
            rows = index.structures[index.structures["structure"] == structure].set_index("case")
            assert rows.loc[case.id, "voxels"] == np.count_nonzero(np.asarray(mask.dataobj))
    table = Cohort.join(dataset.meta, index.cases, index.structures).label_table()
    assert list(table["structure"]) == ["hippocampus_anterior", "hippocampus_posterior"]
    assert list(table["percentage"]) == [100, 100]

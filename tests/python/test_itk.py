"""Handing a case to itkwidgets: what it gets, and what is said where it cannot work."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import nibabel as nib
import numpy as np
import pytest
from samples import AFFINE, SHAPE, box_mask, nifti_bytes

from explorer import open_dataset, open_in_itkwidgets
from explorer.errors import ExplorerError, UnknownName, VolumeError
from explorer.grid import Grid
from explorer.itk import label_image, lps
from explorer.volume import read_image, read_masks


@pytest.fixture
def root(write) -> Path:
    return write(
        {
            "s0001": {
                "liver": box_mask((1, 5), (2, 6), (3, 8)),
                "kidney_left": box_mask((4, 6), (2, 5), (3, 8)),
                "spleen": box_mask((0, 0), (0, 0), (0, 0)),
            }
        }
    )


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand in for itkwidgets and ngff-zarr; returns what they were given."""
    given: dict[str, Any] = {}
    itkwidgets, ngff = ModuleType("itkwidgets"), ModuleType("ngff_zarr")
    itkwidgets.view = lambda **kept: given.update(kept) or "the viewer"  # type: ignore[attr-defined]
    ngff.to_ngff_image = lambda data, **kept: {"data": data, **kept}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "itkwidgets", itkwidgets)
    monkeypatch.setitem(sys.modules, "ngff_zarr", ngff)
    return given


def test_nothing_of_it_is_imported_before_it_is_asked_for():
    code = "import sys, explorer.itk; sys.exit(' '.join(m for m in ('itkwidgets', 'ngff_zarr', 'zarr', 'itkwasm') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_it_gets_image_and_structures_with_their_places(root: Path, shown: dict, image: np.ndarray):
    case = open_dataset(root)["s0001"]
    with pytest.warns(UserWarning, match=r"Partly hidden: liver \(15 voxels\)"):
        assert open_in_itkwidgets(case) == "the viewer"
    picture, labels = shown["image"], shown["label_image"]
    assert picture["dims"] == ("z", "y", "x")
    assert list(picture["scale"].values()) == [2.0, 1.5, 3.0]
    # A known voxel, found by its place: RAS+ world of voxel (5, 3, 4), turned to LPS+.
    world = (AFFINE @ (5, 3, 4, 1))[:3] * (-1, -1, 1)
    index = [
        (world[n] - picture["translation"][axis]) / picture["scale"][axis] for n, axis in enumerate("xyz")
    ]
    i, j, k = np.rint(index).astype(int)
    np.testing.assert_allclose(index, (i, j, k), atol=1e-6)
    assert picture["data"][k, j, i] == image[5, 3, 4]
    assert shown["label_names"] == [(0, "background"), (1, "liver"), (2, "kidney_left")]
    assert labels["data"][k, j, i] == 2
    assert labels["translation"] == picture["translation"]
    counts = np.bincount(labels["data"].ravel())
    assert counts.tolist() == [int(np.prod(SHAPE)) - 80 - 15, 80 - 15, 30]


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PIL", "ASL", "SRA"])
def test_the_axes_become_those_of_itk_whatever_the_file_has(orientation: str):
    affine = np.zeros((4, 4))
    affine[3] = (0, 0, 0, 1)
    for axis, (world, sign) in enumerate(nib.orientations.axcodes2ornt(tuple(orientation))):
        affine[int(world), axis] = sign * (1.0, 2.0, 3.5)[axis]
    affine[:3, 3] = (5, -7, 11)
    voxels = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    turned, spacing, first = lps(voxels, Grid(SHAPE, affine))
    for place in ((0, 0, 0), (6, 0, 8), (2, 5, 3)):
        world = (affine @ (*place, 1))[:3] * (-1, -1, 1)
        index = np.rint((world - first) / spacing).astype(int)
        assert turned[tuple(index)] == voxels[place]


def test_the_smaller_structure_wins_and_what_it_hides_is_counted(root: Path):
    case = open_dataset(root)["s0001"]
    labels = read_masks(case, read_image(case).grid)
    found = label_image(labels)
    assert found.names == ("liver", "kidney_left")
    assert found.hidden == {"liver": 15}
    assert set(np.unique(found.numbers)) == {0, 1, 2}
    assert (found.numbers == 2).sum() == 30


def test_chosen_structures_only(root: Path, shown: dict):
    case = open_dataset(root)["s0001"]
    open_in_itkwidgets(case, ["kidney_left"])
    assert shown["label_names"] == [(0, "background"), (1, "kidney_left")]
    shown.clear()
    open_in_itkwidgets(case, ["spleen"])
    assert "label_image" not in shown
    with pytest.raises(UnknownName, match="Did you mean 'liver'"):
        open_in_itkwidgets(case, ["livr"])
    with pytest.raises(UnknownName, match="mask set"):
        open_in_itkwidgets(case, ["liver"], mask_set="model")


def test_masks_of_any_set_are_shown(root: Path, write, shown: dict):
    predicted = {"liver": box_mask((1, 3), (2, 6), (3, 8)), "aorta": box_mask((5, 6), (1, 2), (1, 2))}
    model = write({"s0001": {**predicted, "mri": None}}, meta="", root="model")
    case = open_dataset(root).with_mask_set("model", model)["s0001"]
    open_in_itkwidgets(case, mask_set="model")
    assert [name for _, name in shown["label_names"]] == ["background", "liver", "aorta"]
    assert np.bincount(shown["label_image"]["data"].ravel()).tolist()[1:] == [2 * 4 * 5, 1]
    with pytest.raises(UnknownName, match="kidney_left"):
        open_in_itkwidgets(case, ["kidney_left"], "model")


def test_what_it_would_draw_wrong_is_refused_or_told(write, shown: dict):
    sheared = AFFINE.copy()
    sheared[1, 2] = 1.5
    tilted = AFFINE.copy()
    c, s = np.cos(0.2), np.sin(0.2)
    tilted[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ AFFINE[:3, :3]
    image = np.ones(SHAPE, np.int16)
    root = write(
        {"s0001": {"mri": nifti_bytes(image, sheared)}, "s0002": {"mri": nifti_bytes(image, tilted)}}
    )
    dataset = open_dataset(root)
    with pytest.raises(VolumeError, match="right angles"):
        open_in_itkwidgets(dataset["s0001"])
    with pytest.warns(UserWarning, match=r"tilted by 11\.5 degrees"):
        open_in_itkwidgets(dataset["s0002"])


def test_where_it_cannot_work_it_says_what_to_do(root: Path, monkeypatch: pytest.MonkeyPatch):
    case = open_dataset(root)["s0001"]
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    with pytest.raises(ExplorerError, match="does not work in Voila"):
        open_in_itkwidgets(case)
    monkeypatch.delenv("SERVER_SOFTWARE")

    def refuse(name: str) -> None:
        raise failure

    monkeypatch.setattr("explorer.itk.import_module", refuse)
    failure: Exception = ModuleNotFoundError("no", name="itkwidgets")
    with pytest.raises(ExplorerError, match=r"pip install 'totalseg-explorer\[itk\]'"):
        open_in_itkwidgets(case)
    failure = ImportError("zarr 3 has no storage.BaseStore")
    with pytest.raises(ExplorerError, match="zarr 3 has no"):
        open_in_itkwidgets(case)


@pytest.mark.skipif(find_spec("itkwidgets") is None, reason="needs totalseg-explorer[itk]")
def test_the_real_itkwidgets_takes_image_and_labels(
    root: Path, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    import itkwidgets
    import zarr
    from itkwidgets._initialization_params import init_params_dict

    # Where no Jupyter runs it wants a server to talk to, but takes the data as it does in JupyterLab.
    server = SimpleNamespace(config=SimpleNamespace(workspace=""))
    given: dict[str, Any] = {}
    real = itkwidgets.view
    monkeypatch.setattr(itkwidgets, "view", lambda **kept: given.update(kept) or real(**kept, server=server))
    with pytest.warns(UserWarning, match="Partly hidden"):
        view = open_in_itkwidgets(open_dataset(root)["s0001"])
    settings = init_params_dict(MagicMock())
    assert set(given) - {"image", "label_image"} <= set(settings)
    voxels = {}
    for name in ("Image", "LabelImage"):
        group = zarr.open_group(view.stores[name], mode="r")
        (scales,) = group.attrs["multiscales"]
        assert [axis["name"] for axis in scales["axes"]] == ["z", "y", "x"]
        (finest, *_) = scales["datasets"]
        scale, shift = (step[step["type"]] for step in finest["coordinateTransformations"])
        assert scale == [3.0, 1.5, 2.0]
        voxels[name] = group[finest["path"]][:]
        # RAS+ world of voxel (5, 3, 4) of the file, turned to LPS+.
        world = ((AFFINE @ (5, 3, 4, 1))[:3] * (-1, -1, 1))[::-1]
        place = tuple(np.rint((world - shift) / scale).astype(int))
        np.testing.assert_allclose(place * np.array(scale) + shift, world, atol=1e-6)
        assert voxels[name][place] == (image[5, 3, 4] if name == "Image" else 2)
    assert given["label_names"][2] == (2, "kidney_left")
    assert np.bincount(voxels["LabelImage"].ravel()).tolist()[1:] == [80 - 15, 30]

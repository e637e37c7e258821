"""What only the compared mask set has is a surface in 3D, too, and saved with the others."""

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from browser import GL, chromium_with
from test_space import seen, settle
from viewer_page import bridge
from widgets import Bridge, Stub

from explorer import Cohort, Selection, open_dataset
from explorer.phantom import write_case
from explorer.views.viewer import Viewer

chromium = chromium_with(*GL)

MASK = "s0001/segmentations/kidney_left.nii.gz"


@pytest.fixture
def missed(tmp_path: Path, stub: Callable[..., Stub]) -> Bridge:
    """A reference whose left kidney is empty, compared with a model that has it; another model has half."""
    root = tmp_path / "data"
    write_case(root, "s0001", spacing_mm=(4.0, 5.0, 7.0), seed=3)
    mask = nib.load(root / MASK)
    voxels = np.asarray(mask.dataobj)
    half = voxels.copy()
    half[: int(np.nonzero(voxels)[0].mean())] = 0
    dataset = open_dataset(root)
    for name, values in {"model": voxels, "half": half}.items():
        shutil.copytree(root / "s0001/segmentations", tmp_path / name / "s0001/segmentations")
        nib.save(nib.Nifti1Image(values.astype(np.uint8), mask.affine), tmp_path / name / MASK)
        dataset = dataset.with_mask_set(name, tmp_path / name)
    nib.save(nib.Nifti1Image(np.zeros(mask.shape, np.uint8), mask.affine), root / MASK)
    selection = Selection(Cohort.join(dataset.meta))
    selection.layout, selection.structures = "3d", ("liver", "kidney_left")
    selection.case, selection.compare = "s0001", "model"
    return bridge(Viewer(selection, dataset, store=str(tmp_path / "store")), stub, theme="dark")


def asked(shown: Bridge) -> list[tuple[str, str]]:
    return sorted((m["structure"], m["layer"]) for m in shown.stub.sent_of("surface"))


def test_it_is_drawn_in_its_colour_of_the_set_that_has_it(missed: Bridge):
    settle(missed, 2)
    assert asked(missed) == [("kidney_left", "other"), ("liver", "labels")]
    whole = seen(missed, "kidney_left")[0]
    assert whole > 300
    _, x, y = seen(missed, "kidney_left")
    missed.page.mouse.move(x, y)
    missed.page.wait_for_function("document.querySelector('.xp-hovered')?.textContent.includes('kidney')")
    assert missed.page.inner_text(".xp-card").endswith("ml · only model")
    title = missed.page.locator(".xp-3d-title")
    assert title.inner_text() == "3D · reference · 2 surfaces"
    missed.page.mouse.move(2, 2)

    missed.view.selection.compare = "half"
    settle(missed, 2)
    missed.page.wait_for_timeout(400)
    assert seen(missed, "kidney_left")[0] < 0.8 * whole, "that of the set before is not kept"
    missed.view.selection.compare = ""
    settle(missed, 1)
    assert title.inner_text() == "3D · 1 surface"
    assert seen(missed, "kidney_left")[0] < whole / 8  # the crosshair is blue, too
    assert [name for name, _ in asked(missed)] == ["kidney_left", "kidney_left", "liver"]


def test_it_is_saved_with_the_others(missed: Bridge):
    settle(missed, 2)
    missed.page.get_by_role("button", name="More", exact=True).click()
    with missed.page.expect_download() as waiting:
        missed.page.get_by_role("button", name="STL", exact=True).click()
        missed.settle()
    with zipfile.ZipFile(io.BytesIO(Path(waiting.value.path()).read_bytes())) as packed:
        assert sorted(Path(name).stem for name in packed.namelist()) == ["kidney_left", "liver"]

"""A second set of masks of the same cases: found, read, shown beside the first."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from samples import SHAPE, box_mask, nifti_bytes
from test_dataset import zipped
from viewing import ask, cut

from explorer import Cohort, Explorer, Selection, open_dataset, serve, snapshot
from explorer.cli import main
from explorer.errors import DatasetError, UnknownName
from explorer.views.viewer import Viewer
from explorer.volume import read_image, read_masks

REFERENCE = {"a": box_mask((1, 3), (2, 5), (3, 8)), "b": box_mask((2, 5), (2, 5), (3, 8))}
PREDICTED = {"a": box_mask((1, 4), (2, 5), (3, 8)), "c": box_mask((0, 1), (0, 1), (0, 1))}


@pytest.fixture
def both(write):
    """Return the data set and the folder of predicted masks of its first case only."""
    root = write({"s0001": REFERENCE, "s0002": REFERENCE})
    model = write({"s0001": {**PREDICTED, "mri": None}}, meta="", root="model")
    return open_dataset(root), model


@pytest.mark.parametrize("form", ["segmentations", "flat", "zip", "deeper"])
def test_masks_are_found_in_every_form(both, tmp_path: Path, form: str):
    dataset, model = both
    if form == "flat":
        for path in list((model / "s0001/segmentations").iterdir()):
            path.rename(model / "s0001" / path.name)
        (model / "s0001/segmentations").rmdir()
        shutil.copy(Path(dataset.location) / "s0001/mri.nii.gz", model / "s0001/mri.nii.gz")
    place = {"zip": lambda: zipped(model, tmp_path / "m.zip"), "deeper": lambda: tmp_path}.get(
        form, lambda: model
    )()
    if form == "deeper":
        (tmp_path / "x").mkdir()
        shutil.move(model, tmp_path / "x/run")
        place = tmp_path / "x"
    found = dataset.with_mask_set("model", place)
    assert dataset.mask_sets == ("reference",)
    assert found.mask_sets == ("reference", "model")
    case = found["s0001"]
    assert set(case.masks("model")) == {"a", "c"}
    assert set(case.masks()) == {"a", "b"}
    labels = read_masks(case, read_image(case).grid, mask_set="model")
    inside = np.array(["a" in names for names in labels.sets])[labels.ids]
    np.testing.assert_array_equal(inside, PREDICTED["a"] > 0)
    assert found["s0002"].masks("model") == {}
    with pytest.raises(UnknownName, match="mask set"):
        case.masks("modell")


def test_bad_names_and_places_are_refused(both, tmp_path: Path):
    dataset, model = both
    for name in ("", " ", "reference", "x" * 201, "a\nb"):
        with pytest.raises(DatasetError):
            dataset.with_mask_set(name, model)
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match="s0001/segmentations"):
        dataset.with_mask_set("model", tmp_path / "none")
    with pytest.raises(DatasetError, match="nothing at"):
        dataset.with_mask_set("model", tmp_path / "gone")


def test_two_sets_are_shown_with_the_same_rows(both):
    dataset, model = both
    selection = Selection(Cohort.join(dataset.meta))
    selection.open("s0001")
    view = Viewer(selection, dataset.with_mask_set("model", model))
    assert view.mask_sets == ["reference", "model"]
    key = view.scene["key"]
    view.compare = "model"
    assert selection.compare == "model"
    assert view.scene["key"] == key  # no new picture
    names = [row["name"] for row in view.labels["structures"]]
    assert names == [row["name"] for row in view.other["structures"]] == ["a", "b", "c"]
    assert view.other["complete"]
    for layer, state, masks in (("labels", view.labels, REFERENCE), ("other", view.other, PREDICTED)):
        turned = {name: mask[::-1] for name, mask in masks.items()}  # the first axis runs to the left
        for z in range(SHAPE[2]):
            ids = cut(view, "axial", z, layer)
            for row, name in enumerate(names):
                has = np.isin(ids, [i for i, members in enumerate(state["sets"]) if row in members])
                np.testing.assert_array_equal(has, turned.get(name, np.zeros(SHAPE))[:, :, z].T > 0)
    place, _ = ask(view, kind="where", scene=key, structure="c", layer="other")
    assert place["centre"] == [6, 0, 0]
    view.mask_set = "model"
    assert view.labels["mask_set"] == "model"
    assert view.labels["content"] == view.other["content"]
    view.compare = ""
    assert view.other == {}


@pytest.mark.parametrize("shown", ["reference", "model"])
def test_a_drawn_comparison_fills_the_other_set_and_outlines_the_reference(both, shown: str):
    dataset, model = both
    selection = Selection(Cohort.join(dataset.meta))
    selection.open("s0001")
    view = Viewer(selection, dataset.with_mask_set("model", model))
    selection.mask_set, selection.compare = shown, {"reference": "model", "model": "reference"}[shown]
    grid = view._picture.grid
    selection.point = tuple(grid.to_world([3, 3, 5]))
    place = snapshot.geometry.place(grid, "axial", (0, 0, 300, 300), radiological=True, scale=1.0)

    def colour(x: int, **options: object) -> tuple[int, ...]:
        """Return that of the middle of a voxel as stored, whose first axis runs to the left."""
        view.options = {"crosshair": False, "smooth": False, **options}
        png = view.snapshot(layout="axial", legend=False, width=300, height=300)
        with Image.open(io.BytesIO(png)) as image:
            return image.getpixel(tuple(round(n) for n in place.pixel(6 - x, 3)))

    both_there, only_reference = 3, 4  # at 3 the model has a, and b is of the reference alone
    assert len(set(colour(only_reference))) == 1, "grey within its outline"
    assert len(set(colour(both_there))) > 1, "filled"
    assert len(set(colour(both_there, paint="outline"))) == 1
    red, _green, blue = colour(only_reference, difference=True, opacity=1)
    assert blue > red, "what was missed has one colour, whichever set is shown"


def test_a_list_without_an_index_tells_what_is_cut_off(both):
    dataset, model = both
    selection = Selection(Cohort.join(dataset.meta))
    selection.open("s0001")
    view = Viewer(selection, dataset.with_mask_set("model", model))
    view.compare = "model"
    for state, expected in (
        (view.labels, {"a": "complete", "b": "complete", "c": ""}),
        (view.other, {"a": "complete", "b": "", "c": "cut_off"}),
    ):
        assert {row["name"]: row["status"] for row in state["structures"]} == expected


def test_a_set_without_the_case_and_masks_on_another_grid_are_told(both):
    dataset, model = both
    (model / "s0001/segmentations/a.nii.gz").write_bytes(nifti_bytes(PREDICTED["a"], np.eye(4)))
    selection = Selection(Cohort.join(dataset.meta))
    selection.mask_set = "model"
    view = Viewer(selection, dataset.with_mask_set("model", model))
    selection.open("s0001")
    assert "model: s0001/segmentations/a.nii.gz: the mask lies on another grid" in view.error
    selection.open("s0002")
    assert "No masks of 'model' for s0002: looked at s0002 in " in view.error
    assert cut(view, "axial", 0, "image").shape == (8, 7)
    selection.mask_set = "reference"
    assert view.error == ""


def test_unknown_sets_are_refused_from_both_sides(both):
    dataset, _ = both
    selection = Selection(Cohort.join(dataset.meta))
    view = Viewer(selection, dataset)
    view.compare = "<b>"
    assert (view.compare, selection.compare) == ("", "")
    assert "No mask set '<b>'" in view.error
    selection.mask_set = "gone"
    selection.open("s0001")
    assert "No mask set 'gone'" in view.error
    assert view.scene == {}


def test_the_app_takes_mask_sets(both, tmp_path: Path):
    dataset, model = both
    app = Explorer(dataset, store=tmp_path / "store", mask_sets={"model": model})
    assert app.viewer.mask_sets == ["reference", "model"]
    with pytest.raises(UnknownName, match="mask set"):
        app.selection.restore({"mask_set": "gone"})


def test_a_page_is_served_with_its_mask_sets(both, monkeypatch: pytest.MonkeyPatch):
    """What the command is told reaches the page in its own process."""
    dataset, model = both
    told: dict[str, object] = {}
    monkeypatch.setattr(serve, "serve", lambda *_, **options: told.update(options))
    run = CliRunner()
    done = run.invoke(main, ["serve", dataset.location, "--masks", f"model={model}"])
    assert done.exit_code == 0, done.output
    for name, value in serve._environment(dataset.location, None, told["mask_sets"]).items():
        monkeypatch.setenv(name, value)
    page = serve.page()
    page._enter()
    assert page.app.viewer.mask_sets == ["reference", "model"]
    for wrong in ("model", "=x", "model="):
        assert run.invoke(main, ["serve", dataset.location, "--masks", wrong]).exit_code == 2
    assert run.invoke(main, ["serve", dataset.location, "--masks", "m=/nowhere"]).exit_code == 1

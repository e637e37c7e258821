"""The kernel side of the viewer."""

import nibabel as nib
import numpy as np
import pytest
from samples import SHAPE, box_mask, nifti_bytes
from viewing import ask, cut

from explorer import Cohort, Selection, build_index, open_dataset
from explorer.errors import QueryError
from explorer.views.opening import Shelf
from explorer.views.picture import picture
from explorer.views.slices import PLANES, axis_letters, check_request
from explorer.views.viewer import Viewer
from explorer.volume import Volume, read_image

ORIENTATIONS = ["RAS", "LPS", "LIP", "PIL", "PSR", "ASL", "SRA", "IPL"]


def turned(orientation: str) -> np.ndarray:
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, (world, sign) in enumerate(nib.orientations.axcodes2ornt(tuple(orientation))):
        affine[int(world), axis] = sign * (1.0, 2.0, 3.5)[axis]
    return affine


@pytest.fixture
def opened(write):
    def make(files: dict, **case: object) -> Viewer:
        root = write(
            {"s0001": {"a": box_mask((1, 3), (2, 5), (3, 8)), "b": box_mask((2, 5), (2, 5), (3, 8)), **files}}
        )
        dataset = open_dataset(root)
        selection = Selection(Cohort.join(dataset.meta))
        selection.case = "s0001"
        return Viewer(selection, dataset)

    return make


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_slices_are_those_of_the_volume_turned_to_ras(opened, image: np.ndarray, orientation: str):
    affine = turned(orientation)
    masks = {
        name: nifti_bytes(box, affine)
        for name, box in {
            "a": box_mask((1, 3), (2, 5), (3, 8)),
            "b": box_mask((2, 5), (2, 5), (3, 8)),
        }.items()
    }
    view = opened({"mri": nifti_bytes(image, affine), **masks})
    ras = nib.as_closest_canonical(nib.Nifti1Image(image, affine)).get_fdata()
    both = nib.as_closest_canonical(nib.Nifti1Image(box_mask((2, 3), (2, 5), (3, 8)), affine)).get_fdata()
    assert view.scene["shape"] == list(ras.shape)
    overlap = [members for members in view.labels["sets"] if len(members) == 2]
    assert [view.labels["structures"][i]["name"] for i in overlap[0]] == ["a", "b"]
    for plane, (column, row, along) in PLANES.items():
        for index in (0, ras.shape[along] // 2, ras.shape[along] - 1):
            expected = np.take(ras, index, axis=along)
            expected = expected.T if column < row else expected
            np.testing.assert_array_equal(cut(view, plane, index, "image"), expected)
            ids = cut(view, plane, index, "labels")
            shared = np.take(both, index, axis=along)
            np.testing.assert_array_equal(
                ids == view.labels["sets"].index(overlap[0]), (shared.T if column < row else shared) > 0
            )


def test_letters_name_the_ends_of_each_axis_two_when_tilted(opened):
    view = opened({})
    assert view.scene["letters"] == [["L", "R"], ["P", "A"], ["I", "S"]]
    affine = np.eye(4)
    angle = np.radians(20)
    affine[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    grid = read_image(view.dataset["s0001"]).grid.__class__(SHAPE, affine)
    assert axis_letters(grid) == [("L", "R"), ("PI", "AS"), ("IA", "SP")]


def test_window_and_scaling_are_those_of_the_values(opened):
    values = np.linspace(-5, 900, np.prod(SHAPE)).reshape(SHAPE).astype(np.float32)
    values[0, 0, 0] = np.nan
    values[0, 0, 1] = np.inf
    view = opened({"mri": values})
    assert not view.scene["exact"]
    finite = values[np.isfinite(values) & (values != 0)]
    np.testing.assert_allclose(view.scene["window"], np.percentile(finite, (1, 99)), rtol=1e-5)
    sent = cut(view, "axial", 4, "image") * view.scene["scale"] + view.scene["offset"]
    expected = (
        nib.as_closest_canonical(nib.Nifti1Image(values, np.diag([-1, 1, 1, 1]))).get_fdata()[:, :, 4].T
    )
    np.testing.assert_allclose(sent, expected, atol=906 / 65535)


@pytest.mark.parametrize(
    ("plane", "indices"),
    [
        ("oblique", [0]),
        ("axial", []),
        ("axial", [9]),
        ("axial", [-1]),
        ("axial", ["0"]),
        ("axial", [True]),
        ("axial", list(range(65))),
        ("axial", "0"),
        (None, [0]),
        ("axial", None),
        ("axial", [10**12]),
    ],
)
def test_hostile_requests_are_refused_by_name(opened, plane: object, indices: object):
    view = opened({})
    with pytest.raises(QueryError):
        check_request(view._picture, {"plane": plane, "indices": indices, "layer": "image"})
    reply, buffers = ask(
        view, kind="slices", scene=view.scene["key"], plane=plane, indices=indices, layer="image"
    )
    assert (reply["ok"], buffers) == (False, [])


def test_slices_of_a_case_that_is_no_longer_open_are_not_an_error(opened):
    view = opened({})
    reply, buffers = ask(view, kind="slices", scene="s0001#0", plane="axial", indices=[0], layer="image")
    assert (reply["ok"], reply["closed"], buffers, view.error) == (True, True, [], "")


def test_a_structure_is_found_inside_itself(opened):
    ring = np.zeros(SHAPE, np.uint8)
    ring[1:6, 1:7, 4] = 1
    ring[2:5, 2:6, 4] = 0
    view = opened({"ring": ring})
    ask(view, kind="locate", structure="ring")
    i, j, k = np.round(read_image(view.dataset["s0001"]).grid.to_voxel(view.selection.point)).astype(int)
    assert ring[i, j, k] == 1
    assert "Did you mean" in ask(view, kind="locate", structure="rinq")[0]["error"]


def test_a_bad_image_is_told_and_the_next_case_works(write, image: np.ndarray):
    root = write(
        {"s0001": {"mri": nifti_bytes(image)[:200]}, "s0002": {"a": box_mask((1, 2), (1, 2), (1, 2))}}
    )
    dataset = open_dataset(root)
    selection = Selection(Cohort.join(dataset.meta))
    view = Viewer(selection, dataset)
    assert view.scene == {}
    selection.open("s0001")
    assert "s0001/mri.nii.gz" in view.error
    assert view.scene == {}
    selection.open("s0002")
    assert view.error == ""
    assert view.scene["case"] == "s0002"


def test_a_bad_mask_is_told_and_the_others_are_shown(opened):
    view = opened({"moved": nifti_bytes(box_mask((1, 2), (1, 2), (1, 2)), np.eye(4))})
    assert "moved.nii.gz" in view.error
    rows = {row["name"]: row["status"] for row in view.labels["structures"]}
    assert rows["moved"] == "unreadable"
    assert view.labels["sets"][1]


def test_python_and_browser_share_point_window_and_layout(opened):
    view = opened({})
    view.selection.point = (1, 2, 3)
    view.selection.window = (5, 50)
    assert (view.point, view.window) == ([1, 2, 3], [5, 50])
    view.point = [4.0, 5.0, 6.0]
    view.layout_name = "coronal"
    view.structures = ["a"]
    assert view.selection.point == (4, 5, 6)
    assert view.selection.layout == "coronal"
    assert view.selection.structures == ("a",)
    view.point = [1.0]
    assert view.error
    assert view.selection.point == (4, 5, 6)


def test_memory_is_bounded_but_the_open_case_stays(opened):
    shown = opened({})._picture
    again = picture(Volume(np.asfortranarray(shown.voxels), shown.grid))
    shelf = Shelf(again.nbytes * 2)
    for number in range(5):
        shelf.put(f"s{number}", again, f"s{number}")
    assert [f"s{n}" in shelf for n in range(5)] == [False, False, False, True, True]
    tiny = Shelf(1)
    tiny.put("big", shown, "big")
    tiny.put("ahead", shown, "big")
    assert ("big" in tiny, "ahead" in tiny) == (True, False)


def test_about_tells_what_people_ask_for_and_no_bookkeeping(write):
    dataset = open_dataset(write({"s0001": {"a": box_mask((1, 3), (2, 5), (3, 8))}}))
    index = build_index(dataset, dataset.location + ".store", progress=False)
    selection = Selection(Cohort.join(dataset.meta, index.cases, index.structures))
    selection.case = "s0001"
    shown = [label for label, _, _ in Viewer(selection, dataset).facts]
    assert shown == ["Size", "Spacing", "Split", "Orientation", "Oblique", "Structures present"]

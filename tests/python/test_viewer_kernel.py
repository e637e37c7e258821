"""The kernel side of the viewer."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from samples import AFFINE, SHAPE, box_mask, nifti_bytes
from viewing import ask, cut

from explorer import Cohort, Selection, build_index, open_dataset
from explorer.errors import QueryError
from explorer.grid import Grid
from explorer.kernel import is_compiled
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_a_few_values_far_off_do_not_blunt_the_others(opened, dtype: type):
    rng = np.random.default_rng(1)
    image = rng.uniform(20, 1000, (24, 20, 18)).astype(dtype)
    image[:, :6] = 0
    image[5, 7, 9], image[6, 7, 9] = 10**7, -(10**6)
    view = opened({"mri": nifti_bytes(image, np.diag([2.0, 1.5, 3.0, 1.0])), "a": None, "b": None})
    assert not view.scene["exact"]
    sent = cut(view, "axial", 9, "image") * view.scene["scale"] + view.scene["offset"]
    true = image[:, :, 9].T.astype(float)
    common = (true >= 0) & (true <= 1000)
    assert common.sum() == true.size - 2
    np.testing.assert_allclose(sent[common], true[common], atol=0.05)
    assert sent[7, 5] == sent.max() > 1000
    assert sent[7, 6] == sent.min() < 0
    for voxel in ((5, 7, 9), (6, 7, 9), (3, 12, 9)):
        reply, _ = ask(view, kind="value", scene=view.scene["key"], voxel=list(voxel))
        assert reply["value"] == image[voxel]


def test_steps_go_from_end_to_end_where_little_is_inside(opened):
    image = np.zeros((24, 20, 18), np.float32)
    image[5:9, 7, 9] = (1, 500, 1000, 1e5)
    view = opened({"mri": nifti_bytes(image, np.diag([2.0, 1.5, 3.0, 1.0])), "a": None, "b": None})
    sent = cut(view, "axial", 9, "image") * view.scene["scale"] + view.scene["offset"]
    np.testing.assert_allclose(sent, image[:, :, 9].T, atol=1)


def test_a_value_is_told_as_it_is_scaled_and_that_there_is_none(opened):
    image = np.full(SHAPE, 0.25)
    image[1, 2, 3], image[2, 2, 3], image[3, 2, 3] = np.nan, np.inf, -np.inf
    data = nib.Nifti1Image(image, np.eye(4), dtype=np.float64)
    view = opened({"mri": gzip.compress(data.to_bytes()), "a": None, "b": None})

    def value(*voxel: int) -> object:
        return ask(view, kind="value", scene=view.scene["key"], voxel=list(voxel))[0]["value"]

    assert [value(n, 2, 3) for n in range(4)] == [0.25, "NaN", "inf", "-inf"]
    scaled = opened({"mri": np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)})
    scaled._picture.slope, scaled._picture.inter = 2.0, -5.0
    view = scaled
    assert value(SHAPE[0] - 1, 0, 0) == -5.0  # voxel 0 of a file whose first axis runs to the left


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


def test_masks_are_shown_without_being_painted(opened, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("explorer.labels.paint", lambda found: pytest.fail("was painted"))
    view = opened({})
    assert view.labels["complete"]
    extents = view._picture.labels.extents
    assert {name: extents[name].voxels for name in "ab"} == {"a": 2 * 3 * 5, "b": 3 * 3 * 5}


@pytest.mark.parametrize("kind", ["where", "surface"])
def test_what_is_asked_of_masks_that_are_no_longer_shown_is_refused_quietly(opened, kind: str):
    view = opened({"a": box_mask((1, 5), (1, 5), (1, 5))})
    of = {"kind": kind, "scene": view.scene["key"], "structure": "a"}
    reply, _ = ask(view, **of, content="of another set")
    assert (reply["ok"], reply["outdated"], view.error) == (False, True, "")
    for content in ({"content": view.labels["content"]}, {}):
        assert ask(view, **of, **content)[0]["ok"]


def test_a_request_about_a_case_that_was_left_is_told_apart_from_a_failure(opened):
    view = opened({})
    for kind in ("where", "window", "surface", "snapshot", "value"):
        message = {"kind": kind, "scene": "s0001#0", "structure": "a", "preset": "full"}
        reply, _ = ask(view, **message)
        assert (reply["ok"], reply["outdated"], view.error) == (False, True, "")
    reply, _ = ask(view, kind="where", scene=view.scene["key"], structure="nothing")
    assert (reply["ok"], reply["outdated"]) == (False, False)
    assert view.error


def test_a_structure_is_found_inside_itself(opened):
    ring = np.zeros(SHAPE, np.uint8)
    ring[1:6, 1:7, 4] = 1
    ring[2:5, 2:6, 4] = 0
    view = opened({"ring": ring})
    where = {"kind": "where", "scene": view.scene["key"]}
    centre = ask(view, **where, structure="ring")[0]["centre"]
    point = view._picture.grid.to_world(centre)
    i, j, k = np.round(read_image(view.dataset["s0001"]).grid.to_voxel(point)).astype(int)
    assert ring[i, j, k] == 1
    assert "Did you mean" in ask(view, **where, structure="rinq")[0]["error"]


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


def test_a_case_that_a_browser_shows_already_is_opened_with_its_window(opened):
    view = opened({})
    view.selection.case = ""
    ask(view, kind="open", case="s0001", scene="s0001#1", window=[5, 50])
    assert (view.selection.case, view.selection.window, view.window) == ("s0001", (5, 50), [5, 50])
    view.selection.case = ""
    assert view.window is None
    for window in ([5], "5 50", [5, "x"], {"a": 1}):
        answer, _ = ask(view, kind="open", case="s0001", scene="s0001#1", window=window)
        assert "window must be" in answer["error"]
        assert view.selection.case == ""


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


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_where_tells_centre_largest_slices_and_runs(opened, orientation: str):
    affine = turned(orientation)
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:3, 2:6, 2:4] = 1
    mask[1:6, 3, 7] = 1
    view = opened({"mri": nifti_bytes(np.ones(SHAPE, np.int16), affine), "piece": nifti_bytes(mask, affine)})
    ras = nib.as_closest_canonical(nib.Nifti1Image(mask, affine)).get_fdata() > 0
    found, _ = ask(view, kind="where", scene=view.scene["key"], structure="piece")
    assert ras[tuple(found["centre"])]
    mm = np.argwhere(ras) @ view._picture.grid.affine[:3, :3].T
    apart = np.linalg.norm(mm - mm.mean(axis=0), axis=1)
    mine = np.linalg.norm(view._picture.grid.affine[:3, :3] @ found["centre"] - mm.mean(axis=0))
    assert mine == pytest.approx(apart.min())
    for plane, (_, _, axis) in PLANES.items():
        areas = ras.sum(axis=tuple({0, 1, 2} - {axis}))
        assert areas[found["best"][plane]] == areas.max()
        has = np.zeros(areas.size, bool)
        for start, stop in found["has"][plane]:
            has[start:stop] = True
        np.testing.assert_array_equal(has, areas > 0)
    along = next(axis for axis, letter in enumerate(orientation) if letter in "SI")
    expected = 2 if along == 2 else 1
    assert len(found["has"]["axial"]) == expected
    assert "Did you mean" in ask(view, kind="where", scene=view.scene["key"], structure="piecf")[0]["error"]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("orientation", ["RAS", "PIL"])
def test_how_values_are_spread_is_counted_of_finite_non_zero_ones(
    dtype: type, orientation: str, monkeypatch: pytest.MonkeyPatch
):
    rng = np.random.default_rng(3)
    array = np.asfortranarray(
        (rng.gamma(2, 15, SHAPE) - 20).clip(0 if np.dtype(dtype).kind == "u" else -99, 120)
    )
    array = array.astype(dtype)
    if array.dtype.kind == "f":
        array[0, 0] = np.nan
        array[0, 1] = np.inf
    elif is_compiled():
        monkeypatch.setattr("explorer.views.picture.flat_chunks", lambda stored: pytest.fail("not counted"))
    found = picture(Volume(array, Grid(SHAPE, turned(orientation)), 2.0, 3.0), (0, 1)).spread()
    values = array.astype(float) * 2 + 3
    values = values[np.isfinite(values) & (values != 0)]
    np.testing.assert_allclose(found.percentiles, np.percentile(values, (0.5, 1, 2, 98, 99, 99.5)), rtol=1e-6)
    assert (found.minimum, found.maximum) == (values.min(), values.max())


def test_how_nothing_is_spread_is_nan():
    nothing = Volume(np.zeros(SHAPE, np.int16, order="F"), Grid(SHAPE, AFFINE))
    assert np.isnan(picture(nothing).spread().percentiles).all()


def test_windows_by_name_are_percentiles_of_what_they_say(opened, image: np.ndarray):
    view = opened({})

    def window(**message: object) -> list[float]:
        found, _ = ask(view, kind="window", scene=view.scene["key"], **message)
        assert found["ok"], found
        return [found["low"], found["high"]]

    for preset, which in {
        "1-99": (1, 99),
        "2-98": (2, 98),
        "0.5-99.5": (0.5, 99.5),
        "full": (0, 100),
    }.items():
        assert window(preset=preset) == pytest.approx(np.percentile(image, which).tolist())
    inside = image[1:3, 2:5, 3:8]
    assert window(preset="structure", structure="a") == pytest.approx(np.percentile(inside, (1, 99)).tolist())


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "window", "preset": "3-97"},
        {"kind": "window", "preset": 5},
        {"kind": "window", "preset": "structure"},
        {"kind": "window", "preset": "structure", "structure": "x" * 2000},
        *(
            {"kind": "value", "voxel": voxel}
            for voxel in (None, "123", [1, 2], [1, 2, 99], [-1, 0, 0], [0, 0, True], [0.0, 1, 2], [[0], 1, 2])
        ),
        {"kind": "where", "structure": "a", "layer": "image"},
        {"kind": "where", "structure": "a", "layer": ["labels"]},
        {"kind": "where", "structure": "a", "layer": "other"},
        {"kind": "where", "structure": "a", "scene": "s0001#0"},
        {"kind": "slices", "plane": "axial", "indices": [0], "layer": "picture"},
        {"kind": "slices", "plane": "axial", "indices": [0], "layer": {}},
        {"kind": "slices", "plane": "axial", "indices": [0], "layer": "other"},
        *(
            {"kind": "slices", "plane": "axial", "indices": [0], "layer": "image", **more}
            for more in (
                {"coarse": True, "stride": 0},
                {"coarse": True, "stride": 65},
                {"coarse": True, "stride": "2"},
                {"coarse": True, "rows": [0, 2]},
                {"rows": [0, 9]},
                {"rows": [4, 4]},
                {"rows": [-1, 4]},
                {"rows": "04"},
                {"rows": [0.0, 4.0]},
            )
        ),
    ],
)
def test_hostile_messages_are_refused(opened, message: dict):
    view = opened({})
    reply, buffers = ask(view, **{"scene": view.scene["key"], **message})
    assert (reply["ok"], buffers) == (False, [])
    assert reply["error"]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_packed_coarse_and_partial_slices_are_those_of_the_whole(opened, dtype: type):
    rng = np.random.default_rng(2)
    high = 250 if dtype is np.uint8 else 2000
    view = opened(
        {"mri": rng.integers(-high if dtype in (np.int16, np.float32) else 0, high, SHAPE).astype(dtype)}
    )
    for plane, (_, _, along) in PLANES.items():
        for index in (0, view.scene["shape"][along] - 1):
            raw = cut(view, plane, index, "image", compress=False)
            np.testing.assert_array_equal(cut(view, plane, index, "image"), raw)
            parts = [cut(view, plane, index, "image", rows=rows) for rows in ([0, 3], [3, raw.shape[0]])]
            np.testing.assert_array_equal(np.concatenate(parts), raw)
            fields, _ = ask(
                view,
                kind="slices",
                scene=view.scene["key"],
                plane=plane,
                indices=[index],
                layer="image",
                coarse=True,
                stride=2,
            )
            coarse = (
                cut(view, plane, index, "image", coarse=True, stride=2) * fields["scale"] + fields["offset"]
            )
            rows, columns = (np.minimum(np.arange(0, n, 2) + 1, n - 1) for n in raw.shape)
            low, top = sorted((np.array(view.scene["window"]) - view.scene["offset"]) / view.scene["scale"])
            expected = raw[np.ix_(rows, columns)].astype(float)
            if dtype is not np.uint8:
                expected = expected.clip(low, top)
            np.testing.assert_allclose(coarse, expected, atol=(top - low) / 255)


@pytest.mark.parametrize("many", [False, True])
def test_masks_for_a_near_browser_are_runs_or_pixels_whichever_are_fewer_bytes(opened, many: bool):
    noise = np.random.default_rng(3).integers(0, 2, (9, *SHAPE)).astype(np.uint8)
    masks = {f"n{i}": one for i, one in enumerate(noise)} if many else {"a": box_mask((1, 5), (1, 5), (1, 5))}
    view = opened(masks)
    for plane, (_, _, along) in PLANES.items():
        for index in (0, 4, view.scene["shape"][along] - 1):
            for more in ({}, {"coarse": True, "stride": 2}, {"rows": [1, 4]}):
                packed = cut(view, plane, index, "labels", **more)
                np.testing.assert_array_equal(
                    cut(view, plane, index, "labels", compress=False, **more), packed
                )
        request = {"scene": view.scene["key"], "plane": plane, "indices": [4, 5], "layer": "labels"}
        fields, buffers = ask(view, kind="slices", **request)
        columns, rows = (view.scene["shape"][axis] for axis in PLANES[plane][:2])
        assert fields["packed"] == ("raw" if many else "runs")
        assert sum(map(len, buffers)) <= 2 * columns * rows * fields["bytes"]


def test_a_browser_is_near_that_takes_the_image_as_it_is_and_large_masks_packed(opened):
    view = opened({"a": box_mask((1, 5), (1, 5), (1, 5))})
    cut(view, "axial", 4, "image", compress=False)
    cut(view, "axial", 4, "labels", compress=True)
    assert not view._far
    cut(view, "axial", 4, "image", compress=True)
    assert view._far


def test_options_of_a_browser_are_bounded(opened):
    view = opened({})
    view.options = {"opacity": 7, "width": -1, "paint": "spray", "overlay": 1, "smooth": False, "evil": "x"}
    assert view.options == {"opacity": 1.0, "width": 0.5, "smooth": False}


def test_colours_and_opacities_are_shared_and_checked(opened):
    view = opened({})
    view.colors = [["a", "#FF0000"]]
    assert view.selection.colors == (("a", "#ff0000"),)
    view.selection.opacities = (("a", 0.25),)
    assert view.opacities == [["a", 0.25]]
    view.colors = [["a", "url(https://evil)"]]
    assert (view.colors, view.selection.colors) == ([["a", "#ff0000"]], (("a", "#ff0000"),))
    assert "must be like '#1f77b4'" in view.error

"""The viewer's front end with its real kernel side, on a synthetic body."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from viewer_page import HEIGHT, at, letters, pixel, said, said_mm, share
from widgets import Stub

from explorer import open_dataset
from explorer.views.viewer import Viewer

TURNS = [
    ("RAS", 0),
    ("LPS", 0),
    ("LIP", 0),
    ("PIL", 0),
    ("PSR", 0),
    ("ASL", 0),
    ("SRA", 0),
    ("IPL", 0),
    ("RAS", 12),
]


@pytest.mark.parametrize(("orientation", "tilt"), TURNS)
def test_what_is_where_on_the_screen(opened: Callable, orientation: str, tilt: float):
    """Screen positions follow from the body alone: right is left, front is up, head is up."""
    bridge, case = opened(orientation, tilt)
    assert letters(bridge, "axial") == ["R", "L", "A", "P"]
    assert letters(bridge, "coronal") == ["R", "L", "S", "I"]
    assert letters(bridge, "sagittal") == ["A", "P", "S", "I"]
    for name in ("liver", "kidney_left", "kidney_right", "spleen"):
        x, y, z = case.structures[name].centroid_mm
        bridge.view.selection.point = (x, y, z)
        bridge.settle()
        if tilt:  # the crosshair tells where the point is; the body tells what is there
            assert name.replace("_", " ") in said(bridge)
            continue
        across, front, up = share(bridge, 0, x), share(bridge, 1, y), share(bridge, 2, z)
        for plane, where in {
            "axial": (1 - across, 1 - front),
            "coronal": (1 - across, 1 - up),
            "sagittal": (1 - front, 1 - up),
        }.items():
            bridge.page.mouse.move(*at(bridge, plane, *where))
            bridge.settle()
            assert name.replace("_", " ") in said(bridge), (name, plane, said(bridge))
        assert (1 - across < 0.5) == (name in ("liver", "kidney_right"))
        assert case.structure_at((x, y, z)) == name


@pytest.mark.parametrize(
    ("orientation", "tilt"), [("RAS", 0), ("LPS", 0), ("PIR", 0), ("LAS", 0), ("SLP", 0), ("LIP", 12)]
)
def test_a_voxel_is_told_as_other_programs_count_it(
    opened: Callable, tmp_path: Path, orientation: str, tilt: float
):
    bridge, _ = opened(orientation, tilt)
    image = nib.load(tmp_path / "s0001/mri.nii.gz")
    values = np.asanyarray(image.dataobj)
    mm = image.affine @ [*(n // 3 for n in image.shape), 1]
    bridge.view.selection.point = tuple(mm[:3].tolist())
    bridge.settle()
    at_the_crosshair = said(bridge)
    bridge.page.mouse.move(*at(bridge, "axial", 0.4, 0.6))
    bridge.settle()
    card = " · ".join(bridge.page.inner_text(".xp-card").splitlines())
    for line in (at_the_crosshair, card):
        told = dict(part.split(" ", 1) for part in line.split(" · ") if part[:5] in ("voxel", "value"))
        voxel = tuple(int(n) for n in told["voxel"].split())
        assert float(told["value"]) == pytest.approx(values[voxel], rel=1e-5)
        x, y, z = line.split("x ")[1].split(" mm")[0].replace("y", "").replace("z", "").split()
        assert np.abs((image.affine @ [*voxel, 1])[:3] - [float(x), float(y), float(z)]).max() < 0.051


@pytest.mark.parametrize(("orientation", "tilt"), [("RAS", 0), ("PIL", 0), ("LIP", 12)])
def test_a_click_moves_the_crosshair_to_that_millimetre(opened: Callable, orientation: str, tilt: float):
    bridge, case = opened(orientation, tilt)
    scene = bridge.view.scene
    affine = np.reshape(scene["affine"], (3, 4))
    inside = np.linalg.solve(affine[:, :3], np.array(case.structures["liver"].centroid_mm) - affine[:, 3])
    middle = (np.array(scene["shape"]) - 1) // 2
    wanted = np.array([inside[0] + 1.3, inside[1] - 1.4, middle[2]])
    assert case.structure_at(tuple(affine @ [*wanted, 1])) == "liver"
    # Left on the screen is the patient's right, and up is the front.
    shares = 1 - (wanted + 0.5) / scene["shape"]
    bridge.page.mouse.click(*at(bridge, "axial", shares[0], shares[1]))
    bridge.settle()
    assert bridge.view.selection.point == pytest.approx(affine @ [*wanted, 1], abs=0.5)
    # The line tells the voxel that is shown there.
    assert said_mm(bridge) == pytest.approx(affine @ [*np.floor(wanted + 0.5), 1], abs=0.06)
    assert "liver" in said(bridge)


@pytest.mark.parametrize("orientation", ["RAS", "PIL"])
def test_a_plane_and_the_line_below_it_tell_the_same_millimetre(opened: Callable, orientation: str):
    bridge, _case = opened(orientation)
    for share_of in (0.31, 0.37, 0.43, 0.52):  # where a click puts the crosshair between two slices of 7 mm
        bridge.page.mouse.click(*at(bridge, "coronal", 0.4, share_of))
        bridge.page.mouse.move(5, 5)
        bridge.settle()
        told = bridge.page.inner_text(".xp-plane-axial .xp-br").split(" · ")[1]
        assert float(told.removesuffix(" mm")) == said_mm(bridge)[2]
        z = bridge.view.selection.point[2]
        assert abs(float(told.removesuffix(" mm")) - z) <= 3.5


def test_neurological_display_mirrors_pictures_and_letters(opened: Callable):
    bridge, _case = opened()
    before = pixel(bridge, "axial", 0.25, 0.5), pixel(bridge, "axial", 0.75, 0.5)
    bridge.page.focus(".xp-planes")
    bridge.page.keyboard.press("x")
    bridge.settle()
    assert letters(bridge, "axial") == ["L", "R", "A", "P"]
    assert letters(bridge, "sagittal") == ["A", "P", "S", "I"]
    after = pixel(bridge, "axial", 0.25, 0.5), pixel(bridge, "axial", 0.75, 0.5)
    assert np.allclose(before, after[::-1], atol=12)


def test_toggles_colour_and_outline_cost_no_bytes(opened: Callable):
    bridge, case = opened()
    x, y, z = case.structures["liver"].centroid_mm
    bridge.view.selection.point = (x, y, z)
    bridge.settle()
    spot = (1 - share(bridge, 0, x) + 0.03, 1 - share(bridge, 1, y) - 0.03)
    coloured = pixel(bridge, "axial", *spot)
    asked = len(bridge.stub.sent_of("slices"))
    bridge.page.click("[data-structure=liver] .xp-eye")
    bridge.settle()
    grey = pixel(bridge, "axial", *spot)
    assert coloured[1] > coloured[0] + 20
    assert max(grey) - min(grey) < 6
    assert "liver" not in bridge.view.selection.structures
    bridge.page.focus(".xp-planes")
    for key in ("o", "s", "s", "a", "d", "i"):
        bridge.page.keyboard.press(key)
    bridge.settle()
    assert len(bridge.stub.sent_of("slices")) == asked


def test_wheel_and_keys_step_slices_and_stop_at_the_ends(opened: Callable):
    bridge, _case = opened()
    bridge.page.mouse.move(*at(bridge, "coronal", 0.5, 0.5))
    before = bridge.page.inner_text(".xp-plane-coronal .xp-br")
    bridge.page.mouse.wheel(0, -100)
    bridge.settle()
    assert bridge.page.inner_text(".xp-plane-coronal .xp-br") != before
    bridge.page.focus(".xp-planes")
    bridge.page.keyboard.press("End")
    bridge.settle()
    count = bridge.view.scene["shape"][1]
    assert bridge.page.inner_text(".xp-plane-coronal .xp-br").startswith(f"{count} of {count}")
    bridge.page.keyboard.press("PageUp")
    bridge.settle()
    assert bridge.page.inner_text(".xp-plane-coronal .xp-br").startswith(f"{count} of {count}")


def test_keys_act_only_with_the_focus_in_the_viewer(opened: Callable):
    bridge, _case = opened()
    bridge.page.focus("[placeholder='Find a structure']")
    bridge.page.keyboard.type("x2")
    bridge.settle()
    assert letters(bridge, "axial")[0] == "R"
    assert bridge.view.selection.layout == "grid"


def test_window_by_numbers_and_back(opened: Callable):
    bridge, _case = opened()
    auto = bridge.view.scene["window"]
    bridge.page.fill("[aria-label='Window: shown as black']", "100")
    bridge.page.keyboard.press("Tab")
    bridge.settle()
    assert bridge.view.selection.window[0] == 100
    bridge.page.focus(".xp-planes")
    bridge.page.keyboard.press("r")
    bridge.settle()
    assert bridge.view.selection.window is None
    assert float(bridge.page.input_value("[aria-label='Window: shown as black']")) == pytest.approx(
        auto[0], rel=0.01
    )


def test_one_plane_fills_the_viewer_and_python_hears_of_it(opened: Callable):
    bridge, _case = opened()
    bridge.page.dblclick(".xp-plane-sagittal canvas")
    bridge.settle()
    assert bridge.view.selection.layout == "sagittal"
    assert not bridge.page.locator(".xp-plane-axial").is_visible()
    bridge.view.selection.layout = "grid"
    bridge.settle()
    assert bridge.page.locator(".xp-plane-axial").is_visible()


def test_two_views_of_one_model_do_not_disturb_each_other(opened: Callable):
    bridge, _case = opened()
    bridge.stub.render_again()
    bridge.settle()
    assert bridge.page.locator("#second .xp-plane-axial .xp-br").inner_text().count(" of ") == 1
    colours = bridge.page.evaluate(
        "() => [...document.querySelectorAll('.xp-plane-axial canvas')].map((c) => "
        "new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 20)"
    )
    assert colours == [True, True]


def test_empty_and_failed_states_are_told_in_words(stub: Callable[..., Stub]):
    nothing = {"scene": {}, "labels": {}, "facts": [], "busy": "", "cases": 3, "layout_name": "grid"}
    nothing |= {"window": None, "point": None, "structures": None}
    widget = stub("viewer", nothing)
    assert "Choose a case" in widget.page.inner_text(".xp-planes")
    widget.set("error", "s0001/mri.nii.gz: the file is cut short. <b>Fetch</b> it again.")
    assert "<b>Fetch</b>" in widget.page.inner_text(".xp-error")
    assert widget.page.locator(".xp-error b").count() == 0


def test_a_case_without_any_structure_says_so(opened: Callable, tmp_path: Path):
    bridge, _case = opened()
    for path in (tmp_path / "s0001/segmentations").glob("*.nii.gz"):
        mask = nib.load(path)
        path.unlink()
        if path.name in ("liver.nii.gz", "spleen.nii.gz"):
            nib.save(nib.Nifti1Image(np.zeros(mask.shape, np.uint8), mask.affine), path)
    view = Viewer(bridge.view.selection, open_dataset(tmp_path))
    bridge.stub.set("labels", {**view.labels, "key": bridge.view.scene["key"]})
    assert "No structure in this case: all 2 masks are empty." in bridge.page.inner_text(".xp-list")
    assert bridge.page.locator(".xp-structure").count() == 0


def test_the_picture_is_the_image(opened: Callable):
    """Grey values of the canvas are those of the array through the window."""
    bridge, _case = opened("PIL")
    bridge.page.focus(".xp-planes")
    for key in ("s", "i", "m"):
        bridge.page.keyboard.press(key)
    bridge.settle()
    picture = bridge.view._picture
    z = round((bridge.view.scene["shape"][2] - 1) // 2)
    low, high = picture.window
    plane = picture.voxels[:, :, z].astype(float) * picture.scale + picture.offset
    grey = np.clip((plane - low) / (high - low) * 255, 0, 255)
    for i, j in [(10, 20), (40, 12), (60, 40), (80, 30)]:
        x_share = 1 - (i + 0.5) / plane.shape[0]
        y_share = 1 - (j + 0.5) / plane.shape[1]
        assert pixel(bridge, "axial", x_share, y_share)[0] == pytest.approx(grey[i, j], abs=2)


def test_texts_over_pictures_have_a_backing(opened: Callable):
    bridge, _case = opened()
    for part in ("left", "right", "top", "bottom", "br", "scale", "tl"):
        alpha = bridge.page.evaluate(
            "(part) => Number(getComputedStyle(document.querySelector(`.xp-plane-axial .xp-${part}`)).backgroundColor.match(/[\\d.]+(?=\\)|%)/g).at(-1))",
            part,
        )
        assert 0.5 <= alpha < 1, part


def test_a_case_that_cannot_be_read_leaves_nothing_of_the_one_before(opened: Callable):
    bridge, _case = opened()
    assert "value" in said(bridge)
    bridge.stub.set("scene", {})
    bridge.settle()
    assert said(bridge) == ""
    assert letters(bridge, "axial") == ["", "", "", ""]
    assert bridge.page.locator(".xp-segs [aria-pressed=true]").inner_text() == "All"


def test_the_bar_shows_its_state_before_any_case_is_open(stub: Callable[..., Stub]):
    nothing = {"scene": {}, "labels": {}, "facts": [], "busy": "", "cases": 3, "layout_name": "axial"}
    widget = stub("viewer", {**nothing, "window": None, "point": None, "structures": None})
    pressed = widget.page.locator(".xp-viewer .xp-bar [aria-pressed=true]:visible").all()
    assert [button.get_attribute("title") for button in pressed] == ["Axial (2)", "Structures on or off (S)"]


def test_planes_have_names_for_a_screen_reader(opened: Callable):
    bridge, _case = opened()
    tree = bridge.page.locator("#root").aria_snapshot()
    assert 'region "Viewer"' in tree
    for plane in ("Axial", "Coronal", "Sagittal"):
        assert f'img "{plane} slice ' in tree


@pytest.mark.parametrize("width", [480, 700])
def test_every_control_is_reached_in_a_narrow_cell(opened: Callable, width: int):
    bridge, _case = opened()
    bridge.page.evaluate("(px) => { document.getElementById('root').style.width = `${px}px`; }", width)
    bridge.settle()
    bridge.page.click("[title=Display]")
    controls = bridge.page.locator(".xp-viewer .xp-bar :is(button, input, select):visible").all()
    assert len(controls) > 15
    for control in controls:
        box = control.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= HEIGHT

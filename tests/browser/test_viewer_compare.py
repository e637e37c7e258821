"""Two sets of masks over each other: how they are drawn, and what only one of them has."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fake_kernel import colour, open_volume, quiet, row, spot
from viewer_page import at, bridge, said, share
from widgets import Bridge, Stub

from explorer import Cohort, Selection, open_dataset
from explorer.phantom import PhantomCase, write_case
from explorer.views.viewer import Viewer

GREY = 100
A, B = row("left_thing", "#ff0000"), row("right_thing", "#0000ff")
SETS = [[], [0], [1], [0, 1]]


def blend(over: tuple[float, float, float], alpha: float) -> list[float]:
    return [alpha * c + (1 - alpha) * GREY for c in over]


def compared(stub: Callable[..., Stub], **options: object) -> Stub:
    """Labels: A in x 6..17, B in 12..23; other: A where B was alone, nothing of B but where both overlap."""
    image = np.full((30, 30, 5), GREY, np.uint8)
    ids, other = np.zeros_like(image), np.zeros_like(image)
    ids[6:12, 8:22] = 1
    ids[18:24, 8:22] = 2
    ids[12:18, 8:22] = 3
    other[12:18, 8:22] = 3
    other[18:24, 8:22] = 1
    options = {"paint": "fill", "opacity": 0.5, "crosshair": False, "smooth": False, **options}
    sets = {"mask_sets": ["reference", "nnU-Net"], "compare": "nnU-Net"}
    return open_volume(stub, image, ids, SETS, [A, B], other=other, options=options, **sets)


def swap(widget: Stub) -> None:
    """Give the masks of the reference out as those of the other set, and the other way round."""
    for name, mask_set in (("labels", "nnU-Net"), ("other", "reference")):
        widget.set(name, {**widget.get(name), "mask_set": mask_set})
    widget.set("mask_set", "nnU-Net")
    widget.set("compare", "reference")
    quiet(widget)


def test_the_difference_of_two_sets_has_four_colours(stub: Callable[..., Stub]):
    widget = compared(stub, difference=True)
    grey, only, both_kinds = (0x8B, 0x95, 0xA3), (0x3A, 0xA0, 0xFF), (0xE0, 0x5C, 0xFF)
    for voxel, rgb in {(15, 15, 2): grey, (8, 15, 2): only, (20, 15, 2): both_kinds}.items():
        assert colour(widget, "axial", *spot(widget, "axial", voxel)) == pytest.approx(
            blend(rgb, 0.5), abs=2
        ), voxel
    legend = widget.page.inner_text(".xp-legend")
    assert "only reference" in legend
    assert "only nnU-Net" in legend
    widget.page.click("[data-structure=right_thing] [aria-label^='Show']")
    quiet(widget)  # without B, A is only in the other set there
    assert colour(widget, "axial", *spot(widget, "axial", (20, 15, 2))) == pytest.approx(
        blend((0xFF, 0x9F, 0x1C), 0.5), abs=2
    )


def test_the_colours_of_a_difference_are_the_same_whichever_set_is_shown(stub: Callable[..., Stub]):
    widget = compared(stub, difference=True)
    shown_first = {
        voxel: colour(widget, "axial", *spot(widget, "axial", voxel)) for voxel in ((8, 15, 2), (15, 15, 2))
    }
    legend = widget.page.inner_html(".xp-legend")
    swap(widget)
    assert {voxel: colour(widget, "axial", *spot(widget, "axial", voxel)) for voxel in shown_first} == {
        (8, 15, 2): pytest.approx(blend((0xFF, 0x9F, 0x1C), 0.5), abs=2),
        (15, 15, 2): shown_first[15, 15, 2],
    }, "the same masks under the names of the other set: now the model alone has them"
    assert widget.page.inner_html(".xp-legend") == legend


def test_sets_of_masks_are_chosen_only_where_there_are_some(stub: Callable[..., Stub]):
    widget = compared(stub)
    widget.page.select_option("[aria-label='Compared with']", "")
    assert ["compare", ""] in widget.page.evaluate("window.saved")
    quiet(widget)
    assert widget.page.locator(".xp-legend").is_hidden()
    assert widget.page.locator("text=Difference").is_hidden()
    widget.set("mask_sets", ["reference"])
    quiet(widget)
    assert widget.page.locator("[aria-label='Compared with']").is_hidden()


def test_the_reference_is_an_outline_with_a_dark_edge_over_the_fills_of_the_other(stub: Callable[..., Stub]):
    widget = compared(stub, width=2, paint="both")
    step = spot(widget, "axial", (6, 15, 2))[0] - spot(widget, "axial", (7, 15, 2))[0]
    x, y = spot(widget, "axial", (6, 15, 2))  # A of the reference begins here, where the other has nothing
    edge = round(x + step / 2)
    assert [colour(widget, "axial", edge - k, y) for k in (1, 2, 3, 6)] == [
        [255, 0, 0],
        [255, 0, 0],
        [0, 0, 0],
        [GREY] * 3,
    ]
    x, y = spot(widget, "axial", (21, 15, 2))  # A of the other; B of the reference ends further left
    assert colour(widget, "axial", x, y) == pytest.approx(blend((255, 0, 0), 0.5), abs=2)
    widget.page.mouse.move(x, y)
    quiet(widget)
    assert widget.page.locator(".xp-card-name").all_inner_texts() == ["right thing", "nnU-Net: left thing"]
    legend = widget.page.locator(".xp-legend > span")
    assert legend.all_inner_texts() == ["nnU-Net: filled", "reference: outline with a dark edge"]
    how = widget.page.locator("[aria-label^='How structures are drawn']")
    assert (how.input_value(), how.locator("option").all_inner_texts()) == ("fill", ["Fill", "Outline"])
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("o")
    quiet(widget)
    assert colour(widget, "axial", x, y) == [GREY] * 3
    assert legend.all_inner_texts() == ["nnU-Net: dashed outline", "reference: outline with a dark edge"]
    widget.set("compare", "")
    widget.set("other", {})
    quiet(widget)
    assert how.locator("option").all_inner_texts() == ["Fill", "Outline", "Both"]


def test_another_set_that_is_shown_is_filled_and_the_compared_one_the_outline(stub: Callable[..., Stub]):
    widget = compared(stub, width=2)
    swap(widget)
    x, y = spot(widget, "axial", (8, 15, 2))
    assert colour(widget, "axial", x, y) == pytest.approx(blend((255, 0, 0), 0.5), abs=2)
    legend = widget.page.locator(".xp-legend > span")
    assert legend.all_inner_texts() == ["nnU-Net: filled", "reference: outline with a dark edge"]


def test_showing_the_compared_set_swaps_the_two(missed: tuple[Bridge, PhantomCase]):
    bridge, _case = missed
    page, selection = bridge.page, bridge.view.selection
    page.select_option("[aria-label='Masks shown']", "model")
    bridge.settle()
    assert (selection.mask_set, selection.compare) == ("model", "reference")
    assert page.input_value("[aria-label='Compared with']") == "reference"


def test_whose_a_structure_is_alone_is_read_in_full(missed: tuple[Bridge, PhantomCase]):
    bridge, _case = missed
    for mask_set in ("reference", "ground-truth of two"):
        for name in ("other", "labels"):
            bridge.stub.set(name, {**bridge.stub.get(name), "mask_set": mask_set})
        status = bridge.page.locator(f"{KIDNEY} .xp-status")
        assert status.inner_text().replace("\n", " ") == f"only {mask_set}"
        sizes = status.evaluate("(e) => [e.scrollWidth, e.clientWidth, e.scrollHeight, e.clientHeight]")
        assert (sizes[0] <= sizes[1], sizes[2] <= sizes[3]) == (True, mask_set == "reference"), sizes


@pytest.fixture
def missed(tmp_path: Path, stub: Callable[..., Stub]) -> tuple[Bridge, PhantomCase]:
    """A reference whose left kidney is empty, compared with a model that has it."""
    root, model = tmp_path / "data", tmp_path / "model"
    case = write_case(root, "s0001", spacing_mm=(4.0, 5.0, 7.0), seed=3)
    shutil.copytree(root / "s0001/segmentations", model / "s0001/segmentations")
    path = root / "s0001/segmentations/kidney_left.nii.gz"
    mask = nib.load(path)
    nib.save(nib.Nifti1Image(np.zeros(mask.shape, np.uint8), mask.affine), path)
    dataset = open_dataset(root).with_mask_set("model", model)
    selection = Selection(Cohort.join(dataset.meta))
    selection.case = "s0001"
    selection.compare = "model"
    view = Viewer(selection, dataset)
    assert view.error == ""
    return bridge(view, stub, theme="dark"), case


KIDNEY = "[data-structure=kidney_left]"


def test_what_only_the_compared_set_has_is_listed_hidden_and_shown_alone(
    missed: tuple[Bridge, PhantomCase],
):
    bridge, _case = missed
    page, selection = bridge.page, bridge.view.selection
    (there,) = (r for r in bridge.view.other["structures"] if r["name"] == "kidney_left")
    assert page.inner_text(f"{KIDNEY} .xp-status") == "only model"
    assert page.inner_text(f"{KIDNEY} .xp-volume") == f"{there['volume_ml']:,.1f}"
    page.click(f"{KIDNEY} .xp-eye")
    bridge.settle()
    assert "kidney_left" not in selection.structures
    assert "kidney_right" in selection.structures
    page.click(f"{KIDNEY} .xp-eye", modifiers=["Alt"])
    bridge.settle()
    assert selection.structures == ("kidney_left",)
    selection.compare = ""
    bridge.settle()
    assert page.locator(KIDNEY).count() == 0, "absent, and so not listed"


def test_what_only_the_compared_set_has_is_gone_to_and_lit_up(missed: tuple[Bridge, PhantomCase]):
    bridge, case = missed
    page = bridge.page
    page.click(f"{KIDNEY} .xp-name")
    bridge.settle()
    assert case.structure_at(bridge.view.selection.point) == "kidney_left"
    assert "model: kidney left" in said(bridge)
    slices = []
    for key in ("Home", ">", ">"):
        page.keyboard.press(key)
        bridge.settle()
        slices.append(page.inner_text(".xp-plane-axial .xp-br"))
    assert len(set(slices)) == 3
    assert page.locator(".xp-toast").is_hidden()
    page.select_option("[aria-label='Window preset']", label="On kidney left")
    bridge.settle()
    assert bridge.view.selection.window == bridge.view._picture.window_of("kidney_left", "other")

    page.click(f"{KIDNEY} .xp-name")
    page.mouse.move(5, 5)
    bridge.settle()
    plain = page.evaluate(AXIAL)
    page.hover(KIDNEY)
    bridge.settle()
    lit = page.evaluate(AXIAL)
    assert lit != plain
    left, top = (round(n) for n in at_crosshair(bridge))
    page.mouse.move(left, top)
    bridge.settle()
    assert page.get_attribute(KIDNEY, "class").split()[-1] == "xp-hovered"
    assert page.evaluate(AXIAL) == lit


AXIAL = "() => document.querySelector('.xp-plane-axial canvas').toDataURL()"


def at_crosshair(bridge: Bridge) -> tuple[float, float]:
    """Return where the point lies on the page, in the axial plane."""
    x, y, _z = bridge.view.selection.point
    return at(bridge, "axial", 1 - share(bridge, 0, x), 1 - share(bridge, 1, y))

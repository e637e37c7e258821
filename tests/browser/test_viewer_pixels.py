"""The page's canvas against `snapshot`, which tests/python holds to nibabel, pixel by pixel."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from fake_kernel import colour, corner, open_volume, spot
from PIL import Image
from viewer_page import bridge, hear
from widgets import Bridge, Stub

from explorer import Cohort, Selection, open_dataset
from explorer.phantom import write_case
from explorer.views.viewer import Viewer

EDGE = 60
"""Pixels around that letters and captions are over."""

KINDS = {
    "upright": ("RAS", 0, (4.0, 5.0, 7.0)),
    "oblique": ("PIL", 14, (5.0, 4.0, 6.0)),
    "sheared": ("PIL", 0, (5.0, 4.0, 6.0)),
    "flipped": ("LIP", 0, (3.5, 6.0, 5.0)),
    "thick slices": ("ASL", 0, (25.0, 2.5, 4.0)),
}


@pytest.fixture
def shown(tmp_path: Path, stub: Callable[..., Stub]) -> Callable[[str], Bridge]:
    def make(kind: str, *, model: bool = False) -> Bridge:
        orientation, tilt, spacing = KINDS[kind]
        case = write_case(
            tmp_path, "s0001", orientation=orientation, tilt_degrees=tilt, spacing_mm=spacing, seed=5
        )
        if kind == "sheared":
            shear(tmp_path)
        dataset = open_dataset(tmp_path)
        if model:
            dataset = dataset.with_mask_set("model", shifted(tmp_path / "s0001", tmp_path.parent / "model"))
        selection = Selection(Cohort.join(dataset.meta))
        selection.case, selection.layout = "s0001", "axial"
        selection.point = case.structures["liver"].centroid_mm
        selection.compare = "model" if model else ""
        view = Viewer(selection, dataset)
        assert view.scene["orthogonal"] == (kind != "sheared")
        view.options = {"crosshair": False}
        return bridge(view, stub)

    return make


def shifted(case: Path, folder: Path) -> Path:
    """Write the masks of a case again, each two voxels further along its axes, and return where."""
    for path in (case / "segmentations").iterdir():
        mask = nib.load(path)
        moved = np.roll(np.asarray(mask.dataobj), (2, 2, 2), (0, 1, 2))
        made = folder / case.name / path.name
        made.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(moved, mask.affine), made)
    return folder


def shear(folder: Path) -> None:
    """Have each axis of all images lean to the next."""
    lean = np.array([[1, 0.2, 0, 0], [0, 1, -0.15, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    for path in folder.rglob("*.nii.gz"):
        image = nib.load(path)
        data = np.asarray(image.dataobj).copy()
        nib.Nifti1Image(data, lean @ image.affine, image.header).to_filename(path)


def tile(plane: str) -> str:
    return ".xp-mosaic" if plane == "mosaic" else f".xp-plane-{plane}"


def box_of(bridge: Bridge, plane: str) -> tuple[float, float, float, float]:
    """Left, top, width and height."""
    return tuple(bridge.page.locator(f"{tile(plane)} canvas").bounding_box().values())


def zoom(bridge: Bridge, x: float, y: float, wheel: float) -> None:
    bridge.page.mouse.move(x, y)
    bridge.page.keyboard.down("Control")
    bridge.page.mouse.wheel(0, -wheel)
    bridge.page.keyboard.up("Control")


def canvas(bridge: Bridge, plane: str) -> np.ndarray:
    """The tile's pixels, on black; of a plane or of the mosaic."""
    url = bridge.page.evaluate("(tile) => document.querySelector(`${tile} canvas`).toDataURL()", tile(plane))
    with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as image:
        ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return np.asarray(Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")).astype(int)


def snapshot(bridge: Bridge, plane: str, shape: tuple[int, ...]) -> np.ndarray:
    png = bridge.view.snapshot(layout=plane, width=shape[1], height=shape[0], legend=False)
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image).astype(int)


def compare(seen: np.ndarray, drawn: np.ndarray, options: dict[str, Any], more: str = "") -> None:
    inner = (slice(EDGE, -EDGE), slice(EDGE, -EDGE))
    off = np.abs(seen - drawn)[inner].max(axis=2)
    lit = (drawn[inner].max(axis=2) > 0) | (seen[inner].max(axis=2) > 0)
    assert lit.sum() > 4_000, (more, options)
    # Chromium interpolates in sixteenths of a voxel.
    far = (off[lit] > (16 if options["smooth"] else 6)).mean()
    assert far < 0.005, (more, options, far)
    assert off[lit].mean() < 1.5, (more, options, off[lit].mean())


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_what_a_snapshot_shows(shown: Callable[[str], Bridge], kind: str):
    """In each plane, mirrored and not, smooth and not, filled and outlined."""
    bridge = shown(kind)
    for plane in ("axial", "coronal", "sagittal"):
        bridge.view.selection.layout = plane
        for options in (
            {"smooth": False, "paint": "fill", "opacity": 1.0},
            {"radiological": False, "smooth": True, "paint": "fill", "opacity": 0.4},
            {"paint": "outline", "smooth": False, "width": 2},
        ):
            bridge.view.options = {"crosshair": False, **options}
            bridge.settle()
            seen = canvas(bridge, plane)
            drawn = snapshot(bridge, plane, seen.shape)
            compare(seen, drawn, options, plane)


@pytest.mark.parametrize("kind", ["upright", "oblique", "flipped"])
def test_dashes_are_where_a_snapshot_has_them(shown: Callable[[str], Bridge], kind: str):
    """Of the set that is held against the reference, in each direction of the axes."""
    bridge = shown(kind, model=True)
    for plane in ("axial", "coronal", "sagittal"):
        bridge.view.selection.layout = plane
        options = {"smooth": False, "paint": "outline", "width": 2, "radiological": plane != "coronal"}
        bridge.view.options = {"crosshair": False, **options}
        bridge.settle()
        seen = canvas(bridge, plane)
        drawn = snapshot(bridge, plane, seen.shape)
        inner = (slice(EDGE, -EDGE), slice(EDGE, -EDGE))
        lines = [np.ptp(image[inner], axis=2) > 20 for image in (seen, drawn)]
        assert lines[1].sum() > 1_000
        assert (lines[0] ^ lines[1]).sum() < 0.02 * lines[1].sum(), (plane, options)
        off = np.abs(seen - drawn)[inner].max(axis=2)[lines[0] & lines[1]]
        assert (off < 6).mean() > 0.98, (plane, options)


def copy(bridge: Bridge) -> np.ndarray:
    """Press P, and return the picture that the kernel sends."""
    made: list[bytes] = []
    known = bridge.view._snapshot

    def answer(message: Any) -> Any:
        fields, png = known(message)
        made.append(png[0])
        return fields, png

    hear(bridge, "snapshot", answer)
    bridge.page.evaluate("HTMLAnchorElement.prototype.click = () => {}")  # saves no file
    bridge.page.focus(".xp-planes")
    bridge.page.keyboard.press("p")
    bridge.settle()
    with Image.open(io.BytesIO(made[-1])) as image:
        return np.asarray(image).astype(int)


@pytest.mark.parametrize(
    ("kind", "plane"), [("upright", "axial"), ("oblique", "coronal"), ("sheared", "sagittal")]
)
def test_a_copy_is_what_is_seen(shown: Callable[[str], Bridge], kind: str, plane: str):
    """Zoomed, moved, measured and mirrored: the part of it that the page shows, pixel for pixel."""
    bridge = shown(kind)
    bridge.view.selection.layout = plane
    options = {"smooth": False, "paint": "both", "opacity": 0.4, "width": 2, "radiological": False}
    bridge.view.options = {"crosshair": True, **options}
    bridge.settle()
    page, (left, top, width, height) = bridge.page, box_of(bridge, plane)
    zoom(bridge, left + 0.4 * width, top + 0.6 * height, 230)
    page.mouse.down(button="middle")
    page.mouse.move(left + 0.4 * width + 37, top + 0.6 * height - 21)
    page.mouse.up(button="middle")
    bridge.settle()
    unmeasured = canvas(bridge, plane)
    page.focus(".xp-planes")
    page.keyboard.press("n")
    corners = ((0.3, 0.3), (0.45, 0.7), (0.7, 0.4))
    for x, y in corners:
        page.mouse.click(left + x * width, top + y * height)
    page.keyboard.press("Escape")
    page.mouse.move(left + width / 2, top - 5)
    bridge.settle()
    seen = canvas(bridge, plane)
    drawn = copy(bridge)
    assert drawn.shape[0] == seen.shape[0]
    drawn = drawn[:, : seen.shape[1]]
    # What was measured is where it was, to the pixels that are smoothed and the number's own letters.
    yellow = [np.abs(image - (0xFF, 0xE2, 0x7A)).max(axis=2) < 40 for image in (seen, drawn)]
    line = np.abs(seen - unmeasured).max(axis=2) > 0
    assert yellow[0].sum() > 400
    x, y = (int(n) for n in (0.45 * width, 0.7 * height))
    label = np.zeros_like(line)
    label[max(y - 30, 0) : y + 5, x : x + 80] = True
    for one, other in (yellow, yellow[::-1]):
        beside = np.lib.stride_tricks.sliding_window_view(np.pad(other, 1), (3, 3)).any(axis=(2, 3))
        assert (one & ~beside & ~label)[EDGE:-EDGE, EDGE:-EDGE].sum() < 10
    for image in (seen, drawn):
        image[line | label] = 0
    compare(seen, drawn, options)


def test_a_copied_grid_has_each_plane_as_it_is_seen(shown: Callable[[str], Bridge]):
    bridge = shown("upright")
    bridge.view.selection.layout = "grid"
    options = {"smooth": False, "paint": "fill", "opacity": 1.0}
    bridge.view.options = {"crosshair": False, **options}
    bridge.settle()
    for n, plane in enumerate(("axial", "coronal", "sagittal")):
        left, top, width, height = box_of(bridge, plane)
        zoom(bridge, left + 0.6 * width, top + 0.4 * height, 100 * (n + 1))
    bridge.page.mouse.move(5, 5)
    bridge.settle()
    right = bridge.page.locator(".xp-planes").bounding_box()["width"]
    drawn = copy(bridge)[:, : round(right)]  # beside 3D, where there is any, is the legend
    middle = drawn.shape[1] // 2, drawn.shape[0] // 2
    for plane, (x, y) in {"axial": (0, 0), "coronal": (middle[0], 0), "sagittal": (0, middle[1])}.items():
        seen = canvas(bridge, plane)
        high, wide = (min(seen.shape[axis], middle[1 - axis]) for axis in (0, 1))
        part = drawn[y : y + high, x : x + wide]
        # The page has a line between tiles, so that they may lie half a pixel apart.
        structures = [np.ptp(image[:high, :wide], axis=2) > 20 for image in (seen, part)]
        inner = (slice(30, -30), slice(40, -40))
        assert structures[0][inner].sum() > 1_000
        assert (structures[0] ^ structures[1])[inner].sum() < 0.04 * structures[0][inner].sum(), plane


@pytest.mark.parametrize(
    ("layout", "plane"), [("sheet", "axial"), ("sheet", "coronal"), ("mosaic", "coronal")]
)
def test_a_copied_sheet_has_the_slices_that_are_seen(shown: Callable[[str], Bridge], layout: str, plane: str):
    bridge = shown("upright")
    bridge.view.selection.layout = plane
    bridge.settle()
    bridge.view.selection.layout = layout
    options = {"smooth": False, "paint": "fill", "opacity": 1.0}
    bridge.view.options = {"crosshair": False, **options}
    bridge.settle()
    left, top, _, _ = box_of(bridge, "mosaic")
    bridge.page.mouse.move(left + 9, top + 9)
    bridge.page.mouse.wheel(0, -100)
    if layout == "mosaic":
        zoom(bridge, left + 60, top + 60, 150)
    bridge.page.mouse.move(5, 5)
    bridge.settle()
    seen = canvas(bridge, "mosaic")
    right = bridge.page.locator(".xp-planes").bounding_box()["width"]
    drawn = copy(bridge)[: seen.shape[0], : round(right)][:, -seen.shape[1] :]
    colours = [np.ptp(image, axis=2) > 20 for image in (seen, drawn)]
    # The page's captions are larger, and in a yellow of their own.
    red, green, blue = np.moveaxis(seen.astype(float), 2, 0)
    colours[0] &= (abs(green - 0.886 * red) > 0.04 * red) | (abs(blue - 0.478 * red) > 0.12 * red)
    assert colours[0].sum() > 10_000
    assert (colours[0] & colours[1] & (np.abs(seen - drawn).max(axis=2) < 8)).sum() > 0.9 * colours[0].sum()


@pytest.mark.parametrize("smooth", [True, False])
def test_a_slice_that_is_larger_than_its_tile_is_shown_by_means_or_as_it_is(
    stub: Callable[..., Stub], smooth: bool
):
    """Two voxels fall on a pixel: of a board of 0 and 200 their mean is the same everywhere."""
    board = (np.indices((901, 701, 3)).sum(axis=0) % 2 * 200).astype(np.uint8)
    empty = np.zeros(board.shape, np.uint8)
    options = {"smooth": smooth, "crosshair": False}
    widget = open_volume(stub, board, empty, [[]], [], options=options, point=[450, 350, 1])
    _, _, width, height = corner(widget, "axial")
    assert 1 / 3 < min(width / 901, height / 701) < 0.5
    left, top = (int(n) for n in spot(widget, "axial", (520, 420, 1)))
    greys = {colour(widget, "axial", left + x, top + y)[0] for x in range(6) for y in range(6)}
    if smooth:
        assert min(greys) >= 96
        assert max(greys) <= 104
    else:
        assert greys <= {0, 200}

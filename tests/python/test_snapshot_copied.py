"""What a page says of the picture that it wants copied: zoom, measurements, slices, sets of masks."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from samples import nifti_bytes

from explorer import Cohort, Selection, open_dataset
from explorer.grid import Grid
from explorer.snapshot import words
from explorer.snapshot.measurements import Measurement, in_words
from explorer.snapshot.words import rounded
from explorer.structures import structure
from explorer.views.viewer import Viewer

SHAPE, SPACING = (30, 20, 12), (2.0, 3.0, 4.0)
AFFINE = np.diag([*SPACING, 1.0])
LIVER, SPLEEN = (tuple(bytes.fromhex(structure(name).color[1:])) for name in ("liver", "spleen"))
YELLOW = (0xFF, 0xE2, 0x7A)
MARK = {"tool": "distance", "plane": "axial", "index": 1, "points": [[1, 1, 1]]}
BARE = {"crosshair": False, "smooth": False, "paint": "fill", "opacity": 1.0}


def box(x: tuple[int, int], y: tuple[int, int], z: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[slice(*x), slice(*y), slice(*z)] = 1
    return mask


@pytest.fixture
def viewer(write: Callable[..., Path]) -> Callable[..., Viewer]:
    def make(affine: np.ndarray = AFFINE, other: dict[str, np.ndarray] | None = None, **masks: Any) -> Viewer:
        image = np.full(SHAPE, 100, np.int16)
        masks = masks or {"liver": box((4, 14), (4, 14), (2, 10)), "spleen": box((20, 26), (6, 12), (4, 8))}
        files = {name: nifti_bytes(mask, affine) for name, mask in {"mri": image, **masks}.items()}
        root = write({"s0001": files})
        dataset = open_dataset(root)
        if other is not None:
            folder = root.parent / "model" / "s0001"
            folder.mkdir(parents=True)
            for name, mask in other.items():
                (folder / f"{name}.nii.gz").write_bytes(nifti_bytes(mask, affine))
            dataset = dataset.with_mask_set("model", root.parent / "model")
        selection = Selection(Cohort.join(dataset.meta))
        selection.case = "s0001"
        selection.window = (0.0, 200.0)
        view = Viewer(selection, dataset)
        view.options = BARE
        if other is not None:
            selection.compare = "model"
        view._opener.finish()
        return view

    return make


@pytest.fixture
def copied() -> Callable[..., np.ndarray]:
    """The picture that a page gets; 300 x 300 pixels of slices, nothing beside them."""

    def make(view: Viewer, **fields: Any) -> np.ndarray:
        reply, png = ask(view, **{"width": 300, "height": 300, "legend": False, "layout": "axial", **fields})
        assert reply["ok"], reply
        with Image.open(io.BytesIO(png[0])) as image:
            return np.asarray(image).astype(int)

    return make


def ask(view: Viewer, *, buffers: Sequence[bytes] = (), **fields: Any) -> tuple[dict[str, Any], list[bytes]]:
    replies: list[tuple[dict[str, Any], list[bytes]]] = []
    view.send = lambda content, buffers=None: replies.append((content, list(buffers or [])))
    sent = [memoryview(buffer) for buffer in buffers]
    view._receive(view, {"id": "1", "kind": "snapshot", "scene": view.scene["key"], **fields}, sent)
    return replies[-1]


def of(image: np.ndarray, color: tuple[int, ...]) -> np.ndarray:
    return (image == color).all(axis=2)


def bounds(where: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom."""
    y, x = np.nonzero(where)
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def test_a_zoom_enlarges_about_the_middle_and_then_moves(viewer, copied):
    """By the page's own rule: 280 pixels for 60 mm, times the factor, from the middle of the tile."""
    view, factor, pan = viewer(), 2.5, (40, -25)
    image = copied(view, zooms={"axial": {"factor": factor, "panX": pan[0], "panY": pan[1]}})
    per_mm = factor * 280 / 60
    right, left = ((150 + pan[0] + (15 - x) * 2 * per_mm) for x in (20, 26))  # radiological
    bottom, top = ((150 + pan[1] + (10 - y) * 3 * per_mm) for y in (6, 12))
    seen = bounds(of(image, SPLEEN))
    assert seen == pytest.approx((max(left, 0), max(top, 0), right, min(bottom, 300)), abs=1)
    assert seen[2] < 290
    fitted = bounds(of(copied(view), SPLEEN))
    assert fitted == pytest.approx(
        tuple(150 + (x - 150 - p) / factor for x, p in zip((left, top, right, bottom), pan * 2, strict=True)),
        abs=1,
    )
    twice = copied(view, zooms={"axial": {"factor": factor, "panX": pan[0], "panY": pan[1]}}, scale=2)
    assert bounds(of(twice, SPLEEN)) == pytest.approx(tuple(2 * n for n in seen), abs=2)


def test_a_zoom_is_of_its_own_plane(viewer, copied):
    view, zoom = viewer(), {"factor": 3, "panX": 10, "panY": 5}
    plain, zoomed = (copied(view, layout="grid", zooms=zooms) for zooms in ({}, {"coronal": zoom}))
    quarters = [
        (slice(0, 149), slice(0, 149)),
        (slice(0, 149), slice(151, 300)),
        (slice(151, 300), slice(0, 149)),
    ]
    assert [(plain[part] == zoomed[part]).all() for part in quarters] == [True, False, True]


@pytest.mark.parametrize("size", [1e-30, 1e4, 1e30])
def test_voxels_of_any_size_fill_the_picture(viewer, copied, size: float):
    """A header may say what it will."""
    for layout in ("grid", "axial", "mosaic"):
        plain, odd = (
            copied(viewer(np.diag([*(np.array(SPACING) * n), 1.0])), layout=layout, voxel=[8, 8, 5])
            for n in (1, size)
        )
        without_words = slice(30, 120), slice(160, 285)
        np.testing.assert_array_equal(odd[without_words], plain[without_words])
        assert of(plain[without_words], LIVER).sum() > 200


@pytest.mark.parametrize("casing", [False, True])
def test_the_end_of_the_tile_is_no_border_of_a_structure(viewer, copied, casing: bool):
    """The liver goes on beyond all four edges."""
    masks = {"liver": box((4, 26), (2, 18), (0, 12))}
    view = viewer(other=masks if casing else None, **masks)
    options = {**BARE, "paint": "fill" if casing else "outline", "opacity": 0.0, "width": 4}
    inside = {"axial": {"factor": 4}}
    assert of(copied(view, options=options), LIVER).sum() > 500
    assert not of(copied(view, options=options, zooms=inside), LIVER).any()


@pytest.mark.parametrize(
    ("plane", "pan"),
    [("axial", (150, 0)), ("axial", (0, 150)), ("coronal", (-150, 0)), ("sagittal", (0, -150))],
)
def test_the_crosshair_stays_in_its_tile(viewer, copied, plane: str, pan: tuple[int, int]):
    """Its point has been moved to where the next tile is."""
    view, options = viewer(), {**BARE, "crosshair": True}
    zooms = {plane: {"factor": 1, "panX": pan[0], "panY": pan[1]}}
    plain, moved = (
        copied(view, layout="grid", options=options, voxel=[8, 8, 6], zooms=z) for z in ({}, zooms)
    )
    changed = (plain != moved).any(axis=2)
    quarters = {"axial": (0, 0), "coronal": (0, 151), "sagittal": (151, 0)}
    there = {name: changed[y : y + 149, x : x + 149].any() for name, (y, x) in quarters.items()}
    assert there == {name: name == plane for name in quarters}


def test_measurements_are_where_their_voxels_are_and_on_no_other_slice(viewer, copied):
    view = viewer()
    mark = {"tool": "distance", "plane": "axial", "index": 6, "points": [[3, 17, 6], [26, 17, 6]]}
    voxel, options = [10, 10, 6], {"overlay": False, "crosshair": False}
    image = copied(view, voxel=voxel, options=options, measurements=[mark])
    y = round(150 - (17 - 9.5) * 3 * 280 / 60)
    line = np.abs(image - YELLOW).max(axis=2) < 60  # thinner than two pixels
    line[:, :40] = line[:, 260:] = line[90:] = False  # where words are
    left, _, right, bottom = bounds(line)
    assert line[y - 1 : y + 1, 60:230].any(axis=0).all()
    assert (left, right) == pytest.approx(
        (150 - 11.5 * 2 * 280 / 60 - 2, 150 + 11.5 * 2 * 280 / 60 + 2), abs=1.5
    )
    assert bottom - y <= 4
    dark = (image.max(axis=2) < 60)[y - 3 : y + 4, 60:230]
    assert dark.any(axis=0).all()
    plain = copied(view, voxel=voxel, options=options)
    for other in ({"plane": "coronal"}, {"index": 5}):
        np.testing.assert_array_equal(
            copied(view, voxel=voxel, options=options, measurements=[{**mark, **other}]), plain
        )
    assert not of(copied(view, layout="sheet", options=options, measurements=[mark]), YELLOW).any()
    begun = copied(view, voxel=voxel, options=options, measurements=[{**mark, "points": [[15, 17, 6]]}])
    assert 4 < of(begun, YELLOW).sum() < 40


def test_a_long_line_has_no_gaps(viewer, copied):
    """A steep, a level and a slanting one, at four pixels each."""
    view, options = viewer(), {"overlay": False, "crosshair": False}
    for end in ([5, 18, 6], [26, 2.2, 6], [26, 18, 6]):
        mark = {"tool": "distance", "plane": "axial", "index": 6, "points": [[4, 2, 6], end]}
        image = copied(view, voxel=[10, 10, 6], options=options, measurements=[mark], scale=4)
        per_mm = 4 * 280 / 60
        a, b = (
            np.array([600 - (x - 14.5) * 2 * per_mm, 600 - (y - 9.5) * 3 * per_mm])
            for x, y, _ in ([4, 2, 6], end)
        )
        for t in np.linspace(0.02, 0.85, 400):
            x, y = np.floor(a + (b - a) * t).astype(int)
            assert tuple(image[y, x]) == YELLOW, (end, t)


SHEARED = np.array([[2.0, 0.8, 0, 5], [0, 3.0, 0.5, -7], [0.3, 0, 4.0, 1], [0, 0, 0, 1]])


@pytest.mark.parametrize("affine", [AFFINE, SHEARED])
def test_the_words_of_measurements_are_true_millimetres(affine: np.ndarray):
    grid = Grid(SHAPE, affine)
    a, b, c = (1.5, 2, 3), (11, 7.25, 3), (4, 12, 3)
    world = [affine[:3, :3] @ np.array(p) for p in (a, b, c)]
    length = np.linalg.norm(world[1] - world[0])
    one, two = world[0] - world[1], world[2] - world[1]
    angle = np.degrees(np.arccos(one @ two / np.linalg.norm(one) / np.linalg.norm(two)))
    assert in_words(Measurement("distance", "axial", 3, (a, b)), grid) == f"{length:.1f} mm"
    assert in_words(Measurement("angle", "axial", 3, (a, b, c)), grid) == f"{angle:.1f}°"
    assert in_words(Measurement("angle", "axial", 3, (a, b)), grid) == ""
    assert in_words(Measurement("angle", "axial", 3, (a, a, a)), grid) == "90.0°"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        *((2.25, 1, "2.3"), (-2.25, 1, "-2.3"), (0.35, 1, "0.3"), (2.05, 1, "2.0"), (-0.04, 1, "0.0")),
        *((12.5, 0, "13"), (13.5, 0, "14"), (12.4, 0, "12"), (9e20, 1, f"{int(9e20)}.0"), (np.inf, 1, "inf")),
        *((1e21, 1, "1e+21"), (-1.5e30, 1, "-1.5e+30"), (np.float64(2e30), 0, "2e+30")),
    ],
)
def test_numbers_are_written_as_the_browser_writes_them(value: float, digits: int, text: str):
    """``toFixed``: of an exact half the larger; what only looks like a half goes to the nearer side."""
    assert rounded(value, digits) == text


def test_the_message_goes_before_what_the_kernel_knows(viewer, copied):
    """The page's own state may be on its way still."""
    view = viewer()
    view.selection.structures, view.selection.point = ("liver",), (0.0, 0.0, 0.0)
    other = copied(
        view,
        structures=["spleen"],
        voxel=[22, 8, 6],
        colors=[["spleen", "#00ff00"]],
        options={**BARE, "radiological": False},
    )
    assert not of(other, LIVER).any()
    assert bounds(of(other, (0, 255, 0)))[0] > 180, "on the right, where the patient's right is on the left"
    faint = copied(view, structures=["spleen"], voxel=[22, 8, 6], opacities=[["spleen", 0.5]], options=BARE)
    half = np.abs(faint - (np.array(SPLEEN) + 127.5) / 2).max(axis=2) <= 2
    assert half[40:-40].sum() == of(other, (0, 255, 0))[40:-40].sum() > 500
    assert copied(view, structures=[], window=[100, 300])[150, 150].tolist() == [0, 0, 0]
    assert view.selection.structures == ("liver",), "nothing but the picture"


@pytest.mark.parametrize(
    "bad",
    [
        {"zooms": {"axial": {"factor": 0}}},
        {"zooms": {"axial": {"factor": 41}}},
        {"zooms": {"axial": {"panX": float("inf")}}},
        {"zooms": {"axial": {"panY": "3"}}},
        {"zooms": {"axial": 2}},
        {"zooms": {"up": {"factor": 2}}},
        {"zooms": [1]},
        {"voxel": [1, 2]},
        {"voxel": [1, 2, None]},
        {"voxel": [1, 2, float("nan")]},
        {"voxel": [1, 2, 1e300]},
        {"voxel": None},
        {"first": -1},
        {"first": 1.5},
        {"first": True},
        {"window": [5, 5]},
        {"window": [float("nan"), 5]},
        {"window": "ab"},
        {"structures": "liver"},
        {"structures": [1]},
        {"colors": [["liver", "url(x)"]]},
        {"opacities": [["liver", 2]]},
        {"measurements": {}},
        {"measurements": [MARK] * 201},
        {"measurements": [3]},
        {"measurements": [{**MARK, "plane": "up"}]},
        {"measurements": [{**MARK, "tool": ["distance"]}]},
        {"measurements": [{**MARK, "index": "1"}]},
        {"measurements": [{**MARK, "points": []}]},
        {"measurements": [{**MARK, "points": [[1, 1, 1]] * 3}]},
        {"measurements": [{**MARK, "points": ["abc"]}]},
        {"measurements": [{**MARK, "points": [[1, 1, 1e9]]}]},
    ],
    ids=lambda bad: str(bad)[:80],
)
def test_what_a_page_cannot_mean_is_refused_with_words(viewer, bad: dict[str, Any]):
    reply, png = ask(viewer(), **bad)
    assert (reply["ok"], png) == (False, [])
    assert not reply["error"].startswith("Unexpected"), reply["error"]


def test_the_farthest_that_may_be_asked_for_is_drawn(viewer, copied):
    far = [[-1e6, 1e6, 6], [1e6, -1e6, 6], [0, 1e6, 6]]
    marks = [{"tool": "angle", "plane": "axial", "index": 6, "points": far}] * 200
    zooms = {"axial": {"factor": 40, "panX": 1e6, "panY": -1e6}, "coronal": {"factor": 0.25}}
    for layout in ("axial", "coronal", "grid"):
        assert copied(viewer(), layout=layout, voxel=[1e6, -5, 6.2], zooms=zooms, measurements=marks).shape[
            :2
        ] == (300, 300)


def test_the_legend_has_room_of_its_own_beside_a_plane(viewer, copied):
    """So that zoom and pan in the slice's tile are those of the page."""
    view, options = viewer(), {**BARE, "smooth": True}
    for width in (200, 501, 900, 1600):
        bare = copied(view, width=width, height=400, options=options)
        beside = copied(view, width=width, height=400, options=options, legend=True)
        assert 229 <= beside.shape[1] - width <= 340
        np.testing.assert_array_equal(beside[40:, :width], bare[40:])


@pytest.mark.parametrize("first", [None, 0, 1, 2])
def test_a_mosaic_begins_where_the_pages_does(
    viewer, copied, first: int | None, monkeypatch: pytest.MonkeyPatch
):
    """560 x 400 pixels have room for 2 x 2 of the 12 slices of 60 x 60 mm."""
    told: list[str] = []
    monkeypatch.setattr(
        words, "caption", lambda _sheet, _tile, below, _above="": told.append(below.split(" ")[0])
    )
    copied(viewer(), layout="sheet", width=560, height=400, first=first)
    assert [int(number) for number in told] == [n + (1 if first is None else first) for n in (1, 4, 7, 10)]


def test_a_mosaic_is_the_plane_and_its_sheet_as_each_is_alone(viewer, copied):
    view, options = viewer(), {**BARE, "crosshair": False}
    zooms = {"axial": {"factor": 2, "panX": 3, "panY": -4}, "sheet": {"factor": 1.3, "panX": 4, "panY": 2}}
    both = copied(view, layout="mosaic", width=900, height=400, options=options, zooms=zooms)
    plane = copied(view, layout="axial", width=450, height=400, options=options, zooms=zooms)
    np.testing.assert_array_equal(both[:, :449], plane[:, :449])
    assert (both[:, 450] == both[0, 450]).all()
    fitted = copied(view, layout="mosaic", width=900, height=400, options=options)
    assert of(both[:, 451:], SPLEEN).sum() > 1.5 * of(fitted[:, 451:], SPLEEN).sum() > 0


def test_a_sheet_has_smaller_slices_beside_a_plane(viewer, copied, monkeypatch: pytest.MonkeyPatch):
    told: list[str] = []
    monkeypatch.setattr(words, "caption", lambda _sheet, _tile, below, _above="": told.append(below))
    copied(viewer(), layout="sheet", width=400, height=300)
    alone = len(told)
    copied(viewer(), layout="mosaic", width=800, height=300)
    assert len(told) - alone > alone


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All words of pictures, as they are written."""
    found: list[str] = []
    real = words.Sheet.write
    monkeypatch.setattr(
        words.Sheet,
        "write",
        lambda sheet, at, text, **more: (found.append(text), real(sheet, at, text, **more)),
    )
    return found


def test_a_mosaic_says_which_side_is_which(viewer, copied, written: list[str]):
    for radiological, sides in ((True, ["R", "L"]), (False, ["L", "R"])):
        written.clear()
        copied(viewer(), layout="sheet", options={"radiological": radiological})
        assert [text for text in written if len(text) == 1] == [*sides, "A", "P"]


@pytest.mark.parametrize("layout", ["sheet", "mosaic"])
def test_no_letter_of_a_mosaic_lies_on_a_caption(
    viewer, copied, layout: str, monkeypatch: pytest.MonkeyPatch
):
    """However many rows and columns there are."""
    boxes: list[tuple[str, tuple[float, ...]]] = []
    real = words.Sheet.write

    def write(sheet: words.Sheet, at: tuple[float, float], text: str, **more: Any) -> None:
        font = words._font(more.get("size", 12) * sheet.scale)
        shown = words.fitting(words.printable(text), font, more.get("room", 1e9))
        boxes.append((text, sheet.draw.textbbox(at, shown, font, more.get("anchor", "la"))))
        real(sheet, at, text, **more)

    monkeypatch.setattr(words.Sheet, "write", write)
    view, arranged = viewer(), set()
    for width in range(200, 1100, 90):
        for plane in ("axial", "sagittal"):
            boxes.clear()
            copied(view, layout=layout, plane=plane, width=width, height=400)
            letters = [box for text, box in boxes if text in set("RLAPSI")][-4:]
            others = [(text, box) for text, box in boxes if len(text) > 1 or text.isdigit()]
            arranged.add(len(others))
            for left, top, right, bottom in letters:
                for text, (a, b, c, d) in others:
                    assert left >= c or right <= a or top >= d or bottom <= b, (width, plane, text)
    assert len(arranged) > 2


@pytest.mark.parametrize(("half", "number"), [(4.5, 6), (5.5, 7), (6.5, 8), (6.499, 7)])
def test_half_a_voxel_goes_up_as_in_the_page(
    viewer, copied, half: float, number: int, monkeypatch: pytest.MonkeyPatch
):
    view = viewer()
    told: list[str] = []
    monkeypatch.setattr(words, "annotate", lambda *given: told.append(given[-1]))
    view.selection.point = tuple(n * mm for n, mm in zip((half, half, half), SPACING, strict=True))
    for layout in ("axial", "coronal", "sagittal"):
        view.snapshot(layout=layout)
        copied(view, layout=layout, voxel=[half] * 3)
    assert [caption.split(" of ")[0] for caption in told] == [str(number)] * 6


@pytest.fixture
def legend(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Headings, keys and entries of the legends that are drawn."""
    told: list[tuple[Any, ...]] = []
    real = words.legend

    def listen(sheet: words.Sheet, area: Any, *given: Any) -> None:
        told.append(given)
        real(sheet, area, *given)

    monkeypatch.setattr(words, "legend", listen)
    return told


OURS, THEIRS = {"liver": box((4, 14), (4, 14), (0, 12))}, {"liver": box((9, 19), (4, 14), (0, 12))}


def test_the_legend_of_a_difference_names_what_its_colours_mean(viewer, copied, legend):
    view = viewer(other=THEIRS, **OURS)
    image = copied(
        view, layout="grid", legend=True, width=700, height=700, options={**BARE, "difference": True}
    )
    ((_, key, entries),) = legend
    told = {entry.label: entry.color for entry in (*key, *entries)}
    assert told == {
        "in both": (0x8B, 0x95, 0xA3),
        "only reference": (0x3A, 0xA0, 0xFF),
        "only model": (0xFF, 0x9F, 0x1C),
        "different structures": (0xE0, 0x5C, 0xFF),
        "Volumes: reference": None,
        "liver": None,
    }
    for part in (image[:350, :350], image[350:, 350:]):
        for label in ("in both", "only reference", "only model"):
            assert of(part, told[label]).sum() > 90, label
        assert not of(part, LIVER).any()
    middle = bounds(of(image[:350, :350], told["in both"]))
    assert bounds(of(image[:350, :350], told["only reference"]))[0] >= middle[2], "low x is on the right"
    assert bounds(of(image[:350, :350], told["only model"]))[2] <= middle[0]


def test_the_legend_tells_volumes_as_the_list_does(viewer, copied, legend):
    """Of the set that is shown; of what it has not, those of the other one; and what is cut off."""
    ml = np.prod(SPACING) / 1000
    view = viewer(
        other={"liver": box((4, 6), (4, 6), (2, 4)), "spleen": box((20, 26), (6, 12), (4, 8))},
        liver=box((0, 14), (4, 14), (2, 10)),
        spleen=box((0, 0), (0, 0), (0, 0)),
        pancreas=box((20, 21), (6, 7), (4, 5)),
    )

    def told() -> dict[str, tuple[str, str]]:
        legend.clear()
        copied(view, legend=True)
        ((_, _, entries),) = legend
        return {entry.label: (entry.volume, entry.remark) for entry in entries}

    liver = 14 * 10 * 8 * ml
    spleen = 6 * 6 * 4 * ml
    assert told() == {
        "liver": (f"{liver:.1f} ml", "cut off"),
        "spleen": (f"{spleen:.1f} ml", "only model"),
        "pancreas": ("< 0.1 ml", ""),
    }
    view.selection.mask_set, view.selection.compare = "model", "reference"
    view._opener.finish()
    assert told() == {
        "liver": (f"{8 * ml:.1f} ml", ""),
        "spleen": (f"{spleen:.1f} ml", ""),
        "pancreas": ("< 0.1 ml", "only reference"),
    }


def test_remarks_have_room_beside_the_volumes(viewer, copied, monkeypatch: pytest.MonkeyPatch):
    written: list[tuple[str, float, float]] = []
    real = words.Sheet.write

    def write(sheet: words.Sheet, at: tuple[float, float], text: str, **more: Any) -> None:
        wide = min(sheet.width_of(text, more.get("size", 12)), more.get("room", 1e9))
        left = at[0] - wide if more.get("anchor", "la")[0] == "r" else at[0]
        written.append((text, left, left + wide))
        real(sheet, at, text, **more)

    monkeypatch.setattr(words.Sheet, "write", write)
    masks = {"liver": box((0, 14), (4, 14), (2, 10)), "spleen": box((20, 26), (6, 12), (4, 8))}
    image = copied(viewer(**masks), legend=True)
    places = {text: (left, right) for text, left, right in written}
    volumes = [places[text] for text in places if text.endswith(" ml")]
    assert len(volumes) == 2
    assert volumes[0][1] == pytest.approx(volumes[1][1]), "one column"
    assert volumes[0][1] < places["cut off"][0] < places["cut off"][1] < image.shape[1]


def test_a_window_is_written_as_the_bar_writes_it(viewer, copied, legend):
    for window, text in (([44.9967, 654.669], "45 to 654.7"), ([-1023.6, 1484.4], "-1024 to 1484")):
        legend.clear()
        copied(viewer(), legend=True, window=window)
        ((heading, _, _),) = legend
        assert heading[1].startswith(f"Window {text}  ")


@pytest.mark.parametrize(
    ("paint", "model", "hollow", "reference"),
    [
        ("fill", "Fill", False, "Outline"),
        ("outline", "Dashed outline", True, "Outline"),
        ("both", "Fill", False, "Outline"),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_the_legend_says_which_set_is_which(
    viewer, copied, legend, paint: str, model: str, hollow: bool, reference: str, swapped: bool
):
    view = viewer(other=THEIRS, **OURS)
    if swapped:
        view.selection.mask_set, view.selection.compare = "model", "reference"
        view._opener.finish()
    copied(view, legend=True, options={**BARE, "paint": paint})
    ((_, (one, two, whose), (liver,)),) = legend
    assert whose.label == f"Volumes: {'model' if swapped else 'reference'}"
    assert (one.label, two.label) == (f"{model}: model", f"{reference}: reference")
    assert (one.hollow, two.hollow, liver.color) == (hollow, True, LIVER)
    assert (one.dashed, two.dashed) == (hollow, False)
    legend.clear()
    view.selection.mask_set, view.selection.compare = "reference", ""
    view._opener.finish()
    copied(view, legend=True)
    ((heading, key, entries),) = legend
    assert (len(key), [entry.label for entry in entries]) == (0, ["liver"])
    assert not any("Masks" in line for line in heading)
    legend.clear()
    view.selection.mask_set = "model"
    view._opener.finish()
    copied(view, legend=True)
    assert "Masks: model" in legend[0][0]
    legend.clear()
    view.selection.compare = "reference"
    view._opener.finish()
    copied(view, legend=True, options={**BARE, "overlay": False})
    assert legend[0][1:] == ([], [])


def test_a_long_name_of_a_set_has_all_of_the_legends_width(viewer, copied, monkeypatch: pytest.MonkeyPatch):
    """Beside many structures in columns."""
    masks = {f"thing_{n:03d}": box((n % 30, n % 30 + 1), (0, 3), (5, 8)) for n in range(60)}
    view = viewer(other=OURS, **masks)
    cut: list[str] = []
    real = words.fitting
    monkeypatch.setattr(words, "fitting", lambda *given: (cut.append(found := real(*given)), found)[1])
    view._picture.compare, name = "a_model_of_long_ago_v2", "a_model_of_long_ago_v2"
    view._picture.overlays[name] = view._picture.overlays["model"]
    view._picture.overlays[name].mask_set = name
    copied(view, layout="grid", legend=True, width=900, height=600)
    assert f"Fill: {name}" in cut


TILTED = np.array([[2.0, 0, 0, 0], [0, 2.8978, -1.0353, 0], [0, 0.7765, 3.8637, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("affine", "note"),
    [
        (AFFINE, ""),
        (TILTED, "tilted 15°, closest axes shown"),
        (SHEARED, "tilted 15°, closest axes shown  ·  axes not at right angles"),
    ],
)
def test_a_grid_that_is_unusual_is_told_of_in_each_plane(
    viewer, affine: np.ndarray, note: str, written: list[str]
):
    view = viewer(affine)
    for layout, count in (("axial", 1), ("grid", 3), ("sheet", 1)):
        for legend in (True, False):
            written.clear()
            view.snapshot(layout=layout, legend=legend)
            told = [text for text in written if "tilted" in text or "right angles" in text]
            assert len(told) == (count if note else 0), (layout, legend)
            assert all(text.endswith(note) for text in told)

"""Pictures without a browser: which colour is at which millimetre."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from samples import AFFINE, SHAPE, box_mask, nifti_bytes

from explorer import Cohort, Selection, open_dataset, snapshot
from explorer.errors import QueryError, UnknownName
from explorer.phantom import PhantomCase, write_case
from explorer.snapshot import Options
from explorer.snapshot.geometry import edge_letters, place, scale_bar, voxel_at
from explorer.snapshot.png import png_bytes
from explorer.snapshot.words import printable
from explorer.structures import structure
from explorer.views.overlay import PLANES, Overlay
from explorer.views.picture import Picture, picture
from explorer.views.viewer import Viewer
from explorer.volume import read_image

MINI = Path(__file__).parents[3] / "shared" / "real" / "mini"
ORIENTATIONS = ("RAS", "LPS", "LIP", "PIL", "PSR", "ASL", "SRA", "IPR")
PLAIN = Options(paint="fill", opacity=1.0, crosshair=False)


def opened(root: Path, case: str = "s0001") -> Picture:
    dataset = open_dataset(root)
    volume = read_image(dataset[case])
    found = picture(volume)
    masks = found.overlays["reference"] = Overlay(dataset[case], "reference", volume.grid)
    for _ in masks.fill(min):
        pass
    return found


def draw(shown: Picture, **more) -> bytes:
    return snapshot.draw(shown, masks=shown, **more)


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        assert image.mode == "RGB"
        return np.asarray(image).astype(int)


def rgb(name: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(structure(name).color[1:]))


def alone(shown: Picture, plane: str, point=None, **more) -> np.ndarray:
    """One plane without a legend; 300 pixels each way, so that letters and captions stay at the edge."""
    more.setdefault("options", PLAIN)
    return pixels(draw(shown, layout=plane, point=point, legend=False, width=300, height=300, **more))


def ink(image: np.ndarray) -> np.ndarray:
    """Where letters are: nothing else is of their yellow."""
    return (np.abs(image - (0xF2, 0xD3, 0x6B)).sum(axis=2) < 60) & (image[..., 2] < 150)


@pytest.fixture
def small(write):
    """Two boxes that share a slab, on a grid that runs to the left."""

    def make(image: np.ndarray | None = None, affine: np.ndarray = AFFINE, **masks: np.ndarray) -> Picture:
        masks = masks or {
            "liver": box_mask((1, 4), (2, 5), (3, 8)),
            "aorta": box_mask((3, 6), (2, 5), (3, 8)),
        }
        values = np.full(SHAPE, 100, np.int16) if image is None else image
        files = {name: nifti_bytes(mask, affine) for name, mask in masks.items()}
        return opened(write({"s0001": {"mri": nifti_bytes(values, affine), **files}}))

    return make


def structures_at(case: PhantomCase, points: np.ndarray) -> list[str]:
    """Do for points, shape (n, 3), what `PhantomCase.structure_at` does for one."""
    drawn = case.body.to_drawing(np.ascontiguousarray(points.T))
    found = [""] * len(points)
    for name, solids in reversed(case.body.solids.items()):
        for solid in solids:
            for n in np.flatnonzero(solid.inside(drawn)):
                found[n] = name
    assert found[0] == case.structure_at(tuple(points[0]))
    return found


def check_against_truth(case: PhantomCase, shown: Picture, point, radiological: bool) -> int:
    """Compare the pixels of world points with the drawing the phantom was made from."""
    grid, compared, size = shown.grid, 0, 500
    voxel = np.rint(voxel_at(grid, point))
    options = Options(paint="fill", opacity=1.0, crosshair=False, radiological=radiological)
    for plane, (column, row, _) in PLANES.items():
        cut_at = tuple(grid.to_world(voxel))
        png = draw(shown, layout=plane, point=cut_at, options=options, legend=False, width=size, height=size)
        image = pixels(png)
        placement = place(grid, plane, (0, 0, size, size), radiological=radiological, scale=1.0)
        points, places = [], []
        for u in range(1, grid.shape[column] - 1):
            for v in range(1, grid.shape[row] - 1):
                x, y = (int(n) for n in placement.pixel(u, v))
                if min(x, y) >= 40 and max(x, y) < size - 40:  # captions are around
                    at = voxel.copy()
                    at[column], at[row] = u, v
                    points.append(grid.to_world(at))
                    places.append((x, y))
        for name, (x, y) in zip(structures_at(case, np.array(points)), places, strict=True):
            if name:
                compared += 1
                assert tuple(image[y, x]) == rgb(name), (plane, x, y, name)
            else:
                assert len(set(image[y, x].tolist())) == 1, (plane, x, y, "not grey")
    return compared


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_each_structure_is_where_the_phantom_has_it(tmp_path: Path, orientation: str):
    case = write_case(tmp_path, "s0001", orientation=orientation, spacing_mm=(9.0, 7.0, 13.0))
    shown = opened(tmp_path)
    liver = case.structures["liver"].centroid_mm
    for radiological in (True, False):
        assert check_against_truth(case, shown, liver, radiological) > 200


@pytest.mark.parametrize("orientation", ["RAS", "PIL"])
def test_an_oblique_case_is_as_true(tmp_path: Path, orientation: str):
    case = write_case(
        tmp_path, "s0001", orientation=orientation, tilt_degrees=12, spacing_mm=(9.0, 7.0, 11.0)
    )
    shown = opened(tmp_path)
    assert shown.grid.tilt_degrees > 10
    assert check_against_truth(case, shown, case.structures["liver"].centroid_mm, True) > 200


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_liver_is_on_the_left_of_a_radiological_picture(tmp_path: Path, orientation: str):
    """Said in pixels alone, without the placement that the picture was drawn by."""
    case = write_case(tmp_path, "s0001", orientation=orientation, spacing_mm=(9.0, 7.0, 13.0))
    shown = opened(tmp_path)
    point = case.structures["liver"].centroid_mm
    for radiological, on_left in ((True, True), (False, False)):
        options = Options(paint="fill", opacity=1.0, crosshair=False, radiological=radiological)
        for plane in ("axial", "coronal"):
            image = alone(shown, plane, point, options=options)
            where = np.argwhere((image == rgb("liver")).all(axis=2))
            assert (where[:, 1].mean() < 150) == on_left
    spine = np.argwhere((alone(shown, "axial", point) == rgb("vertebrae")).all(axis=2))
    assert spine[:, 0].mean() > 150  # the back is below
    image = alone(shown, "sagittal", case.structures["vertebrae"].centroid_mm)
    assert np.argwhere((image == rgb("vertebrae")).all(axis=2))[:, 1].mean() > 150  # and on the right


def test_spacing_is_true_to_scale(small):
    """A box of 3 x 3 x 5 voxels of 2 x 1.5 x 3 mm."""
    shown = small(liver=box_mask((1, 4), (2, 5), (3, 8)))
    point = tuple(shown.grid.to_world(voxel_at(shown.grid, None)))
    for plane, ratio in (("axial", 6 / 4.5), ("coronal", 6 / 15), ("sagittal", 4.5 / 15)):
        where = np.argwhere((alone(shown, plane, point) == rgb("liver")).all(axis=2))
        high, wide = where.max(axis=0) - where.min(axis=0) + 1
        assert wide / high == pytest.approx(ratio, rel=0.05), plane


def test_overlaps_blend_by_the_formula(small):
    shown = small()
    options = Options(paint="fill", opacity=0.4, crosshair=False)
    image = alone(
        shown,
        "axial",
        options=options,
        window=(0, 200),
        opacities={"aorta": 0.5},
        colors={"aorta": "#00ff00"},
    )
    one, two, grey = np.array(rgb("liver")), np.array((0, 255, 0)), 127.5
    a, b = 0.4, 0.2
    both = grey * (1 - a) * (1 - b) + (a * one + b * two) / (a + b) * (1 - (1 - a) * (1 - b))
    for expected in (grey + (one - grey) * a, grey + (two - grey) * b, both):
        assert (np.abs(image - expected).max(axis=2) <= 1.5).sum() > 500


def test_an_outline_is_on_the_inner_side_and_leaves_the_rest(small):
    shown = small(liver=box_mask((1, 4), (2, 5), (3, 8)))
    filled = (alone(shown, "axial") == rgb("liver")).all(axis=2)
    options = Options(paint="outline", width=3, crosshair=False)
    line = (alone(shown, "axial", options=options) == rgb("liver")).all(axis=2)
    assert line.sum() > 100
    assert not (line & ~filled).any()
    y, x = np.nonzero(filled)
    inner = filled.copy()
    inner[:] = False
    inner[y.min() + 3 : y.max() - 2, x.min() + 3 : x.max() - 2] = True
    np.testing.assert_array_equal(line, filled & ~inner)


def test_outlines_of_overlapping_structures_are_all_drawn(small):
    """The aorta's border inside the liver is there, whatever is drawn around it."""
    shown = small(liver=box_mask((0, 7), (0, 8), (0, 9)), aorta=box_mask((3, 5), (3, 5), (0, 9)))
    image = alone(shown, "axial", options=Options(paint="outline", width=2, crosshair=False))
    aorta = np.argwhere((image == rgb("aorta")).all(axis=2))
    high, wide = aorta.max(axis=0) - aorta.min(axis=0) + 1
    assert wide / high == pytest.approx(4 / 3, rel=0.05)
    assert len(aorta) < 0.5 * wide * high


@pytest.mark.parametrize(
    ("window", "grey"), [((0, 200), 128), ((0, 100), 255), ((100, 300), 0), ((50, 250), 64)]
)
def test_the_window_makes_the_greys(small, window, grey: int):
    image = alone(small(), "axial", window=window, structures=())
    assert np.abs(image[150, 150] - grey).max() <= 1


def test_values_are_scaled_before_the_window(write):
    def scaled(header) -> None:
        header.set_slope_inter(2, -50)

    root = write(
        {
            "s0001": {
                "mri": nifti_bytes(np.full(SHAPE, 100, np.int16), AFFINE, scaled),
                "liver": box_mask((0, 1), (0, 1), (0, 1)),
            }
        }
    )
    assert np.abs(alone(opened(root), "axial", window=(50, 250), structures=())[150, 150] - 127).max() <= 1


def test_smooth_or_nearest(small):
    values = np.zeros(SHAPE, np.int16)
    values[::2] = 200
    shown = small(values)
    smooth, nearest = (
        alone(shown, "axial", window=(0, 200), structures=(), options=Options(smooth=s, crosshair=False))
        for s in (True, False)
    )
    row = slice(40, 260)
    assert set(nearest[150, row].ravel().tolist()) == {0, 255}
    assert len(set(smooth[150, row].ravel().tolist())) > 20


@pytest.mark.parametrize(("tilt", "wide"), [(0.0, False), (20.0, True)])
def test_letters_are_there_and_two_where_tilted(small, tilt: float, wide: bool):
    angle = np.radians(tilt)
    affine = np.diag([2.0, 2, 2, 1])
    affine[1:3, 1:3] = 2 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    image = alone(small(affine=affine), "sagittal", structures=())
    found = ink(image)
    edges = {"left": found[:, :30], "right": found[:, 270:], "top": found[:30], "bottom": found[270:]}
    assert all(edge.sum() > 5 for edge in edges.values()), {name: edge.sum() for name, edge in edges.items()}
    columns = np.flatnonzero(found[:30].any(axis=0))
    assert (columns.max() - columns.min() > 12) == wide


@pytest.mark.parametrize(("radiological", "sides"), [(True, ("R", "L")), (False, ("L", "R"))])
def test_letters_name_the_side_that_is_drawn_there(small, radiological: bool, sides: tuple[str, str]):
    grid = small().grid
    for plane, expected in (
        ("axial", (*sides, "A", "P")),
        ("coronal", (*sides, "S", "I")),
        ("sagittal", ("A", "P", "S", "I")),
    ):
        placement = place(grid, plane, (0, 0, 300, 300), radiological=radiological, scale=1.0)
        assert edge_letters(grid, placement) == expected


def test_the_crosshair_is_at_the_point_and_can_be_left_out(small):
    shown = small()
    point = tuple(shown.grid.to_world((2, 5, 4)))
    image = alone(shown, "axial", point, options=Options(overlay=False))
    blue = (image == (0x4D, 0xA3, 0xFF)).all(axis=2)
    placement = place(shown.grid, "axial", (0, 0, 300, 300), radiological=True, scale=1.0)
    x, y = (int(n) for n in placement.pixel(2, 5))
    assert blue[:, x].sum() > 200
    assert blue[y].sum() > 200
    assert not blue[y - 5 : y + 5, x - 5 : x + 5].any()
    assert not (alone(shown, "axial", point) == (0x4D, 0xA3, 0xFF)).all(axis=2).any()


def test_a_case_of_one_slice_a_case_without_masks_and_hostile_names(write):
    name = "a<script>\u202e\x00" + "肝" * 20 + "_left"
    flat = np.arange(42, dtype=np.int16).reshape(7, 6, 1)
    dataset = open_dataset(write({"s0001": {"mri": nifti_bytes(flat)}}))
    shown = picture(read_image(dataset["s0001"]))
    assert pixels(draw(shown, title=name * 50, layout="sheet")).shape == (900, 1200, 3)
    masks = SimpleNamespace(ids=np.ones((7, 6, 1), np.uint8), sets=((), (name, "x" * 5000)))
    for layout in ("grid", "axial", "coronal", "sagittal", "mosaic", "sheet"):
        image = pixels(
            snapshot.draw(shown, masks=masks, layout=layout, title=name * 50, volumes_ml={name: float("nan")})
        )
        assert image.max() > 100
    assert printable(name) == "a<script>" + "?" * 20 + "_left"
    assert len(printable("y" * 10_000)) == 200


def test_the_legend_is_bounded_and_names_what_is_seen_first(small):
    masks = {f"thing_{n:03d}": box_mask((0, 1), (0, 1), (0, 1)) for n in range(60)}
    shown = small(liver=box_mask((1, 6), (1, 6), (1, 8)), **masks)
    image = pixels(draw(shown, options=PLAIN))
    chips = (image[450:, 600:] == rgb("liver")).all(axis=2)
    assert 100 < chips.sum() < 160  # one chip
    assert (
        not (pixels(draw(shown, options=PLAIN, legend=False))[450:, 600:] == rgb("liver")).all(axis=2).any()
    )


def test_two_mask_sets_as_outline_and_as_difference(small):
    shown = small(liver=box_mask((1, 4), (2, 6), (0, 9)))
    other = small(liver=box_mask((2, 6), (2, 6), (0, 9)))
    image = alone(shown, "axial", other=other, options=Options(crosshair=False, opacity=1.0, difference=True))
    counts = [
        (image == color).all(axis=2).sum()
        for color in ((0x8B, 0x95, 0xA3), (0xFF, 0x9F, 0x1C), (0x3A, 0xA0, 0xFF), (0xE0, 0x5C, 0xFF))
    ]
    assert counts[0] == pytest.approx(2 * counts[1], rel=0.05)
    assert counts[2] == pytest.approx(2 * counts[1], rel=0.05)
    assert counts[3] == 0
    both = small(liver=box_mask((0, 0), (0, 0), (0, 0)), aorta=box_mask((1, 4), (2, 6), (0, 9)))
    mixed = alone(shown, "axial", other=both, options=Options(crosshair=False, opacity=1.0, difference=True))
    assert (mixed == (0xE0, 0x5C, 0xFF)).all(axis=2).sum() == pytest.approx(3 * counts[1], rel=0.05)
    outlined = alone(
        shown,
        "axial",
        other=other,
        options=Options(crosshair=False, difference=False, paint="fill", opacity=0.2),
    )
    assert (outlined == rgb("liver")).all(axis=2).sum() > 100


def test_size_is_width_times_scale_and_bounded(small):
    shown = small()
    png = draw(shown, width=400, height=300, scale=2.5)
    with Image.open(io.BytesIO(png)) as image:
        assert image.size == (1000, 750)
        assert image.info["dpi"] == pytest.approx((240, 240), abs=0.1)
    for size in ({"width": 20}, {"height": 1e9}, {"scale": float("nan")}, {"width": 8000, "height": 8000}):
        with pytest.raises(QueryError):
            draw(shown, **size)
    with pytest.raises(QueryError, match="window"):
        draw(shown, window=(5, 5))
    with pytest.raises(UnknownName, match="axial"):
        draw(shown, layout="axail")


def test_options_of_a_browser_are_bounded():
    hostile = {"paint": "<b>", "width": 1e9, "opacity": -3, "smooth": "no", "radiological": False, "more": 1}
    assert Options.of(hostile) == Options(width=5.0, opacity=0.0, radiological=False)
    assert Options.of({"width": float("nan"), "opacity": True}) == Options()


def test_scale_bars_are_round():
    assert [scale_bar(600, 2.0), scale_bar(60, 2.0), scale_bar(600, 100.0)] == [
        (50.0, "5 cm"),
        (5.0, "5 mm"),
        (1.0, "1 mm"),
    ]


def test_a_png_is_what_was_painted():
    rng = np.random.default_rng(0)
    for shape in ((1, 1, 3), (7, 5, 3), (64, 200, 3)):
        painted = rng.integers(0, 256, shape).astype(np.uint8)
        with Image.open(io.BytesIO(png_bytes(painted))) as image:
            np.testing.assert_array_equal(np.asarray(image), painted)


@pytest.fixture
def viewer(tmp_path: Path) -> Viewer:
    write_case(tmp_path, "s0001", spacing_mm=(9.0, 8.0, 12.0))
    dataset = open_dataset(tmp_path)
    selection = Selection(Cohort.join(dataset.meta))
    selection.case = "s0001"
    return Viewer(selection, dataset)


def test_a_viewer_draws_what_it_shows(viewer: Viewer, tmp_path: Path):
    viewer.selection.structures = ("liver",)
    viewer.selection.layout = "axial"
    shown = viewer._picture
    viewer.selection.point = tuple(
        shown.grid.to_world(shown.layer("labels").where("liver")["centre"]).tolist()
    )
    png = viewer.snapshot(tmp_path / "picture.png", width=500, height=400, legend=False)
    assert (tmp_path / "picture.png").read_bytes() == png
    assert pixels(png).shape == (400, 500, 3)
    near = np.abs(pixels(png) - rgb("liver")).max(axis=2) == 0
    assert near.sum() > 50  # the outline
    viewer.selection.structures = ()
    assert not (
        np.abs(pixels(viewer.snapshot(layout="axial", legend=False)) - rgb("liver")).max(axis=2) == 0
    ).any()
    viewer.selection.layout = "3d"
    assert viewer.snapshot() == viewer.snapshot(layout="grid")
    viewer.selection.case = ""
    with pytest.raises(QueryError, match="No case"):
        viewer.snapshot()


def asker(viewer: Viewer) -> Callable[..., tuple[dict, list[bytes]]]:
    """What a page does to have its picture copied."""
    replies: list[tuple[dict, list[bytes]]] = []
    viewer.send = lambda content, buffers=None: replies.append((content, list(buffers or [])))

    def ask(**fields: object) -> tuple[dict, list[bytes]]:
        viewer._receive(viewer, {"id": "1", "kind": "snapshot", "scene": viewer.scene["key"], **fields}, [])
        return replies[-1]

    return ask


def test_a_browser_gets_the_same_and_cannot_ask_for_too_much(viewer: Viewer):
    ask = asker(viewer)
    reply, buffers = ask(width=640, height=480, layout="grid")
    assert reply["ok"]
    assert buffers == [viewer.snapshot(width=640, height=480, layout="grid")]
    for bad in (
        {"width": 10**9}, {"height": "9"}, {"scale": True}, {"layout": 7}, {"layout": "cube"}, {"scene": "gone"},
        {"width": float("nan")}, {"plane": "up"},
    ):  # fmt: skip
        reply, buffers = ask(**bad)
        assert not reply["ok"], bad
        assert not buffers


@pytest.mark.skipif(not MINI.is_dir(), reason="the folder of real scans is not beside the project")
def test_a_real_scan_has_its_liver_on_the_left():
    shown = opened(MINI)
    image = alone(shown, "axial")
    assert np.argwhere((image == rgb("liver")).all(axis=2))[:, 1].mean() < 130
    assert np.argwhere((image == rgb("spleen")).all(axis=2))[:, 1].mean() > 170

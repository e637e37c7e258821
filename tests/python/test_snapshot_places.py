"""Which voxel is at which pixel, by nibabel's reckoning and not by the code that draws."""

import io
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from samples import nifti_bytes
from scipy.ndimage import map_coordinates

from explorer import Cohort, Selection, open_dataset, snapshot
from explorer.snapshot import Options, words
from explorer.views.viewer import Viewer

SHAPE, SPACING = (7, 10, 13), (4.0, 2.5, 1.5)
AXES = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
SIZE = 300
GREEN = (0, 255, 0)
KINDS = [
    *(("RAS", 0), ("LPS", 0), ("LIP", 0), ("PIL", 0), ("PSR", 0), ("ASL", 0), ("SRA", 0), ("IPR", 0)),
    *(("RAS", 20), ("PIL", 20), ("ASL", 20)),
    *(("RAS", "sheared"), ("PIL", "sheared"), ("ASL", "sheared")),
]
"""Orientations, and by how many degrees the axes are tilted."""


def affine_of(orientation: str, tilt: float | str) -> np.ndarray:
    """Voxels of 4 x 2.5 x 1.5 mm, tilted about an axis that is none of the image's."""
    affine = np.zeros((4, 4))
    for axis, (world, sign) in enumerate(nib.orientations.axcodes2ornt(tuple(orientation))):
        affine[int(world), axis] = sign * SPACING[axis]
    if tilt == "sheared":
        turn = np.array([[1, 0.35, 0], [0, 1, -0.2], [0, 0, 1]])
    else:
        angle, about = np.radians(tilt), np.array([2.0, 1.0, -1.0]) / np.sqrt(6)
        cross = np.cross(np.eye(3), about)
        turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    affine[:3] = turn @ affine[:3]
    affine[:, 3] = 20, -35, 50, 1
    return affine


class Truth:
    """A case as nibabel turns it, and where its voxels have to be drawn."""

    def __init__(self, values: np.ndarray, mask: np.ndarray, affine: np.ndarray) -> None:
        turned = nib.as_closest_canonical(nib.Nifti1Image(values, affine))
        self.values = np.asarray(turned.dataobj)
        self.mask = np.asarray(nib.as_closest_canonical(nib.Nifti1Image(mask, affine)).dataobj) > 0
        self.affine = turned.affine
        self.spacing = np.linalg.norm(self.affine[:3, :3], axis=0)

    def world(self, voxel: np.ndarray) -> tuple[float, ...]:
        return tuple((self.affine[:3, :3] @ voxel + self.affine[:3, 3]).tolist())

    def pixel(
        self, plane: str, voxel: np.ndarray, radiological: bool, scale: float = 1
    ) -> tuple[float, float]:
        """Ten pixels of margin; the right of the patient on the left, the front on the left or at the top."""
        column, row, _ = AXES[plane]
        extent = np.array(self.values.shape) * self.spacing
        per_mm = scale * min((SIZE - 20) / extent[column], (SIZE - 20) / extent[row])
        off = (voxel - (np.array(self.values.shape) - 1) / 2) * self.spacing * per_mm
        middle = scale * SIZE / 2
        to_the_left = plane == "sagittal" or radiological
        return middle - off[column] if to_the_left else middle + off[column], middle - off[row]

    def picture(
        self, plane: str, cut: int, radiological: bool, smooth: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which pixels are in the slice, and their greys, but for 40 around."""
        column, row, along = AXES[plane]
        (x0, y0), (x1, y1) = (self.pixel(plane, np.full(3, float(n)), radiological) for n in (0, 1))
        places = np.arange(40, SIZE - 40) + 0.5
        u, v = np.meshgrid((places - x0) / (x1 - x0), (places - y0) / (y1 - y0))
        flat = np.take(self.values, cut, axis=along).astype(float)
        flat = flat if column < row else flat.T
        where = [u, v] if smooth else [np.floor(u + 0.5), np.floor(v + 0.5)]
        greys = map_coordinates(flat, where, order=1, mode="nearest")
        ends = [(w > -0.5) & (w < self.values.shape[axis] - 0.5) for w, axis in ((u, column), (v, row))]
        return ends[0] & ends[1], greys


@pytest.fixture
def case(write: Callable[..., Path]) -> Callable[..., tuple[Viewer, Truth]]:
    def make(orientation: str = "RAS", tilt: float | str = 0) -> tuple[Viewer, Truth]:
        rng = np.random.default_rng(7)
        values = rng.integers(0, 256, SHAPE).astype(np.int16)
        mask = (rng.random(SHAPE) < 0.3).astype(np.uint8)
        affine = affine_of(orientation, tilt)
        # Header and affine lie in float32.
        affine[:3] = affine[:3].astype(np.float32)
        files = {"mri": nifti_bytes(values, affine), "liver": nifti_bytes(mask, affine)}
        dataset = open_dataset(write({"s0001": files}))
        selection = Selection(Cohort.join(dataset.meta))
        selection.case, selection.window, selection.colors = "s0001", (0, 255), (("liver", "#00ff00"),)
        return Viewer(selection, dataset), Truth(values, mask, affine)

    return make


def drawn(view: Viewer, options: Options, **more: object) -> np.ndarray:
    view.options = {name: getattr(options, name) for name in Options.__dataclass_fields__}
    png = view.snapshot(**{"width": SIZE, "height": SIZE, "legend": False, **more})
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image).astype(int)


def inner(
    truth: Truth, plane: str, cut: int, radiological: bool
) -> list[tuple[tuple[int, ...], tuple[float, float]]]:
    """Voxels of a slice that no letter or caption is over, and the pixels of their centres."""
    column, row, along = AXES[plane]
    found = []
    for u in range(truth.values.shape[column]):
        for v in range(truth.values.shape[row]):
            voxel = np.zeros(3)
            voxel[column], voxel[row], voxel[along] = u, v, cut
            x, y = truth.pixel(plane, voxel, radiological)
            if 40 < x < SIZE - 40 and 40 < y < SIZE - 40:
                found.append((tuple(voxel.astype(int)), (x, y)))
    assert len(found) > 8
    return found


@pytest.mark.parametrize("radiological", [True, False])
@pytest.mark.parametrize(("orientation", "tilt"), KINDS)
def test_each_voxel_is_where_nibabel_has_it(case, orientation: str, tilt: float | str, radiological: bool):
    """Greys, nearest and smooth, and structures; a point within half a voxel of a slice shows that slice."""
    view, truth = case(orientation, tilt)
    assert view._picture.grid.orthogonal == (tilt != "sheared")
    for plane, (_, _, along) in AXES.items():
        count = truth.values.shape[along]
        for n, cut in enumerate((0, count // 2, count - 1)):
            voxel = np.array(truth.values.shape) // 2.0
            voxel[along] = cut + (0.45, -0.45, 0.0)[n]
            view.selection.point = truth.world(voxel)
            for smooth in (False, True):
                bare = Options(overlay=False, crosshair=False, smooth=smooth, radiological=radiological)
                image = drawn(view, bare, layout=plane)
                within, expected = truth.picture(plane, cut, radiological, smooth)
                assert within.sum() > 5_000
                assert np.abs(image[40:-40, 40:-40][within] - expected[within][:, None]).max() <= (
                    2 if smooth else 0
                )
            painted = drawn(
                view,
                Options(paint="fill", opacity=1.0, crosshair=False, radiological=radiological),
                layout=plane,
            )
            for at, (x, y) in inner(truth, plane, cut, radiological):
                assert (tuple(painted[int(y), int(x)]) == GREEN) == truth.mask[at], (plane, at)


@pytest.mark.parametrize("plane", AXES)
def test_a_voxel_ends_half_way_to_the_next(case, plane: str):
    """To the pixel: no shift by half a voxel, nor by half a pixel, at any scale."""
    view, truth = case()
    column, row, along = AXES[plane]
    voxel = np.array(truth.values.shape) // 2.0
    view.selection.point = truth.world(voxel)
    for scale in (1, 2):
        bare = drawn(view, Options(overlay=False, crosshair=False, smooth=False), layout=plane, scale=scale)
        painted = drawn(view, Options(paint="fill", opacity=1.0, crosshair=False), layout=plane, scale=scale)
        for at, _ in inner(truth, plane, int(voxel[along]), True):
            low, high = np.array(at, float), np.array(at, float)
            low[[column, row]] -= 0.5
            high[[column, row]] += 0.5
            right, bottom = truth.pixel(plane, low, True, scale)
            left, top = truth.pixel(plane, high, True, scale)
            xs, ys = (
                range(int(np.ceil(a - 0.49)), int(np.floor(b - 0.51)) + 1)
                for a, b in ((left, right), (top, bottom))
            )
            area = np.ix_(ys, xs)
            assert (bare[area] == truth.values[at]).all(), at
            assert (painted[area] == GREEN).all(axis=2).all() == truth.mask[at], at


def test_the_grid_has_each_plane_in_its_place(case):
    view, truth = case("PIL")
    view.selection.point = truth.world(np.array([2.0, 3.0, 9.0]))
    options = Options(crosshair=False, overlay=False, smooth=False)
    grid = drawn(view, options, layout="grid", width=2 * SIZE, height=2 * SIZE)
    for plane, (y, x) in {"axial": (0, 0), "coronal": (0, 1), "sagittal": (1, 0)}.items():
        part = grid[y * SIZE : (y + 1) * SIZE, x * SIZE : (x + 1) * SIZE]
        alone = drawn(view, options, layout=plane)
        np.testing.assert_array_equal(part[40:-40, 40:-40], alone[40:-40, 40:-40])


@pytest.mark.parametrize("plane", AXES)
def test_a_mosaic_goes_from_low_to_high_in_rows(case, plane: str, monkeypatch: pytest.MonkeyPatch):
    """Each tile has the slice that its caption names, which is nibabel's."""
    view, truth = case("LIP")
    _, _, along = AXES[plane]
    captions: list[tuple[tuple[int, ...], str]] = []
    monkeypatch.setattr(
        words, "caption", lambda _sheet, tile, below, above="": captions.append((tile, below))
    )
    image = drawn(
        view,
        Options(crosshair=False, overlay=False, smooth=False),
        layout="sheet",
        plane=plane,
        width=900,
        height=600,
    )
    assert len(captions) > 5
    order = [tile[1::-1] for tile, _ in captions]
    assert order == sorted(order)
    shown = []
    for (left, top, right, bottom), caption in captions:
        number, mm = caption.split("  ·  ")
        voxel = np.array(truth.values.shape) // 2
        voxel[along] = int(number) - 1
        shown.append(int(number))
        assert float(mm.split()[0]) == pytest.approx(truth.world(voxel.astype(float))[along], abs=0.06)
        middle = image[(top + bottom) // 2, (left + right) // 2, 0]
        extent = np.array(truth.values.shape)
        column, row, _ = AXES[plane]
        near = [
            truth.values[tuple(voxel + np.array(step))] for step in np.ndindex(2, 2, 2) if step[along] == 0
        ]
        exact = voxel.copy()
        exact[column], exact[row] = (extent[column] - 1) // 2, (extent[row] - 1) // 2
        near.append(truth.values[tuple(exact)])
        if extent[column] % 2 and extent[row] % 2:
            assert middle == truth.values[tuple(exact)]
        assert middle in near
    assert shown == sorted(set(shown))
    assert (shown[0], shown[-1]) == (1, truth.values.shape[along])


@pytest.mark.parametrize(
    ("orientation", "tilt"), [("RAS", 0), ("PIL", 0), ("ASL", 20), ("RAS", "sheared"), ("PIL", "sheared")]
)
def test_captions_and_letters_are_those_of_the_world(
    case, orientation: str, tilt: float | str, monkeypatch: pytest.MonkeyPatch
):
    view, truth = case(orientation, tilt)
    voxel = np.array([2.0, 5.0, 4.0])
    view.selection.point = truth.world(voxel)
    told: list[tuple[str, str]] = []
    real = words.annotate
    monkeypatch.setattr(words, "annotate", lambda *given: (told.append(given[-2:]), real(*given)))
    for plane, (_, _, along) in AXES.items():
        told.clear()
        drawn(view, Options(), layout=plane)
        ((title, caption),) = told
        assert title.startswith(plane.capitalize())
        number, mm = caption.split("  ·  ")
        assert number == f"{int(voxel[along]) + 1} of {truth.values.shape[along]}"
        assert float(mm.split()[0]) == pytest.approx(truth.world(voxel)[along], abs=0.06)


@pytest.mark.parametrize("radiological", [True, False])
def test_the_crosshair_crosses_the_voxel_of_the_point(case, radiological: bool):
    view, truth = case("PSR")
    voxel = np.array([2.0, 5.0, 4.0])
    view.selection.point = truth.world(voxel)
    for plane in AXES:
        options = Options(overlay=False, radiological=radiological)
        bare = drawn(view, Options(overlay=False, crosshair=False, radiological=radiological), layout=plane)
        changed = (drawn(view, options, layout=plane) != bare).any(axis=2)
        x, y = truth.pixel(plane, voxel, radiological)
        assert np.flatnonzero(changed.sum(axis=0) > 200).tolist() == [int(x)]
        assert np.flatnonzero(changed.sum(axis=1) > 200).tolist() == [int(y)]


@pytest.mark.parametrize(("orientation", "tilt"), KINDS[:8])
def test_letters_are_written_at_the_side_that_they_name(
    case, orientation: str, tilt: float | str, monkeypatch: pytest.MonkeyPatch
):
    """Of all that is written, the single letters, by the edge that they are nearest to."""
    view, _ = case(orientation, tilt)
    written: list[tuple[tuple[float, float], str]] = []
    real = words.Sheet.write
    monkeypatch.setattr(
        words.Sheet,
        "write",
        lambda sheet, at, text, **more: (written.append((at, text)), real(sheet, at, text, **more)),
    )
    for radiological, (left, right) in ((True, "RL"), (False, "LR")):
        for plane, sides in {
            "axial": (left, right, "A", "P"),
            "coronal": (left, right, "S", "I"),
            "sagittal": "APSI",
        }.items():
            written.clear()
            drawn(view, Options(radiological=radiological), layout=plane)
            found = {}
            for (x, y), text in written:
                if len(text) == 1:
                    found[
                        min(
                            ("left", x),
                            ("right", SIZE - x),
                            ("top", y),
                            ("bottom", SIZE - y),
                            key=lambda e: e[1],
                        )[0]
                    ] = text
            assert found == dict(zip(("left", "right", "top", "bottom"), sides, strict=True)), plane


def test_a_difference_and_a_compared_outline_lie_where_the_masks_do(case):
    """The pixels of three kinds of voxels, by nibabel's reckoning, for an image that is not upright."""
    view, truth = case("PIL")
    shown = view._picture
    rng = np.random.default_rng(3)
    theirs = (rng.random(truth.values.shape) < 0.3).astype(np.uint8)

    class Other:
        ids, sets = theirs, ((), ("liver",))

    view.selection.point = truth.world(np.array(truth.values.shape) // 2.0)
    for plane, (_, _, along) in AXES.items():
        png = snapshot.draw(
            shown, masks=shown.labels, other=Other(), point=view.selection.point, layout=plane, legend=False, width=SIZE,
            height=SIZE, options=Options(difference=True, opacity=1.0, crosshair=False),
        )  # fmt: skip
        with Image.open(io.BytesIO(png)) as file:
            image = np.asarray(file)
        for at, (x, y) in inner(truth, plane, truth.values.shape[along] // 2, True):
            ours, other = bool(truth.mask[at]), bool(theirs[at])
            expected = {
                (True, True): (0x8B, 0x95, 0xA3),
                (True, False): (0xFF, 0x9F, 0x1C),
                (False, True): (0x3A, 0xA0, 0xFF),
            }
            if ours or other:
                assert tuple(image[int(y), int(x)]) == expected[ours, other]

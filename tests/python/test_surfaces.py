"""Surfaces against what is known of the voxels they are made of."""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.ndimage import distance_transform_edt
from scipy.spatial import KDTree

from explorer import blocks, manifold, open_dataset
from explorer.errors import QueryError
from explorer.grid import Grid
from explorer.phantom import write_case
from explorer.surface_files import case_surfaces
from explorer.surfaces import Surface, strides, surface

SPACING = (1.5, 2.0, 5.0)


def affine(spacing=SPACING, *, flip: bool = False, shear: float = 0.0, tilt: float = 0.0) -> np.ndarray:
    found = np.eye(4)
    found[:3, :3] = np.diag(spacing)
    if flip:
        found[0] *= -1
    found[1, 2] = shear
    c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    found[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ found[:3, :3]
    found[:3, 3] = (-40, 30, 12)
    return found


def ball(shape=(47, 38, 21), share: float = 0.8) -> np.ndarray:
    places = np.indices(shape).reshape(3, -1).T
    half = (np.array(shape) - 1) / 2
    return ((((places - half) / (half * share)) ** 2).sum(axis=1) <= 1).reshape(shape)


def solid(found: Surface) -> trimesh.Trimesh:
    return trimesh.Trimesh(found.vertices_mm, found.triangles, process=False)


def make(mask: np.ndarray, matrix: np.ndarray, **options: int) -> Surface:
    return surface(mask, Grid(mask.shape, matrix), **options)


def edges_are_shared_by_two(found: Surface) -> bool:
    _, same = np.unique(found.codes, axis=0, return_inverse=True)  # as programs that read STL join them
    rows = same.ravel()[found.triangles]
    edges = np.sort(np.concatenate([rows[:, [0, 1]], rows[:, [1, 2]], rows[:, [2, 0]]]), axis=1)
    return bool((np.unique(edges, axis=0, return_counts=True)[1] == 2).all())


GRIDS = {
    "thick slices": affine(),
    "flipped": affine(flip=True),
    "oblique": affine(tilt=25),
    "sheared": affine(shear=2.5),
    "flipped and sheared": affine(flip=True, shear=-2.0, tilt=-15),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_surface_is_closed_outward_and_as_large_as_its_voxels(name: str):
    matrix = GRIDS[name]
    mask = ball()
    found = solid(make(mask, matrix))
    assert found.is_watertight
    assert found.is_winding_consistent
    voxels_ml = mask.sum() * abs(np.linalg.det(matrix[:3, :3]))
    assert found.volume == pytest.approx(voxels_ml, rel=0.01)  # positive: normals point outward
    centre = matrix[:3, :3] @ ((np.array(mask.shape) - 1) / 2) + matrix[:3, 3]
    np.testing.assert_allclose(found.center_mass, centre, atol=0.1)


@pytest.mark.parametrize("shape", [(7, 8, 9), (9, 7, 8), (8, 9, 7)])
def test_axes_are_not_mixed_up(shape: tuple[int, int, int]):
    matrix = affine(tilt=10)
    mask = np.zeros(shape, bool)
    mask[1:6, 2:5, 3:7] = True
    found = solid(make(mask, matrix))
    corners = np.array(np.meshgrid((0.5, 5.5), (1.5, 4.5), (2.5, 6.5), indexing="ij")).reshape(3, -1).T
    expected = trimesh.bounds.corners(found.bounds)
    world = corners @ matrix[:3, :3].T + matrix[:3, 3]
    # A box comes out rounded, so it is somewhat shorter at its corners and nowhere longer by a third of a voxel.
    assert (expected.min(axis=0) >= world.min(axis=0) - 1.7).all()
    assert (expected.max(axis=0) <= world.max(axis=0) + 1.7).all()
    np.testing.assert_allclose(found.center_mass, world.mean(axis=0), atol=0.25)


@pytest.mark.parametrize("triangles", [200, 1_000, 4_000, 20_000])
def test_the_budget_holds_and_the_volume_stays(triangles: int):
    rng = np.random.default_rng(0)
    mask = ball((90, 80, 40)) & ~ball((90, 80, 40), 0.5)
    mask[rng.integers(0, 90, 60), rng.integers(0, 80, 60), rng.integers(0, 40, 60)] ^= True
    found = make(mask, affine(), triangles=triangles)
    assert 0 < len(found.triangles) <= triangles
    assert found.triangles.max() < len(found.codes)
    assert found.volume_ml == pytest.approx(mask.sum() * 15 / 1000, rel=0.05 if triangles < 1_000 else 0.01)


def test_a_thin_vessel_stays_whole_and_as_thick():
    mask = np.zeros((30, 30, 24), bool)
    for k in range(24):
        mask[5 + k // 2 : 7 + k // 2, 8 + k // 3 : 10 + k // 3, k] = True
    found = solid(make(mask, affine()))
    assert found.body_count == 1
    assert found.volume == pytest.approx(mask.sum() * 15, rel=0.05)


def test_steps_between_thick_slices_melt():
    """A cone in 5 mm slices: normals turn little from one triangle to the next."""
    shape = (81, 81, 17)
    i, j, k = np.indices(shape)
    mask = np.hypot(i - 40, j - 40) * 1.0 < 38 - 2.1 * k
    found = solid(make(mask, affine((1, 1, 5)), triangles=8_000))
    middle = (found.triangles_center[:, 2] > 25) & (found.triangles_center[:, 2] < 60 + 12)
    side = found.face_normals[middle, 2]
    # The true slope is 2.1 mm in 5; a staircase would have normals of 0 and 1 only.
    assert np.median(side) == pytest.approx(np.sin(np.arctan(2.1 / 5)), abs=0.08)
    assert np.percentile(side, 90) < 0.75


def test_neighbours_leave_no_gap():
    shape = (40, 36, 18)
    whole = ball(shape)
    i, j, k = np.indices(shape)
    upper = whole & (i + 0.4 * j + 0.5 * k > 32)
    ids = whole.astype(np.uint8) + upper
    grid = Grid(shape, affine())
    found = [solid(surface(ids == n, grid)) for n in (1, 2)]
    border = np.argwhere((ids[:-1] == 1) & (ids[1:] == 2)) + np.array([0.5, 0, 0])
    deep = [p for p in border if ball(shape, 0.6)[int(p[0]), int(p[1]), int(p[2])]]
    points = grid.to_world(np.array(deep))
    one = found[0].sample(60_000, seed=1)
    other, faces = trimesh.sample.sample_surface(found[1], 60_000, seed=1)
    along = one[KDTree(points).query(one)[0] < 2.0]
    assert len(along) > 2_000
    off, nearest = KDTree(other).query(along)
    outside = np.einsum("ij,ij->i", along - other[nearest], found[1].face_normals[faces[nearest]])
    # They may share a little, which nobody sees; between them there is no room.
    assert np.percentile(outside, 99) < 0.1 * min(SPACING)
    assert np.percentile(off, 95) < 0.7 * min(SPACING)


def gaps_mm(ids: np.ndarray, grid: Grid, one: Surface, other: Surface, rim_mm: float) -> np.ndarray:
    """Return how far points of one surface lie out of (+) or in (-) the other, where 1 and 2 touch, off their rim."""
    border = []
    for axis in range(3):
        along = np.moveaxis(ids, axis, 0)
        touching = np.argwhere(along[:-1] * along[1:] == 2).astype(float)
        touching[:, 0] += 0.5
        border.append(np.insert(touching[:, 1:], axis, touching[:, 0], axis=1))
    border = np.concatenate(border)
    outside = np.pad(ids, 1) == 0
    deep = distance_transform_edt(~outside, sampling=grid.spacing_mm)[
        tuple(np.rint(border + 1).astype(int).T)
    ]
    points = grid.to_world(border[deep > rim_mm])
    sampled = solid(one).sample(60_000, seed=1)
    mesh = solid(other)
    across, faces = trimesh.sample.sample_surface(mesh, 200_000, seed=1)
    near = sampled[KDTree(points).query(sampled)[0] < 6]
    assert len(near) > 2_000
    apart, nearest = KDTree(across).query(near)
    side = np.einsum("ij,ij->i", near - across[nearest], mesh.face_normals[faces[nearest]])
    return np.sign(side) * apart


@pytest.mark.parametrize("spacing", [(1.5, 1.5, 3.0), (1.0, 1.2, 5.0), (2.0, 2.0, 2.0)])
def test_a_large_and_a_small_neighbour_meet_within_a_voxel(spacing: tuple, monkeypatch: pytest.MonkeyPatch):
    """A body of 2.5 l, dented by a ball of 155 ml."""
    half_mm, radius_mm = np.array((100.0, 80.0, 78.0)), 33.6
    shape = tuple(int(n) for n in np.ceil(2 * half_mm / spacing) + 4)
    places = (np.moveaxis(np.indices(shape), 0, -1) - (np.array(shape) - 1) / 2) * spacing
    ids = (np.square(places / half_mm).sum(axis=-1) <= 1).astype(np.uint8)
    ids[np.square(places - (80, 0, 0)).sum(axis=-1) <= radius_mm**2] = 2
    sizes = []
    real = blocks.block_size
    monkeypatch.setattr(blocks, "block_size", lambda *given: sizes.append(real(*given)) or sizes[-1])
    grid = Grid(shape, affine(spacing))
    body, dent = (surface(ids == n, grid) for n in (1, 2))
    assert sizes[0].prod() > 3 * sizes[1].prod()
    for one, other in ((body, dent), (dent, body)):
        off = gaps_mm(ids, grid, one, other, 12) / max(spacing)
        low, few, typical, most, high = np.percentile(off, (1, 5, 50, 95, 99))
        assert -0.75 < low < high < 0.75
        assert -0.5 < few < most < 0.5
        assert abs(typical) < 0.3


def from_border(mask: np.ndarray, grid: Grid, found: Surface) -> np.ndarray:
    """Return how far the mask's border voxels lie from a surface, in voxels of its longest edge."""
    core = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1, 1:-1]
    points = grid.to_world(np.argwhere(mask & (core <= 1)))
    return KDTree(solid(found).sample(60_000, seed=1)).query(points)[0] / max(grid.spacing_mm)


@pytest.mark.parametrize("spacing", [(1.5, 1.5, 1.5), (1.0, 1.2, 3.0)])
def test_thin_processes_of_a_large_body_are_kept(spacing: tuple):
    mask = np.pad(ball((70, 70, 50)), 20)
    mask[4:30, 55:57, 45:47] = mask[80:106, 54:56, 44:46] = True
    mask[55:57, 4:30, 43:45] = True
    grid = Grid(mask.shape, affine(spacing))
    found = surface(mask, grid)
    off = from_border(mask, grid, found)
    assert np.percentile(off, 99) < 1.5
    assert off.max() < 2.5


def test_a_plate_thinner_than_a_block_is_as_thick_as_its_voxels():
    mask = np.zeros((86, 86, 66), bool)
    mask[10:76, 40:43, 8:58] = mask[30:60, 20:60, 20:45] = True
    grid = Grid(mask.shape, affine((1, 1.2, 3)))
    assert from_border(mask, grid, surface(mask, grid)).max() < 1.2


@pytest.mark.parametrize("spacing", [(1.0, 1.2, 3.0), (1.0, 1.0, 5.0)])
def test_a_cleft_narrower_than_a_block_stays_open(spacing: tuple):
    mask = np.pad(ball((70, 70, 50)), 8)
    mask[40:42, 8:50] = False
    grid = Grid(mask.shape, affine(spacing))
    found = surface(mask, grid)
    assert from_border(mask, grid, found).max() < 1.5
    assert solid(found).body_count == 1  # not a hollow that is closed all around


@pytest.mark.parametrize("budget", [300, 1_000, 4_000])
def test_edges_are_shared_by_two_triangles_where_voxels_touch_at_edges(budget: int):
    mask = np.random.default_rng(1).random((14, 15, 16)) < 0.3
    found = make(mask, affine(flip=True), triangles=budget)
    assert len(found.triangles) <= budget
    assert solid(found).is_winding_consistent
    assert edges_are_shared_by_two(found)


def test_two_bodies_that_touch_at_an_edge_are_joined_there():
    points = np.array([(0, 0, 0), (0, 0, 4), (3, 1, 0), (3, -1, 0), (-3, 1, 0), (-3, -1, 0)], float)
    one = [(0, 3, 1), (0, 1, 2), (1, 3, 2), (0, 2, 3)]
    other = [(0, 4, 1), (0, 1, 5), (1, 4, 5), (0, 5, 4)]
    joined = np.array(one + other, np.int32)
    volume = trimesh.Trimesh(points, joined, process=False).volume
    assert volume == pytest.approx(8)
    apart, triangles, _ = manifold.parted(points, joined)
    found = trimesh.Trimesh(apart, triangles, process=False)
    assert found.is_watertight
    assert found.is_winding_consistent
    assert found.body_count == 1
    assert found.volume == pytest.approx(volume, rel=0.1)


def test_voxels_that_touch_at_edges_stay_one_body():
    mask = np.zeros((12, 12, 4), bool)
    mask[np.arange(1, 11), np.arange(1, 11), 1:3] = True
    found = make(mask, affine((1, 1, 1)))
    assert edges_are_shared_by_two(found)
    assert solid(found).body_count == 1
    assert found.volume_ml == pytest.approx(mask.sum() / 1000, rel=0.02)


def test_what_touches_itself_at_too_many_edges_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(manifold, "_MOST_TOUCHED", 5)
    mask = np.random.default_rng(1).random((14, 15, 16)) < 0.3
    assert not edges_are_shared_by_two(make(mask, affine()))


@pytest.mark.parametrize("spacing", [(3, 3, 3), (1, 1, 5), (0.5, 0.5, 7.5)])
@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_a_few_voxels_have_their_volume(count: int, spacing: tuple):
    mask = np.zeros((9, 9, 9), bool)
    places = [(2, 3, 1), (2, 4, 1), (3, 2, 1), (3, 3, 1), (3, 4, 1), (4, 3, 1)]
    mask[tuple(np.array(places[:count]).T)] = True
    expected = mask.sum() * np.prod(spacing) / 1000
    assert make(mask, affine(spacing)).volume_ml == pytest.approx(expected, rel=0.03)


def test_a_surface_of_more_vertices_than_16_bits_tell_is_smoothed():
    mask = ball((152, 152, 152))
    found = make(mask, affine((1, 1, 1)), triangles=500_000)
    assert len(found.codes) > 2**16
    assert edges_are_shared_by_two(found)
    away = np.linalg.norm(found.vertices_mm - (-40 + 75.5, 30 + 75.5, 12 + 75.5), axis=1)
    assert np.ptp(away) < 0.6


def test_a_single_voxel_and_a_full_image_have_surfaces():
    mask = np.zeros((5, 6, 7), bool)
    mask[2, 3, 4] = True
    one = solid(make(mask, affine()))
    assert one.is_watertight
    np.testing.assert_allclose(one.center_mass, affine()[:3, :3] @ (2, 3, 4) + affine()[:3, 3], atol=0.01)
    full = make(np.ones((5, 6, 7), bool), affine())
    assert full.volume_ml == pytest.approx(210 * 15 / 1000, rel=0.02)
    flat = make(np.ones((9, 8, 1), bool), affine())
    assert solid(flat).is_watertight


def test_volumes_of_a_body_are_those_of_its_voxels(tmp_path: Path):
    case = write_case(tmp_path, "s0001", orientation="PIL", tilt_degrees=12, seed=3)
    (tmp_path / "meta.csv").write_text("image_id\ns0001\n")
    opened = open_dataset(tmp_path)["s0001"]
    made = case_surfaces(opened)
    checked = 0
    for name, truth in case.structures.items():
        if truth.voxels < 200:
            continue
        found = made[name]
        assert found.volume_ml == pytest.approx(truth.volume_ml, rel=0.03), name
        assert len(found.triangles) <= 4_000
        assert edges_are_shared_by_two(found), name
        checked += 1
    assert checked > 15


def test_a_large_volume_is_looked_at_in_steps(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("explorer.surfaces._READ_VOXELS", 40_000)
    mask = ball((94, 76, 42))
    grid = Grid(mask.shape, affine())
    x, y, z = stride = strides(grid.shape, grid.spacing_mm)
    assert stride > (1, 1, 1)
    centre = affine()[:3, :3] @ ((np.array(mask.shape) - 1) / 2) + affine()[:3, 3]
    for i, j, k in ((0, 0, 0), (x - 1, y - 1, z - 1)):
        seen = mask[i::x, j::y, k::z]
        assert seen.size <= 40_000 < mask.size
        found = solid(surface(seen, grid, low=(i, j, k), stride=stride))
        assert found.volume == pytest.approx(mask.sum() * 15, rel=0.03)
        np.testing.assert_allclose(found.center_mass, centre, atol=0.2 * max(SPACING))


def test_what_cannot_be_had_is_said():
    with pytest.raises(QueryError, match="Nothing"):
        make(np.zeros((4, 5, 6), bool), affine())
    with pytest.raises(QueryError, match="100 to"):
        make(ball(), affine(), triangles=5)

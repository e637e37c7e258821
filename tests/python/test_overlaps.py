"""Shared voxels counted from runs, against counting voxel by voxel."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import mask_of

from explorer import measure, overlaps
from explorer.errors import VolumeError
from explorer.grid import Grid
from explorer.kernel import Runs, Scan
from explorer.labels import Mask
from explorer.overlaps import OverlapCounter, Shared, shared_voxels
from explorer.volume import Volume

SHAPE = (7, 8, 9)
GRID = Grid(SHAPE, np.diag([1.0, 2.0, 3.0, 1.0]))


def runs_of(array: np.ndarray) -> Runs:
    """Find the runs along i with numpy alone."""
    rows = array.reshape(array.shape[0], -1, order="F").T.astype(np.int8)
    edges = np.diff(rows, axis=1, prepend=0, append=0)
    (row, start), (_, stop) = np.nonzero(edges == 1), np.nonzero(edges == -1)
    return Runs(array.shape, np.column_stack([row, start, stop]).astype(np.int32))


def scanned(array: np.ndarray, name: str) -> Mask:
    """Make a mask as a scan of its file would."""
    areas = tuple(array.sum(axis=tuple({0, 1, 2} - {axis})) for axis in range(3))
    scan = Scan(runs_of(array), areas, 0)
    return Mask(name, scan.box, scan)


def counted(arrays: dict[str, np.ndarray]) -> Shared:
    """Count voxel by voxel."""
    depth = np.sum(list(arrays.values()), axis=0)
    pairs = {(a, b): int((arrays[a] & arrays[b]).sum()) for a, b in combinations(sorted(arrays), 2)}
    return Shared(
        {name: int((depth[array] > 1).sum()) for name, array in arrays.items()},
        {pair: voxels for pair, voxels in pairs.items() if voxels},
    )


def random_masks(seed: int, count: int, share: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {f"s{n:02d}": rng.random(SHAPE) < share * rng.random() for n in range(count)}


@given(st.integers(0, 2**31), st.integers(1, 6), st.sampled_from((0.0, 0.02, 0.3, 1.5)), st.integers(1, 400))
@settings(max_examples=120, deadline=None)
def test_any_masks(seed: int, count: int, share: float, at_a_time: int):
    arrays = random_masks(seed, count, share)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlaps, "_RUNS_AT_A_TIME", at_a_time)
        assert shared_voxels({name: runs_of(array) for name, array in arrays.items()}) == counted(arrays)


def test_more_masks_than_a_number_has_bits():
    arrays = random_masks(1, 130, 0.2)
    assert shared_voxels({name: runs_of(array) for name, array in arrays.items()}) == counted(arrays)


def test_no_masks_and_one():
    assert shared_voxels({}) == Shared({}, {})
    assert shared_voxels({"a": runs_of(np.ones(SHAPE, bool))}) == Shared({"a": 0}, {})


@pytest.mark.parametrize("plain", [0, 1, 3])
def test_masks_that_were_not_scanned_come_between(plain: int):
    arrays = random_masks(2, 4, 0.5)
    counter = OverlapCounter(SHAPE)
    for n, (name, array) in enumerate(arrays.items()):
        counter.add(mask_of(array, name) if n == plain else scanned(array, name))
    assert counter.shared() == counted(arrays)


def test_too_many_runs_to_keep(monkeypatch: pytest.MonkeyPatch):
    arrays = random_masks(3, 4, 0.5)
    most = len(runs_of(arrays["s00"]).rows) + 1
    monkeypatch.setattr(overlaps, "MOST_RUNS_KEPT", most)
    counter = OverlapCounter(SHAPE)
    for name, array in arrays.items():
        counter.add(scanned(array, name))
    assert counter._volume is not None
    assert counter.shared() == counted(arrays)


def test_painted_voxels_are_not_kept():
    mask = scanned(np.ones(SHAPE, bool), "a")
    assert mask.inside.all()
    counter = OverlapCounter(SHAPE)
    counter.add(mask)
    assert all("inside" not in vars(kept) for kept in counter._masks)


def test_only_scanned_masks_are_read_ahead(monkeypatch: pytest.MonkeyPatch):
    read: list[str] = []
    measured: list[tuple[str, int]] = []

    def masks():
        for n, (name, array) in enumerate(random_masks(4, 6, 0.5).items()):
            read.append(name)
            yield name, mask_of(array, name) if n == 2 else scanned(array, name)
        read.append("bad")
        yield "bad", VolumeError("bad: not readable.")

    def told(mask: Mask, grid: Grid, image: Volume | None) -> measure.Row:
        measured.append((mask.name, len(read)))
        return measure_mask(mask, grid, image)

    measure_mask = measure.measure_mask
    monkeypatch.setattr(measure, "measure_mask", told)
    found = measure.measure_case(None, GRID, masks())
    assert measured == [("s00", 3), ("s01", 3), ("s02", 3), ("s03", 7), ("s04", 7), ("s05", 7)]
    assert [row["structure"] for row in found.structures] == read

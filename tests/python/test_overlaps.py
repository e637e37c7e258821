"""Shared voxels counted from runs, against counting voxel by voxel."""

import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import mask_of

from explorer import labels, measure, open_dataset, overlaps
from explorer.errors import VolumeError
from explorer.grid import Grid
from explorer.intake import measure_files
from explorer.kernel import Runs, Scan, is_compiled
from explorer.labels import LabelBuilder, Mask, slabs
from explorer.overlaps import OverlapCounter, Shared, shared_voxels
from explorer.volume import Volume, read_image, read_masks

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


@given(
    st.integers(0, 2**31),
    st.integers(1, 6),
    st.sampled_from((0.0, 0.02, 0.3, 1.5)),
    st.integers(1, 400),
    st.integers(1, 60),
)
@settings(max_examples=120, deadline=None)
def test_any_masks(seed: int, count: int, share: float, runs: int, numbers: int):
    arrays = random_masks(seed, count, share)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlaps, "_RUNS_AT_A_TIME", runs)
        patch.setattr(overlaps, "_NUMBERS_AT_A_TIME", numbers)
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


@pytest.mark.parametrize("as_runs", [False, True] if is_compiled() else [False])
@pytest.mark.parametrize("slab", [1, labels.SLAB_VOXELS])
def test_a_mask_that_makes_too_many_overlaps_is_left_out_whole(
    as_runs: bool, slab: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(labels, "slabs", lambda shape: slabs(shape, slab))
    monkeypatch.setattr(labels, "MOST_SETS", 24)
    make = scanned if as_runs else mask_of
    arrays = random_masks(5, 7, 0.6) | {"z": np.zeros(SHAPE, bool)}
    builder, fitting = LabelBuilder(SHAPE), LabelBuilder(SHAPE)
    left_out = []
    for name, array in arrays.items():
        try:
            builder.add(make(array, name))
            fitting.add(make(array, name))
        except VolumeError as error:
            left_out.append(str(error).partition(":")[0])
    assert left_out
    assert set(left_out) < set(arrays)
    assert "z" not in left_out
    assert len(builder.sets) <= 24
    assert builder.labels().names == fitting.labels().names == tuple(n for n in arrays if n not in left_out)
    assert (builder.sets, builder.overlaps()) == (fitting.sets, fitting.overlaps())
    np.testing.assert_array_equal(builder.ids, fitting.ids)


def test_a_case_of_too_many_overlaps_is_measured_but_for_the_masks_that_make_them(
    write, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(labels, "MOST_SETS", 24)
    arrays = {name: array.astype(np.uint8) for name, array in random_masks(5, 7, 0.6).items()}
    wide = {name: array.astype(np.int16) for name, array in arrays.items()}  # which are not scanned
    mixed = {**arrays, "s03": wide["s03"], "s06": wide["s06"]}
    for root, masks in (("scanned", arrays), ("wide", wide), ("mixed", mixed)):
        (case,) = open_dataset(write({"s0001": {"mri": np.ones(SHAPE, np.int16), **masks}}, root=root))
        found = measure_files(case, "")
        status = {row["structure"]: row["status"] for row in found.structures}
        left_out = [name for name in arrays if status[name] == "unreadable"]
        told = [finding.structure for finding in found.findings if finding.kind == "overlaps_many"]
        assert told == left_out
        kept = {name: array > 0 for name, array in arrays.items() if name not in left_out}
        assert len(kept) >= 3
        shared = counted(kept)
        rows = {row["structure"]: row for row in found.structures}
        assert {name: rows[name]["overlap_voxels"] for name in kept} == shared.of_structures
        assert {(o["structure"], o["other"]): o["voxels"] for o in found.overlaps} == shared.of_pairs
        read = read_masks(case, read_image(case).grid)
        assert sorted((*read.names, *read.problems)) == sorted(arrays)
        assert read.problems
        for name in read.names:
            members = [n for n, names in enumerate(read.sets) if name in names]
            np.testing.assert_array_equal(np.isin(read.ids, members), arrays[name] > 0)


def test_masks_that_overlap_too_much_for_a_volume_are_put_into_one_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(labels, "MOST_SETS", 8)
    begun = []

    def begin(shape: tuple[int, int, int]) -> LabelBuilder:
        begun.append(shape)
        return LabelBuilder(shape)

    monkeypatch.setattr(overlaps, "LabelBuilder", begin)
    arrays = random_masks(7, 6, 0.6)
    counter = OverlapCounter(SHAPE)
    for name, array in arrays.items():
        counter.add(scanned(array, name))
    for name in ("x", "y", "z"):
        with pytest.raises(VolumeError, match=rf"^{name}: what it shares with the masks before it cannot"):
            counter.add(mask_of(arrays["s00"], name))
    counter.add(scanned(arrays["s01"], "more"))
    assert begun == [SHAPE]
    assert counter.shared() == counted({**arrays, "more": arrays["s01"]})


def test_structures_in_one_another_are_bounded_by_the_members_of_all_sets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(labels, "MOST_MEMBERS", 1 + 2 + 3 + 4)
    builder = LabelBuilder(SHAPE)
    for n in range(4):
        builder.add(mask_of(np.arange(SHAPE[0])[:, None, None] >= n + np.zeros(SHAPE), f"s{n}"))
    assert [len(members) for members in builder.sets] == [0, 1, 2, 3, 4]
    before = builder.ids.copy()
    with pytest.raises(VolumeError, match=r"^s4: with it the masks overlap in too many different ways"):
        builder.add(mask_of(np.arange(SHAPE[0])[:, None, None] >= 4 + np.zeros(SHAPE), "s4"))
    np.testing.assert_array_equal(builder.ids, before)
    builder.add(mask_of(np.zeros(SHAPE, bool), "empty"))


@pytest.mark.parametrize(
    ("bound", "most", "told"),
    [
        ("MOST_STRUCTURES", 4, "5 of them are not empty, and each two of at most 4 are compared"),
        ("MOST_WORK", 5 * 5 * 12, "5 of them overlap in too many different ways"),
    ],
)
def test_what_would_take_too_long_to_count_is_told_and_all_else_measured(
    bound: str, most: int, told: str, monkeypatch: pytest.MonkeyPatch
):
    arrays = random_masks(8, 5, 1.0)
    masks = [(name, scanned(array, name)) for name, array in arrays.items()]
    masks.append(("empty", scanned(np.zeros(SHAPE, bool), "empty")))
    plain = measure.measure_case(None, GRID, masks)
    assert plain.overlaps
    monkeypatch.setattr(overlaps, bound, most)
    found = measure.measure_case(None, GRID, masks)
    assert found.overlaps == []
    assert [row["overlap_voxels"] for row in found.structures] == [None] * 6
    assert found.structures == [row | {"overlap_voxels": None} for row in plain.structures]
    (finding,) = found.findings
    assert (finding.kind, finding.structure) == ("overlaps_many", "")
    assert told in finding.what
    monkeypatch.undo()
    monkeypatch.setattr(overlaps, bound, most * 100)
    assert measure.measure_case(None, GRID, masks).overlaps == plain.overlaps


def test_painted_voxels_are_not_kept():
    mask = scanned(np.ones(SHAPE, bool), "a")
    assert mask.inside.all()
    counter = OverlapCounter(SHAPE)
    counter.add(mask)
    assert all("inside" not in vars(kept) for kept in counter._masks)


def test_runs_of_a_slab_are_found_without_a_look_at_all_others():
    runs = Runs((9, 50, 4000), np.repeat(np.arange(50 * 4000, dtype=np.int32), 3).reshape(-1, 3).copy())
    tracemalloc.start()
    found = runs.of_planes(1000, 1002)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.rows[:, 0].tolist() == list(range(50_000, 50_100))
    assert len(runs.of_planes(3999, 4000).rows) == 50
    assert len(runs.of_planes(5, 5).rows) == 0
    assert peak < 20_000


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_areas_of_a_scanned_mask_are_those_of_its_voxels_but_not_painted(share: float):
    array = np.random.default_rng(6).random(SHAPE) < share
    mask = scanned(array, "a")
    for areas, true in zip(mask.areas, mask_of(array).areas, strict=True):
        np.testing.assert_array_equal(areas, true)
    assert "inside" not in vars(mask)


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

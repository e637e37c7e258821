"""The compiled kernel against numpy: whatever the voxels, the numbers are the same."""

import gzip
import importlib
import logging
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import SHAPE, box_mask, nifti_bytes
from scipy import ndimage

from explorer import kernel, open_dataset, write_phantom
from explorer.case import Case
from explorer.intake import measure_files
from explorer.kernel import Scan
from explorer.labels import slice_areas
from explorer.nifti import scan_mask
from explorer.volume import read_image, read_masks

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
bundle = importlib.import_module("bundle")

compiled = pytest.mark.skipif(not kernel.is_compiled(), reason="the kernel is not compiled here")
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def scanned(array: np.ndarray, cuts: tuple[int, ...] = (), head: bytes = b"") -> Scan | None:
    raw = head + np.asarray(array, np.uint8).tobytes("F")
    ends = [0, *sorted(max(len(head), cut) for cut in cuts), len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(ends)]
    return kernel.scan(pieces, array.shape, skipped=len(head))


def check(array: np.ndarray, cuts: tuple[int, ...] = (), head: bytes = b"") -> None:
    """Compare all that is made of a mask with what numpy and scipy make of it."""
    array = array.astype(bool)
    found = scanned(array, cuts, head)
    assert found
    assert found.crc == zlib.crc32(head + array.tobytes("F"))
    for area, true in zip(found.areas, slice_areas(array), strict=True):
        np.testing.assert_array_equal(area, true)
    values = np.asfortranarray(np.random.default_rng(0).integers(0, 2**16, array.shape).astype(np.uint16))
    for stored in (values, values.view(np.int16), (values & 255).astype(np.uint8), values & 3):
        numbers = np.asfortranarray(stored).view(f"u{stored.itemsize}")
        for got, true in (
            (kernel.levels(numbers, found.runs), np.unique(numbers[array], return_counts=True)),
            (kernel.levels(numbers), np.unique(numbers, return_counts=True)),
        ):
            assert got
            np.testing.assert_array_equal(got[0], true[0])
            np.testing.assert_array_equal(got[1], true[1])
    changed = values.copy(order="F")
    kernel.renumber(changed, found.runs, np.arange(2**16, dtype=np.uint16)[::-1].copy())
    np.testing.assert_array_equal(changed, np.where(array, 65_535 - values, values))
    if not array.any():
        assert found.box is None
        return
    assert found.box
    where = np.argwhere(array)
    assert [(s.start, s.stop) for s in found.box] == list(zip(where.min(0), where.max(0) + 1, strict=True))
    np.testing.assert_array_equal(kernel.paint(found), array[found.box])
    labelled, count = ndimage.label(array, np.ones((3, 3, 3)))
    assert kernel.count_components(found.runs) == (count, np.bincount(labelled.flat)[1:].max())


def _corners() -> np.ndarray:
    """Return voxels that touch by corners only, forwards and backwards, in and across planes."""
    array = np.zeros((8, 9, 6), bool)
    for n in range(6):
        array[n, n, n] = array[7 - n, n, n] = array[n, 8 - n, 0] = True
    return array


VOLUMES: dict[str, Callable[[], np.ndarray]] = {
    "empty": lambda: np.zeros((7, 8, 9), bool),
    "all ones": lambda: np.ones((7, 8, 9), bool),
    "all ones, words wide": lambda: np.ones((128, 3, 2), bool),
    "checkerboard": lambda: np.indices((9, 8, 7)).sum(axis=0) % 2 == 0,
    "far checkerboard": lambda: (np.indices((70, 8, 7)) % 2 == 0).all(axis=0),
    "first voxel": lambda: np.arange(7 * 8 * 9).reshape(7, 8, 9) == 0,
    "last voxel": lambda: np.arange(7 * 8 * 9).reshape(7, 8, 9) == 7 * 8 * 9 - 1,
    "one row": lambda: np.arange(200).reshape(200, 1, 1) % 5 > 1,
    "one column": lambda: np.arange(200).reshape(1, 200, 1) % 5 > 1,
    "one line of planes": lambda: np.arange(200).reshape(1, 1, 200) % 5 > 1,
    "one voxel": lambda: np.ones((1, 1, 1), bool),
    "corners": _corners,
    "rows around words": lambda: np.random.default_rng(3).random((65, 4, 5)) < 0.5,
    "long gaps": lambda: np.arange(3 * 50 * 60).reshape(3, 50, 60) % 1999 == 7,
    "over 65,535 runs": lambda: np.broadcast_to((np.arange(8) % 4 < 2)[:, None, None], (8, 200, 200)),
}


@compiled
@pytest.mark.parametrize("name", VOLUMES)
def test_every_shape_is_what_numpy_finds(name: str):
    check(VOLUMES[name](), (1, 5, 64, 1000), b"header")


@compiled
@quick
@given(
    st.tuples(st.integers(1, 140), st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from([0.0, 0.003, 0.05, 0.5, 0.95, 1.0]),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 12_000), max_size=4),
    st.binary(max_size=40),
)
def test_any_volume_in_any_pieces(shape, share, seed, cuts, head):
    rng = np.random.default_rng(seed)
    array = rng.random(shape) < share
    for _ in range(seed % 4):
        low = rng.integers(0, shape)
        array[
            tuple(
                slice(int(a), int(b))
                for a, b in zip(low, rng.integers(low + 1, np.add(shape, 1)), strict=True)
            )
        ] = 1
    check(array, tuple(cut % (array.size + len(head) + 1) for cut in cuts), head)


@compiled
@pytest.mark.parametrize("value", [2, 3, 128, 255])
@pytest.mark.parametrize("at", [0, 3, 503])
def test_other_values_are_left_to_numpy(value: int, at: int):
    array = np.zeros(7 * 8 * 9, np.uint8)
    array[::5] = 1
    array[at] = value
    assert scanned(array.reshape(SHAPE, order="F")) is None


@compiled
def test_too_many_runs_and_the_wrong_length_are_refused(monkeypatch: pytest.MonkeyPatch):
    raw = np.ones(SHAPE, np.uint8).tobytes()
    for pieces in ([raw[:-1]], [raw, b"\0"], [raw[:-1], b"\0\0"], [], [b""]):
        assert kernel.scan(pieces, SHAPE) is None
    assert kernel.scan([raw[:3]], SHAPE, skipped=4) is None
    assert kernel.scan([raw], (7, 0, 9)) is None
    monkeypatch.setattr(kernel, "MOST_RUNS", 2 * 72)
    assert scanned(np.arange(7)[:, None, None] % 2 * np.ones(SHAPE)) is None
    assert scanned(np.ones(SHAPE)).runs.rows.shape == (72, 3)
    monkeypatch.setattr(kernel, "MOST_RUNS", 10)
    assert scanned(np.arange(64).reshape(64, 1, 1) % 2) is None


@compiled
@pytest.mark.parametrize(
    "shape",
    [
        *((2**20 + 1, 1, 1), (1, 2**20 + 1, 1), (1, 1, 2**20 + 1)),
        *((2**16, 2**16, 1), (2, 2**15, 2**16), (1, 2**11, 2**20)),
    ],
)
def test_shapes_that_would_take_memory_or_overflow_are_not_begun(shape: tuple[int, int, int]):
    pieces = iter([bytes(4)])
    assert kernel.scan(pieces, shape) is None
    assert next(pieces) == bytes(4)


@compiled
def test_runs_of_another_volume_are_refused():
    found = scanned(np.ones(SHAPE))
    other = np.zeros((8, 8, 9), np.uint8, order="F")
    with pytest.raises(ValueError, match="Runs of a volume"):
        kernel.levels(other, found.runs)
    with pytest.raises(ValueError, match="Runs of a volume"):
        kernel.renumber(other, found.runs, np.zeros(256, np.uint16))
    ids = np.zeros(SHAPE, np.uint16, order="F")
    for wrong in (np.zeros(256, np.uint16), np.zeros(2**16, np.uint8), np.zeros(2**17, np.uint16)[::2]):
        with pytest.raises(ValueError, match="not a table"):
            kernel.renumber(ids, found.runs, wrong)
    with pytest.raises(ValueError, match="Not ids"):
        kernel.renumber(np.zeros(SHAPE, np.uint8), found.runs, np.zeros(256, np.uint16))
    for left in (
        np.zeros(SHAPE, np.float32, order="F"),
        np.zeros(SHAPE, np.int16),
        np.zeros(SHAPE, ">i2", order="F"),
    ):
        assert kernel.levels(left) is None


def member(raw: bytes, name: bytes = b"") -> bytes:
    packer = zlib.compressobj(1, wbits=-15)
    head = b"\x1f\x8b\x08" + (b"\x08" if name else b"\0") + bytes(6) + (name + b"\0" if name else b"")
    return head + packer.compress(raw) + packer.flush() + struct.pack("<II", zlib.crc32(raw), len(raw))


@compiled
def test_a_mask_is_scanned_only_when_its_file_is_whole_and_plain():
    array = box_mask((1, 6), (2, 5), (0, 9))
    packed = nifti_bytes(array)
    raw = gzip.decompress(packed)
    for whole in (packed, member(raw), member(raw, b"liver.nii")):
        found = scan_mask(whole)
        assert found
        assert found.scan.areas[2].sum() == array.sum()
        assert found.dtype == "uint8"
    flipped = bytearray(raw)
    flipped[-100] ^= 1
    wrong_sum = packed[:-8] + struct.pack("<I", zlib.crc32(flipped)) + packed[-4:]
    half = len(raw) // 2
    for other in (
        *(wrong_sum, packed[:-1], packed[: len(packed) // 2], packed[:12], packed[:3], b""),
        *(packed + b"\0", packed + packed, packed[:-1] + bytes([packed[-1] ^ 1])),
        *(
            gzip.compress(raw + b"\0"),
            gzip.compress(raw[:-1]),
            gzip.compress(raw[:half]) + gzip.compress(raw[half:]),
        ),
        *(nifti_bytes(array * 2), nifti_bytes(array.astype(np.int16)), raw, member(raw[:300]), member(b"")),
        nifti_bytes(array, edit=lambda header: header.set_slope_inter(2, 0)),
    ):
        assert scan_mask(other) is None


@compiled
def test_whether_data_begin_anew_is_what_the_pattern_says():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(3_000):
        data = bytearray(rng.integers(0, 256, 30).astype(np.uint8).tobytes())
        head = b"\x1f\x8b\x08" + bytes([rng.integers(0, 40)]) + b"time" + bytes([rng.integers(0, 6)])
        at = int(rng.integers(0, 24))
        data[at : at + len(head)] = head  # perhaps at the very start, or cut off at the end
        data = bytes(data[:30])
        found.append(kernel.begins_anew(data))
        assert found[-1] == (kernel._MEMBER.search(data, 1) is not None)
        assert not kernel.begins_anew(data[: at + len(head) - 1])
    assert 500 < sum(found) < 2_500
    assert not kernel.begins_anew(b"")


def without(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> object:
    with monkeypatch.context() as context:
        context.setattr(kernel, "_library", lambda: None)
        assert not kernel.is_compiled()
        return work()


def told(case: Case) -> str:
    """Return all that is measured of a case, floats to their last bit."""
    return repr(measure_files(case, "")).replace(", ", ",\n")


@compiled
def test_cases_are_measured_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    dataset = open_dataset(write_phantom(tmp_path / "set", 2, seed=4, progress=False).path)
    for case in dataset:
        assert told(case) == without(monkeypatch, lambda case=case: told(case))


@compiled
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int8, np.uint8, np.float32, ">i2"])
def test_odd_cases_are_measured_alike(write, dtype, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(5)
    image = (rng.normal(0, 60, (70, 9, 8))).astype(dtype)
    masks = {
        "noise": (rng.random(image.shape) < 0.3).astype(np.uint8),
        "bool": (rng.random(image.shape) < 0.01).astype(np.int8),
        "255": (rng.random(image.shape) < 0.2).astype(np.uint8) * 255,
        "wide": (rng.random(image.shape) < 0.2).astype(np.int16),
        "two": gzip.compress(b"") + nifti_bytes((rng.random(image.shape) < 0.2).astype(np.uint8)),
        "raw": nib.Nifti1Image(np.ones(image.shape, np.uint8), np.diag([-2, 1.5, 3, 1])).to_bytes(),
        "empty": np.zeros(image.shape, np.uint8),
        "empty too": np.zeros(image.shape, np.uint8),
    }
    (case,) = open_dataset(write({"s0001": {"mri": image, **masks}}))
    rows = {row["structure"]: row for row in measure_files(case, "").structures}
    assert rows["noise"]["voxels"] == masks["noise"].sum()
    assert rows["255"]["voxels"] == np.count_nonzero(masks["255"])
    assert told(case) == without(monkeypatch, lambda: told(case))


@compiled
def test_sets_get_the_same_ids_beyond_255_of_them(write, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(6)
    masks = {f"m{n}": (rng.random(SHAPE) < 0.5).astype(np.uint8) for n in range(12)}
    (case,) = open_dataset(write({"s0001": masks}))
    monkeypatch.setattr("explorer.labels.SLAB_VOXELS", 1)
    grid = read_image(case).grid
    ours = read_masks(case, grid)
    plain = without(monkeypatch, lambda: read_masks(case, grid))
    assert len(ours.sets) > 256
    assert ours.sets == plain.sets
    assert ours.ids.dtype == plain.ids.dtype == np.uint16
    np.testing.assert_array_equal(ours.ids, plain.ids)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Load the kernel anew, before and after."""
    monkeypatch.delenv("EXPLORER_NO_KERNEL", raising=False)
    caplog.set_level(logging.INFO, "explorer")
    kernel._library.cache_clear()
    yield
    monkeypatch.undo()
    kernel._library.cache_clear()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("how", ["switched off", "missing", "broken", "empty of functions"])
def test_without_a_kernel_that_loads_numpy_does_all(
    how: str, write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    if how == "switched off":
        monkeypatch.setenv("EXPLORER_NO_KERNEL", "1")
    else:
        monkeypatch.setattr(kernel, "HERE", tmp_path)
        shutil.copy(Path(kernel.__file__).parent / "kernel.c", tmp_path)
    if how == "broken":
        (tmp_path / kernel.BINARY).write_bytes(b"\x7fELF" + bytes(100))
    if how == "empty of functions":
        other = next(Path(np.__file__).parent.rglob("_umath_linalg*"))
        shutil.copy(other, tmp_path / kernel.BINARY)
    (case,) = open_dataset(write({"s0001": {"a": box_mask((1, 4), (1, 4), (1, 4))}}))
    assert measure_files(case, "").structures[0]["voxels"] == 27
    assert not kernel.is_compiled()
    assert "without the compiled kernel" in caplog.text
    assert caplog.text.count("kernel:") == 1


def test_where_there_is_a_compiler_the_kernel_of_this_source_is_tested():
    if os.environ.get("EXPLORER_NO_KERNEL", "0") not in ("", "0") or not bundle._compilers():
        pytest.skip("the kernel is not wanted here, or there is no compiler")
    assert kernel.is_compiled(), "kernel.c was edited, or not compiled yet: pip install -e ."


@pytest.mark.usefixtures("fresh")
def test_a_compiler_gives_a_kernel_that_loads_and_no_binary_of_another_source_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
):
    if not bundle._compilers():
        pytest.skip("there is no compiler here")
    source = tmp_path / "kernel.c"
    shutil.copy(kernel.HERE / "kernel.c", source)
    assert bundle.compile_kernel(tmp_path) == tmp_path / kernel.BINARY
    monkeypatch.setattr(kernel, "HERE", tmp_path)
    assert kernel.is_compiled()
    kernel._library.cache_clear()
    source.write_bytes(source.read_bytes() + b"\n")
    assert not kernel.is_compiled()
    assert "another source" in caplog.text


def test_no_compiler_leaves_no_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "kernel.c").write_text("int broken(")
    (tmp_path / kernel.BINARY).write_bytes(b"of before")
    assert bundle.compile_kernel(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["kernel.c"]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CC", "nothing --of 'the kind'")
    assert bundle._compilers() == []


def test_a_worker_is_told_to_do_without_too():
    code = "from explorer.kernel import is_compiled; raise SystemExit(is_compiled())"
    environment = {"EXPLORER_NO_KERNEL": "1", "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0

"""Files that are damaged, that lie or that were made to do harm."""

import gzip
import io
import itertools
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import AFFINE, SHAPE, box_mask, nifti_bytes

from explorer import open_dataset
from explorer.errors import VolumeError
from explorer.findings import KINDS
from explorer.intake import measure_files
from explorer.kernel import is_compiled, paint
from explorer.nifti import Nifti, parse, scan_mask

ARRAY = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
WHOLE = nifti_bytes(ARRAY)
RAW = gzip.decompress(WHOLE)
MASK = box_mask((1, 3), (2, 4), (3, 5))


def edited(edit: Callable[[Any], None], raw: bytes = RAW) -> bytes:
    """The file with another header, not zipped."""
    header = nib.Nifti1Header(raw[:348])
    edit(header)
    return header.binaryblock + raw[348:]


def setting(**fields: Any) -> bytes:
    def edit(header: Any) -> None:
        for name, value in fields.items():
            header[name] = value

    return edited(edit)


def kinds(data: bytes) -> list[str]:
    return [finding.kind for finding in parse(data, "x").findings]


def test_zeros_after_the_gzip_data_are_padding():
    found = parse(WHOLE + bytes(512), "x")
    np.testing.assert_array_equal(found.voxels, ARRAY)
    assert found.findings == ()


@pytest.mark.parametrize(
    "rest", [b"x", bytes(3) + b"end", b"PK\x03\x04" * 9, len(RAW).to_bytes(4, "little")[::-1]]
)
def test_other_bytes_after_the_gzip_data_are_told(rest: bytes):
    found = parse(WHOLE + rest, "x")
    np.testing.assert_array_equal(found.voxels, ARRAY)
    (finding,) = found.findings
    assert finding.kind == "trailing_bytes"
    assert finding.what.startswith(f"{len(rest.lstrip(bytes(1)))} bytes follow")


def test_a_file_that_follows_itself_is_too_long():
    with pytest.raises(VolumeError, match="more than") as caught:
        parse(WHOLE + WHOLE, "x")
    assert caught.value.kind == "too_long"


def test_a_file_in_many_members_is_read_whole():
    cuts = [0, 1, 3, 200, 352, 353, 900, len(RAW)]
    data = b"".join(gzip.compress(RAW[a:b]) for a, b in itertools.pairwise(cuts))
    np.testing.assert_array_equal(parse(data, "x").voxels, ARRAY)


@pytest.mark.parametrize("before", [b"", RAW[:1], RAW[:200]])
def test_a_damaged_member_after_a_short_one_is_told(before: bytes):
    with pytest.raises(VolumeError, match="damaged") as caught:
        parse(gzip.compress(before) + b"\x1f\x8b\xff\xff" + bytes(60), "x")
    assert caught.value.kind == "gzip_damaged"


def named(raw: bytes, name: str = "") -> bytes:
    """Zip as of another time, and with a name, as gzip itself does."""
    packed = io.BytesIO()
    with gzip.GzipFile(name, "wb", 9, packed, mtime=2) as file:
        file.write(raw)
    return packed.getvalue()


@pytest.mark.parametrize("name", ["", "mri.nii"])
@pytest.mark.parametrize("with_kernel", [True, False])
def test_a_second_copy_is_noticed_whatever_its_time_and_name(
    name: str, with_kernel: bool, monkeypatch: pytest.MonkeyPatch
):
    if not with_kernel:
        monkeypatch.setattr("explorer.kernel._library", lambda: None)
    with pytest.raises(VolumeError, match="more than") as caught:
        parse(gzip.compress(RAW, mtime=1) + named(RAW, name), "x")
    assert caught.value.kind == "too_long"


@pytest.mark.parametrize("begin", [b"", RAW[:1], RAW])
def test_members_without_number_take_no_time(begin: bytes):
    data = gzip.compress(begin) + 2**16 * gzip.compress(b"")
    start = perf_counter()
    with pytest.raises(VolumeError):
        parse(data, "x")
    assert perf_counter() - start < 0.5


@pytest.mark.parametrize("zipped", [False, True])
def test_more_voxels_than_declared_are_refused(zipped: bool):
    longer = RAW + bytes(64)
    with pytest.raises(VolumeError, match="more than") as caught:
        parse(gzip.compress(longer) if zipped else longer, "x")
    assert caught.value.kind == "too_long"


def test_the_crc_of_the_last_byte_counts():
    for at in (-8, -5, -4, -1):
        damaged = bytearray(WHOLE)
        damaged[at] ^= 1
        with pytest.raises(VolumeError) as caught:
            parse(bytes(damaged), "x")
        assert caught.value.kind == "gzip_damaged"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"vox_offset": 0}, "header"),
        ({"vox_offset": np.nan}, "header"),
        ({"vox_offset": np.inf}, "header"),
        ({"vox_offset": 352.5}, "header"),
        ({"vox_offset": 1e30}, "header"),
        ({"scl_slope": 1, "scl_inter": np.nan}, "header"),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": 2}, "affine"),
        ({"srow_x": np.inf}, "affine"),
        ({"srow_x": 0}, "affine"),
        ({"srow_x": 3e38, "srow_y": 3e38}, "affine"),
        ({"srow_x": [1, 1, 0, 0], "srow_y": [1, 1.0001, 0, 0], "srow_z": [0, 0, 1e-3, 0]}, "affine"),
        ({"dim": [0, 7, 8, 9, 1, 1, 1, 1]}, "header"),
        ({"dim": [8, 7, 8, 9, 1, 1, 1, 1]}, "header"),
        ({"dim": [3, 0, 8, 9, 1, 1, 1, 1]}, "header"),
        ({"datatype": 1}, "not_numbers"),
        ({"datatype": 32}, "not_numbers"),
        ({"datatype": 128}, "not_numbers"),
        ({"dim": [4, 7, 8, 3, 3, 1, 1, 1]}, "not_3d"),
        ({"magic": b"ni1"}, "not_nifti"),
    ],
)
def test_impossible_headers_are_refused(fields: dict, kind: str):
    for data in (setting(**fields), gzip.compress(setting(**fields))):
        with pytest.raises(VolumeError) as caught:
            parse(data, "the/file")
        assert caught.value.kind == kind
        assert str(caught.value).startswith("the/file: ")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"bitpix": 8}, "header_lies"),
        ({"xyzt_units": 1}, "not_mm"),
        ({"xyzt_units": 3}, "not_mm"),
        ({"sform_code": 1, "qform_code": 1, "qoffset_x": 99}, "two_forms"),
        ({"sform_code": 0, "qform_code": 0}, "no_form"),
        ({"sform_code": -1, "qform_code": 0}, "no_form"),
    ],
)
def test_headers_that_contradict_themselves_are_told(fields: dict, kind: str):
    assert kinds(setting(**fields)) == [kind]


@pytest.mark.parametrize(("unit", "millimetres"), [(1, 1e-3), (3, 1e3)])
def test_other_units_are_told_whatever_the_numbers(unit: int, millimetres: float):
    """A voxel of 0.7 mm, told in metres, is so small that its volume is no measure of anything."""
    affine = np.diag([0.7 * millimetres, 0.8 * millimetres, 0.9 * millimetres, 1])

    def edit(header: Any) -> None:
        header.set_sform(affine, 1)
        header["xyzt_units"] = unit

    found = parse(edited(edit), "x")
    np.testing.assert_allclose(found.affine, affine, rtol=1e-6)
    assert [finding.kind for finding in found.findings] == ["not_mm"]


@pytest.mark.parametrize(("degrees", "refused"), [(0.02, True), (0.2, False)])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_axes_are_refused_by_their_angle_not_by_their_length(degrees: float, refused: bool, scale: float):
    x, y = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    rows = {"srow_x": [scale, x, 0, 0], "srow_y": [0, y, 0, 0], "srow_z": [0, 0, scale, 0]}
    if refused:
        with pytest.raises(VolumeError, match="nearly in one plane"):
            parse(setting(**rows), "x")
    else:
        assert parse(setting(**rows), "x").findings == ()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sform_code": 2, "qform_code": 0},
        {"sform_code": 0, "qform_code": 2},
        {"xyzt_units": 0},
        {"xyzt_units": 10},
        {"scl_slope": np.nan},
    ],
)
def test_headers_as_the_real_ones_are_not_told(fields: dict):
    def edit(header: Any) -> None:
        header.set_qform(AFFINE, 1)
        for name, value in fields.items():
            header[name] = value

    assert kinds(edited(edit)) == []


def test_what_does_not_exist_is_not_allocated():
    shapes = [(2**15 - 1,) * 3, (2**14, 2**13, 2**13), (1000, 1000, 1000)]
    for shape in shapes:
        data = setting(dim=[3, *shape, 1, 1, 1, 1])
        for file in (data, gzip.compress(data), gzip.compress(data + bytes(2**20))):
            tracemalloc.start()
            with pytest.raises(VolumeError):
                parse(file, "x")
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 8 * 2**20


def test_a_bomb_stops_at_what_is_declared():
    bomb = gzip.compress(RAW + bytes(400 * 2**20), 9)
    for file in (bomb, bomb[:-4] + len(RAW).to_bytes(4, "little"), gzip.compress(RAW[:600]) + bomb):
        tracemalloc.start()
        with pytest.raises(VolumeError):
            parse(file, "x")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 * 2**20


def traced(work: Callable[[], Any]) -> tuple[Any, int]:
    """What comes of a call, a `VolumeError` too, and the most memory that it took."""
    tracemalloc.start()
    try:
        found = work()
    except VolumeError as error:
        found = error
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return found, peak


def only_ours(data: bytes) -> None:
    """`parse` gives a volume or says why not, a scan nothing else, and neither takes more than is declared."""
    found, peak = traced(lambda: parse(data, "x"))
    size = 0
    if isinstance(found, VolumeError):
        assert found.kind in KINDS
        assert str(found).startswith("x: ")
    else:
        assert isinstance(found, Nifti)
        assert found.voxels.ndim == 3
        assert np.isfinite(found.affine).all()
        assert all(finding.kind in KINDS for finding in found.findings)
        size = found.voxels.nbytes
    assert peak < 2 * size + 2 * len(data) + 12 * 2**20
    mask, peak = traced(lambda: scan_mask(data))
    assert peak < 2 * size + 2 * len(data) + 36 * 2**20  # runs that are kept for the next mask among them
    if mask is not None:
        assert isinstance(found, Nifti)
        painted = np.zeros(found.voxels.shape, bool)
        if mask.scan.box:
            painted[mask.scan.box] = paint(mask.scan)
        np.testing.assert_array_equal(painted.view(np.uint8), found.voxels.view(np.uint8))
        np.testing.assert_array_equal(mask.affine, found.affine)
        assert (mask.dtype, mask.findings) == (str(found.voxels.dtype), found.findings)


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CHANGES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12)


def mutated(data: bytes, changes: list[tuple[int, int]], upto: int) -> bytes:
    changed = bytearray(data)
    for place, value in changes:
        changed[place % upto] = value
    return bytes(changed)


@FUZZ
@given(CHANGES, st.booleans())
def test_fuzzed_headers(changes: list[tuple[int, int]], zipped: bool):
    data = mutated(RAW, changes, 352)
    only_ours(gzip.compress(data, 1) if zipped else data)


@FUZZ
@given(CHANGES, st.integers(0, len(WHOLE)), st.binary(max_size=40), st.integers(0, 400))
def test_fuzzed_gzip(changes: list[tuple[int, int]], keep: int, rest: bytes, first: int):
    only_ours(mutated(WHOLE, changes, len(WHOLE)))
    only_ours(gzip.compress(RAW[:first]) + mutated(gzip.compress(RAW[first:]), changes, 40))
    only_ours(WHOLE[:keep] + rest)
    only_ours(WHOLE + rest)


@FUZZ
@given(CHANGES, st.integers(0, 8), st.binary(max_size=9), st.integers(0, 400))
def test_fuzzed_masks(changes: list[tuple[int, int]], cut: int, rest: bytes, first: int):
    raw = gzip.decompress(nifti_bytes(MASK))
    only_ours(gzip.compress(mutated(raw, [(p, v % 3) for p, v in changes], len(raw)), 1))
    only_ours(gzip.compress(mutated(raw, changes, 352), 1))
    packed = gzip.compress(raw, 1)
    only_ours(mutated(packed, changes, len(packed)))
    only_ours(packed[: len(packed) - cut] + rest)
    only_ours(gzip.compress(raw[:first]) + gzip.compress(raw[first:]))


SCANS = """
import resource, sys
from pathlib import Path
from explorer.nifti import scan_mask

def most_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)

usual, *files = [Path(file).read_bytes() for file in sys.argv[1:]]
scan_mask(usual)
before = most_mb()
for data in files:
    scan_mask(data)
print(most_mb() - before)
"""


def test_a_scan_takes_no_more_memory_than_its_pieces(tmp_path: Path):
    """As the system counts it: what compiled code takes is not traced."""
    header = nib.Nifti2Header()
    header.set_data_dtype(np.uint8)
    header.set_sform(AFFINE, 1)
    files = {
        "usual": nifti_bytes(MASK),
        "bomb": gzip.compress(gzip.decompress(nifti_bytes(MASK)) + bytes(2**27), 1),
    }
    for axis in range(3):
        header.set_data_shape(np.where(np.arange(3) == axis, 2**26, 1))
        header["vox_offset"] = 544
        files[f"long {axis}"] = gzip.compress(header.binaryblock + bytes(4) + b"\1" * 2**26, 1)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    code = [sys.executable, "-c", SCANS, *(str(tmp_path / name) for name in files)]
    assert float(subprocess.run(code, capture_output=True, check=True).stdout) < 30


@pytest.mark.skipif(not is_compiled(), reason="the kernel is not compiled here")
def test_a_scan_without_memory_leaves_the_mask_to_numpy(write, monkeypatch: pytest.MonkeyPatch):
    def scarce(*given: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr("explorer.nifti.scan", scarce)
    found = measure_files(open_dataset(write({"s0001": {"a": MASK, "b": MASK}}))["s0001"], "")
    assert [(row["structure"], row["voxels"]) for row in found.structures] == [("a", 8), ("b", 8)]


@FUZZ
@given(
    st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c"]),
    st.binary(max_size=1200),
)
def test_random_bytes(start: bytes, rest: bytes):
    only_ours(start + rest)


@FUZZ
@given(st.binary(min_size=540, max_size=540))
def test_random_headers_of_the_second_version(block: bytes):
    header = bytearray(block)
    header[:12] = nib.Nifti2Header().binaryblock[:12]
    only_ours(bytes(header) + bytes(4000))


def test_oddities_reach_the_table_of_findings(write, image: np.ndarray):
    scaled = bytearray(gzip.decompress(nifti_bytes(MASK)))
    header = nib.Nifti1Header(bytes(scaled[:348]))
    header["scl_slope"], header["scl_inter"] = 1 / 255, 0
    scaled[:348] = header.binaryblock
    scaled[352:] = bytes(scaled[352:]).replace(b"\x01", b"\xff")
    values = image.astype(np.float32)
    values[0, 0] = np.nan
    masks = {
        "mri": nifti_bytes(values),
        "float_a": MASK.astype(np.float32),
        "float_b": MASK.astype(np.float32) * 0,
        "scaled": gzip.compress(bytes(scaled)),
        "tail": nifti_bytes(MASK) + b"tail",
        "three": MASK * 3,
    }
    found = measure_files(open_dataset(write({"s0001": masks}))["s0001"], "")
    told = {(f.kind, f.structure): f.what for f in found.findings}
    assert set(told) == {
        ("not_finite", ""),
        ("mask_type", ""),
        ("mask_scaled", "scaled"),
        ("trailing_bytes", "tail"),
        ("mask_values", "three"),
    }
    assert told["not_finite", ""].startswith(f"{SHAPE[2]} voxels")
    assert "float_a, float_b" in told["mask_type", ""]
    assert all(finding.case == "s0001" for finding in found.findings)
    assert len(found.case["problems"]) == 3
    rows = {row["structure"]: row for row in found.structures}
    assert {name: row["mask_dtype"] for name, row in rows.items()} == {
        "float_a": "float32",
        "float_b": "float32",
        "scaled": "uint8",
        "tail": "uint8",
        "three": "uint8",
    }
    assert all(row["voxels"] == (0 if name == "float_b" else 8) for name, row in rows.items())

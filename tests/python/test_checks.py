"""Each check on tables made by hand, and the whole on small data sets."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from samples import AFFINE, SHAPE, box_mask, nifti_bytes

from explorer import build_index, open_dataset, schema
from explorer.checks import check, check_dataset, frame
from explorer.cohort import Cohort
from explorer.errors import StoreError
from explorer.findings import KINDS, Finding
from explorer.index import Index
from explorer.publication import compare
from explorer.structures import PUBLISHED

CASE = {f"shape_{a}": n for a, n in zip("ijk", (100, 90, 20), strict=True)}
CASE |= {f"spacing_{a}_mm": mm for a, mm in zip("ijk", (2.0, 1.0, 5.0), strict=True)}
CASE |= {"orientation": "RAS", "oblique": False, "orthogonal": True}
MASK = {"mask_set": "reference", "structure": "liver", "status": "complete", "voxels": 1000}
MASK |= {"components": 1, "largest_component": 1.0}

PRINTED = {
    row: int(cases)
    for row, cases in compare(Cohort(pd.DataFrame()), "mri-v1")
    .query("quantity == 'cases'")[["row", "published"]]
    .itertuples(index=False)
}


@pytest.fixture
def checked(write):
    """Return what a check finds of one kind, by case and structure, over tables made by hand."""

    def call(
        kind: str,
        cases: dict[str, dict[str, Any]] | None = None,
        masks: list[dict[str, Any]] = (),
        overlaps: list[dict[str, Any]] = (),
        read: list[dict[str, Any]] = (),
        meta: str | None = None,
    ) -> list[Finding]:
        ids = list(cases or {"s1": {}})
        dataset = open_dataset(write({case: {} for case in ids}, meta=meta))
        rows = [{**CASE, "case": case, **(cases or {}).get(case, {})} for case in ids]
        masks = [{**MASK, "case": "s1", **row} for row in masks]
        overlaps = [{"mask_set": "reference", "case": "s1", **row} for row in overlaps]
        tables = [
            schema.table(rows, schema.CASES),
            schema.table(masks, schema.STRUCTURES),
            schema.table(overlaps, schema.OVERLAPS),
            schema.table(read, schema.FINDINGS),
            schema.SCORES.empty_table(),
        ]
        frames = [table.to_pandas() for table in tables]
        frames[1]["voxels"] = frames[1]["voxels"].astype("Int64")
        return [f for f in check(dataset, Index(Path(), *frames)) if kind in ("all", f.kind)]

    return call


def where(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.case, finding.structure) for finding in findings]


def test_columns_that_are_not_filled_are_no_finding(checked):
    empty = {"oblique": None, "orthogonal": None, "shape_i": None, "spacing_k_mm": None, "orientation": None}
    masks = [{"voxels": None, "components": None, "largest_component": None, "zero_voxels": None}]
    assert checked("all", {"s1": empty, "s2": {}}, [*masks, {"case": "s2"}]) == []


def test_findings_of_reading_are_gathered_by_case_and_kind(checked):
    read = [
        {"case": "s1", "kind": "other_grid", "structure": f"m{i}", "what": f"m{i}: elsewhere."}
        for i in range(56)
    ]
    read.append({"case": "s1", "kind": "truncated", "structure": "liver", "what": "liver: cut short."})
    grid, cut = checked("all", read=read)
    assert (grid.kind, grid.case, grid.structure) == ("other_grid", "s1", "")
    assert (
        grid.what
        == "56 times: m0: elsewhere; m1: elsewhere; m2: elsewhere; m3: elsewhere; m4: elsewhere; and 51 more."
    )
    assert (cut.structure, cut.what) == ("liver", "liver: cut short.")


def test_a_kind_that_this_version_does_not_know_is_still_told(checked):
    assert checked("not_measured", read=[{"case": "s1", "kind": "new", "what": "x", "structure": None}])


def test_worst_comes_first_then_case(checked):
    found = checked(
        "all",
        {"s2": {"oblique": True}, "s1": {"intensity_min": 0, "intensity_max": 0, "oblique": True}},
        read=[{"case": "s1", "kind": "mask_values", "what": "x", "structure": "b"}],
    )
    assert [(f.severity, f.case) for f in found] == [
        ("error", "s1"),
        ("warning", "s1"),
        ("note", "s1"),
        ("note", "s2"),
    ]


def test_a_case_whose_masks_are_all_empty_is_a_note(checked):
    absent = [{"case": c, "structure": s, "status": "absent"} for c in ("s1", "s2") for s in ("a", "b")]
    absent[3]["status"] = "complete"
    (found,) = checked("case_empty", {"s1": {}, "s2": {}, "s3": {}}, absent)
    assert (found.case, found.severity, found.what) == ("s1", "note", "All 2 masks are empty.")


def test_an_unreadable_mask_may_not_be_empty(checked):
    masks = [{"structure": "a", "status": "absent"}, {"structure": "b", "status": "unreadable"}]
    assert checked("case_empty", masks=masks) == []


def test_images_that_show_nothing(checked):
    total = 100 * 90 * 20
    found = checked(
        "all",
        {
            "s1": {"intensity_min": 0, "intensity_max": 0, "nonfinite_voxels": 0},
            "s2": {"intensity_min": 7, "intensity_max": 7},
            "s3": {"nonfinite_voxels": total},
            "s4": {"intensity_min": 0, "intensity_max": 9, "nonfinite_voxels": 18},
            "s5": {"intensity_min": 0, "intensity_max": 9, "nonfinite_voxels": 0},
        },
    )
    assert [(f.kind, f.case) for f in found] == [
        ("image_empty", "s1"),
        ("image_empty", "s3"),
        ("image_constant", "s2"),
        ("image_nonfinite", "s4"),
    ]
    assert "is 7." in found[2].what
    assert found[3].what == "18 voxels of the image (0.01%) are NaN or infinite."


def test_masks_over_zeros_by_share_and_number(checked):
    masks = [
        {"structure": "half", "zero_voxels": 500},
        {"structure": "third", "zero_voxels": 300},
        {"structure": "few", "zero_voxels": 90},
        {"structure": "small", "voxels": 16, "zero_voxels": 9},
        {"structure": "tiny", "voxels": 10, "zero_voxels": 10},
        {"structure": "none", "zero_voxels": 0},
    ]
    (large,) = checked("mask_in_background", masks=masks)
    assert (
        large.what
        == "2 times: tiny: 10 of 10 voxels (100%) over zeros; half: 500 of 1,000 voxels (50%) over zeros."
    )
    (noted,) = checked("mask_meets_background", masks=masks)
    assert noted.structure == "third"
    blank = {"s1": {"intensity_min": 0, "intensity_max": 0}}
    assert [f.kind for f in checked("all", blank, masks)] == ["image_empty"]


def test_zero_is_no_background_in_ct(write):
    root = write({"s1": {"liver": box_mask((1, 3), (2, 4), (3, 5))}})
    (root / "s1" / "mri.nii.gz").rename(root / "s1" / "ct.nii.gz")
    dataset = open_dataset(root)
    index = build_index(dataset, root / "store", progress=False)
    index.structures["zero_voxels"] = index.structures["voxels"]
    index.structures.loc[:, "voxels"] = index.structures["zero_voxels"] = 1000
    assert check(dataset, index) == ()


def test_overlaps_by_share_of_the_smaller_mask(checked):
    masks = [{"structure": "a"}, {"structure": "b", "voxels": 100}, {"structure": "c", "voxels": 40}]
    overlaps = [
        {"structure": "a", "other": "b", "voxels": 20},
        {"structure": "a", "other": "c", "voxels": 2},
        {"structure": "b", "other": "c", "voxels": 9},
        {"structure": "x", "other": "y", "voxels": 5, "mask_set": "predicted"},
        {"structure": "a", "other": "gone", "voxels": 1},
    ]
    (large,) = checked("overlap_large", masks=masks, overlaps=overlaps)
    assert large.what == "a and b share 20 voxels (20.0% of the smaller)."
    (small,) = checked("overlap", masks=masks, overlaps=overlaps)
    assert small.what.startswith("3 times: b and c share 9 voxels (22.5% of the smaller); a and c share 2")
    assert "predicted" not in small.what
    assert small.severity == "note"


@pytest.mark.parametrize(
    ("voxels", "components", "rest", "stray"),
    [
        (1000, 2, 10, True),
        (1000, 2, 11, False),
        (12, 2, 1, True),
        (8, 2, 1, False),
        (100, 4, 3, True),
        (100, 3, 3, False),
        (2000, 1, 0, False),
    ],
)
def test_stray_components_are_tiny_together(checked, voxels: int, components: int, rest: int, stray: bool):
    row = {"voxels": voxels, "components": components, "largest_component": (voxels - rest) / voxels}
    found = checked("stray", masks=[row])
    assert where(found) == [("s1", "liver")] * stray
    assert all(f"liver: {rest} of {voxels:,} voxels" in f.what for f in found)


def test_a_left_structure_to_the_right_of_its_twin(checked):
    def pair(name: str, left: float, right: float, case: str = "s1", status: str = "complete") -> list[dict]:
        return [
            {"case": case, "structure": f"{name}_left", "centroid_x_mm": left, "status": status},
            {"case": case, "structure": f"{name}_right", "centroid_x_mm": right},
        ]

    masks = [
        *pair("kidney", 30, -30),
        *pair("hip", -50, 50),
        *pair("iliac_vena", 1.9, 0),  # within a voxel of 2 mm along x
        *pair("lung", 10, -10, "s2", "absent"),
        {"case": "s2", "structure": "femur_left", "centroid_x_mm": 40},
        *pair("femur", 10, -10, "s3"),
        *pair("hip", 4, 0, "s4"),
    ]
    sagittal = {"orientation": "PSR"}  # k grows to the right, 5 mm apart
    found = checked("left_right", {"s1": {}, "s2": {}, "s3": {}, "s4": sagittal}, masks)
    assert where(found) == [("s1", "kidney_left"), ("s3", "femur_left")]
    assert (
        found[0].what == "1 of 3 left structures lie to the right of their right twin: kidney_left by 60 mm."
    )


def files(counts: dict[str, int], cases: int, status: str = "absent") -> list[dict[str, Any]]:
    """Rows of structures that the first so many cases have a file for."""
    return [
        {"case": f"s{i + 1}", "structure": name, "status": status if i < count else "missing"}
        for name, count in counts.items()
        for i in range(cases)
    ]


def test_masks_that_most_cases_have_are_missed(checked):
    cases = {f"s{i + 1}": {} for i in range(10)}
    found = checked("masks_missing", cases, files({"a": 10, "b": 9, "c": 8, "d": 5, "e": 1}, 10))
    assert where(found) == [("s10", ""), ("s9", "c")]
    assert found[0].what == "2 of 3 masks that most cases have are missing: b, c."
    (extra,) = checked("masks_extra", cases, files({"a": 10, "e": 1}, 10))
    assert (extra.case, extra.structure, extra.severity) == ("s1", "e", "note")
    (vary,) = checked("masks_vary", cases, files({"a": 10, "d": 5, "e": 1}, 10))
    assert vary.what == "1 structures have a mask file in some of 10 cases only: 'd' 5."


def test_a_misspelt_mask_is_told_with_the_name_that_is_missing(checked):
    cases = {f"s{i + 1}": {} for i in range(20)}
    rows = files({"kidney_left": 20}, 20)
    rows[3]["status"] = "missing"
    rows += [
        {"case": f"s{i + 1}", "structure": "kidny_left", "status": "absent" if i == 3 else "missing"}
        for i in range(20)
    ]
    (extra,) = checked("masks_extra", cases, rows)
    assert (extra.case, extra.structure) == ("s4", "kidny_left")
    assert "meant to be kidney_left?" in extra.what


def test_a_data_set_without_empty_masks_does_not_drown(checked):
    cases = {f"s{i + 1}": {} for i in range(10)}
    found = checked("all", cases, files({"a": 10, "b": 7, "c": 6}, 10, "complete"))
    kinds = [finding.kind for finding in found]
    assert kinds == ["masks_missing"] * 4  # four of ten lack one: still each told
    rows = files({"a": 10, "b": 6, "d": 4}, 10, "complete")
    rows += [
        {"case": f"s{i + 1}", "structure": "c", "status": "missing" if i < 4 else "complete"}
        for i in range(10)
    ]
    (only,) = checked("all", cases, rows)
    assert (only.kind, only.case) == ("masks_vary", "")


def test_thickness_against_the_spacing_across_slices(checked):
    meta = "image_id;slice_thickness\ns1;5\ns2;4.5\ns3;4\ns4;1.9\ns5;13\ns6;\ns7;0\n"
    cases = {f"s{i}": {"spacing_i_mm": 1.0} for i in range(1, 8)}
    assert where(checked("thickness", cases, meta=meta)) == [("s3", "")]
    far = checked("thickness_far", cases, meta=meta)
    assert where(far) == [("s4", ""), ("s5", "")]
    assert far[0].what == "Slice thickness 1.9 mm, but spacing across slices 5 mm (gaps)."
    assert "(overlap)" in far[1].what


@pytest.mark.parametrize(
    ("spacing", "thickness", "kind", "words"),
    [
        ((1, 1, 0.5), 0.5, None, ""),
        ((1, 1, 0.5), 1, "thickness", "1 mm, but spacing across slices 0.5 mm (overlap)"),
        ((5, 0.7, 0.702), 4, "thickness", "4 mm, but spacing across slices 5 mm (gaps)"),
        ((0.7, 5, 0.7), 0.7, "thickness_far", "0.7 mm, but spacing across slices 5 mm (gaps)"),
        ((1.5, 1.5, 1.5), 1.5, None, ""),
        ((1.5, 1.5, 1.5), 5, "thickness_far", "5 mm, but spacing across slices 1.5 mm (overlap)"),
        ((2, 1, 5), 5, None, ""),
        ((2, 1, 5), 1, None, ""),
        ((2, 1, 5), 4, "thickness", "4 mm, but spacing 2 x 1 x 5 mm"),
        ((2, 1, 5), 20, "thickness_far", "20 mm, but spacing 2 x 1 x 5 mm"),
        ((2, 1, None), 20, None, ""),
    ],
)
def test_slices_lie_across_the_axis_whose_others_are_alike(checked, spacing, thickness, kind, words):
    case = {f"spacing_{axis}_mm": mm for axis, mm in zip("ijk", spacing, strict=True)}
    found = checked("all", {"s1": case}, meta=f"image_id;slice_thickness\ns1;{thickness}\n")
    assert [finding.kind for finding in found] == ([kind] if kind else [])
    assert all(f"Slice thickness {words}." == finding.what for finding in found)


def test_grids(checked):
    cases = {
        "s1": {"oblique": True},
        "s2": {"orthogonal": False},
        "s3": {"shape_j": 1},
        "s4": {"spacing_k_mm": 300.0, "spacing_i_mm": 0.01},
        "s5": {"shape_k": 5},
    }
    found = {f.case: (f.kind, f.what) for f in checked("all", cases)}
    assert {case: kind for case, (kind, _) in found.items()} == {
        "s1": "oblique",
        "s2": "sheared",
        "s3": "few_slices",
        "s4": "spacing_odd",
    }
    assert found["s3"][1] == "Only 1 along j voxels."
    assert "0.01 along i, 300 along k" in found["s4"][1]


def test_the_same_image_in_several_cases(checked):
    digests = {f"s{i}": {"image_digest": d} for i, d in enumerate(["x", "y", "x", None, None, "z"])}
    found = checked("image_repeated", digests)
    assert where(found) == [("s0", ""), ("s2", "")]
    assert found[0].what == "2 cases have the same image file: s0, s2."


def test_ids_that_a_reader_takes_for_the_same(checked):
    meta = "image_id;split\nS1;train\ns 2;test\ns3\u200f;test\ns4;test\n"
    found = checked("ids_alike", {"s1": {}, "s2": {}, "s3": {}, "s4": {}}, meta=meta)
    assert where(found) == [("s1", ""), ("s2", ""), ("s3", "")]
    assert found[2].what.endswith("'s3' (folder), 's3\\u200f' (meta.csv).")


def test_times_in_mixed_units(checked):
    meta = "image_id;repetition_time;echo_time\ns1;2000;90\ns2;2;0.09\n"
    cases = {"s1": {}, "s2": {}}
    (mixed,) = checked("times_mixed", cases, meta=meta)
    assert "1 in milliseconds and 1 in seconds" in mixed.what
    assert checked("times_mixed", cases, meta=meta.replace("2;0.09", "2000;90")) == []


def test_unknown_columns_of_the_file_cannot_fool_the_checks(checked):
    meta = "image_id;slice_thickness_mm;times_given_in;oblique;shape_k\ns1;thick;parsecs;yes;1\n"
    assert checked("all", meta=meta) == []


@pytest.mark.parametrize("lost", [0, 3])
@pytest.mark.parametrize("extra", ["", "splen"])
def test_a_whole_published_data_set_is_compared_with_its_figures(write, lost: int, extra: str):
    opened = open_dataset(write({"s0001": {}}))
    ids = [f"s{i:04}" for i in range(298)]
    cases = {case: replace(opened["s0001"], id=case) for case in ids}
    dataset = replace(opened, cases=cases, meta=pd.DataFrame(index=pd.Index(ids, name="case")))
    masks = [
        {**MASK, "case": case, "structure": name, "status": "absent", "voxels": 0}
        for case in ids
        for name in PUBLISHED
    ]
    for row in masks:
        row["status"] = "complete" if ids.index(row["case"]) < PRINTED[row["structure"]] else "absent"
    for row in masks[:: len(PUBLISHED)][:lost]:  # the first structure
        row["status"] = "absent"
    if extra:
        masks.append({**MASK, "case": ids[0], "structure": extra})
    rows = [{**CASE, "case": case} for case in ids]
    tables = [schema.table(rows, schema.CASES), schema.table(masks, schema.STRUCTURES)]
    tables += [t.empty_table() for t in (schema.OVERLAPS, schema.FINDINGS, schema.SCORES)]
    found = {f.kind: f for f in check(dataset, Index(Path(), *(table.to_pandas() for table in tables)))}
    assert ("published_cases" in found) == bool(lost)
    assert "published_part" not in found
    assert found["published_figures"].severity == "note"
    assert "of 131 figures" in found["published_figures"].what
    if lost:
        what = found["published_cases"].what
        assert what == "1 of 56 figures are not as published: spleen cases 115.00 (published 118)."


def test_one_pass_from_files_to_table(write, tmp_path: Path, image):
    shifted = AFFINE.copy()
    shifted[0, 3] += 5
    liver = box_mask((1, 3), (2, 4), (3, 5))
    root = write(
        {
            "s0001": {"liver": liver},
            "s0002": {"liver": nifti_bytes(liver, shifted), "mri": image + 1},
            "s0003": {"liver": np.zeros(SHAPE, np.uint8), "mri": image + 2},
        },
        meta="image_id;age\ns0001;old\ns0002;50\ns0002;51\ns0009;7\n",
    )
    dataset = open_dataset(root)
    table = dataset.check(tmp_path / "store", progress=False)
    assert list(table.columns) == ["severity", "case", "structure", "kind", "what", "advice"]
    found = table.set_index(["kind", "case"])["structure"].to_dict()
    assert found == {
        ("other_grid", "s0002"): "liver",
        ("meta_number", "s0001"): "",
        ("meta_repeated", "s0002"): "",
        ("row_without_case", "s0009"): "",
        ("case_without_row", "s0003"): "",
        ("case_empty", "s0003"): "",
    }
    assert (table["advice"] == table["kind"].map(lambda kind: KINDS[kind].advice)).all()
    assert list(table["severity"]) == ["error", "warning", "warning", "warning", "warning", "note"]
    pd.testing.assert_frame_equal(table, frame(check(dataset, build_index(dataset, tmp_path / "store"))))


def test_an_index_that_is_there_is_used_again(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    dataset = open_dataset(write({"s0001": {"liver": box_mask((1, 3), (2, 4), (3, 5))}}))
    first = check_dataset(dataset, tmp_path / "store", progress=False)
    monkeypatch.setattr("explorer.intake.measure_files", lambda *_: pytest.fail("measured again"))
    pd.testing.assert_frame_equal(check_dataset(dataset, tmp_path / "store", progress=False), first)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="Give another folder"):
        dataset.check(tmp_path / "file" / "store", progress=False)


def found_in(root: Path, tmp_path: Path) -> dict[tuple[str, str], str]:
    """What a check of a folder tells, by case and kind."""
    dataset = open_dataset(root)
    index = build_index(dataset, tmp_path / "store", workers=1, progress=False)
    return {(found.case, found.kind): found.what for found in check(dataset, index)}


def test_files_and_folders_that_are_left_out_are_told(write, tmp_path: Path):
    liver = box_mask((1, 3), (2, 4), (3, 5))
    root = write({f"s000{n}": {"liver": liver, "mri": nifti_bytes(liver + n)} for n in range(1, 6)})
    assert found_in(root, tmp_path) == {}
    masks = root / "s0001/segmentations"
    for name in ("spleen.nii", "aorta.NII.GZ", "._liver.nii.gz", ".nii.gz", "notes.txt", "b'\x1b[2J.nii"):
        (masks / name).write_bytes(b"")
    (masks / "folder.nii").mkdir()
    (root / "s0002/ct.nii.gz").write_bytes(nifti_bytes(liver + 9))
    (root / "s0003/mri.nii.gz").rename(root / "s0003/MRI.nii.gz")
    (root / "s0004/ct.nii").write_bytes(b"")
    (root / "s0004/flair.nii").write_bytes(b"")
    for name in ("s0009", "__MACOSX", ".git"):
        (root / name).mkdir()
    assert found_in(root, tmp_path) == {
        ("s0001", "misnamed"): "Left out, as masks are named <structure>.nii.gz: "
        "'aorta.NII.GZ', \"b'\\x1b[2J.nii\", 'spleen.nii'.",
        ("s0002", "two_images"): "There are ct.nii.gz and mri.nii.gz in s0002; ct.nii.gz was taken.",
        ("s0003", "no_image"): "2 times: No image: expected mri.nii.gz or ct.nii.gz in s0003. "
        "There is 'MRI.nii.gz'; s0003 has no image in 's0003': put it there as mri.nii.gz or ct.nii.gz.",
        ("s0004", "misnamed"): "Left out, as it is not named mri.nii.gz: 'ct.nii'.",
        ("", "no_case"): "Folders with neither mri.nii.gz nor ct.nii.gz nor segmentations: 's0009'.",
    }


def test_masks_without_an_image_are_not_said_to_lie_elsewhere_than_it(write, tmp_path: Path):
    shifted = AFFINE.copy()
    shifted[0, 3] += 4
    mask = box_mask((1, 3), (2, 4), (3, 5))
    masks = {"a": mask, "b": mask, "c": mask[:, :, :6], "d": nifti_bytes(mask, shifted)}
    root = write({"s0001": {**masks, "mri": b"broken"}, "s0002": masks})
    found = found_in(root, tmp_path)
    assert [key for key in found if key[1] in ("masks_unlike", "other_shape", "other_grid")] == [
        ("s0001", "masks_unlike"),
        ("s0002", "other_shape"),
        ("s0002", "other_grid"),
    ]
    told = found["s0001", "masks_unlike"]
    assert "c.nii.gz: the mask has the shape (7, 8, 6), s0001/segmentations/a.nii.gz (7, 8, 9)." in told
    assert "d.nii.gz: the mask lies on another grid than s0001/segmentations/a.nii.gz, by up to 4 mm." in told
    assert "image would tell, but it cannot be read" in told
    assert "its image" not in told

"""Checks of masks: against each other, against the image and against the other cases."""

from collections.abc import Iterator
from difflib import get_close_matches

import numpy as np
import pandas as pd

from explorer.cohort import PRESENT
from explorer.findings import Finding, listed, shown
from explorer.structures import twin

BACKGROUND_NOTE = (0.1, 50)
"""Share and number of a mask's voxels over image values of exactly 0 that are worth a note.

In 66 real scans no mask has a larger share than 15 of 135 voxels (11 %), and none more voxels than
69,016 of 1,953,144 (4 %): cropped, masked and resampled images have them.
"""

BACKGROUND_WARNING = (0.5, 10)
"""The same for a warning: half of the mask shows nothing."""

OVERLAP_WARNING = (0.1, 10)
"""Share of the smaller of two masks, and number of voxels, from which on an overlap is a warning."""

STRAY_SHARE = 0.01
"""All components but the largest together: at most so much of a structure is stray.

More may be real: vertebrae, discs and the bowel have many components, and the image cuts others apart.
"""

STRAY_SPECK_SHARE = 0.1
"""The same where each of these components is a single voxel."""

USUAL, RARE = 0.5, 0.1
"""A mask file is expected where more than `USUAL` of the cases have it, and extra where at most
`RARE` have it."""


def empty_cases(structures: pd.DataFrame) -> Iterator[Finding]:
    """Find cases in which every mask is empty."""
    files = structures[structures["status"] != "missing"]
    absent = files["status"].eq("absent").groupby(files["case"]).agg(["all", "size"])
    for case in absent.index[absent["all"]]:
        yield Finding("case_empty", f"All {absent.loc[case, 'size']} masks are empty.", str(case))


def mask_files(structures: pd.DataFrame, cases: int) -> Iterator[Finding]:
    """Find mask files that a case lacks, or that hardly any other has.

    Where no mask of the data set is empty and most cases lack some, files are written for what is
    there only: that is one note, and no finding for each case.
    """
    there = structures["status"] != "missing"
    counts = there.groupby(structures["structure"]).sum()
    usual, rare = counts.index[counts > USUAL * cases], counts.index[counts <= RARE * cases]
    lacking = structures[~there & structures["structure"].isin(usual)]
    sparse = not structures["status"].eq("absent").any() and lacking["case"].nunique() > cases / 2
    missing: dict[str, list[str]] = {}
    if not sparse:
        for case, group in lacking.groupby("case"):
            missing[str(case)] = names = [str(name) for name in group["structure"]]
            what = f"{len(names)} of {len(usual)} masks that most cases have are missing: {listed(names)}."
            yield Finding("masks_missing", what, str(case), names[0] if len(names) == 1 else "")
    few = structures[there & structures["structure"].isin(rare)]
    for case, group in few.groupby("case"):
        names = [str(name) for name in group["structure"]]
        like = {name: get_close_matches(name, missing.get(str(case), ()), 1, 0.8) for name in names[:100]}
        texts = [
            f"{shown(name)} ({counts[name]} of {cases} cases"
            + (f"; meant to be {like[name][0]}?)" if like.get(name) else ")")
            for name in names
        ]
        what = f"{len(names)} masks that hardly any other case has: {listed(texts)}."
        yield Finding("masks_extra", what, str(case), names[0] if len(names) == 1 else "")
    vary = counts[(counts < cases) & (sparse | (counts <= USUAL * cases)) & (counts > RARE * cases)]
    if len(vary):
        texts = [f"{shown(str(name))} {count:,}" for name, count in vary.items()]
        what = f"{len(vary)} structures have a mask file in some of {cases:,} cases only: {listed(texts)}."
        yield Finding("masks_vary", what)


def sides(structures: pd.DataFrame, cases: pd.DataFrame) -> Iterator[Finding]:
    """Find left structures that lie to the patient's right of their right twins.

    World x grows towards the patient's right. A voxel is allowed along the axis nearest to x.
    """
    there = structures[structures["status"].isin(PRESENT)][["case", "structure", "centroid_x_mm"]]
    there = there.assign(twin=there["structure"].map({n: twin(n) for n in there["structure"].unique()}))
    pairs = there[there["structure"].str.endswith("_left")].merge(
        there, left_on=["case", "twin"], right_on=["case", "structure"], suffixes=("", "_right")
    )
    if pairs.empty:
        return
    step = pairs["case"].map({case: _spacing_x_mm(row) for case, row in cases.iterrows()})
    pairs["beyond_mm"] = pairs["centroid_x_mm"] - pairs["centroid_x_mm_right"]
    wrong = pairs[pairs["beyond_mm"] > step]
    all_pairs = pairs.groupby("case").size()
    for case, group in wrong.groupby("case"):
        texts = [
            f"{name} by {mm:.0f} mm" for name, mm in zip(group["structure"], group["beyond_mm"], strict=True)
        ]
        what = f"{len(group)} of {all_pairs[case]} left structures lie to the right of their right twin: "
        only = str(group["structure"].iloc[0]) if len(group) == 1 else ""
        yield Finding("left_right", f"{what}{listed(texts)}.", str(case), only)


def strays(structures: pd.DataFrame) -> Iterator[Finding]:
    """Find structures with a few voxels apart from their largest component."""
    many = structures[structures["components"] > 1]
    voxels = many["voxels"].astype(float)
    rest = (voxels * (1 - many["largest_component"])).round()
    specks = (rest == many["components"] - 1) & (rest <= STRAY_SPECK_SHARE * voxels)
    tiny = (rest > 0) & ((rest <= STRAY_SHARE * voxels) | specks)
    for row in many.assign(rest=rest)[tiny][["case", "structure", "voxels", "rest"]].to_dict("records"):
        part = f"{row['rest']:,.0f} of {row['voxels']:,} voxels"
        what = f"{row['structure']}: {part} lie apart from the largest component."
        yield Finding("stray", what, row["case"], row["structure"])


def background(structures: pd.DataFrame) -> Iterator[Finding]:
    """Find masks that lie over image values of exactly 0."""
    zeros = structures["zero_voxels"].astype(float)
    share = zeros / structures["voxels"].astype(float)
    wrong = (share >= BACKGROUND_WARNING[0]) & (zeros >= BACKGROUND_WARNING[1])
    noted = (share >= BACKGROUND_NOTE[0]) & (zeros >= BACKGROUND_NOTE[1])
    columns = ["case", "structure", "voxels", "zero_voxels", "share", "wrong"]
    rows = structures.assign(share=share, wrong=wrong).loc[wrong | noted, columns]
    rows = rows.sort_values("share", ascending=False)
    for row in rows.to_dict("records"):
        part = f"{row['zero_voxels']:,.0f} of {row['voxels']:,} voxels ({row['share']:.0%})"
        kind = "mask_in_background" if row["wrong"] else "mask_meets_background"
        yield Finding(kind, f"{row['structure']}: {part} over zeros.", row["case"], row["structure"])


def overlapping(overlaps: pd.DataFrame, structures: pd.DataFrame) -> Iterator[Finding]:
    """Find pairs of masks that share voxels."""
    pairs = overlaps[(overlaps["mask_set"] == "reference") & (overlaps["voxels"] > 0)]
    if pairs.empty:
        return
    voxels = structures.set_index(["case", "structure"])["voxels"].astype(float)
    sizes = [
        voxels.reindex(pd.MultiIndex.from_frame(pairs[["case", name]])).to_numpy()
        for name in ("structure", "other")
    ]
    shared = pairs["voxels"].astype(float).to_numpy()
    pairs = pairs.assign(share=shared / np.fmin(*sizes)).sort_values("voxels", ascending=False)
    for row in pairs.to_dict("records"):
        large = row["share"] >= OVERLAP_WARNING[0] and row["voxels"] >= OVERLAP_WARNING[1]
        unit = "voxel" if row["voxels"] == 1 else "voxels"
        what = f"{row['structure']} and {row['other']} share {row['voxels']:,} {unit}"
        what += "." if np.isnan(row["share"]) else f" ({row['share']:.1%} of the smaller)."
        yield Finding("overlap_large" if large else "overlap", what, row["case"])


def _spacing_x_mm(case: pd.Series) -> float:
    letters = str(case["orientation"])
    axis = next((axis for axis, letter in zip("ijk", letters, strict=False) if letter in "LR"), "i")
    spacing = float(case[f"spacing_{axis}_mm"])
    return 0.0 if np.isnan(spacing) else spacing

"""Checks of ``meta.csv``, images and grids."""

import unicodedata
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.cohort import ALIKE
from explorer.dataset import Dataset
from explorer.findings import Finding, listed, shown

THICKNESS_NOTE = 1.15
"""Spacing across slices over slice thickness, or the reverse; a gap of 10 % is the usual protocol."""

THICKNESS_WARNING = 2.5
"""The same for a warning; scanners interpolate to half of the thickness."""

FEW_SLICES = 5
"""Fewer voxels along an axis are worth a note; the smallest published image has so many."""

SPACING_MM = (0.1, 30.0)
"""Spacing outside is odd; published are 0.2 to 28 mm."""


def ids(dataset: Dataset) -> Iterator[Finding]:
    """Find ids, of folders and of rows, that a reader takes for the same."""
    spellings: dict[str, dict[str, str]] = {}
    sources = {"folder": list(dataset.cases), "meta.csv": map(str, dataset.raw_meta.index)}
    for where, names in sources.items():
        for name in names:
            spellings.setdefault(_plain(name), {}).setdefault(name, where)
    for alike in spellings.values():
        if len(alike) > 1:
            spelt = listed(f"{shown(name)} ({where})" for name, where in alike.items())
            what = f"Ids that differ only in case, blanks or invisible characters: {spelt}."
            yield Finding("ids_alike", what, next(iter(alike)))


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in folded if not c.isspace() and unicodedata.category(c) not in ("Cf", "Cc"))


def times(meta: pd.DataFrame) -> Iterator[Finding]:
    """Find times in mixed units."""
    if "times_given_in" not in meta:
        return
    given = meta["times_given_in"].value_counts()
    if len(given) > 1:
        what = " and ".join(f"{count:,} in {unit}" for unit, count in given.items())
        yield Finding("times_mixed", f"Of the rows of meta.csv {what}: repetition, echo and inversion time.")


def thickness(meta: pd.DataFrame, spacing: pd.DataFrame) -> Iterator[Finding]:
    """Find slices whose thickness is not their distance.

    Slices lie across the axis whose two others have one spacing. Where no two are alike it is not
    clear which axis that is, and a thickness that fits any of them is no finding.
    """
    if "slice_thickness_mm" not in meta:
        return
    thickness = _number(meta["slice_thickness_mm"]).reindex(spacing.index)
    steps = spacing.to_numpy(float)
    ratios = steps / thickness.where(thickness > 0).to_numpy(float)[:, None]
    in_plane = [np.delete(steps, axis, axis=1) for axis in range(steps.shape[1])]
    across = np.column_stack([pair.max(axis=1) <= ALIKE * pair.min(axis=1) for pair in in_plane])
    clear: NDArray[np.bool_] = across.max(axis=1)
    with np.errstate(divide="ignore"):
        far = np.maximum(ratios, 1 / ratios)
    far[clear[:, None] & ~across] = np.inf
    best = far.argmin(axis=1)
    for row in np.flatnonzero(far.min(axis=1) > THICKNESS_NOTE + 1e-6).tolist():
        step, way = steps[row, best[row]], "gaps" if ratios[row, best[row]] > 1 else "overlap"
        told = f"spacing across slices {step:g} mm ({way})"
        if not clear[row]:
            told = f"spacing {' x '.join(f'{mm:g}' for mm in steps[row])} mm"
        kind = "thickness_far" if far[row].min() > THICKNESS_WARNING else "thickness"
        what = f"Slice thickness {thickness.iloc[row]:g} mm, but {told}."
        yield Finding(kind, what, str(spacing.index[row]))


def images(cases: pd.DataFrame, voxels: "pd.Series[float]") -> Iterator[Finding]:
    """Find images that show nothing, and voxels without a value."""
    low, high = _number(cases["intensity_min"]), _number(cases["intensity_max"])
    odd = _number(cases["nonfinite_voxels"]).fillna(0)
    for case in cases.index[(odd > 0) | (low == high)]:
        count, every, name = int(odd[case]), voxels[case], str(case)
        if count and count == every:
            yield Finding("image_empty", f"None of its {count:,} voxels is finite.", name)
            continue
        if count:
            what = f"{count:,} voxels of the image ({count / every:.2%}) are NaN or infinite."
            yield Finding("image_nonfinite", what, name)
        if low[case] == high[case] == 0:
            yield Finding("image_empty", "Every voxel of the image is 0.", name)
        elif low[case] == high[case]:
            yield Finding("image_constant", f"Every voxel of the image is {low[case]:g}.", name)


def repeated_images(cases: pd.DataFrame) -> Iterator[Finding]:
    """Find image files that are the same byte for byte."""
    digests = cases["image_digest"].dropna()
    for _, group in digests[digests.duplicated(keep=False)].groupby(digests):
        names = [str(case) for case in group.index]
        for case in names:
            yield Finding(
                "image_repeated", f"{len(names)} cases have the same image file: {listed(names)}.", case
            )


def grids(cases: pd.DataFrame, shape: pd.DataFrame, spacing: pd.DataFrame) -> Iterator[Finding]:
    """Find grids that tools or readers may stumble over."""
    for case in cases.index[cases["oblique"].eq(True).fillna(False)]:
        what = f"The voxel axes are tilted against the patient's (nearest: {cases.loc[case, 'orientation']})."
        yield Finding("oblique", what, str(case))
    for case in cases.index[cases["orthogonal"].eq(False).fillna(False)]:
        yield Finding("sheared", "The voxel axes do not stand at right angles.", str(case))
    few = shape < FEW_SLICES
    for case in shape.index[few.any(axis=1)]:
        what = f"Only {_axes(shape.loc[case], few.loc[case])} voxels."
        yield Finding("few_slices", what, str(case))
    odd = (spacing < SPACING_MM[0]) | (spacing > SPACING_MM[1])
    for case in spacing.index[odd.any(axis=1)]:
        where = _axes(spacing.loc[case], odd.loc[case])
        what = f"Spacing in mm of {where}, outside {SPACING_MM[0]:g} to {SPACING_MM[1]:g}."
        yield Finding("spacing_odd", what, str(case))


def _number(column: "pd.Series") -> "pd.Series[float]":
    return pd.to_numeric(column, errors="coerce").astype(float)


def _axes(values: "pd.Series", bad: "pd.Series") -> str:
    return ", ".join(f"{values[name]:g} along {str(name).split('_')[1]}" for name in values.index[bad])

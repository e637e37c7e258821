"""What the tables and files tell of a case, for a list beside its picture."""

from typing import Any

import numpy as np
import pandas as pd

from explorer.dataset import Dataset
from explorer.tables import column_label
from explorer.views.picture import Picture

_NOT_FACTS = {"signature", "problems", "image_bytes", "mask_bytes", "orthogonal", "times_given_in", "dtype"}
_NOT_FACTS |= {"image_digest", "background_share", "nonfinite_voxels", "slice_spacing_mm", "slice_count"}
_NOT_FACTS_PREFIXES = ("shape_", "spacing_", "intensity_", "voxel_")


def case_facts(
    row: "pd.Series[Any]", dataset: Dataset, case: str, picture: Picture | None
) -> list[list[str]]:
    """Return label, value and note of what is known of a case.

    Parameters
    ----------
    row
        Its row of the table of cases.
    dataset
        Whose case it is.
    case
        Its id.
    picture
        The case, where its image or masks can be read.
    """
    given = row.get("times_given_in")
    facts = []
    if picture is not None:
        grid = picture.as_stored
        size = " × ".join(str(n) for n in grid.shape)
        spacing = " × ".join(f"{mm:.3g}" for mm in grid.spacing_mm)
        facts += [["Size", size, "i j k"], ["Spacing", spacing, "mm"]]
        if grid.oblique:
            facts.append(["Tilt", f"{grid.tilt_degrees:.1f}°", "closest axes shown"])
        if not grid.orthogonal:
            facts.append(["Axes", "not at right angles", "sheared"])
    for column in row.index:
        value = row[column]
        skip = column in _NOT_FACTS or column.startswith(_NOT_FACTS_PREFIXES)
        if skip or not pd.api.types.is_scalar(value) or pd.isna(value):
            continue
        label, unit = column_label(str(column))
        shown = ("no", "yes")[bool(value)] if isinstance(value, bool | np.bool_) else str(value)
        shown = f"{value:g}" if isinstance(value, float) else shown
        note = f"from {given}" if unit == "ms" and given == "seconds" else ""
        facts.append([label, f"{shown[:200]} {unit}".strip(), note])
    if case not in dataset.raw_meta.index:
        facts.append(["Metadata", "no row in meta.csv", ""])
    facts += [["Problem", str(problem)[:300], ""] for problem in row.get("problems") or ()]
    facts += [["Noted", p.what[:300], ""] for p in dataset.problems if p.case == case]
    return facts

"""What of a case is to be read, given what the user looks at and what the tables know."""

import math
from typing import Any, cast

import numpy as np
import pandas as pd

from explorer.dataset import Dataset
from explorer.errors import UnknownName
from explorer.selection import Selection
from explorer.views.reading import Plan

_UNKNOWN_SIZE_RATIO = 3  # of memory for image and masks to bytes on disk, where nothing is measured


class Planner:
    """Plans the reading of cases.

    Parameters
    ----------
    selection
        What the user looks at, and the tables.
    dataset
        Where the files are.
    """

    def __init__(self, selection: Selection, dataset: Dataset) -> None:
        self._selection = selection
        self._dataset = dataset
        self._known: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        self._known_of: object = None

    def plan(self, case: str) -> Plan:
        """Return what to read of a case.

        Raises
        ------
        UnknownName
            There is no such case, or no mask set of the name that is chosen.
        """
        selection, found = self._selection, self._dataset[case]
        self.check_mask_set(selection.mask_set)
        self.check_mask_set(selection.compare, allow_none=True)
        sets = dict.fromkeys(name for name in (selection.mask_set, selection.compare) if name)
        row = self.row(case)
        window = None
        if _are_known(row, "signature", "intensity_p1", "intensity_p99"):
            window = (str(row["signature"]), float(row["intensity_p1"]), float(row["intensity_p99"]))
        if _are_known(row, "dtype", "shape_i", "shape_j", "shape_k"):
            voxels = math.prod(int(row[f"shape_{axis}"]) for axis in "ijk")
            expected = voxels * (np.dtype(str(row["dtype"])).itemsize + len(sets))
        else:
            expected = _UNKNOWN_SIZE_RATIO * sum(found.sizes())
        return Plan(
            found,
            tuple(sets),
            chosen=lambda: selection.structures,
            volumes=lambda: {
                name: row["volume_ml"]
                for name, row in self.measured(case, selection.mask_set).items()
                if row["volume_ml"] > 0
            },
            window=window,
            expected_bytes=expected,
        )

    def check_mask_set(self, name: str, *, allow_none: bool = False) -> None:
        """Raise `UnknownName` unless the data set has such a mask set."""
        if name not in self._dataset.mask_sets and not (allow_none and not name):
            raise UnknownName("mask set", name[:200], self._dataset.mask_sets)

    def check(self, name: str, value: Any) -> None:  # noqa: ANN401
        """Raise `UnknownName` where a trait of the selection would name a mask set that is not there."""
        if name in ("mask_set", "compare"):
            self.check_mask_set(value, allow_none=name == "compare")

    def row(self, case: str) -> "pd.Series[Any]":
        """Return what the tables know of a case."""
        return cast("pd.Series[Any]", self._selection.everything.cases.loc[case])

    def measured(self, case: str, mask_set: str) -> dict[str, dict[str, Any]]:
        """Return volume in ml and status of structures, as far as the tables know them."""
        everything = self._selection.everything
        if self._known_of is not everything:
            self._known, self._known_of = {}, everything
        known = self._known
        if (case, mask_set) not in known:
            rows = everything.structures_of(case, mask_set)
            known[case, mask_set] = {
                str(name): {"volume_ml": float(volume), "status": status}
                for name, volume, status in zip(
                    rows["structure"], rows["volume_ml"], rows["status"], strict=True
                )
            }
        return known[case, mask_set]

    def around(self, case: str, far: int) -> list[str]:
        """Return the cases of the cohort that are at most so many before or after another, and itself."""
        ids = self._selection.cohort().ids
        if case not in ids:
            return []
        place = ids.index(case)
        return ids[max(0, place - far) : place + far + 1]

    def neighbour(self, case: str, by: int) -> str | None:
        """Return the case of the cohort that is so many after another, or None."""
        ids = self._selection.cohort().ids
        if case not in ids:
            return None
        place = ids.index(case) + by
        return ids[place] if 0 <= place < len(ids) else None


def _are_known(row: "pd.Series[Any]", *names: str) -> bool:
    return all(name in row.index and not pd.isna(row[name]) for name in names)

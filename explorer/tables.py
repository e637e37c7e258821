"""The tables that all cohorts of a data set share, with what is computed from them once."""

import re
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.clauses import Between, Clause, OneOf
from explorer.errors import QueryError, UnknownName

STRUCTURE_COLUMNS: tuple[str, ...] = (
    "case",
    "mask_set",
    "structure",
    "status",
    "voxels",
    "volume_ml",
)
"""Columns that statistics need of a table of structures."""

MAX_CATEGORIES_OF_NUMBER = 8
"""A number with more distinct values than this is shown as a histogram."""

_LABELS: dict[str, tuple[str, str]] = {
    "manufacturer": ("Manufacturer", ""),
    "scanner_model": ("Scanner", ""),
    "field_strength_t": ("Field strength", "T"),
    "scanning_sequence": ("Sequence", ""),
    "study_type": ("Study", ""),
    "gender": ("Sex", ""),
    "age_years": ("Age", "years"),
    "institute": ("Institute", ""),
    "source": ("Source", ""),
    "split": ("Split", ""),
    "repetition_time_ms": ("Repetition time", "ms"),
    "echo_time_ms": ("Echo time", "ms"),
    "inversion_time_ms": ("Inversion time", "ms"),
    "times_given_in": ("Times given in", ""),
    "slice_thickness_mm": ("Slice thickness", "mm"),
    "orientation": ("Orientation", ""),
    "slice_spacing_mm": ("Slice spacing", "mm"),
    "slice_count": ("Slices", ""),
    "structures_present": ("Structures present", ""),
    "oblique": ("Oblique", ""),
    "dtype": ("Voxel type", ""),
}

_UNITS = {"mm": "mm", "ml": "ml", "ms": "ms", "t": "T", "years": "years"}

_BOOLEANS = {True: "yes", False: "no"}

_NO_FACET = frozenset(
    {*(f"spacing_{axis}_mm" for axis in "ijk"), *(f"shape_{axis}" for axis in "ijk")}
    | {"voxel_volume_ml", "orthogonal", "problems"}
    | {
        *(f"intensity_{which}" for which in ("min", "p1", "p50", "p99", "max")),
        "background_share",
        "nonfinite_voxels",
    }
    | {"image_bytes", "mask_bytes", "image_digest", "signature"}
)


def column_label(column: str) -> tuple[str, str]:
    """Return words for people and the unit of a column of the case table."""
    if column in _LABELS:
        return _LABELS[column]
    stem, _, last = column.rpartition("_")
    unit = _UNITS.get(last, "") if stem else ""
    words = (stem if unit else column).replace("_", " ").strip()
    return (words[:1].upper() + words[1:]) or column, unit


class Tables:
    """Case and structure tables; both are never changed.

    Parameters
    ----------
    cases
        Indexed by case id, without duplicates.
    structures
        One row per case, mask set and structure; rows of unknown cases are left out.
    """

    def __init__(self, cases: pd.DataFrame, structures: pd.DataFrame) -> None:
        if not cases.index.is_unique:
            raise QueryError("A table of cases must have one row per case.")
        self.cases = cases
        rows = cases.index.get_indexer(pd.Index(structures["case"]))
        known = rows >= 0
        self.structures = structures if known.all() else structures[known]
        self.case_rows: NDArray[np.intp] = rows[known]
        codes, names = pd.factorize(self.structures["structure"], sort=True)
        self.structure_codes: NDArray[np.intp] = codes
        self.structure_names: list[str] = [str(name) for name in names]
        self.status: NDArray[Any] = self.structures["status"].to_numpy(dtype=object)
        self.mask_sets: NDArray[Any] = self.structures["mask_set"].to_numpy(dtype=object)
        self._codes: dict[str, tuple[NDArray[np.intp], list[str]]] = {}
        self._masks: dict[Clause, NDArray[np.bool_]] = {}

    def keeps_row(self, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which rows of `structures` belong to the kept cases."""
        kept: NDArray[np.bool_] = keep[self.case_rows]
        return kept

    def structure_code(self, name: str) -> int:
        """Return the code of a structure, or -1 where no row has it."""
        return self._structure_code.get(name, -1)

    @cached_property
    def _structure_code(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.structure_names)}

    @cached_property
    def texts(self) -> list[str]:
        """Id and metadata of each case in one lower-case text, for the search box."""
        columns = [name for name in self.cases.columns if self.numbers(name) is None and name != "problems"]
        parts = [self.cases.index.astype(str), *[self.cases[name] for name in columns]]
        return [
            " ".join(str(cell) for cell in row if isinstance(cell, str)).casefold()
            for row in zip(*parts, strict=True)
        ]

    @cached_property
    def facet_columns(self) -> list[str]:
        """Columns worth a facet: known ones in a fixed order, then the data set's own."""
        order = {name: position for position, name in enumerate(_LABELS)}
        wanted = [
            name for name in self.cases.columns if name not in _NO_FACET and self.cases[name].notna().any()
        ]
        first_measured = order["orientation"]
        return sorted(wanted, key=lambda name: order.get(name, first_measured - 0.5))

    def numbers(self, column: str) -> NDArray[np.float64] | None:
        """Return a column as numbers, NaN for missing, or None where it holds text."""
        series = self._column(column)
        if pd.api.types.is_bool_dtype(series) or not pd.api.types.is_numeric_dtype(series):
            return None
        return series.to_numpy(dtype=float, na_value=np.nan)

    def kind(self, column: str) -> Literal["category", "number"]:
        """Return how a column is shown."""
        values = self.numbers(column)
        if values is None:
            return "category"
        distinct = np.unique(values[np.isfinite(values)]).size
        return "number" if distinct > MAX_CATEGORIES_OF_NUMBER else "category"

    def codes(self, column: str) -> tuple[NDArray[np.intp], list[str]]:
        """Return a code per case, -1 for missing, and the text of each code, in natural order."""
        if column not in self._codes:
            values = self.numbers(column)
            if values is None:
                series = self._column(column)
                codes, found = pd.factorize(series.where(series.notna(), None), sort=False)
                names = [_BOOLEANS.get(value, str(value)) for value in found]
                order = sorted(range(len(names)), key=lambda i: natural(names[i]))
            else:
                codes, numbers = pd.factorize(values)
                names = [f"{value:g}" for value in numbers]
                order = [int(i) for i in np.argsort(numbers)]
            rank = np.empty(len(order) + 1, np.intp)
            rank[order] = np.arange(len(order))
            rank[-1] = -1
            self._codes[column] = (rank[codes], [names[i] for i in order])
        return self._codes[column]

    def mask(self, clause: Clause) -> NDArray[np.bool_]:
        """Return which cases fulfil a clause; raises `UnknownName` or `QueryError`."""
        if clause not in self._masks:
            if len(self._masks) > 256:
                self._masks.clear()
            self._masks[clause] = self._mask(clause)
        return self._masks[clause]

    def _mask(self, clause: Clause) -> NDArray[np.bool_]:
        if isinstance(clause, OneOf):
            codes, values = self.codes(clause.column)
            place = {value: code for code, value in enumerate(values)}
            wanted = [-1 if value is None else place.get(value, -2) for value in clause.values]
            return np.isin(codes, wanted)
        if isinstance(clause, Between):
            numbers = self.numbers(clause.column)
            if numbers is None:
                raise QueryError(f"{clause.column!r} does not hold numbers, so it has no range.")
            low = -np.inf if clause.low is None else clause.low
            high = np.inf if clause.high is None else clause.high
            inside = (numbers >= low) & (numbers <= high)
            return inside | ~np.isfinite(numbers) if clause.missing else inside
        if clause.structure not in self._structure_code:
            raise UnknownName("structure", clause.structure, self.structure_names)
        rows = (self.structure_codes == self._structure_code[clause.structure]) & (
            self.mask_sets == clause.mask_set
        )
        rows &= np.isin(self.status, clause.status)
        if clause.min_ml is not None or clause.max_ml is not None:
            volumes = self.structures["volume_ml"].to_numpy(dtype=float)
            rows &= volumes >= (-np.inf if clause.min_ml is None else clause.min_ml)
            rows &= volumes <= (np.inf if clause.max_ml is None else clause.max_ml)
        keep = np.zeros(len(self.cases), bool)
        keep[self.case_rows[rows]] = True
        return keep

    def _column(self, column: str) -> "pd.Series[Any]":
        if column not in self.cases.columns:
            raise UnknownName("column", column, map(str, self.cases.columns))
        return self.cases[column]


def natural(text: str) -> list[tuple[int, int | str]]:
    """Return a sort key by which ``s2`` comes before ``s10``."""
    return [
        (0, int(part)) if part.isdigit() and part.isascii() else (1, part.casefold())
        for part in re.split(r"(\d+)", text[:200])
        if part
    ]

"""The case browser: facets that filter, and a table of the cases that are left."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray

from explorer.clauses import Between, Has, OneOf, number, text
from explorer.cohort import Cohort, Facet, Histogram
from explorer.errors import QueryError, UnknownName
from explorer.selection import Selection
from explorer.structures import structure
from explorer.tables import column_label
from explorer.views.view import STATIC, Answer, Message, View

SHOWN_VALUES = 8
"""Values of a category that are sent at once; more on request."""

MAX_VALUES = 200
MAX_ROWS = 200
MAX_TEXT = 200
"""Characters of a cell that are sent."""

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[-+]?[0-9.,]+(?:[eE][-+]?[0-9]+)?")
_STRUCTURE_MODES: dict[str, tuple[str, ...]] = {"any": ("complete", "cut_off"), "complete": ("complete",)}
_TABLE_LAST = ("structures_present", "size", "spacing", "orientation", "problems")
_TRIPLES = {"size": ("Size", "i × j × k"), "spacing": ("Spacing", "mm")}
_NOT_IN_TABLE = {
    "slice_spacing_mm",
    "slice_count",
    "orientation",
    "structures_present",
    "times_given_in",
    "dtype",
}


class Facets(View):
    """A facet for every column of the metadata, with counts that know the other filters.

    Parameters
    ----------
    selection
        Its filters are shown and set; each facet is a source of its own.

    Attributes
    ----------
    state
        All that is drawn, as JSON values; replaced whole.
    """

    _esm: ClassVar = STATIC / "facets.js"
    _css: ClassVar = STATIC / "facets.css"

    state = traitlets.Dict().tag(sync=True)

    def __init__(self, selection: Selection) -> None:
        super().__init__()
        self.selection = selection
        selection.observe(self._update, names=["version"])
        self._update()

    def handlers(self) -> Mapping[str, Callable[[Message], Answer | None]]:
        """Return what answers the browser's requests."""
        return {
            "toggle": self._toggle,
            "range": self._range,
            "has": self._has,
            "clear": self._clear,
            "values": self._values,
        }

    def _update(self, _change: object = None) -> None:
        self.state = {
            "chips": [
                {"source": source, "text": _chip(clause)[:MAX_TEXT]}
                for source, clause in self.selection.filters
            ],
            "query": self.selection.query,
            "facets": [self._facet(facet) for facet in self.selection.everything.facets()],
            "structures": self._structures(),
        }

    def _facet(self, facet: Facet) -> dict[str, Any]:
        everything = self.selection.everything
        left = self.selection.cohort(ignoring=facet.column)
        clause = self.selection.clause(facet.column)
        head = {"column": facet.column, "label": facet.label, "unit": facet.unit, "kind": facet.kind}
        if facet.kind == "number":
            between = clause if isinstance(clause, Between) else None
            whole, part = everything.histogram(facet.column), left.histogram(facet.column)
            return (
                head
                | _bars(whole, part)
                | {
                    "low": between.low if between else None,
                    "high": between.high if between else None,
                    "keep_missing": bool(between and between.missing),
                    "active": between is not None,
                }
            )
        chosen = clause.values if isinstance(clause, OneOf) else ()
        counts, all_counts = left.counts(facet.column), everything.counts(facet.column)
        values = _values(counts, all_counts, chosen)
        first = [v for v in values if v["chosen"] or v["value"] is None]
        first += [v for v in values if v not in first][:SHOWN_VALUES]
        return head | {
            "values": [v for v in values if v in first],
            "distinct": len(values),
            "largest": max((int(n) for n in all_counts), default=0),
        }

    def _structures(self) -> list[dict[str, Any]]:
        counts = self.selection.cohort().structure_counts().set_index("structure")
        rows = []
        for name, present, complete in zip(counts.index, counts["present"], counts["complete"], strict=True):
            clause = self.selection.clause(f"has:{name}")
            mode = ""
            if isinstance(clause, Has):
                mode = "complete" if clause.status == _STRUCTURE_MODES["complete"] else "any"
            rows.append(
                {
                    "name": name,
                    "label": structure(name).full_label,
                    "any": int(present),
                    "complete": int(complete),
                    "mode": mode,
                }
            )
        return rows

    def _toggle(self, message: Message) -> None:
        column = self._column(message)
        value = message.get("value")
        value = None if value is None else text(value, "value")
        clause = self.selection.clause(column)
        chosen = clause.values if isinstance(clause, OneOf) else ()
        if message.get("only") is True:
            chosen = () if chosen == (value,) else (value,)
        elif value in chosen:
            chosen = tuple(v for v in chosen if v != value)
        else:
            chosen = (*chosen, value)
        self.selection.filter(column, OneOf(column, chosen) if chosen else None)

    def _range(self, message: Message) -> None:
        column = self._column(message)
        low, high = number(message.get("low"), "low"), number(message.get("high"), "high")
        missing = message.get("missing") is True
        everything = low is None and high is None and not missing
        self.selection.filter(column, None if everything else Between(column, low, high, missing))

    def _has(self, message: Message) -> None:
        name = text(message.get("structure"), "structure")
        mode = text(message.get("mode"), "mode")
        if mode and mode not in _STRUCTURE_MODES:
            raise UnknownName("mode", mode, _STRUCTURE_MODES)
        self.selection.filter(f"has:{name}", Has(name, _STRUCTURE_MODES[mode]) if mode else None)

    def _clear(self, message: Message) -> None:
        source = message.get("source")
        if source is None:
            self.selection.clear()
        elif source == "query":
            self.selection.query = ""
        else:
            self.selection.filter(text(source, "source"), None)

    def _values(self, message: Message) -> Answer:
        column = self._column(message)
        wanted = text(message.get("search", ""), "search").casefold()
        clause = self.selection.clause(column)
        chosen = clause.values if isinstance(clause, OneOf) else ()
        counts = self.selection.cohort(ignoring=column).counts(column)
        values = _values(counts, self.selection.everything.counts(column), chosen)
        found = [v for v in values if wanted in str(v["value"] or "missing").casefold()]
        return {"values": found[:MAX_VALUES], "matches": len(found)}, ()

    def _column(self, message: Message) -> str:
        column = text(message.get("column"), "column")
        known = [facet.column for facet in self.selection.everything.facets()]
        if column not in known:
            raise UnknownName("facet", column, known)
        return column


class CaseTable(View):
    """The cases that the filters leave, paged from the kernel; a click opens one.

    Parameters
    ----------
    selection
        Whose cohort is listed.

    Attributes
    ----------
    state
        Columns, number of cases and the open case; rows are asked for.
    """

    _esm: ClassVar = STATIC / "table.js"
    _css: ClassVar = STATIC / "table.css"

    state = traitlets.Dict().tag(sync=True)

    def __init__(self, selection: Selection) -> None:
        super().__init__()
        self.selection = selection
        self._orders: dict[tuple[str, bool], NDArray[np.intp]] = {}
        selection.observe(self._update, names=["version"])
        selection.observe(self._show_case, names=["case"])
        self._update()

    def handlers(self) -> Mapping[str, Callable[[Message], Answer | None]]:
        """Return what answers the browser's requests."""
        return {
            "rows": self._rows,
            "open": self._open,
            "clear": self._clear,
            "csv": self._csv,
            "find": self._find,
        }

    def _update(self, _change: object = None) -> None:
        self._orders.clear()
        cohort = self.selection.cohort()
        self.state = {
            "version": self.selection.version,
            "columns": _columns(self.selection.everything),
            "count": cohort.size,
            "total": self.selection.everything.size,
            "case": self.selection.case,
            "shared": self.selection.token,
        }

    def _show_case(self, _change: object = None) -> None:
        self.state = {**self.state, "case": self.selection.case}

    def _rows(self, message: Message) -> Answer:
        offset, limit = message.get("offset"), message.get("limit")
        cohort = self.selection.cohort()
        if not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
            raise QueryError(f"offset must be a number from 0; got {offset!r:.100}.")
        if not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit <= MAX_ROWS:
            raise QueryError(f"limit must be a number from 1 to {MAX_ROWS}; got {limit!r:.100}.")
        wanted = self._order(message)[offset : offset + limit]
        part = cohort.cases.iloc[wanted]
        columns = [column["name"] for column in _columns(self.selection.everything)]
        cells = [_cells(part, name) for name in columns]
        rows = [list(row) for row in zip(*cells, strict=True)]
        return {"rows": rows, "offset": offset, "version": self.selection.version}, ()

    def _find(self, message: Message) -> Answer:
        """Tell the row of the open case in the present order, or -1."""
        ids = self.selection.cohort().ids
        place = ids.index(self.selection.case) if self.selection.case in ids else -1
        found = int(np.flatnonzero(self._order(message) == place)[0]) if place >= 0 else -1
        return {"row": found}, ()

    def _order(self, message: Message) -> NDArray[np.intp]:
        column = text(message.get("sort", ""), "sort")
        descending = message.get("descending") is True
        key = (column, descending)
        if key not in self._orders:
            self._orders[key] = _order(self.selection.cohort(), column, descending=descending)
        return self._orders[key]

    def _open(self, message: Message) -> None:
        self.selection.open(text(message.get("case"), "case"))

    def _clear(self, _message: Message) -> None:
        self.selection.clear()

    def _csv(self, message: Message) -> Answer:
        """Return the table as it is listed, whole."""
        cohort = self.selection.cohort()
        part = cohort.cases.iloc[self._order(message)]
        out = io.StringIO()
        writer = csv.writer(out)
        columns = _columns(self.selection.everything)
        cells = [map(_inert, [column["name"], *_cells(part, column["name"])]) for column in columns]
        writer.writerows(zip(*cells, strict=True))
        return {"name": "cases.csv"}, [out.getvalue().encode("utf-8-sig")]


def _values(counts: Any, all_counts: Any, chosen: tuple[str | None, ...]) -> list[dict[str, Any]]:  # noqa: ANN401
    values = [
        {
            "value": None if value is None or value != value else str(value)[:1000],
            "count": int(count),
            "all": int(whole),
            "chosen": value in chosen,
        }
        for value, count, whole in zip(counts.index, counts, all_counts, strict=True)
    ]
    known = {row["value"] for row in values}
    # A value that was chosen stays visible even where no case has it any more.
    gone = [v for v in chosen if v not in known]
    return values + [{"value": v, "count": 0, "all": 0, "chosen": True} for v in gone]


def _bars(whole: Histogram, part: Histogram) -> dict[str, Any]:
    return {
        "edges": [float(edge) for edge in whole.edges],
        "all": [int(n) for n in whole.counts],
        "counts": [int(n) for n in part.counts],
        "missing": part.missing,
        "all_missing": whole.missing,
    }


def _chip(clause: Any) -> str:  # noqa: ANN401 - one of three clauses
    if isinstance(clause, OneOf):
        label, unit = column_label(clause.column)
        shown = ", ".join("missing" if v is None else v for v in clause.values[:3])
        more = f" +{len(clause.values) - 3}" if len(clause.values) > 3 else ""
        return f"{label}: {shown}{more}{' ' + unit if unit else ''}"
    if isinstance(clause, Between):
        label, unit = column_label(clause.column)
        low = "…" if clause.low is None else f"{clause.low:g}"
        high = "…" if clause.high is None else f"{clause.high:g}"
        return f"{label} {low} – {high} {unit}".strip()
    name = structure(clause.structure).full_label
    return f"{name} complete" if clause.status == ("complete",) else f"has {name}"


def _columns(everything: Cohort) -> list[dict[str, Any]]:
    names = [facet.column for facet in everything.facets() if facet.column not in _NOT_IN_TABLE]
    have = everything.cases.columns
    last = {"size": "shape_i", "spacing": "spacing_i_mm"}
    names += [name for name in _TABLE_LAST if last.get(name, name) in have]
    columns = [{"name": "case", "label": "Case", "unit": "", "numeric": False}]
    for name in names:
        label, unit = _TRIPLES.get(name) or column_label(name)
        types = pd.api.types
        numeric = name in have and types.is_numeric_dtype(everything.cases[name])
        numeric = numeric and not types.is_bool_dtype(everything.cases[name])
        columns.append({"name": name, "label": label, "unit": unit, "numeric": bool(numeric)})
    return columns


def _cells(part: pd.DataFrame, name: str) -> list[str]:
    if name == "case":
        return [str(case)[:MAX_TEXT] for case in part.index]
    if name == "size":
        return _triples(part, [f"shape_{axis}" for axis in "ijk"], "{:.0f}")
    if name == "spacing":
        return _triples(part, [f"spacing_{axis}_mm" for axis in "ijk"], "{:.3g}")
    if name == "problems":
        return ["; ".join(found)[:MAX_TEXT] if isinstance(found, tuple) else "" for found in part[name]]
    return [_cell(value) for value in part[name]]


def _cell(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)[:MAX_TEXT]


def _inert(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULAS) and not _NUMBER.fullmatch(cell) else cell


def _triples(part: pd.DataFrame, columns: list[str], style: str) -> list[str]:
    return [
        "" if any(n != n for n in row) else " × ".join(style.format(n) for n in row)
        for row in part[columns].astype(float).itertuples(index=False)
    ]


def _order(cohort: Cohort, column: str, *, descending: bool) -> NDArray[np.intp]:
    """Return the rows of a cohort sorted by a column, missing values last in both directions."""
    rows = np.arange(cohort.size)
    if column in ("", "case"):
        return rows[::-1] if descending and column else rows
    name = {"size": "shape_k", "spacing": "spacing_k_mm"}.get(column, column)
    if name == "problems":
        codes = np.array([len(found) if isinstance(found, tuple) else 0 for found in cohort.cases[name]])
        codes = np.where(codes == 0, -1, codes)
    else:
        codes = cohort.codes(name)
    missing = codes < 0
    key = np.where(missing, 0, -codes if descending else codes)
    return np.lexsort((rows, key, missing)).astype(np.intp)

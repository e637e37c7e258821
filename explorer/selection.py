"""The one state that all views share.

Strings, numbers, tuples and frozen dataclasses only: an array as a trait never settles, and a
list that is changed in place changes in silence.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import traitlets

from explorer.clauses import Clause, from_json, text, to_json
from explorer.cohort import Cohort
from explorer.errors import QueryError, UnknownName
from explorer.untrusted import read_colors, read_numbers, read_opacities, read_structures

LAYOUTS = ("grid", "axial", "coronal", "sagittal", "mosaic", "sheet", "3d")
"""Arrangements of the viewer."""

_MAX_NAME = 200
_MAX_FILTERS = 200
_MAX_PLACES = 32


class _Window(traitlets.Tuple):
    """Intensities that are of the case that is open when they are set."""

    def set(self, obj: Any, value: Any) -> None:  # noqa: ANN401 - as of traitlets
        obj._window_of = obj.case
        super().set(obj, value)


class Selection(traitlets.HasTraits):
    """What the user is looking at.

    Views read it, change it and observe it; they never talk to each other. ``version`` grows
    whenever the cohort may have changed: by a filter, by the query, or by new tables.

    Parameters
    ----------
    cohort
        All cases.
    mask_sets
        Sets of masks that there are, or None where that is not known.

    Attributes
    ----------
    case
        The open case, or ``""``.
    structures
        The structures that are shown; None stands for all that the case has.
    point
        Where the crosshair is: x, y, z in RAS+ mm, or None for the middle of the image. A case that is
        opened again begins where it was left.
    mask_set
        Whose masks are shown.
    compare
        Whose masks are shown as well, for comparison, or ``""``.
    colors
        The user's own colours: pairs of a structure and ``"#rrggbb"``, at most one per structure.
    opacities
        Pairs of a structure and its own opacity, 0 to 1; it multiplies that of all.
    filters
        (source, clause) pairs, at most one per source.
    query
        Words that all cases of the cohort contain.
    layout
        One of `LAYOUTS`.
    window
        Intensities shown as black and white, or None for the 1st and 99th percentile. It is of the open
        case: another case begins with None, unless a window is set in the same update.
    version
        Counts changes of the cohort.
    token
        Names this selection, for what views of it tell each other within a page. No trait.
    """

    case = traitlets.Unicode("")
    structures: tuple[str, ...] | None = traitlets.Tuple(default_value=None, allow_none=True)  # type: ignore[assignment]
    point: tuple[float, float, float] | None = traitlets.Tuple(  # type: ignore[assignment]
        *[traitlets.Float()] * 3, default_value=None, allow_none=True
    )
    mask_set = traitlets.Unicode("reference")
    compare = traitlets.Unicode("")
    colors: tuple[tuple[str, str], ...] = traitlets.Tuple()  # type: ignore[assignment]
    opacities: tuple[tuple[str, float], ...] = traitlets.Tuple()  # type: ignore[assignment]
    filters = traitlets.Tuple()
    query = traitlets.Unicode("")
    layout = traitlets.Enum(LAYOUTS, default_value="grid")
    window: tuple[float, float] | None = _Window(  # type: ignore[assignment]
        *[traitlets.Float()] * 2, default_value=None, allow_none=True
    )
    version = traitlets.Int(0)

    def __init__(self, cohort: Cohort, mask_sets: Iterable[str] | None = None) -> None:
        super().__init__()
        self.token = uuid4().hex
        self._mask_sets = None if mask_sets is None else tuple(mask_sets)
        self._everything = cohort
        self._cohorts: dict[tuple[object, ...], Cohort] = {}
        self._window_of = ""
        self._places: dict[str, tuple[float, float, float]] = {}
        self.observe(self._leave_window, names=["case"])
        self.observe(self._keep_place, names=["case", "point"])
        self.observe(self._bump, names=["filters", "query"])

    @traitlets.validate("colors", "opacities")
    def _check_pairs(self, proposal: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
        name = proposal["trait"].name
        try:
            return (read_colors if name == "colors" else read_opacities)(proposal["value"])
        except QueryError as error:
            raise traitlets.TraitError(str(error)) from error

    @contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Make one update of what changes in it; a window is of the case that is open at its end."""
        before, self._window_of = self._window_of, ""
        with super().hold_trait_notifications():
            try:
                yield
            finally:
                self._window_of = self.case if self._window_of else before

    def _leave_window(self, change: Mapping[str, Any]) -> None:
        if change["old"] and self._window_of != self.case:
            self.window = None
        self._window_of = self.case

    def _keep_place(self, _change: object) -> None:
        self._places.pop(self.case, None)
        if self.point is not None:
            self._places[self.case] = self.point
        while len(self._places) > _MAX_PLACES:
            del self._places[next(iter(self._places))]

    @property
    def places(self) -> dict[str, tuple[float, float, float]]:
        """Where the crosshair was left in the cases that were seen last, the latest at the end."""
        return dict(self._places)

    @property
    def everything(self) -> Cohort:
        """All cases, whatever the filters."""
        return self._everything

    @everything.setter
    def everything(self, cohort: Cohort) -> None:
        self._everything = cohort
        self._bump()

    def cohort(self, ignoring: str | None = None) -> Cohort:
        """Return the cases that the filters leave.

        Parameters
        ----------
        ignoring
            A source whose own clause is left out, so that a facet sees what it could choose.
        """
        clauses = tuple(clause for source, clause in self.filters if source != ignoring)
        key = (clauses, self.query)
        if key not in self._cohorts:
            if len(self._cohorts) > 64:
                self._cohorts.clear()
            self._cohorts[key] = self._everything.where(*clauses).search(self.query)
        return self._cohorts[key]

    def clause(self, source: str) -> Clause | None:
        """Return the clause of a source, if it has one."""
        return dict(self.filters).get(source)

    def filter(self, source: str, clause: Clause | None) -> None:
        """Set the clause of a source, or take it away with None.

        Raises
        ------
        UnknownName, QueryError
            As for `Cohort.where`; nothing is changed.
        """
        if clause is not None:
            self._everything.where(clause)
        kept = dict(self.filters)
        if clause is None:
            kept.pop(source, None)
        else:
            kept[source] = clause
        self.filters = tuple(kept.items())

    def clear(self) -> None:
        """Take away all filters and the query."""
        with self.hold_trait_notifications():
            self.filters = ()
            self.query = ""

    def open(
        self, case: str, structure: str | None = None, *, window: tuple[float, float] | None = None
    ) -> None:
        """Open a case, at the middle of a structure where one is given, or else where it was left.

        Parameters
        ----------
        case
            Its id.
        structure
            Where the crosshair goes, and what is shown, too.
        window
            Intensities shown as black and white, by default the case's own 1st and 99th percentile.
            A common one suits CT; the values of MR have no common scale.

        Raises
        ------
        UnknownName
            There is no such case, or no measured structure of that name in it.
        """
        self._check_case(case)
        point = self.point if case == self.case else self._places.get(case)
        structures = self.structures
        if structure is not None:
            point = self._centre(case, structure) or point
            if structures is not None and structure not in structures:
                structures = (*structures, structure)
        with self.hold_trait_notifications():
            self.point = point
            self.structures = structures
            if window is not None:
                self.window = window
            self.case = case

    def step(self, by: int) -> None:
        """Open the next (1) or previous (-1) case of the cohort; at its ends nothing happens."""
        ids = self.cohort().ids
        if not ids:
            return
        outside = 0 if by > 0 else len(ids) - 1
        place = ids.index(self.case) + by if self.case in ids else outside
        if 0 <= place < len(ids):
            self.open(ids[place])

    def snapshot(self) -> dict[str, Any]:
        """Return the state as small JSON values: permalink, bookmark, bug report."""
        return {
            "case": self.case,
            "structures": None if self.structures is None else list(self.structures),
            "point": None if self.point is None else [round(x, 3) for x in self.point],
            "mask_set": self.mask_set,
            "compare": self.compare,
            "colors": [list(pair) for pair in self.colors],
            "opacities": [list(pair) for pair in self.opacities],
            "filters": [[source, to_json(clause)] for source, clause in self.filters],
            "query": self.query,
            "layout": self.layout,
            "window": None if self.window is None else list(self.window),
        }

    def restore(self, state: Mapping[str, Any] | str) -> None:
        """Take over a snapshot, which may come from a URL: all of it, or with an error nothing.

        Parameters
        ----------
        state
            What `snapshot` returned, or its JSON text; what is left out stays as it is.

        Raises
        ------
        QueryError
            A value is not what it should be.
        UnknownName
            It names a case, mask set, column or structure that is not there.
        """
        if isinstance(state, str):
            try:
                state = json.loads(state[:1_000_000])
            except ValueError as error:
                raise QueryError(f"The state is not JSON: {error}.") from error
        if not isinstance(state, Mapping):
            raise QueryError(f"A state is an object, not {type(state).__name__}.")
        unknown = [str(name) for name in state if name not in self._readers()]
        if unknown:
            raise UnknownName("part of a state", unknown[0], self._readers())
        values = {name: read(state[name]) for name, read in self._readers().items() if name in state}
        with self.hold_trait_notifications():
            for name, value in values.items():
                setattr(self, name, value)

    def _readers(self) -> dict[str, Callable[[Any], Any]]:
        return {
            "case": self._read_case,
            "structures": read_structures,
            "point": lambda value: read_numbers(value, 3, "point"),
            "mask_set": lambda value: self._read_mask_set(value, "mask_set"),
            "compare": lambda value: self._read_mask_set(value, "compare") if value != "" else "",
            "colors": read_colors,
            "opacities": read_opacities,
            "filters": self._read_filters,
            "query": lambda value: text(value, "query"),
            "layout": _read_layout,
            "window": lambda value: read_numbers(value, 2, "window"),
        }

    def _read_case(self, value: object) -> str:
        case = text(value, "case")
        if case:
            self._check_case(case)
        return case

    def _read_mask_set(self, value: object, what: str) -> str:
        name = text(value, what)
        if self._mask_sets is not None and name not in self._mask_sets:
            raise UnknownName("mask set", name[:_MAX_NAME], self._mask_sets)
        return name

    def _read_filters(self, value: object) -> tuple[tuple[str, Clause], ...]:
        if not isinstance(value, list) or len(value) > _MAX_FILTERS:
            raise QueryError(f"filters must be a list of at most {_MAX_FILTERS} pairs.")
        found = {}
        for pair in value:
            if not isinstance(pair, list) or len(pair) != 2:
                raise QueryError(f"A filter is a pair of source and clause; got {pair!r:.100}.")
            clause = from_json(pair[1])
            self._everything.where(clause)
            found[text(pair[0], "source of a filter")] = clause
        return tuple(found.items())

    def _check_case(self, case: str) -> None:
        index = self._everything.cases.index
        if case not in index:
            raise UnknownName("case", case, map(str, index))

    def _centre(self, case: str, structure: str) -> tuple[float, float, float] | None:
        rows = self._everything.structures
        row = rows[
            (rows["case"] == case) & (rows["structure"] == structure) & (rows["mask_set"] == self.mask_set)
        ]
        if row.empty or "centroid_x_mm" not in row:
            raise UnknownName(f"structure of {case}", structure, rows.loc[rows["case"] == case, "structure"])
        x, y, z = (float(row[f"centroid_{axis}_mm"].iloc[0]) for axis in "xyz")
        return None if x != x else (x, y, z)

    def _bump(self, _change: object = None) -> None:
        self._cohorts.clear()
        self.version += 1


def _read_layout(value: object) -> str:
    if value not in LAYOUTS:
        raise UnknownName("layout", str(value)[:100], LAYOUTS)
    return str(value)

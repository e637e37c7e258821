"""Filters as values: frozen, hashable, to and from JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.errors import QueryError

_STATUSES = ("complete", "cut_off", "absent", "missing", "unreadable")
_MAX_VALUES = 10_000
_MAX_TEXT = 1_000


@dataclass(frozen=True, slots=True)
class OneOf:
    """Cases whose column has one of some values.

    Attributes
    ----------
    column
        A column of the case table.
    values
        As text; None stands for a missing value.
    """

    column: str
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Cases whose number lies in a closed range.

    Attributes
    ----------
    column
        A numeric column of the case table.
    low, high
        Ends of the range; None leaves that side open.
    missing
        Whether cases without a value stay in.
    """

    column: str
    low: float | None
    high: float | None
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Has:
    """Cases that show a structure.

    Attributes
    ----------
    structure
        Its name.
    status
        Which status values count; by default any mask that is not empty.
    min_ml, max_ml
        Range of its volume; None leaves that side open.
    mask_set
        Whose masks.
    """

    structure: str
    status: tuple[str, ...] = ("complete", "cut_off")
    min_ml: float | None = None
    max_ml: float | None = None
    mask_set: str = "reference"


Clause = OneOf | Between | Has


def to_json(clause: Clause) -> dict[str, Any]:
    """Return a clause as JSON values."""
    if isinstance(clause, OneOf):
        return {"one_of": clause.column, "values": list(clause.values)}
    if isinstance(clause, Between):
        return {"between": clause.column, "low": clause.low, "high": clause.high, "missing": clause.missing}
    return {
        "has": clause.structure,
        "status": list(clause.status),
        "min_ml": clause.min_ml,
        "max_ml": clause.max_ml,
        "mask_set": clause.mask_set,
    }


def from_json(data: object) -> Clause:
    """Return the clause of JSON values, which may come from a URL.

    Raises
    ------
    QueryError
        They do not describe a clause.
    """
    if not isinstance(data, Mapping):
        raise QueryError(f"A filter must be an object, not {type(data).__name__}.")
    if "one_of" in data:
        values = data.get("values")
        if not isinstance(values, list) or len(values) > _MAX_VALUES:
            raise QueryError(
                f"A filter on {data['one_of']!r:.100} has a list of at most {_MAX_VALUES:,} values; "
                f"got {values!r:.100}."
            )
        texts = tuple(None if value is None else text(value, "filter value") for value in values)
        return OneOf(text(data["one_of"], "column"), texts)
    if "between" in data:
        return Between(
            text(data["between"], "column"),
            number(data.get("low"), "low"),
            number(data.get("high"), "high"),
            bool(data.get("missing", False)),
        )
    if "has" in data:
        status = data.get("status", ["complete", "cut_off"])
        if not isinstance(status, list) or not all(value in _STATUSES for value in status):
            raise QueryError(f"Status values are {', '.join(_STATUSES)}; got {status!r:.100}.")
        return Has(
            text(data["has"], "structure"),
            tuple(status),
            number(data.get("min_ml"), "min_ml"),
            number(data.get("max_ml"), "max_ml"),
            text(data.get("mask_set", "reference"), "mask_set"),
        )
    raise QueryError(f"A filter has one of one_of, between, has; got {sorted(map(str, data))[:5]}.")


def text(value: object, what: str) -> str:
    """Return a short text, or raise `QueryError`."""
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise QueryError(f"{what} must be a text of at most {_MAX_TEXT} characters; got {value!r:.100}.")
    return value


def number(value: object, what: str) -> float | None:
    """Return a finite number or None, or raise `QueryError`."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise QueryError(f"{what} must be a finite number; got {value!r:.100}.")
    return float(value)

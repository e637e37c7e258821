"""Compare what was measured again with what an index says."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from explorer import schema
from explorer.store import TABLES

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by the name of their table."""

TOLERANCE = 1e-6
"""Relative; below it numbers differ by their arithmetic, such as that of another machine."""

_KEYS: Mapping[str, tuple[str, ...]] = {
    "cases": (),
    "structures": ("mask_set", "structure"),
    "overlaps": ("mask_set", "structure", "other"),
    "findings": ("structure", "kind", "what"),
}
_NOT_MEASURED = {"case", "signature", "problems"}
_SHOWN = 3


def comparison(tables: Mapping[str, pa.Table]) -> Callable[[Rows], str]:
    """Return a function that tells in what the new rows of a case differ from those of the tables.

    Parameters
    ----------
    tables
        Of an index, each sorted by case.

    Returns
    -------
    callable
        Takes the rows of one case and returns a line of text, empty where they agree, where the
        case is new, and where the names, sizes or times of its files tell that it has changed.
    """
    spans = {name: _spans(table) for name, table in tables.items()}

    def differences(rows: Rows) -> str:
        case = rows["cases"][0]
        known = {
            name: tables[name].slice(*spans[name].get(case["case"], (0, 0))).to_pylist() for name in TABLES
        }
        if not known["cases"]:
            return ""
        if not case["signature"]:
            return f"{case['case']}: not measured again: {case['problems'][0]}"
        if known["cases"][0]["signature"] != case["signature"]:
            return ""
        found: list[str] = []
        for name, types in TABLES.items():
            new = schema.table(rows[name], types).to_pylist()
            found += _differences(_keyed(name, known[name]), _keyed(name, new))
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return f"{case['case']}: {', '.join(found[:_SHOWN])}{more}" if found else ""

    return differences


def _spans(table: pa.Table) -> dict[str, tuple[int, int]]:
    cases = table["case"].to_numpy()
    names, starts, counts = np.unique(cases.astype(str), return_index=True, return_counts=True)
    return {
        str(name): (int(start), int(count)) for name, start, count in zip(names, starts, counts, strict=True)
    }


def _keyed(name: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return rows by a text that names them; what no file says is left out."""
    return {
        " ".join(row[key] for key in _KEYS[name] if row[key] and key != "mask_set"): row
        for row in rows
        if row.get("status") != "missing"
    }


def _differences(
    known: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> Iterable[str]:
    for key in sorted(known.keys() | new.keys()):
        if key not in known or key not in new:
            yield f"{key} {'is new' if key in new else 'is gone'}"
            continue
        for column, value in known[key].items():
            if column not in _NOT_MEASURED and not _same(value, new[key][column]):
                yield f"{key} {column} {_text(value)} became {_text(new[key][column])}".strip()


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE) or (math.isnan(one) and math.isnan(other))
    return one == other


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)

"""Values of a state that may have come from a URL or a browser, read or refused."""

import re
from collections.abc import Sequence
from typing import Any

from explorer.clauses import number, text
from explorer.errors import QueryError

COLOR = re.compile(r"#[0-9a-fA-F]{6}")
"""How a colour is written."""

_MAX_STRUCTURES = 1_000
_MAX_NAME = 200


def read_structures(value: object) -> tuple[str, ...] | None:
    """Return names of structures that may have come from a URL or a browser, or raise `QueryError`."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > _MAX_STRUCTURES:
        raise QueryError(f"structures must be a list of at most {_MAX_STRUCTURES} names.")
    return tuple(text(name, "structure") for name in value)


def read_colors(value: object) -> tuple[tuple[str, str], ...]:
    """Return colours by structure, of untrusted pairs, or raise `QueryError`."""
    found = {}
    for name, color in _read_pairs(value, "colors"):
        if not isinstance(color, str) or not COLOR.fullmatch(color):
            raise QueryError(f"The colour of {name!r} must be like '#1f77b4'; got {color!r:.100}.")
        found[name] = color.lower()
    return tuple(found.items())


def read_opacities(value: object) -> tuple[tuple[str, float], ...]:
    """Return opacities by structure, of untrusted pairs, or raise `QueryError`."""
    found = {}
    for name, opacity in _read_pairs(value, "opacities"):
        share = number(opacity, f"The opacity of {name!r}")
        if share is None or not 0 <= share <= 1:
            raise QueryError(f"The opacity of {name!r} must be 0 to 1; got {opacity!r:.100}.")
        found[name] = share
    return tuple(found.items())


def _read_pairs(value: object, what: str) -> list[tuple[str, Any]]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > _MAX_STRUCTURES:
        raise QueryError(f"{what} must be at most {_MAX_STRUCTURES} pairs; got {value!r:.100}.")
    found = []
    for pair in value:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise QueryError(f"{what} must be pairs of a structure and a value; got {pair!r:.100}.")
        name = text(pair[0], f"structure of {what}")
        if not 0 < len(name) <= _MAX_NAME:
            raise QueryError(f"{what}: a structure has a name of 1 to {_MAX_NAME} characters.")
        found.append((name, pair[1]))
    return found


def read_numbers(value: object, count: int, what: str) -> tuple[float, ...] | None:
    """Return so many finite numbers, or None for None, of an untrusted list, or raise `QueryError`."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != count:
        raise QueryError(f"{what} must be {count} numbers; got {value!r:.100}.")
    found = [number(item, what) for item in value]
    if any(item is None for item in found):
        raise QueryError(f"{what} must be {count} numbers; got {value!r:.100}.")
    return tuple(item for item in found if item is not None)

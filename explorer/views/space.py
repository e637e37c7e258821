"""Answers to the 3D tile: surfaces as bytes, the tile's own program, and files to download."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from explorer.cache import DiskCache
from explorer.clauses import text
from explorer.errors import ExplorerError, QueryError
from explorer.structures import structure
from explorer.surface_cache import key, pack, unpack
from explorer.surface_files import to_file
from explorer.surfaces import TRIANGLES, Surface, strides, surface
from explorer.untrusted import COLOR
from explorer.views.overlay import Overlay
from explorer.views.view import STATIC, Answer, Message

MODULES = ("space",)
"""Programs that a front end may ask for."""

_MAX_STRUCTURES = 1_000


class Surfaces:
    """Makes surfaces of open cases, each once.

    Parameters
    ----------
    cache
        Where they are kept on disk.
    """

    def __init__(self, cache: DiskCache) -> None:
        self._cache = cache

    def get(self, masks: Overlay, case: str, name: str) -> Surface:
        """Return the surface of a structure whose mask is in.

        Parameters
        ----------
        masks
            Of the open case.
        case
            Its id.
        name
            The structure.

        Raises
        ------
        UnknownName
            No such mask is in, or it is empty.
        """
        place = key(case, masks.mask_set, masks.stamp(name), name, masks.grid, TRIANGLES)
        kept = self._cache.get(place)
        found = unpack(kept) if kept is not None else None
        if found is None:
            shape = [span.stop - span.start for span in masks.box(name)]
            stride = strides(shape, masks.grid.spacing_mm)
            inside, low = masks.cropped(name, stride)
            found = surface(inside, masks.grid, low=low, stride=stride)
            self._cache.put(place, pack(found))
        return found


def surface_answer(surfaces: Surfaces, masks: Overlay, case: str, message: Message) -> Answer:
    """Answer "surface" {structure}: vertices as 16-bit steps, triangles as 16- or 32-bit rows."""
    name = text(message.get("structure"), "structure")
    found = surfaces.get(masks, case, name)
    wide = len(found.codes) > 65_536
    rows = found.triangles.astype("<u4" if wide else "<u2")
    fields: Mapping[str, Any] = {
        "bytes": 4 if wide else 2,
        "origin": list(found.origin_mm),
        "step": list(found.step_mm),
    }
    return fields, [np.ascontiguousarray(found.codes, "<u2").tobytes(), rows.tobytes()]


def module_answer(message: Message) -> Answer:
    """Answer "module" {name}: the text of a bundle, deflated."""
    name = message.get("name")
    if not isinstance(name, str) or name not in MODULES:
        raise QueryError(f"No module {name!r:.100}; there is {', '.join(MODULES)}.")
    try:
        source = (STATIC / f"{name}.js").read_bytes()
    except OSError as error:
        raise QueryError(f"The 3D program is missing from this installation ({error}).") from error
    return {"name": name}, [zlib.compress(source, 6)]


def export_answer(
    surfaces: Surfaces, asked: Callable[[Message], tuple[Overlay, str]], message: Message
) -> Answer:
    """Answer "export" {structures, compared, format, colors}: a file of surfaces, and what could not be made.

    Those of ``compared`` are of the compared mask set.
    """
    compared = frozenset(_names(message.get("compared", [])))
    wanted = list(dict.fromkeys([*_names(message.get("structures")), *sorted(compared)]))
    if not 0 < len(wanted) <= _MAX_STRUCTURES:
        raise QueryError(f"Ask for 1 to {_MAX_STRUCTURES} structures, not {len(wanted):,}.")
    masks, case = asked(message)
    other = asked({"scene": message.get("scene"), "layer": "other"})[0] if compared else masks
    own = message.get("colors")
    colors = {name: _color(own.get(name) if isinstance(own, Mapping) else None, name) for name in wanted}
    form = text(message.get("format"), "format")
    found, failed = {}, {}
    for name in wanted:
        try:
            found[name] = surfaces.get(other if name in compared else masks, case, name)
        except ExplorerError as error:
            failed[name] = error
    if failed and not found:
        raise next(iter(failed.values()))
    data = to_file(found, colors, form)
    return {"suffix": "glb" if form == "glb" else f"{form}.zip", "left_out": list(failed)}, [data]


def handlers(
    surfaces: Surfaces, asked: Callable[[Message], tuple[Overlay, str]]
) -> Mapping[str, Callable[[Message], Answer | None]]:
    """Return what answers the 3D tile.

    Parameters
    ----------
    surfaces
        Where surfaces come from.
    asked
        Returns the masks that a message is about and the id of their case; raises `QueryError` when
        that case is no longer open.
    """
    return {
        "surface": lambda message: surface_answer(surfaces, *asked(message), message),
        "module": module_answer,
        "export": lambda message: export_answer(surfaces, asked, message),
    }


def _names(given: object) -> list[str]:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > _MAX_STRUCTURES:
        raise QueryError(f"Structures are a list of at most {_MAX_STRUCTURES} names; got {given!r:.100}.")
    return [text(name, "structure") for name in given]


def _color(given: object, name: str) -> str:
    return given if isinstance(given, str) and COLOR.fullmatch(given) else structure(name).color

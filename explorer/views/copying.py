"""What a browser says of the picture that it wants copied.

It says all that it shows: its state goes to the kernel by another way, which may be slower.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explorer.clauses import text
from explorer.errors import QueryError
from explorer.snapshot.geometry import Zoom
from explorer.snapshot.measurements import TOOLS, Measurement
from explorer.snapshot.png import read_png
from explorer.snapshot.rendered import Rendered
from explorer.snapshot.tiles import with_legend
from explorer.untrusted import read_colors, read_numbers, read_opacities, read_structures
from explorer.views.options import Options
from explorer.views.overlay import PLANES
from explorer.views.view import Message, bounded

MOST_MEASUREMENTS = 200
_FAR = 1_000_000.0


def asked_for(message: Message, layout: str) -> dict[str, Any]:
    """Return what a request says of a picture, checked, as of `explorer.snapshot.draw`.

    Parameters
    ----------
    message
        ``width`` and ``height`` of the slices in CSS pixels, beside which the legend has room of its
        own. Where 3D is seen, it comes as a PNG, its title in ``space``. What else it may say is in the
        table below; what it does not say is not in the result.
    layout
        Taken where the message names none.

    Raises
    ------
    QueryError
        A value is not what it should be.
    """
    layout = text(message.get("layout", layout), "layout")
    legend = message.get("legend") is not False
    width = round(bounded(message, "width", 64, 7680, 1200))
    space = {"space": _rendered(message)} if message.get("buffers") else {}
    return {
        "layout": layout,
        "width": with_legend("3d" if space else layout, width) if legend else width,
        "height": round(bounded(message, "height", 64, 7680, 900)),
        "scale": bounded(message, "scale", 0.5, 4, 1),
        "legend": legend,
        "plane": text(message.get("plane", "axial"), "plane"),
        **{name: read(message[name]) for name, read in _READERS.items() if name in message},
        **space,
    }


def _rendered(message: Message) -> Rendered:
    return Rendered(read_png(message["buffers"][0]), text(message.get("space"), "space"))


def _zooms(value: object) -> dict[str, Zoom]:
    known = (*PLANES, "sheet")
    if not isinstance(value, Mapping) or not set(value) <= set(known):
        raise QueryError(f"zooms must be by plane, of {', '.join(known)}; got {value!r:.100}.")
    return {plane: _zoom(zoom) for plane, zoom in value.items()}


def _zoom(value: object) -> Zoom:
    if not isinstance(value, Mapping):
        raise QueryError(f"A zoom has factor, panX and panY; got {value!r:.100}.")
    pan = (bounded(value, name, -_FAR, _FAR, 0) for name in ("panX", "panY"))
    return Zoom(bounded(value, "factor", 0.25, 40, 1), *pan)


def _measurements(value: object) -> list[Measurement]:
    if not isinstance(value, list) or len(value) > MOST_MEASUREMENTS:
        raise QueryError(
            f"A picture shows at most {MOST_MEASUREMENTS} measurements: remove some with Delete."
        )
    return [_measurement(one) for one in value]


def _measurement(value: object) -> Measurement:
    if not isinstance(value, Mapping):
        raise QueryError(f"A measurement has tool, plane, index and points; got {value!r:.100}.")
    tool, plane = (text(value.get(name), name) for name in ("tool", "plane"))
    points = value.get("points")
    if tool not in TOOLS or plane not in PLANES:
        raise QueryError(f"No measurement {tool!r:.50} on {plane!r:.50}.")
    if not isinstance(points, Sequence) or isinstance(points, str) or not 0 < len(points) <= TOOLS[tool]:
        raise QueryError(f"A measurement of a {tool} has 1 to {TOOLS[tool]} points; got {points!r:.100}.")
    return Measurement(tool, plane, _index(value.get("index")), tuple(map(_voxel, points)))


def _voxel(value: object) -> tuple[float, float, float]:
    found = read_numbers(value, 3, "A voxel")
    if found is None or max(map(abs, found)) > _FAR:
        raise QueryError(f"A voxel must be three numbers, none beyond {_FAR:,.0f}; got {value!r:.100}.")
    x, y, z = found
    return x, y, z


def _index(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _FAR:
        raise QueryError(f"A slice must be a whole number from 0, not {value!r:.100}.")
    return value


_READERS: dict[str, Callable[[object], Any]] = {
    "voxel": _voxel,
    "first": lambda value: None if value is None else _index(value),
    "window": lambda value: read_numbers(value, 2, "window"),
    "structures": read_structures,
    "colors": lambda value: dict(read_colors(value)),
    "opacities": lambda value: dict(read_opacities(value)),
    "options": Options.of,
    "zooms": _zooms,
    "measurements": _measurements,
}

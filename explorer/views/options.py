"""How pictures are drawn; what a browser says of it is checked here."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Literal

_PAINTS = ("fill", "outline", "both")
_BOUNDS = {"width": (0.5, 5.0), "opacity": (0.0, 1.0)}


@dataclass(frozen=True)
class Options:
    """How a picture is drawn.

    Attributes
    ----------
    radiological
        Whether the patient's right is on the left.
    paint
        Structures as ``"fill"``, ``"outline"`` or ``"both"``, which is ``"fill"`` where two mask sets
        are compared: the outlines are those of the other one.
    width
        Of outlines, CSS pixels, 0.5 to 5.
    overlay
        Whether structures are drawn at all.
    opacity
        Of fills, 0 to 1.
    smooth
        Whether voxels are interpolated; otherwise the nearest is shown.
    crosshair
        Whether the point is marked.
    difference
        Whether two mask sets are shown by where they differ, not by structure.
    """

    radiological: bool = True
    paint: Literal["fill", "outline", "both"] = "both"
    width: float = 1.5
    overlay: bool = True
    opacity: float = 0.45
    smooth: bool = True
    crosshair: bool = True
    difference: bool = False

    @classmethod
    def of(cls, given: object) -> "Options":
        """Take over what a browser says, where it is what it should be; the rest stays default."""
        return cls(**checked_options(given))


def checked_options(given: object) -> dict[str, Any]:
    """Return what can be used of a browser's options: known names, right types, within bounds."""
    found: dict[str, Any] = {}
    for option in fields(Options):
        value = given.get(option.name) if isinstance(given, Mapping) else None
        if isinstance(option.default, bool):
            if isinstance(value, bool):
                found[option.name] = value
        elif option.name == "paint":
            if value in _PAINTS:
                found[option.name] = value
        elif isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
            low, high = _BOUNDS[option.name]
            found[option.name] = min(max(float(value), low), high)
    return found

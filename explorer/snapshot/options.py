"""How pictures are drawn; what a browser says of it is checked here."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

_DEFAULTS: Mapping[str, Any] = {
    "radiological": True,
    "paint": "both",
    "width": 1.5,
    "overlay": True,
    "opacity": 0.45,
    "smooth": True,
    "crosshair": True,
    "difference": True,
}


@dataclass(frozen=True)
class Options:
    """How a picture is drawn.

    Attributes
    ----------
    radiological
        Whether the patient's right is on the left.
    paint
        Structures as ``"fill"``, ``"outline"`` or ``"both"``.
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
    difference: bool = True

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Options":
        """Take over what a browser says, where it is what it should be; the rest stays default."""
        taken: dict[str, Any] = {}
        for name, default in _DEFAULTS.items():
            value = values.get(name, default)
            if isinstance(default, bool):
                taken[name] = value if isinstance(value, bool) else default
            elif isinstance(default, str):
                taken[name] = value if value in ("fill", "outline", "both") else default
            else:
                usable = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
                low, high = (0.5, 5.0) if name == "width" else (0.0, 1.0)
                taken[name] = min(max(float(value), low), high) if usable else default
        return cls(**taken)

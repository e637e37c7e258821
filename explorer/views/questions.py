"""Answers about an open case: where a structure lies, windows by name, the value of a voxel."""

from collections.abc import Callable, Mapping
from math import isfinite

from explorer.clauses import text
from explorer.errors import QueryError
from explorer.views.overlay import Overlay
from explorer.views.picture import Picture
from explorer.views.view import Answer, Message


def where_answer(masks: Overlay, message: Message) -> Answer:
    """Answer "where" {structure}: its centre, its largest slices, and the slices that have it."""
    return masks.where(text(message.get("structure"), "structure")), []


def window_answer(shown: Picture, message: Message) -> Answer:
    """Answer "window" {preset, structure, layer}: two intensities; a structure where that is the preset."""
    preset = text(message.get("preset"), "preset")
    if preset == "structure":
        layer = text(message.get("layer", "labels"), "layer")
        low, high = shown.window_of(text(message.get("structure"), "structure"), layer)
    else:
        low, high = shown.preset(preset)
    return {"low": low, "high": high}, []


def value_answer(shown: Picture, message: Message) -> Answer:
    """Answer "value" {voxel: x, y, z}: a number, or the words "NaN", "inf" or "-inf", as JSON has none."""
    voxel = message.get("voxel")
    if (
        not isinstance(voxel, list)
        or len(voxel) != 3
        or not all(type(at) is int and 0 <= at < n for at, n in zip(voxel, shown.grid.shape, strict=True))
    ):
        raise QueryError(f"voxel must be three whole numbers within {shown.grid.shape}, not {voxel!r:.100}.")
    x, y, z = voxel
    value = shown.value((x, y, z))
    return {"value": value if isfinite(value) else f"{value}".replace("nan", "NaN")}, []


def handlers(
    asked: Callable[[Message], Picture], masks_asked: Callable[[Message], tuple[Overlay, str]]
) -> Mapping[str, Callable[[Message], Answer | None]]:
    """Return what answers questions.

    Parameters
    ----------
    asked
        Returns the picture that a message is about; raises `OutdatedError` when it is no longer open.
    masks_asked
        The same of masks, and the id of their case.
    """
    return {
        "where": lambda message: where_answer(masks_asked(message)[0], message),
        "value": lambda message: value_answer(asked(message), message),
        "window": lambda message: window_answer(asked(message), message),
    }

"""Answers about an open case: where a structure lies, and windows by name."""

from collections.abc import Callable, Mapping

from explorer.clauses import text
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
        "window": lambda message: window_answer(asked(message), message),
    }

"""All that a browser needs to show a case before it is open."""

from collections.abc import Iterable
from typing import Any

from explorer.dataset import Dataset
from explorer.views.facts import case_facts
from explorer.views.picture import LAYERS, Picture
from explorer.views.planning import Planner
from explorer.views.slices import MAX_STRIDE, first_slices
from explorer.views.states import masks_states, scene_key, scene_state
from explorer.views.view import Answer, Message, bounded


def facts_of(planner: Planner, dataset: Dataset, case: str, picture: Picture | None) -> list[list[str]]:
    """Return label, value and note of what is known of a case, as `case_facts` does."""
    return case_facts(planner.row(case), dataset, case, picture)


def masks_of(planner: Planner, case: str, picture: Picture) -> list[dict[str, Any]]:
    """Return the states of the mask sets that are shown, as far as they are read."""
    measured = [planner.measured(case, overlay.mask_set) for overlay in picture.shown]
    return masks_states(scene_key(case, picture), picture.shown, measured)


def page(
    planner: Planner, dataset: Dataset, case: str, picture: Picture, planes: Iterable[str], message: Message
) -> Answer:
    """Return a case as a browser asks for it ahead.

    Parameters
    ----------
    planner
        What the tables know.
    dataset
        Whose case.
    case
        Its id.
    picture
        The case; nothing is told while masks are missing.
    planes
        Which are seen.
    message
        ``compress`` and ``stride`` of its slices, see `first_slices`.

    Returns
    -------
    tuple
        ``scene``, ``labels``, ``other``, ``facts`` and ``slices``, or no fields. And buffers.
    """
    stride = round(bounded(message, "stride", 1, MAX_STRIDE, 1))
    expected = 2 if picture.compare else 1
    if len(picture.shown) < expected or not all(overlay.complete for overlay in picture.shown):
        return {}, []
    key = scene_key(case, picture)
    states = masks_of(planner, case, picture)
    layers = LAYERS[: 1 + len(states)]
    fields, buffers = first_slices(
        picture, key, layers, planes, None, message.get("compress") is True, stride
    )
    return {
        **fields,
        "scene": scene_state(key, case, picture),
        "facts": facts_of(planner, dataset, case, picture),
        "labels": states[0],
        "other": states[1] if len(states) > 1 else {},
    }, buffers

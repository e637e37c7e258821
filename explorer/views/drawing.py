"""The picture that a viewer shows, drawn without a browser."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from explorer.selection import Selection
from explorer.views.options import Options
from explorer.views.overlay import Overlay
from explorer.views.picture import Picture

_MOST_NAMES = 3


def draw_shown(
    picture: Picture,
    selection: Selection,
    *,
    options: Options,
    rows: Sequence[Mapping[str, Any]],
    **more: Any,  # noqa: ANN401 - as of `explorer.snapshot.draw`
) -> bytes:
    """Draw what is shown of a case.

    Parameters
    ----------
    picture
        The case.
    selection
        What of it is shown.
    options
        How. Where two sets are shown, the reference is the one that the other is held against: the
        outline, and its colour of a difference tells what was missed.
    rows
        The list of structures, with ``name`` and ``volume_ml``.
    more
        As of `explorer.snapshot.draw`: size, and whatever differs from what the selection has.
        The grid stands for the layout ``"3d"``, which only a browser draws.

    Returns
    -------
    bytes
        A PNG.
    """
    from explorer.snapshot import draw

    given: dict[str, Any] = {
        "point": selection.point,
        "structures": selection.structures,
        "layout": selection.layout,
        "window": selection.window,
        "colors": dict(selection.colors),
        "opacities": dict(selection.opacities),
        **more,
    }
    given["layout"] = "grid" if given["layout"] == "3d" else given["layout"]
    masks, other = picture.labels, picture.other
    if masks is not None and other is not None:
        if options.paint == "both":
            options = replace(options, paint="fill")  # the outlines are those of the other set
        if masks.mask_set == "reference":
            masks, other = other, masks  # what the reference is held against is filled
    return draw(
        picture,
        masks=masks,
        other=other,
        names=(masks.mask_set if masks else "", other.mask_set if other else ""),
        options=options,
        volumes_ml={row["name"]: row["volume_ml"] for row in rows if row["volume_ml"] is not None},
        notes=[*_whose(picture), *missing(picture)],
        **given,
    )


def _whose(picture: Picture) -> list[str]:
    """Name the mask set where it is not the one that a reader takes it for."""
    named = picture.labels is not None and picture.other is None and picture.mask_set != "reference"
    return [f"Masks: {picture.mask_set}"] if named else []


def missing(picture: Picture) -> list[str]:
    """Return what a picture lacks because files cannot be read, a line each."""
    lines = ["No image: only masks are shown."] if picture.problem else []
    return lines + [words for overlay in picture.shown if (words := _unread(overlay))]


def _unread(overlay: Overlay) -> str:
    names = [name.replace("_", " ") for name in overlay.problems]
    if not names:
        return ""
    whose = "" if overlay.mask_set == "reference" else f" of {overlay.mask_set}"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"Not readable{whose}: {', '.join(names[:_MOST_NAMES])}{more}"

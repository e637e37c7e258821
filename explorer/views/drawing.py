"""The picture that a viewer shows, drawn without a browser."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from explorer.selection import Selection
from explorer.views.options import Options
from explorer.views.overlay import Overlay
from explorer.views.picture import Picture

_MOST_NAMES = 3
_LONGEST_NAME = 40


def draw_shown(
    picture: Picture,
    selection: Selection,
    *,
    options: Options,
    rows: Sequence[Mapping[str, Any]],
    others: Sequence[Mapping[str, Any]] = (),
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
        The list of structures, with ``name``, ``volume_ml`` and ``status``.
    others
        The same of the compared mask set.
    more
        As of `explorer.snapshot.draw`: size, and whatever differs from what the selection has.
        Without a browser's ``space`` the grid stands for the layout ``"3d"``.

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
    if given["layout"] == "3d" and "space" not in given:
        given["layout"] = "grid"
    masks, other = picture.labels, picture.other
    if masks is not None and other is not None:
        if options.paint == "both":
            options = replace(options, paint="fill")  # the outlines are those of the other set
        if masks.mask_set == "reference":
            masks, other = other, masks  # what the reference is held against is filled
    told = _told(rows, others, picture.other.mask_set if picture.other else "")
    return draw(
        picture,
        masks=masks,
        other=other,
        names=(masks.mask_set if masks else "", other.mask_set if other else ""),
        options=options,
        volumes_ml={
            name: row["volume_ml"] for name, (row, _) in told.items() if row["volume_ml"] is not None
        },
        volumes_of=picture.labels.mask_set if picture.labels else "",
        remarks={name: remark for name, (_, remark) in told.items()},
        notes=[*_whose(picture, in_space="space" in given), *missing(picture)],
        **given,
    )


def _told(
    rows: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], compared: str
) -> dict[str, tuple[Mapping[str, Any], str]]:
    """Return the row and a remark of each structure that is there, as the list has them.

    Of one that the compared mask set alone has, both are that set's.
    """
    found = {row["name"]: (row, f"only {compared[:_LONGEST_NAME]}") for row in others if _is_present(row)}
    for row in rows:
        if _is_present(row):
            found[row["name"]] = row, "cut off" if row["status"] == "cut_off" else ""
    return found


def _is_present(row: Mapping[str, Any]) -> bool:
    """Return whether a mask has any voxel, as far as it was measured."""
    return row["status"] in ("complete", "cut_off") or (row["status"] == "" and (row["volume_ml"] or 0) > 0)


def _whose(picture: Picture, *, in_space: bool) -> list[str]:
    """Name the mask sets where a reader may not take them for what they are."""
    if picture.labels is None:
        return []
    if picture.other is None:
        return [f"Masks: {picture.mask_set}"] if picture.mask_set != "reference" else []
    return [f"3D: {picture.mask_set}, and what only {picture.compare} has"] if in_space else []


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

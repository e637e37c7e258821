"""What a browser is told of an open case, and what it may tell, as JSON values."""

from collections.abc import Mapping, Sequence
from typing import Any

from explorer.findings import listed
from explorer.measure import touched_faces
from explorer.structures import in_order, structure
from explorer.views.overlay import Overlay
from explorer.views.picture import Picture
from explorer.views.slices import axis_letters


def scene_state(key: str, case: str, picture: Picture) -> dict[str, Any]:
    """Return geometry, scaling and window of a case.

    Parameters
    ----------
    key
        Names this reading of the case, see `scene_key`.
    case
        Its id.
    picture
        Its image.
    """
    return {
        "key": key,
        "case": case,
        "content": picture.content,
        "shape": list(picture.grid.shape),
        "spacing": list(picture.grid.spacing_mm),
        "affine": picture.grid.affine[:3].ravel().tolist(),
        "stored": [list(turn) for turn in picture.as_stored.turns],
        "letters": [list(pair) for pair in axis_letters(picture.grid)],
        "image": not picture.problem,
        "dtype": picture.dtype,
        "scale": picture.scale,
        "offset": picture.offset,
        "exact": picture.exact,
        "window": list(picture.window),
        "tilt": round(picture.grid.tilt_degrees, 1),
        "orthogonal": picture.grid.orthogonal,
    }


def scene_key(case: str, picture: Picture) -> str:
    """Return what names a reading of a case."""
    return f"{case}#{picture.serial}"


def masks_states(
    key: str, overlays: Sequence[Overlay], measured: Sequence[Mapping[str, Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """Return the state of each mask set, with the same list of structures in all.

    Parameters
    ----------
    key
        Of the scene.
    overlays
        The masks, as far as they are read.
    measured
        For each, ``volume_ml`` and ``status`` by structure, as far as the tables know them.
    """
    names = in_order({name for rows in measured for name in rows} | {n for o in overlays for n in o.names})
    return [labels_state(key, overlay, names, rows) for overlay, rows in zip(overlays, measured, strict=True)]


def labels_state(
    key: str, overlay: Overlay, names: Sequence[str], measured: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return which structures there are, and which of them each id stands for.

    Parameters
    ----------
    key
        Of the scene.
    overlay
        The masks, as far as they are read.
    names
        In the order of the list; all structures of `overlay` and more.
    measured
        ``volume_ml`` and ``status`` by structure, as far as the tables know them.
    """
    voxel_ml = overlay.grid.voxel_volume_ml
    # Before the sets, which only grow: ids that are cut in between are of known sets.
    revision, complete = overlay.revision, overlay.complete
    known = dict(measured)
    for name in overlay.read_names():
        extent = overlay.extents.get(name)
        if extent is None:
            found: dict[str, Any] = {"volume_ml": 0.0, "status": "absent"}
        else:
            cut_off = touched_faces(extent.box, overlay.grid) != ""
            found = {
                "volume_ml": extent.voxels * voxel_ml,
                "status": "cut_off" if cut_off else "complete",
            }
        known.setdefault(name, found)
    for name in tuple(overlay.problems):
        known[name] = {"volume_ml": None, "status": "unreadable"}
    place = {name: row for row, name in enumerate(names)}
    return {
        "key": key,
        "content": overlay.token,
        "mask_set": overlay.mask_set,
        "revision": revision,
        "complete": complete,
        "bytes": overlay.bytes_per_id,
        "sets": [sorted(place[name] for name in members) for members in overlay.sets],
        "structures": structure_rows(names, known),
    }


def structure_rows(names: Sequence[str], measured: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what a list of structures shows, as JSON values.

    Parameters
    ----------
    names
        In the order of the list.
    measured
        ``volume_ml`` and ``status`` by structure, as far as known.
    """
    rows = []
    for name in names:
        known = structure(name)
        row = measured.get(name, {})
        volume = row.get("volume_ml")
        rows.append(
            {
                "name": name,
                "label": known.label,
                "side": known.side[:1].upper(),
                "group": known.group,
                "color": known.color,
                "snomed": known.snomed,
                "volume_ml": None if volume is None or volume != volume else round(float(volume), 3),
                "status": str(row.get("status", "")),
            }
        )
    return rows


def problems_text(picture: Picture) -> str:
    """Return what is wrong with the files of an open case, in a line or two."""
    found = [picture.problem]
    for overlay in (picture.labels, picture.other):
        if overlay is None:
            continue
        found.append(overlay.note)
        if overlay.problems:
            whose = "" if overlay.mask_set == "reference" else f"{overlay.mask_set}: "
            (_, first), *others = tuple(overlay.problems.items())
            more = f" Nor can these masks be read: {listed(name for name, _ in others)}." if others else ""
            found.append(f"{whose}{first}{more}")
    return " ".join(text for text in found if text)

"""Read a case in the order in which it is looked at: image, then masks, structure by structure."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Literal

from explorer.case import Case
from explorer.errors import ExplorerError, VolumeError
from explorer.grid import Grid
from explorer.views.overlay import Overlay
from explorer.views.picture import Picture, blank, picture
from explorer.volume import masks_grid, read_image

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.15, 2.4
"""Between two tellings that masks have come: the first, and the longest, to which they double."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be read of a case.

    Attributes
    ----------
    case
        Whose files.
    mask_sets
        Which sets of masks, the shown one first.
    chosen
        Tells the structures that the user looks at, None for all; asked before each mask.
    volumes
        Tells the volume of structures, in ml, as far as it is known.
    window
        Signature of the files and 1st and 99th percentile, where they were measured.
    expected_bytes
        Memory that the case will about need.
    """

    case: Case
    mask_sets: tuple[str, ...]
    chosen: Callable[[], Collection[str] | None]
    volumes: Callable[[], Mapping[str, float]]
    window: tuple[str, float, float] | None
    expected_bytes: int


@dataclass(frozen=True, eq=False)
class Step:
    """What has come of a case: the image, its exact window, more masks, or all that was planned."""

    kind: Literal["image", "window", "masks", "complete"]
    picture: Picture


def is_complete(picture: Picture, plan: Plan) -> bool:
    """Tell whether nothing of a plan is left to be read."""
    found = [picture.overlays.get(name) for name in plan.mask_sets]
    return picture.settled and all(overlay is not None and overlay.complete for overlay in found)


def read(plan: Plan, kept: Picture | None, cancelled: Callable[[], bool]) -> Iterator[Step]:
    """Read a case, or what is left of it.

    Parameters
    ----------
    plan
        What to read.
    kept
        What is there of it already.
    cancelled
        Asked between files.

    Raises
    ------
    VolumeError
        Neither the image nor any mask can be read.
    """
    found = kept
    if found is None:
        found = _open(plan)
        yield Step("image", found)
    if not found.settled:
        found.settle()
        yield Step("window", found)
    for mask_set in plan.mask_sets:
        overlay = found.overlays.get(mask_set)
        if overlay is None:
            overlay = found.overlays[mask_set] = Overlay(plan.case, mask_set, found.as_stored)
        pause = FIRST_PAUSE_SECONDS
        due = monotonic() + pause
        for _ in overlay.fill(partial(_next, plan, overlay), cancelled):
            if monotonic() >= due and not overlay.complete:
                yield Step("masks", found)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                due = monotonic() + pause
        if cancelled():
            return
        yield Step("masks", found)
    found.spread()  # so that the presets of the window are there when they are asked for
    yield Step("complete", found)


def _open(plan: Plan) -> Picture:
    try:
        signature = plan.case.signature()
    except ExplorerError:
        signature = ""
    content = f"{plan.case.id}/{signature}" if signature else ""
    try:
        volume = read_image(plan.case)
    except VolumeError as error:
        for mask_set in plan.mask_sets:
            grid = _grid(plan.case, mask_set)
            if grid is not None:
                return blank(grid, f"{error} Only its masks are shown.", f"{content}/masks only")
        raise
    window = None
    if plan.window is not None and plan.window[0] == signature:
        window = plan.window[1:]
    return picture(volume, window, content)


def _grid(case: Case, mask_set: str) -> Grid | None:
    try:
        return masks_grid(case, mask_set)
    except ExplorerError:
        return None


def _next(plan: Plan, overlay: Overlay, left: Sequence[str]) -> str:
    """Return which mask to read next: chosen ones first, then those with most in them."""
    chosen = plan.chosen()
    volumes = plan.volumes()

    def rank(name: str) -> tuple[bool, float, int]:
        return chosen is None or name not in chosen, -volumes.get(name, 0.0), -overlay.bytes_of(name)

    return min(left, key=rank)

"""Read and measure one case: all that a worker process does.

Nothing here needs tables, so that a worker starts fast and stays small.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from explorer.case import Case
from explorer.errors import DatasetError, VolumeError
from explorer.findings import OUTAGES, PASSING, Finding
from explorer.grid import Grid
from explorer.labels import Mask
from explorer.measure import Measures, Row, measure_case
from explorer.volume import Volume, iter_masks, masks_grid, read_image

_MOST_LOST = 2
"""Files in a row that the place keeps back, each after several attempts, before a case is given up."""


def measure_files(case: Case, signature: str) -> Measures:
    """Read and measure one case; whatever is wrong with it becomes a problem of its row.

    Parameters
    ----------
    case
        What to read.
    signature
        Of its files, kept in the row; not where something went wrong that may pass, so that the
        case is measured again.
    """
    findings: list[Finding] = []
    image: Volume | None = None
    grid: Grid | None = None
    names: Sequence[str] = ()
    sizes: tuple[int | None, int | None] = (None, None)
    try:
        image = read_image(case, digest=True)
        grid = image.grid
    except Exception as error:  # noqa: BLE001 - whatever a file does, the other cases are measured
        findings.append(_told(error))
    try:
        names = list(case.masks())
        image_bytes, mask_bytes = case.sizes()
        # Some servers tell no sizes.
        sizes = (image_bytes or None, mask_bytes if mask_bytes or not names else None)
        findings += case.findings()
    except Exception as error:  # noqa: BLE001 - as above
        findings.append(_told(error))
    try:
        if grid is None and names:
            grid = masks_grid(case)
        lost = sum(finding.kind in OUTAGES for finding in findings)
        masks = iter_masks(case, grid, names) if names else ()
        found = measure_case(image, grid, _unless_lost(masks, lost))
    except Exception as error:  # noqa: BLE001 - as above
        findings.append(_told(error))
        found = Measures({}, _unreadable(names), [], [])
    return _measures(case, signature, found, [*findings, *found.findings], sizes)


def worker_died(case: Case, signature: str) -> Measures:
    """Return what is known of a case that cannot be measured, since that ends the process."""
    what = (
        "Not measured: the process that measured it died each time, the second time with no other beside "
        "it, most likely for want of memory."
    )
    found = Measures({}, [], [], [])
    with suppress(DatasetError):
        found.structures.extend(_unreadable(case.masks()))
    return _measures(case, signature, found, [Finding("worker_died", what)], (None, None))


def _measures(
    case: Case,
    signature: str,
    found: Measures,
    findings: Iterable[Finding],
    sizes: tuple[int | None, int | None],
) -> Measures:
    """Return rows that name their case, with all that is wrong with it."""
    findings = [replace(finding, case=case.id) for finding in dict.fromkeys(findings)]
    row = {
        **found.case,
        "case": case.id,
        "problems": [finding.what for finding in findings if finding.severity != "note"],
        "image_bytes": sizes[0],
        "mask_bytes": sizes[1],
        "signature": "" if any(finding.kind in PASSING for finding in findings) else signature,
    }
    return Measures(
        row,
        [{**structure, "case": case.id} for structure in found.structures],
        [{**overlap, "case": case.id} for overlap in found.overlaps],
        findings,
    )


def _unreadable(names: Iterable[str]) -> list[Row]:
    return [{"mask_set": "reference", "structure": name, "status": "unreadable"} for name in names]


def _unless_lost(
    masks: Iterable[tuple[str, Mask | VolumeError]], lost: int
) -> Iterator[tuple[str, Mask | VolumeError]]:
    """Pass masks on until too many files in a row, `lost` before these, were kept back by their place."""
    for name, mask in masks:
        lost = lost + 1 if isinstance(mask, VolumeError) and mask.kind in OUTAGES else 0
        if lost >= _MOST_LOST and isinstance(mask, VolumeError):
            raise mask
        yield name, mask


def _told(error: Exception) -> Finding:
    if isinstance(error, VolumeError | DatasetError):
        return Finding(error.kind, str(error))
    return Finding("not_measured", f"Not measured: {type(error).__name__}: {error}")

"""Read and measure one case: all that a worker process does.

Nothing here needs tables, so that a worker starts fast and stays small.
"""

from collections.abc import Sequence
from dataclasses import replace

from explorer.dataset import Case
from explorer.errors import VolumeError
from explorer.findings import Finding
from explorer.grid import Grid
from explorer.measure import Measures, measure_case
from explorer.volume import Volume, iter_masks, masks_grid, read_image


def measure_files(case: Case, signature: str) -> Measures:
    """Read and measure one case; whatever is wrong with it becomes a problem of its row.

    Parameters
    ----------
    case
        What to read.
    signature
        Of its files, kept in the row.
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
        names, sizes = list(case.masks()), case.sizes()
        findings += case.left_out()
        if grid is None:
            grid = masks_grid(case)
        found = measure_case(image, grid, iter_masks(case, grid))
    except Exception as error:  # noqa: BLE001 - as above
        findings.append(_told(error))
        rows = [{"mask_set": "reference", "structure": name, "status": "unreadable"} for name in names]
        found = Measures({}, rows, [], [])
    findings = [replace(finding, case=case.id) for finding in (*findings, *found.findings)]
    row = {
        **found.case,
        "case": case.id,
        "problems": [finding.what for finding in findings if finding.severity != "note"],
        "image_bytes": sizes[0] or None,  # some servers tell no sizes
        "mask_bytes": sizes[1] or (None if names else sizes[1]),
        "signature": signature,
    }
    return Measures(
        row,
        [{**structure, "case": case.id} for structure in found.structures],
        [{**overlap, "case": case.id} for overlap in found.overlaps],
        findings,
    )


def _told(error: Exception) -> Finding:
    if isinstance(error, VolumeError):
        return Finding(error.kind, str(error))
    return Finding("not_measured", f"Not measured: {type(error).__name__}: {error}")

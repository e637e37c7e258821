"""A session of many cases: memory and open files stay what they were."""

import asyncio
import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from samples import nifti_bytes

from explorer import Cohort, Selection, open_dataset
from explorer.views import viewer
from explorer.views.viewer import Viewer

CASES, SHAPE = 300, (96, 80, 64)
BUDGET_BYTES = 8_000_000


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_three_hundred_cases_one_after_another_take_no_more_than_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As in a kernel, with the next case read ahead, slices asked for and one case that cannot be read in twenty."""
    rng = np.random.default_rng(0)
    first = tmp_path / "s0000"
    (first / "segmentations").mkdir(parents=True)
    (first / "mri.nii.gz").write_bytes(nifti_bytes(rng.integers(0, 99, SHAPE).astype(np.int16)))
    for name in ("liver", "spleen"):
        mask = np.zeros(SHAPE, np.uint8)
        mask[20:70, 10:50, 12 + len(name) : 50] = 1
        (first / "segmentations" / f"{name}.nii.gz").write_bytes(nifti_bytes(mask))
    for number in range(1, CASES):
        folder = tmp_path / f"s{number:04}"
        (folder / "segmentations").mkdir(parents=True)
        for path in first.rglob("*.gz"):
            os.link(path, folder / path.relative_to(first))
        if number % 20 == 7:
            (folder / "mri.nii.gz").unlink()
            (folder / "mri.nii.gz").write_bytes(b"cut")
    dataset = open_dataset(tmp_path)
    selection = Selection(Cohort.join(dataset.meta))
    seen: list[tuple[int, int]] = []

    async def go() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(viewer, "kernel_loop", lambda: loop)
        view = Viewer(selection, dataset, memory_bytes=BUDGET_BYTES)
        for number in range(CASES):
            selection.step(1)
            assert selection.case == f"s{number:04}"
            while view.busy or (view._opener._job is not None):
                await asyncio.sleep(0.002)
            readable = number % 20 != 7
            assert (view.error == "") == readable
            assert view._opener.shelf.nbytes <= BUDGET_BYTES
            if number == CASES // 3 or number == CASES - 1:
                seen.append((resident_bytes(), open_files()))
        view.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, go()).result()
    (early, files_early), (late, files_late) = seen
    assert late - early < BUDGET_BYTES
    assert files_late <= files_early

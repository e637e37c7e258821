"""CPU of measuring one case, against the CPU that its decompression alone needs, and two readers.

Each works in a process of its own, as it would for its user: what one leaves of the heap makes the
next one's new pages cheap or dear. They take turns. Exits with 1 when a bound is missed.

    python benchmarks/case.py
"""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

from cases import write_case

SHAPE = (320, 260, 80)
FLOOR, NIBABEL, SIMPLEITK = 1.8, 12.0, 4.0
ROUNDS = 5


def packed(here: Path) -> list[tuple[bytes, int]]:
    """Return the distinct files of a case, and the bytes that each becomes."""
    voxels = SHAPE[0] * SHAPE[1] * SHAPE[2]
    masks = {path.read_bytes() for path in sorted((here / "segmentations").iterdir())}
    return [((here / "mri.nii.gz").read_bytes(), 352 + 2 * voxels)] + [(data, 352 + voxels) for data in masks]


def isal(here: Path) -> Callable[[], None]:
    """Decompress by isal."""
    from isal import isal_zlib

    files = packed(here)

    def work() -> None:
        for data, room in files:
            assert len(isal_zlib.decompress(data, wbits=31, bufsize=room)) == room

    return work


def libdeflate(here: Path) -> Callable[[], None]:
    """Decompress by libdeflate."""
    from deflate import gzip_decompress

    files = packed(here)

    def work() -> None:
        for data, room in files:
            assert len(gzip_decompress(data, room)) == room

    return work


def measuring(here: Path) -> Callable[[], None]:
    """Measure all of the case, as a worker does."""
    from explorer import open_dataset
    from explorer.intake import measure_files

    case = open_dataset(here.parent)[here.name]
    present = len(packed(here)) - 2

    def work() -> None:
        found = measure_files(case, "")
        assert found.case["structures_present"] == present
        assert not found.case["problems"]

    return work


def in_numpy(here: Path) -> Callable[[], None]:
    """Measure it without the compiled kernel."""
    os.environ["EXPLORER_NO_KERNEL"] = "1"
    return measuring(here)


def masks_only(here: Path) -> Callable[[], None]:
    """Read the masks and no more."""
    from explorer import open_dataset
    from explorer.volume import iter_masks, read_image

    case = open_dataset(here.parent)[here.name]
    grid = read_image(case).grid

    def work() -> None:
        for _ in iter_masks(case, grid):
            pass

    return work


def nibabel(here: Path) -> Callable[[], None]:
    """Sum each mask as floats, which is what most scripts do."""
    import nibabel as nib

    masks = sorted((here / "segmentations").iterdir())

    def work() -> None:
        for path in masks:
            nib.load(path).get_fdata().sum()

    return work


def simpleitk(here: Path) -> Callable[[], None]:
    """Read the masks by SimpleITK."""
    import SimpleITK as sitk  # noqa: N813 - its usual name

    masks = sorted((here / "segmentations").iterdir())

    def work() -> None:
        for path in masks:
            sitk.ReadImage(str(path))

    return work


WORKS = {
    work.__name__: work for work in (isal, libdeflate, masks_only, measuring, in_numpy, nibabel, simpleitk)
}
_ready: list[Callable[[], None]] = []


def seconds(name: str, here: Path, times: int) -> list[float]:
    """Return the CPU seconds of some calls, all threads of this process together; the first one warms up."""
    if not _ready:
        _ready.append(WORKS[name](here))
        _ready[0]()
    found = []
    for _ in range(times):
        start = process_time()
        _ready[0]()
        found.append(process_time() - start)
    return found


def main() -> int:
    """Print medians and ratios; return the exit code."""
    times: dict[str, list[float]] = {name: [] for name in WORKS}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        here = write_case(Path(folder), SHAPE)
        (here.parent / "meta.csv").write_text("image_id\ns0001\n")
        files = packed(here)
        print(f"{SHAPE}, {len(files)} distinct files of {sum(len(data) for data, _ in files) / 1e6:.1f} MB")
        spawn = get_context("spawn")
        pools = {
            name: stack.enter_context(ProcessPoolExecutor(max_workers=1, mp_context=spawn)) for name in WORKS
        }
        for _ in range(ROUNDS):
            for name, pool in pools.items():
                times[name] += pool.submit(seconds, name, here, 1 if name == "nibabel" else 3).result()
    cpu = {name: median(found) for name, found in times.items()}
    for name, value in cpu.items():
        print(f"{name:14} {1000 * value:8.1f} ms CPU (median of {len(times[name])})")
    floor = min(cpu["isal"], cpu["libdeflate"])
    print(f"{'SimpleITK / reading the masks':30} {cpu['simpleitk'] / cpu['masks_only']:6.2f}")
    print(f"{'without kernel / decompressing':30} {cpu['in_numpy'] / floor:6.2f}")
    ours, missed = cpu["measuring"], 0
    for what, ratio, bound, is_most in (
        ("measuring / decompressing", ours / floor, FLOOR, True),
        ("nibabel / measuring", cpu["nibabel"] / ours, NIBABEL, False),
        ("SimpleITK / measuring", cpu["simpleitk"] / ours, SIMPLEITK, False),
    ):
        held = ratio <= bound if is_most else ratio >= bound
        missed += not held
        print(
            f"{what:30} {ratio:6.2f}  {'<=' if is_most else '>='} {bound:<5g} {'held' if held else 'MISSED'}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""CPU of measuring one case, against the CPU that its decompression alone needs, and two readers.

Run as ``python benchmarks/case.py``; exits with 1 when a bound is missed.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

import nibabel as nib
import SimpleITK as sitk  # noqa: N813 - its usual name
from cases import write_case
from deflate import gzip_decompress
from isal import isal_zlib

from explorer import open_dataset
from explorer.intake import measure_files
from explorer.volume import iter_masks, read_image

SHAPE = (320, 260, 80)
FLOOR, NIBABEL, SIMPLEITK = 1.8, 12.0, 4.0


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of a call, all threads of the process together."""
    start = process_time()
    work()
    return process_time() - start


def main() -> int:
    """Print medians and ratios; return the exit code."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        here = write_case(root, SHAPE)
        (root / "meta.csv").write_text("image_id\ns0001\n")
        case = open_dataset(root)["s0001"]
        masks = sorted((here / "segmentations").iterdir())
        voxels = SHAPE[0] * SHAPE[1] * SHAPE[2]
        members = {path.read_bytes() for path in masks}
        packed = [((here / "mri.nii.gz").read_bytes(), 352 + 2 * voxels)]
        packed += [(data, 352 + voxels) for data in members]
        size = sum(len(data) for data, _ in packed) / 1e6
        print(f"{SHAPE}, {len(masks)} masks, {len(packed)} distinct files of {size:.1f} MB")

        def isal() -> None:
            for data, room in packed:
                assert len(isal_zlib.decompress(data, wbits=31, bufsize=room)) == room

        def libdeflate() -> None:
            for data, room in packed:
                assert len(gzip_decompress(data, room)) == room

        def ours() -> None:
            found = measure_files(case, "")
            assert found.case["structures_present"] == len(members) - 1
            assert not found.case["problems"]

        def nibabel() -> None:
            for path in masks:
                nib.load(path).get_fdata().sum()

        def simpleitk() -> None:
            for path in masks:
                sitk.ReadImage(str(path))

        grid = read_image(case).grid

        def masks_only() -> None:
            for _ in iter_masks(case, grid):
                pass

        works = {f.__name__: f for f in (isal, libdeflate, masks_only, ours)}
        slow = {f.__name__: f for f in (nibabel, simpleitk)}
        for work in works.values():
            work()  # imports, first pages
        times: dict[str, list[float]] = {name: [] for name in (*works, *slow)}
        for turn in range(15):
            for name, work in works.items():
                times[name].append(seconds(work))
            if turn % 5 == 0:
                for name, work in slow.items():
                    times[name].append(seconds(work))
    cpu = {name: median(found) for name, found in times.items()}
    for name, value in cpu.items():
        print(f"{name:12} {1000 * value:8.1f} ms CPU (median of {len(times[name])})")
    floor = min(cpu["isal"], cpu["libdeflate"])
    checks = [
        ("measuring / decompressing", cpu["ours"] / floor, cpu["ours"] / floor <= FLOOR, f"<= {FLOOR}"),
        (
            "nibabel / measuring",
            cpu["nibabel"] / cpu["ours"],
            cpu["nibabel"] / cpu["ours"] >= NIBABEL,
            f">= {NIBABEL}",
        ),
        (
            "SimpleITK / measuring",
            cpu["simpleitk"] / cpu["ours"],
            cpu["simpleitk"] / cpu["ours"] >= SIMPLEITK,
            f">= {SIMPLEITK}",
        ),
    ]
    ratio = cpu["simpleitk"] / cpu["masks_only"]
    print(f"{'SimpleITK / reading the masks':30} {ratio:6.2f}")
    for what, ratio, held, bound in checks:
        print(f"{what:30} {ratio:6.2f}  {bound:8} {'held' if held else 'MISSED'}")
    return 0 if all(held for _, _, held, _ in checks) else 1


if __name__ == "__main__":
    sys.exit(main())

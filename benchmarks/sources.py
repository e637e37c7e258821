"""A zip in place against the folder, its directory against `zipfile`, a URL against plain fsspec.

Prints medians and ratios of one run, and exits 1 when a bound is missed:

- an index built from a zip takes at most 1.15 times as long as from the folder of the same cases;
- a directory of 66,000 members is read no slower than by `zipfile`;
- a case behind a URL costs at most 1.2 times its own bytes, over one connection.
"""

import os
import random
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import fsspec
import nibabel as nib
import numpy as np

from explorer import build_index, open_dataset
from explorer.files import open_files

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "python"))
from range_server import serving

SHAPE = (320, 260, 80)
CASES = 6
MASKS = 20
ROUNDS = 7
MEMBERS = 66_096


def write_cases(root: Path) -> None:
    """Write cases of a usual size: a noisy image and ellipsoids, a third of them not empty."""
    rng = np.random.default_rng(0)
    grid = np.ogrid[tuple(slice(0, n) for n in SHAPE)]
    affine = np.diag([1.2, 1.2, 3.0, 1.0])
    for case in range(CASES):
        folder = root / f"s{case:04d}" / "segmentations"
        folder.mkdir(parents=True)
        smooth = 300 + 200 * np.sin(grid[0] / 40) * np.cos(grid[1] / 30) + 2 * grid[2]
        image = np.where(rng.random(SHAPE) < 0.4, 0, smooth + rng.normal(0, 15, SHAPE)).astype(np.int16)
        nib.save(nib.Nifti1Image(image, affine), folder.parent / "mri.nii.gz")
        for number in range(MASKS):
            centre = rng.uniform(0.2, 0.8, 3) * SHAPE
            radius = rng.uniform(0.03, 0.15, 3) * SHAPE if number % 3 == 0 else np.full(3, 1e-3)
            far = sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radius, strict=True))
            mask = nib.Nifti1Image((far < 1).astype(np.uint8), affine)
            nib.save(mask, folder / f"structure_{number:02d}.nii.gz")
    (root / "meta.csv").write_text("image_id;split\n" + "".join(f"s{n:04d};train\n" for n in range(CASES)))


def pack(root: Path, target: Path, compression: int) -> Path:
    """Zip a folder."""
    with zipfile.ZipFile(target, "w", compression) as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(root))
    return target


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each task; the tasks take turns."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, work in tasks.items():
            taken[name].append(seconds(work))
    return {name: statistics.median(times) for name, times in taken.items()}


def bench_index(root: Path, zips: dict[str, Path], scratch: Path) -> bool:
    """Build the index of the same cases from everywhere."""
    number = iter(range(1_000))

    def build(place: Path) -> Callable[[], object]:
        return lambda: build_index(open_dataset(place), scratch / str(next(number)), progress=False)

    def read(place: Path) -> Callable[[], object]:
        def work() -> None:
            for case in open_dataset(place):
                for path in (case.image, *case.masks().values()):
                    case.read(path)

        return work

    places = {"folder": root, **zips}
    size = sum(path.stat().st_size for path in root.rglob("*.gz"))
    print(f"{CASES} cases of {SHAPE} with {MASKS} masks, {size / 1e6:.1f} MB")
    fine = True
    for title, make, rounds, bound in (
        ("build_index", build, ROUNDS, 1.15),
        ("open and read all bytes", read, 3 * ROUNDS, None),
    ):
        median = compare({name: make(place) for name, place in places.items()}, rounds)
        for name, taken in median.items():
            ratio = taken / median["folder"]
            fine &= bound is None or ratio <= bound
            print(f"  {title:24} {name:14} {taken:7.3f} s   {ratio:5.2f} x folder")
    return fine


def bench_directory(scratch: Path) -> bool:
    """Open a zip with as many members as the largest published MR set."""
    path = scratch / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(MEMBERS):
            case, mask = divmod(number, 51)
            archive.writestr(f"Totalsegmentator/s{case:04d}/segmentations/structure_{mask:02d}.nii.gz", b"x")
    median = compare({"zipfile": lambda: zipfile.ZipFile(path).close(), "ours": lambda: open_files(path)}, 7)
    ratio = median["ours"] / median["zipfile"]
    print(f"directory of {MEMBERS:,} members: {median['ours']:.3f} s, {ratio:.2f} x zipfile")
    return ratio <= 1.0


def bench_url(scratch: Path) -> bool:
    """Read cases of a zip behind a URL, by us and by fsspec as it comes."""
    path = scratch / "remote.zip"
    image_bytes, mask_bytes, masks, cases = 8_700_000, 25_000, 56, 60
    noise = random.Random(0).randbytes(image_bytes)
    with zipfile.ZipFile(path, "w") as archive:
        for case in range(cases):
            # Only one case needs a real size; the others are there for the directory.
            share = 1 if case == 30 else 100
            archive.writestr(f"s{case:04d}/mri.nii.gz", noise[: image_bytes // share])
            for mask in range(masks):
                archive.writestr(f"s{case:04d}/segmentations/{mask:02d}.nii.gz", noise[: mask_bytes // share])
    own = image_bytes + masks * mask_bytes
    names = ["s0030/mri.nii.gz", *(f"s0030/segmentations/{mask:02d}.nii.gz" for mask in range(masks))]
    data = path.read_bytes()
    with serving({"/set.zip": data}) as site:
        plain = fsspec.filesystem("zip", fo=f"{site.url}/set.zip", skip_instance_cache=True)
        opened, requests = site.body_bytes, len(site.requests)
        site.forget()
        for name in names:
            plain.cat_file(name)
        print(f"behind a URL, {cases * (masks + 1):,} members, a case of {own / 1e6:.1f} MB")
        ratio = site.body_bytes / own
        print(f"  fsspec: open {opened / 1e6:.2f} MB in {requests} requests, then {ratio:.2f} x its bytes")
    with serving({"/set.zip": data}) as site:
        files = open_files(f"{site.url}/set.zip")
        opened, requests = site.body_bytes, len(site.requests)
        site.forget()
        for name in names:
            files.read(name)
        ratio = site.body_bytes / own
        print(
            f"  ours:   open {opened / 1e6:.2f} MB in {requests} requests, then {ratio:.2f} x its bytes "
            f"in {len(site.requests)} requests, {site.connections} connection"
        )
        return ratio <= 1.2 and site.connections == 1


def main() -> int:
    """Run all, and return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        os.environ["EXPLORER_CACHE_GIB"] = "0"
        root = scratch / "set"
        write_cases(root)
        zips = {
            "zip, stored": pack(root, scratch / "stored.zip", zipfile.ZIP_STORED),
            "zip, deflated": pack(root, scratch / "deflated.zip", zipfile.ZIP_DEFLATED),
        }
        fine = [bench_index(root, zips, scratch), bench_directory(scratch), bench_url(scratch)]
    print("all bounds are kept" if all(fine) else "a bound is missed")
    return int(not all(fine))


if __name__ == "__main__":
    sys.exit(main())

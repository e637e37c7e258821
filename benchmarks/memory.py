"""Peak memory of workers that measure one large case each, in fresh processes.

Exits with 1 when one needs more than the image as stored, two masks and 200 MB, or all together more
than a machine of 24 GB has. One mask spans the whole image, which is the worst case.

    python benchmarks/memory.py [--shape 1092 896 1138] [--workers 2]
"""

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

SHAPE = (700, 600, 500)
ROOM_MB = 200
MACHINE_MB = 24_000


def measure_here(root: str) -> None:
    """Measure the only case of a data set; print the peak in bytes and the CPU seconds."""
    import resource

    from explorer import open_dataset
    from explorer.intake import measure_files

    (case,) = open_dataset(root)
    found = measure_files(case, "")
    assert found.case["structures_present"] > 1, found.findings
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime)


def peaks_mb(shape: tuple[int, int, int], workers: int) -> list[tuple[float, float]]:
    """Return the peak memory in MB and the CPU seconds of each of some workers that run side by side."""
    from cases import write_case

    with TemporaryDirectory() as folder:
        write_case(Path(folder), shape, spanning=True)
        (Path(folder) / "meta.csv").write_text("image_id\ns0001\n")
        command = [sys.executable, __file__, "--measure", folder]
        started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(workers)]
        told = [process.communicate()[0].split() for process in started]
        assert not any(process.returncode for process in started)
    return [(int(peak) / 1e6, float(seconds)) for peak, seconds in told]


def main() -> int:
    """Print the peaks and their bounds; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", type=int, nargs=3, default=SHAPE, metavar=("I", "J", "K"))
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    i, j, k = given.shape
    mask_mb = i * j * k / 1e6
    bound = 2 * mask_mb + 2 * mask_mb + ROOM_MB
    print(f"{(i, j, k)} int16: image {2 * mask_mb:,.0f} MB, mask {mask_mb:,.0f} MB")
    found = peaks_mb((i, j, k), given.workers)
    lines = [(f"peak of a worker ({seconds:.1f} s CPU)", peak, bound) for peak, seconds in found]
    if given.workers > 1:
        lines.append(("all together", sum(peak for peak, _ in found), MACHINE_MB))
    for what, used, most in lines:
        print(f"{what:32} {used:8,.0f} MB  <= {most:,.0f} MB  {'held' if used <= most else 'MISSED'}")
    return int(any(used > most for _, used, most in lines))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure_here(sys.argv[2])
    else:
        sys.exit(main())

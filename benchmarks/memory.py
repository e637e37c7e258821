"""Peak memory of measuring one large case in a fresh process.

Run as ``python benchmarks/memory.py [I J K]``; exits with 1 when more is needed than the image as
stored, two masks and 200 MB. One mask spans the whole image, which is the worst case.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

SHAPE = (700, 600, 500)
ROOM_MB = 200


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


def main(shape: tuple[int, int, int]) -> int:
    """Print the peak and its bound; return the exit code."""
    from cases import write_case

    with TemporaryDirectory() as folder:
        write_case(Path(folder), shape, spanning=True)
        (Path(folder) / "meta.csv").write_text("image_id\ns0001\n")
        command = [sys.executable, __file__, "--measure", folder]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        peak, seconds = done.stdout.split()
    voxels = shape[0] * shape[1] * shape[2]
    bound = (2 * voxels + 2 * voxels) / 1e6 + ROOM_MB
    used = int(peak) / 1e6
    print(f"{shape} int16: image {2 * voxels / 1e6:,.0f} MB, mask {voxels / 1e6:,.0f} MB, {seconds} s CPU")
    print(f"peak {used:,.0f} MB  <= {bound:,.0f} MB  {'held' if used <= bound else 'MISSED'}")
    return 0 if used <= bound else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure_here(sys.argv[2])
    else:
        i, j, k = map(int, sys.argv[1:4]) if len(sys.argv) > 1 else SHAPE
        sys.exit(main((i, j, k)))

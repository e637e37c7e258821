"""Time and memory of reading a hostile 200 MB ``meta.csv``, against the file itself.

Each file is read in a process of its own. The peer is Python's csv module over the same bytes,
in which nothing is kept. Memory is what the process holds at its peak above what it held with the
file's bytes in memory, in multiples of the file. Medians of three.

On Linux only.

usage: python benchmarks/hostile_metadata.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

SIZE = 200 * 10**6

SLOWER = 4.0
"""At most so many times the peer's time."""

MORE = 4.0
"""At most so many times the file's size."""

COLUMNS = b"image_id;age;a;b;c;d;e;f;g;h;i;j;k;l\n"

FILES = {
    "repeated id": lambda: (
        COLUMNS + b"s0000000;63;m;C;mr abdomen;siemens;Skyra;5.5;SE;3500;90;1.50;idc;train\n" * (SIZE // 76)
    ),
    "distinct": lambda: (
        COLUMNS + b"".join(b"s%09d;%09d;n%09d;%07d\n" % (i, i * 7, i * 3, i) for i in range(SIZE // 41))
    ),
    "one line": lambda: COLUMNS + b"x;" * (SIZE // 2),
    "long cells": lambda: COLUMNS + (b"s1;" + b"x" * 100_000 + b"\n") * (SIZE // 100_004),
    "open quotes": lambda: COLUMNS + b's1;"never closed\n' * (SIZE // 17),
    "10,000 columns": lambda: (
        b";".join(b"c%d" % i for i in range(10_000))
        + b"\n"
        + b"".join(b"s%d%s\n" % (i, b";1.5" * 9_999) for i in range(SIZE // 40_000))
    ),
}
"""What a file of that size may hold."""

RUN = """
import csv, io, re, statistics, sys, time
from pathlib import Path
from explorer.metadata import read_table
read_table(b"image_id;age\\na;1\\n")
data = Path(sys.argv[1]).read_bytes()
def peer():
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8", newline=""), delimiter=";")
    while True:
        try:
            if next(rows, None) is None:
                return
        except csv.Error:
            pass
def timed(function):
    took = []
    for _ in range(3):
        start = time.perf_counter()
        result = function()
        took.append(time.perf_counter() - start)
    return statistics.median(took), result
def peak():  # of this program alone: ru_maxrss begins with the parent's
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
before = peak()
ours, table = timed(lambda: read_table(data))
memory = (peak() - before) / len(data)
rows, columns = table.raw.shape
print(ours, timed(peer)[0], memory, f"{rows:,}x{columns + 1:,}")
"""


def main() -> int:
    """Print one line per file; return 1 when a bound is missed."""
    missed = False
    print(f"{'200 MB of':14} {'ours s':>8} {'csv s':>8} {'ratio':>6} {'memory/file':>11}  kept", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "meta.csv"
        for kind, made in FILES.items():
            path.write_bytes(made())
            done = subprocess.run(
                [sys.executable, "-c", RUN, str(path)], capture_output=True, text=True, check=True
            )
            ours, peer, memory, kept = done.stdout.split()
            ratio = float(ours) / float(peer)
            bad = ratio > SLOWER or float(memory) > MORE
            missed |= bad
            line = (
                f"{kind:14} {float(ours):8.2f} {float(peer):8.2f} {ratio:6.2f} {float(memory):11.2f}  {kept}"
            )
            print(line + ("  MISSED" if bad else ""), flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

"""Time and memory of reading a hostile 200 MB ``meta.csv``, against the file itself.

Each file is read in a process of its own. The peer is Python's csv module over the same bytes,
in which nothing is kept; memory is what the process holds at its peak above what it held before,
in multiples of the file.

usage: python benchmarks/hostile_metadata.py
"""

import subprocess
import sys

MEGABYTES = 200
SLOWER = 3.0
"""At most so many times the peer's time."""

MORE = 4.0
"""At most so many times the file's size beyond the file."""

RUN = """
import csv, io, resource, statistics, sys, time
import pandas
from explorer.errors import DatasetError
from explorer.metadata import read_table
kind, size = sys.argv[1], int(sys.argv[2])
unit = {
    "rows": b"s%07d;63;m;C;mr abdomen;siemens;Skyra;5.5;SE;3500;90;1.50;idc;train\\n" % 0,
    "distinct": None,
    "one line": b"x;",
    "long cells": b"s1;" + b"x" * 100_000 + b"\\n",
    "open quotes": b's1;"never closed\\n',
    "columns": b"s1" + b";1.5" * 9_999 + b"\\n",
}[kind]
if unit is None:
    count = size // 40
    body = b"".join(b"s%09d;%09d;n%09d;%07d\\n" % (i, i * 7, i * 3, i) for i in range(count))
else:
    body = unit * (size // len(unit))
head = b"image_id;age;a;b;c;d;e;f;g;h;i;j;k;l"
if kind == "columns":
    head = b";".join(b"c%d" % i for i in range(10_000))
data = head + b"\\n" + body
del body
read_table(b"image_id;age\\na;1\\n")
def peer():
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8", newline=""), delimiter=";")
    try:
        return sum(1 for _ in rows)
    except csv.Error:
        return 0
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
took = []
for _ in range(3):
    start = time.perf_counter()
    try:
        table = read_table(data)
        kept = f"{table.raw.shape[0]:,} x {table.raw.shape[1] + 1}"
    except DatasetError as error:
        kept = str(error)[:60]
    took.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
took_peer = []
for _ in range(3):
    start = time.perf_counter()
    peer()
    took_peer.append(time.perf_counter() - start)
ours, other = statistics.median(took), statistics.median(took_peer)
print(f"{ours}|{other}|{(peak - before) / len(data)}|{kept}")
"""


def main() -> int:
    """Print one line per file; return 1 when a bound is missed."""
    missed = False
    print(f"{'file of 200 MB':14} {'ours s':>8} {'csv s':>8} {'ratio':>6} {'memory/file':>11}  kept")
    for kind in ("rows", "distinct", "one line", "long cells", "open quotes", "columns"):
        done = subprocess.run(
            [sys.executable, "-c", RUN, kind, str(MEGABYTES * 10**6)],
            capture_output=True,
            text=True,
            check=True,
        )
        ours, other, memory, kept = done.stdout.strip().split("|")
        ratio = float(ours) / float(other)
        bad = ratio > SLOWER or float(memory) > MORE
        missed |= bad
        print(
            f"{kind:14} {float(ours):8.2f} {float(other):8.2f} {ratio:6.2f} {float(memory):11.2f}  {kept}"
            + ("  MISSED" if bad else "")
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

"""The viewer in a page of JupyterLab, against ipyniivue on the same cases, and against its bounds.

Prints a table of figures, bounds and whether they are met; exits with 1 when one is not. All pages run
in one Chromium whose WebGL is drawn by software. Needs the extras ``bench`` and ``test``.

    python benchmarks/viewer.py [--no-peer] [--changes 100]
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Error, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

import viewer_peer as peer
from browser import FLAGS, chromium_path
from cases import write_case
from servers import lab, write_notebook
from slow_link import SlowLink
from table import Table
from viewer_acts import (
    AXIAL,
    KEYS,
    PLANES,
    measure_changes,
    measure_drag,
    measure_frames,
    measure_looks,
    measure_steps,
    wheel,
    write_crowded,
)
from viewer_figures import choose, heap_bytes, latencies, median, percentile, press_for_case

SHAPE = (320, 260, 80)
LABELS = 20
CASES = 6
ROUNDS = 3
CROWDED = "s0001"
PEER_LIMIT_MS = 60_000
STATIC = Path(__file__).parents[1] / "explorer" / "static"
REMOTE = "bench.test"
"""A name for this machine that the viewer does not take for this machine."""

# WebGL by software, for both viewers; the page itself is put together without it. With `--use-gl=angle`
# a frame of an empty page takes 46 ms on two cores, and all that would be measured is that.
GL = ["--enable-unsafe-swiftshader"]
GL += [f"--host-resolver-rules=MAP {REMOTE} 127.0.0.1"]

CELL = """
from explorer import Cohort, Selection, open_dataset
from explorer.views.viewer import Viewer
dataset = open_dataset({root!r})
selection = Selection(Cohort.join(dataset.meta))
viewer = Viewer(selection, dataset)
viewer.layout.height = "700px"
viewer
"""

KERNEL = """
import json, statistics, sys, time
from deflate import gzip_decompress
from isal import isal_zlib
from explorer import Cohort, Selection, open_dataset
from explorer.views.viewer import Viewer
root, room = sys.argv[1], int(sys.argv[2])
dataset = open_dataset(root)
def shown(case):
    selection = Selection(Cohort.join(dataset.meta))
    viewer = Viewer(selection, dataset)
    seen = []
    def first(change):
        if change["new"] and not seen:
            key, shape = change["new"]["key"], change["new"]["shape"]
            for plane, axis in (("axial", 2), ("coronal", 1), ("sagittal", 0)):
                ask = {"scene": key, "plane": plane, "indices": [shape[axis] // 2], "layer": "image"}
                try:
                    viewer.handlers()["slices"](ask)
                except Exception:
                    pass  # not open before its scene is told
            seen.append(time.perf_counter())
    viewer.observe(first, names=["scene"])
    start = time.perf_counter()
    selection.open(case)
    return seen[0] - start
def unpacked(case, how):
    start = time.perf_counter()
    data = dataset[case].read(dataset[case].image)
    if how == "isal":
        isal_zlib.decompress(data, wbits=31, bufsize=room)
    else:
        gzip_decompress(data, room)
    return time.perf_counter() - start
ids = list(dataset.cases)
shown(ids[0]); unpacked(ids[0], "isal"); unpacked(ids[0], "deflate")
times = {"shown": [], "isal": [], "deflate": []}
for case in ids * 3:
    times["shown"].append(shown(case))
    times["isal"].append(unpacked(case, "isal"))
    times["deflate"].append(unpacked(case, "deflate"))
print(json.dumps({name: statistics.median(found) for name, found in times.items()}))
"""


def write_cases(root: Path) -> list[str]:
    """Write the cases, their label maps, and ``meta.csv``; give their ids."""
    ids = [f"s{number:04d}" for number in range(1, CASES + 1)]
    for seed, case in enumerate(ids):
        folder = write_case(root, SHAPE, seed=seed, case=case, empty=56 - LABELS)
        peer.write_labels(folder)
    (root / "meta.csv").write_text("image_id\n" + "".join(f"{case}\n" for case in ids))
    return ids


def measure_peer(
    browser: Browser, address: str, root: Path, ids: list[str], table: Table
) -> tuple[float, float]:
    """Return the milliseconds and bytes of a first picture in ipyniivue."""
    times, sizes = [], []
    for case in ids:
        with peer.shown(browser, address, "peer.ipynb") as page:
            peer.wait_ready(page)
            ms, size = choose(page, f"open_case({str(root / case)!r})", peer.CANVAS, PEER_LIMIT_MS)
        if ms is not None:
            times.append(ms)
            sizes.append(size)
        else:
            table.note(f"ipyniivue showed nothing of {case} within {PEER_LIMIT_MS / 1000:g} s")
    return median(times), median(sizes)


@contextmanager
def ours(browser: Browser, address: str) -> Iterator[Page]:
    """Show our viewer, no case open yet."""
    with peer.shown(browser, address, "ours.ipynb") as page:
        peer.wait_ready(page)
        yield page


def measure_first(browser: Browser, address: str, ids: list[str]) -> tuple[float, float]:
    """Return the milliseconds and bytes of a first picture in our viewer, of the same cases."""
    found = []
    for case in ids:
        with ours(browser, address) as page:
            found.append(choose(page, f"selection.open({case!r})", AXIAL))
    return median(ms for ms, _ in found), median(size for _, size in found)


def measure_page(browser: Browser, address: str, ids: list[str], table: Table) -> None:
    """Measure steps, dragging, drawing and changes of case in one page."""
    with ours(browser, address) as page:
        choose(page, f"selection.open({ids[0]!r})", AXIAL)
        page.wait_for_selector(".xp-structure")  # the masks are in
        page.wait_for_timeout(4000)
        measure_steps(page, table, 120, 8, 40)
        measure_drag(page, table)
        measure_looks(page, table)
        measure_changes(page, table)


def measure_crowded(browser: Browser, address: str, table: Table) -> None:
    """Measure drawing 56 structures in slices of 512 x 512, as large as the page has room for."""
    with peer.shown(browser, address, "crowded.ipynb") as page:
        peer.wait_ready(page)
        choose(page, f"selection.open({CROWDED!r})", AXIAL)
        page.wait_for_selector(".xp-structure >> nth=20")
        page.focus(PLANES)
        page.keyboard.press("2")
        page.wait_for_timeout(6000)
        table.note("56 structures in slices of 512 x 512, one plane:")
        measure_steps(page, table, 40, 16, 16)
        measure_frames(page, table)
        # A crosshair over so large a picture is too thin to be seen in a small copy of it.
        measure_looks(page, table, KEYS[:-1])


def measure_heap(browser: Browser, address: str, ids: list[str], count: int, table: Table) -> None:
    """Measure how the heap grows over many changes of case."""
    with ours(browser, address) as page:
        choose(page, f"selection.open({ids[0]!r})", AXIAL)
        sizes = []
        for change in range(count + 20):
            if change in (20, 20 + count // 2):
                sizes.append(heap_bytes(page))
            page.focus(PLANES)
            press_for_case(page, "]" if change % (2 * CASES - 2) < CASES - 1 else "[", AXIAL, 10_000)
            # At first for as long as it takes to fill the caches with what is made ready while one looks.
            page.wait_for_timeout(1000 if change < 20 else 250)
        page.wait_for_timeout(1000)
        sizes.append(heap_bytes(page))
    told = ", ".join(f"{size / 1e6:.1f}" for size in sizes)
    # By half way the caches of slices and cases, which are bounded, are full.
    table.line(
        f"heap, growth over the last {count // 2} changes of case", (sizes[2] - sizes[1]) / 1e6, "MB", 5
    )
    table.note(f"heap before, half way and after: {told} MB")


def measure_slow(browser: Browser, address: str, ids: list[str], table: Table) -> None:
    """Measure steps over a link of 1 Mbit/s and 100 ms there and back."""
    with (
        SlowLink(urlsplit(address).port or 80) as link,
        ours(browser, f"http://{REMOTE}:{link.port}") as page,
    ):
        link.slow = True
        ms, _ = choose(page, f"selection.open({ids[1]!r})", AXIAL)
        table.line("1 Mbit/s, 100 ms: first picture", ms or float("nan"), "ms")
        page.wait_for_timeout(8000)
        for pause in (500, 200):
            steps = latencies(page, "wheel", AXIAL, wheel(page, 40), pause, 2000)
            table.line(
                f"1 Mbit/s, 100 ms: step, {1000 // pause} a second, p50 of {len(steps)}",
                percentile(steps, 50),
                "ms",
            )
            table.line(
                f"1 Mbit/s, 100 ms: step, {1000 // pause} a second, p95", percentile(steps, 95), "ms", 300
            )
            page.wait_for_timeout(5000)


def measure_kernel(root: Path, table: Table) -> None:
    """Measure the first picture in the kernel against decompressing its image once."""
    room = 352 + 2 * SHAPE[0] * SHAPE[1] * SHAPE[2]
    command = [sys.executable, "-c", KERNEL, str(root), str(room)]
    found = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    )
    floor = min(found["isal"], found["deflate"])
    table.line("kernel: first picture", 1000 * found["shown"], "ms")
    table.line("kernel: decompressing the image (the faster of two)", 1000 * floor, "ms")
    table.line("kernel: first picture / decompressing", found["shown"] / floor, "x", 1.3)


def measure_both(
    browser: Browser, address: str, root: Path, ids: list[str], table: Table, alone: bool
) -> None:
    """Measure the first pictures of our viewer and, unless it is left out, of ipyniivue."""
    ms, size = measure_first(browser, address, ids)
    table.line(f"choosing a case to its picture, median of {len(ids)}", ms, "ms")
    table.line("bytes to the browser until then", size / 1000, "kB")
    if alone:
        return
    their_ms, their_size = measure_peer(browser, address, root, ids, table)
    table.line(f"ipyniivue: choosing a case to its picture, median of {len(ids)}", their_ms, "ms")
    table.line("ipyniivue: bytes to the browser until then", their_size / 1000, "kB")
    table.line("first picture, ours / ipyniivue", ms / their_ms, "x", 1 / 5)
    table.line("bytes, ours / ipyniivue", size / their_size, "x", 1 / 50)


def attempt(table: Table, measure: Callable[[], None]) -> None:
    """Measure, or tell what the page did instead, and go on."""
    try:
        measure()
    except Error as error:
        table.note(f"not measured: {str(error).splitlines()[0]}")
        table.missed += 1


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--no-peer", action="store_true", help="leave ipyniivue out")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="first pictures of each viewer, 1 to 6")
    parser.add_argument("--changes", type=int, default=100, help="changes of case for the heap")
    given = parser.parse_args()
    table = Table()
    executable = chromium_path()
    with TemporaryDirectory() as place:
        root, notebooks = Path(place) / "set", Path(place) / "notebooks"
        root.mkdir()
        (notebooks / ".config").mkdir(parents=True)
        ids = write_cases(root)
        write_notebook(notebooks / "ours.ipynb", CELL.format(root=str(root)))
        write_notebook(notebooks / "peer.ipynb", peer.CELL)
        crowded = Path(place) / "crowded"
        write_crowded(crowded, CROWDED)
        write_notebook(notebooks / "crowded.ipynb", CELL.format(root=str(crowded)))
        # The slow link has another name than this machine's.
        config = {"ServerApp": {"allow_remote_access": True}}
        (notebooks / ".config" / "jupyter_server_config.json").write_text(json.dumps(config))
        print(f"{SHAPE}, {LABELS} labels, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
        bundle = [path for path in STATIC.iterdir() if path.stem != "space"]
        scripts = sum(path.stat().st_size for path in bundle if path.suffix == ".js")
        table.line("front end without 3D: scripts of all views", scripts / 1000, "kB", 300)
        table.line(
            "front end without 3D: scripts and styles", sum(p.stat().st_size for p in bundle) / 1000, "kB"
        )
        measure_kernel(root, table)
        with sync_playwright() as playwright, lab(notebooks) as address:
            browser = playwright.chromium.launch(executable_path=executable, args=[*FLAGS, *GL])
            attempt(
                table, lambda: measure_both(browser, address, root, ids[: given.rounds], table, given.no_peer)
            )
            attempt(table, lambda: measure_page(browser, address, ids, table))
            attempt(table, lambda: measure_crowded(browser, address, table))
            attempt(table, lambda: measure_slow(browser, address, ids, table))
            attempt(table, lambda: measure_heap(browser, address, ids, given.changes, table))
            browser.close()
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())

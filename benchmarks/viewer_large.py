"""The viewer with the largest published size: memory of its kernel, and steps in the page.

Opens 1092 x 896 x 1138 int16 with 56 masks in JupyterLab, between two visits to a small case in the
same page. Exits with 1 when the kernel's peak, masks included, is above 2.5 times the image as stored,
or a step is slower than one of a small case may be. The ratios to the small case bear a busy machine.
On Linux only; needs 10 GB of memory, and minutes to write the case.

    python benchmarks/viewer_large.py [--shape 1092 896 1138]
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

import viewer_peer as peer
from browser import FLAGS, chromium_path
from cases import write_case
from servers import lab, write_notebook
from table import Table
from viewer import CELL, GL
from viewer_acts import AXIAL, PLANES, measure_drag, measure_steps
from viewer_figures import choose

SHAPE = (1092, 896, 1138)
SMALL_SHAPE = (320, 260, 80)
LIMIT_MS = 600_000
ALL_IN = "viewer.labels.get('complete')"

EXECUTE = """(code) => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    return kernel.requestExecute({ code, store_history: false }).done.then(() => null);
}"""


def told(page: Page, code: str, place: Path) -> str:
    """Evaluate an expression in the kernel; give it as text."""
    page.evaluate(EXECUTE, f"open({str(place)!r}, 'w').write(str({code}))")
    return place.read_text()


def wait_for_masks(page: Page, place: Path) -> None:
    """Wait until the kernel has read all masks of the open case."""
    start = perf_counter()
    while told(page, ALL_IN, place) != "True":
        assert perf_counter() - start < LIMIT_MS / 1000, "the masks did not come"
        page.wait_for_timeout(500)


def measure_small(page: Page, place: Path, table: Table) -> tuple[float, float]:
    """Return the median milliseconds of a step, and the pictures per second of a drag."""
    table.note("the small case")
    choose(page, "selection.open('s0002')", AXIAL, LIMIT_MS)
    wait_for_masks(page, place)
    page.wait_for_timeout(5_000)
    page.focus(PLANES)
    return measure_steps(page, table, 60), measure_drag(page, table, None)


def measure(page: Page, shape: tuple[int, int, int], place: Path, table: Table) -> None:
    """Measure the large case between two visits to the small one."""
    peer.wait_ready(page)
    before = measure_small(page, place, table)
    table.note("the large case")
    start = perf_counter()
    ms, _ = choose(page, "selection.open('s0001')", AXIAL, LIMIT_MS)
    table.line("choosing the case to its picture", (ms or float("nan")) / 1000, "s")
    wait_for_masks(page, place)
    table.line("until all masks are in", perf_counter() - start, "s")
    page.wait_for_timeout(10_000)
    page.focus(PLANES)
    middle = measure_steps(page, table, 120, 8, 40)
    rate = measure_drag(page, table)
    after = measure_small(page, place, table)
    small_ms, small_rate = ((one + other) / 2 for one, other in zip(before, after, strict=True))
    table.line("wheel step, p50, large / small", middle / small_ms, "x")
    table.line("dragging, large / small", rate / small_rate, "x")
    peak = int(told(page, "__import__('resource').getrusage(0).ru_maxrss", place)) * 1024
    stored = 2 * shape[0] * shape[1] * shape[2]
    table.line("kernel: peak memory", peak / 1e6, "MB")
    table.line("kernel: peak memory / image as stored", peak / stored, "x", 2.5)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", type=int, nargs=3, default=SHAPE, metavar=("I", "J", "K"))
    shape = tuple(parser.parse_args().shape)
    table = Table()
    with TemporaryDirectory() as folder:
        root, notebooks = Path(folder) / "set", Path(folder) / "notebooks"
        (notebooks / ".config").mkdir(parents=True)
        write_case(root, shape, spanning=True)
        write_case(root, SMALL_SHAPE, case="s0002")
        (root / "meta.csv").write_text("image_id\ns0001\ns0002\n")
        write_notebook(notebooks / "large.ipynb", CELL.format(root=str(root)))
        with sync_playwright() as playwright, lab(notebooks) as address:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=[*FLAGS, *GL])
            with peer.shown(browser, address, "large.ipynb") as page:
                measure(page, shape, Path(folder) / "told", table)
            browser.close()
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The viewer in one page: steps, dragging, drawing anew, changes of case."""

from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from playwright.sync_api import Page
from table import Table
from viewer_figures import (
    drag_rate,
    latencies,
    median,
    percentile,
    press_for_case,
    received,
    waited_for,
)

from explorer.structures import PUBLISHED

AXIAL, SAGITTAL = ".xp-plane-axial canvas", ".xp-plane-sagittal canvas"
PLANES = ".xp-planes"
WHEEL_PIXELS = 40
"""Of the wheel for one slice; 120 steps stay within the volume."""

KEYS = (
    ("structures on and off", "s", "s"),
    ("outline", "o", "o"),
    ("opacity", "a", "d"),
    ("crosshair", "m", "m"),
)

SCROLL = """async ([css, pixels, frames, looks]) => {
    const canvas = document.querySelector(css);
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    let [dropped, changed] = [0, 0];
    let before = window.look(css).slice();
    let at = await frame();
    for (let n = 0; n < frames; n++) {
        const way = Math.floor((n + 18) / 36) % 2 ? -1 : 1;
        const options = { deltaY: pixels * way, bubbles: true, cancelable: true };
        canvas.dispatchEvent(new WheelEvent('wheel', options));
        const next = await frame();
        // Of a display of 60 pictures a second.
        dropped += Math.max(0, Math.round((next - at) / (1000 / 60)) - 1);
        at = next;
        if (!looks) continue;
        const now = window.look(css).slice();
        if (!window.same(now, before)) changed += 1;
        before = now;
    }
    return looks ? changed : dropped;
}"""

CROWDED_SHAPE = (512, 512, 40)


def write_crowded(root: Path, case: str) -> None:
    """Write a case that has all 56 structures, wavy tiles of a board, in each of its slices."""
    x, y, z = np.indices(CROWDED_SHAPE, dtype=np.float32)
    column = ((x + 9 * np.sin(y / 17 + z / 4)) // 64).clip(0, 7)
    row = ((y + 9 * np.sin(x / 13)) // 74).clip(0, 6)
    tiles = np.where((x % 64 < 6) | (y % 74 < 6), 0, column + 8 * row + 1).astype(np.uint8)
    image = np.random.default_rng(0).integers(0, 1000, CROWDED_SHAPE, dtype=np.int16)
    (root / case / "segmentations").mkdir(parents=True)
    nib.save(nib.Nifti1Image(image, np.eye(4)), root / case / "mri.nii.gz")
    for number, name in enumerate(PUBLISHED, start=1):
        mask = nib.Nifti1Image((tiles == number).astype(np.uint8), np.eye(4))
        nib.save(mask, root / case / "segmentations" / f"{name}.nii.gz")


def wheel(page: Page, steps: int) -> list[Callable[[], object]]:
    """Return steps of the wheel over the axial plane: up, down twice as far, and back."""
    box = page.locator(AXIAL).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    ways = [1] * (steps // 4) + [-1] * (steps // 2) + [1] * (steps // 4)
    return [lambda way=way: page.mouse.wheel(0, WHEEL_PIXELS * way) for way in ways]


def measure_steps(
    page: Page, table: Table, count: int, middle_ms: int | None = None, most_ms: int | None = None
) -> float:
    """Measure steps of the wheel; give their median in ms."""
    steps = latencies(page, "wheel", AXIAL, wheel(page, count), 60, 500)
    middle = percentile(steps, 50)
    table.line(f"wheel step, p50 of {len(steps)}", middle, "ms", middle_ms)
    table.line("wheel step, p95", percentile(steps, 95), "ms", most_ms)
    return middle


def measure_drag(page: Page, table: Table, least: int | None = 30) -> float:
    """Measure pictures of another plane per second while the crosshair is dragged; give them."""
    rate = drag_rate(page, AXIAL, SAGITTAL)
    table.line("dragging the crosshair, sagittal pictures", rate, "1/s", least, least=True)
    return rate


def measure_frames(page: Page, table: Table, frames: int = 144) -> None:
    """Count frames that are late while one slice passes in each, up and down within the volume.

    Whether each shows another picture is looked at by itself: reading a large canvas costs a frame, too.
    """
    changed = page.evaluate(SCROLL, [AXIAL, WHEEL_PIXELS, frames, True])
    table.line(f"one slice a frame, pictures of {frames}", changed, "", frames - 1, least=True)
    dropped = []
    for _ in range(5):
        page.wait_for_timeout(1000)
        dropped.append(page.evaluate(SCROLL, [AXIAL, WHEEL_PIXELS, frames, False]))
    table.line(f"one slice a frame, frames dropped of {frames}, median of 5", median(dropped), "", 0)


def measure_looks(page: Page, table: Table, keys: Sequence[tuple[str, str, str]] = KEYS) -> None:
    """Measure what only draws anew: keys, hover and colours."""
    page.focus(PLANES)
    for name, key, back in keys:
        acts = [lambda key=key: page.keyboard.press(key), lambda key=back: page.keyboard.press(key)] * 3
        found = latencies(page, "keydown", AXIAL, acts, 150, 400)
        table.line(f"{name}, p95 of {len(found)}", percentile(found, 95), "ms", 16)
        table.line(f"{name}, bytes until then", waited_for(page), "B", 0)
        told = received(page, lambda key=key: page.keyboard.press(key))
        table.line(f"{name}, bytes once Python has been told", told, "B")
        for _ in range(2 if key == "o" else 1):  # back to how it was
            page.keyboard.press(key)
    _hover(page, table)
    page.focus(PLANES)


def _hover(page: Page, table: Table) -> None:
    """Move the mouse over the list, where each structure lights up in the picture; change colours."""
    rows = page.locator(".xp-structure")
    if not rows.count():
        table.note("no list of structures to hover over")
        return
    boxes = [box for n in range(min(8, rows.count())) if (box := rows.nth(n).bounding_box())]
    acts = [
        lambda box=box: page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        for box in boxes
    ]
    found = latencies(page, "pointerover", AXIAL, acts, 200, 400)
    seen = [ms for ms in found if ms < 200]  # structures of other slices change nothing here
    if seen:
        table.line(
            f"hover over the list, p95 of {len(seen)} that are in the slice", percentile(seen, 95), "ms", 16
        )
    else:
        table.note("hovering over the list changed nothing in the slice")
    table.line("hover, bytes in all", received(page, acts[0]), "B", 0)
    colour = page.locator(".xp-panel input[type=color]")
    if not colour.count():
        table.note("no colour to change in the page")
        return
    change = """(e) => {
        e.value = e.value === '#00ff00' ? '#ff00ff' : '#00ff00';
        e.dispatchEvent(new Event('input', { bubbles: true }));
    }"""
    acts = [lambda n=n: colour.nth(n).evaluate(change) for n in range(min(8, colour.count()))]
    seen = [ms for ms in latencies(page, "input", AXIAL, acts, 200, 400) if ms < 200]
    if seen:
        table.line(f"colour, p95 of {len(seen)} that are in the slice", percentile(seen, 95), "ms", 16)
        table.line("colour, bytes until then", waited_for(page), "B", 0)


def measure_changes(page: Page, table: Table) -> None:
    """Measure going back to a case that was open, and on to the next one after a rest."""
    ahead, back = [], []
    for _ in range(3):
        page.wait_for_timeout(3000)
        ahead.append(press_for_case(page, "]", AXIAL))
        page.wait_for_timeout(3000)
        back.append(press_for_case(page, "[", AXIAL))
        page.wait_for_timeout(1000)
        press_for_case(page, "]", AXIAL)
    table.line("next case after 3 s of rest, median of 3", median(ahead), "ms", 100)
    table.line("a case that was open before, median of 3", median(back), "ms", 100)

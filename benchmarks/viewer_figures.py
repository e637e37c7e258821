"""What is measured inside a page: pictures on canvases, bytes on websockets, the heap.

A picture counts when pixels of a canvas have changed; the page looks at each frame.
"""

import statistics
from collections.abc import Callable, Iterable
from typing import Any

from playwright.sync_api import Page

INIT = """
(() => {
  window.frames_ = [];
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      // JupyterLab has another one, for what happens to its files.
      if (String(given[0]).includes('/kernels/')) this.addEventListener('message', ({ data }) =>
        window.frames_.push([performance.now(), data.byteLength ?? data.length]));
    }
  };
  // A WebGL canvas is empty outside of its own drawing unless it keeps what was drawn.
  const plain = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, options) {
    const kept = kind.startsWith('webgl') ? { ...options, preserveDrawingBuffer: true } : options;
    return plain.call(this, kind, kept);
  };
  const small = document.createElement('canvas');
  small.width = small.height = 40;
  const context = small.getContext('2d', { willReadFrequently: true });
  /** The middle of a canvas as 40 x 40 pixels. */
  window.look = (css) => {
    const canvas = document.querySelector(css);
    context.clearRect(0, 0, 40, 40);
    if (canvas?.width) {
      const [w, h] = [canvas.width / 2, canvas.height / 2];
      context.drawImage(canvas, w / 2, h / 2, w, h, 0, 0, 40, 40);
    }
    return context.getImageData(0, 0, 40, 40).data;
  };
  window.same = (a, b) => a.every((x, i) => x === b[i]);
  /** Whether a canvas shows a scan, and another one than before. */
  window.shows = (now, before) => {
    let bright = 0, differing = 0;
    for (let i = 0; i < now.length; i += 4) {
      if (now[i] > 40 && now[i + 3] > 0) bright += 1;
      if (Math.abs(now[i] - before[i]) > 8) differing += 1;
    }
    return bright > 400 && differing > 300;
  };
  /** Milliseconds from now until `seen` says so, looked at in each frame and after it. */
  window.until = (seen, limit, start = performance.now()) => new Promise((done) => {
    let over = false;
    const end = (ms) => { over = true; done(ms); };
    const check = () => { if (!over && seen()) end(performance.now() - start); };
    const frame = () => {
      if (over) return;
      check();
      if (performance.now() - start > limit) return over || end(null);
      setTimeout(check);
      requestAnimationFrame(frame);
    };
    check();
    if (!over) requestAnimationFrame(frame);
  });
  /** Measure from each event of a kind, as it has gone through the page, to a change of a canvas. */
  window.record = (kind, css, limit) => {
    window.records = [];
    window.waitedFor = 0;
    let before = window.look(css).slice();
    const heard = (event) => {
      const start = performance.now();
      // Listens where the viewer does, or further out, and so after it; what it has put off to the end
      // of its own work is done by then.
      const host = event.target.closest?.('.xp-stage') ?? event.target.closest?.('.xp-viewer');
      host?.addEventListener(kind, async () => {
        await null;
        const ms = await window.until(() => !window.same(window.look(css), before), limit, start);
        before = window.look(css).slice();
        window.records.push(ms);
        const come = window.frames_.filter(([at]) => at >= start && at <= start + (ms ?? limit));
        window.waitedFor += come.reduce((sum, [, n]) => sum + n, 0);
      }, { once: true });
    };
    window.addEventListener(kind, heard, { passive: true, capture: true });
    window.stopRecording = () => {
      window.removeEventListener(kind, heard, { capture: true });
      return window.records;
    };
  };
})();
"""

EXECUTE = """async ([code, css, limit]) => {
    const before = window.look(css).slice();
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const start = performance.now();
    const seen = window.until(() => window.shows(window.look(css), before), limit);
    kernel.requestExecute({ code, store_history: false });
    const ms = await seen;
    const arrived = window.frames_.filter(([at]) => at >= start && at <= start + (ms ?? limit));
    return [ms, arrived.reduce((sum, [, n]) => sum + n, 0)];
}"""

PRESS = """([css, limit]) => {
    const before = window.look(css).slice();
    window.seen = new Promise((done) => {
        const pressed = () => done(window.until(() => window.shows(window.look(css), before), limit));
        window.addEventListener('keydown', pressed, { once: true, capture: true });
    });
}"""

DRAG = """async ([css, watched, frames]) => {
    const canvas = document.querySelector(css);
    const box = canvas.getBoundingClientRect();
    let before = window.look(watched).slice();
    let changed = 0;
    const start = performance.now();
    for (let n = 0; n < frames; n++) {
        const at = 0.35 + 0.3 * (n / frames);
        const where = { clientX: box.left + at * box.width, clientY: box.top + at * box.height };
        canvas.dispatchEvent(new PointerEvent('pointermove',
            { bubbles: true, pointerId: 1, pointerType: 'mouse', buttons: 1, ...where }));
        await new Promise((done) => requestAnimationFrame(done));
        const now = window.look(watched).slice();
        if (!window.same(now, before)) changed += 1;
        before = now;
    }
    return [changed, (performance.now() - start) / 1000];
}"""


def choose(page: Page, code: str, canvas: str, limit_ms: int = 120_000) -> tuple[float | None, int]:
    """Run code in the kernel; give ms until the canvas shows another scan, and bytes received by then."""
    ms, received = page.evaluate(EXECUTE, [code, canvas, limit_ms])
    return ms, received


def press_for_case(page: Page, key: str, canvas: str, limit_ms: int = 30_000) -> float | None:
    """Press a key that opens another case; give ms until its picture."""
    page.evaluate(PRESS, [canvas, limit_ms])
    page.keyboard.press(key)
    return page.evaluate("window.seen")


def latencies(
    page: Page, kind: str, canvas: str, acts: Iterable[Callable[[], object]], pause_ms: int, limit_ms: int
) -> list[float]:
    """Act with pauses; give ms from each event to the changed canvas, `limit_ms` where it did not change."""
    page.evaluate("([kind, css, limit]) => window.record(kind, css, limit)", [kind, canvas, limit_ms])
    for act in acts:
        act()
        page.wait_for_timeout(pause_ms)
    page.wait_for_timeout(limit_ms)
    found = page.evaluate("window.stopRecording()")
    return [limit_ms if ms is None else ms for ms in found]


def waited_for(page: Page) -> int:
    """Return the bytes that came between the events of the last `latencies` and their pictures."""
    return int(page.evaluate("window.waitedFor"))


def received(page: Page, act: Callable[[], object], wait_ms: int = 600) -> int:
    """Return the bytes that the page's websockets receive during and after an act."""
    start = page.evaluate("performance.now()")
    act()
    page.wait_for_timeout(wait_ms)
    return int(
        page.evaluate(
            "(start) => window.frames_.filter(([at]) => at >= start).reduce((s, [, n]) => s + n, 0)", start
        )
    )


def drag_rate(page: Page, canvas: str, watched: str, frames: int = 90) -> float:
    """Return changed pictures per second of one plane while the crosshair is dragged over another."""
    box = page.locator(canvas).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.35 * box["width"], box["y"] + 0.35 * box["height"])
    page.mouse.down()
    changed, seconds = page.evaluate(DRAG, [canvas, watched, frames])
    page.mouse.up()
    return float(changed / seconds)


def heap_bytes(page: Page) -> int:
    """Return the bytes that scripts hold after a garbage collection, buffers included."""
    session: Any = page.context.new_cdp_session(page)
    try:
        session.send("HeapProfiler.enable")
        for _ in range(3):
            session.send("HeapProfiler.collectGarbage")
        usage = session.send("Runtime.getHeapUsage")
    finally:
        session.detach()
    return int(sum(usage.get(name, 0) for name in ("usedSize", "embedderHeapUsedSize", "backingStorageSize")))


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile by the nearest rank from above; NaN of nothing."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def median(values: Iterable[float | None]) -> float:
    """Return the median; NaN where a value is missing."""
    found = list(values)
    return statistics.median(float("nan") if v is None else v for v in found) if found else float("nan")

"""How the viewer asks for slices: a kernel in the page, behind a link of a known speed."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from widgets import Stub

SHAPE = [200, 160, 30]

KERNEL = """
([shape, bytesPerMs, tripMs]) => {
  const axes = {axial: [0, 1, 2], coronal: [0, 2, 1], sagittal: [1, 2, 0]};
  let free = 0;
  /** Each slice has the number of the one that it was taken from. */
  const part = ({id, layer, stride, slices: [from, to]}) => {
    const [nx, ny, nz] = shape.map((count) => Math.ceil(count / stride));
    const pixels = new (layer === 'image' ? Uint16Array : Uint8Array)((to - from) * nx * ny);
    for (let k = from; k < to; k++) {
      const number = Math.min(k * stride + (stride >> 1), shape[2] - 1) % 250;
      pixels.fill(layer === 'image' ? number : window.fill ?? 0, (k - from) * nx * ny, (k + 1 - from) * nx * ny);
    }
    window.model.receive({id, ok: true, packed: 'raw', bytes: layer === 'image' ? 2 : 1, stride, ms: 0,
      ...(layer === 'image' ? {} : {content: 'masks', revision: window.revision ?? 0})}, [new DataView(pixels.buffer)]);
  };
  window.under = 0; window.most = 0; window.arrivals = []; window.closed = false; window.together = [];
  window.model.send = (m) => {
    if (m.kind === 'many') { window.together.push(m.asks.map((ask) => ask.plane)); return m.asks.forEach(window.model.send); }
    window.sent.push({...m, at: performance.now()});
    if (m.kind === 'volume') return setTimeout(() => window.volume ? part(m) : window.model.receive({id: m.id, ok: false, error: 'Slices only.'}, []));
    if (m.kind !== 'slices') return;
    const [w, h] = [shape[axes[m.plane][0]], shape[axes[m.plane][1]]];
    const stride = m.coarse ? m.stride : 1;
    const rows = m.rows ? m.rows[1] - m.rows[0] : Math.ceil(h / stride);
    const width = m.layer === 'image' && !m.coarse ? 2 : 1;
    const size = Math.ceil(w / stride) * rows * width;
    const buffers = window.closed ? [] : m.indices.map((index) => {
      const bytes = new Uint8Array(size).fill(m.layer === 'image' ? 0 : window.fill ?? 0);
      const value = window.numbered ? index % 250 : m.coarse ? 50 : 200;
      for (let i = 0; m.layer === 'image' && i < size; i += width) bytes[i] = value;
      return new DataView(bytes.buffer);
    });
    const total = size * buffers.length;
    window.under += total;
    window.most = Math.max(window.most, window.under);
    const now = performance.now();
    free = Math.max(free, now + tripMs / 2) + total / bytesPerMs;
    setTimeout(() => {
      window.under -= total;
      window.arrivals.push({...m, at: performance.now()});
      window.model.receive({id: m.id, ok: true, closed: window.closed, packed: 'raw', bytes: width, stride,
        ms: 0, revision: window.revision ?? 0, content: m.layer === 'image' ? undefined : window.contents?.[m.scene] ?? 'masks',
        ...(m.coarse && m.layer === 'image' ? {scale: 1, offset: 0} : {})}, buffers);
    }, free + tripMs / 2 - now);
  };
}
"""


def scene(key: str, content: str, shape: list[int] = SHAPE) -> dict[str, Any]:
    return {
        "key": key,
        "case": key.split("#")[0],
        "content": content,
        "shape": shape,
        "spacing": [1, 1, 2],
        "affine": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0],
        "stored": [[0, 1], [1, 1], [2, 1]],
        "image": True,
        "letters": [["L", "R"], ["P", "A"], ["I", "S"]],
        "dtype": "u2",
        "scale": 1,
        "offset": 0,
        "exact": True,
        "window": [0, 255],
        "tilt": 0,
        "orthogonal": True,
    }


def labels(key: str, revision: int, complete: bool) -> dict[str, Any]:
    row = {"name": "liver", "label": "liver", "side": "", "group": "Other", "color": "#00ff00", "snomed": ""}
    return {
        "key": key,
        "content": "masks",
        "revision": revision,
        "complete": complete,
        "bytes": 1,
        "sets": [[], [0]],
        "structures": [{**row, "volume_ml": 1.0, "status": "complete"}],
    }


@pytest.fixture
def linked(stub: Callable[..., Stub]) -> Callable[..., Stub]:
    def make(bytes_per_ms: float, trip_ms: float, shape: list[int] = SHAPE) -> Stub:
        nothing = {"scene": {}, "labels": {}, "other": {}, "facts": [], "busy": "", "cases": 3}
        nothing |= {"layout_name": "axial", "window": None, "point": None, "structures": None, "options": {}}
        widget = stub(
            "viewer",
            {**nothing, "colors": [], "opacities": [], "mask_sets": [], "mask_set": "", "compare": ""},
        )
        widget.page.evaluate(KERNEL, [shape, bytes_per_ms, trip_ms])
        return widget

    return make


def quiet(widget: Stub) -> list[dict[str, Any]]:
    """Wait until nothing is asked any more; returns all that was."""
    widget.page.evaluate(
        """async () => {
          for (let still = 0, n = -1; still < 12; await new Promise((f) => setTimeout(f, 50))) {
            still = n === window.sent.length && n > 0 && window.under < 1 ? still + 1 : 0;
            n = window.sent.length;
          }
        }"""
    )
    return [m for m in widget.sent_of("slices") if m.get("rows") != [0, 1]]  # which only measures the link


def grey(widget: Stub) -> int:
    """Return the brightest grey of the axial canvas away from texts and crosshair."""
    return widget.page.evaluate(
        """() => { const c = document.querySelector('.xp-plane-axial canvas');
          return c.getContext('2d').getImageData(c.width * 0.4, c.height * 0.4, 1, 1).data[0]; }"""
    )


def test_a_near_kernel_sends_raw_whole_slices_the_next_and_the_nearest_first(linked: Callable):
    widget = linked(50_000, 1)
    widget.set("scene", scene("a#1", "a"))
    asked = quiet(widget)
    assert not any(m["compress"] or m.get("coarse") or m.get("rows") for m in asked)
    assert asked[0]["indices"] == [14]
    # How many come at a time is a matter of the machine.
    assert [i for m in asked[1:] for i in m["indices"]][:8] == [15, 16, 13, 12, 17, 11, 18, 10]
    seen = [index for m in asked if m["plane"] == "axial" for index in m["indices"]]
    assert sorted(seen) == list(range(SHAPE[2]))  # each once
    assert grey(widget) == 200


def test_large_slices_of_a_near_kernel_come_coarse_while_one_scrolls_and_sharp_when_it_rests(
    linked: Callable,
):
    """A slice of 1.96 MB takes more than two frames of the link, and less than may be under way."""
    shape = [1092, 896, 300]
    widget = linked(40_000, 1, shape)
    widget.set("scene", scene("a#1", "a", shape))
    asked = quiet(widget)
    # On a busy machine the link may seem so slow for a while that rows come by themselves.
    whole = [m for m in asked if not m.get("coarse") and (m.get("rows") or shape)[1] == shape[1]]
    sharp = [i for m in whole if m["plane"] == "axial" for i in m["indices"]]
    assert len(sharp) == len(set(sharp)), "what is kept has room, and comes once"
    assert {147, 148, 149, 150, 151} <= set(sharp)
    widget.page.evaluate(
        """async () => {
          const el = document.querySelector('.xp-planes');
          for (let step = 0; step < 20; step++) {
            el.dispatchEvent(new KeyboardEvent('keydown', {key: 'PageUp', bubbles: true}));
            await new Promise((f) => setTimeout(f, 40));
          }
          window.moved = window.sent.length;
        }"""
    )
    moved = widget.page.evaluate("window.moved")
    while_moving = [m for m in widget.sent[:moved] if m["kind"] == "slices"][len(asked) + 1 :]
    coarse = [m for m in while_moving if m.get("coarse")]
    # A busy machine may take a pause between two steps for rest.
    assert len(coarse) > 0.5 * len(while_moving)
    assert len({i for m in coarse for i in m["indices"]}) >= 10
    assert all(m["stride"] >= 2 for m in coarse)
    sharp = [m for m in quiet(widget) if m["plane"] == "axial" and not m.get("coarse")]
    assert {167, 168, 169, 170, 171} <= {i for m in sharp for i in m["indices"]}
    assert grey(widget) == 200


def test_a_large_slice_that_was_leapt_to_comes_coarse_at_first_from_a_near_kernel_too(linked: Callable):
    shape = [700, 600, 300]
    widget = linked(50_000, 1, shape)
    widget.set("scene", scene("a#1", "a", shape))
    quiet(widget)
    widget.page.focus(".xp-planes")
    widget.page.keyboard.press("Home")
    asked = [m for m in quiet(widget) if m["plane"] == "axial" and 0 in m["indices"]]
    assert [bool(m.get("coarse")) for m in asked] == [True, False]


def test_python_is_told_of_the_crosshair_seldom_while_it_moves_and_once_it_rests(linked: Callable):
    widget = linked(50_000, 1, [100, 90, 300])
    widget.set("scene", scene("a#1", "a", [100, 90, 300]))
    quiet(widget)
    told = widget.page.evaluate(
        """async () => {
          const el = document.querySelector('.xp-planes');
          const begin = performance.now();
          for (let step = 0; step < 25; step++) {
            el.dispatchEvent(new KeyboardEvent('keydown', {key: 'PageUp', shiftKey: true, bubbles: true}));
            await new Promise((f) => setTimeout(f, 40));
          }
          const of = () => window.saved.filter(([name]) => name === 'point');
          const count = of().length;
          const took = performance.now() - begin;
          await new Promise((f) => setTimeout(f, 600));
          return [count, took, of().at(-1)[1]];
        }"""
    )
    count, took_ms, last = told
    assert 1 <= count <= 2 + took_ms / 400, told
    assert last[2] == 2 * (149 + 25 * 5), told


def test_a_hand_in_haste_is_met_with_coarse_slices_and_always_sees_one_that_is_near(linked: Callable):
    """Shift and an arrow pass over five slices at a time; an answer takes as long as several such steps."""
    shape = [1092, 896, 300]
    widget = linked(20_000, 100, shape)
    widget.page.evaluate("() => { window.numbered = true; window.revision = 1; }")
    widget.set("scene", scene("a#1", "a", shape))
    widget.set("labels", labels("a#1", 1, True))
    widget.set("point", [500, 400, 20])
    quiet(widget)
    before = len(widget.sent_of("slices"))
    seen = widget.page.evaluate(
        """async () => {
          const el = document.querySelector('.xp-planes');
          const shown = () => { const c = document.querySelector('.xp-plane-axial canvas');
            return c.getContext('2d').getImageData(c.width * 0.4, c.height * 0.4, 1, 1).data[0]; };
          const seen = [];
          for (let step = 1; step <= 36; step++) {
            el.dispatchEvent(new KeyboardEvent('keydown', {key: 'PageUp', shiftKey: true, bubbles: true}));
            await new Promise((f) => setTimeout(f, 40));
            seen.push([10 + 5 * step, shown()]);
          }
          window.moved = window.sent.length;
          return seen;
        }"""
    )
    later = seen[12:]  # by then answers have come
    assert len({shown for _, shown in later}) > 0.6 * len(later), seen
    assert sorted(abs(wish - shown) for wish, shown in later)[len(later) // 2] <= 15, seen
    moved = widget.page.evaluate("window.moved")
    hasty = [m for m in widget.sent[:moved] if m["kind"] == "slices"][before + 2 :]
    images = [m for m in hasty if m["layer"] == "image"]
    assert all(m["coarse"] for m in images)
    assert sum(len(m["indices"]) for m in images) > 2 * len(images)
    quiet(widget)
    assert grey(widget) == 190
    sharp = [m for m in widget.sent_of("slices") if not m.get("coarse")]
    assert 190 in {i for m in sharp for i in m["indices"]}


def test_what_is_seen_stays_until_a_slice_far_away_has_come(linked: Callable):
    shape = [600, 500, 300]
    widget = linked(50_000, 300, shape)
    widget.page.evaluate("window.numbered = true")
    widget.set("scene", scene("a#1", "a", shape))
    quiet(widget)
    assert grey(widget) == 149
    widget.page.focus(".xp-planes")
    for _ in range(4):  # to what was read ahead
        widget.page.keyboard.press("PageUp")
        widget.page.wait_for_timeout(150)
    assert grey(widget) == 153
    quiet(widget)
    greys = widget.page.evaluate(
        """async () => {
          const c = document.querySelector('.xp-plane-axial canvas');
          const begin = performance.now();
          window.model.take('point', [300, 250, 20]);
          const greys = new Set();
          for (;;) {
            await new Promise((f) => setTimeout(f, 30));
            if (performance.now() - begin > 250) return [...greys];  // it cannot have come before
            greys.add(c.getContext('2d').getImageData(c.width * 0.4, c.height * 0.4, 1, 1).data[0]);
          }
        }"""
    )
    assert greys == [153]
    quiet(widget)
    assert grey(widget) == 10


def test_what_is_wished_at_one_moment_is_one_message(linked: Callable):
    widget = linked(50_000, 1)
    widget.set("layout_name", "grid")
    widget.set("scene", scene("a#1", "a"))
    quiet(widget)
    together = widget.page.evaluate("window.together")
    assert {"axial", "coronal", "sagittal"} <= set(together[0])


def test_pixels_of_a_coarse_slice_lie_over_the_voxels_that_they_stand_for(linked: Callable):
    """Of 202 columns in fours the last pixel stands for two voxels."""
    shape = [202, 160, 30]
    widget = linked(50_000, 1, shape)
    widget.page.evaluate("window.model.send = () => undefined")
    widget.set("options", {"smooth": False, "crosshair": False, "radiological": False})
    first = {"scene": "a#1", "plane": "axial", "index": 14, "layer": "image", "packed": "raw", "bytes": 1}
    along = {"kind": "first", "slices": [{**first, "stride": 4, "scale": 1, "offset": 0}]}
    line = bytes([20] * 49 + [240, 120])
    widget.say(along, [line * 40])
    widget.set("scene", scene("a#1", "a", shape))
    widget.page.wait_for_timeout(80)
    greys = widget.page.evaluate(
        """() => { const c = document.querySelector('.xp-plane-axial canvas');
          const row = c.getContext('2d').getImageData(0, c.height >> 1, c.width, 1).data;
          return Array.from({length: c.width}, (_, x) => row[4 * x + 3] ? row[4 * x] : -1); }"""
    )
    picture = [grey for grey in greys if grey >= 0]
    voxel = len(picture) / 202
    for value, voxels in ((20, 196), (240, 4), (120, 2)):
        assert abs(picture.count(value) / voxel - voxels) <= 1.1, value


def test_a_slow_link_shows_coarse_slices_first_and_never_has_much_under_way(linked: Callable):
    widget = linked(125, 100)
    widget.set("scene", scene("a#1", "a"))
    quiet(widget)
    before = len(widget.sent)
    waits = widget.page.evaluate(
        """async () => {
          const el = document.querySelector('.xp-planes');
          el.focus();
          window.most = 0;
          const waits = [];
          for (let step = 1; step <= 14; step++) {
            const [index, asked] = [14 + step, performance.now()];
            el.dispatchEvent(new KeyboardEvent('keydown', {key: 'PageUp', bubbles: true}));
            const has = () => window.arrivals.find((m) => m.plane === 'axial' && m.indices.includes(index) && m.layer === 'image');
            while (!has() && performance.now() - asked < 3000) await new Promise((f) => setTimeout(f, 5));
            waits.push(has() ? Math.max(0, has().at - asked) : 9999);
            await new Promise((f) => setTimeout(f, 130));
          }
          return waits;
        }"""
    )
    assert sorted(waits)[-2] <= 300, waits
    assert widget.page.evaluate("window.most") <= 125 * 100 * 1.6
    asked = quiet(widget)
    later = [m for m in widget.sent[before:] if m["kind"] == "slices" and 28 in m["indices"]]
    assert later[0]["coarse"]
    assert later[0]["stride"] >= 2
    assert all(m["compress"] for m in asked[len(asked) // 2 :])
    parts = [m["rows"] for m in later if m.get("rows")]
    assert parts[0][0] == 0
    assert parts[-1][1] == SHAPE[1]
    assert all(one[1] == other[0] for one, other in pairwise(parts))
    assert grey(widget) == 200


def test_coarse_is_seen_before_sharp(linked: Callable):
    widget = linked(40, 50)
    widget.set("scene", scene("a#1", "a"))
    quiet(widget)
    widget.set("point", [100, 80, 2])  # far from what was read ahead
    widget.page.wait_for_function(
        "() => window.arrivals.some((m) => m.coarse && m.indices.includes(1)) || window.arrivals.some((m) => m.rows && m.indices.includes(1))"
    )
    widget.page.wait_for_timeout(60)
    assert grey(widget) == 50
    quiet(widget)
    assert grey(widget) == 200


def test_a_case_that_was_open_before_is_asked_for_nothing_that_is_kept(linked: Callable):
    widget = linked(50_000, 1)
    widget.set("scene", scene("a#1", "a/1"))
    quiet(widget)
    widget.set("scene", scene("b#2", "b/1"))
    count = len(quiet(widget))
    widget.set("scene", scene("a#3", "a/1"))
    assert len(quiet(widget)) == count
    assert grey(widget) == 200
    widget.set("scene", scene("a#4", "a/2"))  # its files have changed
    assert len(quiet(widget)) > count


def test_slices_that_come_with_the_scene_are_not_asked_for(linked: Callable):
    widget = linked(50_000, 1)
    first = {"scene": "a#1", "plane": "axial", "index": 14, "layer": "image", "packed": "raw", "bytes": 2}
    along = {"kind": "first", "slices": [{**first, "stride": 1}]}
    widget.say(along, [bytes([120, 0]) * (SHAPE[0] * SHAPE[1])])
    widget.set("scene", scene("a#1", "a"))
    widget.page.wait_for_timeout(50)
    assert grey(widget) == 120
    assert 14 not in [index for m in quiet(widget) for index in m["indices"]]


def test_ids_of_an_older_revision_are_asked_for_again_once(linked: Callable):
    widget = linked(50_000, 1)
    widget.page.evaluate("() => { window.revision = 1; window.fill = 1; }")
    widget.set("scene", scene("a#1", "a"))
    widget.set("labels", labels("a#1", 1, False))
    quiet(widget)
    green = "() => { const c = document.querySelector('.xp-plane-axial canvas'), d = c.getContext('2d').getImageData(c.width * 0.4, c.height * 0.4, 1, 1).data; return d[1] - d[0]; }"
    assert widget.page.evaluate(green) > 30
    before = len(quiet(widget))
    widget.page.evaluate("() => { window.revision = 2; window.fill = 0; }")
    widget.set("labels", labels("a#1", 2, True))
    asked = quiet(widget)[before:]
    assert {m["layer"] for m in asked} == {"labels"}
    assert asked[0]["indices"] == [14]
    assert widget.page.evaluate(green) == 0
    count = len(asked)
    widget.set("labels", labels("a#1", 2, True))
    assert len(quiet(widget)[before:]) == count


def test_a_case_that_was_closed_meanwhile_is_no_error_and_not_asked_for_again(linked: Callable):
    widget = linked(50_000, 1)
    widget.page.evaluate("window.closed = true")
    widget.set("scene", scene("a#1", "a"))
    asked = quiet(widget)
    indices = [(m["plane"], index) for m in asked for index in m["indices"]]
    assert len(indices) == len(set(indices))
    assert "kernel" not in widget.page.inner_text("#root")

# ruff: noqa: E501
"""Surfaces of 20 structures: made beside zmesh, drawn beside plotly, in one run.

Run as ``python benchmarks/surfaces.py``; exits with 1 when a bound is missed. The browser draws in
software, so that figures of machines without a graphics card can be compared.
"""

import shutil
import sys
from base64 import b64encode
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import plotly
import zmesh
from playwright.sync_api import Page, sync_playwright

from explorer import open_dataset
from explorer.grid import Grid
from explorer.phantom import write_case
from explorer.structures import structure
from explorer.surfaces import TRIANGLES, Surface, strides, surface
from explorer.views.overlay import Overlay
from explorer.volume import read_image

SPACING_MM = (1.225, 1.06, 3.15)  # of about 320 x 260 x 80 voxels
COUNT, ROUNDS = 20, 5
MADE, DRAWN, PAYLOAD_MB = 1.5, 0.5, 1.4
FLAGS = ["--headless=new", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]
FLAGS += ["--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
STATIC = Path(__file__).parents[1] / "explorer" / "static"

OURS = """async ([source, meshes]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const data = meshes.map((m) => ({...m, codes: new Uint16Array(bytes(m.codes)), triangles: new Uint16Array(bytes(m.rows))}));
  const canvas = Object.assign(document.createElement('canvas'), {style: 'width:900px;height:600px'});
  document.body.replaceChildren(canvas);
  const start = performance.now();
  const program = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
  const loaded = performance.now();
  const space = program.open(canvas);
  space.resize(900, 600, 1);
  data.forEach((m, i) => space.put(String(i), m));
  space.show(new Map(data.map((m, i) => [String(i), {color: m.color, opacity: 1, bright: false}])));
  space.fit([[0, 0, 0], [1, 1, 1]]);
  space.render();
  const gl = canvas.getContext('webgl2');
  gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  const drawn = performance.now();
  space.dispose();
  return [loaded - start, drawn - loaded];
}"""

THEIRS = """async ([source, meshes]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const traces = meshes.map((m) => {
    const [codes, rows] = [new Uint16Array(bytes(m.codes)), new Uint16Array(bytes(m.rows))];
    const place = (axis) => Float32Array.from({length: codes.length / 3}, (_, n) => m.origin[axis] + m.step[axis] * codes[3 * n + axis]);
    const row = (corner) => Int32Array.from({length: rows.length / 3}, (_, n) => rows[3 * n + corner]);
    return {type: 'mesh3d', x: place(0), y: place(1), z: place(2), i: row(0), j: row(1), k: row(2), color: `rgb(${m.color})`};
  });
  const place = Object.assign(document.createElement('div'), {style: 'width:900px;height:600px'});
  document.body.replaceChildren(place);
  const start = performance.now();
  if (!window.Plotly) {
    const script = document.createElement('script');
    script.src = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
    await new Promise((done) => { script.onload = done; document.head.append(script); });
  }
  const loaded = performance.now();
  await Plotly.newPlot(place, traces, {scene: {aspectmode: 'data'}, margin: {l: 0, r: 0, t: 0, b: 0}}, {displayModeBar: false});
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  for (const canvas of place.querySelectorAll('canvas')) {
    const gl = canvas.getContext('webgl2') ?? canvas.getContext('webgl');
    gl?.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  }
  const drawn = performance.now();
  Plotly.purge(place);
  return [loaded - start, drawn - loaded];
}"""


def masks_of(root: Path) -> tuple[Overlay, list[str]]:
    """Return the masks of a synthetic abdomen, and its largest structures."""
    write_case(root, "s0001", spacing_mm=SPACING_MM, seed=3)
    (root / "meta.csv").write_text("image_id\ns0001\n")
    case = open_dataset(root)["s0001"]
    masks = Overlay(case, "reference", read_image(case).grid)
    for _ in masks.fill(min):
        pass
    sizes = {name: extent.voxels for name, extent in masks.extents.items()}
    return masks, sorted(sizes, key=lambda name: -sizes[name])[:COUNT]


def made_by_us(masks: Overlay, names: list[str]) -> dict[str, Surface]:
    """Make all surfaces as the viewer does."""
    made = {}
    for name in names:
        shape = [span.stop - span.start for span in masks.box(name)]
        stride = strides(shape, masks.grid.spacing_mm)
        inside, low = masks.cropped(name, stride)
        made[name] = surface(inside, masks.grid, low=low, stride=stride)
    return made


def made_by_zmesh(numbers: np.ndarray, grid: Grid, budget: int | None) -> int:
    """Make surfaces of all labels, simplified to a budget or not at all; returns their triangles."""
    mesher = zmesh.Mesher(grid.spacing_mm)
    mesher.mesh(numbers)
    total = 0
    for label in mesher.ids():
        found = mesher.get(label, normals=False)
        if budget and len(found.faces) > budget:
            found = mesher.get(
                label, normals=False, reduction_factor=len(found.faces) // budget + 1, max_error=40
            )
        total += len(found.faces)
    return total


def payload(found: dict[str, Surface]) -> list[dict[str, Any]]:
    """Return surfaces as they go into a page."""
    meshes = []
    for name, one in found.items():
        value = int(structure(name).color[1:], 16)
        meshes.append(
            {
                "codes": b64encode(one.codes.astype("<u2").tobytes()).decode(),
                "rows": b64encode(one.triangles.astype("<u2").tobytes()).decode(),
                "origin": one.origin_mm,
                "step": one.step_mm,
                "color": [value >> 16, value >> 8 & 255, value & 255],
            }
        )
    return meshes


def drawn(page: Page, program: str, source: str, meshes: list[dict[str, Any]]) -> list[list[float]]:
    """Return milliseconds of loading the program and of the first picture, several times."""
    return [page.evaluate(program, [source, meshes]) for _ in range(ROUNDS)]


def main() -> int:
    """Print medians and ratios; return the exit code."""
    with TemporaryDirectory() as folder:
        masks, names = masks_of(Path(folder))
    ids, grid = masks.ids, masks.grid
    numbers = np.zeros(ids.shape, np.uint8, order="F")
    for number, name in enumerate(names, 1):
        numbers[np.array([name in members for members in masks.sets])[ids]] = number
    seconds: dict[str, list[float]] = {"explorer": [], "zmesh": []}
    for _ in range(ROUNDS):
        start = perf_counter()
        found = made_by_us(masks, names)
        seconds["explorer"].append(perf_counter() - start)
        start = perf_counter()
        raw = made_by_zmesh(numbers, grid, None)
        seconds["zmesh"].append(perf_counter() - start)
    start = perf_counter()
    simplified = made_by_zmesh(numbers, grid, TRIANGLES)
    slow = perf_counter() - start
    ours, theirs = median(seconds["explorer"]), median(seconds["zmesh"])
    total = sum(len(one.triangles) for one in found.values())
    size = sum(one.codes.nbytes + 6 * len(one.triangles) for one in found.values()) / 1e6
    print(f"{ids.shape}, {len(names)} structures")
    print(f"made: explorer {ours:.3f} s, {total:,} triangles, {size:.2f} MB to the browser")
    print(f"made: zmesh alone {theirs:.3f} s, {raw:,} triangles, not simplified; ratio {ours / theirs:.2f}")
    print(f"made: zmesh to the same budget {slow:.2f} s, {simplified:,} triangles; ratio {ours / slow:.3f}")

    meshes = payload(found)
    space = (STATIC / "space.js").read_text("utf-8")
    plots = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text("utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page()
        page.set_content("<!doctype html><body></body>")
        plain, mesh3d = drawn(page, OURS, space, meshes), drawn(page, THEIRS, plots, meshes)
        browser.close()
    first = sum(plain[0]) / sum(mesh3d[0])
    again = median(run[1] for run in plain) / median(run[1] for run in mesh3d)
    print(
        f"first picture with its program: explorer {sum(plain[0]):.0f} ms, plotly {sum(mesh3d[0]):.0f} ms; {first:.2f}"
    )
    us, them = median(run[1] for run in plain), median(run[1] for run in mesh3d)
    print(
        f"a picture with the program there: explorer {us:.0f} ms, plotly Mesh3d {them:.0f} ms; ratio {again:.2f}"
    )
    return int(ours > MADE * theirs or max(first, again) > DRAWN or size > PAYLOAD_MB)


if __name__ == "__main__":
    sys.exit(main())

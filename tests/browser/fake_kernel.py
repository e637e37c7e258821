"""A volume in the page itself: the viewer's front end with exact pixels and no round trips."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from widgets import Stub

ANSWER = """
({shape, layers, lost, whole}) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const data = Object.fromEntries(Object.entries(layers).map(([name, text]) => [name, bytes(text)]));
  window.emptyMasks = () => data.labels.fill(0);
  const axes = {axial: [0, 1, 2], coronal: [0, 2, 1], sagittal: [1, 2, 0]};
  const steps = [1, shape[0], shape[0] * shape[1]];
  const cut = (layer, plane, index) => {
    const [u, v, w] = axes[plane];
    const out = new Uint8Array(shape[u] * shape[v]);
    for (let r = 0; r < shape[v]; r++) for (let c = 0; c < shape[u]; c++)
      out[r * shape[u] + c] = data[layer][index * steps[w] + r * steps[v] + c * steps[u]];
    return out;
  };
  const pack = async (raw, compress) => new DataView(compress
    ? await new Response(new Blob([raw]).stream().pipeThrough(new CompressionStream('deflate'))).arrayBuffer()
    : raw.buffer);
  window.silent = false;
  const about = (layer) => layer === 'image' ? {} : {content: window.model.get(layer).content, revision: window.model.get(layer).revision};
  const part = ({id, layer, slices: [from, to]}) => whole
    ? [{id, ok: true, packed: 'raw', bytes: 1, stride: 1, ...about(layer)}, [new DataView(data[layer].slice(from * steps[2], to * steps[2]).buffer)]]
    : [{id, ok: false, error: 'Slices only.'}, []];
  const send = window.model.send;
  window.model.send = (content, ...rest) => {
    send(content, ...rest);
    if (content.kind === 'volume' && !window.silent) return window.model.receive(...part(content));
    const isFar = (index) => Math.abs(index - shape[axes[content.plane][2]] / 2) > 1;
    if (content.kind === 'slices' && whole && content.indices.some(isFar)) return window.model.receive({id: content.id, ok: true, closed: true}, []);
    if (content.kind !== 'slices' || window.silent || content.indices.some((i) => content.plane === 'axial' && lost.includes(i))) return;
    Promise.all(content.indices.map((i) => pack(cut(content.layer, content.plane, i), content.compress)))
      .then((buffers) => window.model.receive(
        {id: content.id, ok: true, packed: content.compress ? 'deflate' : 'raw', bytes: 1, stride: 1, revision: window.model.get('labels').revision,
         content: content.layer === 'image' ? undefined : window.model.get(content.layer).content}, buffers));
  };
}
"""


def row(name: str, color: str, **more: Any) -> dict[str, Any]:
    """Return a structure as the kernel tells it."""
    known = {
        "label": name,
        "side": "",
        "group": "Other",
        "snomed": "",
        "volume_ml": 1.0,
        "status": "complete",
    }
    return {"name": name, "color": color, **known, **more}


def open_volume(
    stub: Callable[..., Stub],
    image: NDArray[np.uint8],
    ids: NDArray[np.uint8],
    sets: Sequence[Sequence[int]],
    rows: Sequence[dict[str, Any]],
    *,
    other: NDArray[np.uint8] | None = None,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    affine: Sequence[float] | None = None,
    size: tuple[int, int] = (1200, 760),
    theme: str = "dark",
    lost: Sequence[int] = (),
    whole: bool = False,
    **state: Any,
) -> Stub:
    """Show a volume of shape (x, y, z); `ids` and `other` index `sets`, axial slices `lost` never come.

    With `whole` all of it may be asked for at once, and of slices only the middle ones.
    """
    layers = {"image": image, "labels": ids, **({} if other is None else {"other": other})}
    nothing = {
        "scene": {},
        "labels": {},
        "other": {},
        "facts": [],
        "busy": "",
        "cases": 3,
        "layout_name": "grid",
    }
    nothing |= {
        "window": None,
        "point": None,
        "structures": None,
        "options": {},
        "colors": [],
        "opacities": [],
    }
    nothing |= {"mask_sets": ["reference"], "mask_set": "reference", "compare": ""}
    widget = stub("viewer", {**nothing, **state}, theme=theme, width=size[0], height=size[1])
    texts = {name: base64.b64encode(array.tobytes(order="F")).decode() for name, array in layers.items()}
    widget.page.evaluate(ANSWER, {"shape": list(image.shape), "layers": texts, "lost": lost, "whole": whole})
    sx, sy, sz = spacing
    scene = {
        "key": "c1#1",
        "case": "c1",
        "shape": list(image.shape),
        "spacing": list(spacing),
        "affine": list(affine or [sx, 0, 0, 0, 0, sy, 0, 0, 0, 0, sz, 0]),
        "stored": [[0, 1], [1, 1], [2, 1]],
        "image": True,
        "letters": [["L", "R"], ["P", "A"], ["I", "S"]],
        "dtype": "u1",
        "scale": 1.0,
        "offset": 0.0,
        "exact": True,
        "window": [0.0, 255.0],
        "tilt": 0.0,
        "orthogonal": True,
    }
    labels = {
        "key": "c1#1",
        "content": "masks",
        "revision": 1,
        "complete": True,
        "bytes": 1,
        "sets": sets,
        "structures": rows,
    }
    widget.set("scene", scene)
    widget.set("labels", labels)
    if other is not None:
        widget.set("other", labels)
    quiet(widget)
    return widget


def quiet(widget: Stub) -> None:
    """Wait until nothing has been asked or drawn for a few frames."""
    widget.page.evaluate(
        """async () => {
            const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 12)));
            for (let calm = 0, asked = -1; calm < 4; await frame()) {
              calm = asked === window.sent.length ? calm + 1 : 0;
              asked = window.sent.length;
            }
        }"""
    )


def corner(widget: Stub, plane: str) -> tuple[float, float, float, float]:
    """Return left, top, width and height of a tile's canvas on the page."""
    box = widget.page.locator(f".xp-plane-{plane} canvas").bounding_box()
    assert box is not None
    return box["x"], box["y"], box["width"], box["height"]


def spot(widget: Stub, plane: str, voxel: tuple[float, float, float]) -> tuple[float, float]:
    """Return where a voxel's centre is on the page; of the first zoom, radiological."""
    scene = widget.get("scene")
    u, v = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}[plane]
    left, top, width, height = corner(widget, plane)
    mm = [scene["shape"][axis] * scene["spacing"][axis] for axis in (u, v)]
    scale = min((width - 20) / mm[0], (height - 20) / mm[1])
    across = (voxel[u] + 0.5) * scene["spacing"][u] * scale - mm[0] * scale / 2
    up = (voxel[v] + 0.5) * scene["spacing"][v] * scale - mm[1] * scale / 2
    return left + width / 2 - across, top + height / 2 - up


def colour(widget: Stub, plane: str, x: float, y: float) -> list[int]:
    """Return red, green and blue of a point of the page in a tile's canvas."""
    return widget.page.evaluate(
        """([plane, x, y]) => { const c = document.querySelector(`.xp-plane-${plane} canvas`), b = c.getBoundingClientRect();
          return [...c.getContext('2d').getImageData(Math.floor(x - b.x), Math.floor(y - b.y), 1, 1).data].slice(0, 3); }""",
        [plane, x, y],
    )


def said(widget: Stub) -> str:
    return widget.page.inner_text(".xp-said")

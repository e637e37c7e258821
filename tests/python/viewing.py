"""Ask a viewer as a browser would, and unpack its answers as a browser would."""

import zlib
from typing import Any

import numpy as np

from explorer.views.slices import PLANES
from explorer.views.viewer import Viewer


def ask(view: Viewer, **message: object) -> tuple[dict[str, Any], list[bytes]]:
    """Send one message with an id and return the reply."""
    replies: list[tuple[dict, list[bytes]]] = []
    before = view.send
    view.send = lambda content, buffers=None: replies.append((content, [bytes(b) for b in buffers or []]))
    view._receive(view, {"id": "1", **message}, [])
    view.send = before
    return next(reply for reply in replies if reply[0].get("id") == "1")


def unpack(fields: dict[str, Any], buffer: bytes, columns: int) -> np.ndarray:
    """Return the pixels of a buffer, shape (rows, columns)."""
    width = fields["bytes"]
    if fields["packed"] == "raw":
        return np.frombuffer(buffer, f"<u{width}").reshape(-1, columns)
    if fields["packed"] == "runs":
        count = len(buffer) // (4 + width)
        lengths = np.frombuffer(buffer, "<u4", count)
        return np.repeat(np.frombuffer(buffer, f"<u{width}", offset=4 * count), lengths).reshape(-1, columns)
    data = zlib.decompress(buffer)
    if fields["packed"] == "deflate":
        return np.frombuffer(data, f"<u{width}").reshape(-1, columns)
    parts = np.frombuffer(data, np.uint8).reshape(width, -1).astype(np.int64)
    zigzag = (parts * 256 ** np.arange(width)[:, None]).sum(axis=0).reshape(-1, columns)
    steps = np.where(zigzag % 2, -(zigzag + 1) // 2, zigzag // 2)
    return (np.cumsum(steps, axis=1) % 256**width).astype(f"<u{width}")


def cut(view: Viewer, plane: str, index: int, layer: str, **more: object) -> np.ndarray:
    """Return a slice as the browser gets it."""
    fields, buffers = ask(
        view,
        **{"kind": "slices", "scene": view.scene["key"], "plane": plane, "indices": [index], "layer": layer},
        **{"compress": True, **more},
    )
    assert fields["ok"], fields
    columns = -(-view.scene["shape"][PLANES[plane][0]] // fields["stride"])
    found = unpack(fields, buffers[0], columns)
    return found.view(f"<{view.scene['dtype']}") if layer == "image" and not more.get("coarse") else found

"""The viewer's front end with its real kernel side, and where things are on its page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from widgets import Bridge, Stub

from explorer import Cohort, Selection, open_dataset
from explorer.phantom import PhantomCase, write_case
from explorer.views.viewer import Viewer

TRAITS = [
    "scene",
    "labels",
    "other",
    "mask_sets",
    "mask_set",
    "compare",
    "options",
    "colors",
    "opacities",
    "facts",
    "busy",
    "cases",
    "shared",
    "places",
    "around",
    "ahead",
    "layout_name",
    "window",
    "point",
    "structures",
    "error",
]
WIDTH, HEIGHT = 1200, 760


def bridge(view: Viewer, stub: Callable[..., Stub], **options: Any) -> Bridge:
    """Show a view, with the traits that it has."""
    traits = [name for name in TRAITS if view.has_trait(name)]
    return Bridge(view, stub, "viewer", traits, **{"width": WIDTH, "height": HEIGHT, **options})


@pytest.fixture
def opened(tmp_path: Path, stub: Callable[..., Stub]) -> Callable[..., tuple[Bridge, PhantomCase]]:
    def make(orientation: str = "RAS", tilt: float = 0, **options: object) -> tuple[Bridge, PhantomCase]:
        case = write_case(
            tmp_path, "s0001", orientation=orientation, tilt_degrees=tilt, spacing_mm=(4.0, 5.0, 7.0), seed=3
        )
        dataset = open_dataset(tmp_path)
        selection = Selection(Cohort.join(dataset.meta))
        selection.case = "s0001"
        view = Viewer(selection, dataset)
        assert view.error == ""
        return bridge(view, stub, **options), case

    return make


def at(bridge: Bridge, plane: str, x_share: float, y_share: float) -> tuple[float, float]:
    """Return the page position of a share of a plane's picture: 0, 0 is its top left corner."""
    box = bridge.page.locator(f".xp-plane-{plane} canvas").bounding_box()
    assert box is not None
    scene = bridge.view.scene
    u, v = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}[plane]
    mm = [scene["shape"][axis] * scene["spacing"][axis] for axis in (u, v)]
    scale = min((box["width"] - 20) / mm[0], (box["height"] - 20) / mm[1])
    left = box["x"] + (box["width"] - mm[0] * scale) / 2
    top = box["y"] + (box["height"] - mm[1] * scale) / 2
    return left + x_share * mm[0] * scale, top + y_share * mm[1] * scale


def share(bridge: Bridge, axis: int, mm: float) -> float:
    """Return how far a world position lies between the low and the high end of an upright image."""
    scene = bridge.view.scene
    spacing, low = scene["spacing"][axis], scene["affine"][4 * axis + 3]
    return (mm - low + spacing / 2) / (scene["shape"][axis] * spacing)


def letters(bridge: Bridge, plane: str) -> list[str]:
    return [
        bridge.page.inner_text(f".xp-plane-{plane} .xp-{side}") for side in ("left", "right", "top", "bottom")
    ]


def said(bridge: Bridge) -> str:
    return bridge.page.inner_text(".xp-said")


def pixel(bridge: Bridge, plane: str, x_share: float, y_share: float) -> tuple[int, int, int]:
    """Return the colour that is drawn there, crosshair off the way."""
    x, y = at(bridge, plane, x_share, y_share)
    return tuple(
        bridge.page.evaluate(
            """([plane, x, y]) => { const c = document.querySelector(`.xp-plane-${plane} canvas`), b = c.getBoundingClientRect();
              return [...c.getContext('2d').getImageData(Math.round(x - b.x), Math.round(y - b.y), 1, 1).data].slice(0, 3); }""",
            [plane, x, y],
        )
    )


def said_mm(bridge: Bridge) -> list[float]:
    """Return the position that the line under the picture tells."""
    words = next(part for part in said(bridge).split(" · ") if part.startswith("x ")).split()
    return [float(words[i]) for i in (1, 3, 5)]


def hear(bridge: Bridge, kind: str, answer: Callable[[Any], Any]) -> None:
    """Let the view answer a message in a test's own way."""
    known = bridge.view.handlers
    bridge.view.handlers = lambda: {**known(), kind: answer}

"""A near kernel sends all of a case: then no slice of it is asked for."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fake_kernel import colour, open_volume, quiet, row, spot
from test_slices_transport import grey, labels, linked, scene  # noqa: F401 - a fixture
from test_slices_transport import quiet as still
from widgets import Stub

SHAPE = (40, 30, 20)
MARKED = (9, 21, 3)
"""A voxel that is like no other one, in a structure."""


@pytest.fixture
def marked() -> tuple[np.ndarray, np.ndarray]:
    image, ids = np.full(SHAPE, 60, np.uint8), np.zeros(SHAPE, np.uint8)
    image[MARKED] = 255
    x, y, z = MARKED
    ids[x - 3 : x, y, z] = ids[x, y - 3 : y, z] = ids[x, y, z - 3 : z] = 1
    return image, ids


def put(widget: Stub, voxel: tuple[int, int, int]) -> None:
    """Put the crosshair somewhere, as Python would."""
    affine = np.reshape(widget.get("scene")["affine"], (3, 4))
    widget.set("point", (affine[:, :3] @ voxel + affine[:, 3]).tolist())


def seen(widget: Stub) -> Iterator[tuple[str, list[int], list[int], list[int]]]:
    """Yield of each plane the colours of the marked voxel, of one in the structure, and of one that is in none."""
    for plane, (u, v) in {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}.items():
        near, far = list(MARKED), list(MARKED)
        near[u] -= 2
        far[v] += 4
        yield plane, *(colour(widget, plane, *spot(widget, plane, tuple(at))) for at in (MARKED, near, far))


def test_every_slice_is_there_in_every_plane_though_none_is_asked_for(
    stub: Callable[..., Stub], marked: tuple[np.ndarray, np.ndarray]
):
    options = {"crosshair": False, "smooth": False, "paint": "fill"}
    widget = open_volume(
        stub, *marked, [[], [0]], [row("thing", "#ff0000")], whole=True, options=options, spacing=(1, 2, 3)
    )
    widget.page.wait_for_timeout(200)
    quiet(widget)
    assert [m["layer"] for m in widget.sent_of("volume")] == ["image", "labels"]
    asked = len(widget.sent_of("slices"))
    put(widget, MARKED)
    quiet(widget)
    for plane, at, near, far in seen(widget):
        assert at == [255, 255, 255], plane
        assert near[0] > near[1] + 60, plane
        assert far == [60, 60, 60], plane
    widget.page.focus(".xp-planes")
    for key, is_inside in [("PageDown", True), ("End", False), ("Home", True), ("PageUp", True)]:
        widget.page.keyboard.press(key)
        quiet(widget)
        (at,) = (at for plane, at, *_ in seen(widget) if plane == "axial")
        assert (at[0] > at[1] + 60, at == [60, 60, 60]) == (is_inside, not is_inside), key
    assert widget.sent_of("slices")[asked:] == []
    assert widget.page.locator(".xp-late:visible").count() == 0


def test_masks_that_are_read_anew_are_asked_for_anew(
    stub: Callable[..., Stub], marked: tuple[np.ndarray, np.ndarray]
):
    options = {"crosshair": False, "paint": "fill"}
    widget = open_volume(stub, *marked, [[], [0]], [row("thing", "#ff0000")], whole=True, options=options)
    widget.page.wait_for_timeout(200)
    quiet(widget)
    put(widget, MARKED)
    quiet(widget)
    assert all(near[0] > near[1] + 60 for _, _, near, _ in seen(widget))
    # They are other ones: what the kernel cuts now has nothing in it.
    widget.page.evaluate("window.emptyMasks()")
    widget.set("labels", {**widget.get("labels"), "content": "others"})
    widget.page.wait_for_timeout(200)
    quiet(widget)
    assert all(near[0] == near[1] for _, _, near, _ in seen(widget))
    assert [m["layer"] for m in widget.sent_of("volume")] == ["image", "labels", "labels"]


def large(linked: Callable[..., Stub], **window: Any) -> Stub:  # noqa: F811
    """A case of 90 MB as 16 bits, of which every second voxel along each axis fits into a page."""
    shape = [500, 400, 225]
    widget = linked(50_000, 1, shape)
    widget.page.evaluate("(set) => Object.assign(window, set)", {"volume": True, "numbered": True, **window})
    widget.set("scene", scene("a#1", "a", shape))
    still(widget)
    return widget


def test_of_a_large_case_every_few_voxels_are_there_until_the_slice_itself_has_come(
    linked: Callable[..., Stub],  # noqa: F811
):
    widget = large(linked)
    parts = widget.sent_of("volume")
    assert {m["stride"] for m in parts} == {2}
    assert [m["slices"][0] for m in parts] == [0] + [m["slices"][1] for m in parts[:-1]]
    assert parts[-1]["slices"][1] == 113
    before = len(widget.sent_of("slices"))
    found = widget.page.evaluate(
        """async () => {
          const shown = () => { const c = document.querySelector('.xp-plane-axial canvas');
            return c.getContext('2d').getImageData(c.width * 0.4, c.height * 0.4, 1, 1).data[0]; };
          const found = [];
          for (const index of [20, 201, 64, 170, 7, 224]) {
            window.model.take('point', [250, 200, 2 * index]);
            await new Promise((f) => requestAnimationFrame(() => requestAnimationFrame(f)));
            found.push([index, shown()]);
          }
          return [found, window.sent.filter((m) => m.kind === 'slices').length];
        }"""
    )
    greys, moved = found
    asked = {i for m in widget.sent_of("slices")[before:moved] if m["plane"] == "axial" for i in m["indices"]}
    assert not asked & {index for index, _ in greys}, "none of them was asked for while the hand moved"
    # Of two slices the upper one stands for both.
    assert greys == [[20, 21], [201, 201], [64, 65], [170, 171], [7, 7], [224, 224]]
    later = [m for m in still(widget)[before:] if m["plane"] == "axial" and 224 in m["indices"]]
    assert [bool(m.get("coarse")) for m in later] == [False]
    assert grey(widget) == 224


def test_while_masks_are_still_read_slices_are_asked_for(linked: Callable[..., Stub]):  # noqa: F811
    widget = large(linked, revision=1)
    widget.set("labels", labels("a#1", 1, False))
    before = len(still(widget))
    assert {m["layer"] for m in widget.sent_of("volume")} == {"image"}
    widget.set("point", [250, 200, 40])
    assert {m["layer"] for m in still(widget)[before:]} == {"image", "labels"}
    widget.page.evaluate("window.revision = 2")
    widget.set("labels", labels("a#1", 2, True))
    still(widget)
    assert widget.sent_of("volume")[-1]["layer"] == "labels"


def test_a_slow_link_carries_no_volume(linked: Callable[..., Stub]):  # noqa: F811
    widget = linked(125, 100)
    widget.page.evaluate("window.volume = true")
    widget.set("scene", scene("a#1", "a"))
    still(widget)
    assert widget.sent_of("volume") == []


def test_a_volume_that_is_refused_is_asked_for_once_and_slices_come_without_it(
    linked: Callable[..., Stub],  # noqa: F811
):
    widget = linked(50_000, 1)
    widget.set("scene", scene("a#1", "a"))
    still(widget)
    widget.set("point", [100, 80, 2])
    still(widget)
    assert len(widget.sent_of("volume")) == 1
    assert grey(widget) == 200
    assert "Slices only" not in widget.page.inner_text("#root")

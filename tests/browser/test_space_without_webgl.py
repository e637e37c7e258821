"""A browser without WebGL: words instead of a picture, and everything else works."""

from collections.abc import Callable
from pathlib import Path

from browser import chromium_with
from test_space import TRAITS
from widgets import Bridge, Stub

from explorer import Cohort, Selection, open_dataset
from explorer.phantom import write_case
from explorer.views.viewer import Viewer

chromium = chromium_with("--disable-gpu", "--disable-3d-apis")


def test_the_tile_says_so_and_slices_and_export_work(tmp_path: Path, stub: Callable[..., Stub]):
    write_case(tmp_path, "s0001", spacing_mm=(4.0, 5.0, 7.0), seed=3)
    dataset = open_dataset(tmp_path)
    selection = Selection(Cohort.join(dataset.meta))
    selection.case = "s0001"
    bridge = Bridge(Viewer(selection, dataset, store=str(tmp_path)), stub, "viewer", TRAITS)
    page = bridge.page
    words = page.inner_text(".xp-3d-note")
    assert "WebGL" in words
    assert "Slices, structures, measuring and the export of surfaces work" in words
    assert not page.locator(".xp-3d-note button").is_visible()
    assert not bridge.stub.sent_of("module")  # nothing is loaded in vain
    assert not bridge.stub.sent_of("surface")
    filled = "(c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 60)"
    assert page.locator(".xp-plane-axial canvas").evaluate(filled)
    page.get_by_role("button", name="More", exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="STL", exact=True).click()
        bridge.settle()
    assert waiting.value.suggested_filename == "s0001-surfaces.stl.zip"

"""What the 3D tile asks for beside the slices of the same moment."""

from collections.abc import Callable
from pathlib import Path

from browser import GL, chromium_with
from test_space import TRAITS, settle
from widgets import Bridge, Stub

from explorer import Cohort, Selection, open_dataset
from explorer.phantom import write_case
from explorer.views.viewer import Viewer

chromium = chromium_with(*GL)


def test_slices_do_not_wait_for_surfaces(tmp_path: Path, stub: Callable[..., Stub]):
    """An answer for several waits for the last of them, and a surface takes longer than a slice."""
    for case in ("s0001", "s0002"):
        write_case(tmp_path, case, spacing_mm=(4.0, 5.0, 7.0), seed=3)
    dataset = open_dataset(tmp_path)
    selection = Selection(Cohort.join(dataset.meta))
    selection.structures = ("liver", "spleen")
    selection.case = "s0001"
    view = Viewer(selection, dataset, store=str(tmp_path / "store"))
    bridge = Bridge(view, stub, "viewer", TRAITS)
    settle(bridge, 2)
    before = len(bridge.stub.sent)
    bridge.page.evaluate("window.together.length = 0")
    selection.open("s0002")
    settle(bridge, 2)
    asked = [message["kind"] for message in bridge.stub.sent[before:]]
    assert {"slices", "surface"} <= set(asked)
    assert {kind for kinds in bridge.page.evaluate("window.together") for kind in kinds} == {"slices"}

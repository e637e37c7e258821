"""All of a case for a near browser, part by part."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from samples import SHAPE, box_mask, nifti_bytes
from test_viewer_kernel import ORIENTATIONS, turned
from viewing import ask, cut, unpack

from explorer import Cohort, Selection, open_dataset
from explorer.views import slices
from explorer.views.viewer import Viewer


@pytest.fixture
def opened(write: Callable[..., Path], image: np.ndarray):
    def make(orientation: str = "RAS", dtype: type = np.int16) -> Viewer:
        affine = turned(orientation)
        masks = {"a": box_mask((1, 3), (2, 5), (3, 8)), "b": box_mask((2, 5), (2, 5), (3, 8))}
        files = {name: nifti_bytes(mask, affine) for name, mask in masks.items()}
        dataset = open_dataset(write({"s0001": {"mri": nifti_bytes(image.astype(dtype), affine), **files}}))
        selection = Selection(Cohort.join(dataset.meta))
        selection.case = "s0001"
        return Viewer(selection, dataset)

    return make


def parts(view: Viewer, layer: str, stride: int, ends: list[int]) -> np.ndarray:
    """Return parts put together, shape (z, y, x)."""
    columns, rows = (-(-size // stride) for size in view.scene["shape"][:2])
    found = []
    for first, last in pairwise(ends):
        request = {"scene": view.scene["key"], "layer": layer, "stride": stride, "slices": [first, last]}
        fields, buffers = ask(view, kind="volume", **request)
        assert fields["ok"], fields
        if layer != "image":
            assert (fields["content"], fields["revision"]) == (view._picture.layer(layer).token, 2)
        pixels = unpack(fields, *buffers, columns)
        found.append(pixels.view(f"<{view.scene['dtype']}") if layer == "image" else pixels)
    return np.concatenate(found).reshape(-1, rows, columns)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_parts_are_the_slices_of_the_case(opened, orientation: str, dtype: type):
    view = opened(orientation, dtype)
    height = view.scene["shape"][2]
    for layer in ("image", "labels"):
        whole = parts(view, layer, 1, [0, 1, 4, height])
        np.testing.assert_array_equal(
            whole, [cut(view, "axial", z, layer, compress=False) for z in range(height)]
        )


@pytest.mark.parametrize("stride", [2, 3, 20])
@pytest.mark.parametrize("layer", ["image", "labels"])
def test_a_voxel_stands_for_so_many_around_it_along_each_axis(opened, layer: str, stride: int):
    view = opened("LIP")
    whole = parts(view, layer, 1, [0, view.scene["shape"][2]])
    z, y, x = (
        np.minimum(np.arange(-(-size // stride)) * stride + stride // 2, size - 1) for size in whole.shape
    )
    np.testing.assert_array_equal(parts(view, layer, stride, [0, z.size]), whole[np.ix_(z, y, x)])


def test_masks_are_runs_where_those_are_fewer_bytes(opened):
    view = opened()
    request = {"scene": view.scene["key"], "layer": "labels", "stride": 1, "slices": [0, SHAPE[2]]}
    fields, (buffer,) = ask(view, kind="volume", **request)
    assert fields["packed"] == "runs"
    assert len(buffer) < np.prod(SHAPE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"layer": "bones"},
        {"layer": ["image"]},
        {"stride": 0},
        {"stride": 65},
        {"stride": True},
        {"stride": None},
        {"slices": [0, 10]},
        {"slices": [3, 3]},
        {"slices": [-1, 3]},
        {"slices": [0, 1, 2]},
        {"slices": "01"},
        {"slices": None},
        {"slices": [0, 1.5]},
    ],
)
def test_what_makes_no_sense_is_refused_with_its_value(opened, wrong: dict):
    view = opened()
    request = {"scene": view.scene["key"], "layer": "image", "stride": 1, "slices": [0, 3], **wrong}
    reply, buffers = ask(view, kind="volume", **request)
    assert (reply["ok"], buffers) == (False, [])
    assert repr(next(iter(wrong.values()))) in reply["error"]


def test_one_request_cannot_take_much_memory(opened, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(slices, "MAX_PART_BYTES", 2 * 2 * SHAPE[0] * SHAPE[1])
    view = opened()
    request = {"kind": "volume", "scene": view.scene["key"], "layer": "image", "stride": 1}
    assert ask(view, **request, slices=[0, 2])[0]["ok"]
    reply, _ = ask(view, **request, slices=[0, 3])
    assert not reply["ok"]
    assert "bytes" in reply["error"]


def test_a_case_that_was_left_is_told_apart_from_a_failure(opened):
    view = opened()
    request = {"kind": "volume", "layer": "image", "stride": 1, "slices": [0, 1]}
    reply, _ = ask(view, **request, scene="s0001#0")
    assert (reply["ok"], reply["outdated"], view.error) == (False, True, "")

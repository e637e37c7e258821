"""Surfaces kept on disk, answered to a browser and written for other programs."""

import io
import os
import shutil
import threading
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import trimesh
from samples import SHAPE, box_mask, nifti_bytes

from explorer import Cohort, Selection, export_surfaces, open_dataset
from explorer.cache import DiskCache
from explorer.errors import QueryError, UnknownName
from explorer.grid import Grid
from explorer.surface_cache import key, pack, surface_cache, unpack
from explorer.surface_files import case_surfaces, to_glb, to_ply, to_stl
from explorer.surfaces import Surface, surface
from explorer.views import space
from explorer.views.viewer import Viewer

NAMES = ("kidney_left", "liver")


@pytest.fixture
def root(write) -> Path:
    return write(
        {
            "s0001": {
                "liver": box_mask((1, 4), (2, 6), (3, 8)),
                "kidney_left": box_mask((3, 6), (2, 5), (3, 8)),
                "spleen": box_mask((0, 0), (0, 0), (0, 0)),
            }
        }
    )


@pytest.fixture
def one() -> Surface:
    return surface(box_mask((1, 4), (2, 6), (3, 8)) > 0, Grid(SHAPE, np.diag([2, 1.5, 3, 1])))


@pytest.fixture
def view(root: Path, tmp_path: Path) -> Viewer:
    dataset = open_dataset(root)
    selection = Selection(Cohort.join(dataset.meta))
    selection.case = "s0001"
    store = tmp_path / "store"
    store.mkdir()
    return Viewer(selection, dataset, store=str(store))


def ask(view: Viewer, **message: object) -> tuple[dict, list[bytes]]:
    replies: list[tuple[dict, list[bytes]]] = []
    view.send = lambda content, buffers=None: replies.append((content, list(buffers or [])))
    view._receive(view, {"id": "1", "scene": view.scene["key"], **message}, [])
    return replies[0]


def test_packing_keeps_all(one: Surface):
    again = unpack(pack(one))
    assert again is not None
    np.testing.assert_array_equal(again.vertices_mm, one.vertices_mm)
    np.testing.assert_array_equal(again.triangles, one.triangles)


def test_damaged_bytes_are_no_surface(one: Surface):
    data = pack(one)
    wrong_row = bytearray(data)
    wrong_row[-4:] = (10**6).to_bytes(4, "little")
    not_finite = bytearray(data)
    not_finite[12:20] = b"\xff" * 8
    for bad in (b"", data[:-1], data + b"0", b"0" + data[1:], bytes(wrong_row), bytes(not_finite)):
        assert unpack(bad) is None


def test_a_surface_is_made_once_and_again_when_its_file_is_damaged(view: Viewer, tmp_path: Path, monkeypatch):
    made: list[str] = []

    def counted(*arguments: object, **options: object) -> Surface:
        made.append("made")
        return surface(*arguments, **options)

    monkeypatch.setattr(space, "surface", counted)
    first = ask(view, kind="surface", structure="liver")
    assert ask(view, kind="surface", structure="liver") == first
    assert len(made) == 1
    (kept,) = [p for p in (tmp_path / "store" / "surfaces").rglob("*") if p.is_file()]
    kept.write_bytes(kept.read_bytes()[:-7] + b"garbage")
    assert ask(view, kind="surface", structure="liver") == first
    assert len(made) == 2


def test_other_masks_are_other_surfaces(one: Surface):
    grid = Grid((7, 8, 9), np.eye(4))
    moved = Grid((7, 8, 9), np.diag([1, 1, 2, 1.0]))
    told = [
        ("s0001", "reference", "9 1", "liver", grid, 4000),
        ("s0002", "reference", "9 1", "liver", grid, 4000),
        ("s0001", "model", "9 1", "liver", grid, 4000),
        ("s0001", "reference", "9 2", "liver", grid, 4000),
        ("s0001", "reference", "9 1", "spleen", grid, 4000),
        ("s0001", "reference", "9 1", "liver", moved, 4000),
        ("s0001", "reference", "9 1", "liver", grid, 4001),
    ]
    assert len({key(*one) for one in told}) == len(told)


def test_surfaces_lie_beside_an_index_that_can_be_written(root: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _: str(tmp_path / "home"))
    dataset = open_dataset(root)
    assert surface_cache(dataset).folder.is_relative_to(
        tmp_path / "home"
    )  # no index: nothing is put beside the data
    beside = root.with_name(f"{root.name}.explorer")
    beside.mkdir()
    assert surface_cache(dataset).folder == beside / "surfaces"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert surface_cache(dataset).folder.is_relative_to(tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_data_sets_of_one_relative_path_do_not_share_their_surfaces(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _: str(tmp_path / "home"))
    folders = set()
    for number in range(2):
        here = tmp_path / f"place{number}"
        shutil.copytree(root, here / "set")
        monkeypatch.chdir(here)
        folders.add(surface_cache(open_dataset("set")).folder)
        assert surface_cache(open_dataset(here / "set")).folder in folders
    assert len(folders) == 2


def test_where_nothing_can_be_written_surfaces_are_made_all_the_same(
    root: Path, tmp_path: Path, view: Viewer
):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    surfaces = space.Surfaces(DiskCache(blocked / "surfaces", 2**20))
    assert len(surfaces.get(view._picture.labels, "x", "liver").triangles) > 0


def test_two_writers_do_no_harm(one: Surface, tmp_path: Path):
    cache = DiskCache(tmp_path / "surfaces", 2**24)
    data = pack(one)
    seen: list[bytes | None] = []

    def work() -> None:
        for _ in range(50):
            cache.put("same", data)
            seen.append(DiskCache(cache.folder, 2**24).get("same"))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {data}


def test_the_cache_stays_within_its_bound(one: Surface, tmp_path: Path):
    data = pack(one)
    cache = DiskCache(tmp_path / "surfaces", 10 * len(data))
    for number in range(60):
        cache.put(str(number), data)
    held = sum(p.stat().st_size for p in cache.folder.rglob("*") if p.is_file())
    assert held <= 10 * len(data)
    assert cache.get("59") == data


def test_what_goes_to_the_browser_is_the_surface(view: Viewer):
    reply, (codes, rows) = ask(view, kind="surface", structure="liver")
    assert reply["ok"]
    places = np.frombuffer(codes, "<u2").reshape(-1, 3) * reply["step"] + reply["origin"]
    triangles = np.frombuffer(rows, f"<u{reply['bytes']}").reshape(-1, 3)
    found = trimesh.Trimesh(places, triangles, process=False)
    assert found.is_watertight
    expected = case_surfaces(view.dataset["s0001"], ["liver"])["liver"]
    assert found.volume / 1000 == pytest.approx(expected.volume_ml, rel=1e-4)
    assert len(triangles) == len(expected.triangles)


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "surface"},
        {"kind": "surface", "structure": "nothing"},
        {"kind": "surface", "structure": "spleen"},
        {"kind": "surface", "structure": ["liver"]},
        {"kind": "surface", "structure": "liver" * 9999},
        {"kind": "surface", "structure": "liver", "scene": "s0002#1"},
        {"kind": "surface", "structure": "liver", "layer": "image"},
        {"kind": "module"},
        {"kind": "module", "name": "viewer"},
        {"kind": "module", "name": "../space"},
        {"kind": "module", "name": ["space"]},
        {"kind": "export", "structures": ["liver"], "format": "exe"},
        {"kind": "export", "structures": "liver", "format": "glb"},
        {"kind": "export", "structures": [], "format": "glb"},
        {"kind": "export", "structures": ["liver"] * 5000, "format": "glb"},
        {"kind": "export", "structures": ["liver", 7], "format": "glb"},
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_few_words(view: Viewer, message: dict):
    reply, buffers = ask(view, **message)
    assert not reply["ok"]
    assert not buffers
    assert len(reply["error"]) < 600
    assert "Unexpected" not in reply["error"]


def test_the_program_of_the_tile_is_handed_out(view: Viewer):
    reply, (packed,) = ask(view, kind="module", name="space")
    assert reply["ok"]
    assert b"WebGL" in zlib.decompress(packed)


def test_downloads_hold_what_was_chosen(view: Viewer):
    wanted = ["liver", "kidney_left"]
    reply, (data,) = ask(view, kind="export", structures=wanted, format="stl")
    assert reply["suffix"] == "stl.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert sorted(archive.namelist()) == ["kidney_left.stl", "liver.stl"]
    reply, (data,) = ask(
        view,
        kind="export",
        structures=wanted,
        format="glb",
        colors={"liver": "#ff0000", "kidney_left": "red"},
    )
    scene = trimesh.load(io.BytesIO(data), file_type="glb")
    assert scene.geometry["liver"].visual.material.baseColorFactor[:3].tolist() == [255, 0, 0]
    assert scene.geometry["kidney_left"].visual.material.baseColorFactor[:3].tolist() != [255, 0, 0]


def test_only_what_is_large_itself_is_looked_at_in_steps(
    write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """A ball of 9 voxels beside a shell of 60, and a sieve of which steps from its corner see the holes only."""
    monkeypatch.setattr("explorer.surfaces._READ_VOXELS", 1_000)
    size = 64
    apart = np.linalg.norm(np.indices((size, size, size)) - 32.0, axis=0)
    small = np.roll(apart <= 4, (20, 20, 20), (0, 1, 2))
    sheet = np.zeros((size, size, size), bool)
    sheet[3:61, 5:61, 7] = np.indices((58, 56)).sum(axis=0) % 2
    masks = {"liver": (apart < 30) & (apart > 20), "adrenal_gland_left": small, "skin": sheet}
    affine = np.diag([2.0, 1.5, 3.0, 1.0])
    files = {name: nifti_bytes(mask.astype(np.uint8), affine) for name, mask in masks.items()}
    image = nifti_bytes(np.ones((size, size, size), np.int16), affine)
    dataset = open_dataset(write({"s0001": {"mri": image, **files}}))
    selection = Selection(Cohort.join(dataset.meta))
    selection.case = "s0001"
    view = Viewer(selection, dataset, store=str(tmp_path / "store"))
    made = case_surfaces(dataset["s0001"])
    whole = surface(small, Grid(small.shape, affine))
    for name in masks:
        reply, (codes, rows) = ask(view, kind="surface", structure=name)
        assert reply["ok"], reply
        places = np.frombuffer(codes, "<u2").reshape(-1, 3) * reply["step"] + reply["origin"]
        found = trimesh.Trimesh(places, np.frombuffer(rows, "<u2").reshape(-1, 3), process=False)
        inside = np.argwhere(masks[name]) * (2.0, 1.5, 3.0)
        for bounds in (
            found.bounds,
            [made[name].vertices_mm.min(axis=0), made[name].vertices_mm.max(axis=0)],
        ):
            np.testing.assert_allclose(bounds, [inside.min(axis=0), inside.max(axis=0)], atol=12.5)
        if name == "adrenal_gland_left":
            assert len(found.faces) == len(made[name].triangles) == len(whole.triangles)
            np.testing.assert_allclose(found.bounds[0], whole.vertices_mm.min(axis=0), atol=0.4)
    assert view.error == ""


def test_what_has_no_surface_is_left_out_of_a_download_and_named(view: Viewer):
    real = space.surface

    def failing(inside: np.ndarray, *given: object, **options: object) -> Surface:
        if inside.sum() == box_mask((1, 4), (2, 6), (3, 8)).sum():
            raise QueryError("The liver has no surface.")
        return real(inside, *given, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space, "surface", failing)
        reply, (data,) = ask(view, kind="export", structures=["liver", "kidney_left"], format="stl")
        assert reply["left_out"] == ["liver"]
        assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["kidney_left.stl"]
        assert view.error == ""
        reply, buffers = ask(view, kind="export", structures=["liver"], format="stl")
        assert (reply["ok"], reply["error"], buffers) == (False, "The liver has no surface.", [])


def test_stl_and_ply_are_read_back_by_others(one: Surface):
    for form, data in (
        ("stl", to_stl("a\u00e4", one)),
        ("ply", to_ply("a\u00e4\nend_header", one, "#336699")),
    ):
        assert b"SPACE=RAS" in data[:200]
        found = trimesh.load(io.BytesIO(data), file_type=form)
        assert found.is_watertight
        assert found.volume / 1000 == pytest.approx(one.volume_ml, rel=1e-4)
        np.testing.assert_allclose(found.bounds[0], one.vertices_mm.min(axis=0), atol=1e-4)
    assert found.visual.vertex_colors[0].tolist() == [0x33, 0x66, 0x99, 255]
    assert (found.face_normals @ np.array([1, 0, 0])).max() > 0.9


def test_glb_has_names_and_stands_upright_in_metres(one: Surface):
    scene = trimesh.load(
        io.BytesIO(to_glb({"a": one, "b c": one}, {"a": "#ff0000", "b c": "#00ff00"})), file_type="glb"
    )
    assert sorted(scene.geometry) == ["a", "b c"]
    low, high = scene.bounds
    x, y, z = one.vertices_mm.astype(float).T / 1000
    # glTF: y is up and z comes towards the viewer; so the patient's head is at +y and the front at -z.
    np.testing.assert_allclose(low, [x.min(), z.min(), -y.max()], atol=1e-6)
    np.testing.assert_allclose(high, [x.max(), z.max(), -y.min()], atol=1e-6)


def test_files_are_written_as_the_path_asks(root: Path, tmp_path: Path):
    case = open_dataset(root)["s0001"]
    assert export_surfaces(case, None, tmp_path / "all.glb") == [tmp_path / "all.glb"]
    written = export_surfaces(case, NAMES, tmp_path / "folder", format="ply")
    assert [p.name for p in written] == ["kidney_left.ply", "liver.ply"]
    assert export_surfaces(case, ["liver"], tmp_path / "liver.stl") == [tmp_path / "liver.stl"]
    (packed,) = export_surfaces(case, NAMES, tmp_path / "both.zip", format="stl")
    assert len(zipfile.ZipFile(packed).namelist()) == 2
    with pytest.raises(QueryError, match=r"folder or \.zip"):
        export_surfaces(case, NAMES, tmp_path / "both.stl")
    with pytest.raises(QueryError, match="No format"):
        export_surfaces(case, NAMES, tmp_path / "x", format="obj")
    with pytest.raises(UnknownName, match="Did you mean 'liver'"):
        export_surfaces(case, ["livr"], tmp_path / "x.glb")
    with pytest.raises(UnknownName):
        export_surfaces(case, ["spleen"], tmp_path / "x.glb")

"""Opening cases beside the kernel's loop: what is shown when, what is kept, what is cancelled."""

import asyncio
import gc
import time
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import numpy as np
import pytest
from samples import SHAPE, box_mask, nifti_bytes
from viewing import ask, cut, unpack

from explorer import Cohort, Selection, build_index, open_dataset
from explorer.case import Case
from explorer.errors import DatasetError, VolumeError
from explorer.labels import LabelBuilder, slabs
from explorer.views import opening, reading, viewer
from explorer.views.overlay import Overlay
from explorer.views.viewer import Viewer
from explorer.volume import MaskReader, read_image, read_masks

MASKS = {
    "a": box_mask((1, 3), (2, 5), (3, 8)),
    "b": box_mask((2, 5), (2, 5), (3, 8)),
    "c": box_mask((0, 7), (0, 8), (0, 9)),
}


class Gate:
    """Lets masks through one by one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.open, self.one_more = Event(), Event(), Semaphore(0)
        self.read: list[str] = []
        real = MaskReader.read

        def read(reader: MaskReader, name: str) -> Any:
            self.reached.set()
            while not (self.open.is_set() or self.one_more.acquire(timeout=0.01)):
                pass
            self.read.append(f"{reader._case.id}/{name}")
            return real(reader, name)

        monkeypatch.setattr(MaskReader, "read", read)


def apart(test: Coroutine) -> None:
    """Run beside this thread: a browser test that ran before may have left its own loop running here."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, test).result()


@pytest.fixture
def in_loop(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Coroutine]], None]:
    """Run a test as in a kernel."""

    def run(test: Callable[[], Coroutine]) -> None:
        async def inside() -> None:
            loop = asyncio.get_running_loop()
            monkeypatch.setattr(viewer, "kernel_loop", lambda: loop)
            await asyncio.wait_for(test(), 40)

        apart(inside())

    return run


async def until(true: Callable[[], object]) -> None:
    while not true():
        await asyncio.sleep(0.005)


@pytest.fixture
def two_sets(write, tmp_path: Path) -> tuple[Selection, Callable[[], Viewer]]:
    """One case with masks of the reference and of a model."""
    for name, mask in MASKS.items():
        path = tmp_path / f"model/s0001/{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(nifti_bytes(mask[::-1]))
    dataset = open_dataset(write({"s0001": MASKS})).with_mask_set("model", tmp_path / "model")
    selection = Selection(Cohort.join(dataset.meta))
    return selection, lambda: Viewer(selection, dataset, store=str(tmp_path / "store"))


def three_cases(write: Callable, **options: Any) -> tuple[Selection, Callable[[], Viewer]]:
    dataset = open_dataset(write({f"s000{n}": MASKS for n in (1, 2, 3)}))
    selection = Selection(Cohort.join(dataset.meta))
    return selection, lambda: Viewer(selection, dataset, **options)


def test_the_picture_comes_before_the_masks_and_the_chosen_one_first(
    write, in_loop, monkeypatch: pytest.MonkeyPatch
):
    selection, make = three_cases(write)
    gate = Gate(monkeypatch)
    monkeypatch.setattr(reading, "FIRST_PAUSE_SECONDS", 0)
    monkeypatch.setattr(reading, "LONGEST_PAUSE_SECONDS", 0)

    async def test() -> None:
        view = make()
        selection.structures = ("b",)
        selection.open("s0001")
        await until(lambda: view.scene and gate.reached.is_set())
        assert view.labels == {}
        assert view.busy == "Reading masks"
        assert cut(view, "axial", 4, "image").shape == (8, 7)
        for revision in (1, 2, 3):
            gate.one_more.release()
            await until(lambda revision=revision: view.labels.get("revision") == revision)
            assert view.labels["complete"] == (revision == 3)
            names = {
                view.labels["structures"][row]["name"] for members in view.labels["sets"] for row in members
            }
            assert names == {name.removeprefix("s0001/") for name in gate.read}
        assert gate.read[0] == "s0001/b"
        view.close()

    in_loop(test)


def test_a_case_that_was_left_is_not_read_on_and_never_shown(write, in_loop, monkeypatch: pytest.MonkeyPatch):
    selection, make = three_cases(write)
    gate = Gate(monkeypatch)

    async def test() -> None:
        view = make()
        shown: list[str] = []
        view.observe(lambda c: shown.append(c["new"].get("case", "")), names=["scene"])
        view.observe(lambda c: shown.append(c["new"].get("key", "").split("#")[0]), names=["labels"])
        selection.open("s0001")
        await until(gate.reached.is_set)
        selection.open("s0003")
        gate.open.set()
        await until(lambda: view.labels.get("complete"))
        assert sum(name.startswith("s0001/") for name in gate.read) == 1
        late = shown[shown.index("s0003") :]
        assert "s0001" not in late
        view.close()

    in_loop(test)


def test_the_next_case_is_read_ahead_and_opens_at_once_with_its_slices(write, in_loop):
    selection, make = three_cases(write)

    async def test() -> None:
        view = make()
        selection.open("s0001")
        shelf = view._opener.shelf
        await until(lambda: "s0002" in shelf and (o := shelf.get("s0002").labels) and o.complete)
        await until(lambda: view._opener._job is None)
        sent: list[tuple[dict, list]] = []
        view.send = lambda content, buffers=None: sent.append((content, buffers))
        selection.step(1)  # nothing is awaited
        assert (view.scene["case"], view.labels["complete"], view.busy) == ("s0002", True, "")
        along = [pair for m, buffers in sent for pair in zip(m["slices"], buffers, strict=True)]
        assert {(m["layer"], m["plane"]) for m, _ in along} == {
            (layer, plane) for layer in ("image", "labels") for plane in ("axial", "coronal", "sagittal")
        }
        for fields, buffer in along:
            assert fields["scene"] == view.scene["key"]
            columns = view.scene["shape"][{"axial": 0, "coronal": 0, "sagittal": 1}[fields["plane"]]]
            found = unpack(fields, buffer, columns)
            expected = cut(view, fields["plane"], fields["index"], fields["layer"])
            np.testing.assert_array_equal(found, expected.view(found.dtype))
        view.close()

    in_loop(test)


def test_what_was_read_ahead_is_sent_ahead_and_then_not_again(write, in_loop):
    selection, make = three_cases(write)

    async def test() -> None:
        view = make()
        selection.open("s0001")
        assert ask(view, kind="ahead", case="s0002")[0] == {"id": "1", "ok": True}  # not there yet
        await until(lambda: view.ahead == "s0002")
        fields, buffers = ask(view, kind="ahead", case="s0002", compress=True)
        assert (fields["scene"]["case"], fields["labels"]["complete"], fields["other"]) == ("s0002", True, {})
        assert len(buffers) == len(fields["slices"]) == 6
        sent: list[dict] = []
        view.send = lambda content, buffers=None: sent.append(content)
        view._receive(view, {"id": "2", "kind": "open", "case": "s0002", "scene": fields["scene"]["key"]}, [])
        assert sent == [{"id": "2", "ok": True, "reading": False}]
        assert (view.scene, view.labels) == (fields["scene"], fields["labels"])
        assert (view.facts, view.error) == (fields["facts"], "")
        for told, buffer in zip(fields["slices"], buffers, strict=True):
            found = unpack(told, buffer, view.scene["shape"][{"sagittal": 1}.get(told["plane"], 0)])
            expected = cut(view, told["plane"], told["index"], told["layer"])
            np.testing.assert_array_equal(found, expected.view(found.dtype))
        view.close()

    in_loop(test)


def test_a_case_that_has_to_be_read_again_is_said_to_be(write, in_loop, monkeypatch: pytest.MonkeyPatch):
    selection, make = three_cases(write)

    async def test() -> None:
        view = make()
        selection.open("s0001")
        await until(lambda: view.busy == "")
        fields, _ = ask(view, kind="open", case="s0003", scene="s0003#1")
        assert fields["reading"] is True
        await until(lambda: view.scene["case"] == "s0003" and view.busy == "")
        view.close()

    in_loop(test)


def test_cases_around_the_open_one_are_those_of_the_cohort(write, in_loop, monkeypatch: pytest.MonkeyPatch):
    selection, make = three_cases(write)
    monkeypatch.setattr(viewer, "AROUND", 1)

    async def test() -> None:
        view = make()
        selection.open("s0001")
        assert view.around == ["s0001", "s0002"]
        selection.open("s0002")
        assert view.around == ["s0001", "s0002", "s0003"]
        selection.query = "s0003"
        assert view.around == []
        selection.open("s0003")
        assert view.around == ["s0003"]
        view.close()

    in_loop(test)


def test_a_case_that_is_opened_again_is_shown_where_it_was_left(write, in_loop):
    selection, make = three_cases(write)

    async def test() -> None:
        view = make()
        selection.open("s0001")
        await until(lambda: view.busy == "" and "s0002" in view._opener.shelf)
        view.point = left = (np.asarray(view._picture.grid.affine)[:3, 3]).tolist()  # of voxel 0, 0, 0
        fields, _ = ask(view, kind="step", by=1)
        assert (fields["case"], view.point, view.places) == ("s0002", None, [["s0001", left]])
        await until(lambda: view.busy == "")
        sent: list[dict] = []
        view.send = lambda content, buffers=None: sent.append(content)
        selection.step(-1)
        assert (view.scene["case"], view.point, selection.point) == ("s0001", left, tuple(left))
        assert view.places == []
        assert {told["index"] for told in sent[-1]["slices"]} == {0}, "and its slices are sent along"
        view.close()

    in_loop(test)


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "ahead", "case": 3},
        {"kind": "ahead", "case": "s0002", "stride": 1e9},
        {"kind": "open", "case": "nothing", "scene": "nothing#1"},
        {"kind": "open", "case": "s0002", "scene": None},
    ],
)
def test_wishes_that_make_no_sense_are_refused(write, in_loop, message: dict[str, Any]):
    selection, make = three_cases(write)

    async def test() -> None:
        view = make()
        selection.open("s0001")
        await until(lambda: view.ahead == "s0002")
        fields, _ = ask(view, **message)
        assert not fields["ok"]
        assert (view.scene["case"], selection.case, view.error != "") == ("s0001", "s0001", True)
        view.close()

    in_loop(test)


def slow_images(monkeypatch: pytest.MonkeyPatch) -> tuple[Event, Event]:
    """Return what is set once an image is asked for, and what lets it be read."""
    asked, go = Event(), Event()
    real = reading.read_image
    monkeypatch.setattr(reading, "read_image", lambda case: (asked.set(), go.wait(20), real(case))[-1])
    return asked, go


def cannot_list(monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    """Let a store of objects answer that it is busy when a case is listed."""
    real = Case.sizes

    def sizes(case: Case) -> tuple[int, int]:
        if case.id == which:
            raise DatasetError(f"Cannot list {case.folder!r}: 503.")
        return real(case)

    monkeypatch.setattr(Case, "sizes", sizes)


def test_a_case_that_cannot_be_listed_is_told_and_the_last_one_is_no_longer_shown(
    write, monkeypatch: pytest.MonkeyPatch
):
    selection, make = three_cases(write)
    cannot_list(monkeypatch, "s0003")
    selection.open("s0001")
    view = make()
    assert view.scene["case"] == "s0001"
    selection.open("s0003")
    assert (view.busy, view.error) == ("", "Cannot list 's0003': 503.")
    assert (view.scene, view.labels) == ({}, {})
    selection.open("s0001")
    assert (view.scene["case"], view.busy, view.error) == ("s0001", "", "")


def test_a_case_that_is_still_read_is_not_shown_as_one_that_cannot_be_listed(
    write, in_loop, monkeypatch: pytest.MonkeyPatch
):
    selection, make = three_cases(write)
    cannot_list(monkeypatch, "s0003")
    asked, go = slow_images(monkeypatch)

    async def test() -> None:
        view = make()
        selection.open("s0001")
        await until(asked.is_set)
        selection.open("s0003")
        go.set()
        await until(lambda: not view._opener._reader._busy)
        await asyncio.sleep(0.02)
        assert (view.scene, view._picture, view.error) == ({}, None, "Cannot list 's0003': 503.")
        view.close()

    in_loop(test)


@pytest.mark.parametrize("with_loop", [False, True])
def test_a_next_case_that_cannot_be_listed_leaves_the_open_one_alone(
    write, in_loop, monkeypatch: pytest.MonkeyPatch, with_loop: bool
):
    selection, make = three_cases(write)
    cannot_list(monkeypatch, "s0002")
    unhandled: list[dict[str, Any]] = []

    async def test() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        view = make()
        selection.open("s0001")
        await until(lambda: view.busy == "")
        await asyncio.sleep(0.02)
        assert (view.scene.get("case"), view.labels.get("complete"), view.error) == ("s0001", True, "")
        view.close()

    if with_loop:
        in_loop(test)
    else:
        apart(test())
    assert unhandled == []


def test_a_viewer_that_was_closed_reads_nothing_and_keeps_nothing(write):
    selection, make = three_cases(write)
    view, other = make(), make()
    selection.open("s0001")
    picture = weakref.ref(view._picture)
    view.close()
    selection.open("s0002")
    selection.window = (1.0, 2.0)
    selection.compare = "reference"
    assert (view.scene["case"], view.window, view._opener.shelf.nbytes) == ("s0001", None, 0)
    assert other.scene["case"] == "s0002"
    gc.collect()
    assert picture() is None


def test_a_picture_that_comes_after_a_viewer_was_closed_is_not_kept(
    write, in_loop, monkeypatch: pytest.MonkeyPatch
):
    selection, make = three_cases(write)
    asked, go = slow_images(monkeypatch)

    async def test() -> None:
        view = make()
        selection.open("s0001")
        await until(asked.is_set)
        view.close()
        go.set()
        await until(lambda: not view._opener._reader._busy)
        await asyncio.sleep(0.02)
        assert (view.scene, view._opener.shelf.nbytes) == ({}, 0)

    in_loop(test)


def test_what_does_not_fit_is_not_read_ahead_and_old_cases_go(write, in_loop):
    selection, make = three_cases(write, memory_bytes=7 * 8 * 9 * 3 + 10)

    async def test() -> None:
        view = make()
        for case in ("s0001", "s0002", "s0003"):
            selection.open(case)
            await until(lambda: view.labels.get("complete") and view.busy == "")
            await asyncio.sleep(0.02)
            shelf = view._opener.shelf
            assert [name for name in ("s0001", "s0002", "s0003") if name in shelf] == [case]
            assert shelf.nbytes <= shelf.budget_bytes
        view.close()

    in_loop(test)


def test_a_case_that_is_opened_while_it_is_read_ahead_is_not_read_twice(
    write, in_loop, monkeypatch: pytest.MonkeyPatch
):
    selection, make = three_cases(write)
    reads: list[str] = []
    real = reading.read_image
    monkeypatch.setattr(reading, "read_image", lambda case: reads.append(case.id) or real(case))
    gate = Gate(monkeypatch)
    gate.open.set()

    async def test() -> None:
        view = make()
        selection.open("s0001")
        await until(lambda: view.busy == "")
        gate.open.clear()
        await until(lambda: "s0002" in view._opener.shelf)
        selection.step(1)
        assert view.scene["case"] == "s0002"
        gate.open.set()
        await until(lambda: view.labels.get("complete") and view.scene["case"] == "s0002")
        assert reads.count("s0002") == 1
        assert len([name for name in gate.read if name.startswith("s0002/")]) == 3
        view.close()

    in_loop(test)


def test_a_snapshot_is_of_the_case_that_was_opened_and_has_all_its_masks(
    write, in_loop, monkeypatch: pytest.MonkeyPatch
):
    """In a cell that goes through cases, where nothing is shown before the cell ends."""
    selection, make = three_cases(write)
    slow = MaskReader.read
    monkeypatch.setattr(MaskReader, "read", lambda *given: time.sleep(0.02) or slow(*given))

    async def test() -> None:
        view = make()
        for case in ("s0001", "s0003", "s0002"):
            selection.open(case)
            png = view.snapshot(width=400, height=300)
            assert (view.scene["case"], view.busy, view.labels["complete"]) == (case, "", True)
            steps = len(view.labels["sets"]), view.scene["window"]
            await asyncio.sleep(0.05)  # what was handed over is not handed over once more
            assert view.snapshot(width=400, height=300) == png
            assert (len(view.labels["sets"]), view.scene["window"]) == steps
        (Path(view.dataset.location) / "s0001/mri.nii.gz").write_bytes(b"nonsense")
        for path in Path(view.dataset.location, "s0001/segmentations").iterdir():
            path.unlink()
        view._opener.shelf.make_room(10**12)
        selection.open("s0001")
        with pytest.raises(VolumeError, match=r"no picture of 's0001'\. s0001/mri\.nii\.gz"):
            view.snapshot()
        view.close()

    in_loop(test)


def test_ids_that_are_cut_while_a_mask_is_added_are_known_and_not_wrong(
    write, in_loop, monkeypatch: pytest.MonkeyPatch
):
    """A slice may show a mask in part; never a set that the browser cannot name, nor one that is not true."""
    selection, make = three_cases(write)
    monkeypatch.setattr("explorer.labels.slabs", lambda shape: slabs(shape, 1))
    seen: list[tuple[np.ndarray, list]] = []
    real = LabelBuilder._add

    async def test() -> None:
        view = make()
        true = read_masks(view.dataset["s0001"], read_image(view.dataset["s0001"]).grid)

        def add(builder: LabelBuilder, *given: Any) -> None:
            real(builder, *given)
            builder.changing.release()  # as between two slabs
            try:
                ids = builder.ids.copy()
                seen.append((ids, list(builder.sets)))
            finally:
                builder.changing.acquire()

        monkeypatch.setattr(LabelBuilder, "_add", add)
        selection.open("s0001")
        await until(lambda: view.labels.get("complete"))
        final = {tuple(sorted(names)) for names in true.sets}
        for ids, sets in seen:
            assert ids.max() < len(sets)
            for i, names in enumerate(sets):
                truth = np.array([set(names) <= set(names_) for names_ in true.sets])[true.ids]
                assert truth[ids == i].all(), names
        assert {tuple(sorted(names)) for names in view._picture.labels.sets if names} <= final
        assert len(seen) > 10
        view.close()

    in_loop(test)


def test_a_reply_never_has_ids_that_were_not_told(write):
    selection, make = three_cases(write)
    selection.open("s0001")
    view = make()
    overlay = view._picture.labels
    order: list[str] = []
    view.observe(lambda c: order.append(f"labels of {len(c['new']['sets'])} sets"), names=["labels"])
    overlay._builder.add(MaskReader(view.dataset["s0001"], overlay._stored).read("a"))
    overlay._builder._move(0, ("a", "b", "c", "a"), 0)
    ask(view, kind="slices", scene=view.scene["key"], plane="axial", indices=[4], layer="labels")
    assert order == [f"labels of {len(overlay.sets)} sets"]


def test_the_window_of_a_sample_becomes_the_exact_one(write, in_loop):
    rng = np.random.default_rng(0)
    image = rng.gamma(2, 80, (60, 70, 50)).astype(np.int16)
    affine = np.diag([-2.0, 1.5, 3.0, 1.0])
    dataset = open_dataset(write({"s0001": {"mri": nifti_bytes(image, affine)}}))
    exact = np.percentile(image[image != 0], (1, 99))

    async def test() -> None:
        selection = Selection(Cohort.join(dataset.meta))
        view = Viewer(selection, dataset)
        windows: list[list[float]] = []
        keys: list[str] = []
        view.observe(lambda c: windows.append(c["new"]["window"]), names=["scene"])
        view.observe(lambda c: keys.append(c["new"]["key"]), names=["scene"])
        selection.open("s0001")
        await until(lambda: view.busy == "")
        assert windows[-1] == pytest.approx(list(exact))
        np.testing.assert_allclose(windows[0], exact, rtol=0.2)
        assert len(set(keys)) == 1
        view.close()

    in_loop(test)


def test_the_window_of_the_index_is_used_while_the_files_are_the_same(write, monkeypatch: pytest.MonkeyPatch):
    root = write({"s0001": MASKS})
    dataset = open_dataset(root)
    index = build_index(dataset, f"{root}.store", progress=False)
    selection = Selection(Cohort.join(dataset.meta, index.cases, index.structures))
    exact = np.percentile(read_image(dataset["s0001"]).voxels, (1, 99))
    monkeypatch.setattr("explorer.views.picture._sampled", lambda volume: pytest.fail("was sampled"))
    selection.open("s0001")
    assert Viewer(selection, dataset).scene["window"] == pytest.approx(exact)
    monkeypatch.undo()
    (root / "s0001/mri.nii.gz").write_bytes(nifti_bytes(np.full(SHAPE, 7, np.int16)))
    assert Viewer(selection, open_dataset(root)).scene["window"] == [7, 8]


def test_an_unreadable_image_leaves_its_masks(write):
    dataset = open_dataset(
        write({"s0001": {**MASKS, "mri": b"nonsense"}, "s0002": {"mri": None, "a": MASKS["a"]}})
    )
    selection = Selection(Cohort.join(dataset.meta))
    for case, said in (("s0001", "s0001/mri.nii.gz"), ("s0002", "s0002 has no image")):
        selection.open(case)
        view = Viewer(selection, dataset)
        assert said in view.error
        assert "Only its masks are shown" in view.error
        assert cut(view, "axial", 4, "image").max() == 0
        assert cut(view, "axial", 4, "labels").max() > 0


@pytest.mark.parametrize(
    ("dtype", "shape", "advice"),
    [
        (np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]), SHAPE, "Convert the file"),
        (np.dtype(np.complex64), SHAPE, "Convert the file"),
        (np.dtype(np.int16), (*SHAPE, 3), "Split the file"),
    ],
)
def test_what_is_no_volume_of_numbers_is_refused_by_name(write, dtype, shape, advice: str):
    data = nifti_bytes(np.zeros(shape, dtype))
    selection = Selection(Cohort.join((dataset := open_dataset(write({"s0001": {"mri": data}}))).meta))
    selection.open("s0001")
    view = Viewer(selection, dataset)
    assert "s0001/mri.nii.gz" in view.error
    assert advice in view.error


def test_one_slice_and_no_masks_work(write):
    flat = np.arange(1, 57, dtype=np.int16).reshape(7, 8, 1)
    dataset = open_dataset(write({"s0001": {"mri": flat}}))
    selection = Selection(Cohort.join(dataset.meta))
    selection.open("s0001")
    view = Viewer(selection, dataset)
    assert (view.error, view.busy) == ("", "")
    assert (view.labels["complete"], view.labels["structures"], view.labels["sets"]) == (True, [], [[]])
    assert cut(view, "axial", 0, "image").shape == (8, 7)
    assert cut(view, "sagittal", 6, "image").shape == (1, 8)
    assert cut(view, "coronal", 0, "labels").tolist() == [[0] * 7]


def test_reader_does_only_the_newest_of_what_waits():
    done: list[int] = []
    first, go, all_done = Event(), Event(), Event()
    reader = opening.Reader()
    reader.start(lambda: (first.set(), go.wait(20), done.append(0)))
    first.wait(20)
    for n in (1, 2):
        reader.start(lambda n=n: done.append(n))
    reader.start(lambda: (done.append(3), all_done.set()))
    go.set()
    assert all_done.wait(20)
    assert done == [0, 3]


def test_two_readings_of_the_masks_are_not_mixed_up(write):
    dataset = open_dataset(write({"s0001": MASKS}))
    grid = read_image(dataset["s0001"]).grid
    one, other = (Overlay(dataset["s0001"], "reference", grid) for _ in range(2))
    assert one.token != other.token


def test_what_is_asked_of_masks_that_are_still_read_is_refused_quietly(
    two_sets, in_loop, monkeypatch: pytest.MonkeyPatch
):
    selection, make = two_sets
    gate = Gate(monkeypatch)
    gate.open.set()

    async def test() -> None:
        view = make()
        selection.open("s0001")
        await until(lambda: view.labels.get("complete") and not view.busy)
        monkeypatch.setattr(
            reading, "Overlay", lambda *given: (entered.set(), go.wait(20), Overlay(*given))[-1]
        )
        entered, go = Event(), Event()
        selection.mask_set = "model"
        await until(entered.is_set)
        assert view.busy == "Reading masks"
        for message in (
            {"kind": "slices", "plane": "axial", "indices": [4], "layer": "labels"},
            {"kind": "surface", "structure": "a"},
            {"kind": "where", "structure": "a"},
            {"kind": "window", "preset": "structure", "structure": "a"},
        ):
            reply, buffers = ask(view, scene=view.scene["key"], **message)
            assert (reply["ok"], reply["outdated"], buffers, view.error) == (False, True, [], "")
        go.set()
        await until(lambda: view.labels.get("mask_set") == "model" and not view.busy)
        assert ask(view, kind="surface", scene=view.scene["key"], structure="a")[0]["ok"]
        view.close()

    in_loop(test)


@pytest.mark.parametrize("with_loop", [False, True])
def test_a_mask_set_that_there_is_brings_the_case_back_after_one_that_there_is_not(
    two_sets, in_loop, with_loop: bool
):
    selection, make = two_sets

    async def test() -> None:
        view = make()
        selection.open("s0001")
        await until(lambda: view.labels.get("complete"))
        selection.restore({"mask_set": "gone"})
        assert view.scene == {}
        assert "No mask set 'gone'" in view.error
        with pytest.raises(VolumeError, match="No mask set 'gone'"):
            view.snapshot()
        selection.mask_set = "model"
        await until(lambda: view.labels.get("complete") and not view.busy)
        assert (view.scene["case"], view.labels["mask_set"]) == ("s0001", "model")
        assert (view.error, view.busy) == ("", "")
        view.close()

    if with_loop:
        in_loop(test)
    else:
        apart(asyncio.wait_for(test(), 10))


def test_masks_that_are_chosen_while_the_image_is_read_are_the_ones_that_are_shown(
    two_sets, in_loop, monkeypatch: pytest.MonkeyPatch
):
    selection, make = two_sets
    asked, go = slow_images(monkeypatch)

    async def test() -> None:
        view = make()
        selection.open("s0001")
        await until(asked.is_set)
        selection.mask_set = "model"
        go.set()
        await until(lambda: view.scene and not view.busy)
        assert (view.labels["mask_set"], view.labels["complete"]) == ("model", True)
        view.close()

    in_loop(test)


def test_a_case_and_a_mask_set_that_are_restored_together_are_read_once(
    two_sets, in_loop, monkeypatch: pytest.MonkeyPatch
):
    selection, make = two_sets
    reads: list[str] = []
    real = reading.read_image
    monkeypatch.setattr(
        reading, "read_image", lambda case: (reads.append(case.id), time.sleep(0.05), real(case))[-1]
    )

    async def test() -> None:
        view = make()
        selection.restore({"case": "s0001", "mask_set": "model", "compare": "reference"})
        await until(lambda: view.labels.get("complete") and not view.busy)
        assert (view.labels["mask_set"], view.other["mask_set"], reads) == ("model", "reference", ["s0001"])
        view.close()

    in_loop(test)

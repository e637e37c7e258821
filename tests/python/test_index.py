import errno
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from samples import AFFINE, SHAPE, box_mask, nifti_bytes

from explorer import build_index, open_dataset, open_index, schema
from explorer.errors import StoreError
from explorer.index import iter_build, so_far
from explorer.store import add_part, default_store

LIVER = {"liver": box_mask((1, 3), (2, 4), (3, 5)), "spleen": np.zeros(SHAPE, np.uint8)}
SIX = {f"s000{n}": LIVER for n in range(1, 7)}


def measured_again(dataset, store: Path) -> list[int]:
    return [step.done for step in iter_build(dataset, store)]


def same(one, other) -> None:
    pd.testing.assert_frame_equal(one.structures, other.structures)
    pd.testing.assert_frame_equal(one.cases.drop(columns="signature"), other.cases.drop(columns="signature"))


def test_tables_have_a_row_per_case_and_per_structure(write, tmp_path: Path):
    index = build_index(open_dataset(write(SIX)), tmp_path / "store", progress=False)
    assert list(index.cases["case"]) == sorted(SIX)
    assert len(index.structures) == 12
    liver = index.structures[index.structures["structure"] == "liver"]
    assert set(liver["voxels"]) == {8}
    assert set(liver["status"]) == {"complete"}
    assert liver["volume_ml"].tolist() == pytest.approx([8 * 0.009] * 6)
    assert not list((tmp_path / "store/parts").iterdir())


def test_before_anything_is_measured_the_tables_are_empty(write, tmp_path: Path):
    index = so_far(open_dataset(write(SIX)), tmp_path / "store")
    assert (len(index.cases), len(index.structures)) == (0, 0)
    assert "volume_ml" in index.structures
    assert not (tmp_path / "store").exists()


def test_only_what_changed_is_measured_again(write, tmp_path: Path):
    root = write(SIX)
    store = tmp_path / "store"
    build_index(open_dataset(root), store, progress=False)
    assert measured_again(open_dataset(root), store) == []
    mask = root / "s0003/segmentations/liver.nii.gz"
    mask.write_bytes(nifti_bytes(box_mask((1, 6), (2, 4), (3, 5))))
    shutil.rmtree(root / "s0006")
    assert measured_again(open_dataset(root), store) == [0, 1]
    found = open_index(store).structures
    assert found.loc[(found["case"] == "s0003") & (found["structure"] == "liver"), "voxels"].tolist() == [20]
    assert "s0006" not in set(found["case"])


def test_a_stopped_build_keeps_what_it_measured_and_resumes(write, tmp_path: Path):
    dataset = open_dataset(write(SIX))
    store = tmp_path / "store"
    with closing(iter_build(dataset, store)) as steps:
        for step in steps:
            if step.done == 4:
                break
    assert len(open_index(store).cases) == 4
    assert measured_again(dataset, store) == [0, 1, 2]
    same(open_index(store), build_index(dataset, tmp_path / "other", progress=False))


def test_parts_of_a_killed_build_are_taken_over(write, tmp_path: Path):
    """A killed process cannot merge: its parts lie there, one of them half written."""
    dataset = open_dataset(write(SIX))
    store = tmp_path / "store"
    whole = build_index(dataset, tmp_path / "whole", progress=False)
    rows = pq.read_table(tmp_path / "whole/cases.parquet").to_pylist()[:3]
    ids = {row["case"] for row in rows}
    parts = store / "parts"
    parts.mkdir(parents=True)
    structures = pq.read_table(tmp_path / "whole/structures.parquet").to_pylist()
    add_part(store, {"cases": rows, "structures": [row for row in structures if row["case"] in ids]})
    (parts / "half.cases.parquet").write_bytes(b"PAR1")
    (parts / ".x.tmp").write_bytes(b"")
    assert len(so_far(dataset, store).cases) == 3
    assert measured_again(dataset, store) == [0, 1, 2, 3]
    same(open_index(store), whole)


def test_two_builds_at_once_do_no_harm(write, tmp_path: Path):
    dataset = open_dataset(write(SIX))
    store = tmp_path / "store"
    with closing(iter_build(dataset, store)) as one, closing(iter_build(dataset, store)) as two:
        for _ in range(3):
            next(one)
            next(two)
        for _ in one:
            pass
        for _ in two:
            pass
    same(open_index(store), build_index(dataset, tmp_path / "other", progress=False))


def test_any_executor_will_do(write, tmp_path: Path):
    dataset = open_dataset(write(SIX))
    with ThreadPoolExecutor(2) as pool:
        threaded = build_index(dataset, tmp_path / "one", executor=pool, progress=False)
    same(threaded, build_index(dataset, tmp_path / "two", progress=False))


def test_worker_processes_give_the_same(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    dataset = open_dataset(write(SIX))
    monkeypatch.setattr("explorer.building.SERIAL_BYTES", 0)
    spread = build_index(dataset, tmp_path / "one", progress=False)
    monkeypatch.undo()
    same(spread, build_index(dataset, tmp_path / "two", progress=False))


def test_bad_cases_are_rows_with_a_problem(write, tmp_path: Path, image: np.ndarray):
    whole = nifti_bytes(image)
    shifted = AFFINE.copy()
    shifted[2, 3] += 9
    cases = {
        "s0001": LIVER,
        "s0002": {**LIVER, "mri": whole[: len(whole) // 2]},
        "s0003": {**LIVER, "liver": nifti_bytes(LIVER["liver"], shifted)},
        "s0004": {"spleen": LIVER["spleen"]},
        "s0005": {**LIVER, "mri": None},
        "s0006": {"mri": b"", "liver": b"", "spleen": b""},
    }
    index = build_index(open_dataset(write(cases)), tmp_path / "store", progress=False)
    problems = index.cases.set_index("case")["problems"].map(" ".join)
    status = index.structures.set_index(["case", "structure"])["status"]
    volumes = index.structures.set_index(["case", "structure"])["volume_ml"]
    assert problems["s0001"] == problems["s0004"] == ""
    assert "cut short" in problems["s0002"]
    assert "another grid" in problems["s0003"]
    assert "no image" in problems["s0005"]
    assert status["s0002", "liver"] == "complete"  # the mask itself is whole
    assert status["s0003", "liver"] == "unreadable"
    assert status["s0004", "liver"] == "missing"
    assert status["s0005", "liver"] == "complete"
    assert status["s0006", "liver"] == "unreadable"
    assert volumes[[("s0003", "liver"), ("s0004", "liver"), ("s0006", "liver")]].isna().all()
    assert volumes["s0001", "spleen"] == 0


def test_an_index_of_another_data_set_is_not_overwritten(write, tmp_path: Path, image: np.ndarray):
    store = tmp_path / "store"
    build_index(open_dataset(write(SIX)), store, progress=False)
    other = write({"s0001": {"heart": box_mask((1, 2), (1, 2), (1, 2))}}, root="hearts")
    with pytest.raises(StoreError, match="index of 'set'"):
        build_index(open_dataset(other), store, progress=False)
    assert len(open_index(store).cases) == 6


def test_absent_damaged_and_foreign_stores_are_named(write, tmp_path: Path):
    with pytest.raises(StoreError, match="No index in"):
        open_index(tmp_path / "nowhere")
    store = tmp_path / "store"
    build_index(open_dataset(write(SIX)), store, progress=False)
    manifest = (store / "manifest.json").read_text()
    (store / "manifest.json").write_text(manifest.replace(f'"schema": {schema.VERSION}', '"schema": 99'))
    with pytest.raises(StoreError, match="schema 99"):
        open_index(store)
    (store / "manifest.json").write_text(manifest)
    (store / "cases.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(StoreError, match="damaged"):
        open_index(store)


def test_a_store_that_cannot_be_written_is_refused_before_measuring(write, tmp_path: Path):
    dataset = open_dataset(write(SIX))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="Give another folder as store"):
        build_index(dataset, tmp_path / "file" / "store", progress=False)


def test_the_default_store_is_beside_the_data_or_in_the_cache(
    write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    dataset = open_dataset(write(SIX))
    assert default_store(dataset) == (tmp_path / "set.explorer").resolve()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def refuse(**where: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(where["dir"]))

    monkeypatch.setattr("explorer.store.tempfile.TemporaryFile", refuse)
    assert default_store(dataset).name.startswith("set-")
    assert default_store(dataset).parent != tmp_path


def test_a_store_may_be_given_from_the_home_folder(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    dataset = open_dataset(write(SIX))
    built = build_index(dataset, "~/store", progress=False)
    assert built.store == tmp_path / "home" / "store"
    assert len(open_index("~/store").cases) == len(dataset)

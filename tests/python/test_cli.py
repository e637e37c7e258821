import errno
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from samples import AFFINE, box_mask, nifti_bytes

from explorer.cli import main

LIVER = {"liver": box_mask((1, 3), (2, 4), (3, 5)), "spleen": box_mask((0, 2), (1, 2), (1, 2))}


@pytest.fixture
def run(tmp_path: Path):
    def call(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)

    return call


def test_index_tells_what_it_measured(write, run, tmp_path: Path):
    root = write({"s0001": LIVER, "s0002": LIVER})
    done = run("index", root, "--store", tmp_path / "store", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert (found["cases"], found["masks"], found["cases_with_problems"]) == (2, 4, [])
    assert (tmp_path / "store" / "cases.parquet").exists()


def test_stats_prints_both_tables(write, run, tmp_path: Path):
    root = write({"s0001": LIVER, "s0002": LIVER})
    text = run("stats", root, "--store", tmp_path / "store").stdout
    assert "100.00%" in text
    assert "size_k" in text
    complete = json.loads(run("stats", root, "--store", tmp_path / "store", "--json").stdout)
    every = json.loads(run("stats", root, "--store", tmp_path / "store", "--json", "--all-masks").stdout)
    spleen = [table["labels"][0] for table in (complete, every)]
    assert [row["n"] for row in spleen] == [0, 2]
    assert spleen[0]["median_ml"] is None
    assert spleen[1]["median_ml"] == pytest.approx(2 * 0.009)


def test_a_good_data_set_has_no_problem(write, run, tmp_path: Path):
    done = run("check", write({"s0001": LIVER}), "--store", tmp_path / "store")
    assert (done.exit_code, done.stdout) == (0, "No problem in 1 cases.\n")


def test_bad_input_is_named_and_the_rest_works(write, run, tmp_path: Path, image):
    shifted = AFFINE.copy()
    shifted[0, 3] += 5
    whole = nifti_bytes(image)
    cases = {
        "s0001": LIVER,
        "s0002": {**LIVER, "mri": whole[: len(whole) // 2]},
        "s0003": {**LIVER, "liver": nifti_bytes(LIVER["liver"], shifted)},
        "s0004": {"liver": LIVER["liver"]},
    }
    root = write(cases, meta="")
    done = run("check", root, "--store", tmp_path / "store", "--json")
    assert done.exit_code == 1
    found = {(p["case"], p["severity"]): p["what"] for p in json.loads(done.stdout)["problems"]}
    assert "No meta.csv" in found["", "warning"]
    assert "s0002/mri.nii.gz" in found["s0002", "error"]
    assert "cut short" in found["s0002", "error"]
    assert "liver.nii.gz: the mask lies on another grid" in found["s0003", "error"]
    assert "spleen" in found["s0004", "warning"]
    assert len(found) == 4
    labels = json.loads(run("stats", root, "--store", tmp_path / "store", "--json").stdout)["labels"]
    assert {row["structure"]: row["cases"] for row in labels} == {"spleen": 3, "liver": 3}


@pytest.mark.parametrize("command", ["index", "stats", "check", "serve"])
def test_a_folder_that_is_no_data_set_is_one_clear_line(run, tmp_path: Path, command: str):
    done = run(command, tmp_path)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: No data set at")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_wrong_usage_exits_2(run):
    assert run("index").exit_code == 2
    assert run("serve", "x", "--port", "-1").exit_code == 2
    assert run("nonsense").exit_code == 2


def test_a_store_that_cannot_be_written_is_named(write, run, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    done = run("index", write({"s0001": LIVER}), "--store", tmp_path / "file" / "store")
    assert done.exit_code == 1
    assert "Give another folder as store" in done.stderr


def test_a_read_only_data_set_is_indexed_in_the_cache(
    write, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Root may write anywhere, so the answer of a read-only place is given here."""

    def refuse(**where: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(where["dir"]))

    root = write({"s0001": LIVER})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("explorer.store.tempfile.TemporaryFile", refuse)
    done = run("index", root, "--json")
    assert done.exit_code == 0
    assert Path(json.loads(done.stdout)["store"]).is_relative_to(tmp_path / "cache")
    assert not root.with_name("set.explorer").exists()


def test_help_states_the_exit_codes(run):
    for command in ("", "index", "stats", "check", "serve", "demo"):
        text = run(*filter(None, [command]), "--help").stdout
        assert "Exit codes: 0 fine" in text

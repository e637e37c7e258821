import errno
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from samples import AFFINE, box_mask, nifti_bytes

from explorer import __version__, write_phantom
from explorer.cli import main
from explorer.files import open_files

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
    (root / "s0002/segmentations/liver.nii.gz").write_bytes(b"not a file")
    again = json.loads(run("index", root, "--store", tmp_path / "store", "--json").stdout)
    assert (again["measured"], again["kept"]) == (1, 1)
    assert (again["structures"], again["masks"], again["cases_with_problems"]) == (2, 3, ["s0002"])


def test_index_makes_no_data_frames(write, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = write({"s0001": LIVER})
    monkeypatch.setattr("explorer.index._pandas", lambda *_: pytest.fail("made a data frame"))
    assert run("index", root, "--store", tmp_path / "store").exit_code == 0


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
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "No published data set (certain): 2 structures, of which 2 are in a published version",
        "No problem in 1 cases.",
    ]


def test_bad_input_is_named_and_the_rest_works(write, run, tmp_path: Path, image):
    shifted = AFFINE.copy()
    shifted[0, 3] += 5
    whole = nifti_bytes(image)
    cases = {
        "s0001": LIVER,
        "s0002": {**LIVER, "mri": whole[: len(whole) // 2]},
        "s0003": {**LIVER, "liver": nifti_bytes(LIVER["liver"], shifted), "mri": image + 1},
        "s0004": {"liver": LIVER["liver"], "mri": image + 2},
    }
    root = write(cases, meta="")
    done = run("check", root, "--store", tmp_path / "store", "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    found = {(f["case"], f["kind"]): f["what"] for f in report["findings"]}
    assert "No meta.csv" in found["", "no_meta"]
    assert "s0002/mri.nii.gz" in found["s0002", "truncated"]
    assert "cut short" in found["s0002", "truncated"]
    assert "liver.nii.gz: the mask lies on another grid" in found["s0003", "other_grid"]
    assert "spleen" in found["s0004", "masks_missing"]
    assert report["counts"]["error"] == 2
    assert report["counts"]["warning"] == 2
    assert report["version"]["key"] is None
    assert all(
        set(f) == {"severity", "case", "structure", "kind", "what", "advice"} for f in report["findings"]
    )
    assert {row["table"] for row in report["published"]} == {"labels", "resolution", "slices"}
    labels = json.loads(run("stats", root, "--store", tmp_path / "store", "--json").stdout)["labels"]
    assert {row["structure"]: row["cases"] for row in labels} == {"spleen": 3, "liver": 3}


def test_warnings_and_notes_alone_are_no_failure(write, run, tmp_path: Path):
    done = run("check", write({"s0001": LIVER}, meta=""), "--store", tmp_path / "store")
    assert done.exit_code == 0
    assert "1 cases: 0 errors, 1 warning, 0 notes" in done.stdout


def test_rows_of_a_kind_are_cut_unless_all_are_asked_for(write, run, tmp_path: Path):
    meta = "image_id;split\ns0001;train\n" + "".join(f"s1{i:03};train\n" for i in range(14))
    arguments = ("check", write({"s0001": LIVER}, meta=meta), "--store", tmp_path / "store")
    short = run(*arguments).stdout
    assert short.count("there is no such case") == 10
    assert "  ... and 4 more (--all shows them)" in short
    assert short.count("Fetch the case, or remove its row") == 1
    every = run(*arguments, "--all").stdout
    assert every.count("there is no such case") == 14
    assert "more (--all" not in every


def test_a_hostile_name_cannot_steer_the_terminal(write, run, tmp_path: Path):
    meta = 'image_id;split\ns0001;train\n"\x1b[2Jx\u202ey\nz";train\n'
    root = write({"s0001": LIVER, "s\x1b]0;title\x07": {**LIVER, "liv\x9ber": b""}}, meta=meta)
    done = run("check", root, "--store", tmp_path / "store", "--published")
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert "\\x1b[2Jx\\u202ey\\nz" in done.stdout
    assert "s\\x1b]0;title\\x07" in done.stdout
    assert "liv\\x9ber" in done.stdout


def hostile(text: str) -> bool:
    return not all(line.isprintable() for line in text.splitlines())


def test_no_command_hands_names_of_files_to_the_terminal_as_they_are(write, run, tmp_path: Path):
    case, structure = "s\x1b]0;title\x07", "liv\x9ber"
    root = write({"s0001": LIVER, case: {structure: LIVER["liver"]}})
    store = ("--store", tmp_path / "store")
    shown = run("stats", root, *store)
    assert r"liv\x9ber" in shown.stdout
    assert not hostile(shown.output)
    mask = root / case / f"segmentations/{structure}.nii.gz"
    before = mask.stat()
    for command, now in (("index", "spleen"), ("check", "liver")):
        mask.write_bytes(nifti_bytes(LIVER[now]).ljust(before.st_size, b"\0"))
        os.utime(mask, ns=(before.st_atime_ns, before.st_mtime_ns))
        done = run(command, root, *store, "--verify")
        assert mask.stat().st_size == before.st_size
        assert r"Not as measured before: s\x1b]0;title\x07: liv\x9ber" in done.stderr
        assert not hostile(done.output)


def test_an_error_cannot_steer_the_terminal(write, run, tmp_path: Path):
    odd = tmp_path / "s\x1b]0;t\x07\nx"
    odd.write_text("in the way")
    done = run("index", write({"s0001": LIVER}), "--store", odd / "store")
    assert done.exit_code == 1
    assert r"s\x1b]0;t\x07\nx" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not hostile(done.stderr)


@pytest.mark.parametrize("command", ["index", "check", "stats"])
def test_a_data_set_is_opened_once(write, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str):
    opened: list[object] = []
    monkeypatch.setattr("explorer.dataset.open_files", lambda path: opened.append(path) or open_files(path))
    assert run(command, write({"s0001": LIVER}), "--store", tmp_path / "store").exit_code == 0
    assert len(opened) == 1


def test_check_reads_everything_again_on_demand(write, run, tmp_path: Path):
    arguments = ("check", write({"s0001": LIVER}), "--store", tmp_path / "store")
    run(*arguments)
    assert "Measuring" not in run(*arguments).stderr
    assert "1/1" in run(*arguments, "--verify").stderr


@pytest.mark.parametrize(
    ("case", "structure"),
    [
        ("it's", 'say "hi"'),
        ("<b>&amp;", "<img src=x onerror=alert(1)>"),
        ("Käse 患者", "Niere (links) 腎"),
    ],
)
def test_odd_names_come_through_from_the_index_to_the_report(
    write, run, tmp_path: Path, case: str, structure: str
):
    masks = {structure: LIVER["liver"], "spleen": b"damaged"}
    root = write({"s0001": LIVER, case: masks}, meta="")
    store = ("--store", tmp_path / "store")
    index = json.loads(run("index", root, *store, "--json").stdout)
    assert index["cases_with_problems"] == [case]
    assert index["structures"] == 3
    report = json.loads(run("check", root, *store, "--json").stdout)
    found = {(f["case"], f["kind"]): f for f in report["findings"]}
    assert f"{case}/segmentations/spleen.nii.gz" in found[case, "not_nifti"]["what"]
    text = run("check", root, *store).stdout
    assert f"  {case}  {found[case, 'not_nifti']['what']}" in text
    labels = json.loads(run("stats", root, *store, "--json").stdout)["labels"]
    assert structure in [row["structure"] for row in labels]
    assert structure in run("stats", root, *store).stdout


def test_the_publication_is_compared_on_demand(run, tmp_path: Path):
    write_phantom(tmp_path / "set", 1, progress=False)
    short = run("check", tmp_path / "set").stdout
    assert short.startswith("TotalSegmentator MRI v1 (likely): 1 of 298 cases, all 56 structures\n")
    assert "0 errors, 0 warnings" in short
    assert "of 243 published figures are reproduced; --published lists them" in short
    text = run("check", tmp_path / "set", "--published").stdout
    brain = next(line.split() for line in text.splitlines() if line.startswith("brain "))
    assert brain[2:4] == ["17", f"{int(brain[1]) - 17}"]
    assert "57,991" in text
    assert "adrenal_gland_left, percentage: printed 35.26 %, a slip" in text
    report = json.loads(run("check", tmp_path / "set", "--json").stdout)
    assert report["version"]["key"] == "mri-v1"
    slices = next(row for row in report["published"] if row["table"] == "slices")
    assert (slices["published"], slices["difference"]) == (57991, slices["found"] - 57991)


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


@pytest.mark.parametrize(("compiled", "says"), [(True, "by compiled code"), (False, "by numpy")])
def test_the_version_tells_whether_the_compiled_kernel_is_used(
    run, monkeypatch: pytest.MonkeyPatch, compiled: bool, says: str
):
    monkeypatch.setattr("explorer.kernel.is_compiled", lambda: compiled)
    done = run("--version")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"explorer, version {__version__}\nMasks are measured {says}")

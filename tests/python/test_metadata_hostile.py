"""Whatever ``meta.csv`` holds, there is a table or one clear error."""

import csv
import io
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from explorer import delimited, open_dataset
from explorer.errors import DatasetError
from explorer.metadata import MISSING, Table, read_table

COLUMNS = ["image_id", "age", "repetition_time", "echo_time", "magnetic_field_strength", "scanning_sequence"]
COLUMNS += ["times_given_in", "age_years", "gender", "sex", "a", "a", "a_2", "", "case"]
CELLS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            *MISSING,
            "1e400",
            "-0",
            "1e308",
            "0.1",
            "1,5 T",
            '"',
            "٣",
            "²",
            "True",
            "1_0",
            ".5",
            "2 s",
            "9" * 5000,
            "\0",
        ]
    ),
    st.integers().map(str),
)


def written(columns: list[str], rows: list[list[str]], encoding: str, quoting: int) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", quoting=quoting, escapechar="\\")
    writer.writerows([columns, *rows])
    return out.getvalue().encode(encoding, errors="replace")


def check(data: bytes) -> Table | None:
    try:
        table = read_table(data)
    except DatasetError:
        return None
    assert table.raw.index.is_unique
    assert table.raw.columns.is_unique
    assert table.typed.columns.is_unique
    assert list(table.typed.index) == list(table.raw.index)
    assert all(len(note.what) < 600 and note.severity for note in table.notes)
    return table


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
@example(b"\xff\xfe")
@example(b"a\n\xff")
@example(b'a;"b')
@example(b"a;b\r1;2\r")
@example(b"a\n" + b"1" * 200_000)
@example(b"\xef\xbb\xbf\xef\xbb\xbf;\n;\n;")
def test_any_bytes_are_a_table_or_one_clear_error(data: bytes):
    check(data)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=8),
    st.lists(st.lists(CELLS, max_size=9), max_size=5),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_any_cells_are_a_table(columns, rows, encoding, quoting):
    check(written(columns, rows, encoding, quoting))


def test_missing_times_are_not_told_as_values():
    note = read_table(b"image_id;repetition_time;echo_time\na;;0.1\n").notes[0]
    assert "repetition_time" not in note.what


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_quote_that_never_closes_does_not_swallow_the_rows_after_it(newline: str):
    text = newline.join(["image_id;note", "a;fine", 'b;"open', "c;x", 'd;"closed"', ""])
    table = read_table(text.encode())
    assert list(table.raw.index) == ["a", "b", "c", "d"]
    assert table.raw.loc["b", "note"] == '"open'
    assert [(note.kind, "line 5" in note.what) for note in table.notes] == [("meta_quote", True)]


def test_a_quote_that_is_open_at_the_end_of_the_file_is_told():
    table = read_table(b'image_id;note\na;x\nb;"open\nc;y\nd;z\n')
    assert list(table.raw["note"]) == ["x", '"open', "y", "z"]
    assert [note.kind for note in table.notes] == ["meta_quote"]


def test_an_open_quote_in_a_large_file_costs_what_it_spans_not_the_file():
    rows = "".join(f"s{i};{'x' * 90}\n" for i in range(5000))
    table = read_table(b'image_id;note\nb;"open\n' + rows.encode())
    assert len(table.raw) == 5001
    assert {note.kind for note in table.notes} == {"meta_quote"}


def test_a_quoted_cell_may_hold_line_breaks_and_quotes():
    table = read_table(b'image_id;note\na;"two\nlines; ""quoted"""\nb;5" coil\n')
    assert list(table.raw["note"]) == ['two\nlines; "quoted"', '5" coil']
    assert not table.notes


def test_a_cell_that_is_too_long_costs_its_row_only():
    table = read_table(b"image_id;note\na;" + b"x" * (csv.field_size_limit() + 1) + b"\nb;y\n")
    assert list(table.raw.index) == ["b"]
    assert [note.kind for note in table.notes] == ["meta_cells"]
    assert "xxx..." in table.notes[0].what


def test_a_line_that_is_too_long_costs_itself_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delimited, "MAX_LINE", 100)
    table = read_table(b"image_id;note\na;" + b"x;" * 125 + b"\nb;y\n")
    assert list(table.raw.index) == ["b"]
    assert "line 2 is longer than 100 characters" in table.notes[0].what


def test_a_row_of_a_million_cells_keeps_those_of_the_header():
    table = read_table(b"image_id;note\na;x" + b";1" * 1_000_000 + b"\nb;y\n")
    assert list(table.raw["note"]) == ["x", "y"]
    assert "1,000,002 cells" in table.notes[0].what


def test_ten_thousand_columns_are_cut_and_said_so():
    header = ";".join(["image_id", *(f"c{i}" for i in range(10_000))])
    table = read_table(f"{header}\na{';1' * 10_000}\n".encode())
    assert table.raw.shape == (1, delimited.MAX_COLUMNS - 1)
    assert [note.kind for note in table.notes] == ["meta_too_large"]
    assert "10,001 columns" in table.notes[0].what


def test_memory_follows_what_is_kept_not_the_file(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delimited, "MAX_CELLS", 2000)
    data = b"image_id;note\n" + b"".join(b"s%07d;%d\n" % (i, i % 7) for i in range(500_000))
    tracemalloc.start()
    try:
        table = read_table(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(table.raw) == 1000
    assert "more than 1,000 rows; those from line 1,002" in table.notes[-1].what
    assert peak < len(data) / 2


def test_rows_are_bounded_however_narrow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delimited, "MAX_ROWS", 3)
    table = read_table(b"image_id\na\nb\nc\nd\n")
    assert list(table.raw.index) == ["a", "b", "c"]
    assert "more than 3 rows; those from line 5 on are left out" in table.notes[0].what


def test_a_file_beyond_the_bound_is_not_even_read(write, monkeypatch: pytest.MonkeyPatch):
    root = write({"s0001": {}}, meta=b"image_id\n" + b"x" * 100)
    monkeypatch.setattr("explorer.dataset.MAX_BYTES", 50)
    monkeypatch.setattr("explorer.metadata.read_table", lambda _: pytest.fail("was read"))
    dataset = open_dataset(root)
    assert [problem.kind for problem in dataset.problems] == ["meta_unreadable"]
    assert len(dataset.meta) == 1


def test_ids_that_are_no_folder_names_are_text_and_nothing_else(write):
    ids = ["../../etc/passwd", "<script>alert(1)</script>", "s\u202e1000", "a\nb", "\x1b[31mred", "=cmd()"]
    out = io.StringIO()
    csv.writer(out, delimiter=";").writerows([["image_id", "note"], *([i, "x"] for i in ids), ["s0001", "y"]])
    dataset = open_dataset(write({"s0001": {}}, meta=out.getvalue()))
    assert list(dataset.cases) == ["s0001"]
    found = [p for p in dataset.problems if p.kind == "row_without_case"]
    assert [p.case for p in found] == ids
    assert all(p.what.isprintable() for p in found)
    assert dataset.meta.loc["s0001", "note"] == "y"


def test_columns_of_the_file_do_not_lose_against_those_that_are_made():
    table = read_table(b"image_id;echo_time;echo_time_ms;times_given_in\na;2;7;whatever\n")
    assert table.typed.loc["a"].to_dict() == {
        "echo_time_ms": 2,
        "times_given_in": "milliseconds",
        "echo_time_ms_2": 7,
        "times_given_in_2": "whatever",
    }


def test_every_repeated_id_is_told_with_its_rows():
    data = b"image_id;x\n" + b"".join(b"s%d;1\ns%d;2\n" % (i, i) for i in range(20_000))
    table = read_table(data)
    assert len(table.raw) == 20_000
    assert len(table.notes) == 20_000
    assert "has 2 rows for 's0'" in table.notes[0].what

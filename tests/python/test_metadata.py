import math

import pytest

from explorer.errors import DatasetError
from explorer.metadata import read_table

MR = "image_id;age;gender;manufacturer;scanner_model;repetition_time;echo_time;magnetic_field_strength\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_encoding_and_delimiter_are_detected(encoding: str, delimiter: str):
    text = "image_id;institute;notes\ns0001;Zürich;T2\n".replace(";", delimiter)
    table = read_table(text.encode(encoding))
    assert list(table.raw.columns) == ["institute", "notes"]
    assert table.raw.loc["s0001", "institute"] == "Zürich"


def test_units_are_in_the_names_and_raw_text_stays():
    table = read_table((MR + "s1;63;F;SIEMENS Healthineers;Skyra;0.01;0.002;2.89\n").encode())
    row = table.typed.loc["s1"]
    assert row["age_years"] == 63
    assert row["gender"] == "f"
    assert row["manufacturer"] == "siemens"
    assert row["field_strength_t"] == 3.0
    assert (row["repetition_time_ms"], row["echo_time_ms"]) == (10, 2)
    assert row["times_given_in"] == "seconds"
    assert table.raw.loc["s1", "repetition_time"] == "0.01"
    assert any("read as seconds" in found.what for found in table.notes if found.case == "s1")


def test_a_row_in_seconds_is_so_as_a_whole():
    """A repetition time of 3.5 alone could be milliseconds; beside an echo time of 0.09 it cannot."""
    table = read_table((MR + "s1;;;;;3.5;0.09;\ns2;;;;;3.5;1.6;\n").encode())
    assert table.typed.loc["s1", "repetition_time_ms"] == 3500
    assert table.typed.loc["s2", "repetition_time_ms"] == 3.5
    assert table.typed.loc["s2", "times_given_in"] == "milliseconds"


@pytest.mark.parametrize(
    ("text", "tesla"),
    [
        *(
            ("1.50", 1.5),
            ("1,5", 1.5),
            ("3", 3.0),
            ("1.5T", 1.5),
            ("15000", 1.5),
            ("1.494", 1.5),
            ("2.0", 2.0),
        ),
        *((".55", 0.55), ("3 Tesla", 3.0), ("1500 mT", 1.5), ("3000 G", 0.3), ("10000", 1.0)),
    ],
)
def test_field_strength_is_tesla(text: str, tesla: float):
    table = read_table((MR + f"s1;;;;;;;{text}\n").encode())
    assert table.typed.loc["s1", "field_strength_t"] == tesla
    assert not table.notes


@pytest.mark.parametrize("text", ["strong", "-3", "64", "1.5/3", "1500", "3000", "0", "1.5 ft", "1,500"])
def test_odd_field_strength_is_missing_and_noted(text: str):
    table = read_table((MR + f"s1;;;;;;;{text}\n").encode())
    assert math.isnan(table.typed.loc["s1", "field_strength_t"])
    assert [text in note.what for note in table.notes] == [True]


def number(column: str, text: str) -> tuple[float, list[str]]:
    table = read_table(f"image_id|{column}\na|{text}\n".encode())
    columns = {
        "age": "age_years",
        "slice_thickness": "slice_thickness_mm",
        "repetition_time": "repetition_time_ms",
    }
    return table.typed.loc["a", columns[column]], [note.kind for note in table.notes]


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("age", "63", 63),
        ("age", "063Y", 63),
        ("age", "63 years", 63),
        ("age", "018M", 1.5),
        ("age", "052W", 0.997),
        ("age", "000D", 0),
        ("slice_thickness", ".8", 0.8),
        ("slice_thickness", ",8", 0.8),
        ("slice_thickness", "5.", 5),
        ("slice_thickness", "5.000", 5),
        ("slice_thickness", "0,500", 0.5),
        ("slice_thickness", "+1.2e1 mm", 12),
        ("repetition_time", "1500,5", 1500.5),
        ("repetition_time", "2 s", 2000),
        ("repetition_time", "0.3 ms", 0.3),
    ],
)
def test_a_number_is_read_with_its_unit(column: str, text: str, value: float):
    assert number(column, text) == (value, [])


@pytest.mark.parametrize(
    ("column", "text"),
    [
        *(("age", text) for text in ("60M", "18M", "2019-04", "-7", "50-60", "90+", "6 3", "٦٣", "12 mm")),
        *(("slice_thickness", text) for text in ("3/3", "5 cm", "-1", "1e400", "3 mm 4", ".", "0x5", "1_0")),
        *(
            ("repetition_time", text)
            for text in ("1,500", "1,500e1", "2,000.5", "2.000.5", "1 500", "-2000", "5 mm")
        ),
    ],
)
def test_what_is_not_one_clear_number_is_missing_and_told(column: str, text: str):
    value, kinds = number(column, text)
    assert (math.isnan(value), kinds) == (True, ["meta_number"])


@pytest.mark.parametrize(
    ("repetition", "echo", "milliseconds", "given", "kinds"),
    [
        ("2000", "0.09", (2000, 0.09), "mixed units", ["meta_mixed"]),
        ("60.1", "0.09", (60.1, 0.09), "mixed units", ["meta_mixed"]),
        ("1e308", "0.09", (1e308, 0.09), "mixed units", ["meta_mixed"]),
        ("59", "0.09", (59_000, 90), "seconds", ["meta_unit"]),
        ("2000 ms", "0.09", (2000, 90), "mixed units", ["meta_unit"]),
        ("2 s", "90 ms", (2000, 90), "mixed units", []),
        ("2 s", "0.09 s", (2000, 90), "seconds", []),
        ("2000", "90 ms", (2000, 90), "milliseconds", []),
    ],
)
def test_units_that_differ_within_a_row(repetition, echo, milliseconds, given, kinds):
    table = read_table(f"image_id;repetition_time;echo_time\na;{repetition};{echo}\nb;8;3\n".encode())
    row = table.typed.loc["a"]
    assert (row["repetition_time_ms"], row["echo_time_ms"]) == milliseconds
    assert row["times_given_in"] == given
    assert [note.kind for note in table.notes if note.case == "a"] == kinds
    assert table.typed.loc["b"].tolist() == [8, 3, "milliseconds"]


def test_spellings_that_differ_in_case_are_one():
    rows = "s1;;;;SIGNA EXCITE;;;\ns2;;;;Signa  Excite ;;;\ns3;;;;SIGNA EXCITE;;;\n"
    assert set(read_table((MR + rows).encode()).typed["scanner_model"]) == {"SIGNA EXCITE"}


def test_sequences_are_compared_as_sets_of_codes():
    text = "image_id;scanning_sequence\na;SE\\IR\nb;IR, SE\nc;['SE', 'IR']\nd;gr\ne;\n"
    assert list(read_table(text.encode()).typed["scanning_sequence"])[:4] == ["IR, SE"] * 3 + ["GR"]


def test_unknown_columns_are_kept_and_typed():
    table = read_table(b"image_id;bmi;ward\na;21.5;West\nb;;EAST\nc;30;east\n")
    assert table.typed["bmi"].dtype == float
    assert list(table.typed["ward"]) == ["West", "EAST", "EAST"]


def test_duplicates_and_ragged_rows_are_reported_not_dropped_in_silence():
    table = read_table(b"image_id;split\na;train\na;test\nb;train;x\nc\n")
    assert list(table.raw.index) == ["a", "b", "c"]
    assert table.raw.loc["a", "split"] == "train"
    assert {note.case for note in table.notes} == {"a", "b", "c"}


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_table_is_refused(data: bytes):
    with pytest.raises(DatasetError, match="header row"):
        read_table(data)

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
    [("1.50", 1.5), ("1,5", 1.5), ("3", 3.0), ("1.5T", 1.5), ("15000", 1.5), ("1.494", 1.5), ("2.0", 2.0)],
)
def test_field_strength_is_tesla(text: str, tesla: float):
    table = read_table((MR + f"s1;;;;;;;{text}\n").encode())
    assert table.typed.loc["s1", "field_strength_t"] == tesla
    assert not table.notes


@pytest.mark.parametrize("text", ["strong", "-3", "64"])
def test_odd_field_strength_is_missing_and_noted(text: str):
    table = read_table((MR + f"s1;;;;;;;{text}\n").encode())
    assert math.isnan(table.typed.loc["s1", "field_strength_t"])
    assert [text in note.what for note in table.notes] == [True]


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

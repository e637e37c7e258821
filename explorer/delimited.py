"""A delimited text file as rows of cells, within bounds; the file is hostile until checked.

The bytes are decoded line by line and reading stops at the bounds, so that memory follows what is
kept, not what the file holds. A quote that never closes does not swallow the rest of the file.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from explorer.errors import DatasetError
from explorer.findings import Finding, shown

MAX_BYTES = 256 * 2**20
"""Larger files are refused."""

MAX_LINE = 4_000_000
"""Characters; a longer line is left out."""

MAX_COLUMNS = 1000
"""Further columns are left out."""

MAX_ROWS = 200_000
"""Further rows are left out."""

MAX_CELLS = 1_500_000
"""Rows after so many cells are left out: 100,000 cases with 15 columns are in."""

_CHUNK = 2**20


@dataclass(frozen=True)
class Rows:
    """What was read.

    Attributes
    ----------
    columns
        Distinct names, at most `MAX_COLUMNS`.
    cells
        Each row with one text per column, blanks around it removed.
    notes
        What was odd; rows are named by their first cell.
    """

    columns: list[str]
    cells: list[list[str]]
    notes: list[Finding]


def read_rows(data: bytes, where: str) -> Rows:
    """Read a delimited text file: ``;``, ``,``, tab or ``|``, whichever its header has most of.

    Parameters
    ----------
    data
        The file's bytes: UTF-8 with or without BOM, UTF-16 with BOM, or Windows-1252.
    where
        What to call the file in messages.

    Raises
    ------
    DatasetError
        The file is empty, larger than `MAX_BYTES` or has no header row.
    """
    if len(data) > MAX_BYTES:
        raise DatasetError(
            f"{where} has {len(data):,} bytes; more than {MAX_BYTES:,} is not a table of cases."
        )
    encoding = _encoding(data)
    lines = _Lines(data, encoding, where)
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(";,\t|", key=first.count)
    lines = _Lines(data, encoding, where)
    records = (row for row in _records(lines, delimiter) if any(cell.strip() for cell in row))
    header = next(records, None)
    if header is None:
        raise DatasetError(f"{where} is empty: it needs a header row whose first column names the case.")
    notes = lines.notes
    columns = distinct([name.strip() or f"column_{i + 1}" for i, name in enumerate(header[:MAX_COLUMNS])])
    if len(header) > MAX_COLUMNS:
        what = f"{where} has {len(header):,} columns; those after {columns[-1]!r} are left out."
        notes.append(Finding("meta_too_large", what))
    cells: list[list[str]] = []
    most = min(MAX_ROWS, MAX_CELLS // len(columns))
    seen: dict[str, str] = {}  # cells repeat; each text is kept once
    for row in records:
        if len(cells) == most:
            what = f"{where} has more than {most:,} rows; those from line {lines.number:,} on are left out."
            notes.append(Finding("meta_too_large", what))
            break
        if len(row) != len(header):
            what = (
                f"{where} line {lines.number:,} has {len(row):,} cells where the header has {len(header):,}."
            )
            notes.append(Finding("meta_cells", what, row[0].strip()))
        texts = [seen.setdefault(text, text) for text in map(str.strip, row[: len(columns)])]
        cells.append(texts + [""] * (len(columns) - len(texts)))
    return Rows(columns, cells, notes)


def distinct(names: list[str]) -> list[str]:
    """Return the names, those that occur before with a number behind them."""
    taken = set(names)
    seen: set[str] = set()
    last: dict[str, int] = {}
    result = []
    for name in names:
        new = name
        while new in seen or (new != name and new in taken):
            last[name] = last.get(name, 1) + 1
            new = f"{name}_{last[name]}"
        seen.add(new)
        result.append(new)
    return result


def _encoding(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _CHUNK):
            decoder.decode(data[start : start + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


class _Lines:
    """Lines with their number; `recent` are those of the present record.

    Parameters
    ----------
    data, encoding
        Bytes that cannot be decoded become the replacement character.
    where
        What to call the file in messages.
    """

    def __init__(self, data: bytes, encoding: str, where: str) -> None:
        self._text = io.TextIOWrapper(io.BytesIO(data), encoding, errors="replace", newline="")
        self.where = where
        self.number = 0
        self.notes: list[Finding] = []
        self.recent: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        while True:
            line = self._text.readline(MAX_LINE)
            if not line:
                raise StopIteration
            self.number += 1
            if len(line) < MAX_LINE or line.endswith(("\n", "\r")):
                break
            name = shown(line)
            while (rest := self._text.readline(MAX_LINE)) and not rest.endswith(("\n", "\r")):
                pass
            self.note("meta_cells", f"is longer than {MAX_LINE:,} characters and left out: {name}")
        line = line.replace("\0", "")
        self.recent.append(line)
        return line

    def note(self, kind: str, what: str) -> None:
        self.notes.append(Finding(kind, f"{self.where} line {self.number:,} {what}"))


def _records(lines: _Lines, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        lines.recent = []
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:  # a cell beyond csv.field_size_limit, mostly since its quote is not closed
            yield from _unquoted(lines, delimiter)
            continue
        if _is_open(lines.recent, delimiter):
            yield from _unquoted(lines, delimiter)
        else:
            yield row


def _is_open(record: list[str], delimiter: str) -> bool:
    """Whether a quote of the record was not closed where it was meant to be.

    Then one more line would belong to it, or its cells end with text behind a closing quote: the
    opening one of a later row.
    """
    if not any('"' in line for line in record):
        return False
    try:
        with_next = csv.reader([*record, "x"], delimiter=delimiter, strict=len(record) > 1)
        return sum(1 for _ in with_next) == 1
    except csv.Error:
        return True


def _unquoted(lines: _Lines, delimiter: str) -> Iterator[list[str]]:
    record = lines.recent
    if any('"' in line for line in record):
        lines.note(
            "meta_quote", f"ends {len(record):,} lines in which a quote is not closed: {shown(record[0])}"
        )
    for line in record:
        try:
            yield from csv.reader([line], delimiter=delimiter, quoting=csv.QUOTE_NONE)
        except csv.Error as error:
            lines.note("meta_cells", f"is left out, {error}: {shown(line)}")

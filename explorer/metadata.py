"""``meta.csv`` to typed columns: units in their names, spellings folded, oddities reported.

Nothing in the file is evaluated; what cannot be understood becomes missing and a note.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from explorer.delimited import distinct, read_rows
from explorer.findings import Finding, shown

MISSING = {"", "nan", "none", "null", "n/a", "na", "-", "?"}
"""Texts that stand for a missing value, in lower case."""

_FIELD_STRENGTHS_T = (0.2, 0.35, 0.55, 1.0, 1.5, 3.0, 7.0)
_MANUFACTURERS = {"siemens": "siemens", "philips": "philips", "ge": "ge", "general electric": "ge"}
_MANUFACTURERS |= {"canon": "canon", "toshiba": "toshiba", "hitachi": "hitachi", "fujifilm": "fujifilm"}
_GENDERS = {"m": "m", "male": "m", "f": "f", "female": "f", "w": "f"}


@dataclass
class Table:
    """A ``meta.csv`` as read.

    Attributes
    ----------
    raw
        Every cell as the text in the file, one row per case, indexed by case.
    typed
        The same rows with numbers as numbers and spellings folded. Known columns carry their
        unit in their name (``repetition_time_ms``); unknown ones keep their name.
    notes
        What was odd.
    """

    raw: pd.DataFrame
    typed: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: list[Finding] = field(default_factory=list)


def read_table(data: bytes, where: str = "meta.csv") -> Table:
    """Read a ``meta.csv``.

    Parameters
    ----------
    data
        The file's bytes: UTF-8 with or without BOM, UTF-16 with BOM, or Windows-1252.
    where
        What to call the file in messages.

    Raises
    ------
    DatasetError
        The file is empty, too large or has no header row.
    """
    rows = read_rows(data, where)
    table = Table(pd.DataFrame(), notes=rows.notes)
    frame = pd.DataFrame(rows.cells, columns=rows.columns, dtype=str)
    identity = "image_id" if "image_id" in rows.columns else rows.columns[0]
    frame.index = pd.Index(frame.pop(identity), name="case", dtype=str)
    repeated = frame.index.duplicated()
    if repeated.any():
        counts = frame.index[frame.index.isin(frame.index[repeated])].value_counts(sort=False)
        for case, count in counts.items():
            what = f"{where} has {count:,} rows for {shown(str(case))}; the first counts."
            table.notes.append(Finding("meta_repeated", what, str(case)))
    table.raw = frame[~repeated]
    table.typed = _typed(table.raw, table.notes)
    return table


def _typed(raw: pd.DataFrame, notes: list[Finding]) -> pd.DataFrame:
    times = {name: raw[name] for name in _TIMES if name in raw.columns}
    columns: dict[str, pd.Series] = _times_ms(times, notes) if times else {}
    targets: dict[str, str] = {}
    for name in raw.columns.difference(list(_TIMES), sort=False):
        target = _KNOWN.get(name, (name, _text))[0]
        taken = target in targets.values() or (target != name and target in raw.columns)
        targets[name] = name if taken else target
    # A column of the file may bear the name of one that is made here.
    unlike = distinct([*columns, *targets.values()])[len(columns) :]
    own: dict[str, pd.Series] = {}
    for name, target in zip(targets, unlike, strict=True):
        texts = raw[name].map(_or_none).astype(object)
        own[target] = _KNOWN[name][1](texts, name, notes) if name in _KNOWN else _guess(texts)
    return pd.DataFrame(own | columns, index=raw.index)


def _or_none(text: str) -> str | None:
    return None if text.lower() in MISSING else text


def _guess(texts: pd.Series) -> pd.Series:
    """Numbers where every cell is one, folded text otherwise."""
    numbers = pd.to_numeric(texts, errors="coerce")
    if texts.notna().any() and numbers.notna().sum() == texts.notna().sum():
        return numbers.astype(float).where(np.isfinite(numbers.astype(float)))
    return _fold(texts)


def _fold(texts: pd.Series) -> pd.Series:
    """Take spellings that differ in case or blanks for one, shown as the most frequent of them."""
    clean = texts.map(lambda text: re.sub(r"\s+", " ", text).strip() if isinstance(text, str) else None)
    counts = clean.dropna().value_counts(sort=False)
    best: dict[str, str] = {}
    for spelling in sorted(counts.index, key=lambda text: (-counts[text], text)):
        best.setdefault(spelling.casefold(), spelling)
    return clean.map(lambda text: best[text.casefold()] if isinstance(text, str) else None).astype(object)


def _number(text: str) -> float:
    """Return the first number in a text, a decimal comma included; NaN where there is none."""
    match = re.search(r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?", text)
    return float(match.group().replace(",", ".")) if match else float("nan")


def _numbers(texts: pd.Series, column: str, notes: list[Finding]) -> pd.Series:
    values = texts.map(lambda text: _number(text) if isinstance(text, str) else float("nan")).astype(float)
    for case in texts.index[texts.notna() & ~np.isfinite(values)]:
        notes.append(
            Finding("meta_number", f"meta.csv: {column} {shown(texts[case])} is not a number.", str(case))
        )
    return values.where(np.isfinite(values))


def _field_strength(texts: pd.Series, column: str, notes: list[Finding]) -> pd.Series:
    found = []
    for case, text, value in zip(texts.index, texts, _numbers(texts, column, notes), strict=True):
        field_t = value / 10_000 if value > 100 else value  # gauss
        if np.isnan(value) or 0 < field_t <= 25:
            near = (n for n in _FIELD_STRENGTHS_T if abs(field_t - n) <= 0.05 * n)
            found.append(next(near, round(field_t, 2)))
        else:
            what = f"meta.csv: {column} {shown(text)} is no field strength in tesla or gauss."
            notes.append(Finding("meta_number", what, str(case)))
            found.append(float("nan"))
    return pd.Series(found, index=texts.index, dtype=float)


def _manufacturer(texts: pd.Series, _column: str, _notes: list[Finding]) -> pd.Series:
    def known(text: object) -> object:
        if not isinstance(text, str):
            return None
        low = text.lower()
        return next((name for start, name in _MANUFACTURERS.items() if re.match(rf"{start}\b", low)), low)

    return texts.map(known).astype(object)


def _gender(texts: pd.Series, _column: str, _notes: list[Finding]) -> pd.Series:
    return texts.map(lambda text: _GENDERS.get(text.lower(), text) if isinstance(text, str) else None).astype(
        object
    )


def _sequence(texts: pd.Series, _column: str, _notes: list[Finding]) -> pd.Series:
    """Give DICOM (0018,0020) codes in one order: combinations come with many separators."""

    def codes(text: object) -> object:
        if not isinstance(text, str):
            return None
        found = sorted({code.upper() for code in re.findall(r"[A-Za-z]+", text)})
        return ", ".join(found) or text

    return texts.map(codes).astype(object)


def _text(texts: pd.Series, _column: str, _notes: list[Finding]) -> pd.Series:
    return _fold(texts)


def _times_ms(raw: dict[str, pd.Series], notes: list[Finding]) -> dict[str, pd.Series]:
    """Bring repetition, echo and inversion time to milliseconds.

    The rule: no such time is below half a millisecond, so a row with a smaller one is in seconds,
    all its times included. Those rows say so in the column ``times_given_in``.
    """
    texts = {name: series.map(_or_none).astype(object) for name, series in raw.items()}
    values = pd.DataFrame({name: _numbers(series, name, notes) for name, series in texts.items()})
    seconds = ((values > 0) & (values < 0.5)).any(axis=1).to_numpy()
    cases = [str(case) for case in values.index]
    for row in np.flatnonzero(seconds):
        given = ", ".join(
            f"{name} {shown(texts[name].iloc[row])}" for name in raw if isinstance(texts[name].iloc[row], str)
        )
        what = f"meta.csv: {given} read as seconds (a value below 0.5 cannot be milliseconds)."
        notes.append(Finding("meta_unit", what, cases[row]))
    factor = np.where(seconds, 1000.0, 1.0)
    with np.errstate(over="ignore"):
        values = (values * factor[:, None]).replace([np.inf, -np.inf], np.nan).round(6)
    result = {f"{name}_ms": values[name] for name in raw}
    unit = pd.Series("milliseconds", index=values.index, dtype=object)
    unit[seconds] = "seconds"
    unit[values.isna().all(axis=1).to_numpy()] = None
    return result | {"times_given_in": unit}


_TIMES = ("repetition_time", "echo_time", "inversion_time")

_Convert = Callable[[pd.Series, str, list[Finding]], pd.Series]

_KNOWN: dict[str, tuple[str, _Convert]] = {
    "age": ("age_years", _numbers),
    "gender": ("gender", _gender),
    "sex": ("gender", _gender),
    "institute": ("institute", _text),
    "study_type": ("study_type", _text),
    "manufacturer": ("manufacturer", _manufacturer),
    "scanner_model": ("scanner_model", _text),
    "slice_thickness": ("slice_thickness_mm", _numbers),
    "scanning_sequence": ("scanning_sequence", _sequence),
    "magnetic_field_strength": ("field_strength_t", _field_strength),
    "source": ("source", _text),
    "split": ("split", _text),
}

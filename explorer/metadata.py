"""``meta.csv`` to typed columns: units in their names, spellings folded, oddities reported.

Nothing in the file is evaluated; what cannot be understood becomes missing and a note.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from explorer.delimited import distinct, read_rows
from explorer.findings import Finding, shown

MISSING = {"", "nan", "none", "null", "n/a", "na", "-", "?"}
"""Texts that stand for a missing value, in lower case."""

_AMOUNT = re.compile(
    r"(?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*|,[0-9]+)?|[.,][0-9]+)(?:[eE][-+]?[0-9]+)?)\s*(?P<unit>[A-Za-z]*)"
)
_THOUSANDS = re.compile(r"[-+]?[1-9][0-9]{0,2},[0-9]{3}(?![0-9])")
_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0}  # of DICOM's ages
_LEAST_MS, _MOST_MS = 0.5, 60_000
_FIELD_STRENGTHS_T = (0.2, 0.35, 0.55, 1.0, 1.5, 3.0, 7.0)
_MOST_TESLA, _LEAST_GAUSS = 25, 10_000  # between them, 3000 may be gauss or millitesla
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


def _amount(text: str, units: Mapping[str, float]) -> float:
    """Return the one number that a text is, 0 or more, in the unit whose factor is 1; NaN for all else.

    Three digits behind a comma may be thousands or decimals, which nobody can know: NaN.
    """
    match = _AMOUNT.fullmatch(text)
    if not match or _THOUSANDS.match(match["number"]):
        return float("nan")
    value = float(match["number"].replace(",", ".")) * units.get(match["unit"].lower(), float("nan"))
    return value if 0 <= value < float("inf") else float("nan")


def _years(text: str) -> float:
    dicom = re.fullmatch(r"([0-9]{3})([DWM])", text)
    if dicom:
        return round(float(dicom[1]) / _PER_YEAR[dicom[2]], 3)
    return _amount(text, dict.fromkeys(("", "y", "yr", "yrs", "year", "years"), 1.0))


def _millimetres(text: str) -> float:
    return _amount(text, {"": 1.0, "mm": 1.0})


def _milliseconds(text: str) -> float:
    return _amount(text, {"": 1.0, "ms": 1.0, "msec": 1.0, "s": 1000.0, "sec": 1000.0})


def _tesla(text: str) -> float:
    field_t = _amount(text, {"": 1.0, "t": 1.0, "tesla": 1.0, "mt": 1e-3, "g": 1e-4, "gauss": 1e-4})
    if field_t >= _LEAST_GAUSS and not text[-1].isalpha():
        field_t /= 10_000
    if not 0 < field_t <= _MOST_TESLA:
        return float("nan")
    near = (known for known in _FIELD_STRENGTHS_T if abs(field_t - known) <= 0.05 * known)
    return next(near, round(field_t, 2))


def _numbers(read: Callable[[str], float], meant: str) -> "_Convert":
    """Return what reads a column of numbers, and notes each text that is not what is meant."""

    def convert(texts: pd.Series, column: str, notes: list[Finding]) -> pd.Series:
        values = texts.map({text: read(text) for text in texts.dropna().unique()}).astype(float)
        for case in texts.index[texts.notna() & values.isna()]:
            what = f"meta.csv: {column} {shown(texts[case])} is not {meant}; it counts as missing."
            notes.append(Finding("meta_number", what, str(case)))
        return values

    return convert


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
    all its times included that have no unit of their own. But none is over a minute either: a row
    that would have such a one is in mixed units, and left as it is. The column ``times_given_in``
    tells which.
    """
    texts = {name: series.map(_or_none).astype(object) for name, series in raw.items()}
    read = _numbers(_milliseconds, f"one number of ms or s, {_PLAIN}")
    values = pd.DataFrame({name: read(series, name, notes) for name, series in texts.items()})
    units = pd.DataFrame({name: _units_of_times(series) for name, series in texts.items()})
    bare = units.isna()
    with np.errstate(over="ignore"):
        lifted = values.where(~bare, (values * 1000).round(6))
    small = (bare & (values > 0) & (values < _LEAST_MS)).any(axis=1).to_numpy()
    mixed = small & (lifted > _MOST_MS).any(axis=1).to_numpy()
    cases = [str(case) for case in values.index]
    for row in np.flatnonzero(small):
        given = ", ".join(
            f"{name} {shown(texts[name].iloc[row])}" for name in raw if isinstance(texts[name].iloc[row], str)
        )
        what = f"meta.csv: {given} read as seconds (a value below {_LEAST_MS} cannot be milliseconds)."
        if mixed[row]:
            what = (
                f"meta.csv: {given} are in mixed units: a value below {_LEAST_MS} cannot be milliseconds, "
                f"but one of them as seconds is over {_MOST_MS // 1000}. Those without a unit were taken for "
                "milliseconds."
            )
        kind = "meta_mixed" if mixed[row] else "meta_unit"
        notes.append(Finding(kind, what, cases[row]))
    seconds = small & ~mixed
    values[seconds] = lifted[seconds]
    in_seconds = (units == "seconds") | (bare & seconds[:, None])
    unit = pd.Series("mixed units", index=values.index, dtype=object)
    unit[(in_seconds | values.isna()).all(axis=1)] = "seconds"
    unit[~mixed & ~(in_seconds & values.notna()).any(axis=1)] = "milliseconds"
    unit[values.isna().all(axis=1)] = None
    return {f"{name}_ms": values[name] for name in raw} | {"times_given_in": unit}


def _units_of_times(texts: pd.Series) -> pd.Series:
    """Return which unit is in each text; missing where there is none."""
    units = {}
    for text in texts.dropna().unique():
        match = _AMOUNT.fullmatch(text)
        if match and match["unit"]:
            units[text] = "milliseconds" if match["unit"].lower().startswith("m") else "seconds"
    return texts.map(units).astype(object)


_PLAIN = "0 or more, without marks for thousands"
_FIELD = f"a field strength: tesla up to {_MOST_TESLA}, gauss from {_LEAST_GAUSS:,} on, or with its unit"

_TIMES = ("repetition_time", "echo_time", "inversion_time")

_Convert = Callable[[pd.Series, str, list[Finding]], pd.Series]

_KNOWN: dict[str, tuple[str, _Convert]] = {
    "age": ("age_years", _numbers(_years, f"one number of years, {_PLAIN}")),
    "gender": ("gender", _gender),
    "sex": ("gender", _gender),
    "institute": ("institute", _text),
    "study_type": ("study_type", _text),
    "manufacturer": ("manufacturer", _manufacturer),
    "scanner_model": ("scanner_model", _text),
    "slice_thickness": ("slice_thickness_mm", _numbers(_millimetres, f"one number of mm, {_PLAIN}")),
    "scanning_sequence": ("scanning_sequence", _sequence),
    "magnetic_field_strength": ("field_strength_t", _numbers(_tesla, _FIELD)),
    "source": ("source", _text),
    "split": ("split", _text),
}

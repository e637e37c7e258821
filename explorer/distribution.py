"""Exact statistics of many numbers in little memory.

Values come in chunks. Up to 16 bits they are counted, which gives everything. Wider ones are never
held together either: means come from sums, and percentiles from a radix selection, 16 bits of the
value at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 2**16
"""Values that are worked on at a time; their 64-bit copies still fit the second level cache."""

COUNTED = 2**14
"""As `CHUNK`, of values of up to 16 bits, which are counted."""

Chunks = Callable[[], Iterable[NDArray[Any]]]
"""Gives the stored values, one-dimensional chunk by chunk, as often as it is called."""

Counted = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The distinct values, ascending, their bits read as unsigned numbers, and how often each occurs."""

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Distribution:
    """How scaled values are spread; only finite ones count, and where there are none all is NaN.

    Attributes
    ----------
    finite, zeros, nonfinite
        How many values are finite, exactly 0, and NaN or infinite.
    minimum, maximum, mean, sd
        Of the finite values; `sd` is that of the population.
    percentiles
        As asked for, interpolated linearly as `numpy.percentile` does.
    """

    finite: int
    zeros: int
    nonfinite: int
    minimum: float
    maximum: float
    mean: float
    sd: float
    percentiles: tuple[float, ...]


def flat_chunks(stored: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield the values of an array in the order of memory, as many as are worked on at a time."""
    flat = stored.reshape(-1, order="F")
    step = CHUNK if stored.dtype.itemsize > 2 else COUNTED
    for start in range(0, flat.size, step):
        yield flat[start : start + step]


def distribution(
    chunks: Chunks,
    dtype: np.dtype[Any],
    which: Sequence[float],
    *,
    slope: float = 1.0,
    inter: float = 0.0,
    nonzero: bool = False,
    counted: Counted | None = None,
) -> Distribution:
    """Describe values.

    Parameters
    ----------
    chunks
        The values as stored.
    dtype
        Their type.
    which
        Percentages, 0 to 100.
    slope, inter
        ``value = slope * stored + inter``, in float64.
    nonzero
        Whether percentiles leave out values that are exactly 0.
    counted
        The values of a type of up to 16 bits, where they have been counted: then `chunks` is not called.
    """
    if dtype.kind in "bui" and dtype.itemsize <= 2:
        levels, counts = _signed(*(counted or _count(chunks, dtype)), dtype)
        return _of_levels(levels, counts, which, slope, inter, nonzero)
    return _of_wide(chunks, dtype, which, slope, inter, nonzero)


def _count(chunks: Chunks, dtype: np.dtype[Any]) -> Counted:
    counts = np.zeros(0, np.int64)
    unsigned = np.dtype(f"u{dtype.itemsize}")
    for chunk in chunks():
        found = np.bincount(chunk.view(unsigned).astype(np.intp))
        if found.size > counts.size:
            counts, found = found, counts
        counts[: found.size] += found
    present = np.flatnonzero(counts)
    return present, counts[present]


def _signed(present: NDArray[np.int64], counts: NDArray[np.int64], dtype: np.dtype[Any]) -> Counted:
    """Return values as what they are, ascending, and how often each occurs."""
    bits = 8 * dtype.itemsize
    if dtype.kind == "i" and present.size and present[-1] >= 2 ** (bits - 1):
        # Negative values follow the others when their bits are read as an unsigned number.
        split = int(present.searchsorted(2 ** (bits - 1)))
        present = np.concatenate([present[split:] - 2**bits, present[:split]])
        counts = np.concatenate([counts[split:], counts[:split]])
    return present, counts


def _of_levels(
    levels: NDArray[np.int64],
    counts: NDArray[np.int64],
    which: Sequence[float],
    slope: float,
    inter: float,
    nonzero: bool,
) -> Distribution:
    with np.errstate(over="ignore", invalid="ignore"):
        values = levels * slope + inter
    ok = np.isfinite(values)
    nonfinite = 0
    if not ok.all():
        nonfinite = int(counts[~ok].sum())
        values, counts = values[ok], counts[ok]
    if slope < 0:
        values, counts = values[::-1], counts[::-1]
    at_zero = values == 0
    weights = counts.astype(np.float64)
    total, zeros = int(counts.sum()), int(counts[at_zero].sum())
    if not total:
        return _nothing(which, nonfinite)
    mean = float(values @ weights) / total
    off = values - mean
    sd = float(np.sqrt((off * off) @ weights / total))
    ends = (counts * ~at_zero if nonzero else counts).cumsum()
    ranks, place = _ranks(which, int(ends[-1]))
    found = np.asarray(values[ends.searchsorted(ranks, side="right")] if ranks else [], np.float64)
    return Distribution(
        total, zeros, nonfinite, float(values[0]), float(values[-1]), mean, sd, _between(found, place)
    )


def _of_wide(
    chunks: Chunks, dtype: np.dtype[Any], which: Sequence[float], slope: float, inter: float, nonzero: bool
) -> Distribution:
    def scaled() -> Iterator[tuple[NDArray[Any], NDArray[np.float64]]]:
        for chunk in chunks():
            with np.errstate(over="ignore", invalid="ignore"):
                values = chunk.astype(np.float64) * slope + inter
            ok = np.isfinite(values)
            yield (chunk, values) if ok.all() else (chunk[ok], values[ok])

    def ranked() -> Iterator[NDArray[Any]]:
        for chunk, values in scaled():
            yield chunk[values != 0] if nonzero else chunk

    total = zeros = seen = 0
    low, high, shift, sums, squares = np.inf, -np.inf, 0.0, 0.0, 0.0
    for chunk in chunks():
        seen += chunk.size
    for _, values in scaled():
        if not values.size:
            continue
        if not total:
            shift = float(values[0])  # sums of differences keep their digits
        total += values.size
        zeros += int(np.count_nonzero(values == 0))
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        sums += float((values - shift).sum())
    if not total:
        return _nothing(which, seen)
    mean = shift + sums / total
    for _, values in scaled():
        squares += float(np.square(values - mean).sum())
    count = total - zeros if nonzero else total
    ranks, place = _ranks(which, count)
    if slope < 0:
        ranks = [count - 1 - rank for rank in ranks]
    stored = _select(ranked, dtype, np.array(ranks, np.int64))
    return Distribution(
        total,
        zeros,
        seen - total,
        low,
        high,
        mean,
        float(np.sqrt(squares / total)),
        _between(stored.astype(np.float64) * slope + inter, place),
    )


def _select(chunks: Chunks, dtype: np.dtype[Any], ranks: NDArray[np.int64]) -> NDArray[Any]:
    """Return the values at ranks (0 is the smallest) by radix selection."""
    bits = 8 * dtype.itemsize
    unsigned = np.dtype(f"u{dtype.itemsize}")
    top = unsigned.type(1 << (bits - 1))

    def keys(chunk: NDArray[Any]) -> NDArray[Any]:
        """Map values to unsigned numbers of the same order."""
        raw: NDArray[Any] = chunk.view(unsigned)
        if dtype.kind == "i":
            raw = raw ^ top
        elif dtype.kind == "f":
            raw = np.where(raw & top, ~raw, raw | top)
        return raw

    found = np.zeros(ranks.size, unsigned)
    left = ranks.copy()
    for shift in range(bits - 16, -1, -16):
        # `found` holds the bits above those that are counted now.
        prefixes, of_rank = np.unique(found, return_inverse=True)
        counts = np.zeros((prefixes.size, 2**16), np.int64)
        for chunk in chunks():
            key = keys(chunk)
            for row, prefix in enumerate(prefixes):
                same = key if shift == bits - 16 else key[key >> unsigned.type(shift + 16) == prefix]
                digit = (same >> unsigned.type(shift)).astype(np.uint16)
                hits = np.bincount(digit.astype(np.intp))
                counts[row, : hits.size] += hits
        ends = counts.cumsum(axis=1)
        for n, row in enumerate(of_rank):
            digit = int(np.searchsorted(ends[row], left[n], side="right"))
            left[n] -= int(ends[row][digit - 1]) if digit else 0
            found[n] = unsigned.type((int(found[n]) << 16 | digit) if shift != bits - 16 else digit)
    if dtype.kind == "i":
        found ^= top
    elif dtype.kind == "f":
        found = np.where(found & top, found ^ top, ~found)
    return found.view(dtype)


def _ranks(which: Sequence[float], count: int) -> tuple[list[int], list[float]]:
    """Return the ranks below and above each percentile, in pairs, and the place between them."""
    if not count:
        return [], [_NAN] * len(which)
    positions = [percent / 100 * (count - 1) for percent in which]
    lows = [int(position) for position in positions]
    pairs = [rank for low in lows for rank in (low, min(low + 1, count - 1))]
    return pairs, [position - low for position, low in zip(positions, lows, strict=True)]


def _between(found: NDArray[np.float64], place: list[float]) -> tuple[float, ...]:
    if not found.size:
        return tuple(place)
    pairs = found.reshape(-1, 2).tolist()
    return tuple(low + (high - low) * part for (low, high), part in zip(pairs, place, strict=True))


def _nothing(which: Sequence[float], nonfinite: int) -> Distribution:
    return Distribution(0, 0, nonfinite, _NAN, _NAN, _NAN, _NAN, (_NAN,) * len(which))

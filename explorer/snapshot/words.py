"""Letters, scale, captions and legend of a picture."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cached_property, lru_cache

from PIL import Image, ImageDraw, ImageFont

from explorer.grid import Grid
from explorer.snapshot.geometry import Area, Placement, edge_letters, scale_bar
from explorer.snapshot.paint import Rgb

INK: Rgb = (0xD6, 0xDE, 0xE6)
FAINT: Rgb = (0x93, 0x9F, 0xAC)
LETTER: Rgb = (0xF2, 0xD3, 0x6B)
CROSS: Rgb = (0x4D, 0xA3, 0xFF)

_LONGEST = 200
_EXACT = Context(prec=400)
_MANY_ML = 1e9
_EDGE, _GAP, _ROW, _COLUMN, _REMARK = 8, 7, 19, 190, 110
_ROOMY = (130, 90)
_GLYPHS = frozenset(chr(n) for n in range(32, 127)) | frozenset("·…°±")
_LIKE = str.maketrans({"–": "-", "—": "-", "−": "-", "‑": "-", "×": "x", "µ": "u", "\t": " ", "\n": " "})

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Entry:
    """A line of the legend.

    Attributes
    ----------
    color
        Of its chip, or None for none.
    label, side
        Words, and ``"L"``, ``"R"`` or ``""``.
    volume
        Words, or ``""`` where it is not known.
    seen
        Whether it is in the slices that are drawn.
    hollow
        Whether its chip is but a line around.
    dashed
        Whether that line has gaps.
    remark
        Words behind the volume.
    """

    color: Rgb | None
    label: str
    side: str = ""
    volume: str = ""
    seen: bool = True
    hollow: bool = False
    dashed: bool = False
    remark: str = ""


@dataclass(frozen=True, eq=False)
class Sheet:
    """An image to write on: places in its pixels, sizes in CSS pixels, each `scale` pixels large."""

    image: Image.Image
    scale: float

    @cached_property
    def draw(self) -> ImageDraw.ImageDraw:
        """Of plain shapes and words."""
        return ImageDraw.Draw(self.image)

    def width_of(self, words: str, size: float) -> float:
        """Return how wide words are, in pixels."""
        return float(_font(size * self.scale).getlength(printable(words)))

    def write(
        self,
        at: tuple[float, float],
        words: str,
        *,
        size: float = 12,
        ink: Rgb = INK,
        anchor: str = "la",
        room: float = 1e9,
        rim: bool = False,
    ) -> None:
        """Write words, cut to fit a room in pixels; over a picture with a dark rim."""
        font = _font(size * self.scale)
        shown = fitting(printable(words), font, room)
        width = 1.5 * self.scale if rim else 0
        self.draw.text(at, shown, ink, font, anchor, stroke_width=width, stroke_fill=(0, 0, 0))

    def line(self, start: tuple[float, float], stop: tuple[float, float], ink: Rgb) -> None:
        """Draw an upright or level line, 1 CSS pixel wide."""
        thick = max(1, round(self.scale))
        x, y = (round(min(pair)) for pair in zip(start, stop, strict=True))
        right, bottom = (round(max(pair)) for pair in zip(start, stop, strict=True))
        self.draw.rectangle((x, y, max(right, x + thick) - 1, max(bottom, y + thick) - 1), ink)


@lru_cache(maxsize=16)
def _font(size: float) -> Font:
    return ImageFont.load_default(size)


def rounded(value: float, digits: int = 1) -> str:
    """Return a number as the browser writes it: halves go away from 0, and there is no minus before 0."""
    if not abs(value) < 1e21:
        return repr(float(value))
    found = Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _EXACT)
    return str(abs(found) if found.is_zero() else found)


def level(value: float) -> str:
    """Return an end of a window as the bar under the slices has it: four digits, or all before the point."""
    return rounded(value, 0) if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


def volume(value_ml: float | None) -> str:
    """Return a volume as the list has it, or ``""`` where it is not known."""
    if value_ml is None or not math.isfinite(value_ml):
        return ""
    if value_ml >= _MANY_ML:
        return f"{value_ml:.3g} ml"
    return "< 0.1 ml" if value_ml < 0.05 else f"{value_ml:,.1f} ml"


def grid_note(grid: Grid) -> str:
    """Return what an unusual grid needs said: its picture is not quite the anatomical plane."""
    tilt = round(grid.tilt_degrees, 1)
    tilted = f"tilted {rounded(tilt, 0)}°, closest axes shown" if tilt >= 0.5 else ""
    sheared = "" if grid.orthogonal else "axes not at right angles"
    return "  ·  ".join(part for part in (tilted, sheared) if part)


def printable(words: str) -> str:
    """Return words in the characters that the font has, of a bounded length."""
    plain = unicodedata.normalize("NFKD", words[: 2 * _LONGEST].translate(_LIKE))
    kept = [c for c in plain if not unicodedata.combining(c) and unicodedata.category(c)[0] != "C"]
    return "".join(c if c in _GLYPHS else "?" for c in kept)[:_LONGEST]


def fitting(words: str, font: Font, room: float) -> str:
    """Return words, shortened by an ellipsis where they are wider than a room in pixels."""
    if font.getlength(words) <= room:
        return words
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if font.getlength(words[:middle] + "…") <= room else (low, middle - 1)
    return words[:low].rstrip() + "…"


def letters(sheet: Sheet, area: Area, grid: Grid, placement: Placement) -> None:
    """Write at the edges of an area which sides of the patient they are."""
    left, top, right, bottom = area
    edge, middle_x, middle_y = _EDGE * sheet.scale, (left + right) / 2, (top + bottom) / 2
    aside = 7 * sheet.scale  # off the middle, where the crosshair often is
    places = [
        ((left + edge, middle_y - aside), "ld"),
        ((right - edge, middle_y - aside), "rd"),
        ((middle_x + aside, top + edge), "la"),
        ((middle_x + aside, bottom - edge), "ld"),
    ]
    _letters(sheet, grid, placement, places)


def sheet_letters(sheet: Sheet, cells: Sequence[Area], grid: Grid, placement: Placement) -> None:
    """Write the same at the edges of all cells, off their captions at the lower left of each."""
    lefts, tops, rights, bottoms = (sorted(set(sides)) for sides in zip(*cells, strict=True))
    edge, aside = _EDGE * sheet.scale, 7 * sheet.scale
    middle_x, middle_y = (lefts[0] + rights[-1]) / 2, (tops[0] + bottoms[-1]) / 2
    # Under the upper border of a row, where there are several.
    y, level = (tops[len(tops) // 2] + 3 * sheet.scale, "a") if len(tops) > 1 else (middle_y, "m")
    # At the right border of a column, but of the last, which has the scale bar; of a single one above that.
    low = bottoms[-1] - edge
    end = (rights[(len(rights) - 1) // 2] - aside, low) if len(rights) > 1 else (middle_x, low - 2 * aside)
    places = [
        ((lefts[0] + edge, y), f"l{level}"),
        ((rights[-1] - edge, y), f"r{level}"),
        ((middle_x + aside, tops[0] + edge), "la"),
        (end, "rd"),
    ]
    _letters(sheet, grid, placement, places)


def _letters(
    sheet: Sheet, grid: Grid, placement: Placement, places: Sequence[tuple[tuple[float, float], str]]
) -> None:
    for letter, (at, anchor) in zip(edge_letters(grid, placement), places, strict=True):
        sheet.write(at, letter, size=14, ink=LETTER, anchor=anchor, rim=True)


def annotate(sheet: Sheet, tile: Area, grid: Grid, placement: Placement, title: str, caption: str) -> None:
    """Write the letters, the scale bar, a title, a caption and what its grid needs said of a plane."""
    letters(sheet, tile, grid, placement)
    left, top, right, bottom = tile
    s = sheet.scale
    edge = _EDGE * s
    half = (right - left) / 2 - 2 * edge - 16 * s
    sheet.write((left + edge, top + edge), title, anchor="la", room=half, rim=True)
    note = (left + edge, top + edge + 15 * s)
    sheet.write(note, grid_note(grid), ink=LETTER, room=right - left - 2 * edge, rim=True)
    sheet.write((right - edge, bottom - edge), caption, anchor="rd", room=half, rim=True)
    length_mm, words = scale_bar(right - left, placement.pixels_per_mm)
    _scale_bar(sheet, (left + edge, bottom - edge), length_mm * placement.pixels_per_mm, words)


def is_roomy(sheet: Sheet, tile: Area) -> bool:
    """Return whether a small tile has room for millimetres beside its number."""
    return all(b - a >= least * sheet.scale for a, b, least in zip(tile[:2], tile[2:], _ROOMY, strict=True))


def caption(sheet: Sheet, tile: Area, below: str, above: str = "") -> None:
    """Write the little that a small tile has room for."""
    left, top, right, bottom = tile
    edge = 5 * sheet.scale
    room = right - left - 2 * edge
    sheet.write((left + edge, bottom - edge), below, size=10.5, anchor="ld", room=room, rim=True)
    sheet.write((left + edge, top + edge), above, size=10.5, room=room, rim=True)


def corner_scale_bar(sheet: Sheet, area: Area, cell: Area, placement: Placement) -> None:
    """Draw the scale bar of a cell at the lower right of all of them."""
    length_mm, words = scale_bar(cell[2] - cell[0], placement.pixels_per_mm)
    length, edge = length_mm * placement.pixels_per_mm, _EDGE * sheet.scale
    room = 7 * sheet.scale + sheet.width_of(words, 12)
    _scale_bar(sheet, (area[2] - edge - room - length, area[3] - edge), length, words)


def _scale_bar(sheet: Sheet, at: tuple[float, float], length: float, words: str) -> None:
    s = sheet.scale
    x, y = at[0], at[1] - 2 * s
    for ink, grow in (((0, 0, 0), 1.5 * s), (INK, 0.0)):
        for box in (
            (x, y - 1.5 * s, x + length, y),
            (x, y - 6 * s, x + 1.5 * s, y),
            (x + length - 1.5 * s, y - 6 * s, x + length, y),
        ):
            a, b, c, d = (round(n) for n in (box[0] - grow, box[1] - grow, box[2] + grow, box[3] + grow))
            sheet.draw.rectangle((a, b, max(c - 1, a), max(d - 1, b)), ink)
    sheet.write((x + length + 7 * s, at[1]), words, anchor="ld", rim=True)


def crosshair(sheet: Sheet, tile: Area, at: tuple[float, float]) -> None:
    """Draw the lines through a point, with a gap around it."""
    left, top, right, bottom = tile
    x, y, gap = math.floor(at[0]), math.floor(at[1]), _GAP * sheet.scale
    for start, stop in ((left, min(x - gap, right)), (max(x + gap, left), right)):
        if stop > start and top <= y < bottom:
            sheet.line((start, y), (stop, y), CROSS)
    for start, stop in ((top, min(y - gap, bottom)), (max(y + gap, top), bottom)):
        if stop > start and left <= x < right:
            sheet.line((x, start), (x, stop), CROSS)


def legend(
    sheet: Sheet, area: Area, heading: Sequence[str], key: Sequence[Entry], entries: Sequence[Entry]
) -> None:
    """Write a heading and a line for each structure, as many as there is room for.

    Parameters
    ----------
    heading
        The case's id, then what else is to be said, a line each.
    key
        Lines that have all of the width.
    entries
        Of structures, in columns. Should they not fit, those that are seen come first.
    """
    s = sheet.scale
    left, top, right, bottom = area[0] + 16 * s, area[1] + 14 * s, area[2] - 16 * s, area[3] - 12 * s
    y = top
    for n, words in enumerate(heading):
        sheet.write(
            (left, y), words, size=16 if n == 0 else 12, ink=INK if n == 0 else FAINT, room=right - left
        )
        y += (26 if n == 0 else 18) * s
    y += 10 * s if heading else 0
    for entry in key:
        _entry(sheet, left, y, right - left, entry)
        y += _ROW * s
    y += 6 * s if key else 0
    rows = max(int((bottom - y) // (_ROW * s)), 0)
    aside = max((sheet.width_of(entry.remark, 12) + 10 * s for entry in entries if entry.remark), default=0.0)
    aside = min(aside, _REMARK * s)
    most = max(int((right - left) // (_COLUMN * s + aside)), 1)
    columns = min(most, -(-len(entries) // max(rows, 1))) or 1
    kept = list(entries)
    more = len(entries) - rows * columns
    if more > 0:
        kept.sort(key=lambda entry: not entry.seen)
        kept = kept[: max(rows * columns - 1, 0)]
        more = len(entries) - len(kept)
    gap = 20 * s
    wide = (right - left - gap * (columns - 1)) / columns
    for n, entry in enumerate(kept):
        _entry(sheet, left + n // rows * (wide + gap), y + n % rows * _ROW * s, wide, entry, aside)
    if more > 0 and rows:
        n = len(kept)
        at = (left + n // rows * (wide + gap) + 22 * s, y + (n % rows + 0.5) * _ROW * s)
        sheet.write(at, f"+ {more} more", ink=FAINT, anchor="lm", room=wide)


def _gaps(chip: tuple[float, float, float, float], half: float) -> list[tuple[float, float, float, float]]:
    """Return the middles of the sides of a chip, to be left out."""
    left, top, right, bottom = chip
    x, y = (left + right) / 2, (top + bottom) / 2
    return [(x - half, top, x + half, bottom), (left, y - half, right, y + half)]


def _entry(sheet: Sheet, x: float, y: float, wide: float, entry: Entry, aside: float = 0.0) -> None:
    """Write a line of the legend; `aside` is the room for remarks, in pixels."""
    s = sheet.scale
    middle = y + _ROW * s / 2
    chip = (x, middle - 6 * s, x + 12 * s, middle + 6 * s)
    if entry.color and entry.hollow:
        sheet.draw.rounded_rectangle(chip, 3 * s, outline=entry.color, width=max(1, round(2 * s)))
        for box in _gaps(chip, 2 * s) if entry.dashed else ():
            sheet.draw.rectangle(box, (0, 0, 0))
    elif entry.color:
        sheet.draw.rounded_rectangle(chip, 3 * s, entry.color)
    right = x + min(wide, 330 * s + aside) - aside
    if entry.remark:
        sheet.write((right + 10 * s, middle), entry.remark, ink=FAINT, anchor="lm", room=aside - 10 * s)
    volume_wide = sheet.width_of(entry.volume, 12)
    sheet.write((right, middle), entry.volume, ink=FAINT, anchor="rm")
    side_x = right - (72 * s if entry.volume else 12 * s)
    sheet.write((side_x, middle), entry.side, ink=FAINT, anchor="mm")
    start = x + 22 * s
    stop = side_x - 10 * s if entry.side else right - (volume_wide + 10 * s if entry.volume else 0)
    sheet.write((start, middle), entry.label, anchor="lm", room=max(stop - start, 0))

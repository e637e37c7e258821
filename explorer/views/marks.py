"""What charts are made of: boxes, rings, legends, axes, and colours that are seen on any theme."""

import textwrap
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.structures import structure

MAX_POINTS = 8_000
"""Points drawn in one chart."""

MIN_BOX = 5
"""Fewer values than this get no box: their quartiles would be made up."""

GROUP_COLORS = ("#4c86d8", "#e08a3c", "#4aa567", "#b06bc9", "#c9a227", "#4fb3bf", "#8d96a3")
"""Colours of groups, told apart by colour-blind readers; the last is that of ``other``."""

LUMINANCE = (0.15, 0.30)
"""Relative luminance of marks: about 3 to 1 against the panes of both JupyterLab themes (WCAG 1.4.11)."""

_GREY = "#8d96a3"
_GRID = "rgba(128,128,128,0.22)"
_SHORTER = {"inferior vena cava": "IVC", "portal vein and splenic vein": "portal vein"}
_MOST_UPRIGHT = 14
_SPREAD = (0.005, 0.025)


def group_color(group: int | np.integer[Any], groups: int) -> str:
    """Return the colour of a group; where there is but one, the first."""
    return GROUP_COLORS[min(int(group), len(GROUP_COLORS) - 1)] if groups > 1 else GROUP_COLORS[0]


def seen(color: str) -> str:
    """Return a colour of the same hue that stands out from light and dark panes alike.

    Parameters
    ----------
    color
        As ``#rrggbb``.
    """
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    low, high = LUMINANCE
    if luminance > high:
        linear = linear * (high / luminance)
    elif luminance < low:
        linear = linear + (1 - linear) * (low - luminance) / (1 - luminance)
    mixed = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(float(part) * 255):02x}" for part in mixed.clip(0, 1))


def box(x: float, values: NDArray[np.float64], width: float, color: str) -> dict[str, Any]:
    """Return a box of quartiles with Tukey's whiskers, of all values."""
    q1, median, q3 = np.percentile(values, (25, 50, 75))
    reach = 1.5 * (q3 - q1)
    inside = values[(values >= q1 - reach) & (values <= q3 + reach)]
    return {
        "type": "box",
        "x": [x],
        "q1": [float(q1)],
        "median": [float(median)],
        "q3": [float(q3)],
        "lowerfence": [float(inside.min())],
        "upperfence": [float(inside.max())],
        "width": width,
        "line": {"color": color, "width": 1.25},
        "fillcolor": "rgba(0,0,0,0)",
        "hoverinfo": "skip",
        "showlegend": False,
    }


def middles(rows: Sequence[tuple[float, float, str]]) -> dict[str, Any]:
    """Return unseen points on the medians, whose hover text tells the numbers."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [x for x, _, _ in rows],
        "y": [y for _, y, _ in rows],
        "text": [text for _, _, text in rows],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"size": 16, "color": _GREY, "opacity": 0},
        "showlegend": False,
    }


def ring(x: NDArray[Any], y: NDArray[Any], place: NDArray[np.intp], size: float = 10) -> dict[str, Any]:
    """Return rings around the points of the open case."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x.tolist(),
        "y": y.tolist(),
        "customdata": place.tolist(),
        "hoverinfo": "skip",
        "marker": {"size": size, "color": "rgba(0,0,0,0)", "line": {"width": 2, "color": "#f2a33a"}},
        "showlegend": False,
    }


def legend(label: str, n: int, color: str) -> dict[str, Any]:
    """Return an entry of the legend."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "name": f"{escape(label[:40])} <i>{n:,}</i>",
        "marker": {"size": 8, "color": color},
        "hoverinfo": "skip",
    }


def jitter(cases: "pd.Series[str]", width: float) -> NDArray[np.float64]:
    """Return a displacement that depends on nothing but the case."""
    hashed = pd.util.hash_array(cases.to_numpy(dtype=object)) % np.uint64(10_007)
    spread: NDArray[np.float64] = (hashed.astype(float) / 10_007 - 0.5) * 2 * width
    return spread


def spread(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Set points that coincide side by side, so that each can be seen and clicked.

    Parameters
    ----------
    x, y
        Positions of the points, shape (n,).

    Returns
    -------
    x, y
        Around each shared position the points fill a small disc as seeds do in a sunflower (Vogel,
        Math. Biosci. 44, 1979: the k-th at sqrt(k) and k golden angles); others stay where they are.
    moved
        Whether any point was moved.
    """
    _, where, counts = np.unique(
        np.column_stack([x, y]).round(6), axis=0, return_inverse=True, return_counts=True
    )
    where = where.ravel()
    order = np.argsort(where, kind="stable")
    nth = np.empty(len(x), int)
    nth[order] = np.arange(len(x)) - np.repeat(np.cumsum(counts) - counts, counts)
    step, most = _SPREAD
    radius = np.minimum(step, most / np.sqrt(counts))[where] * np.sqrt(nth)
    angle = nth * np.pi * (3 - np.sqrt(5))
    # The panel is about five times as wide as it is high.
    across = x + radius * np.cos(angle) * float(x.max())
    up = y + 5 * radius * np.sin(angle) * float(y.max())
    return across, up, bool((counts > 1).any())


def sampled(count: int) -> NDArray[np.intp]:
    """Return which of so many rows are drawn."""
    if count <= MAX_POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MAX_POINTS, replace=False))


def names_axis(names: Sequence[str], second: Sequence[str] = ()) -> dict[str, Any]:
    """Return an axis of structures, at 0, 1, 2 ..., with a second line under each."""
    upright = len(names) <= _MOST_UPRIGHT
    texts = [_label(name, max(15, 120 // len(names)) if upright else 0) for name in names]
    if upright and second:
        texts = [f"{text}<br>{more}" for text, more in zip(texts, second, strict=True)]
    return {
        "tickvals": list(range(len(names))),
        "ticktext": texts,
        "range": [-0.6, len(names) - 0.4],
        "tickangle": 0 if upright else -40,
    }


def _label(name: str, width: int) -> str:
    """Return a structure's name in at most two lines of so many characters; 0: in one of sixteen."""
    known = structure(name)
    text = f"{_SHORTER.get(known.label, known.label)} {known.side[:1].upper()}".strip()
    if not width:
        return escape(textwrap.shorten(text, 18, placeholder="…") if " " in text else text[:18])
    lines = textwrap.wrap(text, width) or [text]
    if len(lines) > 2:
        lines = [lines[0], f"{lines[1][: width - 1]}…"]
    return "<br>".join(map(escape, lines))


def log_axis(low: float, high: float) -> dict[str, Any]:
    """Return a logarithmic axis: ticks at powers of ten, and at 2 and 5 where these alone are too few."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    steps = (1,) if np.log10(high / low) > 2.2 else (1, 2, 5)
    ticks = [step * 10.0**n for n in range(first, last + 1) for step in steps]
    margin = max(0.12, (0.5 - np.log10(high / low)) / 2)
    return {
        "type": "log",
        "tickvals": ticks,
        "ticktext": [f"{tick:,.0f}" if tick >= 1 else f"{tick:g}" for tick in ticks],
        "range": [np.log10(low) - margin, np.log10(high) + margin],
    }


def from_zero(high: float) -> dict[str, Any]:
    """Return an axis that starts a little below zero, so that the zeros of two axes lie apart."""
    return {"range": [-0.035 * high, 1.07 * high]}


def titled(text: str) -> dict[str, Any]:
    """Return an axis title."""
    return {"title": {"text": text, "font": {"size": 11}, "standoff": 8}}


def layout(*, legend: bool = False) -> dict[str, Any]:
    """Return what all charts share."""
    axis = {"showgrid": False, "zeroline": False, "gridcolor": _GRID, "ticks": "", "fixedrange": False}
    return {
        "autosize": True,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 56, "r": 16, "t": 26 if legend else 8, "b": 30},
        "font": {"family": "Inter, Segoe UI, system-ui, DejaVu Sans, sans-serif", "size": 11, "color": _GREY},
        "hovermode": "closest",
        "hoverlabel": {"font": {"size": 12}, "align": "left"},
        "dragmode": "zoom",
        "showlegend": legend,
        # A legend only names: hiding its entry would hide no point.
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.0,
            "yanchor": "bottom",
            "font": {"size": 11},
            "itemclick": False,
            "itemdoubleclick": False,
        },
        "xaxis": {**axis, "automargin": True},
        "yaxis": {**axis, "showgrid": True, "automargin": True},
    }

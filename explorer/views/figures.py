"""Charts of a cohort: tables in, plotly figures as plain dictionaries out.

Boxes are computed here from all rows; of the points at most `MAX_POINTS` are drawn, so that a
figure stays small whatever the size of the cohort. Colours of text, lines and background come
from the page's CSS; only colours of structures and groups are set here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.cohort import Cohort
from explorer.structures import in_order, structure
from explorer.tables import column_label

MAX_POINTS = 8_000
"""Points drawn in one chart."""

MAX_GROUPS = 6
"""Groups that a split shows; the rest are one more group, ``other``."""

GROUP_COLORS = ("#4c86d8", "#e08a3c", "#4aa567", "#b06bc9", "#c9a227", "#4fb3bf", "#8d96a3")
"""Colours of groups, told apart by colour-blind readers; the last is that of ``other``."""

_GREY = "#8d96a3"
_GRID = "rgba(128,128,128,0.22)"


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure and what is said beside it.

    Attributes
    ----------
    figure
        ``data`` and ``layout`` as plotly takes them; no traces where there is nothing to see.
    note
        Units, n, what is left out.
    message
        Why there is nothing to see, else empty.
    points
        Case and structure (or None) of each point, in the order that ``customdata`` counts.
    """

    figure: dict[str, Any]
    note: str = ""
    message: str = ""
    points: Sequence[tuple[str, str | None]] = field(default_factory=tuple)


def volumes(
    cohort: Cohort,
    structures: Sequence[str],
    *,
    complete_only: bool = True,
    split: str | None = None,
    open_case: str = "",
    mask_set: str = "reference",
) -> Chart:
    """Draw the distribution of volumes by structure, on a log scale.

    Parameters
    ----------
    cohort
        Whose cases.
    structures
        Which structures, in order.
    complete_only
        Leave out structures that the image cuts off.
    split
        A column by which each structure is split, or None.
    open_case
        Its points get a ring.
    mask_set
        Whose masks.
    """
    table = cohort.volumes(structures, complete_only=complete_only, mask_set=mask_set)
    table = table[table["volume_ml"] > 0]
    which = "complete structures only" if complete_only else "every mask that is not empty"
    if table.empty:
        return Chart(_figure([], _layout()), message=_nothing(cohort, complete_only=complete_only))
    shown = [name for name in structures if name in set(table["structure"])]
    groups, group_of = _groups(cohort, split)
    slots = len(groups)
    width = 0.8 / slots
    rows = table.assign(
        place=table["structure"].map({name: i for i, name in enumerate(shown)}).astype(int),
        group=table["case"].map(group_of).astype(int),
    )
    rows["x"] = rows["place"] + (rows["group"] - (slots - 1) / 2) * width
    keep = _sampled(len(rows))
    drawn = rows.iloc[keep]
    points: list[tuple[str, str | None]] = [
        (str(c), str(s)) for c, s in zip(drawn["case"], drawn["structure"], strict=True)
    ]
    colors = (
        [structure(s).color for _, s in points if s]
        if slots == 1
        else [_color(g, slots) for g in drawn["group"]]
    )
    traces: list[dict[str, Any]] = []
    for _, part in rows.groupby(["place", "group"], sort=True):
        place, group = int(part["place"].iloc[0]), int(part["group"].iloc[0])
        color = structure(shown[place]).color if slots == 1 else _color(group, slots)
        x = float(part["x"].iloc[0]) + width * 0.2
        traces.append(_box(x, part["volume_ml"].to_numpy(float), width * 0.32, color))
    jitter = _jitter(drawn["case"], width * 0.17)
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": (drawn["x"].to_numpy() - width * 0.2 + jitter).round(4).tolist(),
            "y": drawn["volume_ml"].round(4).tolist(),
            "customdata": list(range(len(points))),
            "text": [_hover(row, groups if slots > 1 else None) for row in drawn.itertuples()],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"size": 4.5, "color": colors, "opacity": 0.75, "line": {"width": 0}},
            "showlegend": False,
        }
    )
    ring = drawn["case"].to_numpy() == open_case
    if ring.any():
        traces.append(
            _ring(np.array(traces[-1]["x"])[ring], drawn["volume_ml"].to_numpy()[ring], np.flatnonzero(ring))
        )
    if slots > 1:
        traces += [_legend(label, n, _color(i, slots)) for i, (label, n) in enumerate(groups)]
    layout = _layout(legend=slots > 1)
    layout["xaxis"] |= {
        "tickvals": list(range(len(shown))),
        "ticktext": [_short(name) for name in shown],
        "range": [-0.6, len(shown) - 0.4],
        "tickangle": 0 if len(shown) <= 14 else -40,
    }
    layout["yaxis"] |= _log_axis(float(rows["volume_ml"].min()), float(rows["volume_ml"].max()))
    sampled = (
        "" if len(keep) == len(rows) else f" · {len(keep):,} of {len(rows):,} points drawn, boxes use all"
    )
    note = f"{which} · ml, log scale · n = {table['case'].nunique():,} cases{sampled}"
    return Chart(_figure(traces, layout), note, points=points)


def prevalence(cohort: Cohort, structures: Sequence[str], *, mask_set: str = "reference") -> Chart:
    """Draw how many cases show each structure, complete or cut off."""
    counts = cohort.structure_counts(mask_set).set_index("structure")
    shown = [name for name in structures if name in counts.index]
    if not shown or not cohort.size:
        return Chart(_figure([], _layout()), message=_nothing(cohort, complete_only=False))
    part = counts.loc[shown]
    labels = [_short(name) for name in shown]
    bars = []
    for what, numbers, opacity in (
        ("complete", part["complete"], 1.0),
        ("cut off", part["present"] - part["complete"], 0.4),
    ):
        bars.append(
            {
                "type": "bar",
                "name": what,
                "x": list(range(len(shown))),
                "y": numbers.tolist(),
                "text": [
                    f"<b>{name}</b><br>{what} in {n:,} of {cohort.size:,} cases ({n / cohort.size:.1%})"
                    for name, n in zip(labels, numbers, strict=True)
                ],
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {
                    "color": [structure(name).color for name in shown],
                    "opacity": opacity,
                    "line": {"width": 0},
                },
                "showlegend": False,
            }
        )
    layout = _layout()
    layout |= {"barmode": "stack", "bargap": 0.25}
    layout["xaxis"] |= {
        "tickvals": list(range(len(shown))),
        "ticktext": labels,
        "range": [-0.6, len(shown) - 0.4],
        "tickangle": 0 if len(shown) <= 14 else -40,
    }
    layout["yaxis"] |= {"range": [0, max(1, int(part["present"].max())) * 1.08], "tickformat": ",d"}
    return Chart(
        _figure(bars, layout),
        f"cases that show it · full: complete, pale: cut off · n = {cohort.size:,} cases",
    )


def acquisition(cohort: Cohort, *, split: str | None = None, open_case: str = "") -> Chart:
    """Draw slice spacing over in-plane spacing of the cases."""
    cases = cohort.cases
    wanted = [f"spacing_{axis}_mm" for axis in "ijk"]
    known = cases[cases[wanted].notna().all(axis=1)] if set(wanted) <= set(cases.columns) else cases.iloc[:0]
    if known.empty:
        return Chart(_figure([], _layout()), message=_nothing(cohort, complete_only=False))
    groups, group_of = _groups(cohort, split)
    keep = _sampled(len(known))
    drawn = known.iloc[keep]
    # The slice axis is the coarsest one, whichever axis of the file that is.
    sorted_mm = np.sort(drawn[wanted].to_numpy(float), axis=1)
    group = group_of.loc[drawn.index].to_numpy(int)
    points: list[tuple[str, str | None]] = [(str(case), None) for case in drawn.index]
    text = [
        f"<b>{escape(case[:60])}</b><br>in plane {a:.3g} × {b:.3g} mm<br>between slices {c:.3g} mm"
        + (f"<br>{escape(groups[g][0][:60])}" if len(groups) > 1 else "")
        for (case, _), (a, b, c), g in zip(points, sorted_mm, group, strict=True)
    ]
    x, y = sorted_mm[:, 1], sorted_mm[:, 2]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": x.round(4).tolist(),
            "y": y.round(4).tolist(),
            "customdata": list(range(len(points))),
            "text": text,
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "size": 7,
                "opacity": 0.75,
                "color": [_color(g, len(groups)) for g in group],
                "line": {"width": 0},
            },
            "showlegend": False,
        }
    ]
    ring = np.array([case == open_case for case, _ in points])
    if ring.any():
        traces.append(_ring(x[ring], y[ring], np.flatnonzero(ring), size=13))
    if len(groups) > 1:
        traces += [_legend(label, n, _color(i, len(groups))) for i, (label, n) in enumerate(groups)]
    layout = _layout(legend=len(groups) > 1)
    layout["xaxis"] |= {"title": {"text": "in plane, mm"}, "rangemode": "tozero", "showgrid": True}
    layout["yaxis"] |= {"title": {"text": "between slices, mm"}, "rangemode": "tozero"}
    return Chart(_figure(traces, layout), f"spacing of voxels · n = {len(known):,} cases", points=points)


def default_structures(cohort: Cohort, count: int = 12, *, complete_only: bool = False) -> list[str]:
    """Return the structures that most cases show, whole or at all, in the order of lists."""
    counts = cohort.structure_counts()
    column = "complete" if complete_only else "present"
    first = counts[counts[column] > 0].sort_values(column, ascending=False, kind="stable").head(count)
    return in_order(first["structure"])


def _groups(cohort: Cohort, split: str | None) -> tuple[list[tuple[str, int]], "pd.Series[int]"]:
    """Return name and size of each group, and the group of each case."""
    index = pd.Index(cohort.ids)
    if split is None:
        return [("", cohort.size)], pd.Series(0, index=index)
    counts = cohort.counts(split)
    counts = counts[counts > 0]
    names = [name for name in counts.index if name is not None]
    _, unit = column_label(split)
    largest = sorted(names, key=lambda name: -int(counts[name]))[:MAX_GROUPS]
    texts = cohort.texts_of(split)
    place = {name: i for i, name in enumerate(largest)}
    code = np.array([len(largest) if text is None else place.get(text, len(largest) + 1) for text in texts])
    groups = [(f"{name} {unit}".strip(), int(counts[name])) for name in largest]
    groups += [
        ("missing", int((code == len(largest)).sum())),
        ("other", int((code == len(largest) + 1).sum())),
    ]
    used = [i for i, (_, n) in enumerate(groups) if n]
    renumbered = np.zeros(len(groups), int)
    renumbered[used] = np.arange(len(used))
    return [groups[i] for i in used], pd.Series(renumbered[code], index=index)


def _color(group: int | np.integer[Any], groups: int) -> str:
    return GROUP_COLORS[min(int(group), len(GROUP_COLORS) - 1)] if groups > 1 else GROUP_COLORS[0]


def _box(x: float, values: NDArray[np.float64], width: float, color: str) -> dict[str, Any]:
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


def _ring(x: NDArray[Any], y: NDArray[Any], place: NDArray[np.intp], size: float = 10) -> dict[str, Any]:
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


def _legend(label: str, n: int, color: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "name": f"{escape(label[:40])} <i>{n:,}</i>",
        "marker": {"size": 8, "color": color},
        "hoverinfo": "skip",
    }


def _jitter(cases: "pd.Series[str]", width: float) -> NDArray[np.float64]:
    """Return a displacement that depends on nothing but the case."""
    hashed = pd.util.hash_array(cases.to_numpy(dtype=object)) % np.uint64(10_007)
    spread: NDArray[np.float64] = (hashed.astype(float) / 10_007 - 0.5) * 2 * width
    return spread


def _sampled(count: int) -> NDArray[np.intp]:
    if count <= MAX_POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MAX_POINTS, replace=False))


def _hover(row: Any, groups: list[tuple[str, int]] | None) -> str:  # noqa: ANN401 - a named tuple of pandas
    known = structure(row.structure)
    name = f"{known.label} {known.side}".strip()
    status = "" if row.status == "complete" else " · cut off"
    lines = [f"<b>{escape(row.case[:60])}</b> {escape(name[:60])}", f"{row.volume_ml:,.4g} ml{status}"]
    if groups is not None:
        lines.append(escape(groups[row.group][0][:60]))
    return "<br>".join(lines)


def _short(name: str) -> str:
    known = structure(name)
    label = known.label.replace("inferior vena cava", "IVC").replace(
        "portal vein and splenic vein", "portal vein"
    )
    side = f" {known.side[0].upper()}" if known.side else ""
    return escape(label if len(label) <= 16 else f"{label[:15]}…") + side


def _log_axis(low: float, high: float) -> dict[str, Any]:
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    ticks = [10.0**n for n in range(first, last + 1)]
    return {
        "type": "log",
        "tickvals": ticks,
        "ticktext": [f"{tick:,.0f}" if tick >= 1 else f"{tick:g}" for tick in ticks],
        "range": [np.log10(low) - 0.12, np.log10(high) + 0.12],
    }


def _layout(*, legend: bool = False) -> dict[str, Any]:
    axis = {"showgrid": False, "zeroline": False, "gridcolor": _GRID, "ticks": "", "fixedrange": False}
    return {
        "autosize": True,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 56, "r": 16, "t": 26 if legend else 8, "b": 34},
        "font": {"family": "Inter, Segoe UI, system-ui, DejaVu Sans, sans-serif", "size": 11, "color": _GREY},
        "hovermode": "closest",
        "hoverlabel": {"font": {"size": 12}},
        "dragmode": "zoom",
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 11}},
        "xaxis": {**axis, "automargin": True},
        "yaxis": {**axis, "showgrid": True, "automargin": True},
    }


def _figure(data: list[dict[str, Any]], layout: dict[str, Any]) -> dict[str, Any]:
    return {"data": data, "layout": layout}


def _nothing(cohort: Cohort, *, complete_only: bool) -> str:
    if not cohort.size:
        return "No case matches these filters."
    if cohort.structures.empty:
        return "Shown as soon as cases are measured."
    if complete_only:
        return "None of these structures is complete in these cases: show cut-off ones too."
    return "None of these structures is in these cases."

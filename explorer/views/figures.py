"""Charts of a cohort: tables in, plotly figures as plain dictionaries out.

Boxes are computed here from all rows; of the points at most `marks.MAX_POINTS` are drawn, so that a
figure stays small whatever the size of the cohort. Colours of text, lines and background come
from the page's CSS; only colours of structures and groups are set here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from explorer.cohort import Cohort
from explorer.structures import in_order, structure
from explorer.tables import column_label
from explorer.views import marks

MAX_GROUPS = 6
"""Groups that a split shows; the rest are one more group, ``other``."""


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
        return Chart(_figure([], marks.layout()), message=_nothing(cohort, complete_only=complete_only))
    shown = [name for name in structures if name in set(table["structure"])]
    groups, group_of = _groups(cohort, split)
    slots = len(groups)
    # Few structures leave much room, and a wide box tells no more than a narrow one.
    width = 0.8 / slots * min(1.0, len(shown) / 6)
    rows = table.assign(
        place=table["structure"].map({name: i for i, name in enumerate(shown)}).astype(int),
        group=table["case"].map(group_of).astype(int),
    )
    rows["x"] = rows["place"] + (rows["group"] - (slots - 1) / 2) * width
    # Points stand to the left of their box, and in the middle where there is none.
    boxed = rows.groupby(["place", "group"])["x"].transform("size") >= marks.MIN_BOX
    rows["left"] = np.where(boxed, 0.2 * width, 0.0)
    keep = marks.sampled(len(rows))
    drawn = rows.iloc[keep]
    points: list[tuple[str, str | None]] = [
        (str(c), str(s)) for c, s in zip(drawn["case"], drawn["structure"], strict=True)
    ]
    colors = (
        [marks.seen(structure(s).color) for _, s in points if s]
        if slots == 1
        else [marks.group_color(g, slots) for g in drawn["group"]]
    )
    traces: list[dict[str, Any]] = []
    middles = []
    for _, part in rows.groupby(["place", "group"], sort=True):
        place, group = int(part["place"].iloc[0]), int(part["group"].iloc[0])
        color = marks.seen(structure(shown[place]).color) if slots == 1 else marks.group_color(group, slots)
        x = float((part["x"] + part["left"]).iloc[0])
        values = part["volume_ml"].to_numpy(float)
        if len(values) < marks.MIN_BOX:
            continue
        traces.append(marks.box(x, values, width * 0.32, color))
        of = f"<br>{escape(groups[group][0][:60])}" if slots > 1 else ""
        middles.append((x, float(np.median(values)), f"<b>{_name(shown[place])}</b>{of}{_quartiles(values)}"))
    jitter = marks.jitter(drawn["case"], width * 0.17)
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": (drawn["x"] - drawn["left"] + jitter).to_numpy().round(4).tolist(),
            "y": drawn["volume_ml"].round(4).tolist(),
            "customdata": list(range(len(points))),
            "text": [_hover(row, groups if slots > 1 else None) for row in drawn.itertuples()],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"size": 4.5, "color": colors, "opacity": 0.75, "line": {"width": 0}},
            "showlegend": False,
        }
    )
    points_x = np.array(traces[-1]["x"])
    if middles:
        traces.append(marks.middles(middles))
    ring = drawn["case"].to_numpy() == open_case
    if ring.any():
        traces.append(marks.ring(points_x[ring], drawn["volume_ml"].to_numpy()[ring], np.flatnonzero(ring)))
    if slots > 1:
        traces += [marks.legend(label, n, marks.group_color(i, slots)) for i, (label, n) in enumerate(groups)]
    layout = marks.layout(legend=slots > 1)
    counts = table["structure"].value_counts()
    layout["xaxis"] |= marks.names_axis(shown, [f"n = {counts[name]:,}" for name in shown])
    layout["yaxis"] |= marks.titled("volume, ml") | marks.log_axis(
        float(rows["volume_ml"].min()), float(rows["volume_ml"].max())
    )
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
        return Chart(_figure([], marks.layout()), message=_nothing(cohort, complete_only=False))
    part = counts.loc[shown]
    labels = [_name(name) for name in shown]
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
                    "color": [marks.seen(structure(name).color) for name in shown],
                    "opacity": opacity,
                    "line": {"width": 0},
                },
                "showlegend": False,
            }
        )
    layout = marks.layout()
    layout |= {"barmode": "stack", "bargap": 1 - 0.75 * min(1.0, len(shown) / 6)}
    layout["xaxis"] |= marks.names_axis(shown)
    most = max(1, int(part["present"].max()))
    layout["yaxis"] |= marks.titled("cases") | {"range": [0, most * 1.08], "tickformat": ",d"}
    layout["yaxis"] |= {"dtick": 1} if most <= 5 else {}
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
        return Chart(_figure([], marks.layout()), message=_nothing(cohort, complete_only=False))
    groups, group_of = _groups(cohort, split)
    keep = marks.sampled(len(known))
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
    x, y, coincide = marks.spread(sorted_mm[:, 1], sorted_mm[:, 2])
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
                "color": [marks.group_color(g, len(groups)) for g in group],
                "line": {"width": 0},
            },
            "showlegend": False,
        }
    ]
    ring = np.array([case == open_case for case, _ in points])
    if ring.any():
        traces.append(marks.ring(x[ring], y[ring], np.flatnonzero(ring), size=13))
    if len(groups) > 1:
        traces += [
            marks.legend(label, n, marks.group_color(i, len(groups))) for i, (label, n) in enumerate(groups)
        ]
    layout = marks.layout(legend=len(groups) > 1)
    layout["xaxis"] |= marks.titled("in plane, mm") | marks.from_zero(float(x.max())) | {"showgrid": True}
    layout["yaxis"] |= marks.titled("between slices, mm") | marks.from_zero(float(y.max()))
    note = f"spacing of voxels{' · equal ones side by side' if coincide else ''} · n = {len(known):,} cases"
    return Chart(_figure(traces, layout), note, points=points)


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


def _name(name: str) -> str:
    return escape(structure(name).full_label[:60])


def _quartiles(values: "np.ndarray[Any, np.dtype[np.float64]]") -> str:
    low, median, high = np.percentile(values, (25, 50, 75))
    return f"<br>median {median:,.4g} ml · half between {low:,.4g} and {high:,.4g}<br>n = {len(values):,}"


def _hover(row: Any, groups: list[tuple[str, int]] | None) -> str:  # noqa: ANN401 - a named tuple of pandas
    status = "" if row.status == "complete" else " · cut off"
    lines = [f"<b>{escape(row.case[:60])}</b> {_name(row.structure)}", f"{row.volume_ml:,.4g} ml{status}"]
    if groups is not None:
        lines.append(escape(groups[row.group][0][:60]))
    return "<br>".join(lines)


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

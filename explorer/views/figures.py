"""Charts of a cohort: tables in, plotly figures as plain dictionaries out.

Boxes are computed here from all rows; of the points at most `MAX_POINTS` are drawn, so that a
figure stays small whatever the size of the cohort. Nothing here imports plotly. Colours of text,
lines and background come from the page's CSS; only colours of structures and groups are set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.cohort import Cohort
from explorer.structures import in_order, structure
from explorer.views.groups import NEUTRAL, Groups, Key
from explorer.views.marks import (
    box,
    box_numbers,
    decimal,
    jitter,
    label,
    layout,
    log_axis,
    place_axis,
    safe,
    sample,
    scatter,
)

MAX_POINTS = 8_000
"""Points drawn in one chart."""

MAX_STRUCTURES = 120
"""Structures drawn in one chart."""

_JITTER = 0.13
_ROWS = ("case", "x", "y", "panel")


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure, what is said beside it, and whom its points stand for.

    Attributes
    ----------
    figure
        ``data`` and ``layout`` as plotly takes them; no traces where there is nothing to see.
    note
        What is shown and of how many: units, n, what is left out.
    message
        Why there is nothing to see, and what to do; else empty.
    legend
        Groups or shades with their n.
    summary
        The chart in words, for screen readers.
    cases, structures
        What the two numbers of a point's ``customdata`` count; -1 stands for no structure.
    rows
        All points, drawn or not: ``case``, ``x`` before jitter, ``y``, ``panel``.
    spread
        Width of the jitter.
    """

    figure: Mapping[str, Any] = field(default_factory=lambda: {"data": [], "layout": layout()})
    note: str = ""
    message: str = ""
    legend: tuple[Key, ...] = ()
    summary: str = ""
    cases: Sequence[str] = ()
    structures: Sequence[str] = ()
    rows: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_ROWS)))
    spread: float = 0.0

    def target(self, case: int, name: int) -> tuple[str, str | None] | None:
        """Return case and structure of a point's ``customdata``, or None where it has none."""
        if not 0 <= case < len(self.cases) or not -1 <= name < len(self.structures):
            return None
        return self.cases[case], None if name < 0 else self.structures[name]

    def rings(self, case: str) -> dict[str, tuple[list[float], list[float]]]:
        """Return where a case's points lie: uid of the trace of rings to x and y."""
        own = self.rows[self.rows["case"] == case]
        shift = self.spread * float(jitter([case])[0])
        return {
            f"open{panel}": (
                [float(x) + shift for x in own.loc[own["panel"] == panel, "x"]],
                [float(y) for y in own.loc[own["panel"] == panel, "y"]],
            )
            for panel in self.rows["panel"].unique()
        }


def volumes(
    cohort: Cohort,
    structures: Sequence[str],
    *,
    complete_only: bool = True,
    groups: Groups | None = None,
    mask_set: str = "reference",
) -> Chart:
    """Draw the volumes of structures as points beside boxes, on a log axis.

    Parameters
    ----------
    cohort
        The cases.
    structures
        Which, at most `MAX_STRUCTURES`.
    complete_only
        Leave out structures that the image cuts off.
    groups
        Splits every structure's cases into groups, side by side.
    mask_set
        Whose masks.
    """
    names = in_order(structures)[:MAX_STRUCTURES]
    table = cohort.volumes(names, complete_only=complete_only, mask_set=mask_set)
    measured = table["volume_ml"].to_numpy(dtype=float, na_value=np.nan)
    usable = np.isfinite(measured) & (measured > 0)
    table, volume = table[usable], measured[usable]
    if not len(table):
        return Chart(message=_no_volumes(cohort, names, complete_only=complete_only, mask_set=mask_set))
    count = len(groups.keys) if groups else 1
    code = pd.Categorical(table["structure"], categories=names).codes.astype(np.intp)
    case = pd.Index(cohort.ids).get_indexer(pd.Index(table["case"]))
    group = groups.of[case] if groups else np.zeros(len(table), np.intp)

    slot = 0.86 / count
    beside = count <= 2
    middle = code + (group - (count - 1) / 2) * slot
    cell = code * count + group
    order = np.argsort(cell, kind="stable")
    edges = np.searchsorted(cell[order], np.arange(len(names) * count + 1))
    cells = [order[low:high] for low, high in zip(edges[:-1], edges[1:], strict=True)]
    boxes = {i: box_numbers(volume[rows]) for i, rows in enumerate(cells) if rows.size}
    drawn = sample([(volume[cells[i]], cells[i], numbers) for i, numbers in boxes.items()], MAX_POINTS)

    rows = pd.DataFrame(
        {
            "case": table["case"].to_numpy(),
            "x": middle - (0.2 * slot if beside else 0),
            "y": volume,
            "panel": 0,
        }
    )
    chart = Chart(cases=cohort.ids, structures=names, rows=rows, spread=_JITTER * slot * (1 if beside else 2))
    keys = groups.keys if groups else ()
    colors = [structure(name).color for name in names] if groups is None else [key.color for key in keys]
    status = table["status"].to_numpy(dtype=object)
    data = []
    for uid, kept, symbol in (
        ("complete", drawn[status[drawn] == "complete"], "circle"),
        ("cut_off", drawn[status[drawn] != "complete"], "circle-open"),
    ):
        ids = rows["case"].to_numpy()[kept]
        shade = code[kept] if groups is None else group[kept]
        words = "complete" if uid == "complete" else "cut off"
        data.append(
            scatter(
                uid,
                rows["x"].to_numpy()[kept] + chart.spread * jitter(ids),
                volume[kept],
                color=[colors[i] for i in shade],
                symbol=symbol,
                hover=[
                    f"<b>{safe(ids[i])}</b><br>{label(names[code[k]])} · {decimal(volume[k])} ml<br>{words}"
                    + (f" · {safe(keys[group[k]].label)}" if groups else "")
                    for i, k in enumerate(kept)
                ],
                customdata=np.stack([case[kept], code[kept]], axis=1),
            )
        )
    centre = {
        i: i // count + (i % count - (count - 1) / 2) * slot + (0.27 * slot if beside else 0) for i in boxes
    }
    data.append(
        scatter(
            "medians",
            [centre[i] for i in boxes],
            [numbers.median for numbers in boxes.values()],
            color=NEUTRAL,
            opacity=0,
            size=16,
            hover=[
                f"<b>{label(names[i // count])}</b>"
                + (f" · {safe(keys[i % count].label)}" if groups else "")
                + f"<br>median {decimal(numbers.median)} ml, n = {numbers.n:,}"
                + f"<br>middle half {decimal(numbers.q1)} to {decimal(numbers.q3)} ml"
                for i, numbers in boxes.items()
            ],
        )
    )
    data.append(scatter("open0", [], [], color=NEUTRAL, symbol="circle-open", size=11))
    for shade, color in enumerate(colors):
        own = [i for i in boxes if (i // count if groups is None else i % count) == shade]
        if own:
            data.append(box(f"box{shade}", [centre[i] for i in own], [boxes[i] for i in own], color, slot))

    per_structure = np.bincount(code, minlength=len(names))
    n = int(np.unique(case).size)
    left_out = int(np.count_nonzero(~usable))
    parts = [
        "complete structures only" if complete_only else "every non-empty mask, cut-off ones as rings",
        "ml, log scale",
        f"n = {n:,} case{'s' if n != 1 else ''}",
        f"{drawn.size:,} of {len(table):,} points shown, boxes use all" if drawn.size < len(table) else "",
        f"{left_out:,} without a volume left out" if left_out else "",
    ]
    labels = [f"{label(name)}" for name in names]
    return replace(
        chart,
        figure={
            "data": data,
            "layout": layout(
                xaxis=place_axis(labels, per_structure),
                yaxis=log_axis(volume, "ml"),
            ),
        },
        note=" · ".join(part for part in parts if part),
        legend=tuple(replace(key, n=int(np.unique(case[group == i]).size)) for i, key in enumerate(keys)),
        summary="; ".join(
            f"{label(names[i // count])}{', ' + keys[i % count].label if groups else ''}: "
            f"median {decimal(numbers.median)} ml, n = {numbers.n}"
            for i, numbers in list(boxes.items())[:60]
        ),
    )

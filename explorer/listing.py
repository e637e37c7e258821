"""Findings and published figures as aligned text for a terminal."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from explorer.findings import KINDS, Finding, printable

ROWS_PER_KIND = 10
"""Shown of a kind unless all are asked for."""

_WIDEST = 40


def findings_text(findings: Sequence[Finding], cases: int, *, every: bool = False) -> str:
    """Return counts by severity and kind, then each kind with what to do and where it was found.

    Parameters
    ----------
    findings
        Worst first.
    cases
        How many there are.
    every
        Show all rows of a kind, not only the first `ROWS_PER_KIND`.
    """
    if not findings:
        return f"No problem in {cases:,} cases."
    severities = Counter(finding.severity for finding in findings)
    counts = ", ".join(
        f"{severities[name]:,} {name}{'' if severities[name] == 1 else 's'}"
        for name in ("error", "warning", "note")
    )
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.kind, []).append(finding)
    lines = [f"{cases:,} cases: {counts}", ""]
    width = max(len(kind) for kind in kinds)
    lines += [f"{KINDS[kind].severity:8} {kind:{width}} {len(rows):7,}" for kind, rows in kinds.items()]
    for kind, rows in kinds.items():
        lines += ["", f"{KINDS[kind].severity.upper()} {kind}: {KINDS[kind].advice}"]
        lines += _rows(rows if every else rows[:ROWS_PER_KIND])
        if not every and len(rows) > ROWS_PER_KIND:
            lines.append(f"  ... and {len(rows) - ROWS_PER_KIND:,} more (--all shows them)")
    return "\n".join(lines)


def _rows(rows: Sequence[Finding]) -> list[str]:
    cells = [[_cut(printable(row.case or "-")), printable(row.what)] for row in rows]
    width = max(len(case) for case, _ in cells)
    return [f"  {case:{width}}  {what}" for case, what in cells]


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def published_text(table: pd.DataFrame) -> str:
    """Return found, published and difference side by side.

    Parameters
    ----------
    table
        As of `explorer.publication.compare`.
    """
    parts = []
    for name, rows in table.groupby("table", sort=False):
        quantities = list(dict.fromkeys(rows["quantity"]))
        columns = ["found"] if rows["published"].isna().all() else ["found", "published", "difference"]
        wide = rows.pivot_table(
            index="row", columns="quantity", values=columns, sort=False, dropna=False, aggfunc="first"
        )
        wide = wide.swaplevel(axis=1).reindex(columns=pd.MultiIndex.from_product([quantities, columns]))
        wide.index = pd.Index([_cut(printable(str(row))) for row in wide.index])
        text = wide.to_string(float_format=_number, na_rep="-")
        parts.append(f"{str(name).capitalize()}\n{text}")
    remarks = table[table["remark"] != ""]
    parts += [f"{row.row}, {row.quantity}: {row.remark}" for row in remarks.itertuples()]
    return "\n\n".join(parts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"

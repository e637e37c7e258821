"""Whether a data set can be trusted: checks over the tables of its index and ``meta.csv``.

Everything here is pure and looks at tables only; voxels were looked at once, by the index. What
the table does not know is null and no finding.
"""

import os
from collections.abc import Iterable, Iterator

import pandas as pd

from explorer import publication
from explorer.checks import cases as case_checks
from explorer.checks import masks as mask_checks
from explorer.cohort import Cohort
from explorer.dataset import Dataset
from explorer.findings import KINDS, Finding, listed
from explorer.index import Index, build_index

SEVERITIES = ("error", "warning", "note")
"""Worst first."""


def check(dataset: Dataset, index: Index) -> tuple[Finding, ...]:
    """Return everything that may be wrong with a data set.

    Parameters
    ----------
    dataset
        For its cases, its ``meta.csv`` and what was noticed when it was opened.
    index
        Of the data set, complete.

    Returns
    -------
    tuple of Finding
        By severity, case and structure; one per case and kind, which lists the structures.
    """
    cases = index.cases.set_index("case", drop=False)
    structures = index.structures[index.structures["mask_set"] == "reference"]
    shape = cases[[f"shape_{axis}" for axis in "ijk"]].astype(float)
    spacing = cases[[f"spacing_{axis}_mm" for axis in "ijk"]].astype(float)
    blank = set(cases.index[cases["intensity_min"].eq(0) & cases["intensity_max"].eq(0)])
    # In CT 0 is water, not background.
    no_background = blank | {case.id for case in dataset if case.modality == "ct"}
    found: list[Finding] = [
        *dataset.problems,
        *_read(index.findings),
        *case_checks.ids(dataset),
        *case_checks.times(dataset.meta),
        *case_checks.thickness(dataset.meta, spacing),
        *case_checks.images(cases, shape.prod(axis=1, skipna=False)),
        *case_checks.repeated_images(cases),
        *case_checks.grids(cases, shape, spacing),
        *mask_checks.empty_cases(structures),
        *mask_checks.mask_files(structures, len(cases)),
        *mask_checks.sides(structures, cases),
        *mask_checks.strays(structures),
        *mask_checks.background(structures[~structures["case"].isin(no_background)]),
        *mask_checks.overlapping(index.overlaps, structures),
        *_published(dataset, index),
    ]
    return tuple(sorted(_gathered(found), key=_order))


def check_dataset(
    dataset: Dataset, store: str | os.PathLike[str] | None = None, progress: bool = True
) -> pd.DataFrame:
    """Measure what is new or changed, then `check`; see `explorer.Dataset.check`."""
    return frame(check(dataset, build_index(dataset, store, progress=progress)))


def frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return findings as a table: ``severity, case, structure, kind, what, advice``."""
    columns = ["severity", "case", "structure", "kind", "what", "advice"]
    return pd.DataFrame(
        [[getattr(f, name) for name in columns] for f in findings], columns=columns, dtype=str
    )


def recognise(dataset: Dataset, index: Index) -> publication.Recognition:
    """Find out which published data set this is, from mask files, modality and number of cases."""
    rows = index.structures
    files = rows[(rows["mask_set"] == "reference") & (rows["status"] != "missing")]
    return publication.recognise(
        files["structure"].unique(), {case.modality for case in dataset}, len(dataset)
    )


def cohort_of(dataset: Dataset, index: Index) -> Cohort:
    """Return all cases; a column of ``meta.csv`` never stands in for a measured one of its name."""
    own = [name for name in dataset.meta.columns if name not in index.cases.columns]
    return Cohort.join(dataset.meta[own], index.cases, index.structures)


def _order(finding: Finding) -> tuple[int, str, str, str]:
    return SEVERITIES.index(finding.severity), finding.case, finding.structure, finding.kind


def _gathered(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Join the findings of one kind about one case."""
    groups: dict[tuple[str, str], dict[Finding, None]] = {}
    for finding in findings:
        groups.setdefault((finding.case, finding.kind), {})[finding] = None
    for (case, kind), group in groups.items():
        first, *others = group
        if not others:
            yield first
            continue
        texts = listed((finding.what.rstrip(".") for finding in group), "; ")
        only = first.structure if all(f.structure == first.structure for f in others) else ""
        yield Finding(kind, f"{len(group):,} times: {texts}.", case, only)


def _read(findings: pd.DataFrame) -> Iterator[Finding]:
    for row in findings.fillna("").itertuples():
        kind = str(row.kind)
        yield Finding(
            kind if kind in KINDS else "not_measured", str(row.what), str(row.case), str(row.structure)
        )


def _published(dataset: Dataset, index: Index) -> Iterator[Finding]:
    known = recognise(dataset, index)
    version = known.version
    if version is None or known.sure == "possible":
        return
    if len(dataset) < version.cases:
        what = f"{len(dataset):,} of the {version.cases:,} cases of {version.title}."
        yield Finding("published_part", what)
        return
    table = publication.compare(cohort_of(dataset, index), version.key)
    table = table[table["published"].notna()]
    for kind, rows in {
        "published_cases": table[table["quantity"] == "cases"],
        "published_figures": table[~table["quantity"].isin(["cases", "percentage"])],
    }.items():
        wrong = rows[rows["same"].eq(False)]
        if len(wrong):
            texts = [
                f"{r.row} {r.quantity} {r.found:,.2f} (published {r.published:,g})"
                for r in wrong.itertuples()
            ]
            yield Finding(kind, f"{len(wrong)} of {len(rows)} figures are not as published: {listed(texts)}.")

"""One row per case out of several tables: which rows of a case count; pure."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from explorer import schema

TABLES: Mapping[str, pa.Schema] = {
    "cases": schema.CASES,
    "structures": schema.STRUCTURES,
    "overlaps": schema.OVERLAPS,
    "findings": schema.FINDINGS,
}
"""Names of the files that a build writes, without ``.parquet``."""


def joined(sources: Sequence[Mapping[str, pa.Table]], signatures: Mapping[str, str]) -> dict[str, pa.Table]:
    """Take each case, with all its rows, from the last source that measured its files as they are.

    A row without a signature tells what kept a case from being measured; it stands until there is
    one that was.

    Parameters
    ----------
    sources
        Tables by name, the oldest first.
    signatures
        Of the cases' files as they are; other cases are left out.
    """
    failed: dict[str, int] = {}
    holding: dict[str, int] = {}
    for number, source in enumerate(sources):
        for case, signature in signatures_of(source):
            if not signature and case in signatures:
                failed[case] = number
            elif signatures.get(case) == signature:
                holding[case] = number
    chosen = failed | holding
    of_source: list[list[str]] = [[] for _ in sources]
    for case, number in chosen.items():
        of_source[number].append(case)

    def of(name: str, keys: Sequence[str]) -> pa.Table:
        rows = [
            source[name].cast(TABLES[name]).filter(pc.field("case").isin(cases))
            for source, cases in zip(sources, of_source, strict=True)
            if cases
        ]
        table = pa.concat_tables([TABLES[name].empty_table(), *rows])
        return table.sort_by([(key, "ascending") for key in keys])

    return {
        "cases": of("cases", ["case"]),
        "structures": _with_missing(of("structures", ["case"]), sorted(chosen)),
        "overlaps": of("overlaps", schema.OVERLAPS.names),
        "findings": of("findings", schema.FINDINGS.names),
    }


def _with_missing(structures: pa.Table, cases: Sequence[str]) -> pa.Table:
    """Add a row with status ``missing`` for each structure that other cases have a mask for."""
    structures = structures.filter(pc.not_equal(structures["status"], "missing")).combine_chunks()
    pairs = structures.group_by(["mask_set", "structure"]).aggregate([])
    numbered = pairs.append_column("pair", pa.array(np.arange(pairs.num_rows)))
    # A left join reorders rows, which does not matter: each is one place in a table of all.
    rows = structures.select(["case", "mask_set", "structure"]).join(numbered, ["mask_set", "structure"])
    case = pc.index_in(rows["case"], pa.array(cases, pa.string())).to_numpy()
    there = np.zeros((len(cases), pairs.num_rows), bool)
    there[case, rows["pair"].to_numpy()] = True
    case, pair = np.nonzero(~there)
    absent = {
        "case": pa.array(cases, pa.string()).take(pa.array(case)),
        "mask_set": pairs["mask_set"].take(pa.array(pair)),
        "structure": pairs["structure"].take(pa.array(pair)),
        "status": pa.array(np.full(len(case), "missing", object), pa.string()),
    }
    none = {name: pa.nulls(len(case), schema.STRUCTURES.field(name).type) for name in structures.column_names}
    missing = pa.table({**none, **absent}, schema=schema.STRUCTURES)
    joined = pa.concat_tables([structures, missing])
    return joined.sort_by([(name, "ascending") for name in ("case", "mask_set", "structure")])


def signatures_of(source: Mapping[str, pa.Table]) -> Iterator[tuple[str, str]]:
    """Yield the cases of a table with the signatures of the files that were measured."""
    columns = (source["cases"][name].to_pylist() for name in ("case", "signature"))
    return zip(*columns, strict=True)

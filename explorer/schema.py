"""Columns and types of the tables of an index."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

VERSION = 3
"""Grows when a column changes its meaning; an index of another version is built anew."""

_TEXT, _INT, _REAL, _FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()


def _schema(types: Mapping[str, pa.DataType]) -> pa.Schema:
    return pa.schema(list(types.items()))


CASES = _schema(
    {
        "case": _TEXT,
        **{f"shape_{axis}": _INT for axis in "ijk"},
        **{f"spacing_{axis}_mm": _REAL for axis in "ijk"},
        "orientation": _TEXT,
        "voxel_volume_ml": _REAL,
        "dtype": _TEXT,
        "oblique": _FLAG,
        "orthogonal": _FLAG,
        **{f"intensity_{what}": _REAL for what in ("min", "p1", "p50", "p99", "max")},
        "background_share": _REAL,
        "nonfinite_voxels": _INT,
        "structures_present": _INT,
        "problems": pa.list_(_TEXT),
        "image_bytes": _INT,
        "mask_bytes": _INT,
        "image_digest": _TEXT,  # equal for equal files; from checksums, so against accidents only
        "signature": _TEXT,
    }
)

STRUCTURES = _schema(
    {
        "case": _TEXT,
        "mask_set": _TEXT,
        "structure": _TEXT,
        "status": _TEXT,
        "voxels": _INT,
        "volume_ml": _REAL,
        **{f"bbox_{axis}{end}": _INT for axis in "ijk" for end in "01"},
        **{f"centroid_{axis}_mm": _REAL for axis in "xyz"},
        "border": _TEXT,
        "components": _INT,
        "largest_component": _REAL,
        **{f"best_{axis}": _INT for axis in "ijk"},
        "overlap_voxels": _INT,
        "zero_voxels": _INT,
        "mask_dtype": _TEXT,
        **{f"intensity_{what}": _REAL for what in ("mean", "sd", "p5", "p50", "p95")},
    }
)

OVERLAPS = _schema({"case": _TEXT, "mask_set": _TEXT, "structure": _TEXT, "other": _TEXT, "voxels": _INT})
"""Pairs of structures that share voxels, each pair once."""

FINDINGS = _schema(dict.fromkeys(("case", "structure", "kind", "what"), _TEXT))
"""What reading the files of a case has found; see `explorer.findings`."""

SCORES = _schema(
    {
        "case": _TEXT,
        "mask_set": _TEXT,
        "structure": _TEXT,
        "status": _TEXT,
        "dice": _REAL,
        "nsd": _REAL,
        "hd95_mm": _REAL,
        "volume_error": _REAL,
    }
)


def table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table; columns that a row lacks are null."""
    return pa.Table.from_pylist(list(rows), schema=schema)

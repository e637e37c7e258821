"""A plausible ``meta.csv`` with the traps of the real ones; every row says it is synthetic."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

COLUMNS = (
    *("image_id", "age", "gender", "institute", "study_type", "manufacturer", "scanner_model"),
    *("slice_thickness", "scanning_sequence", "repetition_time", "echo_time", "magnetic_field_strength"),
    *("source", "split"),
)

SOURCE = "synthetic phantom"

_SCANNERS = {
    "siemens": ["MAGNETOM Skyra", "MAGNETOM Avanto", "Skyra", "Prisma_fit"],
    "SIEMENS": ["MAGNETOM Skyra"],
    "philips": ["Ingenia", "Achieva"],
    "ge": ["SIGNA Explorer", "Optima MR450w", "Signa Explorer"],
    "GE MEDICAL SYSTEMS": ["SIGNA EXCITE"],
}

_STUDIES = {
    "abdomen": "mr abdomen",
    "pelvis": "mr pelvis",
    "thorax": "mr thorax",
    "head": "mr head",
    "thigh": "mr lower extremity",
    "lumbar spine": "mr lumbar spine",
    "cervical spine": "MR cervical spine ",
    "whole body": "mr whole body",
}


@dataclass(frozen=True)
class Patient:
    """What the table says of a case.

    Attributes
    ----------
    age_years, male
        Of the patient.
    contrast
        ``"T1"`` or ``"T2"``.
    """

    age_years: int
    male: bool
    contrast: str


def row(
    case: str, patient: Patient, region: str, thickness_mm: float, rng: np.random.Generator
) -> dict[str, str]:
    """Return the cells of a case, raw as scanners and people write them."""
    maker = str(rng.choice(list(_SCANNERS), p=[0.46, 0.1, 0.18, 0.18, 0.08]))
    t1 = patient.contrast == "T1"
    repetition_ms = float(rng.uniform(4, 9) if t1 else rng.uniform(2200, 5200))
    echo_ms = float(rng.uniform(1.3, 3.2) if t1 else rng.uniform(78, 110))
    factor = 0.001 if rng.random() < 0.15 else 1.0  # some sites write seconds
    return {
        "image_id": case,
        "age": "" if rng.random() < 0.08 else str(patient.age_years),
        "gender": "" if rng.random() < 0.05 else ("m" if patient.male else "f"),
        "institute": str(rng.choice(list("ABCD"), p=[0.6, 0.2, 0.15, 0.05])),
        "study_type": _STUDIES[region],
        "manufacturer": maker,
        "scanner_model": str(rng.choice(_SCANNERS[maker])),
        "slice_thickness": f"{thickness_mm:g}",
        "scanning_sequence": str(rng.choice(["GR", "GR", "SE\\GR"] if t1 else ["SE", "SE", "SE\\IR", "EP"])),
        "repetition_time": "" if rng.random() < 0.1 else f"{repetition_ms * factor:.4g}",
        "echo_time": "" if rng.random() < 0.1 else f"{echo_ms * factor:.4g}",
        "magnetic_field_strength": str(
            rng.choice(["1.50", "1.5", "3.00", "3", "2.89", ""], p=[0.4, 0.1, 0.3, 0.1, 0.05, 0.05])
        ),
        "source": SOURCE,
        "split": "test" if rng.random() < 0.2 else "train",
    }


def csv_bytes(rows: Sequence[dict[str, str]]) -> bytes:
    """Return the table as the data sets ship it: UTF-8 with BOM, semicolons."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, delimiter=";", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8-sig")

"""An anatomically arranged body of ellipsoids and tubes for the 56 published structures.

World coordinates are RAS+ mm: x grows to the patient's right, y to the front, z to the head; the
iliac crest is at z = 0. Where solids meet, the structure that comes first in the list has the
voxel.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.phantom.shapes import Ellipsoid, Points, Solid, Tube, mirrored, scaled

_LUMBAR, _THORACIC, _CERVICAL = 36.0, 26.0, 18.0


def spine_y(z: float) -> float:
    """Return how far the front of the spine stands at a height."""
    lumbar = 14 * np.cos(z / 95) * np.exp(-((z / 330) ** 2))
    return float(lumbar - 42 - 16 * np.exp(-(((z - 330) / 130) ** 2)))


def _levels() -> list[tuple[float, float]]:
    """Middle and height of each vertebra from L5 up."""
    found, z = [], -30.0
    for count, height in ((5, _LUMBAR), (12, _THORACIC), (7, _CERVICAL)):
        for _ in range(count):
            found.append((z + height / 2, height))
            z += height
    return found


def _spine() -> tuple[list[Solid], list[Solid], list[Solid]]:
    vertebrae: list[Solid] = []
    discs: list[Solid] = []
    for z, height in _levels():
        size = 0.55 + 0.45 * height / _LUMBAR
        y = spine_y(z)
        vertebrae += [
            Ellipsoid((0, y, z), (24 * size, 17 * size, height * 0.37), power=4),
            Tube(((0, y - 34 * size, z), (0, y - 56 * size, z - 8)), (6 * size, 4 * size)),
            Tube(((14 * size, y - 20 * size, z), (34 * size, y - 30 * size, z)), (7 * size, 4 * size)),
            Tube(((-14 * size, y - 20 * size, z), (-34 * size, y - 30 * size, z)), (7 * size, 4 * size)),
        ]
        discs.append(Ellipsoid((0, y, z - height / 2), (22 * size, 16 * size, height * 0.12), power=3))
    low, high = _levels()[4][0], _levels()[-1][0] + 20
    heights = np.linspace(low, high, 14)
    cord: list[Solid] = [
        Tube(
            tuple((0.0, spine_y(z) - 25 * (0.7 if z > 430 else 0.85), float(z)) for z in heights), (5.5,) * 14
        )
    ]
    return vertebrae, discs, cord


def _small_bowel(rng: np.random.Generator) -> list[Solid]:
    turns = np.linspace(0, 1, 46)
    path = [
        (
            float(78 * np.sin(9 * np.pi * t + 0.4) * (1 - 0.25 * t) + rng.normal(0, 5)),
            float(48 + 24 * np.sin(23 * np.pi * t) + rng.normal(0, 3)),
            float(72 - 130 * t + 8 * np.cos(17 * np.pi * t) + rng.normal(0, 3)),
        )
        for t in turns
    ]
    return [Tube(tuple(path), (12.5,) * len(path))]


def _left() -> dict[str, list[Solid]]:
    """Solids of the left side; the right one mirrors them."""
    return {
        "femur": [
            Ellipsoid((-88, 6, -118), (23, 23, 23)),
            Tube(((-90, 6, -120), (-122, 0, -152), (-120, 2, -180)), (15, 17, 16)),
            Tube(((-120, 2, -175), (-106, 10, -455)), (15, 15)),
            Ellipsoid((-106, 2, -476), (36, 30, 26), power=2.6),
        ],
        "hip": [
            Ellipsoid((-92, -22, -40), (13, 62, 60), (0, 28, -22)),
            Ellipsoid((-84, 0, -112), (32, 32, 32)),
            Tube(((-74, -12, -125), (-60, -16, -186), (-34, 22, -180)), (17, 13, 10)),
            Tube(((-72, 20, -118), (-14, 46, -152)), (13, 11)),
        ],
        "iliac_artery": [
            Tube(((-7, -12, 42), (-32, -22, 0), (-56, -4, -58), (-78, 32, -122)), (7, 6, 5.5, 5))
        ],
        "iliac_vena": [
            Tube(((6, -20, 30), (-30, -36, -12), (-54, -18, -66), (-66, 22, -126)), (8, 7.5, 7, 6.5))
        ],
        "iliopsoas": [
            Tube(
                ((-30, -42, 140), (-44, -36, 50), (-66, -12, -40), (-88, 32, -112), (-106, 6, -178)),
                (9, 21, 25, 18, 9),
            ),
            Ellipsoid((-76, -14, -18), (12, 40, 42), (0, 28, -22)),
        ],
        "autochthon": [
            Tube(
                ((-30, -86, -70), (-34, -88, 60), (-33, -98, 220), (-24, -92, 420), (-20, -72, 560)),
                (20, 27, 25, 18, 13),
            )
        ],
        "gluteus_minimus": [Ellipsoid((-114, -6, -62), (13, 36, 36), (0, 22, -18))],
        "gluteus_medius": [Ellipsoid((-120, -26, -34), (21, 54, 60), (0, 22, -20))],
        "gluteus_maximus": [
            Ellipsoid((-84, -94, -82), (62, 34, 82), (14, 0, 18)),
            Ellipsoid((-112, -66, -130), (30, 36, 50)),
        ],
        "sartorius": [
            Tube(((-122, 48, -92), (-96, 62, -190), (-66, 42, -330), (-60, -6, -450)), (8, 11, 11, 8))
        ],
        "quadriceps_femoris": [
            Tube(((-112, 40, -150), (-118, 44, -280), (-108, 42, -440)), (26, 48, 27)),
            Tube(((-146, 2, -180), (-144, 2, -330)), (24, 26)),
        ],
        "thigh_medial_compartment": [Tube(((-40, 16, -176), (-62, 0, -260), (-78, -14, -400)), (20, 38, 18))],
        "thigh_posterior_compartment": [
            Tube(((-70, -40, -190), (-100, -50, -300), (-100, -46, -450)), (20, 36, 22))
        ],
        "humerus": [
            Ellipsoid((-182, -22, 432), (25, 25, 25)),
            Tube(((-192, -22, 420), (-214, -20, 180)), (14, 12)),
            Ellipsoid((-216, -20, 168), (27, 12, 16)),
        ],
        "lung": [Ellipsoid((-76, -8, 352), (56, 84, 128), (0, 4, 0), 2.4)],
    }


def _middle(rng: np.random.Generator) -> dict[str, list[Solid]]:
    vertebrae, discs, cord = _spine()
    legs: dict[str, list[Solid]] = {
        "tibia": [
            Ellipsoid((-104, 2, -522), (37, 28, 20), power=2.6),
            Tube(((-104, 2, -520), (-98, 4, -620), (-94, 0, -850)), (22, 14, 13)),
        ],
        "fibula": [Tube(((-136, -16, -536), (-128, -18, -700), (-116, -14, -858)), (9, 6.5, 9))],
    }
    return {
        "spinal_cord": cord,
        "intervertebral_discs": discs,
        "vertebrae": vertebrae,
        "sacrum": [
            Ellipsoid((0, -72, -62), (50, 20, 40), (-24, 0, 0), 2.6),
            Ellipsoid((0, -94, -118), (24, 12, 44), (-6, 0, 0)),
        ],
        "aorta": [
            Tube(
                (
                    (-7, -10, 40),
                    (-9, -14, 150),
                    (-14, -34, 270),
                    (-20, -46, 380),
                    (-14, -26, 420),
                    (6, 12, 424),
                    (8, 30, 380),
                ),
                (9.5, 11, 12, 12.5, 13, 14, 15),
            )
        ],
        "inferior_vena_cava": [
            Tube(((16, -18, 30), (20, -12, 130), (24, -6, 215), (18, 14, 290)), (11, 12, 13, 13))
        ],
        "portal_vein_and_splenic_vein": [
            Tube(
                ((52, 16, 186), (24, 14, 158), (-16, 12, 154), (-62, -14, 176), (-92, -42, 192)),
                (8, 7.5, 6.5, 5.5, 5),
            )
        ],
        "gallbladder": [Ellipsoid((56, 66, 132), (14, 17, 29), (24, -14, 0))],
        "adrenal_gland_right": [Ellipsoid((40, -38, 172), (4.5, 12, 15), (0, 12, 30))],
        "adrenal_gland_left": [Ellipsoid((-36, -36, 176), (5, 13, 15), (0, -12, -34))],
        "kidney_right": [Ellipsoid((62, -52, 104), (27, 25, 55), (8, 12, -24))],
        "kidney_left": [Ellipsoid((-62, -54, 116), (28, 26, 57), (8, -12, 24))],
        "spleen": [Ellipsoid((-106, -46, 206), (25, 44, 54), (-18, -10, 24))],
        "pancreas": [
            Tube(
                ((24, 22, 112), (14, 34, 126), (-26, 30, 138), (-62, -2, 156), (-84, -26, 168)),
                (15, 13, 11, 11, 8),
            )
        ],
        "duodenum": [
            Tube(
                ((20, 50, 138), (44, 36, 134), (50, 16, 104), (34, 6, 78), (0, 8, 76), (-18, 22, 92)),
                (13,) * 6,
            )
        ],
        "heart": [
            Ellipsoid((-18, 38, 322), (50, 42, 56), (20, 24, 30)),
            Ellipsoid((16, 24, 340), (34, 34, 40)),
        ],
        "esophagus": [Tube(((0, -28, 510), (-2, -44, 400), (-10, -30, 290), (-30, 6, 248)), (8, 8, 8, 10))],
        "stomach": [
            Tube(
                ((-64, 12, 246), (-78, 36, 206), (-62, 62, 166), (-22, 68, 144), (14, 58, 142)),
                (36, 38, 31, 23, 15),
            )
        ],
        "liver": [
            Ellipsoid((78, 8, 198), (66, 76, 66), (0, -12, -10), 2.3),
            Ellipsoid((8, 50, 208), (78, 42, 36), (0, 10, 0)),
            Ellipsoid((98, 8, 142), (34, 46, 48)),
        ],
        "urinary_bladder": [Ellipsoid((0, 38, -128), (38, 32, 29), power=2.3)],
        "prostate": [Ellipsoid((0, 24, -170), (22, 17, 17))],
        "colon": [
            Tube(
                (
                    (92, 18, -42),
                    (108, 10, 40),
                    (104, 24, 104),
                    (58, 78, 84),
                    (0, 88, 74),
                    (-58, 80, 96),
                    (-104, 30, 146),
                ),
                (25, 24, 22, 19, 18, 18, 19),
            ),
            Tube(
                (
                    (-104, 30, 146),
                    (-122, -6, 60),
                    (-114, 6, -34),
                    (-72, 22, -66),
                    (-26, 0, -84),
                    (4, -44, -106),
                    (0, -56, -160),
                ),
                (19, 17, 17, 17, 18, 19, 17),
            ),
        ],
        "small_bowel": _small_bowel(rng),
        **{name: [*solids, *map(mirrored, solids)] for name, solids in legs.items()},
        "brain": [Ellipsoid((0, 8, 700), (66, 84, 58), power=2.2), Ellipsoid((0, -42, 652), (46, 32, 24))],
    }


_FIRST = (
    "spinal_cord",
    "intervertebral_discs",
    "vertebrae",
    "sacrum",
    "femur",
    "hip",
    "aorta",
    "inferior_vena_cava",
)
_LAST = ("liver", "colon", "small_bowel", "gluteus", "quadriceps", "thigh", "lung", "brain")


@dataclass(frozen=True, eq=False)
class Body:
    """One patient.

    Attributes
    ----------
    solids
        By structure, in the order in which they claim voxels.
    size
        Of the whole body, relative to the drawing.
    waves
        Low-frequency displacement that makes outlines uneven: rows of amplitude in mm, wave
        vector in 1/mm and phase, shape (n, 3 + 3 + 1).
    """

    solids: Mapping[str, tuple[Solid, ...]]
    size: float
    waves: NDArray[np.float64]

    def to_drawing(self, points: Points) -> Points:
        """Return where world points lie in the drawing that the solids are in."""
        drawn = points.reshape(3, -1) / self.size
        # Single precision is right to nanometres here, and several times as fast.
        single = drawn.astype(np.float32)
        shift = np.zeros_like(single)
        for wave in self.waves.astype(np.float32):
            swing = np.sin(wave[3:6] @ single + wave[6])
            for axis in range(3):
                shift[axis] += wave[axis] * swing
        return (drawn + shift).reshape(points.shape)

    def structure_at(self, point_mm: tuple[float, float, float]) -> str:
        """Return the structure at a world point, or ``""``, from the drawing alone."""
        drawn = self.to_drawing(np.array(point_mm, float).reshape(3, 1))
        return next(
            (name for name, solids in self.solids.items() if any(s.inside(drawn)[0] for s in solids)), ""
        )


def make_body(rng: np.random.Generator, *, male: bool, sizes: Mapping[str, float] | None = None) -> Body:
    """Draw a patient.

    Parameters
    ----------
    rng
        Where all that is random comes from.
    male
        Women have no prostate.
    sizes
        Factors on the size of single structures, to plant outliers.
    """
    solids = _middle(rng)
    for name, left in _left().items():
        solids[f"{name}_left"] = left
        solids[f"{name}_right"] = [mirrored(solid) for solid in left]
    if not male:
        solids.pop("prostate")
    drawn = {}
    for name in sorted(solids, key=_rank):
        factor = float(rng.lognormal(0, 0.045)) * (sizes or {}).get(name, 1.0)
        drawn[name] = tuple(scaled(solid, factor) for solid in solids[name])
    waves = np.column_stack(
        [
            rng.normal(0, 1.6, (6, 3)),
            rng.normal(0, 1, (6, 3)) / rng.uniform(28, 80, (6, 1)),
            rng.uniform(0, 6.3, 6),
        ]
    )
    return Body(drawn, float(np.clip(rng.normal(1.0 if male else 0.94, 0.05), 0.84, 1.14)), waves)


def _rank(name: str) -> tuple[int, str]:
    if name.startswith(_FIRST):
        return next(i for i, start in enumerate(_FIRST) if name.startswith(start)), name
    late = [i for i, start in enumerate(_LAST) if name.startswith(start)]
    return (200 + late[0] if late else 100), name

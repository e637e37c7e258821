"""State how far apart the colours of structures are, for normal and for colour-blind sight.

usage: colors.py

Distances are CIEDE2000 (Sharma, Wu and Dalal 2005, https://doi.org/10.1002/col.20070) between sRGB
colours under D65. Colour-blind sight is simulated as by Machado, Oliveira and Fernandes 2009
(https://doi.org/10.1109/TVCG.2009.113) at severity 1.0, on linear RGB.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.publication import VERSIONS
from explorer.structures import structure, twin

Array = NDArray[np.float64]

SIGHTS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""Matrices for linear RGB, by kind of sight."""

_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE = _TO_XYZ.sum(axis=1)


@dataclass(frozen=True)
class Pair:
    """Two structures and how far apart their colours are."""

    distance: float
    first: str
    second: str


def lab(colors: Sequence[str], sight: str = "normal") -> Array:
    """Return CIE L*a*b*, shape (n, 3), of ``"#rrggbb"`` as a kind of sight sees them."""
    rgb = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SIGHTS[sight]).T, 0, 1)
    t = seen @ _TO_XYZ.T / _WHITE
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def ciede2000(one: Array, other: Array) -> Array:
    """Return CIEDE2000 of L*a*b* colours, shape (..., 3), that broadcast."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    mean7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(mean7 / (mean7 + 25.0**7))
    c1, c2 = np.hypot(a1 * stretch, b1), np.hypot(a2 * stretch, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a * stretch)) % 360 for a, b in ((a1, b1), (a2, b2)))
    grey = c1 * c2 == 0
    turn = np.where(grey, 0, (h2 - h1 + 180) % 360 - 180)
    turn = np.where((turn == -180) & (h2 > h1), 180, turn)
    hue = np.where(grey, h1 + h2, (h1 + turn / 2) % 360)
    light, chroma = (l1 + l2) / 2 - 50, (c1 + c2) / 2
    cosines = [np.cos(np.radians(n * hue + shift)) for n, shift in ((1, -30), (2, 0), (3, 6), (4, -63))]
    t = 1 + np.tensordot([-0.17, 0.24, 0.32, -0.20], np.array(cosines), axes=1)
    dl = (l2 - l1) / (1 + 0.015 * light**2 / np.sqrt(20 + light**2))
    dc = (c2 - c1) / (1 + 0.045 * chroma)
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * t)
    angle = np.radians(60) * np.exp(-(((hue - 275) / 25) ** 2))
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * np.sin(angle)
    found: Array = np.sqrt(np.maximum(dl**2 + dc**2 + dh**2 + rotation * dc * dh, 0))
    return found


def pairs(names: Sequence[str], sight: str = "normal") -> list[Pair]:
    """Return all pairs of structures, the nearest first."""
    seen = lab([structure(name).color for name in names], sight)
    distances = ciede2000(seen[:, None], seen[None])
    found = [Pair(float(distances[i, j]), names[i], names[j]) for i in range(len(names)) for j in range(i)]
    return sorted(found, key=lambda pair: pair.distance)


def distance(one: str, other: str, sight: str = "normal") -> float:
    """Return how far apart the colours of two structures are."""
    first, second = lab([structure(one).color, structure(other).color], sight)
    return float(ciede2000(first, second))


def table() -> Iterator[str]:
    """Yield the smallest distances of each list of names and kind of sight, as lines of Markdown."""
    yield "| names | sight | smallest | between | 1st percentile | smallest of twins |"
    yield "|---|---|---|---|---|---|"
    for key in ("mri-v1", "mri-v2", "ct-v2"):
        names = VERSIONS[key].names
        for sight in SIGHTS:
            found = pairs(names, sight)
            nearest = found[0]
            low = np.percentile([pair.distance for pair in found], 1)
            twins = min(pair.distance for pair in found if twin(pair.first) == pair.second)
            yield (
                f"| {len(names)} {VERSIONS[key].modality.upper()} | {sight} | {nearest.distance:.1f} "
                f"| {nearest.second}, {nearest.first} | {low:.1f} | {twins:.1f} |"
            )


if __name__ == "__main__":
    print("\n".join(table()))

"""MR-like pictures of a body: tissue contrasts, surface coils, noise."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from explorer.phantom.shapes import Canvas, Ellipsoid, Solid, Tube, mirrored, scaled

_KIND: tuple[tuple[str, str], ...] = (
    ("spinal_cord", "cord"),
    ("intervertebral", "disc"),
    ("vertebrae", "marrow"),
    ("sacrum", "marrow"),
    ("femur", "marrow"),
    ("hip_", "marrow"),
    ("humerus", "marrow"),
    ("tibia", "marrow"),
    ("fibula", "marrow"),
    ("aorta", "vessel"),
    ("inferior", "vessel"),
    ("portal", "vessel"),
    ("iliac_", "vessel"),
    ("gallbladder", "fluid"),
    ("urinary", "fluid"),
    ("kidney", "kidney"),
    ("spleen", "spleen"),
    ("liver", "liver"),
    ("pancreas", "pancreas"),
    ("adrenal", "pancreas"),
    ("lung", "lung"),
    ("brain", "brain"),
    ("stomach", "bowel"),
    ("duodenum", "bowel"),
    ("small_bowel", "bowel"),
    ("colon", "stool"),
    ("esophagus", "bowel"),
    ("heart", "blood"),
    ("prostate", "pancreas"),
)

CONTRASTS: dict[str, dict[str, float]] = {
    "T1": {
        **{
            "air": 4,
            "fat": 820,
            "visceral": 640,
            "muscle": 330,
            "marrow": 560,
            "disc": 300,
            "cord": 420,
            "csf": 110,
        },
        **{
            "vessel": 120,
            "fluid": 130,
            "kidney": 340,
            "spleen": 300,
            "liver": 470,
            "pancreas": 520,
            "lung": 30,
        },
        **{"brain": 500, "bowel": 280, "stool": 210, "blood": 220, "skull": 60},
    },
    "T2": {
        **{
            "air": 4,
            "fat": 640,
            "visceral": 520,
            "muscle": 150,
            "marrow": 360,
            "disc": 430,
            "cord": 330,
            "csf": 940,
        },
        **{
            "vessel": 70,
            "fluid": 980,
            "kidney": 540,
            "spleen": 460,
            "liver": 230,
            "pancreas": 330,
            "lung": 30,
        },
        **{"brain": 420, "bowel": 520, "stool": 260, "blood": 130, "skull": 50},
    },
}
"""Intensity of tissues, without unit."""


def kind_of(structure: str) -> str:
    """Return the tissue of a structure; muscles are what is left."""
    return next((kind for start, kind in _KIND if structure.startswith(start)), "muscle")


def trunk(canvas: Canvas) -> NDArray[np.float64]:
    """Return, at points of the drawing, 0 in the middle of trunk, head and limbs and 1 on the skin."""
    x, y, z = canvas.points
    heights = np.array([-230, -180, -110, -20, 80, 180, 300, 400, 450, 500, 520])
    half_width = np.interp(z, heights, [176, 180, 184, 168, 156, 162, 172, 186, 150, 70, 62])
    half_depth = np.interp(z, heights, [104, 118, 126, 116, 112, 120, 126, 112, 90, 68, 66])
    depth = np.interp(z, heights, [-8, -8, -12, -4, 0, 0, -4, -12, -14, -14, -12])
    found: NDArray[np.float64] = np.sqrt(
        (np.abs(x) / half_width) ** 2.6 + (np.abs(y - depth) / half_depth) ** 2.6
    )
    found[(z < -232) | (z > 522)] = 9
    parts: list[Solid] = [
        Ellipsoid((0, 4, 690), (82, 104, 98), power=2.2),
        Tube(((0, -14, 500), (0, -6, 640)), (60, 58)),
        Tube(((-108, -2, -190), (-106, 0, -320), (-104, 0, -470)), (88, 80, 58)),
        Tube(((-104, 0, -470), (-108, -10, -600), (-102, -4, -860)), (58, 56, 36)),
        Tube(((-196, -20, 430), (-216, -18, 170)), (46, 38)),
    ]
    for solid in [*parts, *map(mirrored, parts[2:])]:
        for share in (1.0, 0.9, 0.7):
            inner = scaled(solid, share)
            hit = canvas.inside(inner)
            if hit is not None:
                box, inside = hit
                found[box][inside] = np.minimum(found[box][inside], share - 0.02)
    return found


def paint(
    canvas: Canvas,
    masks: Mapping[str, NDArray[np.bool_]],
    contrast: str,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return an MR-like picture.

    Parameters
    ----------
    canvas
        Where each voxel lies in the drawing.
    masks
        Voxels of each structure.
    contrast
        One of `CONTRASTS`.
    rng
        Noise and coil.
    """
    tissue = CONTRASTS[contrast]
    # Single precision is plenty for texture, and its sines are several times as fast.
    x, y, z = canvas.points.astype(np.float32)
    skin = trunk(canvas)
    picture = np.full(skin.shape, tissue["air"], np.float32)
    picture[skin <= 1] = tissue["fat"]
    belly = (skin <= 0.87) & (z < 240)
    picture[skin <= 0.9] = tissue["muscle"]
    picture[belly & (skin < 0.8) & (z > -200)] = tissue["visceral"]
    head = (skin <= 0.9) & (z > 600)
    picture[head] = tissue["skull"]
    fluid = canvas.inside(Ellipsoid((0, 8, 698), (71, 89, 64), power=2.2))
    if fluid is not None:
        picture[fluid[0]][fluid[1]] = tissue["csf"]
    picture[(np.abs(x) < 13) & (np.abs(y + 62) < 9) & (z > -60) & (z < 640) & (skin < 0.9)] = tissue["csf"]
    for name, mask in masks.items():
        kind = kind_of(name)
        u, v, w = x[mask], y[mask], z[mask]
        texture = 1 + 0.05 * np.sin(u / 5.1 + 1.3) * np.sin(v / 6.3) * np.sin(w / 7.7)
        value = tissue[kind] * texture
        if kind == "kidney":  # medulla inside cortex
            value *= np.where(np.sin(w / 6) * np.sin(v / 7) > 0.25, 0.72, 1.08)
        elif kind == "brain":  # folded cortex on white matter, and ventricles
            folds = np.sin(u / 6) + np.sin(v / 7 + np.sin(w / 9)) + np.sin(w / 6)
            rim = (u / 56) ** 2 + ((v - 8) / 73) ** 2 + ((w - 700) / 49) ** 2
            grey = (rim + 0.16 * folds) > 0.86
            white = 1.28 if contrast == "T1" else 0.72
            value = np.where(grey, value, tissue["brain"] * white)
            pools = ((np.abs(u) - 11) / 7) ** 2 + ((v - 6) / 34) ** 2 + ((w - 706) / 13) ** 2
            value[pools < 1] = tissue["csf"]
        elif kind == "bowel":
            value *= 1 + 0.35 * np.sin(u / 8) * np.cos(w / 9)
        picture[mask] = value
    for axis in range(3):
        picture = _blurred(picture, axis)
    coil = (
        1
        + 0.16 * np.sin(x / 190 + rng.uniform(0, 6)) * np.cos(y / 150 + rng.uniform(0, 6))
        + 0.08 * np.sin(z / 240 + rng.uniform(0, 6))
    )
    sigma = 12.0
    real = picture * coil + sigma * rng.standard_normal(picture.shape, np.float32)
    imaginary = sigma * rng.standard_normal(picture.shape, np.float32)
    # Rician, as magnitude images are.
    magnitude: NDArray[np.float32] = np.sqrt(real**2 + imaginary**2).astype(np.float32)
    return magnitude


def _blurred(picture: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    moved = np.moveaxis(picture, axis, 0)
    result = moved.copy()
    if len(moved) > 2:
        result[1:-1] = 0.25 * moved[:-2] + 0.5 * moved[1:-1] + 0.25 * moved[2:]
    blurred: NDArray[np.float32] = np.moveaxis(result, 0, axis)
    return blurred

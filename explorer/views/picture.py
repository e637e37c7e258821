"""An image ready to be cut in any plane, with its masks as far as they are read."""

from dataclasses import dataclass, field
from itertools import count
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.distribution import Distribution, distribution, flat_chunks
from explorer.errors import QueryError, UnknownName
from explorer.grid import Grid, closest_ras
from explorer.kernel import levels
from explorer.views.overlay import Overlay, cut, thin
from explorer.views.view import OutdatedError
from explorer.volume import Volume

LAYERS = ("image", "labels", "other")
"""What can be cut: the image, its masks, and those of the compared set."""

PRESETS: dict[str, tuple[float, float]] = {"1-99": (1, 99), "2-98": (2, 98), "0.5-99.5": (0.5, 99.5)}
"""Windows by name: percentiles of the finite non-zero values."""

_WHICH = (0.5, 1, 2, 98, 99, 99.5)
_EXACT = {"u1": "u1", "i1": "i2", "i2": "i2", "u2": "u2", "b1": "u1"}
_SAMPLE = 2**16
_TYPICAL = (0.5, 99.5)
_ROOM = 2.0  # beyond these percentiles, in the distance between them
_ENOUGH = 2**10
_serials = count(1)


@dataclass(eq=False)
class Picture:
    """An image ready to be cut, and its masks as far as they are read.

    Attributes
    ----------
    voxels
        Shape (x, y, z), as stored; a view.
    grid
        Of that view; its axes are nearly RAS+.
    as_stored
        Grid of the file, in which its masks are read.
    dtype
        Of what is sent: ``"u1"``, ``"u2"`` or ``"i2"``, little-endian.
    scale, offset
        ``value = scale * sent + offset``.
    slope, inter
        ``value = slope * voxel + inter``.
    window
        1st and 99th percentile of the finite non-zero values: exactly once `settled`, until then of
        a sample.
    exact
        Whether values are sent as stored; otherwise they are rounded to 65,536 steps over what is
        typical, and what is beyond becomes the nearest of them. `value` gives the true one.
    lowest, step
        Of stored values that are rounded: ``sent = (stored - lowest) / step``.
    content
        The same for the same files; names what a browser may keep.
    problem
        Why there is no image; then `voxels` are all 0 and only masks are shown.
    overlays
        By mask set.
    mask_set, compare
        Which of them are the layers ``"labels"`` and ``"other"``.
    serial
        Its own number; a case that is read again has another one.
    """

    voxels: NDArray[Any]
    grid: Grid
    as_stored: Grid
    dtype: str
    scale: float
    offset: float
    window: tuple[float, float]
    exact: bool
    slope: float = 1.0
    inter: float = 0.0
    lowest: float = 0.0
    step: float = 1.0
    settled: bool = False
    content: str = ""
    problem: str = ""
    overlays: dict[str, Overlay] = field(default_factory=dict)
    mask_set: str = "reference"
    compare: str = ""
    serial: int = field(default_factory=_serials.__next__)
    _spread: Distribution | None = field(default=None, repr=False)

    @property
    def nbytes(self) -> int:
        """Memory it holds."""
        image = 0 if self.problem else int(self.voxels.nbytes)
        return image + sum(overlay.nbytes for overlay in tuple(self.overlays.values()))

    @property
    def labels(self) -> Overlay | None:
        """The masks that are shown."""
        return self.overlays.get(self.mask_set)

    @property
    def other(self) -> Overlay | None:
        """The masks that they are compared with."""
        return self.overlays.get(self.compare) if self.compare else None

    @property
    def ids(self) -> NDArray[Any] | None:
        """Set of structures of each voxel, as far as masks are read; shape (x, y, z)."""
        return None if self.labels is None else self.labels.ids

    @property
    def sets(self) -> tuple[tuple[str, ...], ...]:
        """What is in each set."""
        return ((),) if self.labels is None else self.labels.sets

    @property
    def shown(self) -> list[Overlay]:
        """The masks of the one or two layers, as far as they are there."""
        return [overlay for overlay in (self.labels, self.other) if overlay is not None]

    def layer(self, name: str) -> Overlay:
        """Return the masks of a layer.

        Raises
        ------
        QueryError
            There is no such layer.
        OutdatedError
            Its masks are not read yet, as after another mask set was chosen, or nothing is compared.
        """
        if name not in LAYERS[1:]:
            raise QueryError(f"No layer {name!r:.100}; there are {', '.join(LAYERS)}.")
        found = self.labels if name == "labels" else self.other
        if found is None:
            raise OutdatedError("These masks are not read yet.")
        return found

    def value(self, voxel: tuple[int, int, int]) -> float:
        """Return the value of a voxel, which may be NaN or infinite."""
        return self.slope * float(self.voxels[voxel]) + self.inter

    def image_slice(
        self, plane: str, index: int, rows: tuple[int, int] | None = None, stride: int = 1
    ) -> NDArray[Any]:
        """Return a slice's values as they are sent, shape (rows, columns), rows upwards.

        Parameters
        ----------
        plane, index
            Which slice.
        rows
            A part of it: from one row up to another.
        stride
            One pixel for so many, taken from their middle.
        """
        return self._sent(thin(cut(self.voxels, plane, index), rows, stride))

    def coarse_slice(
        self, plane: str, index: int, stride: int, window: tuple[float, float]
    ) -> tuple[NDArray[np.uint8], float, float]:
        """Return a slice in 8 bits, and scale and offset that give what is sent otherwise.

        Parameters
        ----------
        plane, index, stride
            As of `image_slice`.
        window
            Intensities that the 8 bits tell apart; what is beyond becomes the nearest of them.
        """
        sent = self.image_slice(plane, index, None, stride)
        if self.dtype == "u1":
            return sent, 1.0, 0.0
        low, high = sorted((value - self.offset) / self.scale for value in window)
        step = max((high - low) / 255, 1e-6)
        with np.errstate(over="ignore"):
            eighth = np.clip(np.rint((sent.astype(np.float32) - low) / step), 0, 255)
        return eighth.astype(np.uint8), step, low

    def spread(self) -> Distribution:
        """Return how the values are spread, with all percentiles of `PRESETS`; counted once."""
        if self._spread is None:
            flat = _flat(self.voxels)
            self._spread = distribution(
                lambda: flat_chunks(flat),
                flat.dtype,
                _WHICH,
                slope=self.slope,
                inter=self.inter,
                nonzero=True,
                counted=levels(flat),
            )
        return self._spread

    def settle(self) -> None:
        """Set the window to the exact percentiles."""
        self.window = self.preset("1-99")
        self.settled = True

    def preset(self, name: str) -> tuple[float, float]:
        """Return the window of a name of `PRESETS`, or of ``"full"``: the least and the largest value.

        Raises
        ------
        UnknownName
            There is no such preset.
        """
        spread = self.spread()
        if name == "full":
            return as_window(spread.minimum, spread.maximum)
        if name not in PRESETS:
            raise UnknownName("preset", name[:100], (*PRESETS, "full", "structure"))
        low, high = (spread.percentiles[_WHICH.index(share)] for share in PRESETS[name])
        return as_window(low, high)

    def window_of(self, structure: str, layer: str = "labels") -> tuple[float, float]:
        """Return the 1st and 99th percentile of the finite values inside a structure.

        Raises
        ------
        UnknownName
            The case does not show it.
        QueryError
            As for `layer`.
        """
        overlay = self.layer(layer)
        overlay.where(structure)

        def chunks() -> list[NDArray[Any]]:
            return [self.voxels[box][inside] for box, inside in overlay.inside(structure)]

        low, high = distribution(
            chunks, self.voxels.dtype, (1, 99), slope=self.slope, inter=self.inter
        ).percentiles
        return as_window(low, high)

    def _sent(self, pixels: NDArray[Any]) -> NDArray[Any]:
        if self.exact:
            return np.ascontiguousarray(pixels, f"<{self.dtype}")
        with np.errstate(invalid="ignore"):
            steps = (pixels.astype(np.float64) - self.lowest) / self.step
        rounded = np.nan_to_num(np.rint(steps), nan=0, posinf=65535, neginf=0).clip(0, 65535)
        return np.ascontiguousarray(rounded, "<u2")


def picture(volume: Volume, window: tuple[float, float] | None = None, content: str = "") -> Picture:
    """Make an image ready to be cut.

    Parameters
    ----------
    volume
        The image.
    window
        Its 1st and 99th percentile where they are known; otherwise they come from a sample, and
        `Picture.settle` makes them exact.
    content
        The same for the same files.
    """
    voxels, grid = closest_ras(volume.voxels, volume.grid)
    found = as_window(*(_sampled(volume) if window is None else window))
    settled = window is not None
    slope, inter = volume.slope, volume.inter
    sent = _EXACT.get(volume.voxels.dtype.str[1:])
    lowest, step = 0.0, 1.0
    if sent is None:
        lowest, highest = _ends(volume)
        step = (highest - lowest) / 65535 or 1.0
    return Picture(
        voxels,
        grid,
        volume.grid,
        dtype=sent or "u2",
        scale=slope * step,
        offset=slope * lowest + inter,
        window=found,
        exact=sent is not None,
        slope=slope,
        inter=inter,
        lowest=lowest,
        step=step,
        settled=settled,
        content=content,
    )


def blank(grid: Grid, problem: str, content: str = "") -> Picture:
    """Return a picture without an image, for masks that can be read without it."""
    nothing = np.broadcast_to(np.uint8(0), grid.shape)
    voxels, turned = closest_ras(nothing, grid)
    return Picture(
        voxels, turned, grid, "u1", 1, 0, (0.0, 1.0), True, settled=True, content=content, problem=problem
    )


def as_window(low: float, high: float) -> tuple[float, float]:
    """Return two ends that are finite, and the second above the first."""
    if not np.isfinite(low) or not np.isfinite(high):
        low, high = 0.0, 1.0
    return float(low), float(high) if high > low else float(low) + 1.0


def _flat(voxels: NDArray[Any]) -> NDArray[Any]:
    """Return the voxels in the order of memory, without a copy."""
    steps = tuple(slice(None, None, -1) if stride < 0 else slice(None) for stride in voxels.strides)
    upright = voxels[steps]
    return upright.transpose(np.argsort(upright.strides, kind="stable"))


def _sample(volume: Volume) -> NDArray[Any]:
    flat = volume.voxels.reshape(-1, order="F")
    step = max(1, flat.size // _SAMPLE)
    while any(gcd(step, n) > 1 for n in volume.voxels.shape[:2]):
        step += 1  # so that no row or column is preferred
    return np.ascontiguousarray(flat[::step])


def _sampled(volume: Volume) -> tuple[float, float]:
    sample = _sample(volume)
    found = distribution(
        lambda: [sample],
        sample.dtype,
        (1, 99),
        slope=volume.slope,
        inter=volume.inter,
        nonzero=True,
    )
    return found.percentiles[0], found.percentiles[1]


def _ends(volume: Volume) -> tuple[float, float]:
    """Return stored values between which it is worth to tell apart: few voxels far off do not count."""
    lowest, highest = _range(volume.voxels)
    sample = _sample(volume).astype(np.float64)
    typical = sample[np.isfinite(sample) & (sample != 0)]
    if typical.size < _ENOUGH:
        return lowest, highest
    low, high = np.percentile(typical, _TYPICAL).tolist()
    room = _ROOM * (high - low)
    # 0 is what many images have around the body.
    return max(lowest, min(low - room, 0.0)), min(highest, max(high + room, 0.0))


def _range(stored: NDArray[Any]) -> tuple[float, float]:
    """Return the least and the largest finite value; 0 and 1 where there is none."""
    lowest, highest = float(stored.min()), float(stored.max())
    if np.isfinite(lowest) and np.isfinite(highest):
        return lowest, highest
    lowest, highest = np.inf, -np.inf
    for chunk in flat_chunks(stored):
        finite = chunk[np.isfinite(chunk)]
        if finite.size:
            lowest, highest = min(lowest, float(finite.min())), max(highest, float(finite.max()))
    return (lowest, highest) if lowest <= highest else (0.0, 1.0)

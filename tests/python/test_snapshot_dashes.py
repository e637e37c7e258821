"""Where the dashes of an outline lie along the border of a structure."""

import numpy as np
import pytest

from explorer.snapshot.dashes import ON, PERIOD, Lattice, dashed

STEPS = [(3.0, 3.0), (-3.0, -3.0), (3.0, -3.0), (-3.0, 3.0), (2.6, -4.2)]


def shapes() -> dict[str, np.ndarray]:
    """A box, and a slope and a bend of many steps, shape (rows, columns)."""
    row, column = np.mgrid[:60, :60]
    return {
        "box": (abs(row - 30) < 20) & (abs(column - 30) < 25),
        "slope": (abs(row - 30) + abs(column - 30)) < 27,
        "bend": np.hypot(row - 30, column - 30) < 25,
    }


def pixels(inside: np.ndarray, step: tuple[float, float], width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels of dashes, and those of the whole border on its inner side."""
    size = tuple(int(n * abs(s)) + 20 for n, s in zip(inside.shape, step[::-1], strict=True))
    x, y = (10.0 if s > 0 else size[1 - n] - 10.0 for n, s in enumerate(step))
    lattice = Lattice(x, y, *step)
    column, row = (
        np.floor((np.arange(n) + 0.5 - start) / s).astype(int)
        for n, start, s in zip(size[::-1], (x, y), step, strict=True)
    )
    seen = np.pad(inside, 30)[np.ix_(row + 30, column + 30)]
    left = np.pad(seen, 1)
    for _ in range(round(width)):
        around = np.lib.stride_tricks.sliding_window_view(np.pad(left, 1), (3, 3))
        left = around.all(axis=(2, 3))
    border = seen & ~left[1:-1, 1:-1]
    return dashed(inside, lattice, size, width), border


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", shapes())
@pytest.mark.parametrize("width", [1.0, 2.0])
def test_dashes_and_gaps_share_a_border_in_every_direction(
    name: str, step: tuple[float, float], width: float
):
    dashes, border = pixels(shapes()[name], step, width)
    middle = [n // 2 for n in border.shape]
    for part in (
        np.s_[: middle[0], : middle[1]],
        np.s_[: middle[0], middle[1] :],
        np.s_[middle[0] :, : middle[1]],
    ):
        share = (dashes & border)[part].sum() / border[part].sum()
        assert ON / PERIOD - 0.12 < share < ON / PERIOD + 0.15


@pytest.mark.parametrize("step", STEPS)
def test_nothing_small_is_lost_in_a_gap(step: tuple[float, float]):
    for row in range(12):
        for column in range(12):
            inside = np.zeros((20, 20), bool)
            inside[row, column] = True
            dashes, border = pixels(inside, step, 2.0)
            assert (dashes & border).sum() >= 0.4 * border.sum()


def test_a_dash_stays_on_its_slice_as_that_moves():
    inside = shapes()["bend"]
    here = dashed(inside, Lattice(10, 10, 3, 3), (200, 200), 2)
    there = dashed(inside, Lattice(17, 15, 3, 3), (200, 200), 2)
    np.testing.assert_array_equal(here[:190, :190], there[5:195, 7:197])

"""Hand a case to itkwidgets, the 3D viewer of the Insight Toolkit; needs ``totalseg-explorer[itk]``.

itkwidgets loads its program in the browser from ``ipfs.dweb.link`` and ``cdn.jsdelivr.net``, and talks to
it by JupyterLab's own channel, so it works in JupyterLab or Notebook with a browser that reaches the
internet, and not in Voila. Nothing of it is imported before it is asked for.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.case import Case
from explorer.errors import ExplorerError, UnknownName, VolumeError
from explorer.grid import Grid
from explorer.structures import in_order
from explorer.volume import Labels, closest_ras, read_image, read_masks

_INSTALL = (
    "itkwidgets is not installed: run `pip install 'totalseg-explorer[itk]'` in this environment, restart "
    "the kernel, and reload the page."
)
_VOILA = (
    "itkwidgets does not work in Voila, since it talks to JupyterLab's own front end: open the notebook in "
    "JupyterLab, or use the viewer of explorer, which works here."
)
_BROKEN = (
    "itkwidgets is installed but cannot be loaded ({error}): it needs ngff-zarr 0.12 and zarr 2, which "
    "`pip install 'totalseg-explorer[itk]'` brings."
)


@dataclass(frozen=True, eq=False)
class LabelImage:
    """Structures of a case with one number per voxel, as programs want them that know no overlaps.

    Attributes
    ----------
    numbers
        Shape of the image; 0 is background.
    names
        The structure of each number from 1.
    hidden
        Voxels of a structure that are shown as another, smaller one, by structure.
    """

    numbers: NDArray[np.uint8] | NDArray[np.uint16]
    names: tuple[str, ...]
    hidden: Mapping[str, int]


def open_in_itkwidgets(
    case: Case, structures: Iterable[str] | None = None, mask_set: str = "reference"
) -> Any:  # noqa: ANN401
    """Show an image and structures in itkwidgets, in a browser that reaches the internet.

    The browser loads the program of itkwidgets from other hosts; without them the cell stays empty. The
    voxels go from the kernel to the browser only.

    Structures are numbered from 1 in the order of `explorer.structures.in_order`. Where they
    overlap, a voxel gets the smallest one; a warning tells how many voxels that hides. The image is
    turned to the axes nearest to ITK's (LPS), since itkwidgets keeps spacing and origin but no directions;
    a warning tells how far it is tilted.

    Parameters
    ----------
    case
        What to show.
    structures
        Which; None for all that are not empty.
    mask_set
        Whose masks: one of `Dataset.mask_sets`.

    Returns
    -------
    itkwidgets.Viewer
        To be the last line of a cell.

    Raises
    ------
    ExplorerError
        It cannot work here; the message says what to do.
    UnknownName
        There is no such mask or mask set.
    VolumeError
        Image or a chosen mask is unreadable, or the voxels' axes are not at right angles.
    """
    if os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
        raise ExplorerError(_VOILA)
    known = case.masks(mask_set)
    wanted = None if structures is None else list(dict.fromkeys(structures))
    for name in wanted or ():
        if name not in known:
            raise UnknownName("mask", name, known)
    view, to_image = _load()
    image = read_image(case)
    _check(image.grid)
    labels = label_image(_read(case, image.grid, wanted, mask_set))
    if labels.hidden:
        told = ", ".join(f"{name} ({voxels:,} voxels)" for name, voxels in labels.hidden.items())
        warnings.warn(
            f"Where structures overlap itkwidgets shows the smaller one. Partly hidden: {told}.", stacklevel=2
        )
    shown = view_image(to_image, image.values(), image.grid)
    if not labels.names:
        return view(image=shown)
    numbers = view_image(to_image, labels.numbers, image.grid)
    return view(
        image=shown, label_image=numbers, label_names=[(0, "background"), *enumerate(labels.names, 1)]
    )


def lps(array: NDArray[Any], grid: Grid) -> tuple[NDArray[Any], tuple[float, ...], tuple[float, ...]]:
    """Turn a volume so that its axes are those nearest to ITK's: left, posterior, superior.

    Returns
    -------
    tuple
        A view, shape (x, y, z); spacing in mm; centre of the first voxel in LPS+ mm.
    """
    turned, ras = closest_ras(array, grid)
    x, y, _ = ras.shape
    first = ras.to_world((x - 1, y - 1, 0)) * (-1, -1, 1)
    return turned[::-1, ::-1], ras.spacing_mm, tuple(first.tolist())


def view_image(to_image: Callable[..., Any], array: NDArray[Any], grid: Grid) -> Any:  # noqa: ANN401
    """Make an image of ngff-zarr, axes z, y, x; `to_image` is its ``to_ngff_image``."""
    turned, spacing, first = lps(array, grid)
    voxels = np.ascontiguousarray(turned.T)
    scale, translation = (dict(zip("xyz", numbers, strict=True)) for numbers in (spacing, first))
    return to_image(voxels, dims=("z", "y", "x"), scale=scale, translation=translation)


def label_image(labels: Labels) -> LabelImage:
    """Give each voxel one number; where structures overlap, that of the smallest.

    Parameters
    ----------
    labels
        As read; structures are numbered from 1 in the order of `in_order`, empty ones not at all.
    """
    counts = np.bincount(labels.ids.ravel(order="K"), minlength=len(labels.sets))
    voxels: dict[str, int] = {}
    for members, found in zip(labels.sets, counts.tolist(), strict=True):
        for name in members:
            voxels[name] = voxels.get(name, 0) + found
    names = tuple(in_order(name for name, found in voxels.items() if found))
    number = {name: place for place, name in enumerate(names, 1)}
    table: NDArray[Any] = np.zeros(len(labels.sets), np.uint8 if len(names) < 256 else np.uint16)
    hidden: dict[str, int] = {}
    for row, (members, found) in enumerate(zip(labels.sets, counts.tolist(), strict=True)):
        if not members or not found:
            continue
        smallest = min(members, key=lambda name: (voxels[name], number[name]))
        table[row] = number[smallest]
        for name in members:
            if name != smallest:
                hidden[name] = hidden.get(name, 0) + found
    return LabelImage(table[labels.ids], names, {name: hidden[name] for name in names if name in hidden})


def _check(grid: Grid) -> None:
    """Refuse what itkwidgets would draw wrong, and tell what it leaves out: it knows no directions."""
    if not grid.orthogonal:
        raise VolumeError(
            "The voxels' axes are not at right angles, which itkwidgets cannot show: "
            "use the viewer of explorer.",
            "sheared",
        )
    if grid.oblique:
        tilt = f"{grid.tilt_degrees:.1f} degrees"
        warnings.warn(
            f"itkwidgets shows the image along its own axes, which are tilted by {tilt}.", stacklevel=3
        )


def _read(case: Case, grid: Grid, wanted: Sequence[str] | None, mask_set: str) -> Labels:
    labels = read_masks(case, grid, wanted, mask_set=mask_set)
    for name in wanted or ():
        if name in labels.problems:
            raise VolumeError(labels.problems[name])
    return labels


def _load() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return itkwidgets' ``view`` and ngff-zarr's ``to_ngff_image``."""
    try:
        return import_module("itkwidgets").view, import_module("ngff_zarr").to_ngff_image
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name in ("itkwidgets", "ngff_zarr"):
            raise ExplorerError(_INSTALL) from error
        raise ExplorerError(_BROKEN.format(error=error)) from error

"""The slice viewer: three planes of a case with its structures."""

import asyncio
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import traitlets

from explorer.clauses import text
from explorer.dataset import Dataset
from explorer.errors import QueryError
from explorer.selection import LAYOUTS, Selection
from explorer.structures import in_order
from explorer.tables import column_label
from explorer.views.slices import Picture, Shelf, axis_letters, check_request, picture, structure_rows
from explorer.views.view import STATIC, Answer, Message, View, kernel_loop
from explorer.volume import read_image, read_masks

MEMORY_BYTES = 1_000_000_000
"""Memory for cases that were open before; the open one may need more."""

_SIDES = ("width", "height")
_SHARED = ("layout", "window", "point", "structures")
_NOT_FACTS = {"signature", "problems", "image_bytes", "mask_bytes", "orthogonal", "times_given_in", "dtype"}
_NOT_FACTS |= {"image_digest", "background_share", "nonfinite_voxels"}


class Viewer(View):
    """Axial, coronal and sagittal slices with crosshair, window and coloured structures.

    Parameters
    ----------
    selection
        Whose case, point, structures, window and layout are shown, and changed from here.
    dataset
        Where the images are read.

    Attributes
    ----------
    scene
        Geometry, scaling and window of the open case; ``{}`` while there is none.
    labels
        Sets of structures of the open case, once its masks are read.
    """

    _esm: ClassVar = STATIC / "viewer.js"
    _css: ClassVar = STATIC / "viewer.css"

    scene = traitlets.Dict().tag(sync=True)
    labels = traitlets.Dict().tag(sync=True)
    facts = traitlets.List(traitlets.List()).tag(sync=True)
    busy = traitlets.Unicode("").tag(sync=True)
    cases = traitlets.Int(0).tag(sync=True)
    layout_name = traitlets.Enum(LAYOUTS, default_value="grid").tag(sync=True)
    window = traitlets.List(traitlets.Float(), default_value=None, allow_none=True).tag(sync=True)
    point = traitlets.List(traitlets.Float(), default_value=None, allow_none=True).tag(sync=True)
    structures = traitlets.List(traitlets.Unicode(), default_value=None, allow_none=True).tag(sync=True)

    def __init__(self, selection: Selection, dataset: Dataset, *, memory_bytes: int = MEMORY_BYTES) -> None:
        super().__init__()
        self.selection = selection
        self.dataset = dataset
        self._shelf = Shelf(memory_bytes)
        self._picture: Picture | None = None
        self._opened = 0
        self._task: asyncio.Task[None] | None = None
        for name in _SHARED:
            own = "layout_name" if name == "layout" else name
            selection.observe(lambda _, name=name, own=own: self._pull(name, own), names=[name])
            self.observe(lambda _, name=name, own=own: self._push(name, own), names=[own])
            self._pull(name, own)
        selection.observe(self._open, names=["case"])
        selection.observe(self._tables_changed, names=["version"])
        self._tables_changed()
        self._open()

    def handlers(self) -> Mapping[str, Callable[[Message], Answer | None]]:
        """Return what answers the browser's requests."""
        return {
            "slices": self._slices,
            "locate": self._locate,
            "step": self._step,
            "snapshot": self._snapshot,
        }

    def snapshot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        width: int = 1200,
        height: int = 900,
        layout: str | None = None,
        plane: str = "axial",
        legend: bool = True,
        scale: float = 1.0,
    ) -> bytes:
        """Draw what is shown, without a browser.

        Parameters
        ----------
        path
            Where to write it, too; a file that is there is replaced.
        width, height
            In CSS pixels.
        layout
            ``"grid"``, ``"axial"``, ``"coronal"``, ``"sagittal"`` or ``"mosaic"``; by default the
            viewer's own, and the grid for ``"3d"``, which only a browser draws.
        plane
            Of the mosaic.
        legend
            Whether to list the structures.
        scale
            Pixels per CSS pixel; 3 for print.

        Returns
        -------
        bytes
            A PNG of ``width * scale`` times ``height * scale`` pixels.

        Raises
        ------
        QueryError
            No case is open, or the size is out of bounds.
        UnknownName
            There is no such layout or plane.
        """
        from explorer.snapshot import Options, draw

        shown = self._picture
        if shown is None:
            raise QueryError("No case is open, so there is nothing to draw.")
        layout = layout or self.selection.layout
        rows = self.labels.get("structures", ())
        png = draw(
            shown,
            masks=shown,
            point=self.selection.point,
            structures=self.selection.structures,
            options=Options.of(getattr(self, "options", {})),
            layout="grid" if layout == "3d" else layout,
            plane=plane,
            window=self.selection.window,
            colors=dict(getattr(self.selection, "colors", ())),
            opacities=dict(getattr(self.selection, "opacities", ())),
            volumes_ml={row["name"]: row["volume_ml"] for row in rows if row["volume_ml"] is not None},
            title=str(self.scene["case"]),
            legend=legend,
            width=width,
            height=height,
            scale=scale,
        )
        if path is not None:
            Path(path).write_bytes(png)
        return png

    def _snapshot(self, message: Message) -> Answer:
        if self._picture is None or message.get("scene") != self.scene.get("key"):
            raise QueryError("This case is no longer open.")
        width, height = (_bounded(message, name, 64, 4096, 1200 - 300 * n) for n, name in enumerate(_SIDES))
        png = self.snapshot(
            width=round(width),
            height=round(height),
            layout=text(message.get("layout", ""), "layout") or None,
            plane=text(message.get("plane", "axial"), "plane"),
            legend=message.get("legend") is not False,
            scale=_bounded(message, "scale", 0.5, 4, 1),
        )
        return {"type": "image/png"}, [png]

    def _pull(self, name: str, own: str) -> None:
        value = getattr(self.selection, name)
        setattr(self, own, list(value) if isinstance(value, tuple) else value)

    def _push(self, name: str, own: str) -> None:
        value = getattr(self, own)
        try:
            setattr(self.selection, name, tuple(value) if isinstance(value, list) else value)
        except traitlets.TraitError as error:
            self.show_error(QueryError(str(error)))

    def _slices(self, message: Message) -> Answer:
        shown = self._picture
        if shown is None or message.get("scene") != self.scene.get("key"):
            raise QueryError("This case is no longer open.")
        plane, indices = check_request(shown, message.get("plane"), message.get("indices"))
        cut = {"image": shown.image_slice, "labels": shown.label_slice}.get(str(message.get("layer")))
        if cut is None:
            raise QueryError(f"No layer {message.get('layer')!r:.100}; there are image and labels.")
        buffers = [cut(plane, index) for index in indices]
        if message.get("compress") is True:
            buffers = [zlib.compress(buffer, 1) for buffer in buffers]
        return {}, buffers

    def _locate(self, message: Message) -> None:
        if self._picture is not None:
            self.selection.point = self._picture.locate(text(message.get("structure"), "structure"))

    def _step(self, message: Message) -> None:
        self.selection.step(1 if message.get("by") == 1 else -1)

    def _open(self, _change: object = None) -> None:
        """Read the open case: in a kernel beside its loop, so that it stays free."""
        self._opened += 1
        self.error = ""
        case = self.selection.case
        if not case:
            self._picture = None
            self.scene, self.labels, self.facts = {}, {}, []
            return
        loop = kernel_loop()
        if loop is None:
            for read in (self._read_image, self._read_labels):
                self._apply(self._opened, case, read)
            return
        self.busy = f"Opening {case}"
        self._task = loop.create_task(self._open_beside(self._opened, case))

    async def _open_beside(self, opened: int, case: str) -> None:
        for read in (self._read_image, self._read_labels):
            try:
                show = await asyncio.to_thread(read, case)
            except Exception as error:  # noqa: BLE001 - whatever a file does, the view lives on
                if opened == self._opened:
                    self._fail(case, error)
                return
            if opened != self._opened:
                return
            show()

    def _apply(self, opened: int, case: str, read: Callable[[str], Callable[[], None]]) -> None:
        if opened != self._opened or (read == self._read_labels and self._picture is None):
            return
        try:
            read(case)()
        except Exception as error:  # noqa: BLE001 - whatever a file does, the view lives on
            self._fail(case, error)

    def _fail(self, case: str, error: Exception) -> None:
        self._picture = None
        self.busy = ""
        self.scene, self.labels = {}, {}
        self.facts = self._facts(case)
        self.show_error(error)

    def _read_image(self, case: str) -> Callable[[], None]:
        """Read an image; returns what shows it."""
        key = (case, self.selection.mask_set)
        found = self._shelf.get(key) or picture(read_image(self.dataset[case]))

        def show() -> None:
            self._shelf.put(key, found)
            self._picture = found
            if found.ids is None:
                self.labels = {}
            self.scene = {
                "key": f"{case}#{self._opened}",
                "case": case,
                "shape": list(found.grid.shape),
                "spacing": list(found.grid.spacing_mm),
                "affine": found.grid.affine[:3].ravel().tolist(),
                "letters": [list(pair) for pair in axis_letters(found.grid)],
                "dtype": found.dtype,
                "scale": found.scale,
                "offset": found.offset,
                "exact": found.exact,
                "window": list(found.window),
                "tilt": round(found.grid.tilt_degrees, 1),
                "orthogonal": found.grid.orthogonal,
            }
            self.facts = self._facts(case)
            self.busy = "Reading masks" if found.ids is None else ""

        return show

    def _read_labels(self, case: str) -> Callable[[], None]:
        """Read the masks of the open case; returns what shows them."""
        found = self._picture
        assert found is not None  # noqa: S101 - its image was read just before
        if found.ids is None:
            as_stored = read_image(self.dataset[case]).grid
            found.take_labels(read_masks(self.dataset[case], as_stored), as_stored)

        def show() -> None:
            self.busy = ""
            self._show_labels(case, found)

        return show

    def _show_labels(self, case: str, found: Picture) -> None:
        measured = self._measured(case)
        for name, voxels in found.voxel_counts().items():
            measured.setdefault(name, {"volume_ml": voxels * found.grid.voxel_volume_ml, "status": ""})
        for name in self.dataset[case].masks():
            measured.setdefault(name, {"volume_ml": 0.0, "status": "absent"})
        for name in found.problems:
            measured[name] = {"volume_ml": None, "status": "unreadable"}
        names = in_order(measured)
        place = {name: row for row, name in enumerate(names)}
        self.labels = {
            "key": self.scene["key"],
            "bytes": found.label_bytes,
            "sets": [[place[name] for name in members] for members in found.sets],
            "structures": structure_rows(names, measured),
        }
        if found.problems:
            first, *others = found.problems.values()
            self.error = first + (f" And {len(others)} more masks could not be read." if others else "")

    def _measured(self, case: str) -> dict[str, dict[str, Any]]:
        rows = self.selection.everything.structures
        rows = rows[(rows["case"] == case) & (rows["mask_set"] == self.selection.mask_set)]
        return {
            str(name): {"volume_ml": volume, "status": status}
            for name, volume, status in zip(rows["structure"], rows["volume_ml"], rows["status"], strict=True)
        }

    def _tables_changed(self, _change: object = None) -> None:
        self.cases = self.selection.everything.size
        case = self.selection.case
        if self._picture is not None and self.scene.get("case") == case:
            self.facts = self._facts(case)
            if self._picture.ids is not None and self.labels:
                self._show_labels(case, self._picture)

    def _facts(self, case: str) -> list[list[str]]:
        """Return label, value and note of what the tables know of a case."""
        row = self.selection.everything.cases.loc[case]
        raw = self.dataset.raw_meta
        given = row.get("times_given_in")
        facts = []
        if self._picture is not None:
            grid = self._picture.grid
            size = " × ".join(str(n) for n in grid.shape)
            spacing = " × ".join(f"{mm:.3g}" for mm in grid.spacing_mm)
            facts += [["Size", size, "x y z"], ["Spacing", spacing, "mm"]]
            if grid.oblique:
                facts.append(["Tilt", f"{grid.tilt_degrees:.1f}°", "closest axes shown"])
            if not grid.orthogonal:
                facts.append(["Axes", "not at right angles", "sheared"])
        for column in row.index:
            value = row[column]
            skip = column in _NOT_FACTS or column.startswith(("shape_", "spacing_", "intensity_", "voxel_"))
            if skip or not pd.api.types.is_scalar(value) or pd.isna(value):
                continue
            label, unit = column_label(str(column))
            shown = ("no", "yes")[bool(value)] if isinstance(value, bool | np.bool_) else str(value)
            shown = f"{value:g}" if isinstance(value, float) else shown
            note = f"from {given}" if unit == "ms" and given == "seconds" else ""
            facts.append([label, f"{shown[:200]} {unit}".strip(), note])
        if case not in raw.index:
            facts.append(["Metadata", "no row in meta.csv", ""])
        facts += [["Problem", str(problem)[:300], ""] for problem in row.get("problems") or ()]
        facts += [["Noted", p.what[:300], ""] for p in self.dataset.problems if p.case == case]
        return facts


def _bounded(message: Message, name: str, low: float, high: float, default: float) -> float:
    """Return a number of a request, which a browser may have made up."""
    value = message.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise QueryError(f"{name} must be {low:g} to {high:g}, not {value!r:.100}.")
    return float(value)

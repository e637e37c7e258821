"""The slice viewer: three planes of a case with its structures."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import traitlets

from explorer.clauses import text
from explorer.dataset import Dataset
from explorer.errors import ExplorerError, QueryError, VolumeError
from explorer.selection import LAYOUTS, Selection
from explorer.surface_cache import surface_cache
from explorer.untrusted import read_numbers
from explorer.views import questions, space
from explorer.views.drawing import draw_shown
from explorer.views.linking import link
from explorer.views.opening import Opener, Shelf
from explorer.views.options import Options, checked_options
from explorer.views.overlay import PLANES, Overlay
from explorer.views.pages import facts_of, masks_of, page
from explorer.views.picture import Picture
from explorer.views.planning import Planner
from explorer.views.reading import Step
from explorer.views.slices import check_request, cut_part, cut_slices, first_slices
from explorer.views.states import problems_text, scene_key, scene_state
from explorer.views.view import STATIC, Answer, Message, OutdatedError, View, kernel_loop

MEMORY_BYTES = 1_000_000_000
"""Memory for cases that were open before or are read ahead; the open one may need more."""

AROUND = 8
"""Cases before and after the open one that a browser knows by name."""

_SHARED = ("window", "point", "structures", "colors", "opacities", "mask_set", "compare")


class Viewer(View):
    """Axial, coronal and sagittal slices with crosshair, window and coloured structures.

    Parameters
    ----------
    selection
        Whose case, point, structures, window and layout are shown, and changed from here.
    dataset
        Where the images are read.
    memory_bytes
        For cases that were open before or are read ahead; the open one may need more.
    store
        Folder of the index, beside which surfaces are kept, or None for the default.

    Attributes
    ----------
    scene
        Geometry, scaling and window of the open case; ``{}`` while there is none.
    labels
        Sets of structures of the open case, as far as its masks are read.
    other
        The same of the mask set it is compared with, or ``{}``.
    options
        How pictures are drawn; see `explorer.views.options.Options`.
    places
        Where the crosshair was left in other cases: pairs of a case and x, y, z in RAS+ mm.
    shared
        Names the selection, for other views of it in the same page.
    around
        Cases of the cohort near the open one, and itself.
    ahead
        A case that has been read ahead, or ``""``.
    """

    _esm: ClassVar = STATIC / "viewer.js"
    _css: ClassVar = STATIC / "viewer.css"

    scene = traitlets.Dict().tag(sync=True)
    labels = traitlets.Dict().tag(sync=True)
    other = traitlets.Dict().tag(sync=True)
    facts = traitlets.List(traitlets.List()).tag(sync=True)
    busy = traitlets.Unicode("").tag(sync=True)
    cases = traitlets.Int(0).tag(sync=True)
    shared = traitlets.Unicode("").tag(sync=True)
    places = traitlets.List(traitlets.List()).tag(sync=True)
    around = traitlets.List(traitlets.Unicode()).tag(sync=True)
    ahead = traitlets.Unicode("").tag(sync=True)
    layout_name = traitlets.Enum(LAYOUTS, default_value="grid").tag(sync=True)
    window = traitlets.List(traitlets.Float(), default_value=None, allow_none=True).tag(sync=True)
    point = traitlets.List(traitlets.Float(), default_value=None, allow_none=True).tag(sync=True)
    structures = traitlets.List(traitlets.Unicode(), default_value=None, allow_none=True).tag(sync=True)
    options = traitlets.Dict().tag(sync=True, echo_update=False)
    colors = traitlets.List(traitlets.List()).tag(sync=True, echo_update=False)
    opacities = traitlets.List(traitlets.List()).tag(sync=True, echo_update=False)
    mask_sets = traitlets.List(traitlets.Unicode()).tag(sync=True)
    mask_set = traitlets.Unicode("reference").tag(sync=True)
    compare = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        selection: Selection,
        dataset: Dataset,
        *,
        memory_bytes: int = MEMORY_BYTES,
        store: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self.selection = selection
        self.dataset = dataset
        self.shared = selection.token
        self._questions = questions.handlers(self._asked, self._masks_asked)
        self._space = space.handlers(space.Surfaces(surface_cache(dataset, store)), self._masks_asked)
        self.mask_sets = list(dataset.mask_sets)
        self._picture: Picture | None = None
        self._opener = Opener(memory_bytes, self._show, self._fail, self._tell_ahead, kernel_loop)
        self._planner = Planner(selection, dataset)
        self._far = True  # until a browser says that it is near
        self._step_by = 1
        self._had = ""  # the scene that a browser shows already
        self._failure = ""  # why the open case cannot be shown
        names = {"layout": "layout_name", **{name: name for name in _SHARED}}
        link(self, selection, names, self._planner.check)
        self.follow(selection, self._open_case, "case")
        self.follow(selection, self._change_masks, "mask_set", "compare")
        self.follow(selection, self._tables_changed, "version")
        self._tables_changed()
        self._open_case()

    def handlers(self) -> Mapping[str, Callable[[Message], Answer | None]]:
        """Return what answers the browser's requests."""
        return {
            "slices": self._slices,
            "volume": self._volume,
            "step": self._step,
            "open": self._open,
            "ahead": self._give_ahead,
            "snapshot": self._snapshot,
            **self._questions,
            **self._space,
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
        """Draw what is shown, without a browser, once all of the open case is read.

        Zoom and measurements are a page's own: a picture that is copied there has them.

        Parameters
        ----------
        path
            Where to write it, too; a file that is there is replaced.
        width, height
            In CSS pixels.
        layout
            ``"grid"``, ``"axial"``, ``"coronal"``, ``"sagittal"``, ``"mosaic"`` (a plane beside a sheet of
            its slices) or ``"sheet"`` (that alone); by default the
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
        VolumeError
            The open case cannot be read.
        QueryError
            No case is open, or the size is out of bounds.
        UnknownName
            There is no such layout or plane.
        """
        self._opener.finish()
        layout = layout or self.selection.layout
        png = self._draw(width=width, height=height, layout=layout, plane=plane, legend=legend, scale=scale)
        if path is not None:
            Path(path).write_bytes(png)
        return png

    def _draw(self, **asked: Any) -> bytes:  # noqa: ANN401 - as of `explorer.snapshot.draw`
        if self._picture is None:
            if self._failure:
                raise VolumeError(f"There is no picture of {self.selection.case!r}. {self._failure}")
            raise QueryError("No case is open, so there is nothing to draw.")
        return draw_shown(
            self._picture,
            self.selection,
            rows=self.labels.get("structures", ()),
            others=self.other.get("structures", ()),
            title=str(self.scene["case"]),
            **{"options": Options.of(self.options), **asked},
        )

    def close(self) -> None:
        """Read nothing any more, and keep nothing."""
        self._opener.close()
        self._opener.shelf, self._picture = Shelf(0), None
        super().close()

    # ---- the selection -----------------------------------------------------------------------
    @traitlets.validate("options")
    def _check_options(self, proposal: Mapping[str, Any]) -> dict[str, Any]:
        return checked_options(proposal["value"])

    # ---- what the browser asks for -----------------------------------------------------------
    def _slices(self, message: Message) -> Answer:
        shown = self._picture
        if shown is None or message.get("scene") != self.scene.get("key"):
            return {"closed": True}, []  # it was asked for before the next case was opened
        wanted = check_request(shown, message)
        if wanted.layer == "image":  # masks are worth packing for a near browser, too
            self._far = wanted.compress
        fields, buffers = cut_slices(shown, wanted, self.selection.window or shown.window)
        if wanted.layer != "image":
            state = self.labels if wanted.layer == "labels" else self.other
            overlay = shown.layer(wanted.layer)
            if state.get("content") != overlay.token or len(state["sets"]) < len(overlay.sets):
                self._show_masks()  # before ids that the browser does not know yet
        return fields, buffers

    def _volume(self, message: Message) -> Answer:
        return cut_part(self._asked(message), message)

    def _asked(self, message: Message) -> Picture:
        if self._picture is None or message.get("scene") != self.scene.get("key"):
            raise OutdatedError("This case is no longer open.")
        return self._picture

    def _snapshot(self, message: Message) -> Answer:
        from explorer.views.copying import asked_for

        self._asked(message)
        return {"type": "image/png"}, [self._draw(**asked_for(message, self.selection.layout))]

    def _masks_asked(self, message: Message) -> tuple[Overlay, str]:
        """Return the masks that a message is about, and the case they are of."""
        masks = self._asked(message).layer(text(message.get("layer", "labels"), "layer"))
        if message.get("content", masks.token) != masks.token:
            raise OutdatedError("Other masks are shown by now.")
        return masks, str(self.scene["case"])

    def _step(self, message: Message) -> Answer:
        self.selection.step(1 if message.get("by") == 1 else -1)
        return {"case": self.selection.case}, []

    def _open(self, message: Message) -> Answer:
        """Open a case that the browser shows already."""
        case = text(message.get("case"), "case")
        window = read_numbers(message.get("window"), 2, "window")
        self._had = text(message.get("scene"), "scene")
        try:
            self.selection.open(case, window=(window[0], window[1]) if window else None)
        finally:
            self._had = ""
        return {"reading": self.scene.get("case") != case and self.busy != ""}, []

    def _give_ahead(self, message: Message) -> Answer:
        """Return what a browser needs to show a case that may come next, if it is all there."""
        case = text(message.get("case"), "case")
        found = self._opener.shelf.peek(case)
        if found is None or case == self.selection.case:
            return {}, []
        found.mask_set, found.compare = self.selection.mask_set, self.selection.compare
        return page(self._planner, self.dataset, case, found, self._planes(), message)

    def _tell_ahead(self, case: str) -> None:
        self.ahead = case

    # ---- opening -----------------------------------------------------------------------------
    def _open_case(self, change: Mapping[str, Any] | None = None) -> None:
        self.error = self.ahead = ""
        self._failure = ""
        case = self.selection.case
        self.places = [[left, list(point)] for left, point in self.selection.places.items() if left != case]
        self.around = self._planner.around(case, AROUND)
        if not case:
            self._clear()
            self.facts, self.busy = [], ""
            return
        before = str(change["old"]) if change else ""
        self._step_by = -1 if self._planner.neighbour(before, -1) == case else 1
        self.busy = f"Opening {case}"
        self._read(case)

    def _change_masks(self, _change: object = None) -> None:
        case = self.selection.case
        if not case:
            return
        with self.hold_sync():
            self.error = self._failure = ""
            # A case that is not shown is on its way, or could not be: then these masks may open it.
            self.busy = "Reading masks" if self.scene.get("case") == case else f"Opening {case}"
            self._read(case)

    def _read(self, case: str) -> None:
        try:
            plan = self._planner.plan(case)
        except ExplorerError as error:  # such as one of listing the files
            self._fail(error)
            return
        # All that changes in one message: small ones wait for each other on their way.
        with self.hold_sync():
            self._opener.open(plan)
        if str(self.scene.get("case")) not in self._opener.shelf:
            self._picture = None  # its memory is needed

    def _show(self, step: Step) -> None:
        """Show what has come of the open case."""
        case, found = self.selection.case, step.picture
        with self.hold_sync():
            if step.kind == "image":
                found.mask_set, found.compare = self.selection.mask_set, self.selection.compare
                if found is not self._picture or self.scene.get("case") != case:
                    self._show_image(case, found)
            elif step.kind == "window":
                self.scene = {**self.scene, "window": list(found.window)}
            else:
                self._show_masks()
            if step.kind == "complete":
                self.busy = ""
                self._read_next(case)

    def _show_image(self, case: str, found: Picture) -> None:
        self._picture = found
        key = scene_key(case, found)
        self.labels, self.other = {}, {}
        if key != self._had:
            complete = found.labels is not None and found.labels.complete
            self._push_slices(found, key, ("image", "labels") if complete else ("image",))
        self.scene = scene_state(key, case, found)
        self.facts = facts_of(self._planner, self.dataset, case, found)
        self.busy = "Reading masks"
        self.error = found.problem

    def _show_masks(self) -> None:
        """Tell of the masks that are in."""
        found, key = self._picture, self.scene.get("key")
        if found is None or key is None or found.labels is None:
            return
        states = masks_of(self._planner, self.scene["case"], found)
        self.labels = states[0]
        self.other = states[1] if len(states) > 1 else {}
        if all(overlay.complete for overlay in found.shown):
            self.error = problems_text(found)

    def _planes(self) -> tuple[str, ...]:
        layout = self.layout_name
        return (layout,) if layout in PLANES else tuple(PLANES)

    def _push_slices(self, found: Picture, key: str, layers: tuple[str, ...]) -> None:
        """Send what is seen first along, so that no round trip is needed."""
        fields, buffers = first_slices(found, key, layers, self._planes(), self.selection.point, self._far)
        self.send({"kind": "first", **fields}, buffers)

    def _fail(self, error: Exception) -> None:
        self._clear()
        self.busy = ""
        self.facts = facts_of(self._planner, self.dataset, self.selection.case, None)
        self.show_error(error)
        self._failure = self.error

    def _clear(self) -> None:
        self._opener.close()
        self._picture = None
        self.scene, self.labels, self.other = {}, {}, {}

    def _read_next(self, case: str) -> None:
        """Read the next case of the cohort ahead, in the direction of the last step."""
        if (following := self._planner.neighbour(case, self._step_by)) is not None:
            with suppress(ExplorerError):  # it is told when the case is opened
                self._opener.read_ahead(self._planner.plan(following))

    # ---- the tables --------------------------------------------------------------------------
    def _tables_changed(self, _change: object = None) -> None:
        self.cases = self.selection.everything.size
        self.around = self._planner.around(self.selection.case, AROUND)
        if self._picture is not None and self.scene.get("case") == self.selection.case:
            self.facts = facts_of(self._planner, self.dataset, self.selection.case, self._picture)
            self._show_masks()

"""Dashboards: charts of the cohort that are linked with everything else."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import ipywidgets as widgets
import traitlets

from explorer.clauses import text
from explorer.errors import ExplorerError, UnknownName
from explorer.selection import Selection
from explorer.structures import in_order
from explorer.views import figures
from explorer.views.view import STATIC, Answer, Message, View

KINDS = ("volumes", "prevalence", "acquisition")
"""Charts there are."""

CHOICES = ("shown", "frequent", "all")
"""Structures of a chart: those shown in the viewer, the most frequent, or all."""

_MAX_STRUCTURES = 120


class ChartBar(View):
    """Controls of a dashboard, and what is said of its chart.

    Parameters
    ----------
    choose
        Called with the name of an option and what the user chose.

    Attributes
    ----------
    state
        Options as they are, and what is said, as JSON values; replaced whole.
    """

    _esm: ClassVar = STATIC / "charts.js"
    _css: ClassVar = STATIC / "charts.css"

    state = traitlets.Dict().tag(sync=True)

    def __init__(self, choose: Callable[[str, object], None]) -> None:
        self._choose = choose
        super().__init__()

    def handlers(self) -> Mapping[str, Callable[[Message], Answer | None]]:
        """Return what answers the browser's requests."""
        return {"choose": self._chosen}

    def _chosen(self, message: Message) -> None:
        self._choose(text(message.get("option"), "option"), message.get("value"))


class Dashboard(widgets.VBox):
    """A chart of the cohort; a click on a point opens its case.

    Nothing is computed while it is not visible, and plotly is loaded when it is first seen.

    Parameters
    ----------
    selection
        Whose cohort is drawn, and what a click changes.
    kind
        One of `KINDS`.
    visible
        Whether it is seen; the app says so when its tab is chosen.

    Attributes
    ----------
    kind, visible
        As above.
    complete_only
        Leave out structures that the image cuts off.
    choice
        One of `CHOICES`.
    split
        A facet's column, or None.
    chart
        What is drawn now.
    """

    kind = traitlets.Enum(KINDS, default_value="volumes")
    visible = traitlets.Bool(True)
    complete_only = traitlets.Bool(True)
    choice = traitlets.Enum(CHOICES, default_value="frequent")
    split = traitlets.Unicode(None, allow_none=True)

    def __init__(self, selection: Selection, *, kind: str = "volumes", visible: bool = True) -> None:
        self.selection = selection
        self.chart = figures.Chart({"data": [], "layout": {}})
        self.figure: Any = None
        self.bar = ChartBar(self._choose)
        super().__init__([self.bar])
        self.add_class("xp-dashboard")
        self.kind, self.visible = kind, visible
        selection.observe(self._changed, names=["version", "case", "structures", "mask_set"])
        self.observe(self._changed, names=["kind", "visible", "complete_only", "choice", "split"])
        self._changed()

    def _choose(self, option: str, value: object) -> None:
        """Take over a choice from the browser."""
        allowed: dict[str, tuple[object, ...]] = {
            "complete_only": (True, False),
            "choice": CHOICES,
            "kind": KINDS,
            "split": (None, *(name for name, _ in self._splits())),
        }
        if option not in allowed:
            raise UnknownName("option", option, allowed)
        if value not in allowed[option]:
            raise UnknownName(option, str(value)[:100], map(str, allowed[option]))
        setattr(self, option, value)

    def _splits(self) -> list[tuple[str, str]]:
        facets = self.selection.everything.facets()
        return [(facet.column, facet.label) for facet in facets if facet.kind == "category"]

    def _structures(self) -> list[str]:
        cohort = self.selection.cohort()
        shown = self.selection.structures
        if self.choice == "shown" and shown:
            return in_order(shown)[:_MAX_STRUCTURES]
        count = _MAX_STRUCTURES if self.choice == "all" else 12
        whole = self.complete_only and self.kind == "volumes"
        return figures.default_structures(cohort, count, complete_only=whole)

    def _changed(self, change: traitlets.Bunch | None = None) -> None:
        if not self.visible:
            return
        if change is not None and change["name"] == "structures" and self.choice != "shown":
            return
        if self.split is not None and self.split not in dict(self._splits()):
            self.split = None
            return
        try:
            self.chart = self._draw()
            self.bar.error = ""
        except ExplorerError as error:
            self.bar.show_error(error)
            return
        self.bar.state = {
            "kind": self.kind,
            "complete_only": self.complete_only,
            "choice": self.choice,
            "split": self.split,
            "splits": [list(pair) for pair in self._splits()],
            "note": self.chart.note,
            "message": self.chart.message,
        }
        if self.figure is None and not self.chart.message:
            # Plotly takes a second or two to load: say so before the kernel is busy with it.
            ready, self.bar.state = self.bar.state, {**self.bar.state, "message": "Loading charts …"}
            self._show()
            self.bar.state = ready
        else:
            self._show()

    def _draw(self) -> figures.Chart:
        cohort = self.selection.cohort()
        if self.kind == "acquisition":
            return figures.acquisition(cohort, split=self.split, open_case=self.selection.case)
        names = self._structures()
        if self.kind == "prevalence":
            return figures.prevalence(cohort, names, mask_set=self.selection.mask_set)
        return figures.volumes(
            cohort,
            names,
            complete_only=self.complete_only,
            split=self.split,
            open_case=self.selection.case,
            mask_set=self.selection.mask_set,
        )

    def _show(self) -> None:
        """Replace what the one FigureWidget of the page shows."""
        figure = self.chart.figure
        if self.chart.message:
            self.children = [self.bar]
            return
        if self.figure is None:
            import plotly.graph_objects as go

            self.figure = go.FigureWidget(figure)
            self.figure._config = {"displaylogo": False, "displayModeBar": False, "responsive": True}
        else:
            with self.figure.batch_update():
                self.figure.data = ()
                self.figure.add_traces(figure["data"])
                self.figure.layout = figure["layout"]
        self.children = [self.bar, self.figure]
        for trace in self.figure.data:
            if trace.type == "scatter" and trace.customdata is not None:
                trace.on_click(self._clicked)

    def _clicked(self, trace: Any, points: Any, _state: object) -> None:  # noqa: ANN401 - plotly's callback
        if not points.point_inds:
            return
        place = int(trace.customdata[points.point_inds[0]])
        case, name = self.chart.points[place]
        try:
            self.selection.open(case, name)
        except ExplorerError as error:
            self.bar.show_error(error)

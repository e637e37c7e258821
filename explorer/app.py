"""All of it on one screen."""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from time import monotonic

import ipywidgets as widgets

from explorer.cohort import Cohort
from explorer.dataset import Dataset, open_dataset
from explorer.index import Index, Progress, iter_build, open_index, so_far
from explorer.selection import Selection
from explorer.store import store_of
from explorer.views.browser import CaseTable, Facets
from explorer.views.charts import Dashboard
from explorer.views.entrance import Entrance
from explorer.views.header import Header
from explorer.views.tabs import Tabs
from explorer.views.view import kernel_loop
from explorer.views.viewer import Viewer

CHARTS = {"Volumes": "volumes", "Prevalence": "prevalence", "Acquisition": "acquisition"}
"""Tabs of the dashboard and the kind of chart each shows."""

_REFRESH_SECONDS = 5.0


class Explorer(widgets.Box):
    """A data set on one screen: cases and facets, slices with structures, charts.

    Opens at once. Where the data set has no index yet, or files have changed, the index is built
    in the background, with progress and a cancel button in the header; what needs it fills as
    cases are measured.

    Parameters
    ----------
    dataset
        A folder, a zip (it is not unpacked), a URL, or an opened `Dataset`.
    store
        Folder of the index; by default beside the data set or in the user's cache.
    height
        Of the whole, as CSS; by default the window's in Voila and most of it in JupyterLab.
    mask_sets
        Other masks of the same cases by name, such as those of a model: each a folder, zip or URL,
        see `Dataset.with_mask_set`. Choose one with ``selection.mask_set``, or see two at once with
        ``selection.compare``.

    Attributes
    ----------
    dataset
        What is shown.
    selection
        What the user is looking at: read it, change it, observe it.
    header, facets, table, viewer, dashboard, tabs
        The views.

    Raises
    ------
    DatasetError
        A path is no data set, or holds no masks of its cases.
    """

    def __init__(
        self,
        dataset: str | os.PathLike[str] | Dataset,
        *,
        store: str | os.PathLike[str] | None = None,
        height: str | None = None,
        mask_sets: Mapping[str, str | os.PathLike[str]] | None = None,
    ) -> None:
        self.dataset = dataset if isinstance(dataset, Dataset) else open_dataset(dataset)
        for name, place in (mask_sets or {}).items():
            self.dataset = self.dataset.with_mask_set(name, place)
        self.store = store_of(self.dataset, store)
        self.selection = Selection(Cohort.join(self.dataset.meta), self.dataset.mask_sets)
        self.header = Header(self.selection, self.dataset.name, _subtitle(self.dataset))
        self.facets = Facets(self.selection)
        self.table = CaseTable(self.selection)
        self.viewer = Viewer(self.selection, self.dataset, store=self.store)
        self.dashboard = Dashboard(self.selection, visible=False)
        self.tabs = Tabs(names=["Cases", *CHARTS], chosen="Cases")
        self._cancelled = threading.Event()
        self.header.on_cancel.append(self._cancelled.set)
        self._panels = {False: widgets.Box([self.table]), True: widgets.Box([self.dashboard])}
        areas = {
            "header": self.header,
            "facets": self.facets,
            "viewer": self.viewer,
            "tabs": self.tabs,
            "bottom": widgets.Box(list(self._panels.values())),
        }
        for area, view in areas.items():
            view.add_class(f"xp-in-{area}")
        super().__init__(list(areas.values()), layout=widgets.Layout(height=height or _default_height()))
        self.add_class("xp-app")
        self.tabs.observe(self._show_tab, names=["chosen"])
        self._show_tab()
        self._take(so_far(self.dataset, self.store))
        self.selection.step(1)
        self._start_build()

    def _show_tab(self, _change: object = None) -> None:
        chart = CHARTS.get(self.tabs.chosen)
        for charts, panel in self._panels.items():
            panel.layout.display = "" if charts == (chart is not None) else "none"
        if chart is not None:
            self.dashboard.kind = chart
        self.dashboard.visible = chart is not None

    def _take(self, index: Index) -> None:
        self.selection.everything = Cohort.join(self.dataset.meta, index.cases, index.structures)

    def _start_build(self) -> None:
        """Measure in a thread, so that the kernel stays free; without a kernel, here and now."""
        loop = kernel_loop()
        if loop is None:
            self._build(lambda function, *arguments: function(*arguments))
        else:
            run = (loop.call_soon_threadsafe,)
            threading.Thread(target=self._build, args=run, name="explorer-index", daemon=True).start()

    def _build(self, later: Callable[..., object]) -> None:
        """Build the index; `later` runs a function in the kernel's own thread."""
        refresh = monotonic() + _REFRESH_SECONDS
        try:
            with closing(iter_build(self.dataset, self.store)) as steps:
                for step in steps:
                    later(self._show_progress, step)
                    if self._cancelled.is_set():
                        break
                    if (start := monotonic()) > refresh:
                        later(self._take, so_far(self.dataset, self.store))
                        # Of a large index reading it takes a while: a twentieth of the time at most.
                        refresh = monotonic() + max(_REFRESH_SECONDS, 20 * (monotonic() - start))
            later(self._take, open_index(self.store))
        except Exception as error:  # noqa: BLE001 - in a thread nobody else would tell of it
            later(self.header.show_error, error)
        finally:
            later(self._show_progress, None)

    def _show_progress(self, step: Progress | None) -> None:
        if step is None:
            self.header.progress = {}
        else:
            self.header.progress = {"text": "Measuring", "done": step.done, "total": step.total}


class Page(widgets.Box):
    """A page of its own that opens a data set as soon as a browser shows it.

    Parameters
    ----------
    dataset
        Path or URL.
    store
        Folder of the index, or None for the default.
    mask_sets
        As for `Explorer`.

    Attributes
    ----------
    app
        The `Explorer`, once a browser has come.
    """

    def __init__(
        self, dataset: str, *, store: str | None = None, mask_sets: Mapping[str, str] | None = None
    ) -> None:
        self.app: Explorer | None = None
        self._opened = dataset, store, mask_sets
        super().__init__([Entrance(Path(dataset).name, self._enter)])

    def _enter(self) -> None:
        if self.app is None:
            dataset, store, masks = self._opened
            self.app = Explorer(dataset, store=store, height="100vh", mask_sets=masks)
            self.children = [self.app]


def _subtitle(dataset: Dataset) -> str:
    problems = len(dataset.problems)
    noted = f" · {problems} problem{'s' if problems != 1 else ''} noticed" if problems else ""
    home = str(Path.home())
    place = dataset.location
    return f"{'~' + place.removeprefix(home) if place.startswith(home) else place}{noted}"


def _default_height() -> str:
    in_voila = os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
    return "100vh" if in_voila else "clamp(680px, 86vh, 1200px)"

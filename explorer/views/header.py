"""The header: name, number of cases, search, previous and next case, progress."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import traitlets

from explorer.clauses import text
from explorer.selection import Selection
from explorer.views.view import STATIC, Answer, Message, View


class Header(View):
    """What is open and how much of it the filters leave.

    Parameters
    ----------
    selection
        Its query is edited here.
    title, subtitle
        Name of the data set, and what else to say of it.

    Attributes
    ----------
    progress
        ``{"text": ..., "done": ..., "total": ...}`` while something runs, else ``{}``.
    on_cancel
        Called when the user cancels what runs.
    """

    _esm: ClassVar = STATIC / "header.js"
    _css: ClassVar = STATIC / "header.css"

    title = traitlets.Unicode().tag(sync=True)
    subtitle = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)

    def __init__(self, selection: Selection, title: str, subtitle: str = "") -> None:
        super().__init__(title=title, subtitle=subtitle)
        self.selection = selection
        self.on_cancel: list[Callable[[], object]] = []
        selection.observe(self._update, names=["version", "case"])
        self._update()

    def handlers(self) -> Mapping[str, Callable[[Message], Answer | None]]:
        """Return what answers the browser's requests."""
        return {"search": self._search, "step": self._step, "cancel": self._cancel}

    def _update(self, _change: object = None) -> None:
        self.state = {
            "count": self.selection.cohort().size,
            "total": self.selection.everything.size,
            "case": self.selection.case,
            "query": self.selection.query,
        }

    def _search(self, message: Message) -> None:
        self.selection.query = text(message.get("text"), "search")

    def _step(self, message: Message) -> None:
        self.selection.step(1 if message.get("by") == 1 else -1)

    def _cancel(self, _message: Message) -> None:
        for call in self.on_cancel:
            call()

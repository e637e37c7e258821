"""What a served page shows first: it opens the data set when a browser has come."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import traitlets

from explorer.views.view import STATIC, Answer, Message, View


class Entrance(View):
    """A line that tells what is being opened, or why it cannot be.

    A server keeps a kernel ready for the next page. What is shown must be as of the page, and
    nothing may be measured for a page that nobody opens: so the browser says when it is there.

    Parameters
    ----------
    title
        What is opened.
    enter
        Called when the first browser shows this; its `ExplorerError` is shown.
    """

    _esm: ClassVar = STATIC / "entrance.js"
    _css: ClassVar = STATIC / "entrance.css"

    title = traitlets.Unicode().tag(sync=True)

    def __init__(self, title: str, enter: Callable[[], object]) -> None:
        super().__init__(title=title)
        self._enter = enter

    def handlers(self) -> Mapping[str, Callable[[Message], Answer | None]]:
        """Return what answers the browser's requests."""
        return {"enter": self._entered}

    def _entered(self, _message: Message) -> None:
        self._enter()

"""What all views with a front end of their own share: messages by id, errors under the view."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from IPython import get_ipython

from explorer.errors import ExplorerError, QueryError

STATIC = Path(__file__).parent.parent / "static"
"""Where the bundled front ends lie."""


def kernel_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop of the Jupyter kernel we run in, or None in a script or a test."""
    if getattr(get_ipython(), "kernel", None) is None:
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


log = logging.getLogger(__name__)

Message = Mapping[str, Any]
"""A request from the browser: ``kind``, optionally ``id``, and fields that are untrusted input.

What it sent as bytes is in ``buffers``.
"""

Answer = tuple[Mapping[str, Any], Sequence[bytes | memoryview]]
"""JSON fields and binary buffers of a reply."""


MAX_ASKS = 256
"""Most requests that may come in one message."""


class OutdatedError(QueryError):
    """A request about what is shown no longer, or not yet: soon over, and nothing to tell the user."""


class View(anywidget.AnyWidget):
    """Base of the views that own a front end.

    A subclass names its handlers in `handlers`: message kind to a method that takes the message
    and returns an `Answer`, or None where there is nothing to say. A message "many" has several
    in ``asks``; their answers come one by one, or in one message where they are asked for
    ``together``. The browser's side is ``js/src/shared/kernel.ts``. All answer ``here``, by which
    a browser whose link was lost sees that it is the same kernel.

    Attributes
    ----------
    error
        What went wrong last, shown in a line under the view; empty when all is well.
    """

    error = traitlets.Unicode("").tag(sync=True)

    _followed: tuple[tuple[traitlets.HasTraits, Callable[[Any], None], list[str]], ...] = ()

    def __init__(self, **traits: Any) -> None:  # noqa: ANN401
        for name in traits:
            if not self.has_trait(name):
                raise TypeError(f"{type(self).__name__} has no option {name!r}.")
        super().__init__(**traits)
        self.on_msg(self._receive)

    def follow(self, other: traitlets.HasTraits, call: Callable[[Any], None], *names: str) -> None:
        """Call a function when traits of another object change, until the view is closed."""
        other.observe(call, names=list(names))
        self._followed = (*self._followed, (other, call, list(names)))

    def close(self) -> None:
        """Take no part any more."""
        for other, call, names in self._followed:
            other.unobserve(call, names=names)
        self._followed = ()
        super().close()

    def handlers(self) -> Mapping[str, Callable[[Message], Answer | None]]:
        """Return message kinds and what answers them."""
        return {}

    def show_error(self, error: BaseException) -> None:
        """Show an error under the view; unexpected ones go to the log with their traceback too."""
        if isinstance(error, ExplorerError):
            self.error = str(error)
        else:
            log.error("%s failed", type(self).__name__, exc_info=error)
            self.error = f"Unexpected {type(error).__name__}: {error}"

    def _receive(self, _widget: object, message: Message, buffers: Sequence[memoryview]) -> None:
        if message.get("kind") != "many":
            answer = self._answer(message, buffers)
            if answer is not None:
                self.send(*answer)
            return
        asks = message.get("asks")
        if not isinstance(asks, list) or len(asks) > MAX_ASKS or not all(isinstance(a, dict) for a in asks):
            self.show_error(QueryError(f"asks must be up to {MAX_ASKS} requests, not {asks!r:.100}."))
            return
        answers = (answer for asked in asks if (answer := self._answer(asked, ())) is not None)
        if message.get("together") is not True:
            for answer in answers:
                self.send(*answer)
            return
        found = list(answers)
        if found:
            told = [{**fields, "count": len(data)} for fields, data in found]
            self.send({"kind": "many", "answers": told}, [buffer for _, data in found for buffer in data])

    def _answer(
        self, message: Message, buffers: Sequence[memoryview]
    ) -> tuple[dict[str, Any], list[bytes | memoryview]] | None:
        """Return the answer to a request, or None where nobody waits for one."""
        request = message.get("id")
        if message.get("kind") == "here":
            return {"id": request, "ok": True}, []
        try:
            handler = self.handlers().get(str(message.get("kind")))
            if handler is None:
                raise ExplorerError(f"No such request: {message.get('kind')!r}.")
            fields, data = handler({**message, "buffers": buffers}) or ({}, ())
        except Exception as error:  # noqa: BLE001 - whatever a request does, the view lives on
            outdated = isinstance(error, OutdatedError)
            if not outdated:
                self.show_error(error)
            if request is None:
                return None
            told = str(error) if outdated else self.error
            return {"id": request, "ok": False, "error": told, "outdated": outdated}, []
        return None if request is None else ({**fields, "id": request, "ok": True}, list(data))


def bounded(message: Message, name: str, low: float, high: float, default: float) -> float:
    """Return a number of a request, which a browser may have made up."""
    value = message.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise QueryError(f"{name} must be {low:g} to {high:g}, not {value!r:.100}.")
    return float(value)

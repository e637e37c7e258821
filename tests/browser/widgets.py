"""A widget on a page of its own."""

import base64
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page


@dataclass
class Stub:
    """A widget on a page of its own, without Jupyter."""

    page: Page
    errors: list[str] = field(default_factory=list)

    @property
    def sent(self) -> list[dict[str, Any]]:
        return self.page.evaluate("window.sent")

    def sent_of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.sent if message["kind"] == kind]

    def carried_by(self, message: dict[str, Any]) -> list[bytes]:
        """Return the buffers of a message."""
        texts = self.page.evaluate("(id) => window.carried[id]", message.get("id"))
        return [base64.b64decode(text) for text in texts or ()]

    def set(self, name: str, value: Any) -> None:
        self.page.evaluate("([name, value]) => window.model.take(name, value)", [name, value])

    def get(self, name: str) -> Any:
        return self.page.evaluate("(name) => window.model.get(name)", name)

    def reply(self, request: dict[str, Any], buffers: list[bytes] = [], **fields: Any) -> None:  # noqa: B006
        texts = [base64.b64encode(buffer).decode() for buffer in buffers]
        self.page.evaluate(
            "([content, texts]) => window.model.receive(content, texts.map(window.bytes))",
            [{"ok": True, **fields, "id": request["id"]}, texts],
        )

    def say(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        """Send what was not asked for."""
        texts = [base64.b64encode(buffer).decode() for buffer in buffers]
        self.page.evaluate(
            "([content, texts]) => window.model.receive(content, texts.map(window.bytes))", [content, texts]
        )

    def wait_sent(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        self.page.wait_for_function(
            "([kind, count]) => window.sent.filter((m) => m.kind === kind).length >= count", arg=[kind, count]
        )
        return self.sent_of(kind)

    def render_again(self) -> None:
        """Show the same model a second time, as another cell does."""
        self.page.evaluate("window.show('second')")


class Bridge:
    """A real Python view behind a stub page: what Jupyter does, without Jupyter."""

    def __init__(self, view: Any, show: Any, widget: str, names: list[str], **options: Any) -> None:
        self.view = view
        self.replies: list[tuple[dict[str, Any], list[bytes]]] = []
        view.send = lambda content, buffers=None: self.replies.append(
            (content, [bytes(b) for b in buffers or []])
        )
        self.stub: Stub = show(widget, {name: getattr(view, name) for name in names}, **options)
        self._handled = self._saved = 0
        self._taking = False
        view.observe(self._to_page, names=names)
        self.settle()

    @property
    def page(self) -> Page:
        return self.stub.page

    def _to_page(self, change: Any) -> None:
        if not self._taking:
            self.stub.set(change["name"], change["new"])

    def settle(self) -> None:
        """Carry messages both ways until the page has been quiet for two frames."""
        quiet = 0
        while quiet < 3:
            sent, saved = self.page.evaluate("[window.sent, window.saved]")
            new = sent[self._handled :]
            changes = saved[self._saved :]
            self._handled, self._saved = len(sent), len(saved)
            for name, value in changes:
                self._taking = True
                setattr(self.view, name, value)
                self._taking = False
            for message in new:
                carried = self.stub.carried_by(message) if message["kind"] == "snapshot" else []
                self.view._receive(self.view, message, [memoryview(buffer) for buffer in carried])
            for content, buffers in self.replies:
                if "id" in content:
                    self.stub.reply(content, buffers, **content)
                else:
                    self.stub.say(content, buffers)
            quiet = 0 if new or changes or self.replies else quiet + 1
            self.replies.clear()
            self.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 60)))")

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

    def set(self, name: str, value: Any) -> None:
        self.page.evaluate("([name, value]) => window.model.set(name, value)", [name, value])

    def get(self, name: str) -> Any:
        return self.page.evaluate("(name) => window.model.get(name)", name)

    def reply(self, request: dict[str, Any], buffers: list[bytes] = [], **fields: Any) -> None:  # noqa: B006
        texts = [base64.b64encode(buffer).decode() for buffer in buffers]
        self.page.evaluate(
            "([content, texts]) => window.model.receive(content, texts.map(window.bytes))",
            [{"id": request["id"], "ok": True, **fields}, texts],
        )

    def wait_sent(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        self.page.wait_for_function(
            "([kind, count]) => window.sent.filter((m) => m.kind === kind).length >= count", arg=[kind, count]
        )
        return self.sent_of(kind)

    def render_again(self) -> None:
        """Show the same model a second time, as another cell does."""
        self.page.evaluate("window.show('second')")

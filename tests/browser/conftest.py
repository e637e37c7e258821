"""Fixtures of the browser tests: Chromium, widgets on a stub model, whole servers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import chromium_path, chromium_with
from playwright.sync_api import Browser, Playwright, sync_playwright
from viewer_page import opened  # noqa: F401 - a fixture
from widgets import Stub

STATIC = Path(__file__).parents[2] / "explorer" / "static"

THEMES = {
    "light": "--jp-layout-color1:#fff;--jp-ui-font-color1:rgb(0 0 0/87%);--jp-brand-color1:#1976d2",
    "dark": "--jp-layout-color1:#212121;--jp-ui-font-color1:rgb(255 255 255/87%);--jp-brand-color1:#2196f3",
}

MODEL = """
window.sent = [];
window.together = [];
window.carried = {};
window.saved = [];
window.stub = (state) => {
  const heard = {};
  const dirty = new Set();
  const fire = (event, ...rest) => [...(heard[event] ?? [])].forEach((f) => f(...rest));
  return {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; dirty.add(name); fire(`change:${name}`); },
    take: (name, value) => { state[name] = value; fire(`change:${name}`); },
    save_changes: () => { for (const name of dirty) window.saved.push([name, state[name]]); dirty.clear(); },
    on: (event, f) => (heard[event] ??= []).push(f),
    off: (event, f) => { heard[event] = (heard[event] ?? []).filter((g) => g !== f); },
    send: (content, _callbacks, buffers = []) => {
      if (content.kind === 'many') {
        window.together.push(content.asks.map((ask) => ask.kind));
        return content.asks.forEach((ask) => window.model.send(ask));
      }
      window.carried[content.id] = buffers.map((buffer) => btoa(Array.from(new Uint8Array(buffer), (n) => String.fromCharCode(n)).join('')));
      window.sent.push(content);
    },
    receive: (content, buffers) => fire('msg:custom', content, buffers),
  };
};
window.bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
"""


@pytest.fixture(scope="session")
def executable() -> str | None:
    return chromium_path()


@pytest.fixture(scope="session")
def playwright(executable: str | None) -> Iterator[Playwright]:  # after `executable`, which may need its own
    with sync_playwright() as running:
        yield running


chromium = chromium_with(scope="session")


@pytest.fixture
def stub(chromium: Browser) -> Iterator[Callable[..., Stub]]:
    """`stub(widget, state)` shows a built front end on a stub model; errors fail the test."""
    shown: list[Stub] = []

    def show(
        widget: str, state: dict[str, Any], *, theme: str = "light", width: int = 1200, height: int = 700
    ) -> Stub:
        page = chromium.new_page(viewport={"width": width, "height": height})
        found = Stub(page)
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.on("console", lambda m: found.errors.append(m.text) if m.type == "error" else None)
        page.on(
            "request",
            lambda r: None if r.url.startswith(("data:", "blob:", "about:")) else found.errors.append(r.url),
        )
        css = (STATIC / f"{widget}.css").read_text("utf-8")
        page.set_content(
            f"<!doctype html><style>{css}</style><style>body{{margin:0;{THEMES[theme]}}}"
            f"#root,#second{{width:{width}px;height:{height}px}}</style><div id=root></div><div id=second></div>"
        )
        page.evaluate(MODEL)
        page.evaluate(
            """async ([source, state]) => {
                const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
                const widget = (await import(url)).default();
                window.model = window.stub(state);
                window.show = (id) => { window.clean = widget.render({model: window.model, el: document.getElementById(id)}); };
                window.show('root');
            }""",
            [(STATIC / f"{widget}.js").read_text("utf-8"), {"error": "", **state}],
        )
        shown.append(found)
        return found

    yield show
    for found in shown:
        found.page.close()
        assert found.errors == []

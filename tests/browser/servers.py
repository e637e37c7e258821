"""Voila and JupyterLab as a user runs them, and what their pages asked for."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Page, expect

READY_MS = 90_000
expect.set_options(timeout=READY_MS)


@dataclass
class Watch:
    """Errors in the console and requests to other hosts."""

    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def attach(self, page: Page) -> None:
        page.set_default_timeout(READY_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1", "http://localhost", "data:", "blob:")):
            self.elsewhere.append(request.url)


@contextmanager
def voila(dataset: Path, store: Path, theme: str = "dark") -> Iterator[str]:
    """Run `explorer serve`; gives the page's address."""
    command = [sys.executable, "-m", "explorer.cli", "serve", str(dataset), "--store", str(store)]
    command += ["--no-browser", "--theme", theme]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            said = []
            for line in server.stdout or ():
                said.append(line)
                if found := re.search(r"http://\S+", line):
                    yield found.group()
                    break
            else:
                raise AssertionError(f"explorer serve gave no address: {''.join(said)}")
        finally:
            server.terminate()


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """Run JupyterLab on a folder; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
    ]
    command += [
        f"--ServerApp.root_dir={folder}",
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",
    ]
    command += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "JUPYTER_DATA_DIR": str(folder / ".data"),
    }
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True, stdin=subprocess.DEVNULL
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/lab")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def wait_for(url: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > end:
                raise
        else:
            return


def write_notebook(path: Path, *cells: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


def open_lab(
    browser: Browser, address: str, notebook: str, watch: Watch, theme: str = "JupyterLab Light"
) -> Page:
    """Open a notebook in JupyterLab and run all its cells."""
    page = browser.new_page(viewport={"width": 1500, "height": 1400})
    watch.attach(page)
    page.goto(f"{address}/doc/tree/{notebook}?reset", wait_until="domcontentloaded")
    page.wait_for_function(
        "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    page.evaluate(
        "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme}).then(() => 0)", theme
    )
    page.add_style_tag(content=".jp-toastContainer { display: none }")  # its question covers what is clicked
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    return page


def ask_kernel(page: Page, code: str) -> Any:
    """Evaluate an expression in the notebook's own kernel; gives its JSON value."""
    text = page.evaluate(
        """(code) => new Promise((done, failed) => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            const future = kernel.requestExecute({code: `import json; print(json.dumps(${code}))`, store_history: false});
            let said = '';
            future.onIOPub = (m) => {
                if (m.header.msg_type === 'stream') said += m.content.text;
                if (m.header.msg_type === 'error') failed(new Error(m.content.evalue));
            };
            future.done.then(() => done(said), failed);
        })""",
        code,
    )
    return json.loads(text)

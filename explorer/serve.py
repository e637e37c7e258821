"""Serve a data set as a Voila page, from the installed package alone."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from ipywidgets import Widget

START_SECONDS = 60.0
"""After this a server that does not answer has failed."""

DATASET_VARIABLE = "EXPLORER_DATASET"
"""Environment variable from which the served notebook takes its data set."""

STORE_VARIABLE = "EXPLORER_STORE"
"""Environment variable for the folder of the index."""

MASKS_VARIABLE = "EXPLORER_MASK_SETS"
"""Environment variable for other masks of the same cases: a JSON object, name to path or URL."""

_SOURCE = "from explorer.serve import page\npage()"


def serve(
    dataset: str,
    store: str | None,
    *,
    port: int = 0,
    browser: bool = True,
    theme: str = "dark",
    mask_sets: Mapping[str, str] | None = None,
    say: Callable[[str], object] = print,
) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    dataset
        Path or URL of the data set.
    store
        Folder of its index, or None for the default.
    port
        Where; 0 takes a free one.
    browser
        Whether to open the page.
    theme
        ``"light"`` or ``"dark"``.
    mask_sets
        Other masks of the same cases: path or URL by name.
    say
        Takes the line that tells the address, once the page answers.

    Raises
    ------
    ExplorerError
        Voila is not installed, or does not start.
    """
    if find_spec("voila") is None:
        raise ExplorerError("The page needs Voila: pip install 'totalseg-explorer[app]'.")
    port = port or _free_port()
    with TemporaryDirectory(prefix="explorer-") as folder:
        notebook = Path(folder) / "explorer.ipynb"
        notebook.write_text(json.dumps(_notebook()), "utf-8")
        log = Path(folder) / "voila.log"
        with log.open("wb") as output:
            server = subprocess.Popen(  # noqa: S603 - our own interpreter, arguments of ours
                [sys.executable, "-m", "voila", str(notebook), *_options(port, theme)],
                env=_environment(dataset, store, mask_sets or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        stop = signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            address = f"http://127.0.0.1:{port}/"
            _wait(server, address, log)
            say(f"{Path(dataset).name} is at {address} (stop with Ctrl-C)")
            if browser:
                webbrowser.open(address)
            server.wait()
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, stop)
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def page() -> "Widget":
    """Return what the served notebook shows: the app, or in words why there is none."""
    # Only the served kernel needs widgets, not the process that starts the server.
    from explorer.app import Page

    masks = json.loads(os.environ.get(MASKS_VARIABLE, "{}"))
    return Page(os.environ[DATASET_VARIABLE], store=os.environ.get(STORE_VARIABLE), mask_sets=masks)


def _notebook() -> dict[str, object]:
    cell: dict[str, object] = {
        "cell_type": "code",
        "id": "explorer",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": _SOURCE,
    }
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _options(port: int, theme: str) -> list[str]:
    return [
        "--no-browser",
        "--Voila.ip=127.0.0.1",
        f"--port={port}",
        "--Voila.port_retries=0",
        "--template=explorer",
        # A kernel waits for the next page with everything imported; see `app.Page`.
        "--preheat_kernel=True",
        f"--theme={theme}",
    ]


def _environment(dataset: str, store: str | None, mask_sets: Mapping[str, str]) -> dict[str, str]:
    share = str(Path(__file__).parent / "share" / "jupyter")
    paths = [share, *filter(None, [os.environ.get("JUPYTER_PATH")])]
    found = {
        **os.environ,
        "JUPYTER_PATH": os.pathsep.join(paths),
        DATASET_VARIABLE: _absolute(dataset),
        MASKS_VARIABLE: json.dumps({name: _absolute(place) for name, place in mask_sets.items()}),
    }
    found.pop(STORE_VARIABLE, None)
    return found | ({STORE_VARIABLE: str(Path(store).expanduser().resolve())} if store else {})


def _absolute(place: str) -> str:
    local = "://" not in place and "::" not in place
    return str(Path(place).expanduser().resolve()) if local else place


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-5:])
            raise ExplorerError(f"Voila stopped with exit code {server.returncode}:\n{tail}")
        try:
            with urllib.request.urlopen(f"{address}voila/static/", timeout=1):  # noqa: S310 - our own page
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise ExplorerError(f"Voila did not answer at {address} within {START_SECONDS:.0f} s.")

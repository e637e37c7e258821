"""Find or install a Chromium that Playwright can drive; never a silent skip."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Playwright, sync_playwright

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Root needs no-sandbox; the rest keeps the browser from asking the network on its own account."""

GL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
"""WebGL in software."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """Return the path of a browser, ``""`` for Playwright's own, or None."""
    given = os.environ.get("EXPLORER_CHROMIUM")
    if given:
        return given
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found:
        return found
    with sync_playwright() as playwright:
        return "" if Path(playwright.chromium.executable_path).exists() else None


def install() -> None:
    """Install one: Debian's as root, else Playwright's."""
    commands = [["playwright", "install", "chromium"]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        commands = [["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "chromium"], *commands]
    for command in commands:
        if find() is None:
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def chromium_path() -> str | None:
    """Return what Playwright takes as ``executable_path``; fails the tests where none can be had.

    To be called before Playwright is started: it may not run twice at once in one process.
    """
    with FileLock(
        Path(tempfile.gettempdir()) / "explorer-chromium.lock"
    ):  # of parallel test workers one installs
        if find() is None:
            install()
    found = find()
    if found is None:
        pytest.fail(
            "The browser tests need Chromium and none could be installed. Install one (Debian: "
            "`apt-get install chromium`; elsewhere: `playwright install chromium`) or name it in EXPLORER_CHROMIUM.",
            pytrace=False,
        )
    return found or None


def chromium_with(*flags: str, scope: str = "module") -> Callable[..., Iterator[Browser]]:
    """Return a fixture that starts Chromium with these flags too; to be called ``chromium``."""

    @pytest.fixture(scope=scope)
    def started(playwright: Playwright, executable: str | None) -> Iterator[Browser]:
        browser = playwright.chromium.launch(executable_path=executable, args=[*FLAGS, *flags])
        yield browser
        browser.close()

    return started

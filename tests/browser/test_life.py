"""A kernel that has died or a link that is lost is told at once, and by every view that stands alone."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, WebSocketRoute, expect
from servers import Watch, ask_kernel, lab, open_lab, voila, write_notebook
from widgets import Stub

from explorer import build_index, open_dataset, write_phantom

SOON_MS = 1_500
SLOW_MS = 5_000
LINK_S = 90
"""Jupyter waits the longer with each attempt to connect again."""

CONNECTED = """() => {
    const signal = () => { const slots = new Set(); return { connect: (f) => slots.add(f), disconnect: (f) => slots.delete(f), emit: () => slots.forEach((f) => f()), slots }; };
    const info = new Promise((answer) => { window.answerInfo = answer; });
    window.kernel = { status: 'idle', connectionStatus: 'connected', isDisposed: false, statusChanged: signal(), connectionStatusChanged: signal(), disposed: signal(), requestKernelInfo: () => info };
    window.model.widget_manager = { kernel: window.kernel };
    window.clean();
    document.getElementById('root').replaceChildren();
    window.show('root');
}"""
"""Gives the stub model what JupyterLab and Voila have, and shows the widget anew."""

TABS = {"names": ["A"], "chosen": "A"}


@pytest.fixture
def linked(stub: Callable[..., Stub]) -> Stub:
    shown = stub("tabs", TABS)
    shown.page.evaluate(CONNECTED)
    return shown


def become(shown: Stub, *, status: str = "idle", link: str = "connected") -> None:
    shown.page.evaluate(
        "([status, link]) => { Object.assign(kernel, {status, connectionStatus: link}); kernel.statusChanged.emit(); kernel.connectionStatusChanged.emit(); }",
        [status, link],
    )


def told(shown: Stub) -> str:
    line = shown.page.locator(".xp-gone")
    return line.inner_text() if line.is_visible() else ""


@pytest.mark.parametrize("status", ["restarting", "autorestarting", "terminating", "dead"])
def test_a_kernel_that_ended_is_told_for_good(linked: Stub, status: str):
    assert told(linked) == ""
    become(linked, status=status)
    assert "Run the cell again" in told(linked)
    become(linked, status="idle")
    assert "Run the cell again" in told(linked)


def test_a_link_that_is_back_soon_is_not_told(linked: Stub):
    become(linked, link="connecting")
    linked.page.wait_for_timeout(200)
    become(linked)
    linked.page.wait_for_timeout(600)
    assert told(linked) == ""


def test_a_lost_link_is_told_until_the_same_kernel_answers(linked: Stub):
    become(linked, status="unknown", link="connecting")
    linked.page.wait_for_function(
        "() => document.querySelector('.xp-gone').checkVisibility()", timeout=SOON_MS
    )
    assert "connection to the kernel is lost" in told(linked)
    assert linked.sent_of("here") == []
    become(linked, status="busy")
    assert "connection" in told(linked)
    linked.reply(linked.wait_sent("here")[0])
    assert told(linked) == ""
    become(linked)
    assert len(linked.sent_of("here")) == 1


def test_another_kernel_behind_the_same_link_does_not_answer_and_is_told(linked: Stub):
    linked.page.clock.install()
    become(linked, status="unknown", link="connecting")
    linked.page.clock.run_for(600)
    become(linked, status="idle")
    linked.page.clock.run_for(60_000)
    assert "connection" in told(linked), "a busy kernel and a slow link answer later"
    linked.page.evaluate("() => window.answerInfo({})")
    linked.page.clock.run_for(4_000)
    assert "Run the cell again" in told(linked)
    linked.reply(linked.wait_sent("here")[0])
    assert told(linked) == "", "it was the same kernel after all"


def test_an_answer_over_a_link_that_is_lost_again_tells_nothing(linked: Stub):
    linked.page.clock.install()
    become(linked, link="connecting")
    linked.page.clock.run_for(600)
    become(linked)
    become(linked, link="connecting")
    linked.page.evaluate("() => window.answerInfo({})")
    linked.page.clock.run_for(60_000)
    assert "connection" in told(linked)
    become(linked)
    assert len(linked.sent_of("here")) == 2


def test_a_view_that_was_closed_listens_no_more(linked: Stub):
    linked.page.evaluate("window.clean()")
    assert linked.page.evaluate("kernel.statusChanged.slots.size + kernel.disposed.slots.size") == 0


def test_in_jupyterlab_a_killed_kernel_is_told_by_the_app_and_by_views_alone(
    chromium: Browser, tmp_path: Path
):
    phantom = write_phantom(tmp_path / "phantom", 2, seed=3, progress=False)
    build_index(open_dataset(phantom.path), tmp_path / "store", progress=False)
    write_notebook(
        tmp_path / "alone.ipynb",
        "from explorer import Explorer\nfrom explorer.views.browser import CaseTable, Facets\nfrom explorer.views.viewer import Viewer\n"
        f"app = Explorer({str(phantom.path)!r}, store={str(tmp_path / 'store')!r})\napp",
        "Viewer(app.selection, app.dataset)",
        "CaseTable(app.selection)",
        "Facets(app.selection)",
    )
    with lab(tmp_path) as address:
        watch = Watch()
        page = open_lab(chromium, address, "alone.ipynb", watch)
        for view in ("viewer", "table", "facets"):
            expect(page.locator(f".xp-{view}")).to_have_count(2)
        expect(page.locator(".xp-gone:visible")).to_have_count(0)
        page.evaluate(
            """() => new Promise((done) => {
                window.knows = new Promise((at) => {
                    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                    kernel.statusChanged.connect((_, status) => status === 'autorestarting' && at(performance.now()));
                });
                window.tells = new Promise((at) => {
                    const look = () => document.querySelectorAll('.xp-lost').length > 5 ? at(performance.now()) : requestAnimationFrame(look);
                    look();
                });
                done();
            })"""
        )
        os.kill(ask_kernel(page, "__import__('os').getpid()"), signal.SIGKILL)
        late_ms = page.evaluate(
            "() => Promise.all([window.knows, window.tells]).then(([knew, told]) => told - knew)"
        )
        assert late_ms < SOON_MS
        # Once for the app, and under each view that stands alone.
        expect(page.locator(".xp-gone:visible")).to_have_count(4)
        for cell in range(4):
            expect(page.locator(".jp-CodeCell").nth(cell).locator(".xp-gone:visible")).to_contain_text(
                "Run the cell again"
            )
        assert (watch.errors, watch.elsewhere) == ([], [])
        page.close()


def test_in_voila_a_cut_link_is_told_and_taken_back_and_a_killed_kernel_is_told(
    chromium: Browser, tmp_path: Path
):
    phantom = write_phantom(tmp_path / "phantom", 2, seed=3, progress=False)
    build_index(open_dataset(phantom.path), tmp_path / "store", progress=False)
    links: list[WebSocketRoute] = []
    is_cut = False

    def route(link: WebSocketRoute) -> None:
        if is_cut:
            link.close()
        else:
            link.connect_to_server()
            links.append(link)

    with voila(phantom.path, tmp_path / "store") as address:
        watch = Watch()
        page = chromium.new_page(viewport={"width": 1280, "height": 860})
        page.route_web_socket(re.compile("/channels"), route)
        watch.attach(page)
        page.goto(address)
        page.wait_for_selector(".xp-structure")
        found = re.search("kernels/([^/]+)/", links[0].url)
        assert found
        kernel = int(subprocess.check_output(["pgrep", "-f", f"kernel-{found[1]}.json"], text=True))
        is_cut = True
        for link in links:
            link.close()
        said = page.locator(".xp-gone:visible")
        expect(said).to_have_count(1)
        expect(said).to_contain_text("connection to the kernel is lost")
        # A kernel that is slow to answer, as on a machine that wakes up, is none that has ended.
        os.kill(kernel, signal.SIGSTOP)
        known = len(links)
        is_cut = False
        deadline = time.monotonic() + LINK_S
        while len(links) == known and time.monotonic() < deadline:
            page.wait_for_timeout(200)
        page.wait_for_timeout(SLOW_MS)
        expect(said).to_contain_text("connection to the kernel is lost")
        os.kill(kernel, signal.SIGCONT)
        expect(said.first).to_be_hidden()
        page.click(".xp-header [aria-label='Next case']")
        expect(page.locator(".xp-header .xp-case")).to_have_text("s0002")
        os.kill(kernel, signal.SIGKILL)
        expect(said).to_have_count(1)
        expect(said).to_contain_text("Run the cell again")
        assert (watch.errors, watch.elsewhere) == ([], [])
        page.close()

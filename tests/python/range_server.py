"""A web server of this machine that counts what it is asked for, and misbehaves on demand."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any


@dataclass
class Site:
    """What is served, how, and what was asked.

    ``mishaps`` are used up one by one, by requests with a body: ``"stall"``, ``"break"`` (in the
    middle of the body), ``"garble"``, a status, or a status and a ``Retry-After``.
    """

    files: dict[str, bytes]
    url: str = ""
    etag: str = '"1"'
    ranges: bool = True
    head: bool = True
    tells_size: bool = True
    needs_agent: bool = False
    mishaps: list[Any] = field(default_factory=list)
    always: Any = None
    moved: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    body_bytes: int = 0
    connections: int = 0
    over: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def forget(self) -> None:
        """Start counting anew, but for connections."""
        self.requests.clear()
        self.body_bytes = 0

    @property
    def gets(self) -> list[tuple[str, str, str]]:
        return [request for request in self.requests if request[0] == "GET"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.site.lock:
            self.site.connections += 1

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        site = self.site
        asked = self.headers.get("Range", "")
        with site.lock:
            site.requests.append((self.command, self.path, asked))
            mishap = site.mishaps.pop(0) if body and site.mishaps else site.always
        if self.path in site.moved:
            return self._refuse(302, location=site.moved[self.path])
        data = site.files.get(self.path.partition("?")[0])
        if not body and not site.head:
            return self._refuse(405)
        if site.needs_agent and "explorer" not in self.headers.get("User-Agent", ""):
            return self._refuse(403)
        if isinstance(mishap, int):
            return self._refuse(mishap)
        if isinstance(mishap, tuple):
            return self._refuse(*mishap)
        if data is None:
            return self._refuse(404)
        if asked and site.ranges:
            first, last = (int(n) for n in asked.removeprefix("bytes=").split("-"))
            last = min(last, len(data) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            data = data[first : last + 1]
        else:
            self.send_response(200)
        if self.path.endswith("/"):
            self.send_header("Content-Type", "text/html")
        self.send_header("ETag", site.etag)
        if site.tells_size:
            self.send_header("Content-Length", str(len(data)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if not body:
            return None
        if mishap == "stall":
            site.over.wait(30)
            self.close_connection = True
            return None
        if mishap == "garble":
            data = bytes(byte ^ 0xFF for byte in data)
        if mishap == "break":
            data = data[: len(data) // 2]
            self.close_connection = True
        try:
            for start in range(0, len(data), 65_536):
                with site.lock:  # first, since whoever has the bytes may look at once
                    site.body_bytes += len(data[start : start + 65_536])
                self.wfile.write(data[start : start + 65_536])
        except OSError:
            self.close_connection = True
        return None

    def _refuse(self, status: int, retry_after: str = "", location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serving(files: dict[str, bytes], **how: Any) -> Iterator[Site]:
    """Serve files by path, such as ``/set.zip``, until the block ends."""
    site = Site(files, **how)
    handler = type("Handler", (_Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.over.set()
        server.shutdown()
        server.server_close()
        thread.join()

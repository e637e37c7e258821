"""How a server is asked, how long for, how often, and what its answer must look like.

All transport is fsspec's. Of HTTP only the session is set up here; other protocols have their own
time-outs.
"""

import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import fsspec
import fsspec.asyn

from explorer._version import __version__
from explorer.errors import VolumeError

ATTEMPTS = 5
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0
"""A server that asks to wait longer is given up."""

CONNECT_S = 15.0
STALL_S = 30.0
ANSWER_S = 600.0
"""Until a connection stands, without a byte, and for a whole answer."""

_CONNECTIONS = 4
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_SECRET = re.compile(r"sig|token|key|cred|secret|auth|pass|expires|amz", re.IGNORECASE)
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_T = TypeVar("_T")


class RefusedError(OSError):
    """A server's answer that is not the file.

    Parameters
    ----------
    status
        Of HTTP.
    reason
        Its text.
    retry_after_s
        How long the server asks to wait.
    """

    def __init__(self, status: int, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(f"the server answers {status} {reason[:80]}".rstrip())
        self.status = status
        self.retry_after_s = retry_after_s


@dataclass
class Guard:
    """Looks at the head of every answer before its body is read.

    Attributes
    ----------
    where
        What to call the place in messages.
    size, etag
        Of the file that was opened; None and empty where anything goes.
    """

    where: str
    size: int | None = None
    etag: str = ""

    async def __call__(self, response: Any) -> None:  # noqa: ANN401 - aiohttp is optional
        """Raise `RefusedError`, `VolumeError` or `OSError` when the answer is not what was asked for."""
        headers = response.headers
        if response.status >= 400:
            raise RefusedError(
                response.status, response.reason or "", _seconds(headers.get("Retry-After", ""))
            )
        etag = headers.get("ETag", "")
        if self.etag and etag and etag.removeprefix("W/") != self.etag.removeprefix("W/"):
            raise changed(self.where)
        asked = response.request_info.headers.get("Range")
        if not asked:
            return
        if response.status != 206:
            raise VolumeError(
                f"The server of {self.where} ignores byte ranges: it answers {response.status} with all of "
                "the file, so that a case would cost a whole download. Fetch it once, and give its path.",
                "network",
            )
        sent = _RANGE.fullmatch(headers.get("Content-Range", ""))
        if not sent or f"bytes={sent[1]}-{sent[2]}" != asked:
            raise OSError(f"asked for {asked}, it sends {headers.get('Content-Range')!r}")
        if self.size is not None and sent[3] not in (str(self.size), "*"):
            raise changed(self.where)


def changed(where: str) -> VolumeError:
    """Return the error for a file that is no longer the one that was opened."""
    return VolumeError(f"{where} has changed since it was opened: open the data set again.", "changed")


def file_system(url: str, guard: Guard) -> tuple[Any, str]:
    """Return a file system for a URL, chained ones too, and the path within it.

    Parameters
    ----------
    url
        As fsspec understands it.
    guard
        Sees every answer of an HTTP server.

    Raises
    ------
    ImportError
        A package for its protocol is not installed.
    ValueError
        fsspec knows no such protocol.
    """
    protocols = {link.partition("://")[0] for link in url.split("::")} & {"http", "https"}
    http = {"get_client": partial(_session, guard), "skip_instance_cache": True}
    fs, path = fsspec.url_to_fs(url, **{protocol: dict(http) for protocol in protocols})
    return fs, str(path)


async def _session(guard: Guard, **options: Any) -> Any:  # noqa: ANN401
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
        headers={"User-Agent": f"totalseg-explorer/{__version__}", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=ANSWER_S, sock_connect=CONNECT_S, sock_read=STALL_S),
        raise_for_status=guard,
        trust_env=True,
        **options,
    )


def load(fs: Any, url: str, most: int) -> bytes:  # noqa: ANN401 - fsspec is untyped
    """Return a file's bytes from a web server, whose listing need not tell how many there are.

    Parameters
    ----------
    fs
        Of HTTP, as of `file_system`.
    url
        Of the file.
    most
        Bytes that are taken.

    Raises
    ------
    VolumeError
        There are more.
    OSError
        The server refuses, or the connection broke.
    """
    data: bytes = fsspec.asyn.sync(fs.loop, _load, fs, url, most)
    return data


async def _load(fs: Any, url: str, most: int) -> bytes:  # noqa: ANN401
    pieces: list[bytes] = []
    loaded = 0
    session = await fs.set_session()
    async with session.get(fs.encode_url(url), **fs.kwargs) as response:
        announced = response.content_length or 0
        async for piece in response.content.iter_any():
            pieces.append(piece)
            loaded += len(piece)
            if max(announced, loaded) > most:
                what = f"has more than the {most:,} bytes that are plausible for a file."
                raise VolumeError(f"{redacted(url)} {what}", "too_long")
    return b"".join(pieces)


def persist(get: Callable[[], _T], where: str, loaded: int = 0, total: int = 0) -> _T:
    """Return what `get` returns; where trying again may help, wait and do.

    Parameters
    ----------
    get
        Asks the server.
    where
        What to call the place in messages.
    loaded, total
        Bytes that had arrived before, of how many.

    Raises
    ------
    FileNotFoundError
        The server has no such file.
    VolumeError
        It refuses, or the connection broke too often.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return get()
        except _failures() as error:
            # fsspec hides what stopped it from looking at a file behind a FileNotFoundError.
            cause = error.__cause__ if isinstance(error, FileNotFoundError) else error
            if cause is None or (isinstance(cause, RefusedError) and cause.status in (404, 410)):
                raise FileNotFoundError(where) from error
            if isinstance(cause, VolumeError):
                raise cause from None
            wait_s = _wait_s(cause, attempt)
            if wait_s is None:
                raise VolumeError(_broken(cause, where, attempt, loaded, total), "network") from error
        time.sleep(wait_s)


def _wait_s(cause: BaseException, attempt: int) -> float | None:
    """Return how long to wait before the next attempt, or None where there is to be none."""
    final = isinstance(cause, ValueError | PermissionError | IsADirectoryError | NotADirectoryError)
    refused = isinstance(cause, RefusedError) and cause.status not in _AGAIN
    if final or refused or attempt >= ATTEMPTS:
        return None
    asked_s = cause.retry_after_s if isinstance(cause, RefusedError) else 0.0
    if asked_s > LONGEST_WAIT_S:
        return None
    least_s: float = max(asked_s, FIRST_WAIT_S * 2.0 ** (attempt - 1))
    return least_s * random.uniform(1.0, 1.25)  # noqa: S311


def _broken(cause: BaseException, where: str, attempt: int, loaded: int, total: int) -> str:
    told = f"nothing came for {STALL_S:g} s" if isinstance(cause, TimeoutError) else str(cause)
    text = f"Cannot read {where}: {(told or type(cause).__name__)[:300].rstrip('.')}; tried {attempt} times"
    if total:
        text += f", {loaded:,} of {total:,} bytes had arrived"
    if isinstance(cause, RefusedError):
        if cause.retry_after_s > LONGEST_WAIT_S:
            return f"{text}. The server asks to wait {cause.retry_after_s:.0f} s: try again after that."
        if cause.status in (401, 403):
            return f"{text}. See that you may read it."
    return f"{text}. See that the address is right and the network is up, and try again."


def _failures() -> tuple[type[BaseException], ...]:
    failures: tuple[type[BaseException], ...] = (OSError, EOFError, ValueError)
    with suppress(ImportError):
        import aiohttp

        failures += (aiohttp.ClientError,)
    return failures


def _seconds(retry_after: str) -> float:
    """Read a ``Retry-After`` header: seconds or a date (RFC 9110, 10.2.3)."""
    with suppress(ValueError):
        return max(0.0, float(int(retry_after)))
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    return 0.0


def redacted(url: str) -> str:
    """Return a URL as it may be shown and stored: without passwords and signatures."""
    return "::".join(_redacted(link) for link in url.split("::"))


def _redacted(link: str) -> str:
    try:
        parts = urlsplit(link)
    except ValueError:  # such as an unclosed bracket around an IPv6 address
        return link.partition("?")[0].rpartition("@")[2]
    query = [(key, value) for key, value in parse_qsl(parts.query) if not _SECRET.search(key)]
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=place, query=urlencode(query), fragment=""))

"""A link of a given speed between a browser and a server on this machine.

A relay of TCP, so that it holds for websockets too, over which a notebook's kernel speaks.
"""

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

CHUNK = 4096


@dataclass
class SlowLink:
    """Relays TCP to a port of this machine; slow only once `slow` is set.

    Attributes
    ----------
    target
        Port that is relayed to.
    bits_per_second
        In each direction, of each connection.
    round_trip
        Seconds there and back.
    slow
        Whether bytes are held up.
    port
        Where it listens.
    """

    target: int
    bits_per_second: float = 1e6
    round_trip: float = 0.1
    slow: bool = False
    port: int = 0

    def __enter__(self) -> Self:
        started = threading.Event()

        async def serve() -> None:
            self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
            server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            started.set()
            await self._done.wait()
            server.close()

        # At the end `run` cancels what is still relayed, and waits for it.
        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), name="slow-link", daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Streams log a connection that was cancelled as an error.
        with suppress(asyncio.CancelledError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
            await asyncio.gather(self._relay(reader, there_writer), self._relay(there_reader, writer))

    async def _relay(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Send on what comes, each chunk when the line before it is free and its way is done."""
        loop = asyncio.get_running_loop()
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)

        async def deliver() -> None:
            while True:
                due, data = await line.get()
                if not data:
                    break
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                target.write(data)
                await target.drain()
            target.close()

        delivering = loop.create_task(deliver())
        free = 0.0
        try:
            while data := await source.read(CHUNK if self.slow else 2**18):
                due = 0.0
                if self.slow:
                    free = max(free, loop.time()) + 8 * len(data) / self.bits_per_second
                    due = free + self.round_trip / 2
                await line.put((due, data))
        except OSError:
            pass
        await line.put((0.0, b""))
        await asyncio.gather(delivering, return_exceptions=True)

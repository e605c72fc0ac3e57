"""A TCP proxy that can simulate a half-open connection: it stays up and drops all data.

SIGUSR1 starts dropping. SIGUSR2 ends it and resets all connections.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from luckygas.testing.servers import Server


class HalfOpenProxy(Server):
    """The proxy process in front of `server`."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._to = server.port

    def command(self) -> list[str]:
        return [sys.executable, "-m", "luckygas.testing.half_open_proxy", str(self._to), str(self.port)]

    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}

    def drop_data(self) -> None:
        self.send(signal.SIGUSR1)

    def recover(self) -> None:
        self.send(signal.SIGUSR2)


class Proxy:
    def __init__(self, to: int) -> None:
        self._to = to
        self._flows = asyncio.Event()
        self._flows.set()
        self._links: set[asyncio.StreamWriter] = set()

    async def serve(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._flows.clear)
        loop.add_signal_handler(signal.SIGUSR2, self.recover)
        async with await asyncio.start_server(self.link, "127.0.0.1", port) as server:
            await server.serve_forever()

    def recover(self) -> None:
        self._flows.set()
        for link in self._links:
            link.transport.abort()

    async def link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:  # refuse the connection, as without a proxy
            writer.transport.abort()
            return
        pair = {writer, back}
        self._links |= pair
        await asyncio.gather(self.pipe(reader, back), self.pipe(there, writer), return_exceptions=True)
        self._links -= pair
        for end in pair:
            end.close()

    async def pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self._flows.is_set():
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


if __name__ == "__main__":
    asyncio.run(Proxy(int(sys.argv[1])).serve(int(sys.argv[2])))

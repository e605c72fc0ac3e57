"""A TCP proxy that can simulate a half-open connection, which stays up while its data get lost.

SIGUSR1 makes it drop data. SIGUSR2 makes it forward data again and resets all connections.
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
        self._target_port = server.port

    def command(self) -> list[str]:
        return [sys.executable, "-m", "luckygas.testing.half_open_proxy", str(self._target_port), str(self.port)]

    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}

    def drop_data(self) -> None:
        self.send(signal.SIGUSR1)

    def recover(self) -> None:
        self.send(signal.SIGUSR2)


class Proxy:
    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._forwards = asyncio.Event()
        self._forwards.set()
        self._connections: set[asyncio.StreamWriter] = set()

    async def serve(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._forwards.clear)
        loop.add_signal_handler(signal.SIGUSR2, self.recover)
        async with await asyncio.start_server(self.handle, "127.0.0.1", port) as server:
            await server.serve_forever()

    def recover(self) -> None:
        self._forwards.set()
        for connection in self._connections:
            connection.transport.abort()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:  # the server is down: reset the connection
            writer.transport.abort()
            return
        pair = {writer, target_writer}
        self._connections |= pair
        await asyncio.gather(self.pipe(reader, target_writer), self.pipe(target_reader, writer), return_exceptions=True)
        self._connections -= pair
        for end in pair:
            end.close()

    async def pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self._forwards.is_set():
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


if __name__ == "__main__":
    asyncio.run(Proxy(int(sys.argv[1])).serve(int(sys.argv[2])))

"""A TCP proxy that can turn into a half-open link: up, and nothing goes through. `python -m bench.swallow TO`.

SIGUSR1 begins swallowing, SIGUSR2 ends it and resets what was swallowed.
"""

from __future__ import annotations

import asyncio
import signal
import sys


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
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
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

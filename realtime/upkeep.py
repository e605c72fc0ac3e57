"""What a hub does every so often, whatever happens in the log: one timer each for all its sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from django.conf import settings

from realtime import rights
from realtime.limits import ENDED, SILENT
from realtime.readers import Readers
from web import system_metrics

logger = logging.getLogger(__name__)

# How often the rights of all readers are asked again: for what changed past every signal, as by SQL.
RIGHTS_SECONDS = 45.0
# How often, within the silence that is allowed, it is looked who keeps it.
SILENCE_LOOKS = 15


class Upkeep:
    """Of one hub. `ask` calls a function on a thread; all else is on the event loop."""

    def __init__(self, readers: Readers, ask: Callable[..., Awaitable[Any]]) -> None:
        self._readers, self._ask = readers, ask

    async def run(self) -> None:
        await asyncio.gather(
            _every(RIGHTS_SECONDS, self._check_rights),
            _every(system_metrics.WRITE_SECONDS, self._write_metrics),
            _every(settings.WEBSOCKET_SILENCE_SECONDS / SILENCE_LOOKS, self._close_silent),
        )

    async def _check_rights(self) -> None:
        readers = [reader for reader in self._readers.open if reader.identity.user_id is not None]
        present = await self._ask(rights.present, {reader.identity.user_id for reader in readers})
        for reader in readers:
            if present.get(reader.identity.user_id) != reader.identity.rights:
                reader.close(ENDED)

    async def _write_metrics(self) -> None:
        await self._ask(system_metrics.write)

    async def _close_silent(self) -> None:
        since = monotonic() - settings.WEBSOCKET_SILENCE_SECONDS
        for reader in self._readers.open:
            if reader.heard_at < since:
                reader.close(SILENT)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception:  # usually a database that is away
            logger.exception("The hub's upkeep (%s) failed and is tried again.", work.__name__)
        await asyncio.sleep(seconds)

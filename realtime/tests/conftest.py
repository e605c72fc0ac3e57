from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page

from realtime.hub import Hub
from realtime.tests.browser import PlayedServer


@pytest_asyncio.fixture(loop_scope="session")
async def server(page: Page) -> PlayedServer:
    """The other end of an empty page's sockets, played by the test; the page's clock runs and can be put forward."""
    played = PlayedServer(page)
    await page.clock.install()
    await played.start()
    return played


@pytest.fixture
async def hub(transactional_db: None) -> AsyncIterator[Hub]:
    hub = await Hub.current()
    await asyncio.sleep(0.1)  # it has listened to the layer and looked once
    yield hub
    await hub.stop()

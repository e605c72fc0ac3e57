from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page

from realtime.hub import Hub
from realtime.tests.browser import SimulatedServer


@pytest_asyncio.fixture(loop_scope="session")
async def server(page: Page) -> SimulatedServer:
    """A simulated server for an empty page. The page's clock runs and can be moved forward."""
    simulated = SimulatedServer(page)
    await page.clock.install()
    await simulated.start()
    return simulated


@pytest.fixture
async def hub(transactional_db: None) -> AsyncIterator[Hub]:
    """The hub of the test's event loop."""
    hub = await Hub.current()
    await asyncio.sleep(0.1)  # until the hub has joined the channel layer and read the log once
    yield hub
    await hub.stop()

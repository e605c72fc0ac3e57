from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Page

from luckygas.testing.plugin import touches_database
from realtime.models import LogHead
from realtime.tests.browser import PlayedServer


@pytest.fixture(autouse=True)
def _no_head_yet(request: pytest.FixtureRequest) -> None:
    """A server that the test before killed may still have made one: PostgreSQL ends the statement that it began."""
    if not touches_database(request.node):
        return
    marker = request.node.get_closest_marker("django_db")
    commits = "transactional_db" in request.fixturenames or (marker and marker.kwargs.get("transaction"))
    request.getfixturevalue("transactional_db" if commits else "db")
    LogHead.objects.all().delete()


@pytest_asyncio.fixture(loop_scope="session")
async def server(page: Page) -> PlayedServer:
    """The other end of an empty page's sockets, played by the test; the page's clock runs and can be put forward."""
    played = PlayedServer(page)
    await page.clock.install()
    await played.start()
    return played

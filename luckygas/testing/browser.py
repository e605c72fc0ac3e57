"""A headless Chromium for the tests: one browser for each process of pytest, and a fresh page for each test.

Uses the installed browser; `install_browser.sh` installs Debian's. Without a browser the tests fail.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from axe_playwright_python.async_playwright import Axe
from django.test import Client
from playwright.async_api import Browser, Error, Page, Playwright, async_playwright, expect

from luckygas.testing.servers import Server, Unavailable, running
from luckygas.testing.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from luckygas.testing.site import Site

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
    # Chromium treats a page that a test serves itself (`route.fulfill`) as remote. It could block requests of that page
    # to loopback.
    "--disable-features=LocalNetworkAccessChecks",
)  # fmt: skip
# The time limit for anything on a page, which allows for one failed try.
WAIT_MS = PATIENCE_SECONDS * 1_000
# Removes the interfaces that browsers hide from pages on plain http, because those are not secure contexts.
INSECURE = """
delete Crypto.prototype.randomUUID;
for (const name of ["locks", "serviceWorker", "storage", "mediaDevices"]) delete Navigator.prototype[name];
delete window.caches;
"""
# A browser that needs longer to open an empty page is broken, and the fixture `page` restarts it.
OPEN_SECONDS = 15


class Chromium(Server):
    """A browser that tests control through its debugging port. `debugger` is the connection that all tests share."""

    debugger: Browser | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        found = next(filter(None, map(shutil.which, NAMES)), None)
        if found is None:
            raise Unavailable("Chromium was not found: run luckygas/testing/install_browser.sh, or install `chromium`.")
        where = [f"--remote-debugging-port={self.port}", f"--user-data-dir={self.directory}/profile"]
        return [found, *FLAGS, *where, "about:blank"]

    def send(self, number: signal.Signals) -> None:
        """Signals the whole process group, because Debian's command is a script that waits for the browser."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def restart(self) -> None:
        self.debugger = None
        self.kill()
        self.start()

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Freezes the browser, like a laptop with a closed lid."""
        self.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(signal.SIGCONT)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    with running(Chromium()) as browser:
        yield browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    """Starts Playwright's Node process once per run, because each start costs 0.3 s of CPU.

    So all browser tests share one event loop.
    """
    expect.set_options(timeout=WAIT_MS)
    async with async_playwright() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def page(playwright: Playwright, chromium: Chromium) -> AsyncIterator[Page]:
    """An empty page without cookies or storage. An uncaught error in it fails the test."""
    try:
        opened = await _open(playwright, chromium)
    except (TimeoutError, Error):  # earlier tests broke the browser: restart it
        await asyncio.to_thread(chromium.restart)
        opened = await _open(playwright, chromium)
    errors = list[str]()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    assert chromium.debugger is not None
    for context in chromium.debugger.contexts[1:]:  # the first context is the browser's own
        await context.close()
    assert errors == []


async def _open(playwright: Playwright, chromium: Chromium) -> Page:
    async with asyncio.timeout(OPEN_SECONDS):
        if chromium.debugger is None:
            chromium.debugger = await playwright.chromium.connect_over_cdp(chromium.url)
        context = await chromium.debugger.new_context(locale="zh-TW", timezone_id="Asia/Taipei")
        context.set_default_timeout(WAIT_MS)
        return await context.new_page()


async def until(page: Page, expression: str, argument: Any = None) -> Any:
    """Waits until a JavaScript expression is true, and returns its value. Works while the page's clock is paused."""
    async with asyncio.timeout(WAIT_MS / 1000):
        while not (value := await page.evaluate(expression, argument)):  # noqa: ASYNC110  (the page sends no event)
            await asyncio.sleep(0.03)
    return value


async def sign_in(page: Page, site: Site, user: User, path: str = "/") -> None:
    """Signs `user` in without the sign-in page, and opens `path` of the site."""
    session = Client()
    await sync_to_async(session.force_login)(user)
    cookie = session.cookies["sessionid"].value
    await page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": site.url}])
    await page.goto(site.url + path)


async def serious_faults(page: Page) -> list[str]:
    """Returns the accessibility violations that axe finds (WCAG 2.2 A and AA)."""
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    found = (await Axe().run(page, options=rules)).response["violations"]
    return [
        f"{fault['id']} ({fault['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for fault in found
        for node in fault["nodes"]
    ]

"""The dashboard in a browser: it follows events, causes no browser errors, and shows when the site is down."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import ConsoleMessage, Locator, Page, expect

from luckygas.testing import cluster
from luckygas.testing.browser import WAIT_MS, serious_faults, sign_in, until
from luckygas.testing.cluster import Cluster
from luckygas.testing.site import Site, manage
from orders.tests.factories import PASSWORD, make_office, make_order
from web.models import SystemMetric
from web.system_metrics import minute_of
from web.tests.metrics_rows import lags, make_minute

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/health/dashboard/"
DRAWN = "() => [...document.querySelectorAll('figure img')].every((img) => img.complete && img.naturalWidth > 0)"


@pytest.fixture
def console_errors(page: Page) -> list[str]:
    """The browser's errors and warnings, such as a policy violation or a missing file."""
    errors: list[str] = []

    def record(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            errors.append(message.text)

    page.on("console", record)
    return errors


@make
def minute_ago(connections: int) -> None:
    gauges = {"luckygas_websocket_connections office ws": connections, "luckygas_orders pending": 2}
    at = timezone.now() - timedelta(minutes=1)
    SystemMetric.objects.filter(span="minute", at=minute_of(at)).delete()
    make_minute(at, {"luckygas_events_numbered_total": 6} | lags(ms_5=6), gauges)


def tile(page: Page, label: str) -> Locator:
    return page.locator(".figures div", has_text=label).locator("dd").first


def open_orders(page: Page) -> Locator:
    return tile(page, "未完成訂單")


async def test_page_follows_events_and_leaves_tables_open(page: Page, site: Site, console_errors: list[str]) -> None:
    await sign_in(page, site, await make(make_office)(), PAGE)
    await expect(open_orders(page)).to_have_text("0")
    await until(page, "() => document.querySelector('connection-status').dataset.state === 'live'")
    await page.locator("section summary").first.click()
    before = await page.locator("[data-live=hour-connections]").get_attribute("src")
    await minute_ago(23)
    await make(make_order)()
    await expect(open_orders(page)).to_have_text("1")
    await expect(page.locator("[data-live=hour-connections]")).not_to_have_attribute("src", before or "")
    assert "23" in (await page.locator("[data-live=hour-connections]").get_attribute("alt") or "")
    assert await page.locator("details[open] tbody tr").count() == 60
    await until(page, DRAWN)
    assert console_errors == []


async def test_page_counts_its_own_connection(page: Page, site: Site) -> None:
    await sign_in(page, site, await make(make_office)(), PAGE)
    await expect(tile(page, "即時連線")).to_have_text("1")


async def test_many_events_cause_few_requests(page: Page, site: Site) -> None:
    await sign_in(page, site, await make(make_office)(), PAGE)
    await until(page, "() => document.querySelector('connection-status').dataset.state === 'live'")
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url) if request.resource_type == "fetch" else None)
    for _ in range(10):
        await make(make_order)()
    await expect(open_orders(page)).to_have_text("10")
    assert 1 <= len(urls) <= 4


async def advance_until_visible(page: Page, shown: Locator) -> None:
    """Advances the page's clock by 11 s until `shown` is visible.

    If a request is under way, the page starts no second one.
    """
    async with asyncio.timeout(WAIT_MS / 1000):
        while not await shown.is_visible():
            await page.clock.fast_forward(11_000)
            await asyncio.sleep(0.2)


async def test_page_shows_when_the_site_is_down_and_back(page: Page, site: Site) -> None:
    await page.clock.install()
    await sign_in(page, site, await make(make_office)(), PAGE)
    unreachable, failing, verdict = map(page.locator, ("#unreachable", "#failing", "#verdict"))
    await expect(unreachable).to_be_hidden()
    site.kill()
    await advance_until_visible(page, unreachable)
    await expect(failing).to_be_hidden()
    await make(site.start)()
    await advance_until_visible(page, verdict)
    await expect(unreachable).to_be_hidden()


@pytest.fixture
def servers() -> Iterator[Cluster]:
    """A site with its own database and the account `boss`."""
    with cluster.running(["uvicorn"]) as servers:
        boss = "--username=boss", "--email=boss@example.com"
        manage("createsuperuser", "--noinput", *boss, DJANGO_SUPERUSER_PASSWORD=PASSWORD, **servers.environment)
        yield servers


def execute(servers: Cluster, sql: str) -> None:
    with psycopg.connect(servers.postgres.url, autocommit=True) as connection:
        connection.execute(sql)


@pytest.mark.long
async def test_pages_say_when_the_database_is_down(page: Page, servers: Cluster) -> None:
    (site,) = servers.sites
    await page.clock.install()
    await page.goto(f"{site.url}/accounts/login/?next={PAGE}")
    await page.fill("[name=username]", "boss")
    await page.fill("[name=password]", PASSWORD)
    await page.click("form.card button[type=submit]")
    down, failing, unreachable, verdict = map(page.locator, ("#database-down", "#failing", "#unreachable", "#verdict"))
    await expect(verdict).to_be_visible()
    await until(page, "() => document.querySelector('connection-status').dataset.state === 'live'")
    await until(page, DRAWN)
    await expect(down).to_be_hidden()
    execute(servers, "ALTER TABLE system_metrics RENAME TO elsewhere")
    await advance_until_visible(page, failing)
    assert [await wrong.is_visible() for wrong in (down, unreachable, verdict)] == [False, False, False]
    execute(servers, "ALTER TABLE elsewhere RENAME TO system_metrics")
    await advance_until_visible(page, verdict)
    await expect(failing).to_be_hidden()
    servers.postgres.kill(signal.SIGQUIT)
    await advance_until_visible(page, down)
    await expect(down).to_contain_text("資料庫沒有回應。")
    assert [await wrong.is_visible() for wrong in (failing, unreachable, verdict)] == [False, False, False]
    new_page = await page.context.new_page()
    for path, text in ((PAGE, "資料庫沒有回應。"), ("/", "資料庫忙碌或無法連線")):
        answer = await new_page.goto(site.url + path)
        assert answer is not None
        assert (answer.status, text in await new_page.inner_text("main")) == (503, True)
        assert await serious_faults(new_page) == []
    servers.postgres.start()
    await advance_until_visible(page, verdict)
    assert (await unreachable.is_visible(), await down.is_visible()) == (False, False)


@pytest.mark.long
async def test_dashboard_is_accessible(page: Page, site: Site) -> None:
    await minute_ago(3)
    await sign_in(page, site, await make(make_office)(), PAGE)
    for summary in await page.locator("section summary").all():
        await summary.click()
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for width in (390, 1280):
            await page.set_viewport_size({"width": width, "height": 844})
            assert await serious_faults(page) == [], (scheme, width)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

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
def said(page: Page) -> list[str]:
    """The browser's errors, such as a policy violation or a missing file."""
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", hear)
    return complaints


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


async def test_page_follows_events_and_keeps_the_rest(page: Page, site: Site, said: list[str]) -> None:
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
    assert said == []


async def test_page_counts_its_own_connection(page: Page, site: Site) -> None:
    await sign_in(page, site, await make(make_office)(), PAGE)
    await expect(tile(page, "即時連線")).to_have_text("1")


async def test_many_events_cause_one_request_per_second(page: Page, site: Site) -> None:
    await sign_in(page, site, await make(make_office)(), PAGE)
    await until(page, "() => document.querySelector('connection-status').dataset.state === 'live'")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.resource_type == "fetch" else None)
    for _ in range(10):
        await make(make_order)()
    await expect(open_orders(page)).to_have_text("10")
    assert 1 <= len(asked) <= 4


async def later(page: Page, shown: Locator) -> None:
    """Advances the page's clock by ten seconds until it shows this. Time during a request causes no second one."""
    async with asyncio.timeout(WAIT_MS / 1000):
        while not await shown.is_visible():
            await page.clock.fast_forward(11_000)
            await asyncio.sleep(0.2)


async def test_page_shows_when_the_site_is_down_and_back(page: Page, site: Site) -> None:
    await page.clock.install()
    await sign_in(page, site, await make(make_office)(), PAGE)
    away, failing, verdict = map(page.locator, ("#unreachable", "#failing", "#verdict"))
    await expect(away).to_be_hidden()
    site.kill()
    await later(page, away)
    await expect(failing).to_be_hidden()
    await make(site.start)()
    await later(page, verdict)
    await expect(away).to_be_hidden()


@pytest.fixture
def house() -> Iterator[Cluster]:
    """A site with its own database and the account `boss`."""
    with cluster.running(["uvicorn"]) as made:
        boss = "--username=boss", "--email=boss@example.com"
        manage("createsuperuser", "--noinput", *boss, DJANGO_SUPERUSER_PASSWORD=PASSWORD, **made.environment)
        yield made


def execute(house: Cluster, sql: str) -> None:
    with psycopg.connect(house.postgres.url, autocommit=True) as connection:
        connection.execute(sql)


@pytest.mark.long
async def test_pages_say_when_the_database_is_down(page: Page, house: Cluster) -> None:
    (site,) = house.sites
    await page.clock.install()
    await page.goto(f"{site.url}/accounts/login/?next={PAGE}")
    await page.fill("[name=username]", "boss")
    await page.fill("[name=password]", PASSWORD)
    await page.click("form.card button[type=submit]")
    down, failing, away, verdict = map(page.locator, ("#database-down", "#failing", "#unreachable", "#verdict"))
    await expect(verdict).to_be_visible()
    await until(page, "() => document.querySelector('connection-status').dataset.state === 'live'")
    await until(page, DRAWN)
    await expect(down).to_be_hidden()
    execute(house, "ALTER TABLE system_metrics RENAME TO elsewhere")
    await later(page, failing)
    assert [await wrong.is_visible() for wrong in (down, away, verdict)] == [False, False, False]
    execute(house, "ALTER TABLE elsewhere RENAME TO system_metrics")
    await later(page, verdict)
    await expect(failing).to_be_hidden()
    house.postgres.kill(signal.SIGQUIT)
    await later(page, down)
    await expect(down).to_contain_text("資料庫沒有回應。")
    assert [await wrong.is_visible() for wrong in (failing, away, verdict)] == [False, False, False]
    afresh = await page.context.new_page()
    for path, words in ((PAGE, "資料庫沒有回應。"), ("/", "資料庫忙碌或無法連線")):
        answer = await afresh.goto(site.url + path)
        assert answer is not None
        assert (answer.status, words in await afresh.inner_text("main")) == (503, True)
        assert await serious_faults(afresh) == []
    house.postgres.start()
    await later(page, verdict)
    assert (await away.is_visible(), await down.is_visible()) == (False, False)


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

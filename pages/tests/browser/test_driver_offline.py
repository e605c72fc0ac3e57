"""The driver's page offline: it opens, stores reports, and sends each once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from playwright.async_api import APIResponse, Route

from dispatch.models import Driver
from luckygas.testing.browser import until
from luckygas.testing.site import Site
from luckygas.testing.waiting import wait_for_async
from orders.models import Order, OrderStatusChange, ProofImage
from orders.states import OrderStatus
from pages.tests.browser.phone import Phone, driver_reports, make_stop, reload_order, wait_until_true

pytestmark = pytest.mark.django_db(transaction=True)


# Sets the phone's clock two hours back, so that reports look as if the phone had been offline for that long.
TWO_HOURS_AGO = """() => {
  const now = Date.now;
  Date.now = () => now() - 7_200_000;
}"""


async def test_offline_delivery_survives_a_reload_and_is_sent_once(phone: Phone, driver: Driver) -> None:
    first, second = await make(make_stop)(driver), await make(make_stop)(driver)
    await phone.open()
    await phone.wait_until_installed()
    await phone.page.context.set_offline(True)
    phone.site.kill()
    await phone.page.evaluate(TWO_HOURS_AGO)
    await make(first.history.update)(at=first.created_at - timedelta(hours=3))
    await make(Order.objects.filter(pk=first.pk).unannounced().update)(created_at=first.created_at - timedelta(hours=3))
    await phone.deliver("CYL-1")
    await phone.wait_for_text("#done .stop .pending", "")
    assert await phone.count_waiting() == 4
    await phone.page.reload()
    await phone.wait_for_text("#next h2", second.customer.name)
    await phone.wait_for_text("#done .stop", first.customer.name)
    await phone.page.locator("#stale").wait_for()
    assert await phone.count_waiting() == 4
    await asyncio.to_thread(phone.site.start)
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(first, "delivered")
    changes = await driver_reports(first)
    assert [(row.to_status, row.source, row.sent_later) for row in changes] == [
        ("delivering", "page", True), ("arriving", "page", True), ("delivered", "page", True),
    ]  # fmt: skip
    assert timedelta(hours=1, minutes=58) < changes[0].recorded_at - changes[0].at < timedelta(hours=2, minutes=2)
    assert changes[0].at <= changes[1].at <= changes[2].at
    proof = await make(first.confirmations.get)()
    assert (proof.confirmation_type, proof.cylinder_serials) == ("signature", ["CYL-1"])
    assert await make(ProofImage.objects.filter(order=first).count)() == 1
    await phone.wait_until_live()
    assert await phone.page.locator(".pending:visible").count() == 0


@pytest.mark.long
async def test_reports_are_sent_once_although_the_server_is_killed(phone: Phone, driver: Driver) -> None:
    stops = [await make(make_stop)(driver) for _ in range(3)]
    await phone.open()
    await phone.page.context.set_offline(True)
    for number in range(3):
        await phone.deliver(f"CYL-{number}")
    await phone.page.context.set_offline(False)
    await wait_until_true(lambda: OrderStatusChange.objects.filter(to_status=OrderStatus.DELIVERED).exists())
    phone.site.kill()
    await asyncio.to_thread(phone.site.start)
    for stop in stops:
        await phone.wait_for_server(stop, "delivered")
        assert [row.to_status for row in await driver_reports(stop)] == ["delivering", "arriving", "delivered"]
    assert await make(ProofImage.objects.count)() == 3


async def test_lost_response_is_retried_with_the_same_ref(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    lost: list[APIResponse] = []

    async def lose(route: Route) -> None:
        if lost:
            await route.continue_()
            return
        lost.append(await route.fetch())
        await route.abort()

    await phone.page.context.route("**/status/", lose)
    await phone.open()
    await phone.go("delivering")
    await phone.wait_for_server(order, "delivering")
    assert len(lost) == 1
    assert [row.to_status for row in await driver_reports(order)] == ["delivering"]


FAULT = {"status": 500, "body": "{}"}
LOCKED_ERROR = {"code": "row_locked", "detail": "Another change to this is in progress.", "attr": None}
LOCKED = {
    "status": 503, "headers": {"Retry-After": "1"}, "json": {"type": "server_error", "errors": [LOCKED_ERROR]}
}  # fmt: skip


@pytest.mark.parametrize("answer", [pytest.param(FAULT, marks=pytest.mark.long), LOCKED], ids=["fault", "row_locked"])
async def test_failing_report_does_not_block_other_stops(phone: Phone, driver: Driver, answer: dict[str, Any]) -> None:
    failing, other = await make(make_stop)(driver), await make(make_stop)(driver)
    path = f"**/orders/{failing.pk}/status/"
    await phone.page.context.route(path, lambda route: route.fulfill(**answer))
    await phone.open()
    await phone.go("delivering")
    await phone.choose()
    await phone.go("delivering")
    await wait_until_true(lambda: Order.objects.filter(pk=other.pk, status=OrderStatus.DELIVERING).exists())
    await until(phone.page, "document.querySelectorAll('#waiting li').length === 1")
    await phone.page.context.unroute(path)
    await phone.wait_for_server(failing, "delivering")


async def test_only_one_of_several_tabs_sends(phone: Phone, driver: Driver, site: Site) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    second = Phone(await phone.page.context.new_page(), site, driver)
    await second.open()
    requests: list[str] = []
    phone.page.context.on(
        "request", lambda request: requests.append(request.url) if request.method == "PATCH" else None
    )
    await phone.page.context.set_offline(True)
    await phone.go("delivering")
    await second.page.locator("#next [data-status=delivering] .pending").wait_for()
    await second.go("arriving")
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(order, "arriving")
    await second.wait_for_server(order, "arriving")
    assert len(requests) == len(await driver_reports(order)) == 2
    await second.page.close()


@pytest.mark.long
async def test_tab_steals_the_lock_of_a_frozen_tab(phone: Phone, driver: Driver, site: Site) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    stalled: list[Route] = []

    async def stall(route: Route) -> None:
        stalled.append(route)

    await phone.page.route("**/status/", stall)
    await phone.go("delivering")
    await wait_until_true(lambda: bool(stalled))
    cdp = await phone.page.context.new_cdp_session(phone.page)
    await cdp.send("Page.setWebLifecycleState", {"state": "frozen"})
    page = await phone.page.context.new_page()
    await page.clock.install()
    second = Phone(page, site, driver)
    await second.open()
    await second.go("arriving")
    await page.clock.fast_forward(12_000)
    await second.wait_for_server(order, "arriving")
    # The frozen tab resumes and sends its report, which the second tab has already sent.
    await cdp.send("Page.setWebLifecycleState", {"state": "active"})
    await stalled[0].continue_()
    await phone.wait_for_server(order, "arriving")
    assert [row.to_status for row in await driver_reports(order)] == ["delivering", "arriving"]
    assert await phone.page.locator("#refused .notice").count() == 0
    await page.close()


@pytest.mark.long
async def test_slow_working_tab_keeps_the_lock(phone: Phone, driver: Driver, site: Site) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    stalled: list[Route] = []
    requests: list[str] = []

    async def stall(route: Route) -> None:
        if stalled:
            await route.continue_()
        else:
            stalled.append(route)

    await phone.page.route("**/status/", stall)
    await phone.go("delivering")
    await wait_until_true(lambda: bool(stalled))
    page = await phone.page.context.new_page()
    await page.clock.install()
    second = Phone(page, site, driver)
    page.on("request", lambda request: requests.append(request.url) if request.method == "PATCH" else None)
    await second.open()
    await second.go("arriving")
    alive = "new Promise((resolve) => (new BroadcastChannel('lucky-gas-driver-%d-alive').onmessage = resolve))"
    for _ in "12":
        await page.evaluate(alive % driver.user.pk)
        await page.clock.fast_forward(5_000)
    assert requests == []
    await stalled[0].continue_()
    await second.wait_for_server(order, "arriving")
    await page.close()


async def test_refused_report_shows_until_dismissed_and_blocks_no_other_stop(phone: Phone, driver: Driver) -> None:
    refused, other = await make(make_stop)(driver), await make(make_stop)(driver)
    await phone.open()
    await phone.page.context.set_offline(True)
    await phone.go("delivering")
    await phone.go("arriving")
    await make(refused.transition_to)(OrderStatus.CANCELLED, reason="改日再訂")
    await phone.choose()
    await phone.go("delivering")
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(other, "delivering")
    notice = phone.page.locator("#refused .notice")
    await notice.wait_for()
    assert refused.order_number in await notice.inner_text()
    assert await notice.locator("[data-show=later]").is_visible()
    assert (await reload_order(refused)).status == OrderStatus.CANCELLED
    await phone.page.reload()
    await notice.get_by_role("button").click()
    await notice.wait_for(state="hidden")
    await phone.page.reload()
    await phone.wait_until_live()
    assert await notice.count() == 0


async def test_page_can_be_installed(phone: Phone) -> None:
    await phone.open()
    await phone.wait_until_installed()
    session = await phone.page.context.new_cdp_session(phone.page)
    manifest = await session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"].endswith("/driver/manifest.webmanifest")
    wrong = await session.send("Page.getInstallabilityErrors")
    # The context of a test is like a private window, in which no app can be installed.
    assert [error["errorId"] for error in wrong["installabilityErrors"]] in ([], ["in-incognito"])


# Makes the pauses between attempts as long as possible.
LONGEST_PAUSES = "Math.random = () => 0.999"
# Cancels the page's timers.
NO_TIMERS = "for (let timer = setTimeout(() => {}); timer > 0; timer--) clearTimeout(timer)"


async def test_reconnected_page_retries_a_failed_read_at_once(phone: Phone, driver: Driver) -> None:
    attempts = 0

    async def fail_three_times(route: Route) -> None:
        nonlocal attempts
        attempts += 1
        await (route.abort() if attempts <= 3 else route.continue_())

    await phone.page.add_init_script(LONGEST_PAUSES)
    await phone.open()
    await phone.page.context.route("**/api/v1/orders/*/", fail_three_times)
    new_stop = await make(make_stop)(driver)
    # The attempts come at once and after pauses of 0.5, 1 and 2 seconds. The next pause would be 4 seconds.
    await wait_for_async(lambda: attempts >= 3)
    await phone.page.evaluate(NO_TIMERS)
    await phone.page.context.set_offline(True)
    await until(phone.page, "document.querySelector('connection-status').dataset.state === 'offline'")
    await phone.page.context.set_offline(False)
    await phone.wait_for_text("#next h2", new_stop.customer.name)

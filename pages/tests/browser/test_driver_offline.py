"""The driver's page without a line: everything opens, everything is kept, and is sent once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from playwright.async_api import APIResponse, Route

from dispatch.models import Driver
from luckygas.testing.browser import sign_in, until
from luckygas.testing.site import Site
from orders.models import Order, OrderStatusChange, ProofImage
from orders.states import Status
from orders.tests.factories import PASSWORD, make_driver
from pages.tests.browser.phone import Phone, fresh, make_stop, reports, until_true

pytestmark = pytest.mark.django_db(transaction=True)
# The telephone was without a line for two hours: what it did stands that far back.
TWO_HOURS_AGO = """() => {
  const now = Date.now;
  Date.now = () => now() - 7_200_000;
}"""


# How many stops and reports are kept on the telephone, and whether the page is.
KEPT = """async (user) => {
  const asked = indexedDB.open(`lucky-gas-driver-${user}`);
  const db = await new Promise((resolve) => (asked.onsuccess = () => resolve(asked.result)));
  const count = (name) => new Promise((resolve) => {
    const request = db.transaction(name).objectStore(name).count();
    request.onsuccess = () => resolve(request.result);
  });
  const found = [await count("stops"), await count("queue"), await caches.has("driver-pages")];
  db.close();
  return found;
}"""


async def left_behind(phone: Phone) -> list[object]:
    kept: list[object] = await phone.page.evaluate(KEPT, phone.driver.user.pk)
    return kept


async def waiting(phone: Phone) -> int:
    return await phone.page.locator("#waiting li").count()


async def test_a_delivery_without_a_line_waits_over_a_reload_and_goes_out_once(phone: Phone, driver: Driver) -> None:
    first, second = await make(make_stop)(driver), await make(make_stop)(driver)
    await phone.open()
    await phone.installed()
    await phone.page.context.set_offline(True)
    phone.site.kill()
    await phone.page.evaluate(TWO_HOURS_AGO)
    await make(first.history.update)(at=first.created_at - timedelta(hours=3))
    await make(Order.objects.filter(pk=first.pk).unannounced().update)(created_at=first.created_at - timedelta(hours=3))
    await phone.deliver("CYL-1")
    await phone.shows("#done .stop .pending", "")
    assert await waiting(phone) == 4
    await phone.page.reload()
    await phone.shows("#next h2", second.customer.name)
    await phone.shows("#done .stop", first.customer.name)
    await phone.page.locator("#stale").wait_for()
    assert await waiting(phone) == 4
    await asyncio.to_thread(phone.site.start)
    await phone.page.context.set_offline(False)
    await phone.server_has(first, "delivered")
    said = await reports(first)
    assert [(row.to_status, row.source, row.sent_later) for row in said] == [
        ("delivering", "page", True), ("arriving", "page", True), ("delivered", "page", True),
    ]  # fmt: skip
    assert timedelta(hours=1, minutes=58) < said[0].recorded_at - said[0].at < timedelta(hours=2, minutes=2)
    assert said[0].at <= said[1].at <= said[2].at
    proof = await make(first.confirmations.get)()
    assert (proof.confirmation_type, proof.cylinder_serials) == ("signature", ["CYL-1"])
    assert await make(ProofImage.objects.filter(order=first).count)() == 1
    await phone.live()
    assert await phone.page.locator(".pending:visible").count() == 0


@pytest.mark.long
async def test_a_server_killed_while_it_is_told_loses_and_doubles_nothing(phone: Phone, driver: Driver) -> None:
    stops = [await make(make_stop)(driver) for _ in range(3)]
    await phone.open()
    await phone.page.context.set_offline(True)
    for number in range(3):
        await phone.deliver(f"CYL-{number}")
    await phone.page.context.set_offline(False)
    await until_true(lambda: OrderStatusChange.objects.filter(to_status=Status.DELIVERED).exists())
    phone.site.kill()
    await asyncio.to_thread(phone.site.start)
    for stop in stops:
        await phone.server_has(stop, "delivered")
        assert [row.to_status for row in await reports(stop)] == ["delivering", "arriving", "delivered"]
    assert await make(ProofImage.objects.count)() == 3


async def test_an_answer_that_was_lost_is_asked_for_again(phone: Phone, driver: Driver) -> None:
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
    await phone.server_has(order, "delivering")
    assert len(lost) == 1
    assert [row.to_status for row in await reports(order)] == ["delivering"]


FAULT = {"status": 500, "body": "{}"}
LOCKED_ERROR = {"code": "row_locked", "detail": "Somebody else is changing the same thing.", "attr": None}
LOCKED = {
    "status": 503, "headers": {"Retry-After": "1"}, "json": {"type": "server_error", "errors": [LOCKED_ERROR]}
}  # fmt: skip


@pytest.mark.parametrize("answer", [pytest.param(FAULT, marks=pytest.mark.long), LOCKED], ids=["fault", "row_locked"])
async def test_what_the_server_cannot_do_keeps_no_other_stop_back(
    phone: Phone, driver: Driver, answer: dict[str, Any]
) -> None:
    failing, other = await make(make_stop)(driver), await make(make_stop)(driver)
    path = f"**/orders/{failing.pk}/status/"
    await phone.page.context.route(path, lambda route: route.fulfill(**answer))
    await phone.open()
    await phone.go("delivering")
    await phone.choose()
    await phone.go("delivering")
    await until_true(lambda: Order.objects.filter(pk=other.pk, status=Status.DELIVERING).exists())
    await until(phone.page, "document.querySelectorAll('#waiting li').length === 1")
    await phone.page.context.unroute(path)
    await phone.server_has(failing, "delivering")


async def test_of_several_tabs_one_sends(phone: Phone, driver: Driver, site: Site) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    second = Phone(await phone.page.context.new_page(), site, driver)
    await second.open()
    said: list[str] = []
    phone.page.context.on("request", lambda request: said.append(request.url) if request.method == "PATCH" else None)
    await phone.page.context.set_offline(True)
    await phone.go("delivering")
    await second.page.locator("#next [data-status=delivering] .pending").wait_for()
    await second.go("arriving")
    await phone.page.context.set_offline(False)
    await phone.server_has(order, "arriving")
    await second.server_has(order, "arriving")
    assert len(said) == len(await reports(order)) == 2
    await second.page.close()


@pytest.mark.long
async def test_a_tab_in_front_sends_while_another_is_frozen_with_the_lock(
    phone: Phone, driver: Driver, site: Site
) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    stalled: list[Route] = []

    async def stall(route: Route) -> None:
        stalled.append(route)

    await phone.page.route("**/status/", stall)
    await phone.go("delivering")
    await until_true(lambda: bool(stalled))
    cdp = await phone.page.context.new_cdp_session(phone.page)
    await cdp.send("Page.setWebLifecycleState", {"state": "frozen"})
    page = await phone.page.context.new_page()
    await page.clock.install()
    second = Phone(page, site, driver)
    await second.open()
    await second.go("arriving")
    await page.clock.fast_forward(12_000)
    await second.server_has(order, "arriving")
    # The first wakes up with its request: what it says now is known already.
    await cdp.send("Page.setWebLifecycleState", {"state": "active"})
    await stalled[0].continue_()
    await phone.server_has(order, "arriving")
    assert [row.to_status for row in await reports(order)] == ["delivering", "arriving"]
    assert await phone.page.locator("#refused .notice").count() == 0
    await page.close()


@pytest.mark.long
async def test_a_tab_that_works_keeps_the_lock_however_long_it_takes(phone: Phone, driver: Driver, site: Site) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    stalled: list[Route] = []
    asked: list[str] = []

    async def stall(route: Route) -> None:
        if stalled:
            await route.continue_()
        else:
            stalled.append(route)

    await phone.page.route("**/status/", stall)
    await phone.go("delivering")
    await until_true(lambda: bool(stalled))
    page = await phone.page.context.new_page()
    await page.clock.install()
    second = Phone(page, site, driver)
    page.on("request", lambda request: asked.append(request.url) if request.method == "PATCH" else None)
    await second.open()
    await second.go("arriving")
    alive = "new Promise((resolve) => (new BroadcastChannel('lucky-gas-driver-%d-alive').onmessage = resolve))"
    for _ in "12":
        await page.evaluate(alive % driver.user.pk)
        await page.clock.fast_forward(5_000)
    assert asked == []
    await stalled[0].continue_()
    await second.server_has(order, "arriving")
    await page.close()


async def test_a_refusal_is_shown_keeps_nothing_else_back_and_stays_until_read(phone: Phone, driver: Driver) -> None:
    refused, other = await make(make_stop)(driver), await make(make_stop)(driver)
    await phone.open()
    await phone.page.context.set_offline(True)
    await phone.go("delivering")
    await phone.go("arriving")
    await make(refused.transition_to)(Status.CANCELLED, reason="改日再訂")
    await phone.choose()
    await phone.go("delivering")
    await phone.page.context.set_offline(False)
    await phone.server_has(other, "delivering")
    notice = phone.page.locator("#refused .notice")
    await notice.wait_for()
    assert refused.order_number in await notice.inner_text()
    assert await notice.locator("[data-show=later]").is_visible()
    assert (await fresh(refused)).status == Status.CANCELLED
    await phone.page.reload()
    await notice.get_by_role("button").click()
    await notice.wait_for(state="hidden")
    await phone.page.reload()
    await phone.live()
    assert await notice.count() == 0


async def test_another_driver_on_this_telephone_sees_and_sends_nothing_of_the_first(
    phone: Phone, driver: Driver, site: Site
) -> None:
    order = await make(make_stop)(driver)
    other = await make(make_driver)()
    await phone.open()
    await phone.installed()
    await phone.page.context.set_offline(True)
    await phone.go("delivering")
    # Somebody signs in as the other without this one having signed out; the old page is still open.
    await phone.page.context.clear_cookies(name="sessionid")
    second = await phone.page.context.new_page()
    await phone.page.context.set_offline(False)
    await sign_in(second, site, other.user, "/driver/")
    await until(second, "document.querySelector('#nothing')?.checkVisibility()")
    # The first page notices who is signed in, and becomes the other's.
    await phone.page.locator("#nothing").wait_for()
    assert order.customer.name not in await phone.text("main")
    assert await phone.page.locator("#waiting").is_hidden()
    assert (await fresh(order)).status == Status.ASSIGNED
    await second.close()
    # The first signs in again: what waited is theirs and goes out. The page that is left no longer notices it.
    await phone.page.goto("about:blank")
    await sign_in(phone.page, site, driver.user, "/driver/")
    await phone.server_has(order, "delivering")


async def test_signing_out_warns_and_leaves_no_stop_behind(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    await phone.installed()
    await phone.page.context.route("**/api/v1/orders/*/status/", lambda route: route.abort())
    await phone.go("delivering")
    await phone.page.locator(".account summary").click()
    leave = phone.page.locator("#sign-out button")
    await leave.click()
    await phone.page.locator("#leave [value=stay]").click()
    assert await phone.page.locator("#leave").is_hidden()
    await phone.page.context.set_offline(True)
    await leave.click()
    await phone.page.locator("#leave [value=leave]").click()
    await phone.shows("notification-toasts", "still signed in")
    await phone.shows("#next h2", order.customer.name)
    await phone.page.context.set_offline(False)
    await leave.click()
    await phone.page.locator("#leave [value=leave]").click()
    await phone.page.wait_for_url("**/accounts/login/")
    assert await left_behind(phone) == [0, 1, False]
    await phone.page.context.unroute("**/api/v1/orders/*/status/")
    await phone.page.fill("[name=username]", driver.user.username)
    await phone.page.fill("[name=password]", PASSWORD)
    await phone.page.locator("form.card [type=submit]").click()
    await phone.server_has(order, "delivering")


async def test_signing_out_on_another_page_leaves_no_stop_behind(phone: Phone, driver: Driver) -> None:
    await make(make_stop)(driver)
    await phone.open()
    await phone.installed()
    await phone.page.goto(f"{phone.site.url}/accounts/password/change/")
    assert await left_behind(phone) == [1, 0, True]
    await phone.page.locator("form[action$='/logout/'] button").evaluate("(button) => button.click()")
    await phone.page.wait_for_url("**/accounts/login/")
    await until(phone.page, f"({KEPT})({driver.user.pk}).then((kept) => kept.join() === '0,0,false')")


async def test_a_session_that_ended_asks_to_sign_in_and_goes_on_after_it(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    await phone.page.context.clear_cookies(name="sessionid")
    await phone.go("delivering")
    await phone.page.locator("#sign-in").wait_for()
    assert await waiting(phone) == 1
    await phone.page.locator("#sign-in a").click()
    await phone.page.fill("[name=username]", driver.user.username)
    await phone.page.fill("[name=password]", PASSWORD)
    await phone.page.locator("form.card [type=submit]").click()
    await phone.server_has(order, "delivering")


async def test_the_page_can_be_installed(phone: Phone) -> None:
    await phone.open()
    await phone.installed()
    session = await phone.page.context.new_cdp_session(phone.page)
    manifest = await session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"].endswith("/driver/manifest.webmanifest")
    wrong = await session.send("Page.getInstallabilityErrors")
    # The context of a test is like a private window, where nothing can be installed.
    assert [error["errorId"] for error in wrong["installabilityErrors"]] in ([], ["in-incognito"])

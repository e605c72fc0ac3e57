from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import Page, expect

from luckygas.testing.browser import sign_in, until
from luckygas.testing.site import ROOT, Site
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_order, make_user
from realtime.log import assign_event_ids
from realtime.models import Outbox
from realtime.tests.browser import SimulatedServer

SHOW_STATUS = """async () => {
  await import("/static/realtime/elements.js");
  document.body.innerHTML = '<connection-status data-live="即時更新中" data-reconnecting="重新連線中" ' +
    'data-offline="離線" data-age="%s 的資料"></connection-status>';
  document.documentElement.lang = "zh-Hant";
  document.querySelector("connection-status").socket = socket;
}"""
SHOW_TOASTS = """async () => {
  await import("/static/realtime/elements.js");
  document.body.innerHTML = '<notification-toasts data-open="Open" data-dismiss="Dismiss" ' +
    'data-order-url="/orders/{id}/"></notification-toasts>';
  document.querySelector("notification-toasts").socket = socket;
}"""


async def status_text(page: Page) -> str:
    shown: str = await page.inner_text("connection-status")
    return shown.strip()


async def test_status_shows_the_connection_state_in_the_pages_language(server: SimulatedServer) -> None:
    await server.open_live()
    await server.page.evaluate(SHOW_STATUS)
    assert await status_text(server.page) == "即時更新中"
    await server.close_socket()
    await until(server.page, "document.querySelector('connection-status').innerText.includes('重新連線中')")


async def test_status_can_be_hidden(server: SimulatedServer) -> None:
    await server.open_live()
    await server.page.evaluate(SHOW_STATUS)
    await server.page.add_style_tag(path=ROOT / "realtime/static/realtime/elements.css")
    assert await server.page.is_visible("connection-status")
    await server.page.evaluate("document.querySelector('connection-status').hidden = true")
    assert not await server.page.is_visible("connection-status")


async def test_status_shows_the_age_of_the_data(server: SimulatedServer) -> None:
    await server.open_live()
    await server.page.evaluate(SHOW_STATUS)
    await server.page.context.set_offline(True)
    await server.wait_for_state("offline")
    await server.page.clock.fast_forward(185_000)
    await until(server.page, "document.querySelector('connection-status').innerText.includes('3 分鐘前 的資料')")
    spoken = await server.page.inner_text("connection-status [role=status][aria-live=polite]")
    assert spoken == "離線"


@pytest_asyncio.fixture(loop_scope="session")
async def toasts(server: SimulatedServer) -> SimulatedServer:
    await server.open_live()
    await server.page.evaluate(SHOW_TOASTS)
    return server


async def show_toast(server: SimulatedServer, type_: str = "notification", **data: Any) -> None:
    await server.send({"type": type_, "id": 11 + len(await server.ids()), "channel": "staff", "data": data})
    await server.page.wait_for_selector(".toast")


async def test_toast_shows_title_message_severity_and_order_link(toasts: SimulatedServer) -> None:
    action = {"type": "view_order", "order_id": 17}
    await show_toast(toasts, title="急單", message="大安區", severity="error", action=action)
    toast = toasts.page.locator(".toast.error")
    assert await toast.locator("strong").inner_text() == "急單"
    assert await toast.locator("p").inner_text() == "大安區"
    assert await toast.locator("a").get_attribute("href") == "/orders/17/"
    assert await toasts.page.get_attribute("notification-toasts", "aria-live") == "polite"


@pytest.mark.parametrize("type_", ["system.message", "maintenance.alert"])
async def test_system_messages_are_toasts(toasts: SimulatedServer, type_: str) -> None:
    await show_toast(toasts, type_, message="今晚維護", severity="warning")
    assert await toasts.page.inner_text(".toast.warning p") == "今晚維護"


async def test_toast_escapes_html(toasts: SimulatedServer) -> None:
    action = {"type": "x", "order_id": "javascript:alert(1)"}
    await show_toast(toasts, title="<img src=x onerror=alert(1)>", message="<b>", severity='"><script>', action=action)
    assert await toasts.page.locator("notification-toasts :is(img, b, script, a)").count() == 0
    assert await toasts.page.get_attribute(".toast", "class") == "toast info"


async def test_toast_disappears_by_itself_but_a_warning_only_when_dismissed(toasts: SimulatedServer) -> None:
    await show_toast(toasts, message="one", severity="success")
    await show_toast(toasts, message="two", severity="warning")
    await toasts.page.wait_for_selector(".toast.warning")
    await toasts.page.clock.fast_forward(11_000)
    assert await toasts.page.locator(".toast p").all_inner_texts() == ["two"]
    await toasts.page.click("button[aria-label=Dismiss]")
    assert await toasts.page.locator(".toast").count() == 0


async def test_toast_stays_while_hovered_or_focused(toasts: SimulatedServer) -> None:
    await show_toast(toasts, message="one")
    await toasts.page.focus(".toast button")
    await toasts.page.clock.fast_forward(11_000)
    assert await toasts.page.locator(".toast").count() == 1
    await toasts.page.evaluate("document.activeElement.blur()")
    await toasts.page.clock.fast_forward(11_000)
    assert await toasts.page.locator(".toast").count() == 0


async def test_number_of_toasts_is_limited(toasts: SimulatedServer) -> None:
    for count in range(7):
        await toasts.send(
            {"type": "notification", "id": 11 + count, "channel": "staff", "data": {"message": str(count)}}
        )
    await toasts.ids(7)
    assert await toasts.page.locator(".toast p").all_inner_texts() == ["2", "3", "4", "5", "6"]


# Admin lists in a browser mark rows that changed since they were loaded.


@pytest.mark.django_db(transaction=True)
async def test_list_marks_changed_rows_and_offers_new_ones(page: Page, site: Site) -> None:
    boss = await make(make_user)(is_staff=True, is_superuser=True)
    changed, same = await make(make_order)(), await make(make_order)()
    await make(assign_event_ids)()
    await sign_in(page, site, boss, "/admin/orders/order/")
    await expect(page.locator("#live-list connection-status")).to_have_attribute("data-state", "live")
    await expect(page.locator("#live-news")).to_be_hidden()
    await make(changed.transition_to)(OrderStatus.CONFIRMED)
    row = page.locator("#result_list tr", has_text=changed.order_number)
    await expect(row).to_have_class("changed")
    await expect(row.locator("th .mark")).to_be_visible()
    await expect(page.locator("#result_list tr", has_text=same.order_number)).not_to_have_class("changed")
    await make(make_order)()
    await page.click("#live-news")
    await expect(page.locator("#result_list tbody tr")).to_have_count(3)
    await expect(page.locator("tr.changed")).to_have_count(0)


@pytest.mark.django_db(transaction=True)
async def test_event_of_a_change_already_in_the_list_marks_nothing(page: Page, site: Site) -> None:
    boss = await make(make_user)(is_staff=True, is_superuser=True)
    await make(make_order)()
    # The change has no event id yet, because no hub runs.
    await make(Outbox.objects.update)(created_at=timezone.now() - timedelta(minutes=1))
    await sign_in(page, site, boss, "/admin/orders/order/")
    await expect(page.locator("#live-list connection-status")).to_have_attribute("data-state", "live")
    await make(make_order)()
    await expect(page.locator("#live-news")).to_be_visible()
    await expect(page.locator("tr.changed")).to_have_count(0)


@pytest.mark.django_db(transaction=True)
async def test_change_between_page_load_and_connect_is_marked(page: Page, site: Site) -> None:
    boss = await make(make_user)(is_staff=True, is_superuser=True)
    customer = await make(make_customer)()
    await make(assign_event_ids)()
    held = []

    async def hold(route: object) -> None:
        held.append(route)

    await page.route("**/changed-marks.js", hold)
    await sign_in_without_waiting(page, site, boss)
    await expect(page.locator("#result_list")).to_be_visible()
    customer.name = "改名"
    await make(customer.save)()
    await held[0].continue_()  # type: ignore[attr-defined]
    await expect(page.locator("tr.changed")).to_have_count(1)


async def sign_in_without_waiting(page: Page, site: Site, user: object) -> None:
    await sign_in(page, site, user, "/accounts/password/change/")  # type: ignore[arg-type]
    await page.goto(f"{site.url}/admin/customers/customer/", wait_until="commit")

"""SMS about moves that a driver reported while offline: customers get no stale message."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async as make

from dispatch.models import Driver
from luckygas.testing.browser import until
from notifications.models import NotificationHistory
from orders.models import Order
from pages.tests.browser.phone import Phone, make_stop, wait_until_true

pytestmark = pytest.mark.django_db(transaction=True)


# Sets the phone's clock back by a number of seconds.
SET_BACK = """(seconds) => {
  window.realNow ??= Date.now;
  Date.now = () => window.realNow() - seconds * 1000;
}"""
# Counts the requests under way.
COUNT_REQUESTS = """
window.requests = 0;
const originalFetch = window.fetch;
window.fetch = (...values) => {
  window.requests += 1;
  return originalFetch(...values).finally(() => (window.requests -= 1));
};
"""
# Fails requests in the page, because the service worker may still reach the server.
FAIL_REQUESTS = """() => {
  window.realFetch = window.fetch;
  window.fetch = () => Promise.reject(new TypeError("no connection"));
}"""
# Sets the page's clock offset as if the phone's clock had been an hour fast.
SET_FAST_OFFSET = """() => import("/static/web/server-clock.js").then(({ setServerTime }) => {
  const real = Date.now;
  const stamp = real() - 120_000;
  Date.now = () => real() + 3_600_000 - 120_000;
  setServerTime(stamp, 0);
  Date.now = real;
})"""


def make_old_stop(driver: Driver) -> Order:
    """A stop that was created an hour ago and has no messages."""
    order = make_stop(driver)
    earlier = order.created_at - timedelta(hours=1)
    Order.objects.filter(pk=order.pk).unannounced().update(created_at=earlier)
    order.history.update(at=earlier)
    NotificationHistory.objects.filter(order=order).unannounced().delete()
    return order


def messages(order: Order) -> dict[str, tuple[str, str]]:
    """The status and its reason of each message about the order, by kind."""
    rows = NotificationHistory.objects.filter(order=order)
    return {row.kind: (row.status, row.status_reason) for row in rows}


async def set_back(phone: Phone, seconds: int) -> None:
    await phone.page.evaluate(SET_BACK, seconds)


async def open_and_go_offline(phone: Phone) -> None:
    """Opens the page, goes offline, and waits for all requests to end: a response would correct the clock offset."""
    await phone.page.add_init_script(COUNT_REQUESTS)
    await phone.open()
    await phone.wait_until_installed()
    await phone.page.evaluate(FAIL_REQUESTS)
    await phone.page.context.set_offline(True)
    await until(phone.page, "document.querySelector('connection-status').dataset.state === 'offline'")
    await until(phone.page, "window.requests === 0")


async def reconnect(phone: Phone) -> None:
    await set_back(phone, 0)
    await phone.page.evaluate("() => { window.fetch = window.realFetch; }")
    await phone.page.context.set_offline(False)


OVERTAKEN = ("cancelled", "overtaken")


async def test_offline_delivery_sends_one_sms(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_go_offline(phone)
    await set_back(phone, 120)
    await phone.go("delivering")
    await set_back(phone, 60)
    await phone.go("arriving")
    await set_back(phone, 0)
    await phone.go()
    await phone.page.locator("#proof-serial").fill("CYL-1")
    await phone.confirm()
    await reconnect(phone)
    await phone.wait_for_server(order, "delivered")
    expected = {"driver_on_the_way": OVERTAKEN, "driver_arriving": OVERTAKEN, "order_delivered": ("sent", "")}
    await wait_until_true(lambda: messages(order) == expected)


@pytest.mark.long
async def test_offline_failure_sends_no_sms_if_no_departure_sms_was_sent(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_go_offline(phone)
    await set_back(phone, 120)
    await phone.go("delivering")
    await set_back(phone, 60)
    await phone.press("failed")
    await phone.page.locator("#failed input[type=radio]").first.check()
    await phone.page.locator("#failed [type=submit]").click()
    await reconnect(phone)
    await phone.wait_for_server(order, "failed")
    expected = {"driver_on_the_way": OVERTAKEN, "delivery_failed": ("suppressed", "switched_off")}
    await wait_until_true(lambda: messages(order) == expected)


async def test_departure_sms_is_sent_although_the_phones_clock_was_set(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_go_offline(phone)
    # 120 s ago, on a clock that is an hour fast.
    await phone.page.evaluate(SET_FAST_OFFSET)
    await set_back(phone, 120 - 3_600)
    await phone.go("delivering")
    await reconnect(phone)
    await phone.wait_for_server(order, "delivering")
    await wait_until_true(lambda: messages(order) == {"driver_on_the_way": ("sent", "")})


async def test_offline_departure_sms_is_sent_once_no_report_waits(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_go_offline(phone)
    await set_back(phone, 120)
    await phone.go("delivering")
    await reconnect(phone)
    await phone.wait_for_server(order, "delivering")
    await wait_until_true(lambda: messages(order) == {"driver_on_the_way": ("sent", "")})

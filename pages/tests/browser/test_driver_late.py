"""What customers read of a driver who had no line for two minutes: nothing that is no longer true."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async

from dispatch.models import Driver
from luckygas.testing.browser import until
from notifications.models import NotificationHistory
from orders.models import Order
from pages.tests.browser.phone import Phone, make_stop, until_true

pytestmark = pytest.mark.django_db(transaction=True)
make = sync_to_async
# From now on the telephone's clock shows the time of so many seconds ago.
AGO = """(seconds) => {
  window.realNow ??= Date.now;
  Date.now = () => window.realNow() - seconds * 1000;
}"""
# How many requests are on their way.
FLYING = """
window.flying = 0;
const counted = window.fetch;
window.fetch = (...values) => {
  window.flying += 1;
  return counted(...values).finally(() => (window.flying -= 1));
};
"""
# Requests by way of a service worker may still have a line.
UNHEARD = """() => {
  window.realFetch = window.fetch;
  window.fetch = () => Promise.reject(new TypeError("no line"));
}"""
# What the page has heard of the server, with a clock that was an hour fast.
HEARD_FAST = """() => import("/static/web/server-clock.js").then(({ setServerTime }) => {
  const real = Date.now;
  const stamp = real() - 120_000;
  Date.now = () => real() + 3_600_000 - 120_000;
  setServerTime(stamp, 0);
  Date.now = real;
})"""


def make_old_stop(driver: Driver) -> Order:
    order = make_stop(driver)
    earlier = order.created_at - timedelta(hours=1)
    Order.objects.filter(pk=order.pk).unannounced().update(created_at=earlier)
    order.history.update(at=earlier)
    NotificationHistory.objects.filter(order=order).unannounced().delete()
    return order


def messages(order: Order) -> dict[str, tuple[str, str]]:
    rows = NotificationHistory.objects.filter(order=order)
    return {row.kind: (row.status, row.status_reason) for row in rows}


async def ago(phone: Phone, seconds: int) -> None:
    await phone.page.evaluate(AGO, seconds)


async def open_and_lose_line(phone: Phone) -> None:
    """What is still heard of the server would say that its clock is right and that of the telephone was set."""
    await phone.page.add_init_script(FLYING)
    await phone.open()
    await phone.installed()
    await phone.page.evaluate(UNHEARD)
    await phone.page.context.set_offline(True)
    await until(phone.page, "document.querySelector('connection-status').dataset.state === 'offline'")
    await until(phone.page, "window.flying === 0")


async def back(phone: Phone) -> None:
    await ago(phone, 0)
    await phone.page.evaluate("() => { window.fetch = window.realFetch; }")
    await phone.page.context.set_offline(False)


OVERTAKEN = ("cancelled", "overtaken")


async def test_a_whole_delivery_without_a_line_is_one_sms(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_lose_line(phone)
    await ago(phone, 120)
    await phone.go("delivering")
    await ago(phone, 60)
    await phone.go("arriving")
    await ago(phone, 0)
    await phone.go()
    await phone.page.locator("#proof-serial").fill("CYL-1")
    await phone.confirm()
    await back(phone)
    await phone.server_has(order, "delivered")
    expected = {"driver_on_the_way": OVERTAKEN, "driver_arriving": OVERTAKEN, "order_delivered": ("sent", "")}
    await until_true(lambda: messages(order) == expected)


@pytest.mark.long
async def test_a_failure_without_a_line_is_nothing_to_who_was_not_told_of_the_departure(
    phone: Phone, driver: Driver
) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_lose_line(phone)
    await ago(phone, 120)
    await phone.go("delivering")
    await ago(phone, 60)
    await phone.press("failed")
    await phone.page.locator("#failed input[type=radio]").first.check()
    await phone.page.locator("#failed [type=submit]").click()
    await back(phone)
    await phone.server_has(order, "failed")
    expected = {"driver_on_the_way": OVERTAKEN, "delivery_failed": ("suppressed", "switched_off")}
    await until_true(lambda: messages(order) == expected)


async def test_a_departure_is_told_at_once_also_where_the_clock_was_set_meanwhile(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_lose_line(phone)
    # 120 s ago, by a clock that is an hour fast.
    await phone.page.evaluate(HEARD_FAST)
    await ago(phone, 120 - 3_600)
    await phone.go("delivering")
    await back(phone)
    await phone.server_has(order, "delivering")
    await until_true(lambda: messages(order) == {"driver_on_the_way": ("sent", "")})


async def test_a_departure_without_a_line_is_told_as_soon_as_it_is_known_that_nothing_follows(
    phone: Phone, driver: Driver
) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_lose_line(phone)
    await ago(phone, 120)
    await phone.go("delivering")
    await back(phone)
    await phone.server_has(order, "delivering")
    await until_true(lambda: messages(order) == {"driver_on_the_way": ("sent", "")})

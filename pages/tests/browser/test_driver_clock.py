"""The driver's page on a phone whose clock is wrong, or is set while the page is open."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import Page, Route

from dispatch.models import Driver
from luckygas.testing.browser import sign_in, until
from luckygas.testing.site import Site
from orders.models import Order
from orders.tests.factories import make_office, make_order
from pages.tests.browser.phone import WRONG_CLOCK, Phone, driver_reports, make_stop, shift_clock

HOUR, DAY = 3_600_000, 86_400_000
# `set(ms)`: the device's clock is off by so much from now on. So it is from the start.
SETTABLE = """
const Real = Date;
let off = %d;
window.set = (ms) => (off = ms);
window.Date = class extends Real {
  constructor(...values) {
    if (values.length) super(...values);
    else super(Real.now() + off);
  }
  static now() {
    return Real.now() + off;
  }
};
"""


def make_tomorrows(driver: Driver) -> Order:
    made = make_order("assigned", driver=driver, scheduled_date=timezone.localdate() + timedelta(days=1))
    return Order.objects.select_related("customer").get(pk=made.pk)


async def names(page: Page) -> list[str]:
    where = "#next h2, #others [data-field=name], #done [data-field=name]"
    return await page.locator(where).all_text_contents()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "off", [-DAY, *(pytest.param(off, marks=pytest.mark.long) for off in (DAY, -1024 * 7 * DAY, 400 * DAY))],
    ids=["behind", "ahead", "2007", "next year"],
)  # fmt: skip
async def test_todays_stops_are_shown_with_a_wrong_phone_date(phone: Phone, driver: Driver, off: int) -> None:
    order = await make(make_stop)(driver)
    await make(make_tomorrows)(driver)
    await phone.page.add_init_script(WRONG_CLOCK % (off, off))
    await phone.open()
    await phone.wait_until_installed()
    await phone.wait_for_text("#next h2", order.customer.name)
    assert await names(phone.page) == [order.customer.name]
    # Also a stop that is assigned now, and offline.
    other = await make(make_stop)(driver)
    await make(make_tomorrows)(driver)
    await phone.wait_for_text("#others", other.customer.name)
    await phone.deliver("CYL-1")
    await phone.wait_for_server(order, "delivered")
    await phone.wait_for_text("#done .stop", order.customer.name)
    await phone.page.context.set_offline(True)
    await phone.page.reload()
    await phone.wait_for_text("#next h2", other.customer.name)
    await phone.wait_for_text("#done .stop", order.customer.name)
    assert len(await names(phone.page)) == 2
    # Shows the server's time without a date, because it is today.
    ago = [timezone.localtime() - timedelta(minutes=minutes) for minutes in (0, 1)]
    stale = await phone.text("#stale")
    assert any(f"as of {moment:%H:%M}" in stale for moment in ago)
    await phone.go("delivering")
    assert "/" not in await phone.page.locator("#waiting li").first.text_content()  # type: ignore[operator]


async def said(order: Order) -> list[timedelta]:
    """For each report: the time between the driver's press and the server's receipt."""
    return [row.recorded_at - row.at for row in await driver_reports(order)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("off", [-HOUR, pytest.param(HOUR, marks=pytest.mark.long)], ids=["behind", "ahead"])
async def test_report_keeps_the_clock_offset_of_its_press(phone: Phone, driver: Driver, off: int) -> None:
    order = await make(make_stop)(driver)
    await phone.page.add_init_script(SETTABLE % off)
    await phone.open()
    await phone.page.context.set_offline(True)
    await phone.go("delivering")
    await phone.page.evaluate("set(0)")
    await phone.go("arriving")
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(order, "arriving")
    assert all(abs(late) < timedelta(minutes=1) for late in await said(order))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("off", [-HOUR, pytest.param(HOUR, marks=pytest.mark.long)], ids=["back", "forth"])
async def test_clock_set_before_the_press_causes_no_wrong_time(phone: Phone, driver: Driver, off: int) -> None:
    order = await make(make_stop)(driver)
    await phone.page.add_init_script(SETTABLE % 0)
    await phone.open()
    await phone.page.evaluate(f"set({off})")
    await phone.go("delivering")
    await phone.wait_for_server(order, "delivering")
    assert all(abs(late) < timedelta(minutes=1) for late in await said(order))


@pytest.mark.django_db(transaction=True)
async def test_report_of_a_page_opened_offline_has_the_right_time(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.page.add_init_script(SETTABLE % -HOUR)
    await phone.open()
    await phone.wait_until_installed()
    await phone.page.context.set_offline(True)
    await phone.page.reload()
    await phone.wait_for_text("#next h2", order.customer.name)
    await phone.go("delivering")
    await phone.page.evaluate("set(0)")
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(order, "delivering")
    assert all(abs(late) < timedelta(minutes=1) for late in await said(order))


async def a_day_later(route: Route) -> None:
    answer = await route.fetch()
    told = {"x-server-time": str(int(answer.headers["x-server-time"]) + DAY)}
    await route.fulfill(response=answer, headers=answer.headers | told)


@pytest.mark.django_db(transaction=True)
async def test_page_open_over_midnight_loads_the_new_days_stops(phone: Phone, driver: Driver) -> None:
    today = await make(make_stop)(driver)
    tomorrow = await make(make_tomorrows)(driver)
    await phone.page.add_init_script(SETTABLE % 0)
    await phone.open()
    await phone.wait_for_text("#next h2", today.customer.name)
    assert len(await names(phone.page)) == 1
    await phone.page.context.route(re.compile("/api/v1/|/health/live"), a_day_later)
    await phone.page.evaluate(f"set({DAY})")
    await phone.wait_for_text("#others", tomorrow.customer.name)
    await until(phone.page, "document.querySelectorAll('#others .stop').length === 1")


# Pages use the server's clock, whatever the device's clock shows.


@pytest.mark.parametrize("off", [-DAY, DAY])
async def test_admins_today_link_uses_the_servers_date(page: Page, site: Site, off: int) -> None:
    await shift_clock(page, off)
    await sign_in(page, site, await make(make_office)(is_superuser=True), "/admin/dispatch/route/add/")
    await page.locator(".field-date .datetimeshortcuts a").first.click()
    shown = await page.input_value("[name=date]")
    assert shown.replace("/", "-") == str(timezone.localdate())

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
# Shifts the device's clock by a number of milliseconds, and by another one after `set(ms)`.
SETTABLE_CLOCK = """
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


def make_stop_for_tomorrow(driver: Driver) -> Order:
    order = make_order("assigned", driver=driver, scheduled_date=timezone.localdate() + timedelta(days=1))
    return Order.objects.select_related("customer").get(pk=order.pk)


async def shown_names(page: Page) -> list[str]:
    where = "#next h2, #others [data-field=name], #done [data-field=name]"
    return await page.locator(where).all_text_contents()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "offset", [-DAY, *(pytest.param(offset, marks=pytest.mark.long) for offset in (DAY, -1024 * 7 * DAY, 400 * DAY))],
    ids=["behind", "ahead", "2007", "next year"],
)  # fmt: skip
async def test_page_shows_todays_stops_although_the_phones_date_is_wrong(
    phone: Phone, driver: Driver, offset: int
) -> None:
    order = await make(make_stop)(driver)
    await make(make_stop_for_tomorrow)(driver)
    await phone.page.add_init_script(WRONG_CLOCK % (offset, offset))
    await phone.open()
    await phone.wait_until_installed()
    await phone.wait_for_text("#next h2", order.customer.name)
    assert await shown_names(phone.page) == [order.customer.name]
    # The same for a stop that is assigned now, and for a page that opens offline.
    other = await make(make_stop)(driver)
    await make(make_stop_for_tomorrow)(driver)
    await phone.wait_for_text("#others", other.customer.name)
    await phone.deliver("CYL-1")
    await phone.wait_for_server(order, "delivered")
    await phone.wait_for_text("#done .stop", order.customer.name)
    await phone.page.context.set_offline(True)
    await phone.page.reload()
    await phone.wait_for_text("#next h2", other.customer.name)
    await phone.wait_for_text("#done .stop", order.customer.name)
    assert len(await shown_names(phone.page)) == 2
    # The page shows the server's time, without a date because that is today.
    ago = [timezone.localtime() - timedelta(minutes=minutes) for minutes in (0, 1)]
    stale = await phone.text("#stale")
    assert any(f"as of {moment:%H:%M}" in stale for moment in ago)
    await phone.go("delivering")
    assert "/" not in await phone.page.locator("#waiting li").first.text_content()  # type: ignore[operator]


async def report_delays(order: Order) -> list[timedelta]:
    """The time from the driver's press to the server's receipt, for each report."""
    return [row.recorded_at - row.at for row in await driver_reports(order)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("offset", [-HOUR, pytest.param(HOUR, marks=pytest.mark.long)], ids=["behind", "ahead"])
async def test_report_has_the_right_time_if_the_clock_is_set_after_the_press(
    phone: Phone, driver: Driver, offset: int
) -> None:
    order = await make(make_stop)(driver)
    await phone.page.add_init_script(SETTABLE_CLOCK % offset)
    await phone.open()
    await phone.page.context.set_offline(True)
    await phone.go("delivering")
    await phone.page.evaluate("set(0)")
    await phone.go("arriving")
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(order, "arriving")
    assert all(abs(delay) < timedelta(minutes=1) for delay in await report_delays(order))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("offset", [-HOUR, pytest.param(HOUR, marks=pytest.mark.long)], ids=["back", "forth"])
async def test_report_has_the_right_time_if_the_clock_is_set_before_the_press(
    phone: Phone, driver: Driver, offset: int
) -> None:
    order = await make(make_stop)(driver)
    await phone.page.add_init_script(SETTABLE_CLOCK % 0)
    await phone.open()
    await phone.page.evaluate(f"set({offset})")
    await phone.go("delivering")
    await phone.wait_for_server(order, "delivering")
    assert all(abs(delay) < timedelta(minutes=1) for delay in await report_delays(order))


@pytest.mark.django_db(transaction=True)
async def test_report_of_a_page_opened_offline_has_the_right_time(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.page.add_init_script(SETTABLE_CLOCK % -HOUR)
    await phone.open()
    await phone.wait_until_installed()
    await phone.page.context.set_offline(True)
    await phone.page.reload()
    await phone.wait_for_text("#next h2", order.customer.name)
    await phone.go("delivering")
    await phone.page.evaluate("set(0)")
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(order, "delivering")
    assert all(abs(delay) < timedelta(minutes=1) for delay in await report_delays(order))


async def add_a_day_to_server_time(route: Route) -> None:
    response = await route.fetch()
    server_time = {"x-server-time": str(int(response.headers["x-server-time"]) + DAY)}
    await route.fulfill(response=response, headers=response.headers | server_time)


@pytest.mark.django_db(transaction=True)
async def test_page_open_over_midnight_loads_the_new_days_stops(phone: Phone, driver: Driver) -> None:
    today = await make(make_stop)(driver)
    tomorrow = await make(make_stop_for_tomorrow)(driver)
    await phone.page.add_init_script(SETTABLE_CLOCK % 0)
    await phone.open()
    await phone.wait_for_text("#next h2", today.customer.name)
    assert len(await shown_names(phone.page)) == 1
    await phone.page.context.route(re.compile("/api/v1/|/health/live"), add_a_day_to_server_time)
    await phone.page.evaluate(f"set({DAY})")
    await phone.wait_for_text("#others", tomorrow.customer.name)
    await until(phone.page, "document.querySelectorAll('#others .stop').length === 1")


@pytest.mark.parametrize("offset", [-DAY, DAY])
async def test_today_link_in_the_admin_uses_the_servers_date(page: Page, site: Site, offset: int) -> None:
    await shift_clock(page, offset)
    await sign_in(page, site, await make(make_office)(is_superuser=True), "/admin/dispatch/route/add/")
    await page.locator(".field-date .datetimeshortcuts a").first.click()
    shown = await page.input_value("[name=date]")
    assert shown.replace("/", "-") == str(timezone.localdate())

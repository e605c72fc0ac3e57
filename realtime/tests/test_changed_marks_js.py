"""The admin's lists in a browser: what changed since they were loaded is marked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import Page, expect

from luckygas.testing.browser import sign_in
from luckygas.testing.site import Site
from orders.states import Status
from orders.tests.factories import make_customer, make_order, make_user
from realtime.log import number
from realtime.models import Outbox

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_list_marks_what_changed_and_offers_what_is_new(page: Page, site: Site) -> None:
    boss = await make(make_user)(is_staff=True, is_superuser=True)
    changed, same = await make(make_order)(), await make(make_order)()
    await make(number)()
    await sign_in(page, site, boss, "/admin/orders/order/")
    await expect(page.locator("#live-list connection-status")).to_have_attribute("data-state", "live")
    await expect(page.locator("#live-news")).to_be_hidden()
    await make(changed.transition_to)(Status.CONFIRMED)
    row = page.locator("#result_list tr", has_text=changed.order_number)
    await expect(row).to_have_class("changed")
    await expect(page.locator("#result_list tr", has_text=same.order_number)).not_to_have_class("changed")
    await make(make_order)()
    await page.click("#live-news")
    await expect(page.locator("#result_list tbody tr")).to_have_count(3)
    await expect(page.locator("tr.changed")).to_have_count(0)


async def test_what_the_log_tells_late_is_in_the_list_already(page: Page, site: Site) -> None:
    boss = await make(make_user)(is_staff=True, is_superuser=True)
    await make(make_order)()
    # Nobody has numbered it: no hub has run yet.
    await make(Outbox.objects.update)(created_at=timezone.now() - timedelta(minutes=1))
    await sign_in(page, site, boss, "/admin/orders/order/")
    await expect(page.locator("#live-list connection-status")).to_have_attribute("data-state", "live")
    await make(make_order)()
    await expect(page.locator("#live-news")).to_be_visible()
    await expect(page.locator("tr.changed")).to_have_count(0)


async def test_a_change_between_the_list_and_its_socket_is_marked(page: Page, site: Site) -> None:
    boss = await make(make_user)(is_staff=True, is_superuser=True)
    customer = await make(make_customer)()
    await make(number)()
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

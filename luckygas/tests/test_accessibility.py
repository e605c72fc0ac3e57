"""Accessibility of pages without browser tests of their own."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async as make
from playwright.async_api import Page

from luckygas.testing.browser import serious_faults, sign_in
from luckygas.testing.site import Site
from orders.tests.factories import make_customer, make_order, make_user

pytestmark = [pytest.mark.long, pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]
VISITOR_PAGES = ("/accounts/login/", "/accounts/password/reset/", "/t/no-such-link/", "/no-such-page/")
FORBIDDEN_PAGE = "/health/dashboard/"
CUSTOMER_PAGES = ("/", "/accounts/password/change/")
OFFICE_PAGES = (
    "/admin/", "/admin/orders/order/", "/admin/orders/order/import/", "/admin/orders/order/statistics/",
    "/admin/web/systemmetric/", "/admin/notifications/notificationhistory/",
    "/api/v1/websocket/ws/test",
)  # fmt: skip


async def find_faults(page: Page, site: Site, paths: tuple[str, ...]) -> dict[str, list[str]]:
    found = {}
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for path in paths:
            await page.goto(site.url + path)
            found[f"{path} {scheme}"] = await serious_faults(page)
    return {path: faults for path, faults in found.items() if faults}


async def test_pages_for_visitors_and_customers_are_accessible(page: Page, site: Site) -> None:
    customer = await make(make_customer)(user=await make(make_user)())
    await make(make_order)(customer=customer)
    assert await find_faults(page, site, VISITOR_PAGES) == {}
    await sign_in(page, site, customer.user)  # type: ignore[arg-type]  # the customer has a user
    assert await find_faults(page, site, (*CUSTOMER_PAGES, FORBIDDEN_PAGE)) == {}


async def test_pages_of_the_office_are_accessible(page: Page, site: Site) -> None:
    order = await make(make_order)("confirmed")
    await sign_in(page, site, await make(make_user)(is_staff=True, is_superuser=True), "/admin/")
    assert await find_faults(page, site, (*OFFICE_PAGES, f"/admin/orders/order/{order.pk}/change/")) == {}

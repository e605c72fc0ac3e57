"""The page of a message's text in a real browser."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.urls import reverse
from playwright.async_api import Page, Route

from luckygas.testing.browser import until
from luckygas.testing.site import Site
from notifications.models import MessageTemplate
from notifications.states import Kind
from orders.tests.factories import make_office

pytestmark = pytest.mark.django_db(transaction=True)
STRICT = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'"
SHOWN = "document.querySelector('[name=body_zh] + .sms-preview')"


async def test_the_cost_follows_what_is_typed(page: Page, site: Site) -> None:
    row = await sync_to_async(MessageTemplate.objects.create)(kind=Kind.ORDER_DELIVERED)
    path = reverse("admin:notifications_messagetemplate_change", args=[row.pk])

    async def add_policy(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, headers=answer.headers | {"content-security-policy": STRICT})

    await page.route(f"**{path}", add_policy)
    session = Client()
    await sync_to_async(session.force_login)(await sync_to_async(make_office)(is_superuser=True))
    await page.context.add_cookies(
        [{"name": "sessionid", "value": session.cookies["sessionid"].value, "url": site.url}]
    )
    await page.goto(site.url + path)
    # What is sent now, before anything is typed.
    await until(page, f"{SHOWN}.textContent.includes('【幸福氣】您的瓦斯訂單 0000-0000 已送達')")
    await page.fill("[name=body_zh]", "瓦" * 100)
    await until(page, f"{SHOWN}.dataset.segments === '2'")
    await page.fill("[name=body_zh]", "<img src=x> 0912-345-678")
    await until(page, f"{SHOWN}.querySelector('li')?.textContent.includes('0912-345-678')")
    assert await page.evaluate(f"{SHOWN}.querySelector('img')") is None

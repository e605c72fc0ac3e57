"""The socket test page."""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.test import Client
from django.urls import reverse
from playwright.async_api import Page, Route

from luckygas.testing.browser import sign_in, until
from luckygas.testing.site import Site
from orders.tests.factories import make_driver, make_office, make_order
from realtime.commands import HANDLERS
from realtime.tests.client import token_for
from realtime.views import MESSAGES

PATH = "/api/v1/websocket/ws/test"
pytestmark = pytest.mark.django_db(transaction=True)
STRICT = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'"


def test_page_is_for_the_office_only(client: Client) -> None:
    assert reverse("ws_test") == PATH
    assert client.get(PATH).headers["Location"] == f"/accounts/login/?next={PATH}"
    client.force_login(make_driver().user)
    assert client.get(PATH).status_code == 403
    client.force_login(make_office())
    assert client.get(PATH).status_code == 200
    assert client.post(PATH).status_code == 405


def test_every_message_has_a_form() -> None:
    assert set(HANDLERS) <= set(MESSAGES)


@pytest_asyncio.fixture(loop_scope="session")
async def office(page: Page, site: Site) -> Page:
    """The page under the strictest content security policy that it must support."""

    async def add_policy(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, headers=answer.headers | {"content-security-policy": STRICT})

    await page.route(f"**{PATH}", add_policy)
    await page.add_init_script("addEventListener('securitypolicyviolation', (e) => { throw Error(e.blockedURI); })")
    await sign_in(page, site, await sync_to_async(make_office)(), PATH)
    return page


async def connect(page: Page, endpoint: str, **fields: str) -> None:
    await page.select_option("[name=endpoint]", f"/api/v1/websocket/ws{endpoint}")
    for name, value in fields.items():
        await page.fill(f"#connect [name={name}]", value)
    await page.click("#connect [type=submit]")
    await until(page, "document.querySelector('connection-status').dataset.state === 'live'")


async def frames(page: Page, direction: str) -> list[dict[str, Any]]:
    """The frames that the page shows, oldest first."""
    shown = await page.locator(f"#frames .{direction} pre").all_inner_texts()
    return [json.loads(text) for text in reversed(shown)]


async def send(page: Page, type_: str, **fields: str) -> None:
    form = page.locator(f"form[data-type='{type_}']")
    await form.evaluate("(form) => { form.closest('details').open = true }")
    for name, value in fields.items():
        await form.locator(f"[name='{name}']").fill(value)
    await form.locator("[type=submit]").click()


async def test_session_opens_an_endpoint_and_shows_the_connection_frame(office: Page) -> None:
    await connect(office, "/office", channels="order:1")
    (greeting,) = await frames(office, "in")
    assert (greeting["type"], greeting["role"]) == ("connection", "office")
    assert {"orders", "order:1"} <= set(greeting["channels"])


async def test_token_takes_precedence_over_the_session(office: Page) -> None:
    driver = await sync_to_async(make_driver)()
    await connect(office, "/driver", token=await sync_to_async(token_for)(driver.user))
    (greeting,) = await frames(office, "in")
    assert f"driver:{driver.pk}" in greeting["channels"]


async def test_sms_link_opens_the_track_endpoint(office: Page) -> None:
    order = await sync_to_async(make_order)()
    await connect(office, "/track/", link=order.tracking_token)
    (greeting,) = await frames(office, "in")
    assert greeting["channels"] == [f"track:{order.pk}"]


async def test_each_form_sends_its_message_and_gets_an_answer(office: Page) -> None:
    await connect(office, "")
    fields = {"order_update": {"order_id": "17", "details.reason": "沒人在家"}, "authenticate": {"token": "x"}}
    for number, type_ in enumerate(MESSAGES, start=1):
        await send(office, type_, **fields.get(type_, {}))
        answered = "(n) => document.querySelectorAll('#frames .in').length > n"
        await until(office, answered, number)
    out = {message["type"]: message for message in await frames(office, "out")}
    assert set(out) == set(MESSAGES)
    assert out["heartbeat"] == {"type": "heartbeat"}
    assert out["location_update"]["latitude"] == 25.033
    assert out["order_update"]["order_id"] == 17
    assert out["order_update"]["details"] == {"reason": "沒人在家"}
    answers = [frame["type"] for frame in await frames(office, "in")]
    assert answers[:4] == ["connection", "heartbeat", "subscribed", "unsubscribed"]


async def test_message_can_be_typed_by_hand(office: Page) -> None:
    await connect(office, "")
    form = office.locator("form[data-raw]")
    await form.evaluate("(form) => { form.closest('details').open = true }")
    for text in ('{"type": "explode", "ref": "a1"}', "{"):
        await form.locator("textarea").fill(text)
        await form.locator("[type=submit]").click()
    await until(office, "document.querySelectorAll('#frames .in').length === 2")
    assert (await frames(office, "in"))[1]["code"] == "unknown_type"
    assert "JSON" in await office.locator("#frames .note pre").first.inner_text()


async def test_page_disconnects_clears_and_reports_a_closed_socket(office: Page) -> None:
    await connect(office, "")
    await office.click("#disconnect")
    await until(office, "document.querySelector('connection-status').dataset.state === 'closed'")
    await office.click("#clear")
    assert await office.locator("#frames li").count() == 0
    await send(office, "heartbeat")
    await until(office, "document.querySelector('#frames .note pre')?.innerText === 'closed'")

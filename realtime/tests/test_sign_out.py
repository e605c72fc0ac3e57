"""Real clients on both servers: their rights are revoked, or their token is renewed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
import requests
from asgiref.sync import sync_to_async as make
from django.contrib.auth.models import User
from django.test import Client as Browser
from rest_framework_simplejwt.tokens import AccessToken

from accounts.api.tokens import Refresh
from luckygas.testing.site import Site
from orders.states import OrderStatus
from orders.tests.factories import PASSWORD, make_driver, make_office, make_order
from realtime import auth
from realtime.tests.client import Client, open_client, token_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]


@pytest.fixture
def site(either_site: Site) -> Site:
    return either_site


def sign_in(user: User) -> Browser:
    browser = Browser()
    browser.force_login(user)
    return browser


def cookie(browser: Browser) -> str:
    return f"sessionid={browser.cookies['sessionid'].value}"


def get_ticket(browser: Browser) -> str:
    return str(browser.post("/api/v1/websocket/ticket/").json()["ticket"])


async def is_open(client: Client) -> bool:
    return bool(await client.answer("heartbeat", type="heartbeat"))


async def test_sign_out_closes_only_sockets_of_this_session(site: Site) -> None:
    office = await make(make_office)()
    here, elsewhere = [await make(sign_in)(office) for _ in range(2)]
    async with AsyncExitStack() as stack:

        async def connect(query: str = "", **headers: str) -> Client:
            return await stack.enter_async_context(open_client(f"{site.ws}/office{query}", **headers))

        page = await connect(Cookie=cookie(here), Origin=site.url)
        by_ticket = await connect(f"?ticket={await make(get_ticket)(here)}")
        other = await connect(Cookie=cookie(elsewhere), Origin=site.url)
        unused, old_cookie = await make(get_ticket)(here), cookie(here)
        await make(here.logout)()
        assert [await page.closed(), await by_ticket.closed()] == [4401, 4401]
        assert await is_open(other)
    async with open_client(f"{site.ws}/office?ticket={unused}") as client:
        assert (client.welcome["code"], await client.closed()) == ("rights_ended", 4401)
    async with open_client(f"{site.ws}/office", Cookie=old_cookie, Origin=site.url) as client:
        assert (client.welcome["code"], await client.closed()) == ("not_authenticated", 4401)


def expect_refusal(site: Site, path: str, **body: str) -> None:
    assert requests.post(f"{site.url}/api/v1/{path}", json=body, timeout=10).status_code == 401


def post(site: Site, path: str, **body: str) -> dict[str, Any]:
    answer = requests.post(f"{site.url}/api/v1/{path}", json=body, timeout=10)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_token_sign_out_closes_sockets_of_its_session(site: Site) -> None:
    office = await make(make_office)()
    body = {"username": office.username, "password": PASSWORD}
    first, other = [await asyncio.to_thread(lambda: post(site, "auth/token/", **body)) for _ in range(2)]
    renewed = await asyncio.to_thread(lambda: post(site, "auth/token/refresh/", refresh=first["refresh"]))
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(open_client(f"{site.ws}?token={pair['access']}"))
            for pair in (first, renewed, other)
        ]
        await asyncio.to_thread(lambda: post(site, "auth/logout/", refresh=renewed["refresh"]))
        assert [await client.closed() for client in clients[:2]] == [4401, 4401]
        assert await is_open(clients[2])
    async with open_client(f"{site.ws}?token={first['access']}") as client:
        assert client.welcome["code"] == "rights_ended"


async def test_reused_refresh_token_closes_sockets_of_its_family(site: Site) -> None:
    office = await make(make_office)()
    body = {"username": office.username, "password": PASSWORD}
    first = await asyncio.to_thread(lambda: post(site, "auth/token/", **body))
    renewed = await asyncio.to_thread(lambda: post(site, "auth/token/refresh/", refresh=first["refresh"]))
    async with open_client(f"{site.ws}?token={renewed['access']}") as client:
        await asyncio.to_thread(lambda: expect_refusal(site, "auth/token/refresh/", refresh=first["refresh"]))
        assert await client.closed() == 4401
    async with open_client(f"{site.ws}?token={renewed['access']}") as client:
        assert client.welcome["code"] == "rights_ended"


async def test_lost_role_closes_sockets_and_refuses_old_tokens(site: Site) -> None:
    driver = await make(make_driver)()
    old = await make(token_for)(driver.user)

    def deactivate() -> None:
        driver.is_active = False
        driver.save()

    async with open_client(f"{site.ws}/driver?token={old}") as client:
        await make(deactivate)()
        assert await client.closed() == 4401
    async with open_client(f"{site.ws}/driver?token={old}") as client:
        assert (client.welcome["type"], client.welcome["code"]) == ("error", "rights_ended")
        assert await client.closed() == 4401
    new = await make(token_for)(driver.user)
    async with open_client(f"{site.ws}/driver?token={new}") as client:
        assert (client.welcome["code"], await client.closed()) == ("no_role", 4403)
    site.kill()
    await asyncio.to_thread(site.start)
    async with open_client(f"{site.ws}/driver?token={old}") as client:
        assert client.welcome["code"] == "rights_ended"


def short_token(user: User, seconds: float) -> str:
    access = Refresh.for_user(user).access_token
    access.set_exp(lifetime=timedelta(seconds=seconds))
    return str(access)


async def test_new_token_keeps_the_socket_open(site: Site) -> None:
    office = await make(make_office)()
    async with open_client(f"{site.ws}?token={await make(short_token)(office, 2)}") as client:
        assert client.welcome["expires_at"] is not None
        answer = await client.answer("authenticated", type="authenticate", token=await make(short_token)(office, 4))
        assert answer["expires_at"] > client.welcome["expires_at"]
        await asyncio.sleep(2.1)
        assert await is_open(client)
        assert await client.closed() == 4401


async def test_invalid_authenticate_changes_nothing(site: Site) -> None:
    office, other = await make(make_office)(), await make(make_office)()
    wrong: list[tuple[Any, str]] = [
        (None, "invalid_message"),
        (7, "invalid_message"),
        ("nonsense", "token_not_valid"),
        (str(await make(lambda: Refresh.for_user(office))()), "token_not_valid"),
        (await make(short_token)(office, -1), "token_not_valid"),
        (await make(token_for)(other), "forbidden"),
        (str(AccessToken.for_user(office)), "rights_ended"),
    ]
    async with open_client(f"{site.ws}/office?token={await make(token_for)(office)}") as client:
        for token, code in wrong:
            answer = await client.answer("error", type="authenticate", token=token, ref="a1")
            assert (answer["code"], answer["ref"]) == (code, "a1"), code
        assert await is_open(client)
    async with open_client(f"{site.ws}?ticket={await make(auth.new_ticket)(office)}") as client:
        assert client.welcome["expires_at"] is None
        answer = await client.answer("error", type="authenticate", token=await make(token_for)(office))
        assert answer["code"] == "forbidden"


async def test_retry_after_reassignment_gets_its_receipt(site: Site) -> None:
    driver, other, office = await make(make_driver)(), await make(make_driver)(), await make(make_office)()
    order = await make(make_order)(OrderStatus.ASSIGNED, driver=driver)
    start = {"type": "order_update", "order_id": order.pk, "status": "delivering", "ref": "a1"}

    def hand_over() -> None:
        order.transition_to(OrderStatus.ASSIGNED, by=office)
        order.assign(other, by=office)

    async with open_client(f"{site.ws}/driver?token={await make(token_for)(driver.user)}") as client:
        first = await client.answer("ack", **start)
        await make(hand_over)()
        assert await client.answer("ack", **start) == first
        for wrong in ({"ref": "a2"}, {"status": "arriving"}, {"order_id": order.pk + 1}):
            assert (await client.answer("error", **(start | wrong)))["code"] == "not_found"

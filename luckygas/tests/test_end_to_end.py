"""The whole path of a change, with a running site, a WebSocket client and an SMS provider."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import requests
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from luckygas.testing.servers import running
from luckygas.testing.site import Site, manage
from luckygas.testing.waiting import PATIENCE_SECONDS
from notifications.models import NotificationHistory
from orders.models import Order
from orders.tests.factories import make_customer, make_office, make_order, make_product, make_user
from orders.tests.threads import in_thread
from realtime.tests.client import Client, open_client, order_frames

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]
PASSWORD = "correct horse"


class HangingProvider:
    """A provider that accepts requests and answers only after `released` is set."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.answered = 0

    def __call__(self, request: Request) -> Response:
        self.released.wait(PATIENCE_SECONDS)
        self.answered += 1
        return Response("too late")


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    """A provider that answers concurrently, so that one hanging request does not block others."""
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def site(transactional_db: None, httpserver: HTTPServer) -> Iterator[Site]:
    """The site with a provider that accepts everything, and long time limits for it and for locked rows."""
    httpserver.expect_request("/send").respond_with_json({"message_id": "m1"})
    provider = {"SMS_GATEWAY": "http", "SMS_PROVIDER_URL": httpserver.url_for("/send"), "SMS_API_KEY": "key"}
    patience = dict.fromkeys(("SMS_TIMEOUT_SECONDS", "DATABASE_LOCK_SECONDS"), str(PATIENCE_SECONDS))
    with running(Site(**provider, **patience)) as server:
        yield server


@pytest.fixture
def hanging(site: Site, httpserver: HTTPServer) -> Iterator[HangingProvider]:
    provider = HangingProvider()
    httpserver.clear()
    httpserver.expect_request("/send").respond_with_handler(provider)
    yield provider
    provider.released.set()


class Rest:
    """A REST client that signs in, and sends its JWT with each request."""

    def __init__(self, site: Site, username: str) -> None:
        self.root = f"{site.url}/api/v1/"
        self.session = requests.Session()
        answer = self.call("POST", "auth/token/", username=username, password=PASSWORD)
        self.token = answer.json()["access"]
        self.session.headers["Authorization"] = f"Bearer {self.token}"

    def call(self, method: str, path: str, **body: Any) -> requests.Response:
        return self.session.request(method, self.root + path, json=body or None, timeout=PATIENCE_SECONDS)


@asynccontextmanager
async def signed_in(site: Site) -> AsyncIterator[tuple[Rest, Client]]:
    """An office user with a REST client and an open socket."""
    office = await sync_to_async(make_office)()
    rest = await asyncio.to_thread(Rest, site, office.username)
    async with open_client(f"{site.ws}/office?token={rest.token}") as client:
        yield rest, client


async def test_order_confirmed_over_rest_reaches_screens(site: Site) -> None:
    customer, product = await sync_to_async(make_customer)(), await sync_to_async(make_product)()
    async with signed_in(site) as (rest, client):
        created = await asyncio.to_thread(
            rest.call,
            "POST",
            "orders/",
            customer=customer.pk,
            scheduled_date=tomorrow(),
            items=[{"product": product.pk, "quantity": 2}],
        )
        assert created.status_code == 201, created.text
        order = created.json()
        (event,) = await client.orders(1)
        assert (event["type"], event["data"]["order_id"]) == ("order.created", order["id"])
        assert event["data"]["products"] == [{"name": product.name, "quantity": 2}]
        answer = await confirm(rest, order["id"])
        assert answer.status_code == 200, answer.text
        (event,) = await client.orders(1)
        assert (event["type"], event["data"]["status"]) == ("order.status_changed", "confirmed")


def tomorrow() -> str:
    return str(timezone.localdate() + timedelta(days=1))


async def test_confirm_sends_sms_and_updates_history_and_screens(site: Site, httpserver: HTTPServer) -> None:
    order = await sync_to_async(make_order)()
    async with signed_in(site) as (rest, client):
        assert (await confirm(rest, order.pk)).status_code == 200
        frames: list[dict[str, Any]] = []
        while not frames or frames[-1]["type"] != "notification.sent":
            frames.append(await client.receive())
        assert frames[-1]["data"]["kind"] == "order_confirmed"
        history = await asyncio.to_thread(rest.call, "GET", f"notifications/?order={order.pk}")
    (row,) = history.json()["results"]
    assert (row["status"], row["kind"]) == ("sent", "order_confirmed")
    (sent,) = [json.loads(request.get_data()) for request, _ in httpserver.log]
    assert sent["message"].startswith("【幸福氣】")
    assert order.order_number in sent["message"]


async def test_hanging_provider_delays_no_screen_and_fails_no_order(site: Site, hanging: HangingProvider) -> None:
    orders = [await sync_to_async(make_order)() for _ in range(3)]
    async with signed_in(site) as (rest, client):
        calls = [asyncio.create_task(confirm(rest, order.pk)) for order in orders]
        events = await client.orders(3)
        assert hanging.answered == 0, "the screens waited for the provider"
        assert {event["data"]["order_id"] for event in events} == {order.pk for order in orders}
        hanging.released.set()
        assert [answer.status_code for answer in await asyncio.gather(*calls)] == [200] * 3


async def test_hanging_provider_does_not_block_the_socket_that_sends_commands(
    site: Site, hanging: HangingProvider
) -> None:
    orders = [await sync_to_async(make_order)() for _ in range(6)]
    async with signed_in(site) as (rest, client), open_client(f"{site.ws}/office?token={rest.token}") as board:
        for order in orders:
            await client.send(type="order_update", order_id=order.pk, status="confirmed")
        acknowledged = [(await client.until("ack"))["status"] for _ in orders]
        assert len(await board.orders(6)) == 6
        assert (await client.answer("heartbeat", type="heartbeat"))["type"] == "heartbeat"
        assert hanging.answered == 0, "somebody waited for the provider"
        hanging.released.set()
    assert acknowledged == ["confirmed"] * 6


@pytest.mark.servers
async def test_command_that_waits_for_a_lock_delays_no_screen(site: Site) -> None:
    slow, quick = [await sync_to_async(make_order)() for _ in range(2)]
    async with signed_in(site) as (rest, client), open_client(f"{site.ws}/office?token={rest.token}") as board:
        async with row_lock(slow):
            await client.send(type="order_update", order_id=slow.pk, status="confirmed", ref="slow")
            assert (await board.answer("heartbeat", type="heartbeat"))["type"] == "heartbeat"
            done = await board.answer("ack", type="order_update", order_id=quick.pk, status="confirmed")
            assert done["ref"] is None
            assert (await client.orders(1))[0]["data"]["order_id"] == quick.pk
        assert (await client.until("ack"))["ref"] == "slow"


async def test_requests_waiting_for_a_locked_order_do_not_block_reads(site: Site) -> None:
    """This is also true on SQLite, whose readers do not wait for the writer."""
    order = await sync_to_async(make_order)()
    async with signed_in(site) as (rest, _client), row_lock(order):
        answers: list[requests.Response] = []
        threads = [in_thread(lambda: answers.append(send_confirm(rest, order.pk))) for _ in range(12)]
        await asyncio.sleep(0.5)  # by then all threads wait
        ready = await asyncio.to_thread(requests.get, f"{site.url}/health/ready", timeout=PATIENCE_SECONDS)
        read = await asyncio.to_thread(rest.call, "GET", "orders/")
        async with open_client(f"{site.ws}/office?token={rest.token}") as board:
            assert board.welcome["status"] == "connected"
        assert (ready.status_code, read.status_code) == (200, 200)
        assert 200 not in [answer.status_code for answer in answers]
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} <= {200, 409, 503}


@asynccontextmanager
async def row_lock(order: Order) -> AsyncIterator[None]:
    """Locks the order within the block."""
    is_locked, released = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Order.objects.select_for_update().get(pk=order.pk)
                is_locked.set()
                released.wait(PATIENCE_SECONDS)
        finally:
            connection.close()

    holding = asyncio.create_task(asyncio.to_thread(hold))
    await asyncio.to_thread(is_locked.wait, PATIENCE_SECONDS)
    try:
        yield
    finally:
        released.set()
        await holding


async def confirm(rest: Rest, pk: int) -> requests.Response:
    return await asyncio.to_thread(send_confirm, rest, pk)


def send_confirm(rest: Rest, pk: int) -> requests.Response:
    return rest.call("PATCH", f"orders/{pk}/status/", status="confirmed")


async def test_import_and_admin_changes_reach_screens(site: Site, tmp_path: Any) -> None:
    await sync_to_async(make_product)(code="20", aliases="20公斤")
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(
        f"編號,客戶,電話,地址,商品,數量,配送日期\n1,王小姐,0912-345-678,台北市大安區信義路四段1號,20公斤,1,{tomorrow()}\n"
    )
    async with signed_in(site) as (_, client):
        await asyncio.to_thread(manage, "import_orders", str(sheet))
        (created,) = await client.orders(1)
        assert created["type"] == "order.created"
        await asyncio.to_thread(confirm_in_the_admin, site, created["data"]["order_id"])
        (confirmed,) = await client.orders(1)
    assert confirmed["data"]["status"] == "confirmed"
    assert confirmed["data"]["source"] == "admin"


def confirm_in_the_admin(site: Site, pk: int) -> None:
    boss = make_user(is_staff=True, is_superuser=True)
    browser = requests.Session()
    page = browser.get(f"{site.url}/admin/login/", timeout=PATIENCE_SECONDS)
    login = {"username": boss.username, "password": PASSWORD, "csrfmiddlewaretoken": token_of(page.text)}
    page = browser.post(page.url, data=login, headers={"Referer": page.url}, timeout=PATIENCE_SECONDS)
    page = browser.get(f"{site.url}/admin/orders/order/", timeout=PATIENCE_SECONDS)
    action = {"action": "confirm", "_selected_action": pk, "csrfmiddlewaretoken": token_of(page.text)}
    assert (
        browser.post(page.url, data=action, headers={"Referer": page.url}, timeout=PATIENCE_SECONDS).status_code == 200
    )


def token_of(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found is not None
    return found[1]


async def test_last_event_id_leaves_no_gap_between_page_and_socket(site: Site) -> None:
    order = await sync_to_async(make_order)()
    async with signed_in(site) as (rest, _):
        state = await asyncio.to_thread(rest.call, "GET", "orders/")
        await confirm(rest, order.pk)
        since = state.headers["Last-Event-Id"]
        async with open_client(f"{site.ws}/office?token={rest.token}&since={since}") as page:
            assert page.welcome["recovered"] is True
            seen = order_frames(await page.everything())
            while not any(event["data"]["status"] == "confirmed" for event in seen):
                seen += await page.orders(1)
        polled = (await asyncio.to_thread(rest.call, "GET", f"events/?since={since}&channel=orders")).json()
    assert [event["id"] for event in polled["events"]] == sorted({event["id"] for event in seen})
    assert await sync_to_async(NotificationHistory.objects.count)() == 1

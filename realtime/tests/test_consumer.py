"""Tests with a real client and a real server."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import Client as Browser
from websockets.exceptions import ConnectionClosed

from accounts.api.tokens import Refresh
from luckygas.testing.site import Site, manage
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_user
from realtime.tests.client import open_client, token_for

# These run on PostgreSQL only, to save time. luckygas/tests/test_end_to_end.py covers this path on SQLite.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]


@pytest.fixture
def site(either_site: Site) -> Site:
    return either_site


make = sync_to_async  # factories are synchronous


async def token(user: User | None) -> str:
    return await make(token_for)(user)


MOVE = "from orders.models import Order; Order.objects.get(pk={pk}).transition_to('{to}', reason='測試')"


async def change_in_another_process(order: Order, *statuses: str) -> None:
    code = "\n".join(MOVE.format(pk=order.pk, to=status) for status in statuses)
    await asyncio.to_thread(manage, "shell", "-v", "0", "-c", code)


async def test_connection_frame_comes_first(site: Site) -> None:
    office = await make(make_office)()
    async with open_client(f"{site.ws}/office?token={await token(office)}") as client:
        welcome = client.welcome
    assert (welcome["type"], welcome["status"], welcome["role"]) == ("connection", "connected", "office")
    assert welcome["recovered"] is None
    assert welcome["heartbeat_interval"] == 30
    assert welcome["channels"][0] == f"user:{office.pk}"
    assert {"orders", "staff", "inventory", "system"} < set(welcome["channels"])


async def test_changes_of_another_process_arrive_in_commit_order(site: Site) -> None:
    order = await make(make_order)()
    async with open_client(f"{site.ws}/office?token={await token(await make(make_office)())}") as client:
        await change_in_another_process(order, OrderStatus.CONFIRMED, OrderStatus.CANCELLED)
        events = await client.orders(3)
    assert [(e["type"], e["data"]["status"]) for e in events] == [
        ("order.status_changed", "confirmed"),
        ("order.status_changed", "cancelled"),
        ("order.cancelled", "cancelled"),
    ]
    assert [e["id"] for e in events] == sorted({e["id"] for e in events})
    assert events[1]["channel"] == "orders"
    assert events[1]["data"]["reason"] == "測試"


async def test_resume_replays_each_missed_event_once(site: Site) -> None:
    order, office = await make(make_order)(), await make(make_office)()
    url = f"{site.ws}/office?token={await token(office)}"
    async with open_client(url) as client:
        since, epoch = client.welcome["last_event_id"], client.welcome["epoch"]
        client.socket.transport.abort()
    await change_in_another_process(order, OrderStatus.CONFIRMED)
    async with open_client(f"{url}&since={since}&epoch={epoch}") as client:
        assert client.welcome["recovered"] is True
        missed = await client.orders(1)
        await make(order.transition_to)(OrderStatus.CANCELLED, reason="測試")
        new = await client.orders(2)
    ids = [event["id"] for event in missed + new]
    assert [event["data"]["status"] for event in missed] == ["confirmed"]
    assert [event["type"] for event in new] == ["order.status_changed", "order.cancelled"]
    assert ids == sorted(set(ids))


async def test_resume_with_invalid_cursor_is_not_recovered(site: Site) -> None:
    jwt = await token(await make(make_office)())
    for cursor in ("since=999999", "since=0&epoch=other", "since=x", "since=-1", "since=" + "9" * 30):
        async with open_client(f"{site.ws}/office?token={jwt}&{cursor}") as client:
            assert client.welcome["recovered"] is False, cursor
            assert await client.everything() == []


async def test_page_of_this_site_opens_a_socket_by_session(site: Site) -> None:
    browser, office = Browser(), await make(make_office)()
    await make(browser.force_login)(office)
    cookie = f"sessionid={browser.cookies['sessionid'].value}"
    async with open_client(f"{site.ws}/office", Cookie=cookie, Origin=site.url) as client:
        assert client.welcome["role"] == "office"
    async with open_client(f"{site.ws}/office", Cookie=cookie, Origin="https://evil.example") as client:
        assert client.welcome["code"] == "origin_not_allowed"
        assert await client.closed() == 4403
    async with open_client(f"{site.ws}/office", Cookie=cookie) as client:
        assert client.welcome["code"] == "origin_not_allowed"


async def test_refused_client_gets_an_error_and_a_close_code(site: Site) -> None:
    for path, code, close in (
        ("", "origin_not_allowed", 4403),
        ("?token=nonsense", "token_not_valid", 4401),
        ("?ticket=nonsense", "ticket_not_valid", 4401),
        ("/track/nonsense", "link_not_valid", 4401),
        ("/elsewhere?token=x", "unknown_endpoint", 4403),
    ):
        async with open_client(site.ws + path) as client:
            assert (client.welcome["type"], client.welcome["code"]) == ("error", code)
            assert await client.closed() == close


async def test_endpoint_of_another_role_is_refused(site: Site) -> None:
    driver = await make(make_driver)()
    async with open_client(f"{site.ws}/office?token={await token(driver.user)}") as client:
        assert client.welcome["code"] == "forbidden"
        assert await client.closed() == 4403


async def test_refusal_is_in_the_clients_language(site: Site) -> None:
    details = []
    for language in ("en", "zh-TW"):
        async with open_client(f"{site.ws}?token=x", **{"Accept-Language": language}) as client:
            details.append(client.welcome["detail"])
    assert details[0] == "The token is invalid or has expired. Please sign in again."
    assert details[1] != details[0]


INVALID_MESSAGES: list[tuple[str | bytes, str]] = [
    ("{", "invalid_json"),
    ("[" * 50_000, "invalid_json"),
    ('{"type": "heartbeat", "n": NaN}', "invalid_json"),
    ("[]", "invalid_message"),
    ("{}", "invalid_message"),
    ('{"type": 7}', "invalid_message"),
    (b"\x00\x01", "invalid_message"),
    ('{"type": "explode", "ref": "a1"}', "unknown_type"),
    ('{"type": "subscribe"}', "unknown_channel"),
    ('{"type": "subscribe", "channel": ["orders"]}', "unknown_channel"),
    ('{"type": "subscribe", "channel": "order:0"}', "unknown_channel"),
    ('{"type": "subscribe", "channel": "order:999999999999999999999"}', "unknown_channel"),
    ('{"type": "subscribe", "channel": "orders"}', "forbidden"),
    ('{"type": "subscribe", "channel": "customer:1"}', "forbidden"),
    ('{"type": "subscribe", "channel": "order:999999999999999999"}', "forbidden"),
]


async def test_invalid_message_gets_an_error_and_the_socket_stays_open(site: Site) -> None:
    async with open_client(f"{site.ws}?token={await token((await make(make_driver)()).user)}") as client:
        for text, code in INVALID_MESSAGES:
            await client.socket.send(text)
            answer = await client.receive()
            assert (answer["type"], answer["code"]) == ("error", code), text
            assert answer["ref"] == ("a1" if code == "unknown_type" else None)
        assert (await client.request(type="heartbeat"))["type"] == "heartbeat"


async def test_events_arrive_only_between_subscribe_and_unsubscribe(site: Site) -> None:
    order, office = await make(make_order)(), await make(make_office)()
    async with open_client(f"{site.ws}?token={await token(office)}") as client:
        answer = await client.request(type="subscribe", channel="orders")
        assert (answer["type"], answer["channel"]) == ("subscribed", "orders")
        await make(order.transition_to)(OrderStatus.CONFIRMED)
        (event,) = await client.orders(1)
        assert event["id"] > answer["last_event_id"]
        await client.request(type="unsubscribe", channel="orders")
        await make(order.transition_to)(OrderStatus.CANCELLED, reason="測試")
        await asyncio.sleep(1.2)
        assert await client.everything() == []


async def test_url_channels_are_added_and_forbidden_ones_refused(site: Site) -> None:
    office = await make(make_office)()
    async with open_client(f"{site.ws}?token={await token(office)}&channels=orders,customer:1,nonsense") as client:
        assert "orders" in client.welcome["channels"]
        refused = await client.events(2)
    assert [(frame["code"], frame["ref"]) for frame in refused] == [
        ("forbidden", "customer:1"),
        ("forbidden", "nonsense"),
    ]


async def test_former_driver_gets_no_more_events_of_the_order(site: Site) -> None:
    old, new = await make(make_driver)(), await make(make_driver)()
    order = await make(make_order)(OrderStatus.ASSIGNED, driver=old)
    async with open_client(f"{site.ws}/driver?token={await token(old.user)}") as client:
        await client.everything()
        assert (await client.request(type="subscribe", channel=f"order:{order.pk}"))["type"] == "subscribed"
        await make(order.assign)(new)
        await make(order.transition_to)(OrderStatus.DELIVERING)
        await asyncio.sleep(1.2)
        frames = await client.everything()
    assert [frame["type"] for frame in frames] == ["order.unassigned"]
    assert set(frames[0]["data"]) == {"order_id", "order_number", "version"}


async def test_socket_closes_when_its_token_expires(site: Site) -> None:
    office = await make(make_office)()
    short = await make(lambda: Refresh.for_user(office).access_token)()
    short.set_exp(lifetime=timedelta(seconds=1))
    async with open_client(f"{site.ws}?token={short}") as client:
        assert await client.closed() == 4401


async def test_link_holder_gets_events_of_one_order_only(site: Site) -> None:
    order, other = await make(make_order)(), await make(make_order)()
    async with open_client(f"{site.ws}/track/{order.tracking_token}") as client:
        assert client.welcome["channels"] == [f"track:{order.pk}"]
        assert (await client.request(type="subscribe", channel=f"order:{order.pk}"))["code"] == "forbidden"
        await make(other.transition_to)(OrderStatus.CONFIRMED)
        await make(order.transition_to)(OrderStatus.CONFIRMED)
        event = await client.receive()
    assert (event["type"], event["data"]["order_id"]) == ("delivery.update", order.pk)


async def test_retried_order_command_gets_the_same_receipt(site: Site) -> None:
    driver = await make(make_driver)()
    order = await make(make_order)(OrderStatus.ASSIGNED, driver=driver)
    start = {"type": "order_update", "order_id": order.pk, "status": "delivering", "ref": "a1"}
    async with open_client(f"{site.ws}/driver?token={await token(driver.user)}") as client:
        answers = [await client.answer("ack", **start) for _ in range(2)]
        arrived = await client.answer("ack", type="order_update", order_id=order.order_number, status="driver_arrived")
        proof = {"confirmation_type": "qr_code", "cylinder_serial": "CYL789", "ref": "a2"}
        done = await client.answer("ack", type="delivery.confirmed", order_id=order.pk, **proof)
    assert answers[0] == answers[1]
    assert (answers[0]["ref"], answers[0]["order_id"], answers[0]["status"]) == ("a1", order.pk, "delivering")
    assert (arrived["status"], done["status"]) == ("arriving", "delivered")
    history = await make(lambda: list(order.history.values_list("to_status", "source").order_by("id")))()
    assert history[-3:] == [("delivering", "socket"), ("arriving", "socket"), ("delivered", "socket")]
    serials = await make(lambda: order.confirmations.get().cylinder_serials)()
    assert serials == ["CYL789"]


async def test_refused_command_is_an_error_with_its_ref(site: Site) -> None:
    driver = await make(make_driver)()
    order, other = (
        await make(make_order)(OrderStatus.ASSIGNED, driver=driver),
        await make(make_order)(OrderStatus.ASSIGNED),
    )
    wrong: list[tuple[dict[str, object], str]] = [
        ({"order_id": order.pk, "status": "delivered"}, "invalid_transition"),
        ({"order_id": order.pk, "status": "exploded"}, "invalid_message"),
        ({"order_id": order.pk}, "invalid_message"),
        ({"order_id": other.pk, "status": "delivering"}, "not_found"),
        ({"order_id": 10**30, "status": "delivering"}, "not_found"),
        ({"order_id": True, "status": "delivering"}, "not_found"),
        ({"order_id": "x\0", "status": "delivering"}, "not_found"),
        ({"order_id": order.pk, "status": "delivering", "at": "2099-01-01T00:00:00Z"}, "invalid_time"),
        ({"order_id": order.pk, "status": "delivering", "at": "yesterday"}, "invalid_message"),
        ({"order_id": order.pk, "status": "delivering", "details": [1]}, "invalid_message"),
        ({"order_id": order.pk, "status": "delivering", "details": {"eta": "soon"}}, "invalid_message"),
    ]
    async with open_client(f"{site.ws}/driver?token={await token(driver.user)}") as client:
        for fields, code in wrong:
            answer = await client.answer("error", type="order_update", ref="b1", **fields)
            assert (answer["code"], answer["ref"]) == (code, "b1"), fields
        assert (await client.answer("heartbeat", type="heartbeat"))["type"] == "heartbeat"
    present = await make(lambda: order.history.count())()
    assert present == 3


async def test_customer_cannot_change_an_order_by_socket(site: Site) -> None:
    customer = await make(make_customer)(user=await make(make_user)())
    order = await make(make_order)(customer=customer)
    async with open_client(f"{site.ws}?token={await token(customer.user)}") as client:
        answer = await client.answer("error", type="order_update", order_id=order.pk, status="cancelled")
    assert answer["code"] == "forbidden"


async def test_change_of_customer_revokes_the_link(site: Site) -> None:
    order, other = await make(make_order)(), await make(make_customer)()

    def hand_over() -> None:
        present = Order.objects.get(pk=order.pk)
        present.customer = other
        present.save()

    async with open_client(f"{site.ws}/track/{order.tracking_token}") as client:
        await make(hand_over)()
        assert await client.closed() == 4401
    async with open_client(f"{site.ws}/track/{order.tracking_token}") as client:
        assert client.welcome["code"] == "link_not_valid"


async def test_customer_reads_only_their_events(site: Site) -> None:
    customer = await make(make_customer)(user=await make(make_user)())
    order, other = await make(make_order)(customer=customer), await make(make_order)()
    async with open_client(f"{site.ws}?token={await token(customer.user)}") as client:
        assert (await client.request(type="subscribe", channel=f"order:{other.pk}"))["code"] == "forbidden"
        assert (await client.request(type="subscribe", channel=f"order:{order.pk}"))["type"] == "subscribed"
        await make(other.transition_to)(OrderStatus.CONFIRMED)
        await make(order.transition_to)(OrderStatus.CONFIRMED)
        await asyncio.sleep(1.2)
        frames = await client.everything()
    assert [frame["type"] for frame in frames] == ["order.status_changed", "delivery.update"]
    assert {frame["data"]["order_id"] for frame in frames} == {order.pk}


async def test_change_while_no_server_runs_is_delivered_on_resume(site: Site) -> None:
    """The change waits in the outbox. A client that resumes gets its event."""
    office, order = await make(make_office)(), await make(make_order)()
    url = f"/office?token={await token(office)}"
    async with open_client(site.ws + url) as client:
        since = client.welcome["last_event_id"]
        site.kill()
        with pytest.raises(ConnectionClosed):
            await client.socket.recv()
    await make(order.transition_to)(OrderStatus.CONFIRMED)
    await asyncio.to_thread(site.start)
    async with open_client(f"{site.ws}{url}&since={since}") as client:
        assert client.welcome["recovered"] is True
        assert [event["data"]["status"] for event in await client.orders(1)] == ["confirmed"]


async def test_200_idle_sockets_receive_one_change(site: Site) -> None:
    """Opens more sockets than redis-py's default pool has connections, and leaves them idle beyond its timeout."""
    order, jwts = await make(make_order)(), [await token(await make(make_office)()) for _ in range(40)]
    async with asyncio.TaskGroup() as group:
        ready, go = asyncio.Semaphore(0), asyncio.Event()

        async def listen(jwt: str) -> str:
            async with open_client(f"{site.ws}/office?token={jwt}") as client:
                ready.release()
                await go.wait()
                return str((await client.receive())["type"])

        listeners = [group.create_task(listen(jwt)) for jwt in jwts * 5]
        for _ in listeners:
            await ready.acquire()
        await asyncio.sleep(6)
        started = time.monotonic()
        go.set()
        await make(order.transition_to)(OrderStatus.CONFIRMED)
    assert [task.result() for task in listeners] == ["order.status_changed"] * 200
    assert time.monotonic() - started < 5

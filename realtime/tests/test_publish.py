"""Custom events: what may be published, and who receives it."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from django.contrib.auth.models import User
from django.db import transaction

from luckygas.testing.site import Site
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import (
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_route,
    make_user,
)
from realtime import log
from realtime import publish as module
from realtime.models import Outbox
from realtime.publish import publish
from realtime.tests.client import Client, open_client, token_for
from web.refusals import Refusal

pytestmark = pytest.mark.django_db
NOTE = {"title": "休息", "message": "十分鐘", "severity": "warning", "action": {"type": "view_order", "order_id": 17}}


def refusal_of(type_: str, data: Any, **target: Any) -> tuple[str, str | None]:
    """Tries to publish. Returns code and attribute of the refusal, and checks that nothing was written."""
    with pytest.raises(Refusal) as caught:
        publish(type_, data, **target)
    assert Outbox.objects.filter(subject__startswith="published").count() == 0
    return caught.value.code, caught.value.attr


def test_publish_is_part_of_the_callers_transaction() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        publish("custom.x", {}, channel="staff")
        raise ZeroDivisionError
    publish("custom.y", {"a": 1}, channel="staff")
    log.assign_event_ids()
    assert [(e.type, e.channels, e.data) for e in log.read(0, 9)] == [("custom.y", ["staff"], {"a": 1})]


def test_publish_fills_in_channel_and_severity() -> None:
    user = make_user()
    drafts = [
        publish("system.message", {"message": "早安"}),
        publish("maintenance.alert", {"message": "今晚", "severity": "warning"}, channel="staff"),
        publish("notification", NOTE, user=user.pk),
    ]
    assert [draft.channels for draft in drafts] == [["system"], ["staff"], [f"user:{user.pk}"]]
    assert [draft.data["severity"] for draft in drafts] == ["info", "warning", "warning"]
    assert drafts[2].data == NOTE


@pytest.mark.parametrize(
    "type_", ["", "order.created", "rights.ended", "custom", "custom.", "custom..a", "custom.a b", "custom." + "a" * 58]
)
def test_unknown_type_is_refused(type_: str) -> None:
    assert refusal_of(type_, {}, channel="staff") == ("unknown_type", "type")


def test_invalid_target_is_refused() -> None:
    gone = make_user(is_active=False)
    wrong: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({}, ("required", "channel")),
        ({"channel": ""}, ("required", "channel")),
        ({"channel": "staff", "user": 1}, ("two_targets", "user")),
        ({"channel": "nonsense"}, ("unknown_channel", "channel")),
        ({"channel": "rights"}, ("unknown_channel", "channel")),
        ({"channel": "order:999999"}, ("unknown_channel", "channel")),
        ({"channel": "order:0"}, ("unknown_channel", "channel")),
        ({"channel": f"track:{make_order().pk}"}, ("unknown_channel", "channel")),
        ({"user": gone.pk}, ("unknown_channel", "user")),
        ({"user": -1}, ("unknown_channel", "user")),
    ]
    for target, error in wrong:
        assert refusal_of("custom.x", {}, **target) == error, target


def test_every_channel_except_links_can_be_published_to() -> None:
    order, route = make_order(OrderStatus.ASSIGNED), make_route()
    numbered = {"order": order.pk, "driver": order.driver_id, "customer": order.customer_id, "route": route.pk}
    for channel in ("staff", "orders", "system", *(f"{kind}:{pk}" for kind, pk in numbered.items())):
        assert publish("custom.x", {}, channel=channel).channels[0] == channel


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ([], "invalid"),
        ("x", "invalid"),
        ({"a": float("nan")}, "invalid"),
        ({"a": [float("-inf")]}, "invalid"),
        ({"\ud800": 1}, "invalid"),
        ({"a": 10**400}, "invalid"),
        ({"a": [-(2**63)]}, "invalid"),
        ({"a": "\0"}, "invalid"),
        ({"a\0": 1}, "invalid"),
        ({1: 1}, "invalid"),
        ({"a": object()}, "invalid"),
        (nested(module.MAX_DEPTH), "too_deep"),
        ({"a": "瓦" * 6000}, "too_large"),
    ],
)
def test_invalid_or_too_large_data_is_refused(data: Any, code: str) -> None:
    assert refusal_of("custom.x", data, channel="staff") == (code, "data")


def test_data_of_the_largest_size_and_depth_is_delivered_unchanged() -> None:
    largest: dict[str, Any] = {
        "瓦": "瓦" * 5000,
        "b": [True, None, 1.5, -(2**62), "", {}],
        "deep": nested(module.MAX_DEPTH - 2),
    }
    publish("custom.x", largest, channel="staff")
    log.assign_event_ids()
    assert log.read(0, 1)[0].data == largest


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, ("required", "data.message")),
        ({"message": "m"}, ("required", "data.title")),
        ({"message": "m", "title": "x" * 201}, ("max_length", "data.title")),
        ({"message": "m", "title": "t", "severity": "fatal"}, ("invalid_choice", "data.severity")),
        ({"message": "m", "title": "t", "action": {"type": "x", "order_id": 0}}, ("min_value", "data.action.order_id")),
        ({"message": "m", "title": "t", "colour": "red"}, ("unknown_field", "data.colour")),
    ],
)
def test_invalid_notification_is_refused(data: Any, error: tuple[str, str]) -> None:
    assert refusal_of("notification", data, channel="staff") == error


def test_custom_event_with_keys_of_order_events_is_stored_unchanged() -> None:
    alike: list[dict[str, Any]] = [{"routes_touched": [1]}, {"customer_id": 7}, {"order_id": "x"}]
    for number, data in enumerate(alike, start=1):
        publish("custom.x", data, channel="system")
        assert log.assign_event_ids() == 1
        assert log.read(number - 1, 1)[0].data == data


@pytest.mark.servers
def test_office_publishes_by_api() -> None:
    user, office = make_user(), make_api("office")
    answer = office.post("events/", {"type": "notification", "user": user.pk, "data": NOTE})
    assert (answer.status_code, answer.json()) == (
        201, {"type": "notification", "channel": f"user:{user.pk}", "data": NOTE},
    )  # fmt: skip
    assert office.post("events/", {"type": "custom.ping", "channel": "staff"}).status_code == 201
    found = office.get("events/", channel="staff").json()["events"]
    assert [(event["type"], event["data"]) for event in found] == [("custom.ping", {})]


@pytest.mark.servers
def test_others_may_not_publish_by_api() -> None:
    for role, status in {"driver": 403, "customer": 403, "none": 403, "anonymous": 401}.items():
        answer = make_api(role).post("events/", {"type": "system.message", "data": {"message": "x"}})
        assert answer.status_code == status
    assert not Outbox.objects.filter(type="system.message").exists()


@pytest.mark.servers
@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, ("required", "type")),
        ({"type": ["custom.x"], "channel": "staff"}, ("invalid", "type")),
        ({"type": "custom.x", "channel": "staff", "data": [1]}, ("not_a_dict", "data")),
        ({"type": "custom.x", "channel": "staff", "data": None}, ("null", "data")),
        ({"type": "custom.x", "channel": {"a": 1}}, ("invalid", "channel")),
        ({"type": "custom.x", "user": "x"}, ("invalid", "user")),
        ({"type": "custom.x", "user": 10**30}, ("max_value", "user")),
        ({"type": "custom.x", "user": 10**9}, ("unknown_channel", "user")),
        ({"type": "custom.x", "chanel": "staff"}, ("unknown_field", "chanel")),
        ({"type": "custom.x", "channel": "staff", "data": {"a": "x" * 20_000}}, ("too_large", "data")),
        ({"type": "custom.x", "channel": "staff", "data": {"a": [2**63]}}, ("invalid", "data")),
        ({"type": "system.message", "data": {"message": ""}}, ("blank", "data.message")),
    ],
)
def test_invalid_request_gets_the_standard_error(body: Any, error: tuple[str, str]) -> None:
    answer = make_api("office").post("events/", body)
    assert (answer.status_code, codes(answer)) == (400, [error])


@pytest.mark.servers
@pytest.mark.parametrize("data", ['{"a": NaN}', '{"a": "\\u0000"}', '{"a": "\\ud800"}', '{"a": 1e999}', "[" * 9999])
def test_invalid_or_unstorable_json_is_refused(data: str) -> None:
    body = f'{{"type": "custom.x", "channel": "staff", "data": {data}}}'
    api = Api(make_office())
    assert api.client.post("/api/v1/events/", body, content_type="application/json").status_code == 400


def publish_to_all(order: Order, users: dict[str, User]) -> None:
    """Publishes to every channel. The customer id in the data must not affect who receives the events."""
    channels = ["staff", "system", f"order:{order.pk}", f"driver:{order.driver_id}", f"customer:{order.customer_id}"]
    for channel in [*channels, *(f"user:{user.pk}" for user in users.values())]:
        publish("custom.test", {"to": channel, "customer_id": 999}, channel=channel)


def make_readers() -> tuple[Order, dict[str, User], dict[str, str]]:
    """An order, users with and without access to it, and the paths of their sockets. The driver has two sockets."""
    driver, customer, clerk, stranger = (
        make_driver(),
        make_customer(user=make_user()),
        make_office(),
        make_driver().user,
    )
    assert customer.user is not None
    order = make_order(OrderStatus.ASSIGNED, driver=driver, customer=customer)
    users = {"clerk": clerk, "driver": driver.user, "customer": customer.user, "stranger": stranger}
    paths = {
        "clerk": f"/office?token={token_for(clerk)}",
        "driver": f"/driver?token={token_for(driver.user)}&channels=order:{order.pk}",
        "second": f"?token={token_for(driver.user)}",
        "customer": f"?token={token_for(customer.user)}&channels=order:{order.pk}",
        "stranger": f"?token={token_for(stranger)}",
        "link": f"/track/{order.tracking_token}?",
    }
    return order, users, paths


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_custom_event_reaches_each_permitted_reader_once(either_site: Site) -> None:
    """Connects to every endpoint. Connected and resuming clients must receive the same events."""
    order, users, paths = await make(make_readers)()
    own = {role: f"user:{user.pk}" for role, user in users.items()}
    concerned = [f"order:{order.pk}", f"driver:{order.driver_id}", f"customer:{order.customer_id}"]
    expected = {
        "clerk": {own["clerk"], "staff", "system"},
        "driver": {own["driver"], "system", concerned[0], concerned[1]},
        "second": {own["driver"], "system"},
        "customer": {own["customer"], "system", concerned[0], concerned[2]},
        "stranger": {own["stranger"], "system"},
        "link": set(),
    }
    async with AsyncExitStack() as stack:
        clients = {role: await stack.enter_async_context(open_client(either_site.ws + p)) for role, p in paths.items()}
        since = max(client.welcome["last_event_id"] for client in clients.values())
        await make(publish_to_all)(order, users)
        for role, client in clients.items():
            assert await received_channels(client, len(expected[role])) == sorted(expected[role]), role
    for role, path in paths.items():
        async with open_client(f"{either_site.ws}{path}&since={since}") as client:
            assert await received_channels(client, len(expected[role])) == sorted(expected[role]), role


async def received_channels(client: Client, count: int) -> list[str]:
    """The channels of the custom events that a client receives. Waits until there are `count`."""
    frames: list[dict[str, Any]] = []
    async with asyncio.timeout(5):
        while len(frames) < count:
            frames += [frame for frame in [await client.receive()] if frame["type"] == "custom.test"]
    frames += [frame for frame in await client.everything() if frame["type"] == "custom.test"]
    return sorted(frame["data"]["to"] for frame in frames)


def test_size_limit_counts_utf8_bytes() -> None:
    data = {"a": "瓦" * 5457}
    assert len(json.dumps(data, ensure_ascii=False).encode()) <= module.MAX_BYTES
    assert publish("custom.x", data, channel="staff").data == data

"""Drivers and customers receive the events of an order only while it is theirs."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async as make

from customers.models import Customer
from dispatch.models import Driver
from luckygas.testing.waiting import wait_for_async
from orders.models import Order
from orders.models.order import Proof
from orders.states import OrderStatus
from orders.tests.api.client import Api
from orders.tests.factories import make_customer, make_driver, make_order, make_user
from realtime.channels import Identity
from realtime.hub import Hub
from realtime.publish import publish
from realtime.tests.test_hub import Reader, join, until
from realtime.tests.test_socket import Socket, connect, end_of_log

pytestmark = pytest.mark.django_db(transaction=True)


class ReassignedOrder:
    """An order that changes between two drivers and two customers. `act` publishes events in between."""

    def __init__(self) -> None:
        self.drivers = [make_driver() for _ in range(2)]
        self.customers = [make_customer(user=make_user()) for _ in range(2)]
        self.order = make_order(OrderStatus.ASSIGNED, driver=self.drivers[0], customer=self.customers[0])

    def reassign(self, driver: Driver | None = None, customer: Customer | None = None) -> None:
        order = Order.objects.get(pk=self.order.pk)
        order.driver, order.customer = driver or order.driver, customer or order.customer
        order.save()

    def publish(self, word: str) -> None:
        publish("custom.word", {"word": word}, channel=f"order:{self.order.pk}")

    def act(self) -> None:
        (first, second), (_, other) = self.drivers, self.customers
        self.publish("first")
        self.reassign(driver=second)
        self.publish("second")
        self.reassign(driver=first)
        self.publish("first again")
        self.reassign(customer=other)
        self.publish("other customer")


# The words that each user must receive.
EXPECTED = {
    "first driver": ["first", "first again", "other customer"],
    "second driver": ["second"],
    "customer": ["first", "second", "first again"],
    "other customer": ["other customer"],
}


def published_words(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["data"]["word"] for frame in frames if frame["type"] == "custom.word"]


def users_by_name(reassigned: ReassignedOrder) -> dict[str, Any]:
    whose = [driver.user for driver in reassigned.drivers] + [customer.user for customer in reassigned.customers]
    return dict(zip(EXPECTED, whose, strict=True))


async def test_subscription_gets_order_events_only_while_the_order_is_theirs(hub: Hub) -> None:
    reassigned = await make(ReassignedOrder)()
    await until(hub, await end_of_log())
    readers = {
        name: join(hub, Reader(f"order:{reassigned.order.pk}", identity=await make(Identity.of)(user)))
        for name, user in users_by_name(reassigned).items()
    }
    await make(reassigned.act)()
    await until(hub, await end_of_log())
    assert {name: published_words(reader.frames) for name, reader in readers.items()} == EXPECTED
    channels = {frame["channel"] for reader in readers.values() for frame in reader.frames}
    assert channels == {f"order:{reassigned.order.pk}"}


@pytest.mark.parametrize("name", ["first driver", "other customer"])
async def test_resuming_and_polling_return_the_same_events(hub: Hub, name: str) -> None:
    reassigned = await make(ReassignedOrder)()
    await make(reassigned.act)()
    await until(hub, await end_of_log())
    user, channel = users_by_name(reassigned)[name], f"order:{reassigned.order.pk}"
    socket = await connect(user, f"&since=0&channels={channel}")
    await wait_for_async(lambda: len(published_words(socket.frames)) == len(EXPECTED[name]))
    polled = (await make(lambda: Api(user).get("events/", channel=channel))()).json()["events"]
    assert published_words(socket.frames) == published_words(polled) == EXPECTED[name]
    theirs = [frame["data"] for frame in (*socket.frames, *polled) if frame["type"].startswith("order.")]
    if name == "other customer":
        assert {data["customer_id"] for data in theirs} == {reassigned.customers[1].pk}
    assert theirs


@pytest.mark.parametrize("name", ["second driver", "customer"])
async def test_former_driver_and_customer_may_not_subscribe(hub: Hub, name: str) -> None:
    reassigned = await make(ReassignedOrder)()
    await make(reassigned.act)()
    await until(hub, await end_of_log())
    user, channel = users_by_name(reassigned)[name], f"order:{reassigned.order.pk}"
    socket = await connect(user)
    socket.send_text(f'{{"type": "subscribe", "channel": "{channel}"}}')
    assert (await socket.until("error"))["code"] == "forbidden"
    assert (await make(lambda: Api(user).get("events/", channel=channel).status_code)()) == 403


async def test_proof_of_delivery_reaches_the_driver_and_the_customer(hub: Hub) -> None:
    reassigned = await make(ReassignedOrder)()
    driver, customer = reassigned.drivers[0], reassigned.customers[0]
    readers = [
        join(hub, Reader(f"driver:{driver.pk}", identity=Identity(1, driver_id=driver.pk))),
        join(hub, Reader(f"customer:{customer.pk}", identity=Identity(2, customer_id=customer.pk))),
    ]

    def deliver() -> None:
        for to in (OrderStatus.DELIVERING, OrderStatus.ARRIVING):
            reassigned.order.transition_to(to)
        reassigned.order.transition_to(OrderStatus.DELIVERED, proof=Proof("qr_code", ["CYL789"]))

    await make(deliver)()
    await until(hub, await end_of_log())
    for reader in readers:
        (proof,) = [frame for frame in reader.frames if frame["type"] == "delivery.confirmed"]
        assert set(proof["data"]) == {"order_id", "confirmation_type", "cylinder_serials", "confirmed_at"}
    assert "delivery.update" not in [frame["type"] for frame in readers[0].frames]


async def open_link(order: Order, query: str = "") -> Socket:
    """Opens a socket with the order's current tracking link."""
    order = await Order.objects.aget(pk=order.pk)
    socket = Socket("track", query, link=order.tracking_token)
    await socket.until("connection")
    return socket


async def test_link_of_new_customer_replays_no_events_of_the_former_one(hub: Hub) -> None:
    reassigned = await make(ReassignedOrder)()
    former = await open_link(reassigned.order)
    await make(reassigned.order.transition_to)(OrderStatus.DELIVERING)
    await former.until("delivery.update")
    await make(reassigned.reassign)(customer=reassigned.customers[1])
    await wait_for_async(lambda: former.closed_with == [4401])
    present = await open_link(reassigned.order, "since=0")
    await make((await Order.objects.aget(pk=reassigned.order.pk)).transition_to)(OrderStatus.ARRIVING)
    await present.until("delivery.update")
    statuses = [frame["data"]["status"] for frame in present.frames if frame["type"] == "delivery.update"]
    assert statuses == ["arriving"]


async def test_socket_of_link_revoked_while_connecting_is_closed_on_join(hub: Hub) -> None:
    reassigned = await make(ReassignedOrder)()
    late = Reader(
        f"track:{reassigned.order.pk}", identity=Identity.of_link(reassigned.order.pk, reassigned.customers[0].pk)
    )
    await make(reassigned.reassign)(customer=reassigned.customers[1])
    await until(hub, await end_of_log())
    join(hub, late)
    assert late.closing.result() == 4401

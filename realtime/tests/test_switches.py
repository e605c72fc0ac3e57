"""The hub in this process while switches are turned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone

from customers.models import Customer
from dispatch.models import Driver, DriverLocation
from luckygas.testing.waiting import wait_for_async
from orders.models import Order
from orders.states import Status
from orders.tests.api.client import Api
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_user, turn
from realtime import hub as hub_module
from realtime.hub import Hub
from realtime.switches import TRY_AGAIN_LATER, look_for_ends
from realtime.tests.client import token_for
from realtime.tests.test_hub import Reader, change, hub, join, until
from realtime.tests.test_socket import Socket, connect
from web import flags
from web.system_metrics import counted, growth

__all__ = ["hub"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def _asked_of_the_database(all_switches_on: None) -> AsyncIterator[None]:
    flags.forget()
    yield
    flags.forget()


class Told(Reader):
    def say(self, text: str) -> None:
        self.said = [*getattr(self, "said", []), text]


async def become(hub: Hub, *, paused: bool) -> None:
    async with asyncio.timeout(5):
        while hub.switches.paused != paused:
            await asyncio.sleep(0.01)


@make
def hand_over(order: Order, driver: Driver, customer: Customer) -> None:
    order.assign(driver)
    order.customer = customer
    order.save()


async def follow(token: str) -> Socket:
    socket = Socket("track", token)
    await socket.until("connection")
    return socket


async def catch_up(hub: Hub) -> None:
    """Until what was made for the test is told."""
    end, _ = await make(look_for_ends)(0)
    await until(hub, end.seq)


def seconds() -> float:
    return asyncio.get_running_loop().time()


async def test_what_is_not_pushed_waits_and_is_told_when_it_is_again(hub: Hub) -> None:
    reader = Told("customers")
    join(hub, reader)
    await change(1)
    await until(hub, 1)
    begun, before = seconds(), counted()
    await make(turn)(flags.REAL_TIME, False)
    await become(hub, paused=True)
    assert seconds() - begun < hub_module.TIMER_SECONDS + 0.3
    await change(2, 3)
    while hub.end < 3:
        await asyncio.sleep(0.01)
    assert (reader.ids, hub.cursor) == ([1], 1)
    await make(turn)(flags.REAL_TIME, True)
    await until(hub, 3)
    await become(hub, paused=False)
    assert reader.ids == [1, 2, 3]
    assert reader.said == ['{"type":"pushing","on":false}', '{"type":"pushing","on":true}']
    # That it was withheld is nobody's delay, and no bell was missed.
    assert growth(counted(), before).keys().isdisjoint({"luckygas_hub_events_total", "luckygas_bell_missed_total"})


async def test_meanwhile_the_log_can_be_asked_for_over_http(hub: Hub) -> None:
    api = await make(lambda: Api(make_office()))()
    await make(turn)(flags.REAL_TIME, False)
    await become(hub, paused=True)
    await change(2)
    while hub.end < 1:
        await asyncio.sleep(0.01)
    page = (await make(api.get)("events/", channel="customers")).json()
    assert [event["data"]["customer_id"] for event in page["events"]] == [2]


async def test_rights_end_also_while_nothing_is_pushed(hub: Hub) -> None:
    user = await make(make_office)()
    socket = await connect(user, endpoint="office")
    await make(turn)(flags.REAL_TIME, False)
    await socket.until("pushing")

    def deactivate() -> None:
        user.is_active = False
        user.save()

    await make(deactivate)()
    await wait_for_async(lambda: socket.closed_with)
    assert socket.closed_with == [4401]
    await make(turn)(flags.REAL_TIME, True)
    await become(hub, paused=False)


async def test_an_order_that_came_back_while_nothing_was_pushed_is_followed_on(hub: Hub) -> None:
    driver, other = await make(make_driver)(), await make(make_driver)()
    customer, stranger = await make(make_customer)(user=await make(make_user)()), await make(make_customer)()
    back, away = [await make(make_order)(Status.ASSIGNED, driver=driver, customer=customer) for _ in range(2)]
    await catch_up(hub)
    channels = f"&channels=order:{back.pk},order:{away.pk}"
    before = await connect(driver.user, channels)
    await connect(customer.user, channels)
    (theirs,) = [reader for reader in hub.audience.readers if reader.identity.customer_id == customer.pk]
    await make(turn)(flags.REAL_TIME, False)
    await become(hub, paused=True)
    await hand_over(away, other, stranger)
    await hand_over(back, other, stranger)
    await hand_over(back, driver, customer)
    meanwhile = await connect(driver.user, channels)
    end, _ = await make(look_for_ends)(0)
    resumed = await connect(driver.user, f"{channels}&since={end.seq}")
    assert (hub.cursor < end.seq, resumed.frames[0]["recovered"]) == (True, True)
    await make(turn)(flags.REAL_TIME, True)
    await become(hub, paused=False)
    for order in (away, back):
        await make(order.transition_to)(Status.DELIVERING)
    for socket in (before, meanwhile, resumed):
        assert (await socket.until("order.status_changed"))["data"]["order_id"] == back.pk
        moved = [frame for frame in socket.frames if frame.get("data", {}).get("status") == Status.DELIVERING]
        assert {frame["data"]["order_id"] for frame in moved} == {back.pk}
    assert {name for name in theirs.channels if name.startswith("order:")} == {f"order:{back.pk}"}


async def test_a_link_made_while_nothing_was_pushed_lives_on_and_the_one_before_ends(hub: Hub) -> None:
    order, other = await make(make_order)(Status.ASSIGNED), await make(make_customer)()
    await catch_up(hub)
    former = await follow(order.tracking_token)
    await make(turn)(flags.REAL_TIME, False)
    await become(hub, paused=True)

    await hand_over(order, await make(make_driver)(), other)
    present = await follow((await Order.objects.aget(pk=order.pk)).tracking_token)
    await make(turn)(flags.REAL_TIME, True)
    await become(hub, paused=False)
    await make(order.transition_to)(Status.DELIVERING)
    assert (await present.until("delivery.update"))["data"]["status"] == Status.DELIVERING
    assert (former.closed_with, present.closed_with) == ([4401], [])


async def test_a_page_that_read_further_than_the_hub_need_not_load_afresh(hub: Hub) -> None:
    user = await make(make_user)()
    await make(turn)(flags.REAL_TIME, False)
    await become(hub, paused=True)
    await change(2, 3)
    while hub.end < 2:
        await asyncio.sleep(0.01)
    begun = seconds()
    socket = await connect(await make(make_office)(), f"&since={hub.end}")
    assert (await socket.until("connection"))["recovered"] is True
    assert seconds() - begun < 0.4
    assert (await socket.until("pushing"))["on"] is False
    assert user.pk


async def test_what_such_a_page_had_read_is_not_told_again(hub: Hub) -> None:
    user = await make(make_office)()
    await make(turn)(flags.REAL_TIME, False)
    await become(hub, paused=True)
    await change(2, 3)
    while hub.end < 2:
        await asyncio.sleep(0.01)
    behind = await connect(user, "&since=1", endpoint="office")
    ahead = await connect(user, "&since=2", endpoint="office")
    ahead.say('{"type": "subscribe", "channel": "system"}')
    ahead.say('{"type": "heartbeat"}')
    answers = [await ahead.until(kind) for kind in ("connection", "subscribed", "heartbeat")]
    assert [answer["last_event_id"] for answer in answers] == [2, 2, 2]
    await make(turn)(flags.REAL_TIME, True)
    await become(hub, paused=False)
    await change(4)
    await until(hub, 3)
    for socket in (behind, ahead):
        socket.say('{"type": "authenticate"}')  # whose answer comes behind them
        await socket.until("error")
    told = [[frame["id"] for frame in socket.frames if "id" in frame] for socket in (behind, ahead)]
    assert told == [[2, 3], [3]]


async def test_where_a_driver_came_to_stand_meanwhile_is_told_when_pages_are_told_again(hub: Hub) -> None:
    office, driver = await make(make_office)(), await make(make_driver)()
    socket = await connect(office, endpoint="office")
    await make(turn)(flags.REAL_TIME, False)
    await become(hub, paused=True)
    hub.positions.take(DriverLocation(driver=driver, latitude=25, longitude=121, recorded_at=timezone.now()))
    async with asyncio.timeout(5):
        while not await DriverLocation.objects.aexists():
            await asyncio.sleep(0.01)
    assert "driver.location" not in [frame["type"] for frame in socket.frames]
    await make(turn)(flags.REAL_TIME, True)
    assert (await socket.until("driver.location"))["data"]["driver_id"] == driver.pk


async def test_lines_that_are_open_are_closed_and_new_ones_are_refused_readably(hub: Hub) -> None:
    user = await make(make_office)()
    socket = await connect(user)
    begun = seconds()
    await make(turn)(flags.WEBSOCKETS, False)
    await wait_for_async(lambda: socket.closed_with)
    assert (socket.closed_with, seconds() - begun < hub_module.TIMER_SECONDS + 0.3) == ([TRY_AGAIN_LATER], True)
    refused = Socket("ws", f"token={await make(token_for)(user)}")
    assert (await refused.until("error"))["code"] == "switched_off"
    await asyncio.sleep(0)
    assert refused.closed_with == [TRY_AGAIN_LATER]
    await make(turn)(flags.WEBSOCKETS, True)
    await wait_for_async(lambda: hub.switches.serves)
    again: Any = await connect(user)
    assert again.closed_with == []

"""Whose an order is changes while its driver, or whoever holds its link, connects."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make

from orders.states import Status
from orders.tests.factories import make_customer, make_driver, make_order
from realtime import auth, channels, commands, consumer, log
from realtime.hub import Hub
from realtime.models import Outbox
from realtime.tests.test_hub import hub, until
from realtime.tests.test_socket import Socket, connect

__all__ = ["hub"]
pytestmark = pytest.mark.django_db(transaction=True)


async def end_of_log() -> int:
    """With all in it: where the hub is just at it, `number` leaves it to the hub."""
    while await make(Outbox.objects.exists)():
        await make(log.number)()
    return (await make(log.head)()).seq


async def test_whoever_comes_back_follows_an_order_that_was_taken_and_given_back_meanwhile(hub: Hub) -> None:
    driver, other = await make(make_driver)(), await make(make_driver)()
    order = await make(make_order)(Status.ASSIGNED, driver=driver)
    before = await end_of_log()
    await make(order.assign)(other)
    await make(order.assign)(driver)
    socket = await connect(driver.user, f"&since={before}&channels=order:{order.pk}")
    await make(order.transition_to)(Status.DELIVERING)
    assert (await socket.until("order.status_changed"))["data"]["status"] == Status.DELIVERING


@pytest.mark.parametrize("comes_back", [True, False])
async def test_an_order_that_is_taken_while_its_driver_connects_and_given_back_is_followed(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, comes_back: bool
) -> None:
    driver, other = await make(make_driver)(), await make(make_driver)()
    order, not_asked_for = [await make(make_order)(Status.ASSIGNED, driver=driver) for _ in range(2)]
    since = f"&since={await end_of_log()}" if comes_back else ""
    requested_channels = commands.requested_channels

    async def taken_meanwhile(*args: Any) -> tuple[list[str], list[str]]:
        answer = await requested_channels(*args)
        for each in (order, not_asked_for):
            await make(each.assign)(other)
        await until(hub, await end_of_log())
        return answer

    monkeypatch.setattr(commands, "requested_channels", taken_meanwhile)
    socket = await connect(driver.user, f"&channels=order:{order.pk}{since}")
    for status in (Status.DELIVERING, Status.ASSIGNED):  # the other's
        await make(order.transition_to)(status)
    for each in (not_asked_for, order):
        await make(each.assign)(driver)
        await make(each.transition_to)(Status.DELIVERING)
    await socket.until("order.status_changed")
    said = [frame["data"] for frame in socket.frames if frame["type"] == "order.status_changed"]
    assert [(data["status"], data["previous_status"]) for data in said] == [("delivering", "assigned")]
    assert said[0]["version"] == order.version


async def test_the_link_of_a_former_customer_ends_also_where_it_is_just_being_opened(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, identify = await make(make_order)(Status.ASSIGNED, driver=await make(make_driver)()), auth.identify

    async def corrected_meanwhile(*args: Any) -> channels.Identity:
        identity = await identify(*args)
        order.customer = await make(make_customer)()
        await make(order.save)()
        await until(hub, await end_of_log())
        return identity

    monkeypatch.setattr(consumer, "identify", corrected_meanwhile)
    socket = Socket("track", link=order.tracking_token)
    async with asyncio.timeout(5):
        while socket.closed_with != [4401]:
            await asyncio.sleep(0.01)
    await make(order.transition_to)(Status.DELIVERING)
    await until(hub, await end_of_log())
    assert [frame["code"] for frame in socket.frames] == ["rights_ended"]


async def test_whoever_comes_back_reads_of_no_driver_in_between(hub: Hub) -> None:
    driver, other = await make(make_driver)(), await make(make_driver)()
    order = await make(make_order)(Status.ASSIGNED, driver=driver)
    await make(order.assign)(other)
    before = await end_of_log()
    for status in (Status.DELIVERING, Status.ASSIGNED):  # the other's
        await make(order.transition_to)(status)
    await make(order.assign)(driver)
    await until(hub, await end_of_log())
    socket = await connect(driver.user, f"&since={before}&channels=order:{order.pk}")
    await make(order.transition_to)(Status.DELIVERING)
    await socket.until("order.status_changed")
    orders = [frame for frame in socket.frames if frame["type"].startswith("order.")]
    assert [frame["data"]["version"] for frame in orders] == [order.version - 1, order.version]

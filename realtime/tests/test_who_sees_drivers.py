"""Real clients and servers: who receives driver positions, and when drivers are announced as online or offline."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from asgiref.sync import sync_to_async as make
from django.utils import timezone

from dispatch.models import Driver
from luckygas.testing.servers import running
from luckygas.testing.site import Site
from luckygas.testing.waiting import SOON_SECONDS
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_user
from realtime.models import WebSocketConnection
from realtime.presence import STALE_AFTER
from realtime.tests.client import Client, open_client, token_for

pytestmark = [pytest.mark.long, pytest.mark.django_db(transaction=True), pytest.mark.servers]

# How long to wait until a driver is announced as offline. It takes 5 to 10 s, and longer on a busy machine.
OFFLINE_SECONDS = 2 * SOON_SECONDS
HERE = {"latitude": 25.0330, "longitude": 121.5654, "speed": 30, "heading": 45, "accuracy": 10}


async def token(user: Any) -> str:
    return await make(token_for)(user)


async def location(client: Client) -> dict[str, Any]:
    """Returns the next position, skipping other frames."""
    return await client.until("driver.location", SOON_SECONDS)


async def locations(client: Client) -> list[dict[str, Any]]:
    """Returns the positions received up to now."""
    return [frame for frame in await client.everything() if frame["type"] == "driver.location"]


@dataclass
class Scene:
    """A driver who arrives at `order`, the next stop, with `later` as the stop after it; and clients of many kinds."""

    driver: Driver
    order: Order
    later: Order
    clients: dict[str, Client]

    async def change_status(self, order: Order, *statuses: OrderStatus) -> None:
        """Changes the status. Returns when all clients have received everything written up to the change."""
        for status in statuses:
            await make(order.transition_to)(status, reason="測試")
            event: dict[str, Any] = {"data": {}}
            while (event["data"].get("order_id"), event["data"].get("status")) != (order.pk, status):
                event = await self.clients["office"].until("order.status_changed")
        for client in self.clients.values():
            await client.everything()

    async def check_readers(self, *names: str) -> None:
        """Checks that the driver's positions reach these clients and no others.

        Sends several, because the server accepts one per second and skips clients with data waiting.
        """
        reached: set[str] = set()
        async with asyncio.timeout(SOON_SECONDS):
            while not reached.issuperset(names):
                await self.clients["driver"].send(type="location_update", **HERE)
                await asyncio.sleep(0.3)
                reached |= {name for name, client in self.clients.items() if await locations(client)}
        assert reached == set(names)


@asynccontextmanager
async def make_scene(site: Site) -> AsyncIterator[Scene]:
    driver, other = await make(make_driver)(), await make(make_driver)()
    customer = await make(make_customer)(user=await make(make_user)())
    order = await make(make_order)(OrderStatus.ARRIVING, driver=driver, customer=customer, stop_sequence=1)
    later = await make(make_order)(OrderStatus.DELIVERING, driver=driver, stop_sequence=2)
    office = await token(await make(make_office)())
    paths = {
        "office": f"/office?token={office}",
        "driver": f"/driver?token={await token(driver.user)}",
        "office, this driver": f"?token={office}&channels=driver:{driver.pk}",
        "office, another driver": f"?token={office}&channels=driver:{other.pk},orders,routes,order:{order.pk}",
        "another driver": f"/driver?token={await token(other.user)}",
        "customer": f"?token={await token(customer.user)}&channels=order:{order.pk}",
        "link": f"/track/{order.tracking_token}",
        "link of the later stop": f"/track/{later.tracking_token}",
    }
    async with AsyncExitStack() as stack:
        clients = {name: await stack.enter_async_context(open_client(site.ws + path)) for name, path in paths.items()}
        yield Scene(driver, order, later, clients)


async def test_only_the_next_customer_gets_positions(either_site: Site) -> None:
    always = ("office", "driver", "office, this driver")
    async with make_scene(either_site) as scene:
        await scene.check_readers(*always, "link")
        await scene.change_status(scene.order, OrderStatus.DELIVERING)
        await scene.check_readers(*always, "link")  # no longer arriving, but still the next stop
        await scene.change_status(scene.order, OrderStatus.ASSIGNED)
        await scene.check_readers(*always, "link of the later stop")
        await scene.change_status(scene.later, OrderStatus.ARRIVING, OrderStatus.DELIVERED)
        await scene.check_readers(*always)


async def test_position_payload_depends_on_the_reader(either_site: Site) -> None:
    async with make_scene(either_site) as scene:
        await scene.clients["driver"].send(type="location_update", timestamp="2026-11-22T00:00:00Z", locations=[
            HERE | {"latitude": 24}, HERE,
        ])  # fmt: skip
        office, link = await location(scene.clients["office"]), await location(scene.clients["link"])
        late = {}
        for name, path in (
            ("office", f"/office?token={await token(await make(make_office)())}"),
            ("link", f"/track/{scene.order.tracking_token}"),
        ):
            async with open_client(either_site.ws + path) as client:
                late[name] = await location(client)
        await scene.clients["office"].answer("subscribed", type="subscribe", channel=f"driver:{scene.driver.pk}")
    assert "id" not in office
    assert office["channel"] == "drivers"
    place = {name: HERE[name] for name in ("latitude", "longitude", "speed", "heading")}
    assert office["data"] == place | {"driver_id": scene.driver.pk, "timestamp": office["data"]["timestamp"]}
    assert link["channel"] == f"track:{scene.order.pk}"
    assert link["data"] == place | {"timestamp": office["data"]["timestamp"]}
    assert [late[name]["data"] for name in ("office", "link")] == [office["data"], link["data"]]


INVALID_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"latitude": 91}, "invalid_message"),
    ({"longitude": "121"}, "invalid_message"),
    ({"latitude": True}, "invalid_message"),
    ({"speed": -1}, "invalid_message"),
    ({"timestamp": "soon"}, "invalid_message"),
    ({"locations": []}, "invalid_message"),
    ({"locations": [HERE] * 101}, "invalid_message"),
]


async def test_invalid_position_gets_an_error_and_is_not_sent(either_site: Site) -> None:
    async with make_scene(either_site) as scene:
        driver, office = scene.clients["driver"], scene.clients["office"]
        for fields, code in INVALID_FIELDS:
            answer = await driver.request(type="location_update", **(HERE | fields))
            assert (answer["type"], answer["code"]) == ("error", code), fields
        await driver.socket.send(json.dumps({"type": "location_update", **HERE}).replace("25.033", "1e999"))
        assert (await driver.receive())["code"] == "invalid_message"
        answer = await office.answer("error", type="location_update", **HERE)
        assert answer["code"] == "forbidden"
        answer = await scene.clients["link"].answer("error", type="location_update", **HERE)
        assert answer["code"] == "forbidden"
        await asyncio.sleep(0.3)
        assert await locations(office) == []
        await driver.send(type="location_update", **HERE)
        await location(office)  # a valid position right after the invalid ones is accepted


async def test_second_server_sends_each_position_once(transactional_db: None) -> None:
    with running(Site("uvicorn")) as first, running(Site("daphne")) as second:
        driver, jwt = await make(make_driver)(), await token(await make(make_office)())
        order = await make(make_order)(OrderStatus.DELIVERING, driver=driver)
        async with (
            open_client(f"{first.ws}/driver?token={await token(driver.user)}") as phone,
            open_client(f"{first.ws}/office?token={jwt}") as near,
            open_client(f"{second.ws}/office?token={jwt}") as far,
            open_client(f"{second.ws}/track/{order.tracking_token}") as link,
        ):
            await phone.send(type="location_update", **HERE)
            positions = [await location(client) for client in (near, far, link)]
            await asyncio.sleep(0.3)
            again = [await locations(client) for client in (near, far, link)]
    assert again == [[], [], []]
    assert positions[0]["data"] == positions[1]["data"]
    assert "driver_id" not in positions[2]["data"]


def online(site: Site, jwt: str) -> dict[int, bool]:
    """Whether each driver is online, by driver id, from the REST API."""
    answer = requests.get(
        f"{site.url}/api/v1/drivers/locations/", headers={"Authorization": f"Bearer {jwt}"}, timeout=10
    )
    return {row["driver"]: row["online"] for row in answer.json()["results"]}


async def test_driver_is_offline_when_no_server_has_a_socket(
    transactional_db: None,
) -> None:
    with running(Site("uvicorn")) as first, running(Site("daphne")) as second:
        driver, jwt = await make(make_driver)(), await token(await make(make_office)())
        path = f"/driver?token={await token(driver.user)}"
        async with open_client(f"{second.ws}/office?token={jwt}") as office:
            async with open_client(first.ws + path):
                came = await office.until("driver.online", SOON_SECONDS)
                assert await asyncio.to_thread(online, first, jwt) == {driver.pk: True}
                async with open_client(second.ws + path):
                    await asyncio.sleep(0.7)
            async with open_client(second.ws + path):  # reconnects before the driver is announced as offline
                await asyncio.sleep(5.5)
                assert [frame for frame in await office.everything() if frame["channel"] == "drivers"] == []
            went = await office.until("driver.offline", OFFLINE_SECONDS)
            assert await asyncio.to_thread(online, second, jwt) == {driver.pk: False}
            assert office.welcome["last_event_id"] < came["id"] < went["id"]
            assert [frame for frame in await office.everything() if frame["channel"] == "drivers"] == []
    assert came["data"] == went["data"] == {"driver_id": driver.pk}


async def test_drivers_of_a_killed_server_go_offline(transactional_db: None) -> None:
    driver, jwt = await make(make_driver)(), await token(await make(make_office)())
    with running(Site("uvicorn")) as site:
        async with open_client(f"{site.ws}/driver?token={await token(driver.user)}"):
            async with open_client(f"{site.ws}/office?token={jwt}") as office:
                await office.until("driver.online")
            site.kill()
        old = timezone.now() - STALE_AFTER
        await make(WebSocketConnection.objects.update)(last_ping=old)
        await asyncio.to_thread(site.start)
        async with open_client(f"{site.ws}/office?token={jwt}") as office:
            assert (await office.until("driver.offline", OFFLINE_SECONDS))["data"] == {"driver_id": driver.pk}
        assert await make(WebSocketConnection.objects.filter(last_ping__lte=old).count)() == 0

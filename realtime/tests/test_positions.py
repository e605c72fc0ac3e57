"""Driver positions in this process: which are stored, which are dropped, and who receives them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone

from dispatch.models import Driver, DriverLocation
from luckygas.testing.waiting import wait_for_async
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_driver, make_order
from orders.tests.threads import open_transaction
from realtime import hub as module
from realtime import outbox, positions
from realtime.channels import Identity
from realtime.connection import Batch
from realtime.hub import Hub
from realtime.tests.test_hub import Reader, join

pytestmark = pytest.mark.django_db(transaction=True)


class Tracker(Reader):
    """Records the positions written to it."""

    def deliver(self, batch: Batch) -> None:
        super().deliver(batch)
        self.frames = [frame for frame in self.frames if frame["type"] == "driver.location"]

    def offer(self, batch: Batch) -> None:
        self.deliver(batch)

    @property
    def latitudes(self) -> list[float]:
        return [frame["data"]["latitude"] for frame in self.frames]


def track(hub: Hub, *channels: str, identity: Identity | None = None) -> Tracker:
    reader = Tracker(*channels, identity=identity)
    join(hub, reader)
    return reader


def join_link(hub: Hub, order: int, customer: int) -> Tracker:
    """A reader who holds the link to an order of this customer."""
    return track(hub, f"track:{order}", identity=Identity.of_link(order, customer))


def make_location(driver: int, latitude: float = 25.0, ago: float = 0, **fields: Any) -> DriverLocation:
    at = timezone.now() - timedelta(seconds=ago)
    return DriverLocation(driver_id=driver, latitude=latitude, longitude=121.5, recorded_at=at, **fields)


def message_from_another_server(driver: int, latitude: float, ago: float = 0) -> dict[str, Any]:
    """A position from the channel layer. The driver's next order is 7, of customer 5."""
    place = positions.DriverPosition.of(make_location(driver, latitude, ago), 7, 5).message()
    return {"type": "positions", "places": [place]}


@pytest.fixture
def unlimited_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns off the rate limit of positions."""
    monkeypatch.setattr(positions, "EVERY_SECONDS", 0)


async def make_driver_on_the_way() -> tuple[Driver, Order]:
    driver = await make(make_driver)()
    return driver, await make(make_order)(OrderStatus.DELIVERING, driver=driver)


async def test_each_reader_gets_a_position_once_and_customers_get_no_driver_id(hub: Hub) -> None:
    driver, order = await make_driver_on_the_way()
    office = track(hub, "drivers", f"driver:{driver.pk}")
    own, customer = track(hub, f"driver:{driver.pk}"), join_link(hub, order.pk, order.customer_id)
    other, former = track(hub, "driver:999", "track:999", "orders"), join_link(hub, order.pk, 10**9)
    hub.positions.accept(make_location(driver.pk, speed=30, heading=90))
    await wait_for_async(lambda: customer.frames)
    await asyncio.sleep(0.2)
    assert [len(reader.frames) for reader in (office, own, customer, other, former)] == [1, 1, 1, 0, 0]
    (frame,) = office.frames
    assert (frame["type"], frame["channel"], "id" in frame) == ("driver.location", "drivers", False)
    assert set(frame["data"]) == {"driver_id", "latitude", "longitude", "speed", "heading", "timestamp"}
    assert frame["data"]["driver_id"] == driver.pk
    assert customer.frames[0]["channel"] == f"track:{order.pk}"
    assert set(customer.frames[0]["data"]) == {"latitude", "longitude", "speed", "heading", "timestamp"}


async def test_one_position_per_second_is_accepted(hub: Hub) -> None:
    driver, other = await make(make_driver)(), await make(make_driver)()
    office = track(hub, "drivers")
    for number in range(5):
        hub.positions.accept(make_location(driver.pk, latitude=number))
    hub.positions.accept(make_location(other.pk, latitude=9))
    await wait_for_async(lambda: len(office.frames) == 2)
    await asyncio.sleep(0.3)
    assert office.latitudes == [0, 9]


async def test_older_position_is_neither_stored_nor_sent(hub: Hub, unlimited_rate: None) -> None:
    driver = await make(make_driver)()
    office = track(hub, "drivers")
    hub.positions.accept(make_location(driver.pk, latitude=1))
    await wait_for_async(lambda: office.frames)
    hub.positions.accept(make_location(driver.pk, latitude=2, ago=10))
    await asyncio.sleep(0.3)
    assert office.latitudes == [1]
    assert await make(lambda: DriverLocation.objects.get().latitude)() == 1


async def test_stale_position_is_dropped(hub: Hub) -> None:
    driver, office = await make(make_driver)(), track(hub, "drivers")
    hub.positions.accept(make_location(driver.pk, ago=13 * 3600))
    hub.positions.accept(make_location(driver.pk))
    await wait_for_async(lambda: office.frames)
    assert await make(lambda: DriverLocation.objects.get().recorded_at > timezone.now() - timedelta(minutes=1))()


async def test_position_of_inactive_driver_is_dropped(hub: Hub) -> None:
    former, gone = await make(make_driver)(is_active=False), await make(make_driver)()
    office, driver = track(hub, "drivers"), await make(make_driver)()

    def leave() -> None:
        gone.user.is_active = False
        gone.user.save()

    await make(leave)()
    for pk in (former.pk, gone.pk, 10**9, driver.pk):
        hub.positions.accept(make_location(pk))
    await wait_for_async(lambda: office.frames)
    assert [frame["data"]["driver_id"] for frame in office.frames] == [driver.pk]


async def test_only_the_latest_position_waits_for_a_busy_database(hub: Hub, unlimited_rate: None) -> None:
    driver = await make(make_driver)()
    await make(make_location(driver.pk, ago=60).save)()
    office = track(hub, "drivers")
    with open_transaction("SELECT 1 FROM dispatch_driverlocation FOR UPDATE"):
        for latitude in range(10):
            hub.positions.accept(make_location(driver.pk, latitude))
            await asyncio.sleep(0.01)
    await wait_for_async(lambda: 9 in office.latitudes)
    assert office.latitudes == [0, 9]


async def test_positions_continue_after_a_database_outage(
    hub: Hub, unlimited_rate: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = await make(make_driver)()
    office, store = track(hub, "drivers"), positions.store

    def away(locations: Any) -> Any:
        monkeypatch.setattr(positions, "store", store)
        raise ConnectionError("away")

    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(positions, "store", away)
    hub.positions.accept(make_location(driver.pk, latitude=1))
    await asyncio.sleep(0.2)
    hub.positions.accept(make_location(driver.pk, latitude=2))
    await wait_for_async(lambda: office.frames)
    assert office.latitudes == [2]


async def send_latest_to(hub: Hub, reader: Tracker) -> Tracker:
    """Schedules the latest positions for a joined reader, and returns the reader after 0.3 s, when they have come."""
    hub.positions.schedule_latest(reader, reader.channels)
    await asyncio.sleep(0.3)
    return reader


async def test_new_subscriber_gets_the_latest_positions(hub: Hub) -> None:
    driver, order = await make_driver_on_the_way()
    idle, old = await make(make_driver)(), await make(make_driver)()
    for row in (make_location(driver.pk, 1), make_location(idle.pk, 2), make_location(old.pk, 3, ago=13 * 3600)):
        await make(row.save)()
    office = await send_latest_to(hub, track(hub, "orders", "drivers"))
    own = await send_latest_to(hub, track(hub, f"driver:{idle.pk}"))
    customer = await send_latest_to(hub, join_link(hub, order.pk, order.customer_id))
    stranger = await send_latest_to(hub, join_link(hub, 999, order.customer_id))
    readers = (office, own, customer, stranger)
    assert [sorted(reader.latitudes) for reader in readers] == [[1, 2], [2], [1], []]
    assert "driver_id" not in customer.frames[0]["data"]


async def test_new_subscriber_never_sees_an_older_position(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    driver, latest = await make(make_driver)(), positions.latest_positions
    early, late = track(hub, "drivers"), track(hub, "drivers")
    elsewhere = message_from_another_server(driver.pk, 2, ago=10)

    def latest_then_newer() -> list[positions.DriverPosition]:
        found = latest()
        hub.loop.call_soon_threadsafe(hub.positions.receive, elsewhere)
        return found

    await make(make_location(driver.pk, 1, ago=20).save)()
    monkeypatch.setattr(positions, "latest_positions", latest_then_newer)
    await send_latest_to(hub, late)
    hub.positions.receive(elsewhere)
    assert (early.latitudes, late.latitudes) == ([2], [2])


async def test_position_lost_by_the_channel_layer_is_sent_on_the_next_subscription(hub: Hub) -> None:
    driver = await make(make_driver)()
    early = track(hub, "drivers")
    await make(make_location(driver.pk, 1).save)()
    late = await send_latest_to(hub, track(hub, "drivers"))
    await send_latest_to(hub, track(hub, "drivers"))
    assert (early.latitudes, late.latitudes) == ([1], [1])


async def test_reader_that_left_gets_no_positions(hub: Hub) -> None:
    driver = await make(make_driver)()
    await make(make_location(driver.pk).save)()
    reader = track(hub, "drivers")
    hub.positions.schedule_latest(reader, ["drivers"])
    hub.readers.leave(reader)
    await asyncio.sleep(0.3)
    assert reader.frames == []


async def test_position_from_another_server_is_sent_unless_older(hub: Hub) -> None:
    office, customer = track(hub, "drivers"), join_link(hub, 7, 5)
    hub.positions.receive(message_from_another_server(1, latitude=5))
    hub.positions.receive(message_from_another_server(1, latitude=4, ago=10))
    assert (office.latitudes, customer.latitudes) == ([5], [5])


async def test_position_from_another_release_is_accepted(hub: Hub) -> None:
    office, customer = track(hub, "drivers"), join_link(hub, 7, 5)
    message = message_from_another_server(1, latitude=5)
    (place,) = message["places"]
    del place["customer_id"]
    hub.positions.receive({**message, "places": [place | {"altitude": 30}]})
    assert (office.latitudes, customer.latitudes) == ([5], [])


async def test_rate_limit_of_positions_holds_across_servers(hub: Hub) -> None:
    driver, office = await make(make_driver)(), track(hub, "drivers")
    hub.positions.receive(message_from_another_server(driver.pk, latitude=5, ago=1))
    hub.positions.accept(make_location(driver.pk, latitude=6))
    await asyncio.sleep(0.3)
    assert office.latitudes == [5]


async def test_own_position_from_the_channel_layer_is_not_sent_again(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    driver, broadcasts = await make(make_driver)(), list[dict[str, Any]]()
    office, broadcast = track(hub, "drivers"), outbox.broadcast

    async def record(message: dict[str, Any]) -> None:
        broadcasts.extend([message] if message["type"] == "positions" else [])
        await broadcast(message)

    monkeypatch.setattr(outbox, "broadcast", record)
    hub.positions.accept(make_location(driver.pk))
    await wait_for_async(lambda: broadcasts)
    await asyncio.sleep(0.2)
    hub.positions.receive(broadcasts[0])
    assert len(office.frames) == 1


async def test_many_new_subscribers_cause_few_queries(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = await make(make_driver)()
    await make(lambda: make_location(driver.pk, latitude=24).save())()
    calls, latest = list[int](), positions.latest_positions

    def counting() -> list[positions.DriverPosition]:
        calls.append(1)
        return latest()

    monkeypatch.setattr(positions, "latest_positions", counting)
    readers = [track(hub, "drivers") for _ in range(50)]
    for reader in readers:
        hub.positions.schedule_latest(reader, ["drivers"])
        await asyncio.sleep(0)
    await wait_for_async(lambda: all(reader.frames for reader in readers))
    assert [reader.latitudes for reader in readers] == [[24]] * 50
    assert len(calls) <= 2


class BusyReader(Tracker):
    """A reader with data waiting, so that it gets no ephemeral events."""

    def offer(self, batch: Batch) -> None:
        pass


async def test_new_subscriber_with_data_waiting_gets_positions(hub: Hub) -> None:
    driver = await make(make_driver)()
    await make(make_location(driver.pk, 1, ago=20).save)()
    busy = BusyReader("drivers")
    join(hub, busy)
    hub.positions.schedule_latest(busy, ["drivers"])
    hub.positions.receive(message_from_another_server(driver.pk, 2))
    await wait_for_async(lambda: busy.frames)
    hub.positions.receive(message_from_another_server(driver.pk, 3))
    assert busy.latitudes == [2]

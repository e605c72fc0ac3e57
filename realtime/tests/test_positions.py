"""Where drivers are, in this process: what is kept, who is told what, and what is left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone

from dispatch.models import Driver, DriverLocation
from luckygas.testing.waiting import wait_for_async
from orders.models import Order
from orders.states import Status
from orders.tests.factories import make_driver, make_order
from realtime import outbox, positions
from realtime.connection import Batch
from realtime.hub import Hub
from realtime.tests.test_hub import Reader, hub, join

__all__ = ["hub"]
pytestmark = pytest.mark.django_db(transaction=True)


class Tracker(Reader):
    """Keeps the positions it is given or offered."""

    def deliver(self, batch: Batch) -> None:
        super().deliver(batch)
        self.frames = [frame for frame in self.frames if frame["type"] == "driver.location"]

    def offer(self, batch: Batch) -> None:
        self.deliver(batch)

    @property
    def latitudes(self) -> list[float]:
        return [frame["data"]["latitude"] for frame in self.frames]


def track(hub: Hub, *channels: str) -> Tracker:
    reader = Tracker(*channels)
    join(hub, reader)
    return reader


def fix(driver: int, latitude: float = 25.0, ago: float = 0, **fields: Any) -> DriverLocation:
    at = timezone.now() - timedelta(seconds=ago)
    return DriverLocation(driver_id=driver, latitude=latitude, longitude=121.5, recorded_at=at, **fields)


def from_elsewhere(driver: int, latitude: float, ago: float = 0) -> dict[str, Any]:
    place = asdict(positions.Place.of(fix(driver, latitude, ago), 7))
    return {"type": "positions", "places": [place]}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drivers may say where they are as often as they like."""
    monkeypatch.setattr(positions, "EVERY_SECONDS", 0)


async def on_the_way() -> tuple[Driver, Order]:
    driver = await make(make_driver)()
    return driver, await make(make_order)(Status.DELIVERING, driver=driver)


async def test_each_reader_is_told_once_and_the_customer_not_who_drives(hub: Hub) -> None:
    driver, order = await on_the_way()
    office = track(hub, "drivers", f"driver:{driver.pk}")
    own, customer = track(hub, f"driver:{driver.pk}"), track(hub, f"track:{order.pk}")
    other = track(hub, "driver:999", "track:999", "orders")
    hub.positions.take(fix(driver.pk, speed=30, heading=90))
    await wait_for_async(lambda: customer.frames)
    await asyncio.sleep(0.2)
    assert [len(reader.frames) for reader in (office, own, customer, other)] == [1, 1, 1, 0]
    (frame,) = office.frames
    assert (frame["type"], frame["channel"], "id" in frame) == ("driver.location", "drivers", False)
    assert set(frame["data"]) == {"driver_id", "latitude", "longitude", "speed", "heading", "timestamp"}
    assert frame["data"]["driver_id"] == driver.pk
    assert customer.frames[0]["channel"] == f"track:{order.pk}"
    assert set(customer.frames[0]["data"]) == {"latitude", "longitude", "speed", "heading", "timestamp"}


async def test_of_a_second_one_position_is_taken(hub: Hub) -> None:
    driver, other = await make(make_driver)(), await make(make_driver)()
    office = track(hub, "drivers")
    for number in range(5):
        hub.positions.take(fix(driver.pk, latitude=number))
    hub.positions.take(fix(other.pk, latitude=9))
    await wait_for_async(lambda: len(office.frames) == 2)
    await asyncio.sleep(0.3)
    assert office.latitudes == [0, 9]


async def test_an_older_position_is_neither_kept_nor_told(hub: Hub, at_once: None) -> None:
    driver = await make(make_driver)()
    office = track(hub, "drivers")
    hub.positions.take(fix(driver.pk, latitude=1))
    await wait_for_async(lambda: office.frames)
    hub.positions.take(fix(driver.pk, latitude=2, ago=10))
    await asyncio.sleep(0.3)
    assert office.latitudes == [1]
    assert await make(lambda: DriverLocation.objects.get().latitude)() == 1


async def test_what_is_history_by_now_is_not_taken(hub: Hub) -> None:
    driver = await make(make_driver)()
    hub.positions.take(fix(driver.pk, ago=13 * 3600))
    hub.positions.take(fix(driver.pk))
    await wait_for_async(lambda: not hub.positions._waiting)
    await asyncio.sleep(0.3)
    assert await make(lambda: DriverLocation.objects.get().recorded_at > timezone.now() - timedelta(minutes=1))()


async def test_who_drives_no_longer_is_not_followed(hub: Hub) -> None:
    former, gone = await make(make_driver)(is_active=False), await make(make_driver)()
    office, driver = track(hub, "drivers"), await make(make_driver)()

    def leave() -> None:
        gone.user.is_active = False
        gone.user.save()

    await make(leave)()
    for pk in (former.pk, gone.pk, 10**9, driver.pk):
        hub.positions.take(fix(pk))
    await wait_for_async(lambda: office.frames)
    assert [frame["data"]["driver_id"] for frame in office.frames] == [driver.pk]


async def test_while_the_database_is_busy_the_latest_of_each_driver_waits(hub: Hub, at_once: None) -> None:
    driver = await make(make_driver)()
    office, busy, asked = track(hub, "drivers"), asyncio.Event(), list[int]()
    ask = hub.positions._ask

    async def slow(function: Callable[..., Any], *args: Any) -> Any:
        asked.append(len(args[0]))
        await busy.wait()
        return await ask(function, *args)

    hub.positions._ask = slow
    for latitude in range(10):
        hub.positions.take(fix(driver.pk, latitude))
        await asyncio.sleep(0.01)
    busy.set()
    await wait_for_async(lambda: len(office.frames) == 2)
    assert (office.latitudes, asked) == ([0, 9], [1, 1])


async def test_a_database_that_is_away_costs_positions_and_no_more(
    hub: Hub, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = await make(make_driver)()
    office, keep = track(hub, "drivers"), positions.keep

    def away(locations: Any) -> Any:
        monkeypatch.setattr(positions, "keep", keep)
        raise ConnectionError("away")

    monkeypatch.setattr(positions, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(positions, "keep", away)
    hub.positions.take(fix(driver.pk, latitude=1))
    await asyncio.sleep(0.2)
    hub.positions.take(fix(driver.pk, latitude=2))
    await wait_for_async(lambda: office.frames)
    assert office.latitudes == [2]


async def greeted(hub: Hub, *channels: str) -> Tracker:
    """A reader who begins now, and what it is told at once."""
    reader = track(hub, *channels)
    hub.positions.welcome(reader, channels)
    await wait_for_async(lambda: not hub.positions._newcomers)
    return reader


async def test_who_begins_to_read_is_told_the_latest(hub: Hub) -> None:
    driver, order = await on_the_way()
    idle, old = await make(make_driver)(), await make(make_driver)()
    for row in (fix(driver.pk, 1), fix(idle.pk, 2), fix(old.pk, 3, ago=13 * 3600)):
        await make(row.save)()
    office, own = await greeted(hub, "orders", "drivers"), await greeted(hub, f"driver:{idle.pk}")
    customer, stranger = await greeted(hub, f"track:{order.pk}"), await greeted(hub, "track:999", "orders")
    assert sorted(office.latitudes) == [1, 2]
    assert (own.latitudes, customer.latitudes, stranger.latitudes) == ([2], [1], [])
    assert "driver_id" not in customer.frames[0]["data"]


async def test_who_begins_to_read_while_a_position_comes_is_told_once(hub: Hub) -> None:
    driver = await make(make_driver)()
    ask, early, late = hub.positions._ask, track(hub, "drivers"), Tracker("drivers")

    async def overtaken(function: Callable[..., Any], *args: Any) -> Any:
        found = await ask(function, *args)
        hub.positions.hear(elsewhere)
        return found

    await make(fix(driver.pk, 1, ago=20).save)()
    await greeted(hub, "orders", "drivers")
    elsewhere = from_elsewhere(driver.pk, 2, ago=10)
    hub.positions._ask = overtaken
    join(hub, late)
    hub.positions.welcome(late, ["drivers"])
    await wait_for_async(lambda: not hub.positions._newcomers)
    hub.positions.hear(elsewhere)
    assert (early.latitudes, late.latitudes) == ([1, 2], [2])


async def test_what_no_channel_layer_brought_is_told_when_somebody_looks(hub: Hub) -> None:
    driver = await make(make_driver)()
    early = track(hub, "drivers")
    await make(fix(driver.pk, 1).save)()
    late = await greeted(hub, "drivers")
    await greeted(hub, "drivers")
    assert (early.latitudes, late.latitudes) == ([1], [1])


async def test_who_stopped_reading_meanwhile_is_told_nothing(hub: Hub) -> None:
    driver = await make(make_driver)()
    await make(fix(driver.pk).save)()
    await greeted(hub, "drivers")
    reader = track(hub, "drivers")
    hub.positions.welcome(reader, ["drivers"])
    hub.audience.leave(reader)
    await wait_for_async(lambda: not hub.positions._newcomers)
    assert reader.frames == []


async def test_what_another_server_heard_is_told_and_never_backwards(hub: Hub) -> None:
    office, customer = track(hub, "drivers"), track(hub, "track:7")
    hub.positions.hear(from_elsewhere(1, latitude=5))
    hub.positions.hear(from_elsewhere(1, latitude=4, ago=10))
    assert (office.latitudes, customer.latitudes) == ([5], [5])


async def test_a_driver_with_sockets_on_two_servers_has_one_position_a_second(hub: Hub) -> None:
    office = track(hub, "drivers")
    hub.positions.hear(from_elsewhere(1, latitude=5))
    hub.positions.take(fix(1, latitude=6))
    assert (office.latitudes, hub.positions._waiting) == ([5], {})


async def test_a_position_of_our_own_that_comes_back_is_not_told_again(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, said = await make(make_driver)(), list[dict[str, Any]]()
    office, broadcast = track(hub, "drivers"), outbox.broadcast

    async def keep(message: dict[str, Any]) -> None:
        said.extend([message] if message["type"] == "positions" else [])
        await broadcast(message)

    monkeypatch.setattr(outbox, "broadcast", keep)
    hub.positions.take(fix(driver.pk))
    await wait_for_async(lambda: said)
    await asyncio.sleep(0.2)
    hub.positions.hear(said[0])
    assert len(office.frames) == 1


async def test_who_comes_within_a_second_is_told_together_where_the_drivers_are(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = await make(make_driver)()
    await make(lambda: fix(driver.pk, latitude=24).save())()
    looks, latest = list[int](), positions.latest

    def counting() -> list[positions.Place]:
        looks.append(1)
        return latest()

    monkeypatch.setattr(positions, "latest", counting)
    readers = []
    for _ in range(5):
        readers.append(track(hub, "drivers"))
        hub.positions.welcome(readers[-1], ["drivers"])
        await asyncio.sleep(2 * positions.PAUSE_SECONDS)
    await wait_for_async(lambda: all(reader.frames for reader in readers))
    assert [reader.latitudes for reader in readers] == [[24]] * 5
    assert len(looks) == 2


class Busy(Tracker):
    """Reads what it missed, and has no time for what can be left out."""

    def offer(self, batch: Batch) -> None:
        pass


async def test_who_waits_to_be_greeted_misses_no_position_meanwhile(hub: Hub) -> None:
    driver = await make(make_driver)()
    await make(fix(driver.pk, 1, ago=20).save)()
    await greeted(hub, "orders", "drivers")
    busy = Busy("drivers")
    join(hub, busy)
    hub.positions.welcome(busy, ["drivers"])
    hub.positions.hear(from_elsewhere(driver.pk, 2))
    await wait_for_async(lambda: not hub.positions._newcomers)
    hub.positions.hear(from_elsewhere(driver.pk, 3))
    assert busy.latitudes == [2]

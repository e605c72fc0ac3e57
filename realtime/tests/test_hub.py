"""The hub in this process, with connections that record what is written to them."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from luckygas.testing.waiting import wait_for_async
from realtime import hub as module
from realtime import log, outbox
from realtime.channels import Identity
from realtime.connection import SERVICE_RESTART, Batch, Connection
from realtime.hub import Hub
from realtime.models import Event, LogHead, Outbox
from realtime.outbox import announce
from realtime.tests.client import unread_queue
from web.system_metrics import current_counts, growth

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]
BELL_MISSED = "luckygas_bell_missed_total"


class Reader(Connection):
    """Records frames instead of sending them."""

    def __init__(self, *channels: str, identity: Identity | None = None) -> None:
        super().__init__(identity or Identity(user_id=1), "ws", unread_queue())
        self.wanted, self.frames = channels, list[dict[str, Any]]()

    def deliver(self, batch: Batch) -> None:
        self.frames += map(json.loads, batch.texts)

    @property
    def ids(self) -> list[int]:
        return [frame["id"] for frame in self.frames]


def join(hub: Hub, reader: Reader) -> Reader:
    """Subscribes the reader to its channels and returns it."""
    hub.readers.join(reader, reader.wanted)
    return reader


def announce_customer(pk: int) -> None:
    announce("customer.updated", f"customer:{pk}", {"name": "王"})


async def change(*customers: int) -> None:
    """Announces a change of each of these customers."""

    def write() -> None:
        for pk in customers:
            announce_customer(pk)

    await sync_to_async(write)()


async def until(hub: Hub, cursor: int) -> None:
    """Waits until the hub has read the log up to `cursor`."""
    await wait_for_async(lambda: hub.cursor >= cursor)


async def test_change_in_this_process_is_written_at_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMER_SECONDS", 3600.0)
    reader, before = join(hub, Reader("customers")), current_counts()
    await change(7)
    await until(hub, 1)
    assert reader.frames[0]["data"] == {"customer_id": 7, "name": "王"}
    assert BELL_MISSED not in growth(current_counts(), before)


async def test_next_round_of_a_large_burst_does_not_wait_for_the_timer(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write() -> None:
        for pk in range(1, 8):
            announce_customer(pk)

    monkeypatch.setattr(log, "BATCH", 2)
    monkeypatch.setattr(module, "TIMER_SECONDS", 3600.0)
    reader, before = join(hub, Reader("customers")), current_counts()
    await sync_to_async(transaction.atomic(write))()
    await until(hub, 7)
    assert (reader.ids, BELL_MISSED in growth(current_counts(), before)) == ([1, 2, 3, 4, 5, 6, 7], False)


async def test_each_reader_gets_its_events_once(hub: Hub) -> None:
    both, one, other = join(hub, Reader("customers", "customer:7")), Reader("customer:7"), Reader("customer:8")
    join(hub, one)
    join(hub, other)
    await change(7, 9)
    await until(hub, 2)
    assert (both.ids, one.ids, other.ids) == ([1, 2], [1], [])


async def test_event_without_a_bell_comes_with_the_timer_and_is_counted(hub: Hub) -> None:
    reader, before = join(hub, Reader("customers")), current_counts()

    def write_without_a_bell() -> None:
        Outbox.objects.create(type="customer.updated", subject="customer:7", delta={"name": "王"})

    await sync_to_async(write_without_a_bell)()
    await until(hub, 1)
    await wait_for_async(lambda: growth(current_counts(), before).get(BELL_MISSED) == 1)
    assert reader.ids == [1]


def missed(hub: Hub, since: int, *channels: str, identity: Identity | None = None) -> list[int]:
    """The ids of the events after `since` that a client subscribed to these channels has missed."""
    return [event.seq for event in hub.missed_events(since, identity or Identity(user_id=1), channels)]


async def test_missed_events_are_filtered_by_channel(hub: Hub) -> None:
    await change(*range(1, 11))
    await until(hub, 10)
    assert missed(hub, 4, "customers") == [5, 6, 7, 8, 9, 10]
    assert missed(hub, 4, "customer:6") == [6]
    assert missed(hub, 10, "customers") == []


async def test_resume_beyond_the_events_in_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RECENT_EVENTS", 3)
    hub = await Hub.current()
    try:
        await change(*range(1, 6))
        await until(hub, 5)
        assert (await hub.can_resume(1, None), await hub.can_resume(2, None)) == (False, True)
        assert missed(hub, 2, "customers") == [3, 4, 5]
        with pytest.raises(log.CursorGone):
            missed(hub, 1, "customers")
    finally:
        await hub.stop()


async def test_new_hub_can_resume_from_the_log() -> None:
    await change(1, 2, 3)
    await sync_to_async(log.assign_event_ids)()
    await sync_to_async(LogHead.objects.update)(floor=1)
    hub = await Hub.current()
    try:
        assert (await hub.can_resume(0, None), await hub.can_resume(1, None)) == (False, True)
        assert missed(hub, 1, "customers") == [2, 3]
    finally:
        await hub.stop()


async def test_hub_waits_until_it_reached_the_cursor_of_a_resuming_client(hub: Hub) -> None:
    await change(1)
    await until(hub, 1)
    resuming = asyncio.create_task(hub.can_resume(2, hub.epoch))
    await change(2)
    assert await resuming is True
    assert await hub.can_resume(99, hub.epoch) is False


async def test_replaced_log_closes_all_sockets(hub: Hub) -> None:
    reader = join(hub, Reader("customers"))
    await change(1)
    await until(hub, 1)
    await sync_to_async(LogHead.objects.update)(epoch="restored", seq=0)
    await sync_to_async(Event.objects.all().delete)()
    async with asyncio.timeout(5):
        assert await reader.closing == SERVICE_RESTART
    assert (hub.epoch, hub.cursor) == ("restored", 0)


async def test_closed_connection_is_removed_and_gets_no_events(hub: Hub) -> None:
    reader = join(hub, Reader("customers", "system"))
    hub.readers.leave(reader)
    await change(1)
    await until(hub, 1)
    assert (reader.frames, reader.channels, hub.readers.open) == ([], set(), set())


async def test_hub_survives_a_database_outage(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, broken = join(hub, Reader("customers")), [True, True]
    assign_batch = log.assign_batch

    def fail_twice() -> log.AssignedBatch | None:
        if broken:
            broken.pop()
            raise ConnectionError("away")
        return assign_batch()

    monkeypatch.setattr(log, "assign_batch", fail_twice)
    await change(1)
    await until(hub, 1)
    assert (reader.ids, broken) == ([1], [])


async def test_restored_backup_makes_old_cursors_invalid(hub: Hub) -> None:
    await change(*range(1, 21))
    await until(hub, 20)
    epoch = hub.epoch
    await sync_to_async(Event.objects.filter(seq__gt=5).delete)()
    await sync_to_async(LogHead.objects.update)(seq=5)
    await change(*range(100, 130))
    async with asyncio.timeout(5):
        while hub.epoch == epoch:
            await asyncio.sleep(0.05)
    assert await hub.can_resume(20, epoch) is False


async def test_burst_is_delivered_completely_and_in_order(hub: Hub) -> None:
    reader = join(hub, Reader("customers"))
    await change(*range(1, 301))
    await until(hub, 300)
    assert reader.ids == list(range(1, 301))


async def test_committing_process_sends_the_bell_if_another_assigned_ids(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []

    async def broadcast(message: dict[str, Any]) -> None:
        sent.append(message)

    monkeypatch.setattr(outbox, "broadcast", broadcast)

    def write() -> None:
        Outbox.objects.create(type="customer.updated", subject="customer:7", delta={"name": "王"})
        log.assign_event_ids()
        outbox.wake_hubs()

    await sync_to_async(write)()
    await until(hub, 1)
    await asyncio.sleep(0.1)
    assert {"type": "bell", "head": 1} in sent


async def test_hub_with_a_closed_loop_is_dropped_and_blocks_no_bell(transactional_db: None) -> None:
    hub = await Hub.current()
    await asyncio.to_thread(asyncio.run, Hub.current())
    await change(1)
    await until(hub, 1)
    await hub.stop()
    next_one = await Hub.current()
    assert Hub.instances() == [next_one]
    await next_one.stop()


async def test_failed_start_leaves_no_hub_and_no_task(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise ConnectionError

    monkeypatch.setattr(log, "head", away)
    for _ in range(3):
        with pytest.raises(ConnectionError):
            await Hub.current()
    assert Hub.instances() == []
    async with asyncio.timeout(5):
        while any(thread.name.startswith("hub") for thread in threading.enumerate()):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("by_prune", [True, False])
async def test_hub_behind_the_pruned_log_closes_all_sockets(hub: Hub, by_prune: bool) -> None:
    reader = join(hub, Reader("customers"))
    await change(1)
    await until(hub, 1)

    def log_and_prune() -> None:
        with transaction.atomic():  # the hub sees only the committed result
            for pk in (2, 3, 4):
                Outbox.objects.create(type="customer.updated", subject=f"customer:{pk}", delta={"name": "王"})
            log.assign_event_ids()
            if by_prune:
                list(log.prune(log.move_floor(timedelta(hours=-1))))
            else:
                Event.objects.filter(seq=2).delete()

    await sync_to_async(log_and_prune)()
    async with asyncio.timeout(5):
        assert await reader.closing == SERVICE_RESTART
    assert (hub.cursor, await hub.can_resume(1, hub.epoch)) == (4, not by_prune)


async def test_metrics_count_the_events_of_a_round(hub: Hub) -> None:
    join(hub, Reader("customers"))
    join(hub, Reader("customers", "customer:7"))
    before = current_counts()
    await change(7, 8)
    await until(hub, 2)
    await wait_for_async(lambda: growth(current_counts(), before).get("luckygas_hub_lag_seconds_count") == 2)
    found = growth(current_counts(), before)
    names = ("luckygas_events_numbered_total", "luckygas_hub_events_total", "luckygas_event_deliveries_total")
    assert [found[name] for name in names] == [2, 2, 4]

"""When the log is not the one that was read; with real databases in luckygas/tests/test_another_database.py."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from django.db import connection
from django.db.models import F
from django.utils import timezone

from orders.tests.api.client import make_api
from realtime import epochs, log, rights
from realtime.channels import Identity
from realtime.connection import SERVICE_RESTART
from realtime.epochs import Seen
from realtime.frames import Encoded
from realtime.hub import Hub
from realtime.models import Event, LogHead, Outbox
from realtime.outbox import announce
from realtime.tests.test_hub import Reader, change, hub, join, until  # noqa: F401  (a fixture)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


@pytest.mark.parametrize(
    ("seen", "lost"),
    [
        (Seen(), False), (Seen("this", 5, "a"), False), (Seen("this", 4, "z"), False), (Seen("other", 9, "z"), False),
        (Seen("this", 6, "z"), True), (Seen("this", 5, "z"), True),
    ],
)  # fmt: skip
def test_what_was_seen_and_is_not_there(seen: Seen, lost: bool) -> None:
    assert seen.is_lost_in(LogHead(epoch="this", seq=5, stamp="a")) is lost


@pytest.mark.parametrize(
    ("origin", "here", "seen", "moved"),
    [
        ("db@1", "db@1", Seen(), False),
        ("other@1", "db@1", Seen("this", 5, "a"), True),
        ("", "db@1", Seen(), False),
        ("db@1", "", Seen(), False),
        ("db@1", "db@2", Seen("this", 4, "z"), False),
        ("db@1", "db@2", Seen("this", 5, "a"), False),
        ("db@1", "db@2", Seen("this", 6, "z"), True),
        ("db@1", "db@2", Seen("other", 4, "a"), True),
        ("db@1", "db@2", Seen(), True),
    ],
)
def test_whether_it_is_another_database(origin: str, here: str, seen: Seen, moved: bool) -> None:
    head = LogHead(epoch="this", seq=5, stamp="a", origin=origin)
    head.here = here
    assert epochs.has_moved(head, seen) is moved


@pytest.mark.parametrize(
    ("since", "epoch", "held"),
    [(3, "before", True), (4, "before", False), (1, "long ago", True), (2, "long ago", False), (0, "unknown", False)],
)
def test_cursors_of_epochs_before(since: int, epoch: str, held: bool) -> None:
    past = [("long ago", 1), ("before", 3)]
    assert log.holds(since, epoch, floor=0, seq=9, log_epoch="this", past=past) is held


def numbered(*customers: int) -> LogHead:
    for pk in customers:
        announce("customer.updated", f"customer:{pk}", {"name": "王"})
    log.number()
    return log.head()


def test_a_change_without_an_event_makes_no_other_log() -> None:
    before = numbered(1)
    Outbox.objects.create(type="order.created", subject="van:1", delta={})
    after = numbered()
    assert (Outbox.objects.count(), after.seq, after.stamp) == (0, before.seq, before.stamp)


@pytest.mark.servers
def test_in_another_database_the_log_goes_on_with_a_new_epoch() -> None:
    before = numbered(1, 2)
    assert numbered(3).epoch == before.epoch
    LogHead.objects.update(origin="another@1")
    after = numbered(4)
    assert (after.epoch != before.epoch, after.seq, after.past) == (True, 4, [[before.epoch, 3]])
    assert numbered(5).epoch == after.epoch


@pytest.mark.servers
def test_the_oldest_epochs_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "MOST_KEPT", 2)
    numbered(1)
    for number in range(3):
        LogHead.objects.update(origin=f"{number}@1")
        numbered(number)
    assert [seq for _, seq in log.head().past] == [2, 3]


@pytest.mark.servers
def test_a_restored_log_gets_one_new_epoch_and_no_cursor_of_before_is_good() -> None:
    numbered(1)
    LogHead.objects.update(origin="another@1", past=[["before", 1]])
    log.begin_epoch(log.head(), keeps_past=False)
    restored = log.head()
    assert (numbered(2).epoch, log.head().past) == (restored.epoch, [])


@pytest.mark.servers
def test_who_may_not_ask_for_the_system_numbers_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "may_ask_system", lambda: False)
    assert numbered(1).origin.count("/") == 2


@pytest.mark.servers
def test_everybody_may_ask_for_the_system() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE anybody")
        try:
            cursor.execute("SET ROLE anybody")
            assert epochs.may_ask_system.__wrapped__()
        finally:
            cursor.execute("RESET ROLE; DROP ROLE anybody")


def test_the_api_resumes_what_an_epoch_before_shares() -> None:
    head = numbered(1, 2, 3)
    LogHead.objects.update(past=[["before", 2]])
    api = make_api("office")
    answer = api.get("events/?since=1&epoch=before&channel=customers")
    assert ([event["id"] for event in answer.json()["events"]], answer.json()["epoch"]) == ([2, 3], head.epoch)
    assert api.get("events/?since=3&epoch=before&channel=customers").status_code == 410


async def sent_away(reader: Reader) -> None:
    async with asyncio.timeout(5):
        assert await reader.closing == SERVICE_RESTART


@pytest.mark.parametrize("lost", [{"stamp": "another"}, {"seq": F("seq") - 1}], ids=["as long", "shorter"])
async def test_a_hub_at_rest_notices_another_log(hub: Hub, lost: dict[str, Any]) -> None:  # noqa: F811
    reader = join(hub, Reader("customers"))
    await change(1, 2)
    await until(hub, 2)
    epoch = hub.epoch
    await make(LogHead.objects.update)(**lost)
    await sent_away(reader)
    assert await hub.resumable(2, epoch) is False


async def test_a_hub_notices_a_longer_log_with_another_event_at_its_cursor(hub: Hub) -> None:  # noqa: F811
    reader = join(hub, Reader("customers"))
    await change(1, 2)
    await until(hub, 2)

    def replace() -> None:
        event = Event.objects.get(seq=2)
        Event.objects.filter(seq=2).update(created_at=event.created_at - timedelta(seconds=1))
        Event.objects.create(seq=3, type="x", channels=["customers"], data={}, created_at=event.created_at)
        LogHead.objects.update(seq=3, stamp="another")

    await make(replace)()
    await sent_away(reader)
    assert reader.ids == [1, 2]


async def test_a_right_that_ended_in_a_lost_log_is_forgotten_with_it(hub: Hub) -> None:  # noqa: F811
    whose = {"whose": "user:9", "rights": "of then"}
    end = Event(seq=1, type=rights.TYPE, channels=[rights.CHANNEL], data=whose, created_at=timezone.now())
    hub.readers.end(Encoded.of(end))
    assert hub.readers.ends.concern(Identity(user_id=9))
    await make(LogHead.objects.update)(epoch="restored")
    async with asyncio.timeout(5):
        while hub.epoch != "restored":
            await asyncio.sleep(0.02)
    assert not hub.readers.ends.concern(Identity(user_id=9))


async def test_a_client_from_a_hub_that_knows_the_new_epoch_already_is_waited_for(hub: Hub) -> None:  # noqa: F811
    await change(1)
    await until(hub, 1)
    before = hub.epoch
    await make(LogHead.objects.update)(epoch="new", past=[[before, 1]])
    assert await hub.resumable(1, "new") is True
    assert await hub.resumable(1, before) is True
    assert await hub.resumable(1, "neither") is False

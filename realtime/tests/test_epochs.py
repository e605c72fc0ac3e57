"""Replaced logs, restores and pruning. luckygas/tests/test_another_database.py tests replaced databases for real."""

from __future__ import annotations

import asyncio
from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from asgiref.sync import sync_to_async
from asgiref.sync import sync_to_async as make
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone, translation
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts.api.tokens import Refresh
from luckygas.testing.site import Site, manage
from notifications.models import NotificationHistory
from notifications.states import MessageStatus, Reason
from notifications.tests.factories import make_message
from orders.states import OrderStatus
from orders.tests.api.client import Api, make_api
from orders.tests.factories import make_office, make_order, make_user
from realtime import auth, epochs, log, rights
from realtime.channels import Identity
from realtime.connection import SERVICE_RESTART
from realtime.epochs import ReadPosition
from realtime.frames import Encoded
from realtime.hub import Hub
from realtime.management.commands.prune_events import parse_age
from realtime.models import Event, LogHead, Outbox, WebSocketTicket
from realtime.outbox import announce
from realtime.tests.client import open_client, token_for
from realtime.tests.test_hub import Reader, change, join, until


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("seen", "lost"),
    [
        (ReadPosition(), False), (ReadPosition("this", 5, "a"), False), (ReadPosition("this", 4, "z"), False),
        (ReadPosition("other", 9, "z"), False),
        (ReadPosition("this", 6, "z"), True), (ReadPosition("this", 5, "z"), True),
    ],
)  # fmt: skip
def test_log_that_lacks_read_events_is_detected(seen: ReadPosition, lost: bool) -> None:
    assert seen.is_lost_in(LogHead(epoch="this", seq=5, stamp="a")) is lost


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("origin", "here", "seen", "moved"),
    [
        ("db@1", "db@1", ReadPosition(), False),
        ("other@1", "db@1", ReadPosition("this", 5, "a"), True),
        ("", "db@1", ReadPosition(), False),
        ("db@1", "", ReadPosition(), False),
        ("db@1", "db@2", ReadPosition("this", 4, "z"), False),
        ("db@1", "db@2", ReadPosition("this", 5, "a"), False),
        ("db@1", "db@2", ReadPosition("this", 6, "z"), True),
        ("db@1", "db@2", ReadPosition("other", 4, "a"), True),
        ("db@1", "db@2", ReadPosition(), True),
    ],
)
def test_move_to_another_database_is_detected(origin: str, here: str, seen: ReadPosition, moved: bool) -> None:
    head = LogHead(epoch="this", seq=5, stamp="a", origin=origin)
    head.database = here
    assert epochs.has_moved(head, seen) is moved


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("since", "epoch", "covered"),
    [(3, "before", True), (4, "before", False), (1, "long ago", True), (2, "long ago", False), (0, "unknown", False)],
)
def test_earlier_epochs_are_covered_up_to_their_end(since: int, epoch: str, covered: bool) -> None:
    past = [("long ago", 1), ("before", 3)]
    assert log.covers(since, epoch, floor=0, seq=9, log_epoch="this", past=past) is covered


def log_changes_of(*customers: int) -> LogHead:
    for pk in customers:
        announce("customer.updated", f"customer:{pk}", {"name": "王"})
    log.assign_event_ids()
    return log.head()


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
def test_row_without_events_does_not_change_the_log_head() -> None:
    before = log_changes_of(1)
    Outbox.objects.create(type="order.created", subject="van:1", delta={})
    after = log_changes_of()
    assert (Outbox.objects.count(), after.seq, after.stamp) == (0, before.seq, before.stamp)


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
@pytest.mark.servers
def test_another_database_begins_a_new_epoch() -> None:
    before = log_changes_of(1, 2)
    assert log_changes_of(3).epoch == before.epoch
    LogHead.objects.update(origin="another@1")
    after = log_changes_of(4)
    assert (after.epoch != before.epoch, after.seq, after.past) == (True, 4, [[before.epoch, 3]])
    assert log_changes_of(5).epoch == after.epoch


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
@pytest.mark.servers
def test_oldest_epochs_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "MAX_PAST_EPOCHS", 2)
    log_changes_of(1)
    for number in range(3):
        LogHead.objects.update(origin=f"{number}@1")
        log_changes_of(number)
    assert [seq for _, seq in log.head().past] == [2, 3]


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
@pytest.mark.servers
def test_restored_log_begins_one_epoch_and_drops_earlier_ones() -> None:
    log_changes_of(1)
    LogHead.objects.update(origin="another@1", past=[["before", 1]])
    log.begin_epoch(log.head(), keeps_past=False)
    restored = log.head()
    assert (log_changes_of(2).epoch, log.head().past) == (restored.epoch, [])


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
@pytest.mark.servers
def test_log_works_without_the_right_to_read_the_system_identifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "may_read_system_identifier", lambda: False)
    assert log_changes_of(1).origin.count("/") == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
@pytest.mark.servers
def test_every_role_may_read_the_system_identifier() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE anybody")
        try:
            cursor.execute("SET ROLE anybody")
            assert epochs.may_read_system_identifier.__wrapped__()
        finally:
            cursor.execute("RESET ROLE; DROP ROLE anybody")


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
def test_api_resumes_cursors_of_an_earlier_epoch() -> None:
    head = log_changes_of(1, 2, 3)
    LogHead.objects.update(past=[["before", 2]])
    api = make_api("office")
    answer = api.get("events/?since=1&epoch=before&channel=customers")
    assert ([event["id"] for event in answer.json()["events"]], answer.json()["epoch"]) == ([2, 3], head.epoch)
    assert api.get("events/?since=3&epoch=before&channel=customers").status_code == 410


async def expect_restart(reader: Reader) -> None:
    async with asyncio.timeout(5):
        assert await reader.closing == SERVICE_RESTART


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
@pytest.mark.parametrize("lost", [{"stamp": "another"}, {"seq": F("seq") - 1}], ids=["equally long log", "shorter log"])
async def test_idle_hub_detects_a_replaced_log(hub: Hub, lost: dict[str, Any]) -> None:
    reader = join(hub, Reader("customers"))
    await change(1, 2)
    await until(hub, 2)
    epoch = hub.epoch
    await make(LogHead.objects.update)(**lost)
    await expect_restart(reader)
    assert await hub.can_resume(2, epoch) is False


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
async def test_hub_detects_a_different_event_at_its_cursor(hub: Hub) -> None:
    reader = join(hub, Reader("customers"))
    await change(1, 2)
    await until(hub, 2)

    def replace() -> None:
        event = Event.objects.get(seq=2)
        Event.objects.filter(seq=2).update(created_at=event.created_at - timedelta(seconds=1))
        Event.objects.create(seq=3, type="x", channels=["customers"], data={}, created_at=event.created_at)
        LogHead.objects.update(seq=3, stamp="another")

    await make(replace)()
    await expect_restart(reader)
    assert reader.ids == [1, 2]


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
async def test_hub_drops_revocations_of_a_lost_log(hub: Hub) -> None:
    whose = {"whose": "user:9", "rights": "of then"}
    end = Event(seq=1, type=rights.TYPE, channels=[rights.CHANNEL], data=whose, created_at=timezone.now())
    hub.readers.revoke(Encoded.of(end))
    assert hub.readers.revocations.cover(Identity(user_id=9))
    await make(LogHead.objects.update)(epoch="restored")
    async with asyncio.timeout(5):
        while hub.epoch != "restored":
            await asyncio.sleep(0.02)
    assert not hub.readers.revocations.cover(Identity(user_id=9))


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
async def test_hub_waits_for_the_epoch_of_a_resuming_client(hub: Hub) -> None:
    await change(1)
    await until(hub, 1)
    before = hub.epoch
    await make(LogHead.objects.update)(epoch="new", past=[[before, 1]])
    assert await hub.can_resume(1, "new") is True
    assert await hub.can_resume(1, before) is True
    assert await hub.can_resume(1, "neither") is False


def run_after_restore() -> None:
    with translation.override("en"):
        call_command("after_restore")


@pytest.mark.django_db
def test_after_restore_old_cursors_are_refused() -> None:
    before = log.head()
    run_after_restore()
    after = log.head()
    assert not log.covers(before.seq, before.epoch, floor=after.floor, seq=after.seq, log_epoch=after.epoch)


@pytest.mark.django_db
@pytest.mark.parametrize("status", [MessageStatus.PENDING, MessageStatus.SENDING])
def test_after_restore_messages_possibly_sent_become_unknown(
    status: MessageStatus, capsys: pytest.CaptureFixture[str]
) -> None:
    row = make_message(status)
    run_after_restore()
    row.refresh_from_db()
    # The gateway is stored, because an idempotent gateway retries the message.
    assert (row.status, row.status_reason, row.gateway) == (MessageStatus.UNKNOWN, Reason.INTERRUPTED, "memory")
    assert "now marked as unknown: 1." in capsys.readouterr().out


@pytest.mark.django_db
def test_after_restore_future_and_final_messages_are_unchanged() -> None:
    morning = make_message(send_after=timezone.now() + timedelta(hours=8))
    sent = make_message(MessageStatus.SENT)
    run_after_restore()
    assert dict(NotificationHistory.objects.values_list("pk", "status")) == {
        morning.pk: MessageStatus.PENDING, sent.pk: MessageStatus.SENT,
    }  # fmt: skip


@pytest.fixture
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.mark.usefixtures("english")
@pytest.mark.parametrize(("text", "hours"), [("1h", 1), ("12h", 12), ("7d", 168), ("9999d", 239_976)])
def test_age_is_parsed(text: str, hours: int) -> None:
    assert parse_age(text) == timedelta(hours=hours)


@pytest.mark.usefixtures("english")
@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5d", "7w", "7 d", "99999d", "٧d", "7D"])
def test_invalid_age_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="12h or 7d"):
        parse_age(text)


@pytest.mark.usefixtures("english")
@pytest.mark.django_db
def test_prune_deletes_old_events_and_reports_them(capsys: pytest.CaptureFixture[str]) -> None:
    for seq, days in enumerate((9, 8, 6, 1), start=1):
        at = timezone.now() - timedelta(days=days)
        Event.objects.create(seq=seq, type="x", channels=["system"], data={}, created_at=at)
    LogHead.objects.create(pk=log.HEAD_ID, seq=4)
    call_command("prune_events")
    assert [event.seq for event in log.read(0, 10)] == [3, 4]
    assert {"2", "2."} <= set(capsys.readouterr().out.split())
    call_command("prune_events", "--older-than", "24h")
    assert [event.seq for event in log.read(0, 10)] == []
    assert (log.head().seq, log.head().floor) == (4, 4)


@pytest.mark.usefixtures("english")
@pytest.mark.django_db
@pytest.mark.parametrize("ahead", [timedelta(days=8), timedelta(days=31), timedelta(days=366)])
def test_prune_deletes_nothing_while_the_clock_is_ahead(ahead: timedelta) -> None:
    for seq, days in enumerate((6, 5, 1, 0), start=1):
        at = timezone.now() - timedelta(days=days)
        Event.objects.create(seq=seq, type="x", channels=["system"], data={}, created_at=at)
    LogHead.objects.create(pk=log.HEAD_ID, seq=4)
    with time_machine.travel(timezone.now() + ahead):
        call_command("prune_events")
        Event.objects.create(seq=5, type="x", channels=["system"], data={}, created_at=timezone.now())
        LogHead.objects.update(seq=5)
        call_command("prune_events")
    assert ([event.seq for event in log.read(0, 10)], log.head().floor) == ([1, 2, 3, 4, 5], 0)


@pytest.mark.usefixtures("english")
@pytest.mark.django_db
def test_prune_deletes_expired_tickets() -> None:
    auth.new_ticket(make_user())
    WebSocketTicket.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    call_command("prune_events")
    assert not WebSocketTicket.objects.exists()


@pytest.mark.usefixtures("english")
@pytest.mark.django_db
def test_prune_deletes_only_expired_tokens() -> None:
    api, user = Api(), make_office()
    expired, signed_out = Refresh.for_user(user), Refresh.for_user(user)
    OutstandingToken.objects.filter(jti=expired["jti"]).update(expires_at=timezone.now())
    api.post("auth/logout/", {"refresh": str(signed_out)})
    call_command("prune_events")
    assert set(OutstandingToken.objects.values_list("jti", flat=True)) == {
        signed_out["jti"],
        f"session:{signed_out['session']}",
    }
    assert api.post("auth/token/refresh/", {"refresh": str(signed_out)}).status_code == 401


@pytest.mark.usefixtures("english")
@pytest.mark.django_db
def test_invalid_option_gets_a_readable_error() -> None:
    with pytest.raises(CommandError, match="12h or 7d"):
        call_command("prune_events", "--older-than", "soon")


@pytest.mark.usefixtures("english")
@pytest.mark.long
@pytest.mark.django_db(transaction=True)
async def test_prune_affects_only_clients_with_an_old_cursor(site: Site) -> None:
    make = sync_to_async
    order = await make(make_order)()
    jwt = await make(token_for)(await make(make_office)())
    async with open_client(f"{site.ws}/office?token={jwt}") as client:
        since = client.welcome["last_event_id"]
        await make(order.transition_to)(OrderStatus.CONFIRMED)
        (confirmed,) = await client.orders(1)
        await make(Event.objects.update)(created_at=timezone.now() - timedelta(hours=2))
        await make(manage)("prune_events", "--older-than", "1h")
        await make(order.transition_to)(OrderStatus.CANCELLED, reason="測試")
        assert [event["id"] > confirmed["id"] for event in await client.orders(2)] == [True, True]
    floor = (await make(log.head)()).floor
    # This server still has the events in memory; another one, or this one after a restart, does not.
    site.kill()
    site.start()
    async with open_client(f"{site.ws}/office?token={jwt}&since={since}") as client:
        assert client.welcome["recovered"] is False
    async with open_client(f"{site.ws}/office?token={jwt}&since={floor}") as client:
        assert client.welcome["recovered"] is True
        assert len(await client.orders(2)) == 2

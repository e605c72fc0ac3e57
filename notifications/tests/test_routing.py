"""The choice of a gateway: the first, the fallback, or none for now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifications import gateways, sender
from notifications.gateways import base, get_gateway
from notifications.gateways.base import WAITING, Accepted, Gateway, GatewayError, Message
from notifications.gateways.local import Memory
from notifications.gateways.mitake import Mitake
from notifications.models import DOUBT_LASTS, GatewayState, NotificationHistory
from notifications.states import MessageKind, MessageStatus, Reason
from notifications.tests.factories import make_message, make_quiet_order
from orders.models import Order
from orders.states import OrderStatus
from realtime.models import Outbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def use_fallback(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uses Mitake with the memory gateway as fallback. Most tests make Mitake fail with `make_fail`."""
    monkeypatch.setattr(base, "PAUSE_SECONDS", 0)
    settings.SMS_GATEWAY, settings.SMS_FALLBACK_GATEWAY = "mitake", "memory"


def make_fail(monkeypatch: pytest.MonkeyPatch, reason: Reason, gateway: type[Gateway] = Mitake) -> None:
    def transmit(self: Gateway, message: Message) -> Accepted:
        raise GatewayError(f"k: {reason}", reason=reason, permanent=True, raw_status="k")

    monkeypatch.setattr(gateway, "transmit", transmit)


def deliver(row: NotificationHistory) -> NotificationHistory:
    sender.deliver_one(row.pk)
    row.refresh_from_db()
    return row


@pytest.mark.parametrize("reason", sorted(WAITING))
def test_certainly_unsent_message_goes_to_fallback(monkeypatch: pytest.MonkeyPatch, reason: Reason) -> None:
    make_fail(monkeypatch, reason)
    row = deliver(make_message())
    assert (row.status, row.gateway, row.attempts, len(Memory.outbox)) == (MessageStatus.SENT, "memory", 1, 1)
    assert (row.status_reason, row.error_message) == ("", "")
    assert list(row.trail.values_list("status", "reason", "gateway")) == [
        ("sending", "", "mitake"), ("pending", reason, "mitake"), ("sending", "", "memory"), ("sent", "", "memory"),
    ]  # fmt: skip


def test_fallback_checks_the_rules_again(monkeypatch: pytest.MonkeyPatch) -> None:
    order = make_quiet_order(OrderStatus.ARRIVING)

    def transmit(self: Mitake, message: Message) -> Accepted:
        Order.objects.get(pk=order.pk).transition_to(OrderStatus.DELIVERED)
        raise GatewayError("late", reason=Reason.UNREACHABLE, permanent=True)

    monkeypatch.setattr(Mitake, "transmit", transmit)
    with sender.no_waiting():
        row = deliver(make_message(order=order, kind=MessageKind.DRIVER_ARRIVING))
    assert sender.pool().drain(10)
    assert (row.status, row.status_reason) == (MessageStatus.CANCELLED, Reason.OVERTAKEN)
    assert not [message for message in Memory.outbox if message.id == row.pk]


@pytest.mark.parametrize(
    ("reason", "waited", "pause"),
    [
        (Reason.BUSY, 0, 1), (Reason.UNREACHABLE, 600, 1),
        # A provider that answers with unknown codes gets fewer and fewer requests.
        (Reason.UNKNOWN_CODE, 0, 1), (Reason.UNKNOWN_CODE, 0.5, 1), (Reason.UNKNOWN_CODE, 4, 4),
        (Reason.UNKNOWN_CODE, 600, 10),
    ],
)  # fmt: skip
def test_message_that_was_not_accepted_backs_off(
    monkeypatch: pytest.MonkeyPatch, settings: Any, reason: Reason, waited: float, pause: float
) -> None:
    settings.SMS_FALLBACK_GATEWAY = ""
    make_fail(monkeypatch, reason)
    row = deliver(make_message(created_at=timezone.now() - timedelta(minutes=waited)))
    assert (row.status, row.status_reason, row.raw_status, row.attempts) == (MessageStatus.PENDING, reason, "k", 0)
    assert row.send_after
    assert abs(row.send_after - timezone.now() - timedelta(minutes=pause)) < timedelta(seconds=10)
    assert GatewayState.objects.exists() == (reason == Reason.UNKNOWN_CODE)


def test_unknown_code_fails_no_message_and_alerts_once(
    monkeypatch: pytest.MonkeyPatch, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SMS_FALLBACK_GATEWAY = ""
    make_fail(monkeypatch, Reason.UNKNOWN_CODE)
    for row in (deliver(make_message()), deliver(make_message())):
        assert (row.status, row.raw_status, row.attempts) == (MessageStatus.PENDING, "k", 0)
        assert (row.status_reason, row.error_message) == (Reason.UNKNOWN_CODE, "k: unknown_code")
    state = GatewayState.objects.get()
    assert (state.stopped_at, state.doubted_because, state.is_doubtful) == (None, "k: unknown_code", True)
    (alert,) = Outbox.objects.filter(type="maintenance.alert")
    assert (alert.subject, alert.delta["data"]["severity"]) == ("published:staff", "error")
    assert "k: unknown_code" in alert.delta["data"]["message"]
    assert caplog.text.count("unknown code") == 1


@pytest.mark.parametrize("reason", [Reason.UNKNOWN_CODE, Reason.UNREACHABLE])
def test_waiting_message_is_sent_when_provider_recovers(
    monkeypatch: pytest.MonkeyPatch, settings: Any, reason: Reason
) -> None:
    settings.SMS_FALLBACK_GATEWAY = ""
    make_fail(monkeypatch, reason)
    row = deliver(make_message())
    monkeypatch.setattr(Mitake, "transmit", lambda self, message: Accepted("1", "1"))
    NotificationHistory.objects.filter(pk=row.pk).unannounced().update(send_after=timezone.now())
    assert deliver(row).status == MessageStatus.SENT


def test_unknown_code_alert_expires_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    state = GatewayState.objects.create(gateway="mitake")
    assert [state.mark_doubtful("z: one"), state.mark_doubtful("z: two")] == [True, False]
    state.refresh_from_db()
    assert state.doubted_because == "z: two"
    GatewayState.objects.update(doubted_at=timezone.now() - DOUBT_LASTS)
    state.refresh_from_db()
    assert not state.is_doubtful
    assert state.mark_doubtful("z: three")


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.NO_ANSWER, MessageStatus.UNKNOWN),
        (Reason.REFUSED, MessageStatus.FAILED),
        (Reason.NO_SUCH_NUMBER, MessageStatus.FAILED),
    ],
)
def test_unknown_or_refused_message_does_not_go_to_fallback(
    monkeypatch: pytest.MonkeyPatch, reason: Reason, status: MessageStatus
) -> None:
    make_fail(monkeypatch, reason)
    row = deliver(make_message())
    assert (row.status, row.status_reason, row.gateway, Memory.outbox) == (status, reason, "mitake", [])


@pytest.mark.parametrize("first", [Reason.UNREACHABLE, Reason.BUSY, Reason.NO_CREDIT])
@pytest.mark.parametrize("second", [Reason.UNREACHABLE, Reason.BUSY])
def test_message_waits_if_fallback_fails_too(monkeypatch: pytest.MonkeyPatch, first: Reason, second: Reason) -> None:
    make_fail(monkeypatch, first)
    make_fail(monkeypatch, second, Memory)
    row = make_message()
    for _ in range(2):
        deliver(row)
        assert (row.status, row.status_reason, row.attempts) == (MessageStatus.PENDING, second, 0)
        assert row.send_after
        NotificationHistory.objects.filter(pk=row.pk).unannounced().update(send_after=None)


def test_message_refused_by_fallback_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    make_fail(monkeypatch, Reason.BUSY)
    make_fail(monkeypatch, Reason.REFUSED, Memory)
    assert deliver(make_message()).status == MessageStatus.FAILED


def test_retry_uses_the_same_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    make_fail(monkeypatch, Reason.UNREACHABLE)
    row = deliver(make_message(attempts=1, gateway="mitake", content="x", recipient="+886912345678"))
    assert (row.status, row.gateway, Memory.outbox) == (MessageStatus.UNKNOWN, "mitake", [])


@pytest.mark.parametrize("reason", [Reason.CHANNEL_STOPPED, Reason.NO_CREDIT])
def test_messages_wait_for_stopped_gateway(monkeypatch: pytest.MonkeyPatch, settings: Any, reason: Reason) -> None:
    settings.SMS_FALLBACK_GATEWAY = ""
    make_fail(monkeypatch, reason)
    first, second = deliver(make_message()), deliver(make_message())
    assert (first.status, first.status_reason, first.attempts) == (MessageStatus.PENDING, reason, 0)
    assert (second.status, second.trail.count()) == (MessageStatus.PENDING, 0)
    state = GatewayState.objects.get()
    assert (state.gateway, state.stopped_because) == ("mitake", f"k: {reason}")

    monkeypatch.setattr(Mitake, "transmit", Memory.transmit)
    monkeypatch.setattr(Mitake, "outbox", Memory.outbox, raising=False)
    assert state.start()
    assert {m.id for m in Memory.outbox} == {first.pk, second.pk}
    assert set(NotificationHistory.objects.values_list("status", flat=True)) == {MessageStatus.SENT}


def test_stop_and_start_happen_once_and_alert(caplog: pytest.LogCaptureFixture) -> None:
    for because in ("k: one", "k: two"):
        gateways.stop(get_gateway(), because)
    state = GatewayState.objects.get()
    assert (state.stopped_because, caplog.text.count("is stopped")) == ("k: one", 1)
    assert [state.start(), state.start()] == [True, False]
    alerts = Outbox.objects.filter(type="maintenance.alert")
    assert [(row.subject, row.delta["data"]["severity"]) for row in alerts] == [
        ("published:staff", "error"), ("published:staff", "success"),
    ]  # fmt: skip
    assert "k: one" in alerts[0].delta["data"]["message"]


def test_fallback_sends_while_gateway_is_stopped() -> None:
    gateways.stop(get_gateway(), "k")
    row = deliver(make_message())
    assert (row.status, row.gateway, row.trail.count()) == (MessageStatus.SENT, "memory", 2)


def test_interrupted_sending_fails_if_provider_was_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def transmit(self: Mitake, message: Message) -> Accepted:
        row = NotificationHistory.objects.get(pk=message.id)
        assert row.move(MessageStatus.SENDING, MessageStatus.UNKNOWN, status_reason=Reason.INTERRUPTED)
        raise GatewayError("late", reason=Reason.UNREACHABLE, permanent=True)

    monkeypatch.setattr(Mitake, "transmit", transmit)
    row = deliver(make_message())
    assert (row.status, row.status_reason, Memory.outbox) == (MessageStatus.FAILED, Reason.UNREACHABLE, [])


@pytest.mark.parametrize(
    ("gateway", "hours", "is_safe"),
    [("mitake", 11.9, True), ("mitake", 12, False), ("http", 99, True), ("every8d", 0, False), ("", 0, False)],
)
def test_retry_is_safe_as_long_as_provider_remembers_the_id(
    settings: Any, gateway: str, hours: float, is_safe: bool
) -> None:
    settings.SMS_GATEWAY, settings.SMS_FALLBACK_GATEWAY = gateway or "mitake", "memory"
    row = make_message(MessageStatus.UNKNOWN, gateway=gateway)
    row.trail.create(status=MessageStatus.SENDING, at=timezone.now() - timedelta(hours=hours))
    row.trail.create(status=MessageStatus.SENDING)
    assert gateways.is_repeatable(row) == is_safe


def test_gateway_no_longer_in_use_is_not_retried() -> None:
    assert not gateways.is_repeatable(make_message(MessageStatus.UNKNOWN, gateway="http"))


def test_message_too_old_for_retry_becomes_unknown() -> None:
    long_ago = timezone.now() - timedelta(hours=13)
    row = deliver(make_message(attempts=1, gateway="mitake", content="x", created_at=long_ago))
    assert (row.status, row.status_reason, row.attempts) == (MessageStatus.UNKNOWN, Reason.NO_ANSWER, 1)

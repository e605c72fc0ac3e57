from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone
from prometheus_client import REGISTRY

from notifications import statistics
from notifications.models import GatewayState
from notifications.sender import deliver_one
from notifications.states import MessageStatus, Reason
from notifications.tests.factories import make_message
from notifications.tests.provider import Provider

pytestmark = pytest.mark.django_db(transaction=True)


def gauges() -> dict[str, float]:
    samples = [sample for family in statistics.gauges() for sample in family.samples]
    return {sample.name + "".join(sample.labels.values()): sample.value for sample in samples}


def test_gauges_count_waiting_messages_and_their_age() -> None:
    now = timezone.now()
    assert gauges()["luckygas_sms_oldest_pending_seconds"] == 0
    make_message(MessageStatus.UNKNOWN, created_at=now - timedelta(days=3))
    make_message(created_at=now - timedelta(days=2), send_after=now + timedelta(hours=1))
    make_message(created_at=now - timedelta(days=1), send_after=now - timedelta(minutes=1))
    assert 59 < gauges()["luckygas_sms_oldest_pending_seconds"] < 90
    make_message(
        created_at=now - timedelta(minutes=5), send_after=now + timedelta(minutes=1), status_reason=Reason.BUSY
    )
    found = gauges()
    assert (found["luckygas_sms_pending"], found["luckygas_sms_unknown"]) == (3, 1)
    assert 299 < found["luckygas_sms_oldest_pending_seconds"] < 330


def test_gauges_cover_only_gateways_in_use(settings: Any) -> None:
    settings.SMS_GATEWAY, settings.SMS_FALLBACK_GATEWAY = "mitake", "every8d"
    now = timezone.now()
    GatewayState.objects.create(gateway="mitake", stopped_at=now, balance=7, last_receipt_at=now)
    GatewayState.objects.create(gateway="http", balance=3)
    found = {name.removeprefix("luckygas_sms_"): value for name, value in gauges().items()}
    assert {name: value for name, value in found.items() if name.endswith(("mitake", "every8d", "http"))} == {
        "gateway_stoppedmitake": 1, "gateway_stoppedevery8d": 0, "balance_pointsmitake": 7,
        "last_receipt_timestamp_secondsmitake": now.timestamp(), "last_receipt_timestamp_secondsevery8d": 0,
    }  # fmt: skip


def test_gateway_without_receipts_has_no_receipt_gauge(settings: Any) -> None:
    settings.SMS_GATEWAY, settings.SMS_FALLBACK_GATEWAY = "http", "pigeon"
    assert not any("receipt" in name for name in gauges())


def test_duration_of_sending_is_measured_with_its_outcome(provider: Provider) -> None:
    row = make_message()
    labels = {"gateway": "http", "kind": row.kind, "outcome": "sent"}

    def figures() -> list[float]:
        names = ("luckygas_sms_send_seconds_count", "luckygas_sms_send_seconds_sum")
        return [REGISTRY.get_sample_value(name, labels) or 0.0 for name in names]

    before = figures()
    deliver_one(row.pk)
    count, seconds = (now - then for now, then in zip(figures(), before, strict=True))
    assert (count, 0 < seconds < 5) == (1, True)


DAY = date(2026, 11, 23)


def make_message_at(status: str, at: str = "2026-11-23T12:00+08:00", **fields: object) -> None:
    make_message(status, created_at=at, **fields)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "share", "segments"),
    [(MessageStatus.SENT, 1, 2), (MessageStatus.DELIVERED, 1, 2), (MessageStatus.FAILED, 0, 0),
    (MessageStatus.EXPIRED, 1, 2),
     (MessageStatus.UNKNOWN, 0, 2), (MessageStatus.SUPPRESSED, None, 0), (MessageStatus.PENDING, None, 0)],
)  # fmt: skip
def test_status_decides_what_counts_as_accepted_and_paid(status: str, share: float | None, segments: int) -> None:
    make_message_at(status, segments=2)
    found = statistics.summary(DAY, DAY)
    assert (found["messages"], found["taken_share"], found["segments"]) == (1, share, segments)


@pytest.mark.django_db
def test_period_includes_both_days_of_taipei() -> None:
    for at in ("2026-11-22T23:59+08:00", "2026-11-23T00:00+08:00", "2026-11-24T23:59+08:00", "2026-11-25T00:00+08:00"):
        make_message_at(MessageStatus.SENT, at)
    found = statistics.summary(DAY, date(2026, 11, 24))
    assert [(row["day"], row["messages"]) for row in found["days"]] == [(DAY, 1), (date(2026, 11, 24), 1)]


@pytest.mark.django_db
def test_accepted_but_undelivered_counts_as_accepted() -> None:
    make_message_at(MessageStatus.FAILED, sent_at="2026-11-23T12:00+08:00")
    make_message_at(MessageStatus.FAILED)
    assert statistics.summary(DAY, DAY)["taken_share"] == 0.5


@pytest.mark.django_db
def test_delivered_share_counts_only_reporting_gateways() -> None:
    for status in (
        MessageStatus.DELIVERED,
        MessageStatus.DELIVERED,
        MessageStatus.EXPIRED,
        MessageStatus.FAILED,
        MessageStatus.SENT,
        MessageStatus.UNKNOWN,
    ):
        make_message_at(status, gateway="mitake", points="1.50", sent_at="2026-11-23T12:00+08:00")
    # The provider did not accept this one, so it does not count.
    make_message_at(MessageStatus.FAILED, gateway="mitake")
    make_message_at(MessageStatus.FAILED, gateway="http")
    make_message_at(MessageStatus.FAILED, gateway="no longer installed")
    found = statistics.summary(DAY, DAY)
    assert (found["delivered_share"], found["points"]) == (0.5, 9)
    by_gateway = {row["gateway"]: row["delivered_share"] for row in found["gateways"]}
    assert by_gateway == {"mitake": 0.5, "http": None, "no longer installed": None}

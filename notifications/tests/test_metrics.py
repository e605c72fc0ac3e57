from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from prometheus_client import REGISTRY

from notifications import statistics
from notifications.models import GatewayState
from notifications.sender import deliver_one
from notifications.states import Reason, Status
from notifications.tests.factories import make_message
from notifications.tests.provider import Provider

pytestmark = pytest.mark.django_db(transaction=True)


def told() -> dict[str, float]:
    samples = [sample for family in statistics.gauges() for sample in family.samples]
    return {sample.name + "".join(sample.labels.values()): sample.value for sample in samples}


def test_what_waits_and_since_when() -> None:
    now = timezone.now()
    assert told()["luckygas_sms_oldest_pending_seconds"] == 0
    make_message(Status.UNKNOWN, created_at=now - timedelta(days=3))
    make_message(created_at=now - timedelta(days=2), send_after=now + timedelta(hours=1))
    make_message(created_at=now - timedelta(days=1), send_after=now - timedelta(minutes=1))
    assert 59 < told()["luckygas_sms_oldest_pending_seconds"] < 90
    make_message(
        created_at=now - timedelta(minutes=5), send_after=now + timedelta(minutes=1), status_reason=Reason.BUSY
    )
    found = told()
    assert (found["luckygas_sms_pending"], found["luckygas_sms_unknown"]) == (3, 1)
    assert 299 < found["luckygas_sms_oldest_pending_seconds"] < 330


def test_gateways_in_use_and_only_what_they_said(settings: Any) -> None:
    settings.SMS_GATEWAY, settings.SMS_FALLBACK_GATEWAY = "mitake", "every8d"
    now = timezone.now()
    GatewayState.objects.create(gateway="mitake", stopped_at=now, balance=7, last_receipt_at=now)
    GatewayState.objects.create(gateway="http", balance=3)
    found = {name.removeprefix("luckygas_sms_"): value for name, value in told().items()}
    assert {name: value for name, value in found.items() if name.endswith(("mitake", "every8d", "http"))} == {
        "gateway_stoppedmitake": 1, "gateway_stoppedevery8d": 0, "balance_pointsmitake": 7,
        "last_receipt_timestamp_secondsmitake": now.timestamp(), "last_receipt_timestamp_secondsevery8d": 0,
    }  # fmt: skip


def test_who_sends_no_receipts_is_not_missed(settings: Any) -> None:
    settings.SMS_GATEWAY, settings.SMS_FALLBACK_GATEWAY = "http", "pigeon"
    assert not any("receipt" in name for name in told())


def test_a_sending_is_timed_by_its_outcome(provider: Provider) -> None:
    row = make_message()
    labels = {"gateway": "http", "kind": row.kind, "outcome": "sent"}

    def figures() -> list[float]:
        names = ("luckygas_sms_send_seconds_count", "luckygas_sms_send_seconds_sum")
        return [REGISTRY.get_sample_value(name, labels) or 0.0 for name in names]

    before = figures()
    deliver_one(row.pk)
    count, seconds = (now - then for now, then in zip(figures(), before, strict=True))
    assert (count, 0 < seconds < 5) == (1, True)

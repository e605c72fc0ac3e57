"""Every gateway meets every fault of the sandbox: what the row says, what reached the telephones, what screens hear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from luckygas.testing.sandbox.faults import Fault, Kind
from luckygas.testing.sandbox.server import Sandbox
from luckygas.testing.waiting import PATIENCE_SECONDS
from notifications import sender
from notifications.models import NotificationHistory
from notifications.states import Reason, Status
from notifications.tests.on_sandbox import GATEWAYS, OUTCOMES, REFUSAL, SENT, UNKNOWN, outcome, use
from orders.models import Order
from orders.states import Status as OrderStatus
from orders.tests.factories import make_customer, make_order
from realtime.models import Outbox

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "0912-345-678"


@pytest.fixture(params=GATEWAYS)
def gateway(request: pytest.FixtureRequest, sandbox: Sandbox, settings: Any) -> Iterator[str]:
    use(settings, sandbox, request.param)
    yield request.param
    sandbox.stop()
    assert sender.pool().drain(PATIENCE_SECONDS)


@pytest.fixture(autouse=True)
def nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level("DEBUG")
    # Its lines are the statements themselves, and nobody's level in production.
    caplog.set_level("INFO", "django.db.backends")
    yield
    said = " ".join(record.getMessage() for record in caplog.records).replace("-", "")
    assert "sandboxkey" not in said
    assert "sandboxpassword" not in said
    assert "912345678" not in said


def confirm() -> NotificationHistory:
    """Confirms an order; returns the row of its message."""
    order = make_order(customer=make_customer(phone=PHONE))
    order.transition_to(OrderStatus.CONFIRMED)
    now = Order.objects.get(pk=order.pk)
    assert (now.status, now.version) == (OrderStatus.CONFIRMED, order.version)
    return NotificationHistory.objects.get(order=order)


def telephones(sandbox: Sandbox) -> list[str]:
    return [sent.text for sent in sandbox.operator.telephones.all()]


def told(row: NotificationHistory) -> list[tuple[str, str]]:
    """What the screens are told of a row."""
    rows = Outbox.objects.filter(subject=f"notification:{row.pk}").order_by("id")
    return [(each.type, each.delta["status"]) for each in rows]


@pytest.mark.parametrize("kind", Kind)
def test_a_fault_that_stays(gateway: str, kind: Kind, sandbox: Sandbox) -> None:
    code = REFUSAL[gateway] if kind == Kind.REFUSE else ""
    sandbox.operator.faults.set(Fault(kind, code=code, seconds=0.1 if kind == Kind.SLOW else 30))
    row = confirm()
    expected, count = outcome(gateway, kind)
    assert (row.status, row.status_reason) == expected
    assert telephones(sandbox) == [row.content] * count
    type_ = "notification.sent" if row.status == Status.SENT else "notification.failed"
    assert told(row)[-1] == (type_, row.status)
    assert len(row.error_message) <= 500


@pytest.mark.parametrize("kind", [Kind.HANG, Kind.DROP_BEFORE, Kind.DROP_AFTER])
def test_a_fault_that_passes_is_outlived_where_there_is_a_key(gateway: str, kind: Kind, sandbox: Sandbox) -> None:
    sandbox.operator.faults.set(Fault(kind, times=1))
    row = confirm()
    reached = 1 if gateway != "every8d" else OUTCOMES[kind][1]
    assert (row.status, row.status_reason) == (UNKNOWN if gateway == "every8d" else SENT)
    assert telephones(sandbox) == [row.content] * reached


def test_nobody_there(gateway: str, sandbox: Sandbox) -> None:
    sandbox.stop()
    row = confirm()
    assert (row.status, row.status_reason, row.attempts) == (Status.PENDING, Reason.UNREACHABLE, 0)
    assert (told(row), row.send_after is None) == ([], False)


def test_all_is_well(gateway: str, sandbox: Sandbox) -> None:
    row = confirm()
    assert (row.status, row.gateway, row.segments, row.attempts) == (Status.SENT, gateway, 1, 1)
    assert row.provider_message_id
    assert [step.status for step in row.trail.all()] == [Status.SENDING, Status.SENT]
    assert telephones(sandbox) == [row.content]

"""Every gateway with every fault of the sandbox: the message's status, the delivered texts, the events on screens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from luckygas.testing.sandbox.faults import FaultKind, SandboxFault
from luckygas.testing.sandbox.server import Sandbox
from luckygas.testing.waiting import PATIENCE_SECONDS
from notifications import sender
from notifications.models import GatewayState, NotificationHistory
from notifications.states import MessageStatus, Reason
from notifications.tests.on_sandbox import GATEWAYS, OUTCOMES, REFUSAL, SENT, UNKNOWN, outcome, use_sandbox
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_order
from realtime.models import Outbox

pytestmark = pytest.mark.django_db(transaction=True)


PHONE = "0912-345-678"


@pytest.fixture(params=GATEWAYS)
def gateway(request: pytest.FixtureRequest, sandbox: Sandbox, settings: Any) -> Iterator[str]:
    use_sandbox(settings, sandbox, request.param)
    yield request.param
    sandbox.stop()
    assert sender.pool().drain(PATIENCE_SECONDS)


@pytest.fixture(autouse=True)
def nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level("DEBUG")
    # At DEBUG this logger writes whole SQL statements. Production does not use that level.
    caplog.set_level("INFO", "django.db.backends")
    yield
    logged = " ".join(record.getMessage() for record in caplog.records).replace("-", "")
    assert "sandboxkey" not in logged
    assert "sandboxpassword" not in logged
    assert "912345678" not in logged


def confirm() -> NotificationHistory:
    """Confirms an order. Returns the row of the message about it."""
    order = make_order(customer=make_customer(phone=PHONE))
    order.transition_to(OrderStatus.CONFIRMED)
    now = Order.objects.get(pk=order.pk)
    assert (now.status, now.version) == (OrderStatus.CONFIRMED, order.version)
    return NotificationHistory.objects.get(order=order)


def delivered_texts(sandbox: Sandbox) -> list[str]:
    return [sent.text for sent in sandbox.operator.telephones.all()]


def events_about(row: NotificationHistory) -> list[tuple[str, str]]:
    """Returns type and message status of each event about the message, the oldest first."""
    rows = Outbox.objects.filter(subject=f"notification:{row.pk}").order_by("id")
    return [(each.type, each.delta["status"]) for each in rows]


@pytest.mark.parametrize("kind", FaultKind)
def test_permanent_fault_leads_to_the_expected_status(gateway: str, kind: FaultKind, sandbox: Sandbox) -> None:
    code = REFUSAL[gateway] if kind == FaultKind.REFUSE else ""
    sandbox.operator.faults.set(SandboxFault(kind, code=code, seconds=0.1 if kind == FaultKind.SLOW else 30))
    row = confirm()
    expected, count = outcome(gateway, kind)
    assert (row.status, row.status_reason) == expected
    assert delivered_texts(sandbox) == [row.content] * count
    type_ = "notification.sent" if row.status == MessageStatus.SENT else "notification.failed"
    assert events_about(row)[-1] == (type_, row.status)
    assert len(row.error_message) <= 500


@pytest.mark.parametrize("kind", [FaultKind.HANG, FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
def test_temporary_fault_is_retried_only_with_an_idempotency_key(
    gateway: str, kind: FaultKind, sandbox: Sandbox
) -> None:
    sandbox.operator.faults.set(SandboxFault(kind, times=1))
    row = confirm()
    reached = 1 if gateway != "every8d" else OUTCOMES[kind][1]
    assert (row.status, row.status_reason) == (UNKNOWN if gateway == "every8d" else SENT)
    assert delivered_texts(sandbox) == [row.content] * reached


def test_message_stays_pending_while_the_provider_is_unreachable(gateway: str, sandbox: Sandbox) -> None:
    sandbox.stop()
    row = confirm()
    assert (row.status, row.status_reason, row.attempts) == (MessageStatus.PENDING, Reason.UNREACHABLE, 0)
    assert (events_about(row), row.send_after is None) == ([], False)


def test_message_is_sent_without_faults(gateway: str, sandbox: Sandbox) -> None:
    row = confirm()
    assert (row.status, row.gateway, row.segments, row.attempts) == (MessageStatus.SENT, gateway, 1, 1)
    assert row.provider_message_id
    assert [step.status for step in row.trail.all()] == [MessageStatus.SENDING, MessageStatus.SENT]
    assert delivered_texts(sandbox) == [row.content]


# Refusals of the providers: the message's status, the delivered texts, and the events on screens.


REFUSED, NO_NUMBER = (MessageStatus.FAILED, Reason.REFUSED), (MessageStatus.FAILED, Reason.NO_SUCH_NUMBER)
PAUSES, STOPPED = (MessageStatus.PENDING, Reason.BUSY), (MessageStatus.PENDING, Reason.CHANNEL_STOPPED)
WITH_UNKNOWN_CODE = (MessageStatus.PENDING, Reason.UNKNOWN_CODE)
# Gateway → error code → the message's status and its reason. There is at least one code of each kind.
CODES: dict[str, dict[str, tuple[str, str]]] = {
    "http": {"400": REFUSED, "401": STOPPED, "404": WITH_UNKNOWN_CODE, "429": PAUSES, "500": UNKNOWN},
    "mitake": {"a": PAUSES, "e": STOPPED, "u": REFUSED, "v": NO_NUMBER, "*": UNKNOWN, "?": WITH_UNKNOWN_CODE},
    "every8d": {
        "-2": STOPPED,
        "-11": STOPPED,
        "-100": STOPPED,
        "-101": STOPPED,
        "-300": STOPPED,
        "-3": NO_NUMBER,
        "-5": REFUSED,
        "-77": WITH_UNKNOWN_CODE,
        "-99": UNKNOWN,
    },
}
# Faults after which the site cannot know whether the provider accepted the message.
AMBIGUOUS_FAULTS = (FaultKind.HANG, FaultKind.DROP_AFTER, FaultKind.GARBAGE, FaultKind.HTML, FaultKind.HUGE)


@pytest.fixture
def drained_sender(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("notifications.gateways.base.PAUSE_SECONDS", 0)
    yield
    sandbox.stop()
    assert sender.pool().drain(PATIENCE_SECONDS)


def events_and_alerts(row: NotificationHistory) -> tuple[list[tuple[str, str]], list[str]]:
    """Returns the events about the row, and the severities of alerts to the office."""
    warnings = Outbox.objects.filter(type="maintenance.alert").order_by("id")
    return events_about(row), [each.delta["data"]["severity"] for each in warnings]


@pytest.mark.servers
@pytest.mark.usefixtures("drained_sender")
@pytest.mark.parametrize(("gateway", "code"), [(gateway, code) for gateway, codes in CODES.items() for code in codes])
def test_error_code_decides_status_events_and_alerts(gateway: str, code: str, sandbox: Sandbox, settings: Any) -> None:
    use_sandbox(settings, sandbox, gateway)
    sandbox.operator.faults.set(SandboxFault(FaultKind.REFUSE, code=code))
    row, (status, reason) = confirm(), CODES[gateway][code]
    assert (row.status, row.status_reason, delivered_texts(sandbox)) == (status, reason, [])
    if reason == Reason.BUSY:
        assert (events_and_alerts(row), row.send_after is None) == (([], []), False)
    elif status == MessageStatus.PENDING:
        assert events_and_alerts(row) == ([], ["error"])
        state = GatewayState.objects.get()
        assert row.error_message in (state.stopped_because or state.doubted_because)
        assert (state.stopped_at is None) == (row.send_after is not None) == (reason == Reason.UNKNOWN_CODE)
    else:
        assert events_and_alerts(row) == ([("notification.failed", status)], [])
        assert not GatewayState.objects.filter(stopped_at__isnull=False).exists()


@pytest.mark.servers
@pytest.mark.usefixtures("drained_sender")
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_message_without_credit_waits_until_the_gateway_is_started(
    gateway: str, sandbox: Sandbox, settings: Any
) -> None:
    use_sandbox(settings, sandbox, gateway)
    sandbox.operator.telephones.balance = 0
    row = confirm()
    reason = Reason.NO_CREDIT
    assert (row.status, row.status_reason, events_and_alerts(row)) == (MessageStatus.PENDING, reason, ([], ["error"]))
    assert delivered_texts(sandbox) == []
    # The office has paid and starts the gateway. The pending message is sent once.
    sandbox.operator.telephones.balance = 9
    assert GatewayState.objects.get().start()
    row.refresh_from_db()
    assert (row.status, events_and_alerts(row)) == (
        MessageStatus.SENT,
        ([("notification.sent", "sent")], ["error", "success"]),
    )
    assert delivered_texts(sandbox) == [row.content]


@pytest.mark.servers
@pytest.mark.usefixtures("drained_sender")
@pytest.mark.parametrize("kind", AMBIGUOUS_FAULTS)
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_message_without_a_readable_answer_is_unknown(
    gateway: str, kind: FaultKind, sandbox: Sandbox, settings: Any
) -> None:
    use_sandbox(settings, sandbox, gateway)
    sandbox.operator.faults.set(SandboxFault(kind, taken=False, code="500", seconds=30))
    row = confirm()
    assert (row.status, row.status_reason) == UNKNOWN
    assert (delivered_texts(sandbox), events_about(row)) == ([], [("notification.failed", row.status)])

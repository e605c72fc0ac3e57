"""What providers refuse, and how: the row, what reached the telephone, and what the screens are told."""

from __future__ import annotations

from typing import Any

import pytest

from luckygas.testing.sandbox.faults import Fault, Kind
from luckygas.testing.sandbox.server import Sandbox
from luckygas.testing.waiting import PATIENCE_SECONDS
from luckygas.tests.test_sms_faults import confirm, telephones, told
from notifications import sender
from notifications.models import GatewayState, NotificationHistory
from notifications.states import Reason, Status
from notifications.tests.on_sandbox import GATEWAYS, UNKNOWN, use
from realtime.models import Outbox

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]

REFUSED, NO_NUMBER = (Status.FAILED, Reason.REFUSED), (Status.FAILED, Reason.NO_SUCH_NUMBER)
PAUSES, STOPPED = (Status.PENDING, Reason.BUSY), (Status.PENDING, Reason.CHANNEL_STOPPED)
DOUBTED = (Status.PENDING, Reason.UNKNOWN_CODE)
# Gateway → a code of each sort that the provider has → what becomes of the row.
CODES: dict[str, dict[str, tuple[str, str]]] = {
    "http": {"400": REFUSED, "401": STOPPED, "404": DOUBTED, "429": PAUSES, "500": UNKNOWN},
    "mitake": {"a": PAUSES, "e": STOPPED, "u": REFUSED, "v": NO_NUMBER, "*": UNKNOWN, "?": DOUBTED},
    "every8d": {
        "-2": STOPPED,
        "-11": STOPPED,
        "-100": STOPPED,
        "-101": STOPPED,
        "-300": STOPPED,
        "-3": NO_NUMBER,
        "-5": REFUSED,
        "-77": DOUBTED,
        "-99": UNKNOWN,
    },
}
# Kinds whose client cannot know whether the message was taken, and which may do either.
EITHER = (Kind.HANG, Kind.DROP_AFTER, Kind.GARBAGE, Kind.HTML, Kind.HUGE)


@pytest.fixture(autouse=True)
def nothing_outlives_the_test(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("notifications.gateways.base.PAUSE_SECONDS", 0)
    yield
    sandbox.stop()
    assert sender.pool().drain(PATIENCE_SECONDS)


def screens(row: NotificationHistory) -> tuple[list[tuple[str, str]], list[str]]:
    """What they are told of the row, and what the office is warned of."""
    warnings = Outbox.objects.filter(type="maintenance.alert").order_by("id")
    return told(row), [each.delta["data"]["severity"] for each in warnings]


@pytest.mark.parametrize(("gateway", "code"), [(gateway, code) for gateway, codes in CODES.items() for code in codes])
def test_a_refusal(gateway: str, code: str, sandbox: Sandbox, settings: Any) -> None:
    use(settings, sandbox, gateway)
    sandbox.operator.faults.set(Fault(Kind.REFUSE, code=code))
    row, (status, reason) = confirm(), CODES[gateway][code]
    assert (row.status, row.status_reason, telephones(sandbox)) == (status, reason, [])
    if reason == Reason.BUSY:
        assert (screens(row), row.send_after is None) == (([], []), False)
    elif status == Status.PENDING:
        assert screens(row) == ([], ["error"])
        state = GatewayState.objects.get()
        assert row.error_message in (state.stopped_because or state.doubted_because)
        assert (state.stopped_at is None) == (row.send_after is not None) == (reason == Reason.UNKNOWN_CODE)
    else:
        assert screens(row) == ([("notification.failed", status)], [])
        assert not GatewayState.objects.filter(stopped_at__isnull=False).exists()


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_no_credit(gateway: str, sandbox: Sandbox, settings: Any) -> None:
    use(settings, sandbox, gateway)
    sandbox.operator.telephones.balance = 0
    row = confirm()
    reason = Reason.NO_CREDIT
    assert (row.status, row.status_reason, screens(row)) == (Status.PENDING, reason, ([], ["error"]))
    assert telephones(sandbox) == []
    # The office has paid, and starts the channel: what waited goes out, once.
    sandbox.operator.telephones.balance = 9
    assert GatewayState.objects.get().start()
    row.refresh_from_db()
    assert (row.status, screens(row)) == (Status.SENT, ([("notification.sent", "sent")], ["error", "success"]))
    assert telephones(sandbox) == [row.content]


@pytest.mark.parametrize("kind", EITHER)
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_no_word_of_a_message_that_was_not_taken(gateway: str, kind: Kind, sandbox: Sandbox, settings: Any) -> None:
    use(settings, sandbox, gateway)
    sandbox.operator.faults.set(Fault(kind, taken=False, code="500", seconds=30))
    row = confirm()
    assert (row.status, row.status_reason) == UNKNOWN
    assert (telephones(sandbox), told(row)) == ([], [("notification.failed", row.status)])

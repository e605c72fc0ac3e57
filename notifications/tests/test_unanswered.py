"""What went out and was never answered is settled under its own key, or by the receipt that names it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone, translation

from luckygas.testing.sandbox.faults import Fault, Kind
from luckygas.testing.sandbox.server import Sandbox
from notifications import gateways, sender
from notifications.gateways import get_gateway
from notifications.models import GatewayState, NotificationHistory
from notifications.states import Reason, Status
from notifications.tests.factories import make_message
from notifications.tests.on_sandbox import GATEWAYS, callback, use
from orders.states import Status as OrderStatus

pytestmark = pytest.mark.django_db(transaction=True)
REPEATABLE = ("http", "mitake")


def unanswered(sandbox: Sandbox, fault: Fault) -> NotificationHistory:
    """A message that became unknown some minutes ago."""
    sandbox.operator.faults.set(fault)
    row = make_message()
    sender.deliver_one(row.pk)
    sandbox.operator.faults.set(None)
    NotificationHistory.objects.filter(pk=row.pk).unannounced().update(claimed_at=timezone.now() - timedelta(minutes=6))
    row.refresh_from_db()
    assert (row.status, row.provider_message_id) == (Status.UNKNOWN, "")
    return row


def ask(sandbox: Sandbox, row: NotificationHistory, *arguments: str) -> tuple[str, int]:
    """What is known then, and how many messages the telephones have."""
    call_command("query_sms_status", *arguments)
    row.refresh_from_db()
    return row.status, len(sandbox.operator.telephones.all())


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_it_is_repeated_where_the_provider_knows_keys(
    gateway: str, taken: bool, sandbox: Sandbox, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    use(settings, sandbox, gateway)
    row = unanswered(sandbox, Fault(Kind.DROP_AFTER, taken=taken, code="500"))
    if gateway == "every8d":
        assert ask(sandbox, row) == (Status.UNKNOWN, taken)
        return
    assert ask(sandbox, row, "--dry-run") == (Status.UNKNOWN, taken)
    assert ask(sandbox, row) == (Status.SENT, 1)
    assert row.provider_message_id
    assert "sent 1" in capsys.readouterr().out


@pytest.mark.parametrize("gateway", REPEATABLE)
def test_what_is_no_longer_true_or_was_repeated_just_now_is_not(gateway: str, sandbox: Sandbox, settings: Any) -> None:
    use(settings, sandbox, gateway)
    row = unanswered(sandbox, Fault(Kind.DROP_BEFORE))
    NotificationHistory.objects.filter(pk=row.pk).unannounced().update(attempts=3)
    assert ask(sandbox, row) == (Status.UNKNOWN, 0)
    NotificationHistory.objects.filter(pk=row.pk).unannounced().update(attempts=1)
    settings.SMS_QUIET_HOURS = "00:00-23:59"
    assert ask(sandbox, row) == (Status.UNKNOWN, 0)
    settings.SMS_QUIET_HOURS = ""
    order = row.order
    assert order
    with sender.no_waiting():
        order.transition_to(OrderStatus.CANCELLED, reason="-")
    assert sender.pool().drain(10)
    assert ask(sandbox, row)[0] == Status.UNKNOWN


def test_a_provider_that_stays_silent_leaves_it_unknown(
    sandbox: Sandbox, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    use(settings, sandbox, "http")
    row = unanswered(sandbox, Fault(Kind.DROP_AFTER))
    sandbox.operator.faults.set(Fault(Kind.DROP_AFTER))
    with translation.override("en"), pytest.raises(SystemExit):
        ask(sandbox, row)
    row.refresh_from_db()
    assert (row.status, row.attempts, len(sandbox.operator.telephones.all())) == (Status.UNKNOWN, 2, 1)
    assert "1 stay unknown" in capsys.readouterr().out


@pytest.mark.parametrize(("flag", "status"), [("1", Status.SENT), ("4", Status.DELIVERED), ("6", Status.FAILED)])
def test_a_receipt_of_mitake_finds_it(flag: str, status: Status, sandbox: Sandbox, settings: Any) -> None:
    use(settings, sandbox, "mitake")
    settings.SMS_CALLBACK_SECRET, settings.SMS_CALLBACK_BASE_URL = "the-secret-of-callbacks", "http://127.0.0.1:9"
    row = unanswered(sandbox, Fault(Kind.DROP_AFTER))
    (sent,) = sandbox.operator.telephones.all()
    assert sent.callback == callback("http://127.0.0.1:9", "mitake") + f"{row.pk}/"
    path = sent.callback.removeprefix("http://127.0.0.1:9")
    said = {"msgid": sent.serial, "dstaddr": sent.local, "StatusFlag": flag}
    assert Client().get(path, said | {"dstaddr": "0911000000"}).status_code == 400
    assert Client().get(path.replace(str(row.pk), str(make_message().pk)), said).status_code == 404
    assert Client().get(path, said).status_code == 200
    row.refresh_from_db()
    assert (row.status, row.provider_message_id) == (status, sent.serial)
    assert row.status_reason == (Reason.NO_SUCH_NUMBER if flag == "6" else "")
    # From now on it is known by the provider's id.
    assert Client().get(path.replace(f"{row.pk}/", ""), said).status_code == 200


def test_on_a_stopped_channel_it_stays_unknown(sandbox: Sandbox, settings: Any) -> None:
    use(settings, sandbox, "mitake")
    row = unanswered(sandbox, Fault(Kind.DROP_AFTER))
    gateways.stop(get_gateway(), "s", Reason.NO_CREDIT)
    GatewayState.objects.update(balance=sandbox.operator.telephones.balance)
    assert ask(sandbox, row) == (Status.UNKNOWN, 1)
    assert not row.trail.filter(status=Status.PENDING).exists()


@pytest.mark.parametrize(("attempts", "answer"), [(1, 200), (0, 404)])
def test_a_receipt_finds_what_waits_to_be_given_again(
    attempts: int, answer: int, sandbox: Sandbox, settings: Any
) -> None:
    use(settings, sandbox, "mitake")
    settings.SMS_CALLBACK_SECRET = "the-secret-of-callbacks"
    row = make_message(gateway="mitake", attempts=attempts, recipient="+886912345678")
    said = {"msgid": "13", "dstaddr": "0912345678", "StatusFlag": "4"}
    assert Client().get(callback("", "mitake") + f"{row.pk}/", said).status_code == answer
    row.refresh_from_db()
    assert row.status == (Status.DELIVERED if answer == 200 else Status.PENDING)


def test_a_receipt_that_is_faster_than_the_answer_is_repeated(sandbox: Sandbox, settings: Any) -> None:
    use(settings, sandbox, "mitake")
    settings.SMS_CALLBACK_SECRET = "the-secret-of-callbacks"
    row = make_message(Status.SENDING, gateway="mitake")
    path = callback("", "mitake") + f"{row.pk}/"
    said = {"msgid": "13", "dstaddr": "0" + row.recipient[4:], "StatusFlag": "4"}
    assert Client().get(path, said).status_code == 404

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone, translation

from luckygas.testing.sandbox.faults import FaultKind, On, SandboxFault
from luckygas.testing.sandbox.server import Sandbox
from notifications import gateways, receipts, sender
from notifications.gateways import get_gateway
from notifications.gateways.base import GatewayError, Receipt
from notifications.models import GatewayState, NotificationHistory
from notifications.states import MessageStatus, Reason
from notifications.tests.factories import make_message
from notifications.tests.on_sandbox import GATEWAYS, callback_url, use_sandbox
from notifications.tests.provider import FakeGateway
from orders.states import OrderStatus

pytestmark = pytest.mark.django_db


LONG_AGO = timezone.now() - timedelta(hours=2)


@pytest.fixture
def run(fake_gateway: type[FakeGateway], command: Any) -> Any:
    return partial(command, "query_sms_status")


def make_accepted(status: str, provider_id: str, **fields: Any) -> NotificationHistory:
    defaults = {"gateway": "fake", "provider_message_id": provider_id, "sent_at": LONG_AGO, "created_at": LONG_AGO}
    return make_message(status, **(defaults | fields))


def set_receipt(row: NotificationHistory, status: MessageStatus | None, **fields: Any) -> None:
    defaults = {"provider_message_id": row.provider_message_id, "phone": row.recipient, "raw_status": "q"}
    FakeGateway.receipts[row.provider_message_id] = Receipt(status=status, **(defaults | fields))


def statuses(*rows: NotificationHistory) -> list[str]:
    return [NotificationHistory.objects.get(pk=row.pk).status for row in rows]


def test_overdue_messages_are_settled_in_batches(run: Any) -> None:
    overdue, late, silent = (
        make_accepted(MessageStatus.SENT, "1"),
        make_accepted(MessageStatus.SENT, "2"),
        make_accepted(MessageStatus.SENT, "3"),
    )
    set_receipt(overdue, MessageStatus.DELIVERED)
    set_receipt(late, MessageStatus.EXPIRED, reason=Reason.NOT_REACHED)
    code, output = run()
    assert (code, statuses(overdue, late, silent)) == (
        0,
        [MessageStatus.DELIVERED, MessageStatus.EXPIRED, MessageStatus.SENT],
    )
    assert sorted(map(len, FakeGateway.queries)) == [1, 2]
    assert "fake: delivered 1, expired 1, unchanged 1" in output
    assert "100 points left" in output


def test_only_overdue_messages_are_queried(run: Any) -> None:
    make_accepted(MessageStatus.DELIVERED, "1")
    make_accepted(MessageStatus.SENT, "2", sent_at=timezone.now())
    make_accepted(MessageStatus.SENT, "3", created_at=timezone.now() - timedelta(days=8))
    make_accepted(MessageStatus.UNKNOWN, "", gateway="http")
    make_accepted(MessageStatus.UNKNOWN, "")
    code, output = run()
    assert (code, FakeGateway.queries) == (0, [])
    assert "remain unknown: 2" in output


def test_answer_about_another_number_changes_nothing(run: Any) -> None:
    row = make_accepted(MessageStatus.SENT, "1")
    set_receipt(row, MessageStatus.DELIVERED, phone="+886999999999")
    assert "unchanged 1" in run()[1]
    assert statuses(row) == [MessageStatus.SENT]


def test_message_with_unknown_code_is_queried_again_and_code_stored_once(run: Any) -> None:
    row = make_accepted(MessageStatus.SENT, "1")
    set_receipt(row, None, reason=Reason.UNKNOWN_CODE, raw_status="700")
    assert "unchanged 1" in run()[1]
    NotificationHistory.objects.unannounced().update(ask_after=None)
    run()
    row.refresh_from_db()
    (note,) = row.trail.filter(reason=Reason.UNKNOWN_CODE)
    assert (row.status, note.raw_status, bool(row.ask_after)) == (MessageStatus.SENT, "700", True)


def test_dry_run_queries_nothing(run: Any) -> None:
    row = make_accepted(MessageStatus.SENT, "1")
    set_receipt(row, MessageStatus.DELIVERED)
    code, output = run("--dry-run")
    assert (code, FakeGateway.queries, statuses(row)) == (0, [], [MessageStatus.SENT])
    assert f"fake  {row.order}  order_confirmed  {row.masked_recipient}  sent" in output
    assert not GatewayState.objects.exists()


def test_limit_and_since_restrict_queries(run: Any) -> None:
    old = make_accepted(MessageStatus.SENT, "1", created_at=LONG_AGO - timedelta(hours=1))
    make_accepted(MessageStatus.SENT, "2")
    run("--limit", "1")
    run("--since", "150m")
    assert FakeGateway.queries == [[old.provider_message_id], ["2"]]
    with pytest.raises(CommandError):
        run("--since", "yesterday")


@pytest.mark.parametrize(
    ("known", "now", "stopped"),
    [(3, 3, True), (3, 0, True), (3, 4, False), (None, 3, False), (None, 0, True), (900, 500, False)],
)
def test_only_changed_positive_balance_starts_stopped_gateway(
    run: Any, known: int | None, now: int, stopped: bool
) -> None:
    GatewayState.objects.create(gateway="fake", stopped_at=LONG_AGO, balance=known)
    FakeGateway.points = Decimal(now)
    run()
    assert bool(GatewayState.objects.get().stopped_at) == stopped
    run()
    assert bool(GatewayState.objects.get().stopped_at) == stopped


def test_gateway_starts_when_account_works_again(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    GatewayState.objects.create(gateway="fake", stopped_at=LONG_AGO, stopped_because="wrong password", balance=100)

    def refuse(self: FakeGateway) -> None:
        raise GatewayError("The password is wrong.", reason=Reason.CHANNEL_STOPPED, permanent=True)

    with monkeypatch.context() as patched:
        patched.setattr(FakeGateway, "balance", refuse)
        run()
    assert GatewayState.objects.get().stopped_at
    run()
    assert GatewayState.objects.get().stopped_at is None


def test_gateway_starts_at_first_balance_after_repair(run: Any) -> None:
    run()
    gateways.stop(get_gateway(), "e: wrong password", Reason.CHANNEL_STOPPED)
    run()
    assert GatewayState.objects.get().stopped_at is None


def test_unchanged_balance_does_not_start_gateway_without_credit(run: Any) -> None:
    run()
    gateways.stop(get_gateway(), "s: the account could not be charged", Reason.NO_CREDIT)
    run()
    assert GatewayState.objects.get().stopped_at


def test_overdue_queries_back_off(run: Any) -> None:
    set_receipt(make_accepted(MessageStatus.SENT, "1"), MessageStatus.SENT)
    times = []
    for minutes in range(0, 48 * 60, 10):
        with time_machine.travel(LONG_AGO + timedelta(minutes=minutes), tick=False):
            before = len(FakeGateway.queries)
            run()
            times += [minutes] * (len(FakeGateway.queries) > before)
    assert times == [70, 140, 280, 560, 1120, 2240]


@pytest.mark.parametrize(("points", "stopped"), [(Decimal(5), False), (Decimal(0), True), (None, True)])
def test_positive_balance_starts_stopped_gateway(run: Any, points: Decimal | None, stopped: bool) -> None:
    GatewayState.objects.create(gateway="fake", stopped_at=LONG_AGO, stopped_because="no credit")
    FakeGateway.points = points
    row = make_accepted(MessageStatus.SENT, "1")
    set_receipt(row, MessageStatus.DELIVERED)
    code, output = run()
    # Messages are queried whatever the balance is.
    assert statuses(row) == [MessageStatus.DELIVERED]
    state = GatewayState.objects.get()
    assert (code, bool(state.stopped_at), state.balance) == (points is None, stopped, points)
    assert ("did not respond: Could not connect" in output) == (points is None)


# While a provider's queries fail, nothing changes, and nothing is sent.


REFUSAL = {"http": "500", "mitake": "e", "every8d": "-2"}
FAILING = [kind for kind in FaultKind if kind not in (FaultKind.SLOW, FaultKind.TWICE)]


def make_overdue(sandbox: Sandbox, gateway: str) -> NotificationHistory:
    """Makes a `sent` message that the sandbox has delivered. The site got no receipt for it."""
    sent, _ = sandbox.operator.accept(gateway, "0912-345-678", "瓦斯")
    sent.settle(MessageStatus.DELIVERED)
    provider_id = sent.serial if gateway == "mitake" else sent.id
    return make_message(
        MessageStatus.SENT, gateway=gateway, sent_at=LONG_AGO, created_at=LONG_AGO,
        recipient=sent.phone, provider_message_id=provider_id,
    )  # fmt: skip


def fault(gateway: str, kind: FaultKind) -> SandboxFault:
    code = REFUSAL[gateway] if kind == FaultKind.REFUSE else ""
    return SandboxFault(kind, code=code, seconds=0.6, on=On.ASK)


def query_row(gateway: str, row: NotificationHistory) -> list[bool]:
    """Queries one row. Returns a list that holds whether its status changed, or an empty one if the query failed."""
    with suppress(GatewayError):
        return [new for _, new in receipts.query_provider(get_gateway(gateway), [row])]
    return []


def stored_rows() -> list[Any]:
    return [list(NotificationHistory.objects.values()), list(GatewayState.objects.values())]


@pytest.mark.parametrize("kind", FAILING)
@pytest.mark.parametrize("gateway", ["mitake", "every8d"])
def test_provider_fault_changes_nothing_and_fails_the_command(
    gateway: str, kind: FaultKind, sandbox: Sandbox, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    use_sandbox(settings, sandbox, gateway)
    # Only this provider is queried.
    setattr(settings, {"mitake": "EVERY8D_URL", "every8d": "MITAKE_URL"}[gateway], "")
    row = make_overdue(sandbox, gateway)
    before = stored_rows()
    sandbox.operator.faults.set(fault(gateway, kind))
    with pytest.raises(SystemExit) as ended:
        call_command("query_sms_status")
    assert (ended.value.code, stored_rows()) == (1, before)
    assert gateway in capsys.readouterr().err
    # A direct query changes nothing either.
    assert not any(query_row(gateway, row))
    assert (stored_rows(), len(sandbox.operator.telephones.all())) == (before, 1)
    sandbox.operator.faults.set(None)
    call_command("query_sms_status")
    row.refresh_from_db()
    assert row.status == MessageStatus.DELIVERED


@pytest.mark.parametrize("kind", [FaultKind.REFUSE, FaultKind.HANG, FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_health_reports_provider_fault(gateway: str, kind: FaultKind, sandbox: Sandbox, settings: Any) -> None:
    use_sandbox(settings, sandbox, gateway)
    sandbox.operator.faults.set(fault(gateway, kind))
    health = get_gateway().health()
    assert (health.reachable, health.balance) == (False, None)
    assert "sandbox" not in health.detail


@pytest.mark.parametrize("gateway", ["mitake", "every8d"])
@pytest.mark.parametrize("kind", [FaultKind.SLOW, FaultKind.TWICE])
def test_late_or_doubled_answer_is_read(gateway: str, kind: FaultKind, sandbox: Sandbox, settings: Any) -> None:
    use_sandbox(settings, sandbox, gateway)
    row = make_overdue(sandbox, gateway)
    sandbox.operator.faults.set(SandboxFault(kind, seconds=0.1, on=On.ASK))
    call_command("query_sms_status")
    row.refresh_from_db()
    assert row.status == MessageStatus.DELIVERED


# A message without a response from the provider is unknown. A retry with the same idempotency key, or a receipt,
# decides its status.


IDEMPOTENT = ("http", "mitake")


def make_unanswered(sandbox: Sandbox, fault: SandboxFault) -> NotificationHistory:
    """Makes a message that became unknown some minutes ago."""
    sandbox.operator.faults.set(fault)
    row = make_message()
    sender.deliver_one(row.pk)
    sandbox.operator.faults.set(None)
    NotificationHistory.objects.filter(pk=row.pk).unannounced().update(claimed_at=timezone.now() - timedelta(minutes=6))
    row.refresh_from_db()
    assert (row.status, row.provider_message_id) == (MessageStatus.UNKNOWN, "")
    return row


def run_command(sandbox: Sandbox, row: NotificationHistory, *arguments: str) -> tuple[str, int]:
    """Runs the command. Returns the row's status and the number of delivered messages."""
    call_command("query_sms_status", *arguments)
    row.refresh_from_db()
    return row.status, len(sandbox.operator.telephones.all())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_unknown_is_retried_if_provider_is_idempotent(
    gateway: str, taken: bool, sandbox: Sandbox, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    use_sandbox(settings, sandbox, gateway)
    row = make_unanswered(sandbox, SandboxFault(FaultKind.DROP_AFTER, taken=taken, code="500"))
    if gateway == "every8d":
        assert run_command(sandbox, row) == (MessageStatus.UNKNOWN, taken)
        return
    assert run_command(sandbox, row, "--dry-run") == (MessageStatus.UNKNOWN, taken)
    assert run_command(sandbox, row) == (MessageStatus.SENT, 1)
    assert row.provider_message_id
    assert "sent 1" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("gateway", IDEMPOTENT)
def test_message_is_not_retried_too_early_in_quiet_hours_or_outdated(
    gateway: str, sandbox: Sandbox, settings: Any
) -> None:
    use_sandbox(settings, sandbox, gateway)
    row = make_unanswered(sandbox, SandboxFault(FaultKind.DROP_BEFORE))
    NotificationHistory.objects.filter(pk=row.pk).unannounced().update(attempts=3)
    assert run_command(sandbox, row) == (MessageStatus.UNKNOWN, 0)
    NotificationHistory.objects.filter(pk=row.pk).unannounced().update(attempts=1)
    settings.SMS_QUIET_HOURS = "00:00-23:59"
    assert run_command(sandbox, row) == (MessageStatus.UNKNOWN, 0)
    settings.SMS_QUIET_HOURS = ""
    order = row.order
    assert order
    with sender.no_waiting():
        order.transition_to(OrderStatus.CANCELLED, reason="-")
    assert sender.pool().drain(10)
    assert run_command(sandbox, row)[0] == MessageStatus.UNKNOWN


@pytest.mark.django_db(transaction=True)
def test_silent_provider_leaves_message_unknown(
    sandbox: Sandbox, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    use_sandbox(settings, sandbox, "http")
    row = make_unanswered(sandbox, SandboxFault(FaultKind.DROP_AFTER))
    sandbox.operator.faults.set(SandboxFault(FaultKind.DROP_AFTER))
    with translation.override("en"), pytest.raises(SystemExit):
        run_command(sandbox, row)
    row.refresh_from_db()
    assert (row.status, row.attempts, len(sandbox.operator.telephones.all())) == (MessageStatus.UNKNOWN, 2, 1)
    assert "remain unknown: 1" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("flag", "status"), [("1", MessageStatus.SENT), ("4", MessageStatus.DELIVERED), ("6", MessageStatus.FAILED)]
)
def test_mitakes_receipt_finds_unknown_message(
    flag: str, status: MessageStatus, sandbox: Sandbox, settings: Any
) -> None:
    use_sandbox(settings, sandbox, "mitake")
    settings.SMS_CALLBACK_SECRET, settings.SMS_CALLBACK_BASE_URL = "the-secret-of-callbacks", "http://127.0.0.1:9"
    row = make_unanswered(sandbox, SandboxFault(FaultKind.DROP_AFTER))
    (sent,) = sandbox.operator.telephones.all()
    assert sent.callback == callback_url("http://127.0.0.1:9", "mitake") + f"{row.pk}/"
    path = sent.callback.removeprefix("http://127.0.0.1:9")
    parameters = {"msgid": sent.serial, "dstaddr": sent.local_number, "StatusFlag": flag}
    assert Client().get(path, parameters | {"dstaddr": "0911000000"}).status_code == 400
    assert Client().get(path.replace(str(row.pk), str(make_message().pk)), parameters).status_code == 404
    assert Client().get(path, parameters).status_code == 200
    row.refresh_from_db()
    assert (row.status, row.provider_message_id) == (status, sent.serial)
    assert row.status_reason == (Reason.NO_SUCH_NUMBER if flag == "6" else "")
    # From now on the provider's id finds the message too.
    assert Client().get(path.replace(f"{row.pk}/", ""), parameters).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_message_of_stopped_gateway_stays_unknown(sandbox: Sandbox, settings: Any) -> None:
    use_sandbox(settings, sandbox, "mitake")
    row = make_unanswered(sandbox, SandboxFault(FaultKind.DROP_AFTER))
    gateways.stop(get_gateway(), "s", Reason.NO_CREDIT)
    GatewayState.objects.update(balance=sandbox.operator.telephones.balance)
    assert run_command(sandbox, row) == (MessageStatus.UNKNOWN, 1)
    assert not row.trail.filter(status=MessageStatus.PENDING).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("attempts", "answer"), [(1, 200), (0, 404)])
def test_receipt_finds_message_waiting_for_retry(attempts: int, answer: int, sandbox: Sandbox, settings: Any) -> None:
    use_sandbox(settings, sandbox, "mitake")
    settings.SMS_CALLBACK_SECRET = "the-secret-of-callbacks"
    row = make_message(gateway="mitake", attempts=attempts, recipient="+886912345678")
    parameters = {"msgid": "13", "dstaddr": "0912345678", "StatusFlag": "4"}
    assert Client().get(callback_url("", "mitake") + f"{row.pk}/", parameters).status_code == answer
    row.refresh_from_db()
    assert row.status == (MessageStatus.DELIVERED if answer == 200 else MessageStatus.PENDING)


@pytest.mark.django_db(transaction=True)
def test_receipt_before_the_answer_is_refused(sandbox: Sandbox, settings: Any) -> None:
    use_sandbox(settings, sandbox, "mitake")
    settings.SMS_CALLBACK_SECRET = "the-secret-of-callbacks"
    row = make_message(MessageStatus.SENDING, gateway="mitake")
    path = callback_url("", "mitake") + f"{row.pk}/"
    parameters = {"msgid": "13", "dstaddr": "0" + row.recipient[4:], "StatusFlag": "4"}
    assert Client().get(path, parameters).status_code == 404

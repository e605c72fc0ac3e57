from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError
from django.utils import timezone

from luckygas.testing.waiting import wait_for
from notifications import queue, sender
from notifications.gateways.local import Memory
from notifications.management.batch import parse_time
from notifications.models import NotificationHistory
from notifications.states import MessageKind, MessageStatus, Reason
from notifications.tests import child
from notifications.tests import provider as behaviours
from notifications.tests.factories import make_message, make_quiet_order
from notifications.tests.provider import Provider, answers, slow
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_office, make_order
from orders.tests.threads import run_concurrently
from web.refusals import Refusal

pytestmark = pytest.mark.django_db(transaction=True)


LONG_AGO = timezone.now() - timedelta(hours=1)


def refusal(row: NotificationHistory, *, overrule: bool = False) -> str:
    with pytest.raises(Refusal) as refused:
        queue.resend(row, overrule=overrule)
    assert refused.value.status == 409
    return refused.value.code


@pytest.mark.parametrize(
    "status",
    [MessageStatus.FAILED, MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.EXPIRED, MessageStatus.UNKNOWN],
)
def test_resend_creates_a_new_row(status: str) -> None:
    office = make_office()
    first = make_message(status)
    second = queue.resend(first, by=office)
    assert (second.status, second.resend_of, second.requested_by) == (MessageStatus.SENT, first, office)
    assert (second.kind, second.order, second.delivery_attempt) == (first.kind, first.order, first.delivery_attempt)
    assert [message.id for message in Memory.outbox] == [second.pk]
    first.refresh_from_db()
    assert first.status == status


@pytest.mark.parametrize(
    ("status", "fields", "overrule"),
    [
        (MessageStatus.FAILED, {}, False),
        (MessageStatus.UNKNOWN, {"gateway": "http"}, False),
        (MessageStatus.SUPPRESSED, {"status_reason": Reason.OPT_OUT, "attempts": 0}, True),
    ],
)
def test_resend_of_a_stale_row_sends_nothing(
    provider: Provider, status: str, fields: dict[str, Any], overrule: bool
) -> None:
    provider.behave(answers(400))
    row = make_message(status, **fields)
    stale = NotificationHistory.objects.select_related("order", "customer").get(pk=row.pk)
    queue.resend(row, overrule=overrule)
    assert refusal(stale, overrule=overrule) == "already_resent"
    assert len(provider.requests) == 1


def test_resent_message_can_be_resent() -> None:
    second = queue.resend(make_message(MessageStatus.FAILED))
    assert queue.resend(second).resend_of == second


def test_concurrent_resends_send_one_sms() -> None:
    row = make_message(MessageStatus.FAILED)
    copies = [NotificationHistory.objects.select_related("order", "customer").get(pk=row.pk) for _ in range(4)]
    assert run_concurrently(queue.resend, copies).count("already_resent") == 3
    assert len(Memory.outbox) == 1


def test_unknown_message_is_retried_with_its_key_if_idempotent(provider: Provider) -> None:
    row = make_message(MessageStatus.UNKNOWN, gateway="http", content="the first text")
    again = queue.resend(row)
    assert (again.pk, again.status, again.attempts) == (row.pk, MessageStatus.SENT, 2)
    (request,) = provider.requests
    assert (request.headers["Idempotency-Key"], request.body["message"]) == (str(row.pk), "the first text")


def test_resent_unknown_message_is_not_retried(provider: Provider) -> None:
    row = make_message(MessageStatus.UNKNOWN, gateway="http")
    make_message(MessageStatus.FAILED, order=row.order, resend_of=row)
    assert refusal(row) == "already_resent"
    assert provider.requests == []


def test_resend_of_pending_message_sends_its_row() -> None:
    row = make_message()
    assert queue.resend(row).pk == row.pk
    assert [message.id for message in Memory.outbox] == [row.pk]


def test_message_being_sent_is_refused() -> None:
    assert refusal(make_message(MessageStatus.SENDING, claimed_at=timezone.now())) == "being_sent"


def test_interrupted_sending_is_retried_with_its_key(provider: Provider) -> None:
    row = make_message(MessageStatus.SENDING, claimed_at=LONG_AGO, gateway="http")
    again = queue.resend(row)
    assert (again.pk, again.status) == (row.pk, MessageStatus.SENT)
    assert [request.headers["Idempotency-Key"] for request in provider.requests] == [str(row.pk)]


def test_interrupted_sending_without_key_becomes_unknown() -> None:
    row = make_message(MessageStatus.SENDING, claimed_at=LONG_AGO, gateway="memory")
    assert refusal(row) == "interrupted"
    row.refresh_from_db()
    assert (row.status, row.status_reason, Memory.outbox) == (MessageStatus.UNKNOWN, Reason.INTERRUPTED, [])


def test_one_of_two_callers_retries_an_interrupted_sending(provider: Provider) -> None:
    row = make_message(MessageStatus.SENDING, claimed_at=LONG_AGO, gateway="http")
    stale = NotificationHistory.objects.select_related("order", "customer").get(pk=row.pk)
    queue.resend(row)
    # Meanwhile the row is being sent again, for so long that this sending looks interrupted too.
    NotificationHistory.objects.unannounced().update(status=MessageStatus.SENDING, claimed_at=LONG_AGO)
    assert refusal(stale) == "already_resent"
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (MessageStatus.SUPPRESSED, Reason.NO_MOBILE),
        (MessageStatus.SUPPRESSED, Reason.OPT_OUT),
        (MessageStatus.CANCELLED, Reason.OVERTAKEN),
        (MessageStatus.CANCELLED, ""),
    ],
)
def test_suppressed_or_cancelled_message_is_refused_with_reason(status: str, reason: str) -> None:
    assert refusal(make_message(status, status_reason=reason)) == (reason or "withdrawn")


def test_outdated_message_is_refused_unchanged() -> None:
    row = make_message(MessageStatus.FAILED, order=make_quiet_order(OrderStatus.DELIVERED))
    assert refusal(row) == Reason.OVERTAKEN
    assert NotificationHistory.objects.filter(order=row.order).count() == 1


def test_caller_waits_at_most_the_configured_time(settings: Any, provider: Provider) -> None:
    settings.SMS_WAIT_SECONDS = 0.1
    provider.behave(slow(0.5))
    assert queue.resend(make_message(MessageStatus.FAILED)).status in (MessageStatus.PENDING, MessageStatus.SENDING)
    assert sender.pool().drain(5)


def test_overruling_an_opt_out_reuses_the_row() -> None:
    office = make_office()
    row = make_message(MessageStatus.SUPPRESSED, status_reason=Reason.OPT_OUT, attempts=0)
    row.customer.sms_opt_out = True
    row.customer.save()
    sent = queue.resend(row, by=office, overrule=True)
    assert (sent.pk, sent.status, sent.overruled, sent.requested_by) == (row.pk, MessageStatus.SENT, True, office)
    assert [message.id for message in Memory.outbox] == [row.pk]
    assert [note.status for note in sent.trail.all()] == [
        MessageStatus.PENDING,
        MessageStatus.SENDING,
        MessageStatus.SENT,
    ]


@pytest.mark.parametrize("reason", [Reason.NO_MOBILE, Reason.TOO_LONG, Reason.NOT_REGISTERED])
def test_reasons_other_than_our_rules_cannot_be_overruled(reason: str) -> None:
    row = make_message(MessageStatus.SUPPRESSED, status_reason=reason, attempts=0)
    assert refusal(row, overrule=True) == reason
    row.refresh_from_db()
    assert (row.status, row.overruled) == (MessageStatus.SUPPRESSED, False)


def test_failed_message_to_opted_out_customer_needs_overruling() -> None:
    row = make_message(MessageStatus.FAILED)
    row.customer.sms_opt_out = True
    row.customer.save()
    assert refusal(row) == Reason.OPT_OUT
    second = queue.resend(row, overrule=True)
    assert (second.status, second.overruled, second.resend_of) == (MessageStatus.SENT, True, row)


@pytest.fixture
def run(command: Any) -> Any:
    return partial(command, "resend_sms")


def test_each_option_selects_its_messages(run: Any) -> None:
    for status in MessageStatus:
        make_message(status, claimed_at=LONG_AGO, gateway="memory")
    assert run("--failed") == (0, "sent 1, failed 0, unknown 0")
    assert run("--unknown") == (0, "sent 1, failed 0, unknown 0")
    # The pending message is sent. The interrupted one becomes unknown.
    assert run("--stuck") == (1, "sent 1, failed 0, unknown 1")
    assert len(Memory.outbox) == 3


def test_resent_message_is_not_selected_again(run: Any) -> None:
    make_message(MessageStatus.FAILED)
    assert run("--failed") == (0, "sent 1, failed 0, unknown 0")
    assert run("--failed") == (0, "sent 0, failed 0, unknown 0")


def test_failure_is_exit_code_1(run: Any, provider: Provider) -> None:
    provider.behave(answers(400))
    make_message(MessageStatus.FAILED)
    assert run("--failed") == (1, "sent 0, failed 1, unknown 0")


def test_own_error_is_exit_code_1_and_others_are_sent(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, fine = make_message(), make_message()
    real = NotificationHistory.render

    def render(row: NotificationHistory) -> str:
        if row == broken:
            raise KeyError("a fault of ours")
        return real(row)

    monkeypatch.setattr(NotificationHistory, "render", render)
    assert run("--stuck") == (1, "sent 1, failed 0, unknown 0, broken 1")
    assert [message.id for message in Memory.outbox] == [fine.pk]


def test_outdated_message_is_counted_but_no_failure(run: Any) -> None:
    make_message(MessageStatus.FAILED, order=make_quiet_order(OrderStatus.DELIVERED))
    assert run("--failed") == (0, "sent 0, failed 0, unknown 0, overtaken 1")


def test_since_order_kind_and_limit_narrow_the_selection(run: Any) -> None:
    old, new = make_message(MessageStatus.FAILED, created_at=LONG_AGO), make_message(MessageStatus.FAILED)
    assert run("--failed", "--since", "30m", "--order", str(old.order_id))[1].startswith("sent 0")
    assert run("--failed", "--kind", MessageKind.ORDER_DELIVERED)[1].startswith("sent 0")
    assert run("--failed", "--limit", "1")[1].startswith("sent 1")
    assert [row.pk for row in NotificationHistory.objects.filter(resent_as=None, status="failed")] == [new.pk]
    assert run("--failed", "--since", "2h", "--order", str(new.order), "--kind", new.kind)[1].startswith("sent 1")


@pytest.mark.parametrize(
    "wrong",
    [["--since", "yesterday"], ["--since", "0001-01-01"], ["--since", "2026-02-30"], ["--order", "0000-0001"],
     ["--order", "x"], ["--order", "9" * 30], ["--kind", "birthday"], ["--limit", "0"], ["--limit", "-1"],
     ["--limit", "many"], []],
)  # fmt: skip
def test_invalid_option_sends_nothing(run: Any, wrong: list[str]) -> None:
    make_message(MessageStatus.FAILED)
    with pytest.raises(CommandError):
        run(*["--failed"] * bool(wrong), *wrong)
    assert Memory.outbox == []


def test_time_option_takes_a_date_a_time_or_an_age() -> None:
    assert parse_time("2026-11-23").astimezone(UTC) == datetime(2026, 11, 22, 16, tzinfo=UTC)
    assert parse_time("2026-11-23T08:00").astimezone(UTC) == datetime(2026, 11, 23, 0, tzinfo=UTC)
    assert parse_time("2026-11-23T08:00Z") == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert abs(parse_time("2d") - (timezone.now() - timedelta(days=2))) < timedelta(seconds=5)


def test_dry_run_shows_cost_and_changes_nothing(run: Any) -> None:
    row = make_message(MessageStatus.FAILED, order=make_quiet_order(customer=make_customer(phone="0912-345-678")))
    make_message(MessageStatus.FAILED, order=make_quiet_order(OrderStatus.DELIVERED))
    before = list(NotificationHistory.objects.order_by("pk").values())
    code, output = run("--failed", "--dry-run")
    lines = output.splitlines()
    assert (code, len(lines)) == (0, 3)
    assert str(row.order) in lines[0]
    assert "0912-***-678" in lines[0]
    assert "overtaken" in lines[1]
    assert lines[2].startswith("2 ")
    assert lines[2].count("1") == 2
    assert list(NotificationHistory.objects.order_by("pk").values()) == before
    assert Memory.outbox == []


def test_process_exits_while_provider_hangs(provider: Provider, settings: Any) -> None:
    settings.SMS_TIMEOUT_SECONDS, settings.SMS_WAIT_SECONDS = 30, 0.2
    provider.behave(behaviours.hangs)
    process = child.start_confirming(make_order().pk)
    wait_for(lambda: bool(provider.requests))
    code, _ = child.end(process)
    assert code == 0
    assert NotificationHistory.objects.get().status == MessageStatus.SENDING


@pytest.mark.parametrize(
    "status",
    [
        MessageStatus.PENDING,
        *(pytest.param(status, marks=pytest.mark.long) for status in (MessageStatus.FAILED, MessageStatus.UNKNOWN)),
    ],
)
def test_concurrent_commands_send_each_row_once(provider: Provider, status: str) -> None:
    provider.behave(slow(0.05))
    rows = [make_message(status, gateway="http" if n % 2 else "console") for n in range(20)]
    arguments = ["manage.py", "resend_sms", "--failed", "--stuck", "--unknown"]
    results = [child.end(process) for process in [child.start(*arguments) for _ in range(2)]]
    assert [code for code, _ in results] == [0, 0], results
    assert len(provider.requests) == len(rows)
    assert len({request.headers["Idempotency-Key"] for request in provider.requests}) == len(rows)
    assert NotificationHistory.objects.filter(status=MessageStatus.SENT).count() == len(rows)

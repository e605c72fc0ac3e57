from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifications import queue, sender
from notifications.gateways.local import Memory
from notifications.models import NotificationHistory
from notifications.states import Reason, Status
from notifications.tests.factories import make_message, make_quiet_order
from notifications.tests.provider import Provider, says
from orders.states import Status as OrderStatus
from orders.tests.factories import make_office
from orders.tests.threads import at_once
from web.refusals import Refusal

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = timezone.now() - timedelta(hours=1)


def refusal(row: NotificationHistory, *, overrule: bool = False) -> str:
    with pytest.raises(Refusal) as refused:
        queue.resend(row, overrule=overrule)
    assert refused.value.status == 409
    return refused.value.code


@pytest.mark.parametrize("status", [Status.FAILED, Status.SENT, Status.DELIVERED, Status.EXPIRED, Status.UNKNOWN])
def test_it_is_sent_again_as_a_row_of_its_own(status: str) -> None:
    office = make_office()
    first = make_message(status)
    second = queue.resend(first, by=office)
    assert (second.status, second.resend_of, second.requested_by) == (Status.SENT, first, office)
    assert (second.kind, second.order, second.delivery_attempt) == (first.kind, first.order, first.delivery_attempt)
    assert [message.id for message in Memory.outbox] == [second.pk]
    first.refresh_from_db()
    assert first.status == status


@pytest.mark.parametrize(
    ("status", "fields", "overrule"),
    [
        (Status.FAILED, {}, False),
        (Status.UNKNOWN, {"gateway": "http"}, False),
        (Status.SUPPRESSED, {"status_reason": Reason.OPT_OUT, "attempts": 0}, True),
    ],
)
def test_who_read_it_before_somebody_sent_it_again_sends_nothing(
    provider: Provider, status: str, fields: dict[str, Any], overrule: bool
) -> None:
    provider.behave(says(400))
    row = make_message(status, **fields)
    stale = NotificationHistory.objects.select_related("order", "customer").get(pk=row.pk)
    queue.resend(row, overrule=overrule)
    assert refusal(stale, overrule=overrule) == "already_resent"
    assert len(provider.asked) == 1


def test_the_newer_one_may_be_sent_again() -> None:
    second = queue.resend(make_message(Status.FAILED))
    assert queue.resend(second).resend_of == second


def test_two_who_press_at_once_cost_one_sms() -> None:
    row = make_message(Status.FAILED)
    theirs = [NotificationHistory.objects.select_related("order", "customer").get(pk=row.pk) for _ in range(4)]
    assert at_once(queue.resend, theirs).count("already_resent") == 3
    assert len(Memory.outbox) == 1


def test_unknown_is_repeated_under_its_key_where_the_provider_knows_keys(provider: Provider) -> None:
    row = make_message(Status.UNKNOWN, gateway="http", content="the first text")
    again = queue.resend(row)
    assert (again.pk, again.status, again.attempts) == (row.pk, Status.SENT, 2)
    (asked,) = provider.asked
    assert (asked.headers["Idempotency-Key"], asked.body["message"]) == (str(row.pk), "the first text")


def test_unknown_that_was_sent_again_as_a_new_row_is_not_repeated(provider: Provider) -> None:
    row = make_message(Status.UNKNOWN, gateway="http")
    make_message(Status.FAILED, order=row.order, resend_of=row)
    assert refusal(row) == "already_resent"
    assert provider.asked == []


def test_pending_is_sent_as_it_is() -> None:
    row = make_message()
    assert queue.resend(row).pk == row.pk
    assert [message.id for message in Memory.outbox] == [row.pk]


def test_what_is_being_sent_is_left_alone() -> None:
    assert refusal(make_message(Status.SENDING, claimed_at=timezone.now())) == "being_sent"


def test_a_sending_that_died_is_repeated_under_its_key(provider: Provider) -> None:
    row = make_message(Status.SENDING, claimed_at=LONG_AGO, gateway="http")
    again = queue.resend(row)
    assert (again.pk, again.status) == (row.pk, Status.SENT)
    assert [asked.headers["Idempotency-Key"] for asked in provider.asked] == [str(row.pk)]


def test_a_sending_that_died_without_a_key_becomes_unknown() -> None:
    row = make_message(Status.SENDING, claimed_at=LONG_AGO, gateway="memory")
    assert refusal(row) == "interrupted"
    row.refresh_from_db()
    assert (row.status, row.status_reason, Memory.outbox) == (Status.UNKNOWN, Reason.INTERRUPTED, [])


def test_of_two_who_find_a_dead_sending_one_repeats_it(provider: Provider) -> None:
    row = make_message(Status.SENDING, claimed_at=LONG_AGO, gateway="http")
    stale = NotificationHistory.objects.select_related("order", "customer").get(pk=row.pk)
    queue.resend(row)
    # Meanwhile it is being sent again, for so long that it too looks dead.
    NotificationHistory.objects.unannounced().update(status=Status.SENDING, claimed_at=LONG_AGO)
    assert refusal(stale) == "already_resent"
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.SUPPRESSED, Reason.NO_MOBILE),
        (Status.SUPPRESSED, Reason.OPT_OUT),
        (Status.CANCELLED, Reason.OVERTAKEN),
        (Status.CANCELLED, ""),
    ],
)
def test_what_our_own_rules_held_back_is_refused_with_the_reason(status: str, reason: str) -> None:
    assert refusal(make_message(status, status_reason=reason)) == (reason or "withdrawn")


def test_what_is_no_longer_true_is_refused_and_stays_as_it_is() -> None:
    row = make_message(Status.FAILED, order=make_quiet_order(OrderStatus.DELIVERED))
    assert refusal(row) == Reason.OVERTAKEN
    assert NotificationHistory.objects.filter(order=row.order).count() == 1


def test_the_caller_waits_no_longer_than_told(settings: Any, provider: Provider) -> None:
    from notifications.tests.provider import slow

    settings.SMS_WAIT_SECONDS = 0.1
    provider.behave(slow(0.5))
    assert queue.resend(make_message(Status.FAILED)).status in (Status.PENDING, Status.SENDING)
    assert sender.pool().drain(5)


def test_a_person_may_overrule_a_customers_wish_in_the_same_row() -> None:
    office = make_office()
    row = make_message(Status.SUPPRESSED, status_reason=Reason.OPT_OUT, attempts=0)
    row.customer.sms_opt_out = True
    row.customer.save()
    sent = queue.resend(row, by=office, overrule=True)
    assert (sent.pk, sent.status, sent.overruled, sent.requested_by) == (row.pk, Status.SENT, True, office)
    assert [message.id for message in Memory.outbox] == [row.pk]
    assert [note.status for note in sent.trail.all()] == [Status.PENDING, Status.SENDING, Status.SENT]


@pytest.mark.parametrize("reason", [Reason.NO_MOBILE, Reason.TOO_LONG, Reason.NOT_REGISTERED])
def test_nobody_overrules_what_cannot_or_may_not_be_sent(reason: str) -> None:
    row = make_message(Status.SUPPRESSED, status_reason=reason, attempts=0)
    assert refusal(row, overrule=True) == reason
    row.refresh_from_db()
    assert (row.status, row.overruled) == (Status.SUPPRESSED, False)


def test_what_failed_is_sent_again_against_a_wish_only_when_overruled() -> None:
    row = make_message(Status.FAILED)
    row.customer.sms_opt_out = True
    row.customer.save()
    assert refusal(row) == Reason.OPT_OUT
    second = queue.resend(row, overrule=True)
    assert (second.status, second.overruled, second.resend_of) == (Status.SENT, True, row)

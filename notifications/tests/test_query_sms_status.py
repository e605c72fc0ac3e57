from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError
from django.utils import timezone

from notifications import gateways
from notifications.gateways import get_gateway
from notifications.gateways.base import GatewayError, Receipt
from notifications.models import GatewayState, NotificationHistory
from notifications.states import Reason, Status
from notifications.tests.factories import make_message
from notifications.tests.told import Told

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - timedelta(hours=2)


@pytest.fixture
def run(told: type[Told], command: Any) -> Any:
    return partial(command, "query_sms_status")


def accepted(status: str, known_as: str, **fields: Any) -> NotificationHistory:
    usual = {"gateway": "told", "provider_message_id": known_as, "sent_at": LONG_AGO, "created_at": LONG_AGO}
    return make_message(status, **(usual | fields))


def fate(row: NotificationHistory, status: Status | None, **fields: Any) -> None:
    usual = {"provider_message_id": row.provider_message_id, "phone": row.recipient, "raw_status": "q"}
    Told.fates[row.provider_message_id] = Receipt(status=status, **(usual | fields))


def statuses(*rows: NotificationHistory) -> list[str]:
    return [NotificationHistory.objects.get(pk=row.pk).status for row in rows]


def test_overdue_are_settled_in_as_few_requests_as_may_be(run: Any) -> None:
    overdue, late, silent = accepted(Status.SENT, "1"), accepted(Status.SENT, "2"), accepted(Status.SENT, "3")
    fate(overdue, Status.DELIVERED)
    fate(late, Status.EXPIRED, reason=Reason.NOT_REACHED)
    code, said = run()
    assert (code, statuses(overdue, late, silent)) == (0, [Status.DELIVERED, Status.EXPIRED, Status.SENT])
    assert sorted(map(len, Told.asked)) == [1, 2]
    assert "told: delivered 1, expired 1, unchanged 1" in said
    assert "100 points left" in said


def test_what_is_final_fresh_old_or_of_another_provider_is_not_asked(run: Any) -> None:
    accepted(Status.DELIVERED, "1")
    accepted(Status.SENT, "2", sent_at=timezone.now())
    accepted(Status.SENT, "3", created_at=timezone.now() - timedelta(days=8))
    accepted(Status.UNKNOWN, "", gateway="http")
    accepted(Status.UNKNOWN, "")
    code, said = run()
    assert (code, Told.asked) == (0, [])
    assert "2 stay unknown" in said


def test_an_answer_about_another_number_changes_nothing(run: Any) -> None:
    row = accepted(Status.SENT, "1")
    fate(row, Status.DELIVERED, phone="+886999999999")
    assert "unchanged 1" in run()[1]
    assert statuses(row) == [Status.SENT]


def test_an_answer_with_an_unknown_code_is_noted_once_and_asked_again_later(run: Any) -> None:
    row = accepted(Status.SENT, "1")
    fate(row, None, reason=Reason.UNKNOWN_CODE, raw_status="700")
    assert "unchanged 1" in run()[1]
    NotificationHistory.objects.unannounced().update(ask_after=None)
    run()
    row.refresh_from_db()
    (note,) = row.trail.filter(reason=Reason.UNKNOWN_CODE)
    assert (row.status, note.raw_status, bool(row.ask_after)) == (Status.SENT, "700", True)


def test_a_dry_run_asks_nothing(run: Any) -> None:
    row = accepted(Status.SENT, "1")
    fate(row, Status.DELIVERED)
    code, said = run("--dry-run")
    assert (code, Told.asked, statuses(row)) == (0, [], [Status.SENT])
    assert f"told  {row.order}  order_confirmed  {row.masked_recipient}  sent" in said
    assert not GatewayState.objects.exists()


def test_limit_and_since_narrow(run: Any) -> None:
    old = accepted(Status.SENT, "1", created_at=LONG_AGO - timedelta(hours=1))
    accepted(Status.SENT, "2")
    run("--limit", "1")
    run("--since", "150m")
    assert Told.asked == [[old.provider_message_id], ["2"]]
    with pytest.raises(CommandError):
        run("--since", "yesterday")


@pytest.mark.parametrize(
    ("known", "now", "stopped"),
    [(3, 3, True), (3, 0, True), (3, 4, False), (None, 3, False), (None, 0, True), (900, 500, False)],
)
def test_a_channel_without_credit_is_started_by_new_credit_alone(
    run: Any, known: int | None, now: int, stopped: bool
) -> None:
    GatewayState.objects.create(gateway="told", stopped_at=LONG_AGO, balance=known)
    Told.points = Decimal(now)
    run()
    assert bool(GatewayState.objects.get().stopped_at) == stopped
    run()
    assert bool(GatewayState.objects.get().stopped_at) == stopped


def test_a_channel_that_takes_our_account_again_is_started(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    GatewayState.objects.create(gateway="told", stopped_at=LONG_AGO, stopped_because="wrong password", balance=100)

    def refuse(self: Told) -> None:
        raise GatewayError("The password is wrong.", reason=Reason.CHANNEL_STOPPED, permanent=True)

    with monkeypatch.context() as patched:
        patched.setattr(Told, "balance", refuse)
        run()
    assert GatewayState.objects.get().stopped_at
    run()
    assert GatewayState.objects.get().stopped_at is None


def test_an_account_that_was_mended_before_anybody_asked_is_started(run: Any) -> None:
    run()
    gateways.stop(get_gateway(), "e: wrong password", Reason.CHANNEL_STOPPED)
    run()
    assert GatewayState.objects.get().stopped_at is None


def test_what_a_channel_without_credit_had_is_remembered(run: Any) -> None:
    run()
    gateways.stop(get_gateway(), "s: the account could not be charged", Reason.NO_CREDIT)
    run()
    assert GatewayState.objects.get().stopped_at


def test_what_stays_overdue_is_asked_less_and_less_often(run: Any) -> None:
    fate(accepted(Status.SENT, "1"), Status.SENT)
    asked = []
    for minutes in range(0, 48 * 60, 10):
        with time_machine.travel(LONG_AGO + timedelta(minutes=minutes), tick=False):
            before = len(Told.asked)
            run()
            asked += [minutes] * (len(Told.asked) > before)
    assert asked == [70, 140, 280, 560, 1120, 2240]


@pytest.mark.parametrize(("points", "stopped"), [(Decimal(5), False), (Decimal(0), True), (None, True)])
def test_a_good_balance_starts_a_stopped_channel_again(run: Any, points: Decimal | None, stopped: bool) -> None:
    GatewayState.objects.create(gateway="told", stopped_at=LONG_AGO, stopped_because="no credit")
    Told.points = points
    row = accepted(Status.SENT, "1")
    fate(row, Status.DELIVERED)
    code, said = run()
    # Whatever the balance: what became of messages was asked.
    assert statuses(row) == [Status.DELIVERED]
    state = GatewayState.objects.get()
    assert (code, bool(state.stopped_at), state.balance) == (points is None, stopped, points)
    assert ("did not answer: No connection" in said) == (points is None)

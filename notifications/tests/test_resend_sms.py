from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError
from django.utils import timezone

from luckygas.testing.waiting import wait_for
from notifications.gateways.local import Memory
from notifications.management.batch import moment
from notifications.models import NotificationHistory
from notifications.states import Kind, Status
from notifications.tests import child
from notifications.tests import provider as doing
from notifications.tests.factories import make_message, make_quiet_order
from notifications.tests.provider import Provider, says, slow
from orders.states import Status as OrderStatus
from orders.tests.factories import make_customer, make_order

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = timezone.now() - timedelta(hours=1)


@pytest.fixture
def run(command: Any) -> Any:
    return partial(command, "resend_sms")


def test_each_option_takes_its_own(run: Any) -> None:
    for status in Status:
        make_message(status, claimed_at=LONG_AGO, gateway="memory")
    assert run("--failed") == (0, "sent 1, failed 0, unknown 0")
    assert run("--unknown") == (0, "sent 1, failed 0, unknown 0")
    # One was pending and is sent; one was half sent, and nobody knows.
    assert run("--stuck") == (1, "sent 1, failed 0, unknown 1")
    assert len(Memory.outbox) == 3


def test_what_was_sent_again_is_not_taken_twice(run: Any) -> None:
    make_message(Status.FAILED)
    assert run("--failed") == (0, "sent 1, failed 0, unknown 0")
    assert run("--failed") == (0, "sent 0, failed 0, unknown 0")


def test_a_failure_is_exit_code_1(run: Any, provider: Provider) -> None:
    provider.behave(says(400))
    make_message(Status.FAILED)
    assert run("--failed") == (1, "sent 0, failed 1, unknown 0")


def test_a_fault_of_ours_is_exit_code_1_and_the_rest_goes_on(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, fine = make_message(), make_message()
    real = NotificationHistory.render

    def render(row: NotificationHistory) -> str:
        if row == broken:
            raise KeyError("a fault of ours")
        return real(row)

    monkeypatch.setattr(NotificationHistory, "render", render)
    assert run("--stuck") == (1, "sent 1, failed 0, unknown 0, broken 1")
    assert [message.id for message in Memory.outbox] == [fine.pk]


def test_what_is_no_longer_true_is_counted_and_no_failure(run: Any) -> None:
    make_message(Status.FAILED, order=make_quiet_order(OrderStatus.DELIVERED))
    assert run("--failed") == (0, "sent 0, failed 0, unknown 0, overtaken 1")


def test_since_order_kind_and_limit_narrow(run: Any) -> None:
    old, new = make_message(Status.FAILED, created_at=LONG_AGO), make_message(Status.FAILED)
    assert run("--failed", "--since", "30m", "--order", str(old.order_id))[1].startswith("sent 0")
    assert run("--failed", "--kind", Kind.ORDER_DELIVERED)[1].startswith("sent 0")
    assert run("--failed", "--limit", "1")[1].startswith("sent 1")
    assert [row.pk for row in NotificationHistory.objects.filter(resent_as=None, status="failed")] == [new.pk]
    assert run("--failed", "--since", "2h", "--order", str(new.order), "--kind", new.kind)[1].startswith("sent 1")


@pytest.mark.parametrize(
    "wrong",
    [["--since", "yesterday"], ["--since", "0001-01-01"], ["--since", "2026-02-30"], ["--order", "0000-0001"],
     ["--order", "x"], ["--order", "9" * 30], ["--kind", "birthday"], ["--limit", "0"], ["--limit", "-1"],
     ["--limit", "many"], []],
)  # fmt: skip
def test_a_wrong_value_is_said_and_nothing_is_sent(run: Any, wrong: list[str]) -> None:
    make_message(Status.FAILED)
    with pytest.raises(CommandError):
        run(*["--failed"] * bool(wrong), *wrong)
    assert Memory.outbox == []


def test_times_are_taipeis_where_they_name_no_zone() -> None:
    assert moment("2026-11-23").astimezone(UTC) == datetime(2026, 11, 22, 16, tzinfo=UTC)
    assert moment("2026-11-23T08:00").astimezone(UTC) == datetime(2026, 11, 23, 0, tzinfo=UTC)
    assert moment("2026-11-23T08:00Z") == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert abs(moment("2d") - (timezone.now() - timedelta(days=2))) < timedelta(seconds=5)


def test_a_dry_run_says_what_it_would_cost_and_changes_nothing(run: Any) -> None:
    row = make_message(Status.FAILED, order=make_quiet_order(customer=make_customer(phone="0912-345-678")))
    make_message(Status.FAILED, order=make_quiet_order(OrderStatus.DELIVERED))
    before = list(NotificationHistory.objects.order_by("pk").values())
    code, said = run("--failed", "--dry-run")
    lines = said.splitlines()
    assert (code, len(lines)) == (0, 3)
    assert str(row.order) in lines[0]
    assert "0912-***-678" in lines[0]
    assert "overtaken" in lines[1]
    assert lines[2].startswith("2 ")
    assert lines[2].count("1") == 2
    assert list(NotificationHistory.objects.order_by("pk").values()) == before
    assert Memory.outbox == []


def test_a_process_ends_while_its_provider_hangs(provider: Provider, settings: Any) -> None:
    settings.SMS_TIMEOUT_SECONDS, settings.SMS_WAIT_SECONDS = 30, 0.2
    provider.behave(doing.hangs)
    process = child.confirming(make_order().pk)
    wait_for(lambda: bool(provider.asked))
    code, _ = child.end(process)
    assert code == 0
    assert NotificationHistory.objects.get().status == Status.SENDING


@pytest.mark.parametrize(
    "status",
    [Status.PENDING, *(pytest.param(status, marks=pytest.mark.long) for status in (Status.FAILED, Status.UNKNOWN))],
)
def test_two_at_once_never_send_one_row_twice(provider: Provider, status: str) -> None:
    provider.behave(slow(0.05))
    rows = [make_message(status, gateway="http" if n % 2 else "console") for n in range(20)]
    arguments = ["manage.py", "resend_sms", "--failed", "--stuck", "--unknown"]
    ended = [child.end(process) for process in [child.start(*arguments) for _ in range(2)]]
    assert [code for code, _ in ended] == [0, 0], ended
    assert len(provider.asked) == len(rows)
    assert len({asked.headers["Idempotency-Key"] for asked in provider.asked}) == len(rows)
    assert NotificationHistory.objects.filter(status=Status.SENT).count() == len(rows)

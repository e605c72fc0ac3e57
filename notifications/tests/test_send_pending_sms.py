from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from notifications import batch
from notifications.gateways.memory import Memory
from notifications.models import NotificationHistory
from notifications.states import Reason, Status
from notifications.tests import child
from notifications.tests import provider as doing
from notifications.tests.factories import make_message
from notifications.tests.provider import Provider, says, slow
from orders.models import Order
from orders.states import Status as OrderStatus
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = timezone.now() - timedelta(hours=1)
Rows = NotificationHistory.objects
SENT_ONE = "sent 1, failed 0, unknown 0"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command once; returns its exit code and what it said."""

    def run(*arguments: str) -> tuple[int, str]:
        try:
            call_command("send_pending_sms", *arguments)
        except SystemExit as ended:
            return int(ended.code or 0), capsys.readouterr().out.strip()
        return 0, capsys.readouterr().out.strip()

    return run


@pytest.fixture
def looping(provider: Provider) -> Iterator[subprocess.Popen[str]]:
    """The service, as a process."""
    process = child.start("manage.py", "send_pending_sms", "--loop")
    yield process
    process.kill()
    process.communicate()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def all_sent() -> bool:
    return not Rows.exclude(status=Status.SENT).exists()


def test_what_is_due_is_sent_and_the_rest_is_left(run: Any) -> None:
    due = [make_message(), make_message(send_after=LONG_AGO)]
    make_message(send_after=timezone.now() + timedelta(hours=1))
    make_message(Status.UNKNOWN)
    make_message(Status.FAILED)
    assert run() == (0, "sent 2, failed 0, unknown 0")
    assert {message.id for message in Memory.outbox} == {row.pk for row in due}


def test_a_limit_takes_the_oldest(run: Any) -> None:
    make_message()
    old = make_message(created_at=LONG_AGO)
    assert run("--limit", "1") == (0, SENT_ONE)
    assert [message.id for message in Memory.outbox] == [old.pk]


def test_a_failure_is_exit_code_1(run: Any, provider: Provider) -> None:
    provider.behave(says(500))
    make_message()
    assert run() == (1, "sent 0, failed 1, unknown 0")


def test_a_sending_that_died_is_settled_by_what_the_provider_allows(run: Any, provider: Provider) -> None:
    once = make_message(Status.SENDING, claimed_at=LONG_AGO, gateway="http")
    other = make_message(Status.SENDING, claimed_at=LONG_AGO, gateway="console")
    make_message(Status.SENDING, claimed_at=timezone.now(), gateway="http")
    assert run() == (1, "sent 1, failed 0, unknown 1")
    assert [asked.headers["Idempotency-Key"] for asked in provider.asked] == [str(once.pk)]
    other.refresh_from_db()
    assert (other.status, other.status_reason) == (Status.UNKNOWN, Reason.INTERRUPTED)


def test_no_more_is_begun_once_it_is_told_to_stop() -> None:
    rows = [make_message() for _ in range(3)]
    told = iter([False, True])
    assert [row for row, _ in batch.send_all(rows, lambda: next(told))] == rows[:1]
    assert len(Memory.outbox) == 1


def test_the_service_sends_and_at_sigterm_finishes_what_is_under_way(
    looping: subprocess.Popen[str], provider: Provider
) -> None:
    provider.behave(doing.ACCEPTS)
    make_message(created_at=LONG_AGO)
    wait_for(all_sent)
    provider.behave(slow(0.5))
    row = make_message(created_at=LONG_AGO)
    fresh = make_message(created_at=timezone.now() + timedelta(hours=1))
    wait_for(lambda: len(provider.asked) == 2)
    looping.send_signal(signal.SIGTERM)
    code, said = child.end(looping)
    assert (code, Rows.get(pk=row.pk).status, Rows.get(pk=fresh.pk).status) == (0, Status.SENT, Status.PENDING), said
    assert said.count(SENT_ONE) == 2


def test_two_at_once_send_all_and_nothing_twice(provider: Provider) -> None:
    provider.behave(slow(0.05))
    rows = [make_message() for _ in range(40)]
    processes = [child.start("manage.py", "send_pending_sms") for _ in range(2)]
    ended = [child.end(process) for process in processes]
    assert [code for code, _ in ended] == [0, 0], ended
    keys = [asked.headers["Idempotency-Key"] for asked in provider.asked]
    assert (len(keys), len(set(keys)), all_sent()) == (len(rows), len(rows), True)


KILL = "os.kill(os.getpid(), signal.SIGKILL)"
AT = {
    "after_the_commit": f"sender.submit = lambda row: {KILL}",
    "after_the_claim": f"sender._send = lambda *args: {KILL}",
    "after_the_wire": f"real = sender._send; sender._send = lambda *args: (real(*args), {KILL})",
    "before_the_outcome": f"sender._keep = lambda *args: {KILL}",
    "before_the_receipt": f"real = sender._keep; sender._keep = lambda *args: (real(*args), {KILL})",
}


@pytest.mark.parametrize("step", AT)
def test_killed_at_any_step_the_truth_can_still_be_reached(run: Any, provider: Provider, step: str) -> None:
    order = make_order()
    code, said = child.end(child.confirming(order.pk, "import signal; " + AT[step]))
    assert (code, said) == (-signal.SIGKILL, "")
    assert Order.objects.get(pk=order.pk).status == OrderStatus.CONFIRMED
    row = Rows.get(order=order)
    left = {"after_the_commit": Status.PENDING, "before_the_receipt": Status.SENT}.get(step, Status.SENDING)
    assert row.status == left
    Rows.filter(status=Status.SENDING).update(claimed_at=LONG_AGO)
    assert run()[0] == 0
    row.refresh_from_db()
    assert (row.status, row.provider_message_id) == (Status.SENT, "m-1")
    # The provider knows the key: what it is given twice it sends once.
    assert {asked.headers["Idempotency-Key"] for asked in provider.asked} == {str(row.pk)}
    assert len(provider.asked) == (2 if step in ("after_the_wire", "before_the_outcome") else 1)

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from luckygas.testing.waiting import wait_for
from notifications.gateways.local import Memory
from notifications.management import batch
from notifications.management.commands.send_pending_sms import NICENESS, Service, lower_priority
from notifications.models import GatewayState, NotificationHistory
from notifications.states import MessageStatus, Reason
from notifications.tests import child
from notifications.tests import provider as behaviours
from notifications.tests.factories import make_message
from notifications.tests.provider import Provider, answers, slow

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = timezone.now() - timedelta(hours=1)
Rows = NotificationHistory.objects
SENT_ONE = "sent 1, failed 0, unknown 0"


@pytest.fixture
def run(command: Any) -> Any:
    return partial(command, "send_pending_sms")


@pytest.fixture
def service_process(provider: Provider) -> Iterator[subprocess.Popen[str]]:
    """Runs the service as a process."""
    process = child.start("manage.py", "send_pending_sms", "--loop")
    yield process
    process.kill()
    process.communicate()


def all_sent() -> bool:
    return not Rows.exclude(status=MessageStatus.SENT).exists()


def test_only_due_messages_are_sent(run: Any) -> None:
    due = [make_message(), make_message(send_after=LONG_AGO)]
    make_message(send_after=timezone.now() + timedelta(hours=1))
    make_message(MessageStatus.UNKNOWN)
    make_message(MessageStatus.FAILED)
    assert run() == (0, "sent 2, failed 0, unknown 0")
    assert {message.id for message in Memory.outbox} == {row.pk for row in due}


def test_limit_selects_the_oldest(run: Any) -> None:
    make_message()
    old = make_message(created_at=LONG_AGO)
    assert run("--limit", "1") == (0, SENT_ONE)
    assert [message.id for message in Memory.outbox] == [old.pk]


def test_failure_is_exit_code_1(run: Any, provider: Provider) -> None:
    provider.behave(answers(400))
    make_message()
    assert run() == (1, "sent 0, failed 1, unknown 0")


def test_waiting_for_gateway_or_morning_is_no_failure(run: Any, settings: Any) -> None:
    GatewayState.objects.create(gateway=settings.SMS_GATEWAY, stopped_at=LONG_AGO)
    make_message()
    assert run() == (0, "sent 0, failed 0, unknown 0, left 1")
    settings.SMS_QUIET_HOURS = "00:00-23:59"
    assert run() == (0, "sent 0, failed 0, unknown 0, pending 1")


def test_interrupted_sending_is_retried_only_if_idempotent(run: Any, provider: Provider) -> None:
    once = make_message(MessageStatus.SENDING, claimed_at=LONG_AGO, gateway="http")
    other = make_message(MessageStatus.SENDING, claimed_at=LONG_AGO, gateway="console")
    make_message(MessageStatus.SENDING, claimed_at=timezone.now(), gateway="http")
    assert run() == (1, "sent 1, failed 0, unknown 1")
    assert [request.headers["Idempotency-Key"] for request in provider.requests] == [str(once.pk)]
    other.refresh_from_db()
    assert (other.status, other.status_reason) == (MessageStatus.UNKNOWN, Reason.INTERRUPTED)


def test_no_sending_starts_after_stop() -> None:
    rows = [make_message() for _ in range(3)]
    stopped = chain([False], repeat(True))
    # The first message may have been sent before the stop.
    sent = [row for row, _ in batch.send_all(rows, lambda: next(stopped))]
    assert sent in ([], rows[:1])
    assert [message.id for message in Memory.outbox] == [row.pk for row in sent]
    assert Rows.filter(status=MessageStatus.PENDING).count() == 3 - len(sent)


def test_service_finishes_sendings_at_sigterm(service_process: subprocess.Popen[str], provider: Provider) -> None:
    provider.behave(behaviours.ACCEPTS)
    make_message(created_at=LONG_AGO)
    wait_for(all_sent)
    provider.behave(slow(0.5))
    row = make_message(created_at=LONG_AGO)
    fresh = make_message(created_at=timezone.now() + timedelta(hours=1))
    wait_for(lambda: len(provider.requests) == 2)
    # Servers on the same machine come first.
    assert os.getpriority(os.PRIO_PROCESS, service_process.pid) == NICENESS
    service_process.send_signal(signal.SIGTERM)
    code, output = child.end(service_process)
    assert (code, Rows.get(pk=row.pk).status, Rows.get(pk=fresh.pk).status) == (
        0,
        MessageStatus.SENT,
        MessageStatus.PENDING,
    ), output
    assert output.count(SENT_ONE) == 2


def test_skipped_messages_are_retried_after_gateway_start(settings: Any) -> None:
    service = Service(threading.Event(), 10)
    state = GatewayState.objects.create(gateway=settings.SMS_GATEWAY, stopped_at=LONG_AGO)
    make_message(created_at=LONG_AGO)
    assert (service.round(), service.round()) == (1, 0)
    GatewayState.objects.filter(pk=state.pk).update(stopped_at=None)
    assert (service.round(), all_sent()) == (1, True)


class StopAfterFirstRound(threading.Event):
    """Stops the service where it would wait for its next round."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def test_failing_metrics_do_not_stop_sending(settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "file"
    file.touch()
    settings.PROMETHEUS_MULTIPROC_DIR = str(file)
    make_message(created_at=LONG_AGO)
    Service(StopAfterFirstRound(), 10).run()
    assert all_sent()
    assert "NotADirectoryError" in caplog.text


def test_low_priority_is_not_lowered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[int] = []
    monkeypatch.setattr(os, "nice", changes.append)
    monkeypatch.setattr(os, "getpriority", lambda *process: NICENESS)
    lower_priority()
    assert changes == []

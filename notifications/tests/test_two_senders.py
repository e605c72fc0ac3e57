"""Two `send_pending_sms` processes at the same time, each with its own API key, and the connections of one process."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from luckygas.testing.waiting import wait_for
from notifications.models import NotificationHistory
from notifications.states import MessageStatus
from notifications.tests import child
from notifications.tests.factories import make_message
from notifications.tests.provider import ACCEPTS, Behaviour, Handler, Provider, answers

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]
LONG_AGO = timezone.now() - timedelta(hours=1)
Rows = NotificationHistory.objects
Start = Callable[..., list[subprocess.Popen[str]]]


@pytest.fixture
def start_two() -> Iterator[Start]:
    """A function that starts a command twice, with different API keys. It returns both processes."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> list[subprocess.Popen[str]]:
        processes.extend(child.start("manage.py", *arguments, SMS_API_KEY=f"key-{n}") for n in range(2))
        return processes

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def gate(provider: Provider, settings: Any) -> threading.Event:
    """The provider reads requests, but answers only once this event is set."""
    settings.SMS_TIMEOUT_SECONDS, gate = 30, threading.Event()

    def behave(handler: Handler) -> None:
        gate.wait(30)
        handler.pause(0.05)
        ACCEPTS(handler)

    provider.behave(behave)
    return gate


def shares(provider: Provider) -> Counter[str]:
    """Counts requests by process, that is by API key."""
    return Counter(request.headers["Authorization"] for request in list(provider.requests))


def keys(provider: Provider) -> list[str]:
    return [request.headers["Idempotency-Key"] for request in provider.requests]


def statuses() -> Counter[str]:
    return Counter(Rows.values_list("status", flat=True))


def test_two_processes_share_the_work_and_send_nothing_twice(
    provider: Provider, gate: threading.Event, start_two: Start, settings: Any
) -> None:
    rows = [make_message() for _ in range(settings.SMS_WORKERS * 3)]
    # Until the gate opens, a process cannot get beyond its first SMS_WORKERS messages. So the other finds some, however
    # late it starts.
    processes = start_two("send_pending_sms")
    wait_for(lambda: len(shares(provider)) == 2)
    gate.set()
    results = [child.end(process) for process in processes]
    assert [code for code, _ in results] == [0, 0], results
    assert (len(keys(provider)), set(keys(provider))) == (len(rows), {str(row.pk) for row in rows})
    assert statuses() == {MessageStatus.SENT: len(rows)}
    for number, (_, output) in enumerate(results):
        assert f"sent {shares(provider)[f'Bearer key-{number}']}, failed 0, unknown 0" in output


@pytest.mark.long
def test_sigterm_finishes_started_sendings_and_loses_nothing(
    provider: Provider, gate: threading.Event, start_two: Start, settings: Any
) -> None:
    rows = [make_message(created_at=LONG_AGO) for _ in range(settings.SMS_WORKERS * 6)]
    services = start_two("send_pending_sms", "--loop")
    wait_for(lambda: len(provider.requests) == settings.SMS_WORKERS * 2)
    for service in services:
        service.send_signal(signal.SIGTERM)
    gate.set()
    results = [child.end(service) for service in services]
    assert [code for code, _ in results] == [0, 0], results
    sent = len(keys(provider))
    assert (len(set(keys(provider))), len(shares(provider))) == (sent, 2)
    # Started sendings are finished. A sender may have started its next one before the signal arrived.
    assert sent <= settings.SMS_WORKERS * 4
    assert statuses() == {MessageStatus.SENT: sent, MessageStatus.PENDING: len(rows) - sent}


class ConnectionCounter:
    """Answers requests only after `allowed` of them were open at once, and after a pause in which more may come.

    `max_open`: the largest number of requests that were open at once.
    """

    def __init__(self, allowed: int, answer: Behaviour) -> None:
        self.allowed, self.answer = allowed, answer
        self.open = self.max_open = 0
        self.lock, self.full = threading.Lock(), threading.Event()

    def __call__(self, handler: Handler) -> None:
        with self.lock:
            self.open += 1
            self.max_open = max(self.max_open, self.open)
        if self.max_open >= self.allowed:
            self.full.set()
        self.full.wait(20)
        handler.pause(0.3)
        with self.lock:
            self.open -= 1
        self.answer(handler)


@pytest.mark.long
@pytest.mark.parametrize(("first", "fallback"), [("mitake", ""), ("every8d", "mitake")])
def test_no_more_connections_are_open_than_the_provider_allows(
    provider: Provider, settings: Any, first: str, fallback: str
) -> None:
    settings.SMS_GATEWAY, settings.SMS_FALLBACK_GATEWAY = first, fallback
    settings.SMS_WORKERS, settings.SMS_TIMEOUT_SECONDS = 30, 20
    settings.MITAKE_URL, settings.EVERY8D_URL = provider.url, "http://127.0.0.1:9/"
    settings.MITAKE_USERNAME = settings.EVERY8D_UID = settings.MITAKE_PASSWORD = settings.EVERY8D_PASSWORD = "x"
    counter = ConnectionCounter(15, answers(200, "[1]\r\nmsgid=1\r\nstatuscode=1\r\nAccountPoint=9\r\n"))
    provider.behave(counter)
    for _ in range(40):
        make_message()
    code, output = child.end(child.start("manage.py", "send_pending_sms"))
    assert (code, "sent 40" in output, counter.max_open) == (0, True, 15), output

"""`send_pending_sms --loop` survives a real restart of PostgreSQL while a message is being sent."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from luckygas.testing.sandbox.faults import FaultKind, SandboxFault
from luckygas.testing.sandbox.server import Sandbox
from luckygas.testing.servers import KILLABLE, Postgres
from luckygas.testing.site import ROOT, environment, manage
from luckygas.testing.waiting import wait_for
from notifications.tests.on_sandbox import sandbox_settings

pytestmark = [pytest.mark.long, pytest.mark.servers]
# One message that is due, and one that is postponed.
CREATE_MESSAGES = """
from datetime import timedelta
from django.utils import timezone
from notifications.tests.factories import make_message
from luckygas.testing.waiting import wait_for
now = timezone.now()
make_message(created_at=now - timedelta(hours=1))
make_message(send_after=now + timedelta(hours=1))
"""


class PendingMessages:
    """Two pending messages in a separate PostgreSQL."""

    def __init__(self, postgres: Postgres, sandbox: Sandbox) -> None:
        self.postgres, self.sandbox = postgres, sandbox
        # EVERY8D is not idempotent, so a message that is sent twice would arrive twice.
        settings = sandbox_settings(sandbox, "every8d") | {"SMS_TIMEOUT_SECONDS": 20, "DATABASE_URL": postgres.url}
        self.variables = {name: str(value) for name, value in settings.items()}

    def create(self) -> None:
        manage("shell", "-v", "0", "-c", CREATE_MESSAGES, **self.variables)

    def make_due(self) -> None:
        """Makes the postponed message due."""
        with psycopg.connect(self.postgres.url) as database:
            database.execute("UPDATE notification_history SET send_after = now() WHERE status = 'pending'")

    def rows(self) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url) as database:
            return database.execute(
                "SELECT status, attempts FROM notification_history ORDER BY created_at, id"
            ).fetchall()

    def count_sent(self) -> int:
        return len(self.sandbox.operator.telephones.all())

    @contextmanager
    def service(self, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "send_pending_sms", "--loop"],
                cwd=ROOT, env=environment(**self.variables), stdout=output, stderr=output,
            )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            print(log.read_text())


@pytest.fixture
def messages(sandbox: Sandbox) -> Iterator[PendingMessages]:
    postgres = Postgres(KILLABLE)
    try:
        postgres.start()
        messages = PendingMessages(postgres, sandbox)
        manage("migrate", "--verbosity", "0", **messages.variables)
        messages.create()
        yield messages
    finally:
        postgres.stop()


def test_service_survives_a_database_restart(messages: PendingMessages, tmp_path: Path) -> None:
    """Two processes run. One waits for the slow provider, the other queries for pending messages."""
    messages.sandbox.operator.faults.set(SandboxFault(FaultKind.SLOW, times=1, seconds=1))
    logs = [tmp_path / "one", tmp_path / "other"]
    with messages.service(logs[0]) as one, messages.service(logs[1]) as other:
        wait_for(lambda: messages.count_sent() == 1)
        messages.postgres.kill(signal.SIGQUIT)
        wait_for(lambda: any("The database does not answer" in log.read_text() for log in logs))
        messages.postgres.start()
        wait_for(lambda: messages.rows() == [("sent", 1), ("pending", 0)])
        messages.make_due()
        wait_for(lambda: messages.rows() == [("sent", 1)] * 2)
        assert messages.count_sent() == 2
        for service in (one, other):
            service.send_signal(signal.SIGTERM)
        assert [service.wait(20) for service in (one, other)] == [0, 0]

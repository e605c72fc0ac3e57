from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import translation

from notifications import sender
from notifications.gateways import base
from notifications.gateways.local import Memory
from notifications.tests.provider import FakeGateway, Provider


@pytest.fixture(autouse=True)
def empty_outbox() -> None:
    Memory.outbox.clear()


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """A function that runs a management command in English. It returns the exit code and all output."""

    def run(*arguments: str) -> tuple[int, str]:
        code = 0
        try:
            with translation.override("en"):
                call_command(*arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        output = capsys.readouterr()
        return code, (output.out + output.err).strip()

    return run


@pytest.fixture
def fake_provider(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that accepts by default. The `http` gateway sends to it, with short pauses between retries."""
    monkeypatch.setattr(base, "PAUSE_SECONDS", 0.01)
    running = Provider()
    settings.SMS_GATEWAY, settings.SMS_PROVIDER_URL, settings.SMS_API_KEY = "http", running.url, "top-secret"
    settings.SMS_TIMEOUT_SECONDS = 1
    yield running
    running.stop()


@pytest.fixture
def fake_gateway(settings: Any) -> type[FakeGateway]:
    """Uses FakeGateway, named `fake`, with the callback secret `s3cret`. Returns the class, with its answers reset."""
    settings.SMS_GATEWAYS = settings.SMS_GATEWAYS | {"fake": "notifications.tests.provider.FakeGateway"}
    settings.SMS_GATEWAY, settings.SMS_CALLBACK_SECRET = "fake", "s3cret"
    FakeGateway.receipts, FakeGateway.points, FakeGateway.queries = {}, Decimal(100), []
    return FakeGateway


@pytest.fixture
def provider(transactional_db: None, fake_provider: Provider) -> Iterator[Provider]:
    """Like `fake_provider`, for tests that commit. No sending outlives the test."""
    yield fake_provider
    fake_provider.is_over.set()
    assert sender.pool().drain(20)

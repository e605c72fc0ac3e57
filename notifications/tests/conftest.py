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
from notifications.tests.provider import Provider, Told


@pytest.fixture(autouse=True)
def empty_outbox() -> None:
    Memory.outbox.clear()


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs a command in English. Returns its exit code and output."""

    def run(*arguments: str) -> tuple[int, str]:
        code = 0
        try:
            with translation.override("en"):
                call_command(*arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, (said.out + said.err).strip()

    return run


@pytest.fixture
def fake_provider(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that accepts by default, and the `http` gateway on it with short retries."""
    monkeypatch.setattr(base, "PAUSE_SECONDS", 0.01)
    made = Provider()
    settings.SMS_GATEWAY, settings.SMS_PROVIDER_URL, settings.SMS_API_KEY = "http", made.url, "top-secret"
    settings.SMS_TIMEOUT_SECONDS = 1
    yield made
    made.stop()


@pytest.fixture
def told(settings: Any) -> type[Told]:
    """Uses the gateway `told` with the callback secret `s3cret`."""
    settings.SMS_GATEWAYS = settings.SMS_GATEWAYS | {"told": "notifications.tests.provider.Told"}
    settings.SMS_GATEWAY, settings.SMS_CALLBACK_SECRET = "told", "s3cret"
    Told.fates, Told.points, Told.asked = {}, Decimal(100), []
    return Told


@pytest.fixture
def provider(transactional_db: None, fake_provider: Provider) -> Iterator[Provider]:
    """Like `fake_provider`, for tests that commit. No sending outlives the test."""
    yield fake_provider
    fake_provider.over.set()
    assert sender.pool().drain(20)

"""What every gateway keeps to, whoever the provider."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from notifications.gateways import get_gateway
from notifications.gateways.base import Accepted, Gateway, Health, Message
from notifications.gateways.memory import Memory
from notifications.tests.provider import Provider

PHONE, TEXT = "+886912345678", "【幸福氣】您的瓦斯 🔥"


@pytest.fixture(params=["console", "memory", "http"])
def gateway(request: pytest.FixtureRequest, fake_provider: Provider, settings: Any) -> Gateway:
    settings.SMS_GATEWAY = request.param
    return get_gateway()


def test_it_accepts_a_message(gateway: Gateway) -> None:
    accepted = gateway.send(Message(uuid.uuid4(), PHONE, TEXT))
    assert isinstance(accepted, Accepted)
    assert accepted.raw_status


def test_it_is_well(gateway: Gateway) -> None:
    assert gateway.health().reachable
    assert isinstance(gateway.health(), Health)


def test_it_logs_neither_number_nor_text(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.send(Message(uuid.uuid4(), PHONE, TEXT))
    seen = caplog.text + "".join(capsys.readouterr())
    assert "912345678" not in seen.replace("-", "")
    assert "top-secret" not in seen


def test_it_has_the_name_of_the_setting(gateway: Gateway, settings: Any) -> None:
    assert gateway.name == settings.SMS_GATEWAY


def test_memory_keeps_it(fake_provider: Provider, settings: Any) -> None:
    settings.SMS_GATEWAY = "memory"
    message = Message(uuid.uuid4(), PHONE, TEXT)
    get_gateway().send(message)
    assert Memory.outbox == [message]


def test_console_prints_it(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SMS_GATEWAY = "console"
    get_gateway().send(Message(uuid.uuid4(), PHONE, TEXT))
    assert capsys.readouterr().out == f"── SMS 0912-***-678 (1) ──\n{TEXT}\n"

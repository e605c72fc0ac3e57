"""What every gateway keeps to, whoever the provider."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from luckygas import settings as settings_of_the_project
from notifications.gateways import get_gateway
from notifications.gateways.base import Gateway, Message
from notifications.gateways.local import Memory
from notifications.states import Reason
from notifications.tests import provider as doing
from notifications.tests.provider import Provider, error, says

PHONE, TEXT = "+886912345678", "【幸福氣】您的瓦斯 🔥"
MESSAGE = Message(uuid.uuid4(), PHONE, TEXT)


# What each says when it accepts.
YES = {
    "http": '{"message_id": "m-1"}',
    "mitake": "[1]\r\nmsgid=1\r\nstatuscode=1\r\nAccountPoint=9\r\n",
    "every8d": "1230.00,1,1.00,0,220478cc-8506-49b2-93b7-2505f651c12e",
}


@pytest.fixture(params=settings_of_the_project.SMS_GATEWAYS)
def gateway(request: pytest.FixtureRequest, fake_provider: Provider, settings: Any) -> Gateway:
    return on(request.param, fake_provider, settings)


@pytest.fixture(params=YES)
def remote(request: pytest.FixtureRequest, fake_provider: Provider, settings: Any) -> Gateway:
    """Those behind a network."""
    settings.SMS_TIMEOUT_SECONDS = 0.4
    return on(request.param, fake_provider, settings)


def on(name: str, provider: Provider, settings: Any) -> Gateway:
    settings.SMS_GATEWAY, settings.MITAKE_URL, settings.EVERY8D_URL = name, provider.url, provider.url
    settings.MITAKE_USERNAME = settings.EVERY8D_UID = "top-secret-name"
    settings.MITAKE_PASSWORD = settings.EVERY8D_PASSWORD = "top-secret"
    sends = says(200, YES.get(name, ""))
    # The balance of EVERY8D is a bare number; the others read it out of what they are told anyway.
    provider.behave(lambda handler: (says(200, "9.00") if "getCredit" in handler.path else sends)(handler))
    return get_gateway()


def test_a_connection_never_made_is_certain(remote: Gateway, fake_provider: Provider) -> None:
    fake_provider.stop()
    assert error(remote, MESSAGE).reason == Reason.UNREACHABLE
    assert not remote.health().reachable


@pytest.mark.parametrize("silence", [doing.hangs, doing.hangs_up, doing.drips_status])
def test_no_answer_is_repeated_only_where_that_is_safe(remote: Gateway, fake_provider: Provider, silence: Any) -> None:
    fake_provider.behave(silence)
    assert error(remote, MESSAGE).reason == Reason.NO_ANSWER
    assert len(fake_provider.asked) == 1 + remote.idempotent


def test_what_is_no_answer_of_theirs_breaks_nothing(remote: Gateway, fake_provider: Provider) -> None:
    said = f"<html>top-secret {PHONE} 0912-345-678</html>"
    for answer in (says(500, said), says(502, b"\xff\x00" * 9), says(500, "x" * 10_000_000), says(500)):
        fake_provider.behave(answer)
        failed = error(remote, MESSAGE)
        assert failed.reason in (Reason.NO_ANSWER, Reason.REFUSED)
        shown = remote.clean(str(failed), PHONE)
        assert len(shown) <= 500
        assert not re.search("top-secret|912.?345.?678", shown + failed.raw_status)


def test_it_is_well_accepts_a_message_and_logs_neither_number_nor_text(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gateway.send(MESSAGE).raw_status
    assert gateway.health().reachable
    seen = caplog.text + "".join(capsys.readouterr())
    assert "912345678" not in seen.replace("-", "")
    assert "top-secret" not in seen


def test_memory_keeps_it(fake_provider: Provider, settings: Any) -> None:
    settings.SMS_GATEWAY = "memory"
    get_gateway().send(MESSAGE)
    assert Memory.outbox == [MESSAGE]


def test_console_prints_it(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SMS_GATEWAY = "console"
    get_gateway().send(MESSAGE)
    assert capsys.readouterr().out == f"── SMS 0912-***-678 (1) ──\n{TEXT}\n"

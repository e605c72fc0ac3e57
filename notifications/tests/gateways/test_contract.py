"""What every gateway must do, and what the base class does for it."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from luckygas import settings as settings_of_the_project
from notifications.gateways import base, get_gateway
from notifications.gateways.base import Accepted, Gateway, GatewayError, Message
from notifications.gateways.form_gateway import parse_time
from notifications.gateways.local import Memory
from notifications.states import Reason
from notifications.tests import provider as behaviours
from notifications.tests.provider import Provider, answers, sending_error

PHONE, TEXT = "+886912345678", "【幸福氣】您的瓦斯 🔥"
MESSAGE = Message(uuid.uuid4(), PHONE, TEXT)


# Answers that accept a message.
ACCEPTING = {
    "http": '{"message_id": "m-1"}',
    "mitake": "[1]\r\nmsgid=1\r\nstatuscode=1\r\nAccountPoint=9\r\n",
    "every8d": "1230.00,1,1.00,0,220478cc-8506-49b2-93b7-2505f651c12e",
}


@pytest.fixture(params=settings_of_the_project.SMS_GATEWAYS)
def gateway(request: pytest.FixtureRequest, fake_provider: Provider, settings: Any) -> Gateway:
    return use_gateway(request.param, fake_provider, settings)


@pytest.fixture(params=ACCEPTING)
def remote(request: pytest.FixtureRequest, fake_provider: Provider, settings: Any) -> Gateway:
    """Each gateway that makes requests. They go to a test server that accepts every message."""
    settings.SMS_TIMEOUT_SECONDS = 0.4
    return use_gateway(request.param, fake_provider, settings)


def use_gateway(name: str, provider: Provider, settings: Any) -> Gateway:
    settings.SMS_GATEWAY, settings.MITAKE_URL, settings.EVERY8D_URL = name, provider.url, provider.url
    settings.MITAKE_USERNAME = settings.EVERY8D_UID = "top-secret-name"
    settings.MITAKE_PASSWORD = settings.EVERY8D_PASSWORD = "top-secret"
    accepts = answers(200, ACCEPTING.get(name, ""))
    # EVERY8D answers a balance request with a bare number. Mitake finds the balance in the answer to a message.
    provider.behave(lambda handler: (answers(200, "9.00") if "getCredit" in handler.path else accepts)(handler))
    return get_gateway()


def test_failed_connection_is_unreachable(remote: Gateway, fake_provider: Provider) -> None:
    fake_provider.stop()
    assert sending_error(remote, MESSAGE).reason == Reason.UNREACHABLE
    assert not remote.health().reachable


@pytest.mark.parametrize("behaviour", [behaviours.hangs, behaviours.hangs_up, behaviours.drips_status])
def test_request_without_answer_is_retried_only_if_idempotent(
    remote: Gateway, fake_provider: Provider, behaviour: Any
) -> None:
    fake_provider.behave(behaviour)
    assert sending_error(remote, MESSAGE).reason == Reason.NO_ANSWER
    assert len(fake_provider.requests) == 1 + remote.idempotent


def test_garbage_answer_gives_a_masked_error(remote: Gateway, fake_provider: Provider) -> None:
    body = f"<html>top-secret {PHONE} 0912-345-678</html>"
    for answer in (answers(500, body), answers(502, b"\xff\x00" * 9), answers(500, "x" * 10_000_000), answers(500)):
        fake_provider.behave(answer)
        failed = sending_error(remote, MESSAGE)
        assert failed.reason in (Reason.NO_ANSWER, Reason.REFUSED)
        shown = remote.clean(str(failed), PHONE)
        assert len(shown) <= 500
        assert not re.search("top-secret|912.?345.?678", shown + failed.raw_status)


def test_gateway_accepts_message_and_logs_no_number_or_text(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gateway.send(MESSAGE).raw_status
    assert gateway.health().reachable
    seen = caplog.text + "".join(capsys.readouterr())
    assert "912345678" not in seen.replace("-", "")
    assert "top-secret" not in seen


def test_memory_appends_message_to_outbox(fake_provider: Provider, settings: Any) -> None:
    settings.SMS_GATEWAY = "memory"
    get_gateway().send(MESSAGE)
    assert Memory.outbox == [MESSAGE]


def test_console_prints_text_and_masked_number(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SMS_GATEWAY = "console"
    get_gateway().send(MESSAGE)
    assert capsys.readouterr().out == f"── SMS 0912-***-678 (1) ──\n{TEXT}\n"


AT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "20261122093000", "202611220930", "2026/11/22 09:30:00", " 2026/11/22  9:30 ", "2026-11-22T01:30:00Z",
        "2026-11-22 09:30:00.000", "2026-11-22T10:30:00+09:00", "2026/11/22 上午 09:30:00", "2026/11/22 09:30 AM",
        "20261122 093000", "２０２６/11/22 09：30", "2026/11/22 \u200e上午09:30",
        "2026年11月22日 上午9:30", "2026/11/22 A.M. 9:30",
    ],
)  # fmt: skip
def test_time_is_parsed_in_taipeis_zone(text: str) -> None:
    assert parse_time(text) == AT


@pytest.mark.parametrize(
    ("half", "hour"),
    [
        ("下午 03:00", 15), ("PM 3:00", 15), ("3:00 p.m.", 15), ("上午 12:00", 0), ("12:00 am", 0), ("下午 12:00", 12),
        ("中午 12:00", 12), ("晚上 11:00", 23), ("傍晚 6:00", 18), ("下午 15:00", 15), ("凌晨 1:00", 1), ("15:00", 15),
    ],
)  # fmt: skip
def test_half_of_the_day_is_parsed(half: str, hour: int) -> None:
    at = parse_time(f"2026/11/22 {half}")
    assert at == datetime(2026, 11, 22, hour, tzinfo=timezone(timedelta(hours=8)))


# Among them are .NET's value for no date, and times that no clock shows.
@pytest.mark.parametrize(
    "text",
    [
        "",
        "0001/01/01 00:00:00",
        "00010101000000",
        "19700101080000",
        "99991231235959",
        "x",
        "2026/11/22 上午 15:00",
        "2026/11/22 晚上 12:00",
        "2026/11/22 ¾È 03:00",
        "2026/11/22 25:00",
        "2026/13/22 09:00",
        "2026/11/22 09:30+99:99",
    ],
)
def test_invalid_time_is_none(text: str) -> None:
    assert parse_time(text) is None


UNREACHABLE = GatewayError("down", reason=Reason.UNREACHABLE)
NO_ANSWER = GatewayError("silence", reason=Reason.NO_ANSWER)
REFUSED = GatewayError("no", reason=Reason.REFUSED)


class Scripted(Gateway):
    """Each `transmit` raises or returns the next item of `script`."""

    def __init__(self, *script: GatewayError | Accepted, idempotent: bool = False) -> None:
        self.script, self.idempotent = list(script), idempotent

    def transmit(self, message: Message) -> Accepted:
        answer = self.script.pop(0)
        if isinstance(answer, GatewayError):
            raise answer
        return answer


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "PAUSE_SECONDS", 0)


def reason_of(gateway: Gateway) -> tuple[Reason, int]:
    """Returns the reason of the failure, and how many answers are left in the script."""
    with pytest.raises(GatewayError) as failed:
        gateway.send(MESSAGE)
    return failed.value.reason, len(gateway.script)  # type: ignore[attr-defined]


@pytest.mark.usefixtures("no_pause")
def test_failed_connection_is_retried() -> None:
    assert Scripted(UNREACHABLE, UNREACHABLE, Accepted("7")).send(MESSAGE) == Accepted("7")


@pytest.mark.usefixtures("no_pause")
def test_failed_connection_is_tried_at_most_three_times() -> None:
    assert reason_of(Scripted(*[UNREACHABLE] * 5)) == (Reason.UNREACHABLE, 2)


@pytest.mark.usefixtures("no_pause")
def test_permanent_error_is_not_retried() -> None:
    permanent = GatewayError("no such host", reason=Reason.UNREACHABLE, permanent=True)
    assert reason_of(Scripted(permanent, Accepted())) == (Reason.UNREACHABLE, 1)


@pytest.mark.usefixtures("no_pause")
def test_refusal_is_not_retried() -> None:
    assert reason_of(Scripted(REFUSED, Accepted(), idempotent=True)) == (Reason.REFUSED, 1)


@pytest.mark.usefixtures("no_pause")
def test_request_without_answer_is_not_retried_without_idempotency() -> None:
    assert reason_of(Scripted(NO_ANSWER, Accepted())) == (Reason.NO_ANSWER, 1)


@pytest.mark.usefixtures("no_pause")
def test_request_without_answer_is_retried_with_its_key() -> None:
    assert Scripted(NO_ANSWER, Accepted("7"), idempotent=True).send(MESSAGE) == Accepted("7")


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("second", [NO_ANSWER, UNREACHABLE, REFUSED])
def test_only_acceptance_settles_a_request_without_answer(second: GatewayError) -> None:
    assert reason_of(Scripted(NO_ANSWER, second, Accepted(), idempotent=True)) == (Reason.NO_ANSWER, 1)


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize(
    "number", ["+886912345678", "886912345678", "0912345678", "0912-345-678", "0912 345 678", "+886 912-345-678"]
)
def test_clean_masks_the_number(number: str) -> None:
    assert Gateway().clean(f"bad number {number}!", MESSAGE.phone) == "bad number 0912-***-678!"


@pytest.mark.usefixtures("no_pause")
def test_clean_masks_secrets_and_truncates() -> None:
    gateway = Gateway()
    gateway.secrets = ("", "top-secret")
    assert gateway.clean("key top-secret\r\n\0is\twrong", "") == "key *** is wrong"
    assert len(gateway.clean("x" * 2000, "")) == 500


@pytest.mark.usefixtures("no_pause")
def test_setting_selects_gateway(settings: Any) -> None:
    from notifications.gateways import get_gateway
    from notifications.gateways.local import Console

    settings.SMS_GATEWAY = "console"
    assert isinstance(get_gateway(), Console)
    assert get_gateway() is get_gateway()
    settings.SMS_GATEWAY = "memory"
    assert get_gateway().name == "memory"

"""The gateway's requests and its reading of answers and receipts follow Mitake's specification v2.14."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from notifications.gateways import base, get_gateway
from notifications.gateways.base import Accepted, Gateway, GatewayError, Message, Receipt, ReceiptError
from notifications.states import MessageStatus, Reason
from notifications.tests import provider as behaviours
from notifications.tests.provider import Provider, answers, sending_error

MESSAGE = Message(uuid.UUID("12345678-1234-4234-8234-123456789abc"), "+886912345678", "【幸福氣】您的瓦斯\n#1 & =")
SENT = (
    "[12345678-1234-4234-8234-123456789abc]\r\nmsgid=#000000013\r\nstatuscode=1\r\nsmsPoint=1\r\nAccountPoint=126\r\n"
)
AT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


@pytest.fixture
def mitake(fake_provider: Provider, settings: Any) -> Gateway:
    settings.SMS_GATEWAY, settings.MITAKE_URL = "mitake", fake_provider.url
    settings.MITAKE_USERNAME, settings.MITAKE_PASSWORD = "gasfirm", "top-secret"
    fake_provider.behave(answers(200, SENT))
    return get_gateway()


def test_request_is_as_documented(mitake: Gateway, fake_provider: Provider) -> None:
    mitake.send(MESSAGE)
    (request,) = fake_provider.requests
    assert (request.method, request.path) == ("POST", "/sms/SmSend?CharsetURL=UTF8")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.body == {
        "username": "gasfirm", "password": "top-secret", "dstaddr": "0912345678", "smsPointFlag": "1",
        "smbody": "【幸福氣】您的瓦斯\x06#1 & =", "clientid": str(MESSAGE.id),
    }  # fmt: skip


def test_callback_url_is_sent_if_configured(mitake: Gateway, fake_provider: Provider) -> None:
    mitake.callback_url = "https://gas.example.tw/callbacks/s/"
    mitake.send(MESSAGE)
    assert fake_provider.requests[0].body["response"] == f"https://gas.example.tw/callbacks/s/{MESSAGE.id}/"


def test_validity_is_sent_in_taipeis_time(mitake: Gateway, fake_provider: Provider) -> None:
    mitake.send(replace(MESSAGE, valid_until=AT))
    assert fake_provider.requests[0].body["vldtime"] == "20261122093000"


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        (SENT, Accepted("#000000013", "1", Decimal(1))),
        ("[a]\r\nmsgid=0000000333\r\nstatuscode=0\r\nAccountPoint=92\r\n", Accepted("0000000333", "0")),
        ("[a]\nmsgid=7\nstatuscode=4\nDuplicate=Y\nsmsPoint=x\n", Accepted("7", "4")),
        # A duplicate of an expired message: a query finds that status by the id later.
        ("[a]\nmsgid=7\nstatuscode=8\nDuplicate=Y\n", Accepted("7", "8")),
    ],
)
def test_accepting_answers_are_read(mitake: Gateway, fake_provider: Provider, answer: str, accepted: Accepted) -> None:
    fake_provider.behave(answers(200, answer))
    assert mitake.send(MESSAGE) == accepted


@pytest.mark.parametrize(
    ("codes", "reason", "requests"),
    [
        ("cdefhkmnp", Reason.CHANNEL_STOPPED, 1),
        ("s", Reason.NO_CREDIT, 1),
        ("abrl", Reason.BUSY, 1),
        ("tuxy5789", Reason.REFUSED, 1),
        ("v6", Reason.NO_SUCH_NUMBER, 1),
        ("*", Reason.NO_ANSWER, 2),
        ("gijoqz~E", Reason.UNKNOWN_CODE, 1),
    ],
)
def test_every_refusal_code_has_its_reason(
    mitake: Gateway, fake_provider: Provider, codes: str, reason: Reason, requests: int
) -> None:
    for code in codes:
        fake_provider.requests.clear()
        fake_provider.behave(answers(200, f"[a]\r\nstatuscode={code}\r\nError=".encode() + "系統功許蓋".encode("big5")))
        refused = sending_error(mitake, MESSAGE)
        assert (refused.reason, refused.raw_status, len(fake_provider.requests)) == (reason, code, requests)
        assert str(refused).startswith(f"{code}: ")
        assert "系統功許蓋" in str(refused)


@pytest.mark.parametrize(
    ("code", "reason"),
    [("5", Reason.REFUSED), ("6", Reason.NO_SUCH_NUMBER), ("8", Reason.REFUSED), ("9", Reason.REFUSED)],
)
def test_refusal_with_an_id_is_not_accepted(
    mitake: Gateway, fake_provider: Provider, code: str, reason: Reason
) -> None:
    fake_provider.behave(answers(200, f"[a]\r\nmsgid=#000000013\r\nstatuscode={code}\r\n"))
    refused = sending_error(mitake, MESSAGE)
    assert (refused.reason, refused.raw_status, refused.permanent) == (reason, code, True)
    assert len(fake_provider.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        answers(200),
        answers(200, "[a]\r\nstatuscode=\r\n"),
        answers(200, "[a]\r\nstatuscode=the answer is long\r\n"),
        answers(200, "<html><body>維護中</body></html>"),
        answers(200, "[a]\r\nmsgid=000001\r\n"),
        answers(200, "[a]\r\nstatuscode=1\r\n"),
        answers(200, "[a]\r\nmsgid=1\r\nstatuscode=!\r\n"),
        answers(200, f"msgid={'9' * 81}\r\nstatuscode=1\r\n"),
        answers(200, b"\xff\xfe\x00=\x00"),
        answers(502, "Bad Gateway"),
        answers(200, SENT + "x" * 10_000_000),
        behaviours.cut(SENT.encode()),
        behaviours.drips_body,
    ],
    ids=[
        "empty",
        "blank-code",
        "text-for-code",
        "html",
        "no-code",
        "no-id",
        "no-such-code",
        "long-id",
        "bytes",
        "502",
        "huge",
        "cut",
        "slow",
    ],
)
def test_unclear_answer_is_retried_once_and_then_unknown(
    mitake: Gateway, fake_provider: Provider, settings: Any, answer: Any
) -> None:
    settings.SMS_TIMEOUT_SECONDS = 0.4
    fake_provider.behave(answer)
    assert sending_error(mitake, MESSAGE).reason == Reason.NO_ANSWER
    assert [request.body["clientid"] for request in fake_provider.requests] == [str(MESSAGE.id)] * 2


def test_retry_reports_acceptance_of_first_try(mitake: Gateway, fake_provider: Provider) -> None:
    fake_provider.behave(behaviours.hangs_up, answers(200, SENT + "Duplicate=Y\r\n"))
    assert mitake.send(MESSAGE).provider_message_id == "#000000013"


def test_balance_is_read(mitake: Gateway, fake_provider: Provider) -> None:
    fake_provider.behave(answers(200, "AccountPoint=110\r\n"))
    assert (mitake.balance(), mitake.health()) == (
        Decimal(110),
        base.GatewayHealth(reachable=True, balance=Decimal(110)),
    )
    assert fake_provider.requests[0].path == "/sms/SmQuery"
    assert fake_provider.requests[0].body == {"username": "gasfirm", "password": "top-secret"}


@pytest.mark.parametrize(
    ("answer", "reason"), [("statuscode=e\r\n", Reason.CHANNEL_STOPPED), ("gasfirm top-secret", Reason.NO_ANSWER)]
)
def test_refused_balance_raises(mitake: Gateway, fake_provider: Provider, answer: str, reason: Reason) -> None:
    fake_provider.behave(answers(200, answer))
    with pytest.raises(GatewayError) as failed:
        mitake.balance()
    assert failed.value.reason == reason
    assert not mitake.health().reachable
    assert "secret" not in mitake.health().detail


def test_query_result_becomes_receipts(mitake: Gateway, fake_provider: Provider) -> None:
    rows = "#01\t4\t20261122093000\tmore\r\n02\t1\r\n03\t 8\tnonsense\r\n04\t?\t\r\n05\r\n06\t\t\r\n\r\n"
    fake_provider.behave(answers(200, rows))
    assert mitake.query(["#01", "02", "03", "04", "05", "06"]) == [
        Receipt("#01", "", MessageStatus.DELIVERED, "", "4", AT),
        Receipt("02", "", MessageStatus.SENT, "", "1", None),
        Receipt("03", "", MessageStatus.EXPIRED, Reason.NOT_REACHED, "8", None),
        Receipt("04", "", None, Reason.UNKNOWN_CODE, "?", None),
    ]
    assert (fake_provider.requests[0].path, fake_provider.requests[0].body["msgid"]) == (
        "/sms/SmQuery",
        "#01,02,03,04,05,06",
    )


def test_refused_query_raises(mitake: Gateway, fake_provider: Provider) -> None:
    fake_provider.behave(answers(200, "statuscode=e\r\nError=\xa4\r\n"))
    with pytest.raises(GatewayError) as failed:
        mitake.query(["1"])
    assert failed.value.reason == Reason.CHANNEL_STOPPED


def test_flag_decides_status_of_receipt(mitake: Gateway) -> None:
    parameters = {
        "msgid": "8091234567", "dstaddr": "0912345678", "dlvtime": "20261122092900", "donetime": "20261122093000",
        "statuscode": "0", "statusstr": "DELIVRD", "StatusFlag": "4",
    }  # fmt: skip
    receipt = mitake.receipt(parameters)
    assert receipt == Receipt("8091234567", "+886912345678", MessageStatus.DELIVERED, "", "4", AT)
    assert mitake.acknowledgement(receipt) == "magicid=sms_gateway_rpack\nmsgid=8091234567\n"


@pytest.mark.parametrize("flag", [{"StatusFlag": " 4"}, {"statusflag": "4"}, {"STATUSFLAG": "４\r\n"}])
def test_flag_spelling_is_normalised(mitake: Gateway, flag: dict[str, str]) -> None:
    parameters = {"MsgId": "13", "dstaddr": "0912345678", "donetime": "2026/11/22 上午 09:30", "statuscode": "0"}
    assert mitake.receipt(parameters | flag) == Receipt("13", "+886912345678", MessageStatus.DELIVERED, "", "4", AT)


def test_unknown_flag_gives_a_receipt_without_status(mitake: Gateway) -> None:
    assert mitake.receipt({"msgid": "13", "StatusFlag": "44"}) == Receipt("13", "", None, Reason.UNKNOWN_CODE, "44")


@pytest.mark.parametrize("missing", [{"msgid": ""}, {"StatusFlag": ""}, {"msgid": "1 2"}])
def test_incomplete_receipt_is_refused(mitake: Gateway, missing: dict[str, str]) -> None:
    with pytest.raises(ReceiptError):
        mitake.receipt({"msgid": "1", "StatusFlag": "4"} | missing)


def test_id_matches_with_and_without_hash_sign(mitake: Gateway) -> None:
    assert set(mitake.id_variants("#013")) == set(mitake.id_variants("013")) == {"013", "#013"}
